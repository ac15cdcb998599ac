"""What smaller faces and stronger compression cost: the same people, their pictures altered, one list.

References stay as they are. A size above a picture's own cannot be made, so its person is not in that row. Rows are
paired (the same people as they were and as they became), so the test is McNemar's, not Fisher's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proviso.domain.rates import rate
from proviso.evaluation.alteration import AS_IS, face_size, quality
from proviso.evaluation.faces import NOT_MADE, Job, Measured
from proviso.evaluation.people import Indexes, People, Vectors, fuse, starts_of
from proviso.evaluation.searches import MISSED, Rules, search_lists
from proviso.evaluation.statistics import paired

FACE_SIZES = (24, 32, 40, 56, 80, 112)
QUALITIES = (90, 70, 50, 30, 15)
MOST_PEOPLE = 200


@dataclass(frozen=True)
class Plan:
    """One list, and whose pictures are altered. references (e, d) are its entries' templates; rows: each probe's
    picture; own: the place of a mated probe's entry, -1 for a stranger."""

    references: Vectors
    rows: Indexes
    own: Indexes


def plan(people: People, size: int, *, seed: int, references: int = 1) -> Plan | None:
    """The first list of this size, at most 200 of its people and at most 200 strangers of the half that is tried."""
    found = search_lists(people, [size], lists=1, seed=seed, rules=Rules(references))
    if size not in found:
        return None
    one = found[size][0]
    priority = np.random.default_rng([seed, 4]).random(len(people.searchable))
    listed: list[Indexes] = []
    rows: list[int] = []
    own: list[int] = []
    for place, person in enumerate(one.entries):
        pictures = people.pictures[person][np.argsort(priority[people.pictures[person]])]
        many = references if len(pictures) > references else 1
        # As on any list: the picture to search with is set apart first.
        beside = pictures[1:][people.enrollable[pictures[1:]]]
        listed.append(beside[:many] if len(beside) else pictures[people.enrollable[pictures]][:1])
        if len(beside) and len(rows) < MOST_PEOPLE:
            rows.append(int(pictures[0]))
            own.append(place)
    strangers = one.strangers[~people.freezing[one.strangers]]
    for person in np.random.default_rng([seed, 5]).permutation(strangers)[:MOST_PEOPLE]:
        pictures = people.pictures[person]
        rows.append(pictures[people.searchable[pictures]][0])
        own.append(-1)
    templates = fuse(people.vectors[np.concatenate(listed)], starts_of(listed))
    return Plan(templates, np.array(rows, np.intp), np.array(own, np.intp))


def alterations() -> list[tuple[str, int, str]]:
    """What is measured: by what, the value, and the alteration's name."""
    return [("face_size", size, face_size(size)) for size in FACE_SIZES] + [
        ("jpeg_quality", value, quality(value)) for value in QUALITIES
    ]


def jobs(chosen: Plan) -> list[Job]:
    return [(int(row), name) for row in chosen.rows for _, _, name in alterations()]


def conditions(
    chosen: Plan, measured: Mapping[Job, Measured], threshold: float, list_size: int
) -> list[dict[str, Any]]:
    """A row for the pictures as they are and for each alteration, at the frozen threshold.

    `tpir_without_gate`: what the similarity alone would give if the gate let every found face through.
    """
    as_is = _outcomes(chosen, measured, AS_IS, threshold)
    rows = [_row("as_is", None, as_is, as_is, threshold, list_size)]
    for by, value, name in alterations():
        rows.append(_row(by, value, _outcomes(chosen, measured, name, threshold), as_is, threshold, list_size))
    return rows


@dataclass(frozen=True)
class _Outcomes:
    """For each probe: whether it could be made, why it was not searched (""), what was right with and without gate."""

    made: Sequence[bool]
    reasons: Sequence[str]
    hit: Sequence[bool]
    ungated: Sequence[bool]
    mated: Sequence[bool]


def _outcomes(chosen: Plan, measured: Mapping[Job, Measured], name: str, threshold: float) -> _Outcomes:
    made, reasons, hit, ungated = [], [], [], []
    for row, own in zip(chosen.rows, chosen.own, strict=True):
        result = measured[int(row), name]
        made.append(result.failure != NOT_MADE)
        reasons.append(result.search)
        reached = False
        if not result.failure:
            similar = (chosen.references @ np.frombuffer(result.vector, "<f4")).astype(np.float64)
            if own < 0:
                reached = bool(similar.max() >= threshold)
            else:
                others = similar.copy()
                others[own] = MISSED
                reached = bool(similar[own] >= threshold and similar[own] > others.max())
        ungated.append(reached)
        hit.append(reached and not result.search)
    return _Outcomes(made, reasons, hit, ungated, [own >= 0 for own in chosen.own])


def _row(
    by: str, value: int | None, now: _Outcomes, before: _Outcomes, threshold: float, list_size: int
) -> dict[str, Any]:
    places = range(len(now.made))
    mated = [p for p in places if now.mated[p] and now.made[p]]
    searched = [p for p in places if not now.mated[p] and now.made[p] and not now.reasons[p]]
    found = rate(sum(now.hit[p] for p in mated), len(mated))
    false = rate(sum(now.hit[p] for p in searched), len(searched))
    ungated = rate(sum(now.ungated[p] for p in mated), len(mated))
    reasons: dict[str, int] = {}
    for place in mated:
        if now.reasons[place]:
            reasons[now.reasons[place]] = reasons.get(now.reasons[place], 0) + 1
    lost = sum(before.hit[p] and not now.hit[p] for p in mated)
    won = sum(now.hit[p] and not before.hit[p] for p in mated)
    return {
        "by": by,
        "from": value,
        "to": value,
        "list_size": list_size,
        "threshold": threshold,
        "n": len(mated),
        "tpir": found.value,
        "tpir_low": found.low if mated else None,
        "tpir_high": found.high if mated else None,
        "tpir_without_gate": ungated.value,
        "failures_to_acquire": sum(reasons.values()),
        "reasons": reasons,
        "n_non_mated": len(searched),
        "fpir": false.value,
        "fpir_low": false.low if searched else None,
        "fpir_high": false.high if searched else None,
        "p_tpir": paired(lost, won) if value is not None and mated else None,
    }
