"""From evaluations to a calibration: for each list size the lowest threshold at which false candidates stay as rare as
is wanted, on the list where they are most frequent, at the upper end of the interval (S12).

Why so: the rate on a mixed list hides that strangers resemble those of their own group. A list of one group, searched
for strangers of that group, is the worst that can be measured, and an operator's list may be one. And why the upper
end: what was counted is one draw of people, and a floor must hold for others.

What the data cannot bear is said. n people cannot show a rate below about 3.7/n (no false candidate among n leaves that
much open at 95 %). A group of too few people is not left out: nobody of it who was searched may reach the floor, and it
is marked as not measured. See docs/decisions/2026-11-27-small-groups.md.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from proviso.domain.calibration import LABORATORY, Calibration, CalibrationPoint, GroupRate, StrangerRate, once_in
from proviso.domain.calibration_json import to_json
from proviso.domain.errors import ConfigurationFault
from proviso.domain.rates import rate
from proviso.evaluation import EVALUATION

MIXED = "mixed"
REMARK = "laboratory: press photographs, not camera"
_STEP = 20
"""Thousandths between the similarities for which strangers' rates are written down."""
_LOWEST = 100
"""Thousandths from which on they are: below, nearly everybody reaches it."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How many of `people` strangers reach a similarity (thousandths) on one list, on average over lists: `reached`
    holds a step wherever that changes, rising in similarity, the last with nobody. `factor`: the list asked about is up
    to so many times as long as the one that was searched."""

    name: str
    list_size: int
    frames: int
    people: int
    reached: tuple[tuple[int, float], ...]
    factor: int = 1
    remark: str = ""

    def count(self, similarity: int) -> int:
        """People who reach it, a mean over lists rounded up."""
        found = float(self.people)
        for step, number in self.reached:
            if step > similarity:
                break
            found = number
        return min(self.people, math.ceil(found - 1e-9))

    def interval(self, similarity: int) -> tuple[float, float]:
        """FPIR at this threshold (Clopper and Pearson), for a list `factor` times as long: each part of it is a list as
        it was searched, so together they are reached at most so many times as often (the sum of probabilities), and at
        least as often as one of them."""
        found = rate(self.count(similarity), self.people)
        return found.low, min(1.0, found.high * self.factor)

    def lowest(self, wanted: float) -> int | None:
        """The lowest threshold at which the upper end of FPIR is at most `wanted`; None: too few people to say so."""
        may = _allowed(self.people, wanted / self.factor)
        return None if may is None else self._first(may)

    @property
    def nobody(self) -> int:
        """The lowest threshold that nobody who was searched reaches."""
        return self._first(0)

    def _first(self, may: int) -> int:
        for step, number in self.reached:
            if math.ceil(number - 1e-9) <= may:
                return step
        return 1000  # a curve that does not end with nobody says nothing below


@dataclass(frozen=True, slots=True)
class _Step:
    """One list size and number of frames: what was measured there. `measured_floor`: the floor if measured lists alone
    counted, thousandths."""

    point: CalibrationPoint
    measured_floor: int
    measured: tuple[Curve, ...]
    groups: tuple[GroupRate, ...]


@cache
def _allowed(people: int, wanted: float) -> int | None:
    """The most of `people` that may reach a threshold so that the upper end of the rate is at most `wanted`."""
    most = None
    for reached in range(people + 1):
        if rate(reached, people).high > wanted:
            break
        most = reached
    return most


