"""E-values: exact where they can be, never above one on average, and with the power that is said (S26, S27)."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.evalues import (
    GROUPS,
    ODDS,
    RATES,
    detectable_odds,
    detectable_rate,
    ln_e_false,
    ln_e_group,
    ln_e_groups,
    ln_e_hits,
    together,
)

BAR = math.log(400)


def test_the_grids_are_those_of_the_database():
    assert [round(math.exp(r), 9) for r in (RATES[0], RATES[-1], ODDS[0], ODDS[-1])] == [1.05, 20, 1.25, 20]
    assert (len(RATES), len(ODDS)) == (64, 32)


def test_with_nothing_seen_there_is_nothing_to_say():
    assert ln_e_false(0, 0) == pytest.approx(0)
    assert ln_e_group(0, []) == pytest.approx(0)
    assert ln_e_groups([]) == pytest.approx(0)
    assert ln_e_hits(0, 0, 0, 1) == pytest.approx(0)


@given(st.integers(0, 200), st.floats(0, 500))
def test_it_grows_with_each_false_hit_and_falls_with_each_search(f, expected):
    assert ln_e_false(f, expected) < ln_e_false(f + 1, expected)
    assert ln_e_false(f, expected + 0.01) < ln_e_false(f, expected)


@pytest.mark.parametrize("expected", [0.01, 0.5, 3.0, 20.0])
def test_a_poisson_process_at_the_limit_gives_one_on_average(expected):
    """At the limit itself exactly 1: the sum of P(f) E(f) over all f."""
    most = int(expected * 40 + 200)
    total = sum(
        math.exp(f * math.log(expected) - expected - math.lgamma(f + 1) + ln_e_false(f, expected)) for f in range(most)
    )
    assert total == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(("p", "n"), [(0.001, 200), (0.02, 60), (0.3, 12)])
def test_single_searches_at_the_limit_give_at_most_one(p, n):
    """Bernoulli: hit or not."""
    total = sum(math.comb(n, f) * p**f * (1 - p) ** (n - f) * math.exp(ln_e_false(f, p * n)) for f in range(n + 1))
    assert total <= 1 + 1e-12


@pytest.mark.parametrize("high", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("of_it", [1.0, 0.5])
@pytest.mark.parametrize("recorded", [1.0, 0.4])
def test_a_group_that_is_treated_as_all_gives_at_most_one(high, of_it, recorded):
    """At any share up to the declared one; and however many of them are recorded, chosen by whomever."""
    n, p = 12, high * of_it * recorded
    total = sum(
        math.comb(n, x) * p**x * (1 - p) ** (n - x) * math.exp(ln_e_group(x, [(n, high)])) for x in range(n + 1)
    )
    assert total <= 1 + 1e-12
    if of_it == recorded == 1.0:
        assert total == pytest.approx(1)


def test_deployments_with_shares_of_their_own_multiply():
    parts = [(3, 0.1), (5, 0.6)]
    apart = [sum(math.exp(x * r) for r in ODDS) for x in (0,)]
    assert apart == [len(ODDS)]
    one = ln_e_group(4, parts)
    by_hand = [math.exp(4 * r) / (1 + (math.exp(r) - 1) * 0.1) ** 3 / (1 + (math.exp(r) - 1) * 0.6) ** 5 for r in ODDS]
    assert one == pytest.approx(math.log(sum(by_hand) / len(ODDS)))
    assert ln_e_group(4, parts[::-1]) == pytest.approx(one)


@given(st.lists(st.floats(-50, 50), max_size=GROUPS))
def test_the_mean_is_never_less_than_bonferroni(found):
    assert ln_e_groups(found) >= max([*found, 0.0]) - math.log(GROUPS) - 1e-9


def test_there_are_no_more_groups_than_people_can_be_put_in():
    with pytest.raises(ValueError, match="11 groups"):
        ln_e_groups([0.0] * 12)


def test_hits_of_one_person_count_about_once():
    assert together([]) == together([1, 1, 1]) == 1
    assert together([5, 5]) == 5
    assert together([1, 9]) == pytest.approx(8.2)
    assert ln_e_hits(3, 3, 0.1, 1) == pytest.approx(ln_e_false(3, 0.1))
    assert ln_e_hits(30, 1, 0.05, 30) < BAR < ln_e_false(30, 0.05)


def test_who_stands_there_for_an_hour_hides_nobody():
    hits = [1000, 1, 1, 1, 1, 1]
    expected = 0.3
    assert ln_e_false(sum(hits) / together(hits), expected / together(hits)) < BAR
    assert ln_e_hits(sum(hits), len(hits), expected, together(hits)) > BAR


@pytest.mark.parametrize("expected", [0.5, 5.0, 50.0])
def test_what_would_have_been_seen_would_have_been_seen(expected):
    """Four in five at that factor, by a sum over the Poisson distribution; fewer a tenth below it."""
    factor = detectable_rate(expected, BAR)
    assert factor is not None

    def power(r):
        mean = r * expected
        return sum(
            math.exp(f * math.log(mean) - mean - math.lgamma(f + 1))
            for f in range(int(mean * 3 + 60))
            if ln_e_false(f, expected) >= BAR
        )

    assert power(factor) == pytest.approx(0.8, abs=1e-6)
    assert power(factor * 0.9) < 0.8


def test_with_more_searched_smaller_factors_would_be_seen():
    found = [detectable_rate(expected, BAR) for expected in (0.1, 1, 10, 100)]
    assert all(a > b > 1 for a, b in pairwise(found))
    assert detectable_rate(0, BAR) is None


def test_with_few_false_candidates_no_gap_could_be_seen():
    bar = math.log(1100)
    assert detectable_odds([(3, 0.5)], bar) is None
    assert detectable_odds([], bar) is None
    assert detectable_odds([(50, 1.0)], bar) is None
    found = [detectable_odds([(n, 0.2)], bar) for n in (10, 20, 50, 200)]
    assert all(a > b > 1 for a, b in pairwise(found))


def test_what_would_have_been_seen_of_a_group_would_have_been_seen():
    n, high, bar = 40, 0.25, math.log(1100)
    r = detectable_odds([(n, high)], bar)
    q = r * high / (1 - high + r * high)
    power = sum(math.comb(n, x) * q**x * (1 - q) ** (n - x) for x in range(n + 1) if ln_e_group(x, [(n, high)]) >= bar)
    assert power == pytest.approx(0.8, abs=1e-6)
