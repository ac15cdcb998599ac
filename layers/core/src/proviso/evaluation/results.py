"""The whole evaluation, from folders to one JSON object (proviso-evaluation/1), which is what calibration reads."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from proviso.domain.calibration_json import FORMAT as CALIBRATION
from proviso.domain.calibration_json import from_json
from proviso.domain.errors import ConfigurationFault
from proviso.domain.rates import rate
from proviso.evaluation import EVALUATION
from proviso.evaluation import conditions as altered
from proviso.evaluation.alteration import AS_IS
from proviso.evaluation.cache import Cache
from proviso.evaluation.dataset import DataFault, Dataset, Group, read_dataset, read_groups, read_pairs
from proviso.evaluation.faces import UNREADABLE, Job, MakePipeline, Measured, measure
from proviso.evaluation.groups import Level, masks, on_mixed_lists, on_own_lists
from proviso.evaluation.identification import (
    FEWEST_STRANGERS,
    MIXED,
    STRANGER_FRAMES,
    Frozen,
    Lists,
    freeze_all,
    identify,
    strangers,
)
from proviso.evaluation.people import Mask, People, burst_jobs, burst_pictures, gather
from proviso.evaluation.searches import Rules, search_lists
from proviso.evaluation.statistics import holm
from proviso.evaluation.verification import Compared, compare, verify

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Options:
    """What is asked for. Paths as given; `thresholds` is the text of another evaluation's JSON."""

    folders: Sequence[Path]
    pack: str
    pairs: Path | None = None
    labels: Sequence[Path] = ()
    columns: Sequence[str] = ()
    aliases: Path | None = None
    rules: Rules = field(default_factory=Rules)
    fpir: Sequence[float] = (0.01, 0.003)
    list_sizes: Sequence[int] = (50, 100, 500)
    lists: int = 20
    seed: int = 0
    conditions: bool = True
    stranger_curves: bool = True
    thresholds: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Evaluation:
    """The figures, and the similarities that pictures are drawn from (they are in no file)."""

    figures: dict[str, Any]
    lists: Lists
    compared: Compared | None = field(repr=False)


@dataclass(frozen=True)
class Machine:
    """How it is run: workers, and the two ends of the cache that is filled."""

    make: MakePipeline
    workers: int
    cache: Cache | None
    progress: Progress
    digest: str
    dimension: int
    software: str
    clock: Callable[[], datetime]


def evaluate(options: Options, machine: Machine) -> Evaluation:
    """Run it. DataFault where data or CSV files cannot be used; failures of single pictures are counted."""
    data = read_dataset(options.folders, options.aliases)
    pairs = read_pairs(options.pairs, data) if options.pairs else []
    groups, remarks = read_groups(options.labels, data, options.columns) if options.labels else ([], [])
    numbers = range(len(data.pictures))

    def run(jobs: Sequence[Job], what: str) -> dict[Job, Measured]:
        return measure(
            data.pictures,
            jobs,
            make=machine.make,
            workers=machine.workers,
            cache=machine.cache,
            progress=lambda done, total: machine.progress(what, done, total),
        )

    measured = run([(number, AS_IS) for number in numbers], "templates")
    if all(measured[number, AS_IS].failure for number in numbers):
        raise DataFault(f"no face was found in any of the {len(numbers)} pictures of {data.name}")
    chosen = burst_pictures(data, options.seed) if options.rules.burst_like else None
    if chosen is not None:
        measured |= run(burst_jobs(chosen), "imitated bursts")
    people = gather(data, measured, machine.dimension, seed=options.seed, chosen=chosen)
    compared = compare(pairs, measured) if pairs else None
    figures = _heading(options, machine) | {"data": _data(data, measured, people, remarks)}
    figures["verification"] = verify(compared) if compared else None
    lists = _lists(options, people, None, MIXED)
    frozen, why = _frozen(options, machine, lists, people)
    figures["identification"] = identify(lists, options.fpir, frozen, options.rules, why)
    own = {group.column: _own_lists(options, people, group, machine.progress) for group in groups}
    for group in groups:
        for each in own[group.column].values():
            figures["identification"] += identify(each, options.fpir, frozen, options.rules, why)
    figures["groups"] = _groups(groups, lists, own, options, frozen)
    figures["conditions"] = _conditions(options, people, frozen, run, measured) if options.conditions else []
    _correct(figures)
    figures["strangers"] = _strangers(options, people, groups, machine.progress) if options.stranger_curves else []
    return Evaluation(figures, lists, compared)


