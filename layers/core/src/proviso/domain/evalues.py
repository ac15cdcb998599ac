"""Tests that are valid at every look (S26, S27): e-values, as natural logarithms.

An e-value is a number that is at most 1 on average when nothing is wrong. One that is worked out anew after each event,
so that it never grows on average, reaches 1/alpha at any time at all with a probability of at most alpha (Ville 1939):
so one may look as often as one likes, and stop when it is reached. Both here are means, over a fixed grid of how wrong
it may be, of likelihood ratios; a mean of e-values is one. (Ramdas, Grünwald, Vovk and Shafer 2023, Game-theoretic
statistics and safe anytime-valid inference; the mean as the way to join them: Vovk and Wang 2021, E-values.)

The same stands in SQL (migration 0011), which decides; the two are tested to be equal. Standard library only.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from proviso.domain.rates import beta

GROUPS = 11
"""In how many groups somebody can be put: two sexes, four ages, five ethnicities."""
POWER = 0.8
"""How surely a gap would have been seen, where it is said that it would."""
_LEAST = -700.0


def _grid(low: float, high: float, points: int) -> tuple[float, ...]:
    """Logarithms of factors, evenly spaced."""
    step = (math.log(high) - math.log(low)) / (points - 1)
    return tuple(math.log(low) + i * step for i in range(points))


RATES = _grid(1.05, 20, 64)
"""How many times the limit a false-match rate may be."""
ODDS = _grid(1.25, 20, 32)
"""How many times as often a group may be mistaken as the others."""


def ln_e_false(f: float, expected: float) -> float:
    """That hits are false more often than allowed: `f` false ones where at most `expected` = limit x searched were.

    The mean over r of r^f exp(-(r - 1) expected). For each r that is the likelihood ratio of two Poisson processes, of
    r times the limit and of the limit. It holds for searches that are hit or not (Bernoulli) too: if each is hit with a
    probability p of at most the limit, whatever came before, one factor is on average 1 + (r - 1) p <= exp((r - 1) p).
    It falls with each search and grows with each false hit only: so to look when one is found misses nothing.

    Hits of one person come together: one frame after the other shows the same face. They do not count as that many
    independent ones: `ln_e_hits` divides both numbers by `together`. With single hits that is 1, and nothing changes.
    """
    return _ln_mean(f * ln_r - math.expm1(ln_r) * expected for ln_r in RATES)


def ln_e_hits(f: int, candidates: int, expected: float, together: float) -> float:
    """The mean of two: of hits, so many of which count as one, and of false candidates however often each was hit.

    The first sees the rate. The second one is less powerful, and exact whatever hangs together; and one person who
    stands there for an hour, and makes `together` large, cannot hide others from it.
    """
    return _ln_mean([ln_e_false(f / together, expected / together), ln_e_false(candidates, expected)])


def together(hits: Sequence[int]) -> float:
    """How many hits count as one, from the hits of each false candidate: the mean over hits of how many there are of
    its candidate (the design effect of clusters; Kish 1965, Survey Sampling, section 5.4). At least 1.

    Where all candidates have equally many hits, the e-value is exactly that of candidates; where they differ, less.
    With a number that is itself counted it is no exact e-value: bench/monitoring.py shows that it keeps alpha for
    people who are seen once, five times, and very unevenly often, and that it would not without.
    """
    return sum(n * n for n in hits) / sum(hits) if any(hits) else 1.0


def ln_e_group(x: int, parts: Iterable[tuple[int, float]]) -> float:
    """That a group is mistaken more often than it passes by: of false candidates `x` in all were of the group. `parts`:
    for each deployment how many false candidates there were, and the highest share of passers-by the group may have.

    If false candidates fall on people as they pass, each is of the group with a probability p <= h, whatever came
    before. Against it stands a group that is mistaken r times as often as the others: q = r h / (1 + (r - 1) h). The
    ratio is q / h = r / (1 + (r - 1) h) for one of the group and (1 - q) / (1 - h) = 1 / (1 + (r - 1) h) for any other;
    on average (1 + (r - 1) p) / (1 + (r - 1) h) <= 1, so the highest share is the least favourable one. Over all
    deployments, each with its own h: r^x / product of (1 + (r - 1) h)^n. The mean over r is the e-value.

    One whose group nobody recorded counts as not of the group. That can only lower it: so it holds, however few are
    recorded and whoever chooses which; what is lost is power, and that is what "not testable" is for.
    """
    given = list(parts)
    return _ln_mean(x * ln_r - sum(n * math.log(1 + math.expm1(ln_r) * high) for n, high in given) for ln_r in ODDS)


def ln_e_groups(found: Sequence[float]) -> float:
    """Of several groups: the mean over all eleven; one without a declared share counts as 1, a logarithm of 0.

    A mean of e-values is one, however they hang together, and it is never less than the largest over eleven, which is
    what Bonferroni's bound would ask: so it finds all that one finds, and more.
    """
    if len(found) > GROUPS:
        raise ValueError(f"there are {GROUPS} groups, not {len(found)}")
    return _ln_mean([*found, *[0.0] * (GROUPS - len(found))])


def detectable_rate(expected: float, bar: float) -> float | None:
    """The smallest factor above the limit that would by now have been found with 80 %, had it been there all the time.

    `expected` as in `ln_e_false`; `bar` what the logarithm must reach. By a look at this moment alone: the truth, with
    its looks before, is a little smaller. None where nothing was expected, so that nothing can be said.
    """
    if expected <= 0:
        return None
    needed = _least(lambda f: ln_e_false(f, expected), bar, None)
    if needed is None:
        return None
    return _solve(lambda mean: _poisson_tail(needed, mean), needed + 10 * math.sqrt(needed) + 10) / expected


def detectable_odds(parts: Sequence[tuple[int, float]], bar: float) -> float | None:
    """The smallest factor by which a group could be mistaken more often than the others and would by now have been
    found with 80 %. `parts` as in `ln_e_group`. None where so few false candidates show nothing, whoever they are.

    Where shares differ between deployments it is worked out with their mean, weighted by false candidates.
    """
    n = sum(count for count, _ in parts)
    needed = _least(lambda x: ln_e_group(x, parts), bar, n)
    if needed is None or any(high >= 1 for _, high in parts):
        return None
    share = sum(count * high for count, high in parts) / n
    if share <= 0:
        return None
    q = _solve(lambda p: beta(p, needed, n - needed + 1), 1.0)
    return q * (1 - share) / ((1 - q) * share) if q < 1 else None


def _least(ln_e: Callable[[int], float], bar: float, most: int | None) -> int | None:
    """The fewest events at which the bar is reached: it rises with them."""
    low, high = 0, 1
    while ln_e(high) < bar:
        if most is not None and high >= most:
            return None
        low, high = high, high * 2 if most is None else min(high * 2, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ln_e(middle) >= bar else (middle, high)
    return high


def _solve(power: Callable[[float], float], most: float) -> float:
    """Where a rising function reaches 80 %, by halving."""
    low, high = 0.0, most
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def _poisson_tail(least: int, mean: float) -> float:
    """P(X >= least) of a Poisson distribution."""
    if mean <= 0:
        return 0.0
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(least))
    return max(0.0, 1 - below)


def _ln_mean(terms: Iterable[float]) -> float:
    """The logarithm of the mean of the terms' exponentials."""
    given = list(terms)
    top = max(given)
    return top + math.log(sum(math.exp(max(term - top, _LEAST)) for term in given) / len(given))