def read_evaluation(path: Path) -> dict[str, Any]:
    """The figures of `proviso evaluate --json`. ConfigurationFault when it is none."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationFault(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict) or values.get("format") != EVALUATION:
        raise ConfigurationFault(f"{path} is no evaluation: its format is not {EVALUATION}; make one: proviso evaluate")
    return values


def calibrate(evaluations: Sequence[Mapping[str, Any]], wanted: float, remark: str = REMARK) -> Calibration:
    """The calibration that these evaluations of one pipeline support, for FPIR `wanted` of a searched face.

    ConfigurationFault when they are of several pipelines, or when no mixed list has people enough.
    """
    if not 0 < wanted < 1:
        raise ConfigurationFault("the wanted FPIR lies between 0 and 1, such as 0.01")
    if not evaluations:
        raise ConfigurationFault("no evaluation was given")
    pipelines = sorted({str(one["pipeline"]) for one in evaluations})
    if len(pipelines) > 1:
        raise ConfigurationFault(
            f"these evaluations are of {len(pipelines)} pipelines ({', '.join(each[:12] for each in pipelines)}):"
            " similarities of two pipelines cannot be compared; evaluate all with the same one"
        )
    try:
        curves, names = _curves(evaluations)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationFault("an evaluation's figures cannot be read; make it anew: proviso evaluate") from error
    steps: list[_Step] = []
    refused: dict[int, None] = {}
    for frames in sorted({curve.frames for curve in curves}):
        before: _Step | None = None
        for size in sorted({curve.list_size for curve in curves if curve.frames == frames}):
            step = _step(curves, names, size, frames, wanted, before)
            if step is None:
                refused[size] = None
            else:
                before = step
                steps.append(step)
    if not steps:
        people = max((curve.people for curve in curves if _is_mixed(curve)), default=0)
        if not people:
            raise ConfigurationFault(
                "nothing can be calibrated: no list could be drawn, so no stranger was searched; evaluate more people"
            )
        raise ConfigurationFault(
            f"no list can be calibrated for FPIR {wanted:g}: {people} strangers leave an upper end of"
            f" {rate(0, people).high:.2g} even without a false candidate; take more people or a higher --fpir"
        )
    steps.sort(key=lambda step: (step.point.list_size, step.point.frames_per_probe))
    found = Calibration(
        id="",
        pipeline=pipelines[0],
        kind=LABORATORY,
        site="",
        made_at=max(_moment(one["made_at"]) for one in evaluations),
        points=tuple(step.point for step in steps),
        pack=str(evaluations[0]["pack"]),
        data="; ".join(_described(one["data"]) for one in evaluations),
        remark=_remark(remark, curves, steps, refused),
        fpir_wanted=wanted,
        strangers=tuple(rate for step in steps for rate in _strangers(step)),
        groups=tuple(group for step in steps for group in step.groups),
    )
    content = json.dumps(to_json(found), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return replace(found, id=f"{found.pack}-{found.made_at:%Y-%m-%d}-{digest[:12]}")


def _curves(evaluations: Sequence[Mapping[str, Any]]) -> tuple[list[Curve], list[str]]:
    """All curves, and the groups by name: those with a curve, and those for which no list was long enough."""
    curves, names = [], dict[str, None]()
    several = len(evaluations) > 1
    for one in evaluations:
        said = f" ({one['data']['name']})" if several else ""
        for row in one["strangers"]:
            reached = tuple((round(step * 1000), float(number)) for step, number in row["reached"])
            name = f"{row['list']}{said}"
            curves.append(
                Curve(
                    name,
                    row["list_size"],
                    row["frames_per_probe"],
                    row["people"],
                    reached,
                    remark=row.get("remark", ""),
                )
            )
            names[name] = None
        names |= {f"{row['column']}={row['value']}{said}": None for row in one["groups"]}
    return curves, [name for name in names if not name.startswith(MIXED)]


def _is_mixed(curve: Curve) -> bool:
    return curve.name.startswith(MIXED)


def _step(
    curves: Sequence[Curve], names: Sequence[str], size: int, frames: int, wanted: float, before: _Step | None
) -> _Step | None:
    """None: no mixed list of this size has people enough."""
    here = [curve for curve in curves if (curve.list_size, curve.frames) == (size, frames)]
    mixed = [curve for curve in here if _is_mixed(curve)]
    if not any(curve.lowest(wanted) is not None for curve in mixed):
        return None
    asked = mixed + [curve for name in names for curve in _nearest(curves, name, size, frames)]
    limits = []  # thousandths, which list, and how many people where they were too few
    by_measured = []
    if before is not None:
        # A longer list never needs less: where fewer groups could be measured, the former floor holds.
        former = before.point
        limits.append((int(former.threshold_floor * 1000), former.worst_list, former.worst_people))
        by_measured.append(before.measured_floor)
    for curve in asked:
        lowest = curve.lowest(wanted)
        if lowest is None:
            limits.append((curve.nobody, curve.name, curve.people))
        else:
            limits.append((lowest, curve.name, None))
            by_measured.append(lowest)
    floor, worst, too_few = max(limits, key=lambda limit: limit[0])
    measured_floor = max(by_measured)
    measured = tuple(curve for curve in asked if curve.lowest(wanted) is not None)
    ends = [curve.interval(floor) for curve in measured]
    point = CalibrationPoint(
        list_size=size,
        threshold_floor=_decimal(floor),
        face_fpir_low=_rounded(min(low for low, _ in ends), down=True),
        face_fpir_high=_rounded(max(high for _, high in ends)),
        frames_per_probe=frames,
        worst_list=worst,
        worst_people=too_few,
        measured_floor=None if too_few is None else _decimal(measured_floor),
    )
    rows = [_group(curve, size, frames, floor, wanted) for curve in asked if not _alone_mixed(curve, mixed)]
    there = {curve.name for curve in asked}
    rows += [
        GroupRate(size, frames, name, 0, None, None, remark="no list of this group was long enough to be searched")
        for name in names
        if name not in there
    ]
    return _Step(point, measured_floor, measured, tuple(_worst_of_each(rows)))


def _alone_mixed(curve: Curve, mixed: Sequence[Curve]) -> bool:
    """The mixed list of the only evaluation is no group; of several, each is shown beside the others."""
    return _is_mixed(curve) and len({one.name for one in mixed}) == 1


def _nearest(curves: Sequence[Curve], name: str, size: int, frames: int) -> list[Curve]:
    """The curves of a group for lists of this size; where there is none so long, of the longest there is."""
    own = [curve for curve in curves if curve.name == name and curve.frames == frames and curve.list_size <= size]
    longest = max((curve.list_size for curve in own), default=0)
    return [replace(curve, factor=-(-size // longest)) for curve in own if curve.list_size == longest]


def _group(curve: Curve, size: int, frames: int, floor: int, wanted: float) -> GroupRate:
    low, high = curve.interval(floor)
    shorter = f"worked out from lists of {curve.list_size}" if curve.factor > 1 else ""
    if curve.lowest(wanted) is not None:
        return GroupRate(
            size, frames, curve.name, curve.people, _rounded(low, down=True), _rounded(high), None, shorter
        )
    words = [f"{curve.people} people are too few to show {wanted:.2g}", "nobody of them may reach the floor", shorter]
    remark = "; ".join(word for word in words if word)
    return GroupRate(size, frames, curve.name, curve.people, None, _rounded(high), _decimal(curve.nobody), remark)


def _worst_of_each(rows: Iterable[GroupRate]) -> list[GroupRate]:
    """One row a group: where it was searched in several ways, the one with the highest upper end."""
    found: dict[str, GroupRate] = {}
    for row in rows:
        known = found.get(row.group)
        if known is None or (row.fpir_high or 0) > (known.fpir_high or 0):
            found[row.group] = row
    return list(found.values())


def _strangers(step: _Step) -> list[StrangerRate]:
    """Rates of strangers from where they begin to be rare up to where nobody is left, the most and the least frequent
    of the lists that were measured."""
    mixed = next(curve for curve in step.measured if _is_mixed(curve))
    found = []
    for similarity in range(_LOWEST, 1000, _STEP):
        ends = [curve.interval(similarity) for curve in step.measured]
        low, high = once_in(min(low for low, _ in ends), max(high for _, high in ends))
        if low < 2:
            continue
        point = step.point
        found.append(
            StrangerRate(
                point.list_size,
                point.frames_per_probe,
                _decimal(similarity),
                mixed.people,
                mixed.count(similarity),
                low,
                high,
            )
        )
        if all(curve.count(similarity) == 0 for curve in step.measured):
            break
    return found


def _remark(remark: str, curves: Sequence[Curve], steps: Sequence[_Step], refused: Iterable[int]) -> str:
    """What has to be known beside the figures."""
    small = sorted({group.group for step in steps for group in step.groups if group.fpir_low is None})
    said = [remark, "floors and rates are of the same people; the upper end of the interval allows for it"]
    if small:
        said.append(f"not measured, too few people: {', '.join(small)} (their highest similarity is a further limit)")
    said += sorted({curve.remark for curve in curves if curve.remark})
    wholly = set(refused) - {step.point.list_size for step in steps}
    if wholly:
        said.append(f"not calibrated, too few people: lists of {', '.join(map(str, sorted(wholly)))}")
    said.append("groups that the data does not name were not measured")
    return "; ".join(said)


def _described(data: Mapping[str, Any]) -> str:
    return f"{data['name']}: {data['images']} pictures of {data['identities']} people"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _decimal(thousandths: int) -> Decimal:
    return Decimal(thousandths) / 1000


def _rounded(share: float, *, down: bool = False) -> float:
    """Six decimals, outwards."""
    return (math.floor if down else math.ceil)(share * 1e6) / 1e6