def to_json(figures: Mapping[str, Any]) -> str:
    """The text of the JSON: sorted keys, UTF-8, no NaN (ValueError)."""
    return json.dumps(figures, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def read_thresholds(path: Path) -> dict[str, Any]:
    """Another evaluation's figures, or a calibration's. DataFault when the file is neither."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataFault(f"{path} is not the JSON of an evaluation or calibration: {error}") from error
    if not isinstance(found, dict) or found.get("format") not in (EVALUATION, CALIBRATION):
        raise DataFault(f"{path} is not the JSON of an evaluation or calibration: its format is none of theirs")
    return found


def _heading(options: Options, machine: Machine) -> dict[str, Any]:
    return {
        "format": EVALUATION,
        "made_at": machine.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": machine.software,
        "pack": options.pack,
        "pipeline": machine.digest,
        "seed": options.seed,
        "lists": options.lists,
        "burst_like": options.rules.burst_like,
        "thresholds_from": options.thresholds["made_at"] if options.thresholds else None,
    }


def _data(data: Dataset, measured: Mapping[Job, Measured], people: People, remarks: Sequence[str]) -> dict[str, Any]:
    rows = [measured[number, AS_IS] for number in range(len(data.pictures))]
    several = sum(row.faces > 1 for row in rows)
    notes = [*data.remarks, *remarks]
    if several:
        notes.append(
            f"{several} pictures show several faces; the one nearest to the middle is taken (enrol would refuse them)"
        )
    unreadable = sum(row.failure == UNREADABLE for row in rows)
    if unreadable:
        notes.append(f"{unreadable} files cannot be read at all")
    none = sum(not people.enrollable[rows_of].any() for rows_of in people.pictures)
    if none:
        notes.append(f"{none} people have no picture that can be enrolled and are on no list")
    return {
        "name": data.name,
        "images": len(rows),
        "identities": data.identities,
        "people": len(data.people),
        "people_with_two_pictures": sum(len(rows_of) > 1 for rows_of in people.pictures),
        "aliases_applied": data.aliases_applied,
        "failures_to_acquire": _failures(people, [row.search for row in rows]),
        "failures_to_enrol": _failures(people, [row.enrolment for row in rows]),
        "remarks": notes,
    }


def _failures(people: People, reasons: Sequence[str]) -> dict[str, Any]:
    """How many people would fail with one picture each, drawn at random: the sum over people of the share of their
    pictures that fail, rounded up. Reasons and `pictures` count pictures."""
    failed = np.array([bool(reason) for reason in reasons])
    shares = sum((Fraction(int(failed[rows].sum()), len(rows)) for rows in people.pictures), Fraction(0))
    low = rate(math.floor(shares), people.count).low
    high = rate(math.ceil(shares), people.count).high
    return {
        "count": math.ceil(shares),
        "total": people.count,
        "rate": float(shares / people.count),
        "low": low,
        "high": high,
        "reasons": dict(sorted(Counter(reason for reason in reasons if reason).items())),
        "pictures_failed": int(failed.sum()),
        "pictures": len(reasons),
    }


def _lists(options: Options, people: People, members: Mask | None, composition: str) -> Lists:
    found = search_lists(
        people, options.list_sizes, lists=options.lists, seed=options.seed, rules=options.rules, members=members
    )
    usable = {size: each for size, each in found.items() if all(len(one.strangers) for one in each)}
    tried = np.ones(people.count, bool) if options.thresholds else ~people.freezing
    return Lists(composition, usable, tried)


def _frozen(options: Options, machine: Machine, lists: Lists, people: People) -> tuple[Frozen, str]:
    """Thresholds by size and rate, and what a row without one says."""
    if options.thresholds is None:
        return freeze_all(lists, people.freezing, options.fpir), ""
    other = options.thresholds
    if other.get("pipeline") != machine.digest:
        raise DataFault(
            f"the thresholds were frozen for the pipeline {str(other.get('pipeline'))[:12]}, this one is "
            f"{machine.digest[:12]}: similarities of two pipelines cannot be compared; evaluate again with this one"
        )
    wanted = (options.rules.references, options.rules.frames, options.rules.named_fusion)
    try:
        if other["format"] == CALIBRATION:
            frozen = _floors(other, lists.by_size, options.rules.frames)
        else:
            frozen = {
                (int(row["list_size"]), float(row["fpir_wanted"])): float(row["threshold"])
                for row in other["identification"]
                if (row["references_per_entry"], row["frames_per_probe"], row["fusion"]) == wanted
                if row["list"] == MIXED and row["threshold"] is not None
            }
    except (KeyError, TypeError, ValueError, ConfigurationFault) as error:
        raise DataFault(f"the thresholds file is not as evaluate or calibrate writes it: {error}") from error
    if not any((size, wish) in frozen for size in lists.by_size for wish in options.fpir):
        raise DataFault(
            f"the thresholds file holds none for {_setting(*wanted)} and these list sizes and FPIR; it has "
            + (", ".join(f"{size} at {wish:g}" for size, wish in sorted(frozen)) or "none for that at all")
        )
    return frozen, "refused: the thresholds file has none for this row"


def _floors(values: Mapping[str, Any], sizes: Iterable[int], frames: int) -> dict[tuple[int, float], float]:
    """The lowest threshold that a deployment with a list of each size may have, by the calibration's own rule."""
    calibration = from_json(values, "the thresholds file")
    points = {size: calibration.point(size, frames) for size in sizes}
    wanted = float(calibration.fpir_wanted or 0)
    return {(size, wanted): float(point.threshold_floor) for size, point in points.items() if point}


def _setting(references: int, frames: int, fusion: str) -> str:
    return f"references {references}, frames {frames}, fusion {fusion}"


def _own_lists(options: Options, people: People, group: Group, progress: Progress) -> dict[str, Lists]:
    own = {}
    kinds = masks(group)
    for number, (value, members) in enumerate(kinds.items()):
        progress(f"lists by {group.column}", number, len(kinds))
        lists = _lists(options, people, members, f"{group.column}={value}")
        enough = {
            size: each
            for size, each in lists.by_size.items()
            if min(int(lists.tried[one.strangers].sum()) for one in each) >= FEWEST_STRANGERS
        }
        if enough:
            own[value] = Lists(lists.composition, enough, lists.tried)
    progress(f"lists by {group.column}", len(kinds), len(kinds))
    return own


def _groups(
    groups: Sequence[Group], lists: Lists, own: Mapping[str, Mapping[str, Lists]], options: Options, frozen: Frozen
) -> list[dict[str, Any]]:
    """Mixed lists: the largest size. Own lists: every size that some group of the column allows. At the first FPIR."""
    levels = [
        Level(size, options.fpir[0], frozen[size, options.fpir[0]])
        for size in sorted(lists.by_size)
        if (size, options.fpir[0]) in frozen
    ]
    rows = []
    if levels:
        rows += on_mixed_lists(groups, lists, levels[-1])
    for group in groups:
        for level in levels:
            rows += on_own_lists(group, own[group.column], level)
    return rows


def _conditions(
    options: Options,
    people: People,
    frozen: Frozen,
    run: Callable[[Sequence[Job], str], dict[Job, Measured]],
    measured: dict[Job, Measured],
) -> list[dict[str, Any]]:
    """Single frames against the mean of references only: that is what the thresholds used here were frozen for."""
    if options.rules.frames != 1 or options.rules.named_fusion == "max":
        return []
    sizes = [size for size, wish in frozen if wish == options.fpir[0] and size <= altered.MOST_PEOPLE]
    chosen = altered.plan(people, max(sizes), seed=options.seed, references=options.rules.references) if sizes else None
    if chosen is None:
        return []
    found = measured | run(altered.jobs(chosen), "altered pictures")
    return altered.conditions(chosen, found, frozen[max(sizes), options.fpir[0]], max(sizes))


def _correct(figures: dict[str, Any]) -> None:
    """Holm's correction over every test of the report."""
    places = [
        (row, name)
        for part in ("groups", "conditions")
        for row in figures[part]
        for name in ("p_fpir", "p_tpir")
        if name in row
    ]
    for (row, name), value in zip(places, holm([row[name] for row, name in places]), strict=True):
        row[name.replace("p_", "p_corrected_")] = value
    figures["tests"] = sum(row[name] is not None for row, name in places)


def _strangers(options: Options, people: People, groups: Sequence[Group], progress: Progress) -> list[dict[str, Any]]:
    compositions: dict[str, Mask | None] = {MIXED: None}
    for group in groups:
        compositions |= {f"{group.column}={value}": members for value, members in masks(group).items()}
    rows = []
    frames = list(dict.fromkeys((*STRANGER_FRAMES, options.rules.frames)))
    total = len(frames) * len(compositions)
    for number, (count, name) in enumerate((count, name) for count in frames for name in compositions):
        progress("stranger curves", number, total)
        rows += strangers(
            people,
            {name: compositions[name]},
            lists=options.lists,
            seed=options.seed,
            rules=options.rules,
            frames=(count,),
        )
    progress("stranger curves", total, total)
    return rows
