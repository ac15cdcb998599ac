"""Differences between groups (ISO/IEC 19795-10): FPIR and TPIR of each at the same threshold, with exact tests.

Two kinds of list. On the mixed list, each group against everybody else of known value. On a list made of one group
alone, searched by that group's strangers alone, which is harder: each group against the other groups on theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proviso.evaluation.dataset import Group
from proviso.evaluation.identification import Lists, false_positives, true_positives
from proviso.evaluation.people import Mask
from proviso.evaluation.searches import OneList
from proviso.evaluation.statistics import fisher, over_lists, supported

FEWEST_PEOPLE = 10
Counts = tuple[list[int], list[int]]
"""On each list: how many, of how many."""


@dataclass(frozen=True, slots=True)
class Level:
    """Where groups are compared: the list's size, the wanted FPIR and the threshold frozen on mixed lists for it."""

    list_size: int
    fpir_wanted: float
    threshold: float


def masks(group: Group) -> dict[str, Mask]:
    """Who is in each value's group (p,)."""
    values = np.array(group.values)
    return {kind: values == kind for kind in group.kinds}


def on_mixed_lists(groups: Sequence[Group], lists: Lists, level: Level) -> list[dict[str, Any]]:
    """Rows of every value of every column on the mixed list."""
    each = lists.by_size[level.list_size]
    rows = []
    for group in groups:
        inside = masks(group)
        small = [value for value, members in inside.items() if members.sum() < FEWEST_PEOPLE]
        rows += [_not_measured(group.column, value, int(inside.pop(value).sum()), level) for value in small]
        if not inside:
            continue
        known = np.logical_or.reduce(list(inside.values()))
        for value, members in inside.items():
            others = known & ~members
            row = _row(group.column, value, each, level, lists.tried, members, "mixed")
            row["p_fpir"] = _compared(
                _strangers(each, level.threshold, members & lists.tried),
                _strangers(each, level.threshold, others & lists.tried),
            )
            row["p_tpir"] = _compared(_mated(each, level.threshold, members), _mated(each, level.threshold, others))
            rows.append(row)
    return rows


def on_own_lists(group: Group, own: Mapping[str, Lists], level: Level) -> list[dict[str, Any]]:
    """Rows of the values whose own lists the data allow, at the threshold of the mixed list of the same size."""
    there = {value: lists for value, lists in own.items() if level.list_size in lists.by_size}
    inside = masks(group)
    rows = []
    for value, lists in there.items():
        each = lists.by_size[level.list_size]
        row = _row(group.column, value, each, level, lists.tried, inside[value], "same group")
        rest = [(other.by_size[level.list_size], other.tried) for name, other in there.items() if name != value]
        if rest:
            strangers = [_strangers(one, level.threshold, tried) for one, tried in rest]
            mated = [_mated(one, level.threshold, np.ones_like(lists.tried)) for one, _ in rest]
            row["p_fpir"] = _compared(_strangers(each, level.threshold, lists.tried), _together(strangers))
            row["p_tpir"] = _compared(_mated(each, level.threshold, inside[value]), _together(mated))
        rows.append(row)
    return rows


def _not_measured(column: str, value: str, people: int, level: Level) -> dict[str, Any]:
    """The row of a group that is too small to say anything about: shown, so that nobody takes it for looked at."""
    figures = ("fpir", "fpir_low", "fpir_high", "tpir", "tpir_low", "tpir_high", "p_fpir", "p_tpir")
    return {
        "column": column,
        "value": value,
        "list": "mixed",
        "list_size": level.list_size,
        "fpir_wanted": level.fpir_wanted,
        "threshold": level.threshold,
        "n_non_mated": 0,
        "n_mated": 0,
        "remark": f"not measured: {people} people in the set, fewer than {FEWEST_PEOPLE}",
    } | dict.fromkeys(figures)


def _row(
    column: str, value: str, each: Sequence[OneList], level: Level, tried: Mask, members: Mask, kind: str
) -> dict[str, Any]:
    fpir = false_positives(each, level.threshold, members & tried)
    tpir = true_positives(each, level.threshold, members)
    remarks = []
    if fpir is None or fpir.total < 1:
        remarks.append("no strangers: FPIR not measured")
    else:
        shown, mark = supported(level.fpir_wanted, fpir.total)
        remarks.append(mark if shown else f"{fpir.total} strangers: the upper bound is what counts")
    if tpir is None or tpir.total < 1:
        remarks.append("nobody mated: TPIR not measured")
    return {
        "column": column,
        "value": value,
        "list": kind,
        "list_size": level.list_size,
        "fpir_wanted": level.fpir_wanted,
        "threshold": level.threshold,
        "n_non_mated": fpir.total if fpir else 0,
        "n_mated": tpir.total if tpir else 0,
        "fpir": fpir.value if fpir else None,
        "fpir_low": fpir.low if fpir else None,
        "fpir_high": fpir.high if fpir else None,
        "tpir": tpir.value if tpir else None,
        "tpir_low": tpir.low if tpir else None,
        "tpir_high": tpir.high if tpir else None,
        "p_fpir": None,
        "p_tpir": None,
        "remark": "; ".join(filter(None, remarks)),
    }


def _strangers(each: Sequence[OneList], threshold: float, among: Mask) -> Counts:
    chosen = [among[one.strangers] for one in each]
    counts = [int((one.best[mask] >= threshold).sum()) for one, mask in zip(each, chosen, strict=True)]
    return counts, [int(mask.sum()) for mask in chosen]


def _mated(each: Sequence[OneList], threshold: float, among: Mask) -> Counts:
    chosen = [among[one.mated] for one in each]
    counts = [int((one.first & (one.own >= threshold))[mask].sum()) for one, mask in zip(each, chosen, strict=True)]
    return counts, [int(mask.sum()) for mask in chosen]


def _together(parts: Sequence[Counts]) -> Counts:
    """Counts of disjoint people, list by list."""
    return [sum(c) for c in zip(*(p[0] for p in parts), strict=True)], [
        sum(c) for c in zip(*(p[1] for p in parts), strict=True)
    ]


def _compared(one: Counts, other: Counts) -> float | None:
    """The p-value of a difference: Fisher's test on each list, where each person counts once, then one for all."""
    tables = [(c, n - c, d, m - d) for c, n, d, m in zip(one[0], one[1], other[0], other[1], strict=True) if n and m]
    return over_lists([fisher(*table) for table in tables]) if tables else None
