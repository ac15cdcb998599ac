"""Open-set identification (ISO/IEC 19795-1, and -10 for groups): who is found, and which strangers are taken for one.

A threshold is frozen on the strangers of one half of the people and tried on those of the other. Mated searches take no
part in freezing, so all of them are tried. TPIR(N, 1, T): the mated searches whose own entry comes first and reaches
T; FNIR is the rest, failures to acquire included. FPIR(N, T): the non-mated searches in which any entry reaches T;
a face that the gate refuses is not searched and is not counted in it, since counting it would flatter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proviso.evaluation.people import Mask, People
from proviso.evaluation.searches import OneList, Rules, search_lists
from proviso.evaluation.statistics import MeanRate, freeze, mean_rate, supported

MIXED = "mixed"
FEWEST_STRANGERS = 30
STRANGER_SIZES = (10, 25, 50, 100, 200, 500, 1000)
STRANGER_FRAMES = (1, 2, 5)
_FIGURES = (
    "fpir_achieved",
    "fpir_low",
    "fpir_high",
    "threshold",
    "tpir",
    "tpir_low",
    "tpir_high",
    "fnir",
    "rank_1",
    "rank_1_low",
    "rank_1_high",
    "tpir_sd_over_lists",
    "fpir_sd_over_lists",
)

Frozen = Mapping[tuple[int, float], float]
"""Thresholds by list size and wanted FPIR."""


@dataclass(frozen=True)
class Lists:
    """The searches of one composition by list size, and whose strangers count when a threshold is tried."""

    composition: str
    by_size: Mapping[int, Sequence[OneList]]
    tried: Mask


def freeze_all(lists: Lists, freezing: Mask, wanted: Sequence[float]) -> dict[tuple[int, float], float]:
    """The threshold for each size and rate: over all lists together, at most floor(rate * searches) of the freezing
    half's non-mated searches reach it. Only where that half has people enough to show the rate (rule of 3)."""
    frozen = {}
    for size, each in lists.by_size.items():
        best = [one.best[freezing[one.strangers]] for one in each]
        for rate in wanted:
            if supported(rate, min(map(len, best)))[0]:
                frozen[size, rate] = freeze(np.concatenate(best), rate)
    return frozen


def false_positives(each: Sequence[OneList], threshold: float, among: Mask) -> MeanRate | None:
    """FPIR over the non-mated people who are `among` (p,)."""
    chosen = [among[one.strangers] for one in each]
    counts = [int((one.best[mask] >= threshold).sum()) for one, mask in zip(each, chosen, strict=True)]
    return mean_rate(counts, [int(mask.sum()) for mask in chosen])


def true_positives(each: Sequence[OneList], threshold: float, among: Mask | None = None) -> MeanRate | None:
    """TPIR at rank 1 over the mated people who are `among`; a threshold of -2 or less gives rank 1 alone."""
    counts, totals = [], []
    for one in each:
        mask = np.ones(len(one.mated), bool) if among is None else among[one.mated]
        counts.append(int((one.first & (one.own >= threshold))[mask].sum()))
        totals.append(int(mask.sum()))
    return mean_rate(counts, totals)


def identify(
    lists: Lists, wanted: Sequence[float], frozen: Frozen, rules: Rules, why: str = ""
) -> list[dict[str, Any]]:
    """One row a list size and wanted FPIR. `why`: the mark of a row without a threshold, where the rule of 3 allows."""
    rows: list[dict[str, Any]] = []
    for size, each in sorted(lists.by_size.items()):
        for rate in wanted:
            people = min(int(lists.tried[one.strangers].sum()) for one in each)
            shown, mark = supported(rate, people)
            row: dict[str, Any] = {
                "list_size": size,
                "list": lists.composition,
                "fpir_wanted": rate,
                "references_per_entry": rules.references,
                "references_mean": float(np.mean([one.references / len(one.entries) for one in each])),
                "frames_per_probe": rules.frames,
                "fusion": rules.named_fusion,
                "non_mated_people": people,
                "mated_people": min(len(one.mated) for one in each),
                "refused": True,
                "mark": mark,
            } | dict.fromkeys(_FIGURES)
            rows.append(row)
            threshold = frozen.get((size, rate))
            if not shown:
                continue
            if threshold is None:
                row["mark"] = why or "refused: no threshold could be frozen"
                continue
            fpir = false_positives(each, threshold, lists.tried)
            tpir, rank_1 = true_positives(each, threshold), true_positives(each, -2.0)
            row["refused"] = False
            row["threshold"] = threshold
            if fpir:
                row |= {"fpir_achieved": fpir.value, "fpir_low": fpir.low, "fpir_high": fpir.high}
                row["fpir_sd_over_lists"] = fpir.sd
            if tpir:
                row |= {"tpir": tpir.value, "tpir_low": tpir.low, "tpir_high": tpir.high, "fnir": 1 - tpir.value}
                row["tpir_sd_over_lists"] = tpir.sd
            if rank_1:
                row |= {"rank_1": rank_1.value, "rank_1_low": rank_1.low, "rank_1_high": rank_1.high}
    return rows


def strangers(
    people: People,
    compositions: Mapping[str, Mask | None],
    *,
    lists: int,
    seed: int,
    rules: Rules,
    frames: Sequence[int] = STRANGER_FRAMES,
    sizes: Sequence[int] = STRANGER_SIZES,
) -> list[dict[str, Any]]:
    """How many strangers of one list reach a similarity, for each composition, number of frames and list size.

    `people` are those searched on one list: the same number on every list. Nobody is held back, because nothing is
    frozen here; who freezes on these curves has used all of these people.
    """
    rows = []
    for count in dict.fromkeys(frames):
        for name, members in compositions.items():
            each_rule = Rules(rules.references, count, rules.fusion, rules.burst_like)
            found = search_lists(people, sizes, lists=lists, seed=seed, rules=each_rule, members=members, mated=False)
            for size, each in found.items():
                fewest = min(len(one.strangers) for one in each)
                if fewest < FEWEST_STRANGERS:
                    continue
                rows.append(
                    {
                        "list": name,
                        "list_size": size,
                        "references_per_entry": rules.references,
                        "frames_per_probe": count,
                        "fusion": each_rule.named_fusion,
                        "people": fewest,
                        "searches": sum(len(one.strangers) for one in each),
                        "lists": lists,
                        "reached": curve([one.best for one in each]),
                        "remark": frames_remark(each_rule),
                    }
                )
    return rows


def frames_remark(rules: Rules) -> str:
    """What the frames of a probe were: it decides what a figure is worth for bursts of a camera."""
    if rules.frames == 1:
        return ""
    if rules.burst_like:
        return "frames imitated from one picture by small shifts, scalings and recompression: no real burst"
    return "frames are separate photographs, days apart: no burst of a camera"


def curve(best: Sequence[np.ndarray[Any, Any]]) -> list[list[float]]:
    """[similarity with three decimals, mean number of people on one list who reach it], rising, wherever it changes.

    The number at s counts best >= s exactly; from 0 upwards; the last point is the first at which nobody is left.
    """
    pooled = np.sort(np.concatenate(best))
    steps = np.arange(max(0, int(np.floor(pooled[0] * 1000))), int(np.floor(pooled[-1] * 1000)) + 2)
    reached = len(pooled) - np.searchsorted(pooled, (steps / 1000).astype(pooled.dtype), side="left")
    keep = np.concatenate(([True], np.diff(reached) != 0))
    return [
        [int(step) / 1000, float(count) / len(best)] for step, count in zip(steps[keep], reached[keep], strict=True)
    ]
