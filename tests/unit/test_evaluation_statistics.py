"""The statistics against brute force, and against what textbooks say."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.rates import rate
from proviso.evaluation.statistics import (
    BELOW_RULE_OF_30,
    allowed,
    fisher,
    freeze,
    holm,
    mean_rate,
    over_lists,
    paired,
    supported,
)

similarities = st.lists(st.integers(-1000, 1000).map(lambda n: n / 1000), min_size=1, max_size=60)
rates = st.sampled_from([0.001, 0.003, 0.01, 0.05, 0.1, 0.29, 0.5, 0.999])


@given(similarities, rates)
def test_at_most_the_allowed_number_reaches_a_frozen_threshold(values, wanted):
    array = np.array(values)
    threshold = freeze(array, wanted)
    assert (array >= threshold).sum() <= math.floor(Fraction(str(wanted)) * len(values))
    assert threshold == round(threshold, 4)


@given(similarities, rates)
def test_no_lower_threshold_of_four_decimals_would_do(values, wanted):
    array = np.array(values)
    threshold = freeze(array, wanted)
    if threshold > -1:
        lower = (round(threshold * 10_000) - 1) / 10_000
        assert (array >= lower).sum() > allowed(wanted, len(values))


def test_those_who_tie_at_the_threshold_are_all_kept_below_it():
    assert freeze(np.array([0.1, 0.5, 0.5, 0.5]), 0.5) == 0.5001


def test_a_float32_that_was_rounded_to_the_threshold_does_not_reach_it():
    values = np.array([0.4123, 0.1, 0.2], np.float32).astype(np.float64)
    assert (values >= freeze(values, 0.01)).sum() == 0


def test_freezing_on_nothing_is_refused():
    with pytest.raises(ValueError, match="no similarities"):
        freeze(np.array([]), 0.01)


def test_what_is_allowed_is_counted_exactly():
    assert [allowed(0.29, 100), allowed(0.07, 100), allowed(0.01, 299), allowed(0.003, 1000)] == [29, 7, 2, 3]


def test_the_mean_over_lists_is_as_wide_as_one_list():
    one, twenty = mean_rate([3], [100]), mean_rate([3] * 20, [100] * 20)
    assert (one.value, one.low, one.high) == (twenty.value, twenty.low, twenty.high)
    assert one.low == rate(3, 100).low
    assert twenty.sd == pytest.approx(0)


def test_a_mean_that_is_not_whole_is_rounded_outwards():
    mean = mean_rate([2, 3], [100, 100])
    assert mean.value == 0.025
    assert (mean.low, mean.high) == (rate(2, 100).low, rate(3, 100).high)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8))
def test_the_mean_lies_in_its_interval(pairs):
    counts, totals = [min(p) for p in pairs], [max(p) for p in pairs]
    mean = mean_rate(counts, totals)
    if mean is not None:
        assert 0 <= mean.low <= mean.value <= mean.high <= 1


def test_a_rate_of_nobody_is_none_and_nonsense_is_refused():
    assert mean_rate([0, 0], [0, 0]) is None
    with pytest.raises(ValueError, match="belong together"):
        mean_rate([3], [2])


def test_the_rules_of_3_and_30():
    assert supported(0.01, 3000) == (True, "")
    assert supported(0.01, 2999) == (True, BELOW_RULE_OF_30)
    assert supported(0.01, 300) == (True, BELOW_RULE_OF_30)
    assert not supported(0.01, 299)[0]
    assert supported(0.003, 1000)[0]
    assert not supported(0.003, 0)[0]


def brute_fisher(a, b, c, d):
    """By counting which of all equally likely choices of a column are no likelier than this one."""
    people, column = a + b + c + d, a + c
    tables = [sum(person < a + b for person in chosen) for chosen in itertools.combinations(range(people), column)]
    often = {x: tables.count(x) for x in set(tables)}
    return sum(n for n in often.values() if n <= often[a]) / len(tables)


@given(*(st.integers(0, 4),) * 4)
def test_fishers_test_is_a_count_of_tables(a, b, c, d):
    assert fisher(a, b, c, d) == pytest.approx(brute_fisher(a, b, c, d), abs=1e-12)


def test_fishers_test_of_the_lady_tasting_tea():
    assert fisher(3, 1, 1, 3) == pytest.approx(34 / 70)
    assert fisher(5, 0, 0, 0) == 1


def test_fishers_test_agrees_with_scipy_on_large_tables():
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    for table in ((31, 969, 12, 988), (3, 297, 40, 960), (450, 50, 280, 20)):
        expected = stats.fisher_exact([table[:2], table[2:]])[1]
        assert fisher(*table) == pytest.approx(expected, rel=1e-6)


def test_mcnemars_test_is_a_coin():
    assert paired(0, 0) == 1
    assert paired(5, 0) == pytest.approx(2 / 32)
    assert paired(3, 3) == 1


def test_the_values_of_lists_are_never_combined_to_less_than_twice_their_median():
    assert over_lists([0.03]) == 0.03
    assert over_lists([0.01, 0.02, 0.5]) == 0.04
    assert over_lists([0.6, 0.7, 0.8]) == 1


def test_holm():
    assert holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
