"""The statistics of an evaluation: thresholds, rates over people, and tests. Pure functions on counts and arrays.

The unit is the person. Searches of one person are not independent, and neither are lists that share people: so
twenty lists give a mean and a spread, and the interval stays that of the people of one list.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np
from numpy.typing import NDArray

from proviso.domain.rates import rate

Floats = NDArray[np.floating]
BELOW_RULE_OF_30 = "below the rule of 30"
_STEPS = 10_000  # thresholds have four decimals, so that the one that is written down is the one that was used


def allowed(wanted: float, total: int) -> int:
    """floor(wanted * total), in exact arithmetic: 0.29 of 100 is 29, which floating point denies."""
    return math.floor(Fraction(str(wanted)) * total)


def freeze(similarities: Floats, wanted: float) -> float:
    """The lowest threshold (four decimals) that at most floor(wanted * n) of the n similarities reach (>=).

    Equal similarities reach a threshold together or not at all, so ties can only make it higher. -1 where all may
    reach it. ValueError for an empty array: a threshold from nothing would be an invention.
    """
    if similarities.size == 0:
        raise ValueError("no similarities to freeze a threshold on")
    may = allowed(wanted, similarities.size)
    if may >= similarities.size:
        return -1.0
    # The largest similarity that must stay below the threshold.
    below = float(np.partition(similarities, similarities.size - 1 - may)[similarities.size - 1 - may])
    step = math.floor(below * _STEPS)
    while step / _STEPS <= below:
        step += 1
    return step / _STEPS


@dataclass(frozen=True, slots=True)
class MeanRate:
    """A rate over people, averaged over lists. `total` is the people of one list; `sd` the spread over the lists."""

    value: float
    low: float
    high: float
    count: float
    total: int
    sd: float


def mean_rate(counts: Sequence[int], totals: Sequence[int]) -> MeanRate | None:
    """The rate that `counts[k]` of `totals[k]` people give on average over the lists k; None where nobody was counted.

    The interval is Clopper and Pearson's (1934) for the people of one list. The mean count is seldom whole: the lower
    end is taken at the count rounded down (and the total rounded up), the upper end at the count rounded up (and the
    total rounded down), so rounding can only widen it. More lists do not narrow it.
    """
    if len(counts) != len(totals) or any(not 0 <= c <= t for c, t in zip(counts, totals, strict=True)):
        raise ValueError("counts and totals do not belong together")
    lists, people, reached = len(totals), sum(totals), sum(counts)
    if people == 0:
        return None
    fewest, most = people // lists, -(-people // lists)
    low = rate(reached // lists, most).low
    high = rate(min(-(-reached // lists), fewest), fewest).high if fewest else 1.0
    each = [c / t for c, t in zip(counts, totals, strict=True) if t]
    spread = float(np.std(each, ddof=1)) if len(each) > 1 else 0.0
    return MeanRate(reached / people, low, high, reached / lists, fewest, spread)


def supported(wanted: float, people: int, what: str = "non-mated people") -> tuple[bool, str]:
    """Whether so many non-mated people can show a rate at all, and the mark that it carries.

    Rule of 3 (ISO/IEC 19795-1, after Louis 1981): no error among n is the bound 3/n at 95 %, so a rate below 3/n
    cannot be seen. Rule of 30 (Doddington et al. 2000): 30 errors are needed to be within 30 % at 90 % confidence.
    """
    exact = Fraction(str(wanted))
    if people * exact < 3:
        return False, f"refused: {people} {what} show nothing below {3 / people if people else 1:.2g}"
    return True, "" if people * exact >= 30 else BELOW_RULE_OF_30


def fisher(a: int, b: int, c: int, d: int) -> float:
    """Fisher's exact test, two-sided, of the table [[a, b], [c, d]]: the sum over all tables with the same margins
    that are not likelier than this one (Fisher 1935; Agresti, Categorical Data Analysis, 3.5.1). In whole numbers, so
    no tolerance is needed for ties. 1 where a margin is empty."""
    if min(a, b, c, d) < 0:
        raise ValueError("counts are not negative")
    first, second, column = a + b, c + d, a + c
    lowest, highest = max(0, column - second), min(first, column)
    weight = math.comb(first, lowest) * math.comb(second, column - lowest)
    weights = []
    for x in range(lowest, highest + 1):
        weights.append(weight)
        weight = weight * (first - x) * (column - x) // ((x + 1) * (second - column + x + 1))
    seen = weights[a - lowest]
    return float(Fraction(sum(w for w in weights if w <= seen), sum(weights)))


def paired(only_first: int, only_second: int) -> float:
    """McNemar's test in its exact form, two-sided: of the people for whom two conditions differ, a fair coin would
    say which (McNemar 1947; Agresti 11.1). For the same people under two conditions, where Fisher's test would be
    wrong."""
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))


def over_lists(values: Sequence[float]) -> float:
    """One p-value from those of lists that share people: twice their median, which holds whatever the dependence
    (Rueger 1978; Vovk and Wang, Combining p-values via averaging, 2020). A single list needs no doubling."""
    if len(values) == 1:
        return values[0]
    return min(1.0, 2 * median(values))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number (Holm 1979), in their order; None stays None and counts for nothing."""
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - rank)))
        corrected[place] = highest
    return corrected
