"""Rates with their denominators and intervals: no rate is shown without both."""

import math
from dataclasses import dataclass

_STEPS = 10_000
_PRECISION = 1e-12


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `total`, and the interval in which the true rate lies (both ends included)."""

    count: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The point estimate; None where nothing was counted."""
        return self.count / self.total if self.total else None


def rate(count: int, total: int, confidence: float = 0.95) -> Rate:
    """The exact interval of a proportion (Clopper and Pearson 1934): it covers at least so often as `confidence` says.

    Of nothing, everything is possible: 0 of 0 is between 0 and 1. ValueError when the count does not fit the total.
    """
    if not 0 <= count <= total or not 0 < confidence < 1:
        raise ValueError(f"{count} of {total} at {confidence} is no rate")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _quantile(tail, count, total - count + 1)
    high = 1.0 if count == total else _quantile(1 - tail, count + 1, total - count)
    return Rate(count, total, low, high)


def _quantile(p: float, a: float, b: float) -> float:
    """x with I_x(a, b) = p, by halving: the function rises with x."""
    low, high = 0.0, 1.0
    while high - low > _PRECISION * max(high, _PRECISION):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if beta(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, by the symmetry DLMF 8.17.4
        return 1 - beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x) - math.log(a)
    )
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1/(1 + d1/(1 + d2/(1 + ...))), from the front (Lentz's method)."""
    tiny = 1e-300
    c, d, value = 1.0, 0.0, 1.0
    for step in range(1, _STEPS):
        m, odd = divmod(step, 2)
        if odd:
            part = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            part = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + part * d) or tiny)
        c = (1 + part / c) or tiny
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return 1 / value
