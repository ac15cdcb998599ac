"""Exact intervals of proportions, against values that tables give."""

import pytest

from proviso.domain.rates import rate

# Clopper-Pearson at 95 %, from the quantiles of the beta distribution.
KNOWN = [
    (0, 10, 0.0, 0.3084971),
    (1, 10, 0.00252858, 0.4450161),
    (5, 10, 0.1870861, 0.8129139),
    (10, 10, 0.6915029, 1.0),
    (3, 5, 0.1466328, 0.9472551),
    (6, 20, 0.1189316, 0.5427892),
    (13399, 100000, 0.1318844, 0.1361169),
    (1, 100000, 2.5317805e-07, 5.5715150e-05),
]


@pytest.mark.parametrize(("count", "total", "low", "high"), KNOWN)
def test_the_interval_is_the_one_of_the_tables(count, total, low, high):
    found = rate(count, total)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-12)
    assert found.value == pytest.approx(count / total)


def test_of_nothing_everything_is_possible():
    found = rate(0, 0)
    assert (found.value, found.low, found.high) == (None, 0.0, 1.0)


def test_more_confidence_is_a_wider_interval():
    assert rate(3, 10, 0.99).low < rate(3, 10, 0.95).low < rate(3, 10, 0.5).low < 0.3 < rate(3, 10, 0.5).high


@pytest.mark.parametrize(("count", "total", "confidence"), [(-1, 2, 0.95), (3, 2, 0.95), (1, 2, 0.0), (1, 2, 1.0)])
def test_what_is_no_rate_is_refused(count, total, confidence):
    with pytest.raises(ValueError, match="no rate"):
        rate(count, total, confidence)
