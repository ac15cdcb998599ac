"""Verification over labelled pairs in folds: the measure that others publish, so that figures can stand side by side.

A threshold is always chosen on the other folds and tried on the one held out. Pairs that name an unreadable picture
count as wrong: there is no template to compare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proviso.domain.rates import rate
from proviso.evaluation.alteration import AS_IS
from proviso.evaluation.dataset import Pair
from proviso.evaluation.faces import Job, Measured
from proviso.evaluation.statistics import freeze, mean_rate, supported

FMR_WANTED = (0.01, 0.001)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """Pairs in order: similarity (n,), NaN where it could not be computed; same (n,); fold (n,)."""

    similarity: Floats
    same: NDArray[np.bool_]
    fold: NDArray[np.str_]


def compare(pairs: Sequence[Pair], measured: Mapping[Job, Measured]) -> Compared:
    """The cosine of each pair."""

    def vector(number: int) -> Floats | None:
        packed = measured[number, AS_IS].vector
        return np.frombuffer(packed, "<f4").astype(np.float64) if packed else None

    similarity = np.full(len(pairs), np.nan)
    for place, pair in enumerate(pairs):
        one, two = vector(pair.one), vector(pair.two)
        if one is not None and two is not None:
            similarity[place] = one @ two
    same = np.array([pair.same for pair in pairs], bool)
    return Compared(similarity, same, np.array([pair.fold for pair in pairs]))


def best_threshold(similarities: Floats, same: NDArray[np.bool_]) -> float:
    """The similarity at or above which calling a pair mated is right most often; in the middle of its gap."""
    order = np.argsort(similarities, kind="stable")
    values, labels = similarities[order], same[order]
    # Right answers when the cut lies before position i: non-mated below it and mated from it on.
    right = np.concatenate(([0], np.cumsum(~labels))) + (labels.sum() - np.concatenate(([0], np.cumsum(labels))))
    # Between equal values there is no cut.
    real = np.concatenate(([True], values[1:] > values[:-1], [True]))
    cut = int(np.argmax(np.where(real, right, -1)))
    low = values[cut - 1] if cut > 0 else values[0]
    high = values[cut] if cut < len(values) else values[-1]
    if cut == len(values):
        return float(np.nextafter(values[-1], np.inf))
    return float((low + high) / 2) if cut > 0 else float(values[0])


def verify_folds(compared: Compared) -> list[tuple[int, int, float]]:
    """For each fold in order: pairs called right, of how many, and the threshold, chosen on the other folds."""
    there = ~np.isnan(compared.similarity)
    results = []
    for fold in _folds(compared):
        held = compared.fold == fold
        learned = there & ~held
        threshold = best_threshold(compared.similarity[learned], compared.same[learned])
        called = compared.similarity >= threshold
        results.append((int((there & (called == compared.same))[held].sum()), int(held.sum()), threshold))
    return results


def _folds(compared: Compared) -> list[str]:
    return sorted(set(compared.fold.tolist()), key=lambda fold: (len(fold), fold))


def verify(compared: Compared) -> dict[str, Any]:
    """Accuracy by fold, and TMR at each wanted FMR. Intervals are over pairs, which within a fold share people."""
    there = ~np.isnan(compared.similarity)
    folds = verify_folds(compared)
    pooled = rate(sum(right for right, _, _ in folds), sum(total for _, total, _ in folds))
    shares = [right / total for right, total, _ in folds]
    return {
        "accuracy": float(np.mean(shares)),
        "accuracy_low": pooled.low,
        "accuracy_high": pooled.high,
        "accuracy_sd_over_folds": float(np.std(shares, ddof=1)),
        "folds": shares,
        "thresholds": [threshold for _, _, threshold in folds],
        "pairs": len(compared.same),
        "pairs_not_compared": int((~there).sum()),
        "tmr_at_fmr": [_at(compared, there, _folds(compared), wanted) for wanted in FMR_WANTED],
        "remark": "intervals are over pairs; pairs of a fold share people",
    }


def _at(compared: Compared, there: NDArray[np.bool_], folds: Sequence[str], wanted: float) -> dict[str, Any]:
    """TMR with the threshold frozen on the non-mated pairs of the other folds. `threshold` is the middle one."""
    non_mated = int((~compared.same).sum())
    shown, mark = supported(wanted, non_mated, "non-mated pairs")
    figures = ("threshold", "fmr_achieved", "fmr_low", "fmr_high", "tmr", "tmr_low", "tmr_high")
    row: dict[str, Any] = {"fmr_wanted": wanted, "non_mated_pairs": non_mated, "mark": mark, "refused": not shown}
    if not shown:
        return row | dict.fromkeys(figures)
    thresholds, false, true = [], [0, 0], [0, 0]
    for fold in folds:
        held = compared.fold == fold
        threshold = freeze(compared.similarity[there & ~held & ~compared.same], wanted)
        reached = there & (compared.similarity >= threshold)
        thresholds.append(threshold)
        for counts, kind in ((false, ~compared.same), (true, compared.same)):
            counts[0] += int(reached[held & kind].sum())
            counts[1] += int((held & kind).sum())
    fmr, tmr = mean_rate([false[0]], [false[1]]), mean_rate([true[0]], [true[1]])
    if fmr is None or tmr is None:
        return row | dict.fromkeys(figures) | {"refused": True, "mark": "refused: pairs of one kind only"}
    values = (float(np.median(thresholds)), fmr.value, fmr.low, fmr.high, tmr.value, tmr.low, tmr.high)
    return row | dict(zip(figures, values, strict=True))
