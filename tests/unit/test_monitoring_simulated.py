"""S26 and S27 simulated: how often nothing is wrong and it suspends, and how soon something is. Fixed seeds."""

import random

import pytest

from bench.monitoring import FRAMES, false_candidates_until, group_until, picture, quantiles
from proviso.domain.rates import rate

ALPHA = 0.01


@pytest.mark.parametrize("frames", FRAMES)
def test_with_nothing_wrong_at_most_one_in_a_hundred_is_suspended(frames):
    """However often people are seen; the lower end of the interval would be above it, if it were more."""
    rng = random.Random(26)
    count = sum(false_candidates_until(rng, frames, allowed=10) is not None for _ in range(250))
    assert rate(count, 250).low <= ALPHA / 4
    assert count <= 4


def test_with_each_hit_by_itself_it_would_not_hold():
    """The control: that is why those of one person count about once."""
    rng = random.Random(26)
    count = sum(false_candidates_until(rng, "seen five times", allowed=10, naive=True) is not None for _ in range(100))
    assert rate(count, 100).low > 0.1


@pytest.mark.parametrize(
    ("factor", "median", "most"), [(2.0, (20, 60), 110), (10.0, (3, 8), 12)], ids=["twofold", "tenfold"]
)
def test_a_rate_that_is_too_high_is_found(factor, median, most):
    rng = random.Random(2)
    found = [false_candidates_until(rng, "seen five times", factor, allowed=200) for _ in range(60)]
    share, middle, nine_tenths = quantiles(found)
    assert share == 1
    assert median[0] <= middle <= median[1]
    assert nine_tenths <= most


@pytest.mark.parametrize(
    ("share", "high", "recorded", "only"),
    [(0.1, 0.1, 1.0, False), (0.1, 0.1, 0.4, False), (0.1, 0.1, 0.0, True), (0.05, 0.1, 1.0, False)],
)
def test_groups_as_they_pass_by_suspend_at_most_one_in_a_hundred(share, high, recorded, only):
    """Whatever is recorded of whom, the group alone included."""
    rng = random.Random(27)
    count = sum(group_until(rng, share, high, 1.0, recorded, only, most=60) is not None for _ in range(150))
    assert rate(count, 150).low <= ALPHA


@pytest.mark.parametrize(
    ("odds", "median", "most"), [(10.0, (8, 20), 40), (5.0, (15, 45), 90)], ids=["tenfold", "fivefold"]
)
def test_a_group_that_is_mistaken_more_often_is_found(odds, median, most):
    rng = random.Random(3)
    found = [group_until(rng, 0.1, 0.1, odds, most=300) for _ in range(40)]
    share, middle, nine_tenths = quantiles(found)
    assert share == 1
    assert median[0] <= middle <= median[1]
    assert nine_tenths <= most


def test_the_picture_names_every_line():
    drawn = picture({"S26, seen once": [(2.0, 40.0), (10.0, 5.0)], "S27, group of 10%": [(10.0, 12.0)]})
    assert drawn.startswith("<svg")
    assert all(name in drawn for name in ("S26, seen once", "S27, group of 10%", "x 20"))
