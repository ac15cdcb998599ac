"""A model card: what a pack is, what it was trained on, who may use it, where it fails and what nobody has measured.

Written from the manifest, the calibration and, where there is one, an evaluation, in words for those who have to answer
for its use. It says nothing that is in none of the three.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from proviso.domain.calibration import Calibration, CalibrationPoint, GroupRate
from proviso.vision.pack import Manifest, pipeline_digest

_CLEARED = {
    "yes": "**Cleared for operational use: yes**, as far as the licences and terms below are known.",
    "no": "**Cleared for operational use: no.** The terms below exclude it, or may. It is there for trials and tests.",
    "unknown": "**Cleared for operational use: unknown.** Nobody here has settled whether the terms"
    " below allow it. Whoever"
    " puts it into service has to settle that first, with a lawyer.",
}
_GATES = {
    "min_box_px": "smaller than {} pixels, the shorter side of the face's box",
    "min_inter_eye_px": "with eyes less than {} pixels apart",
    "min_sharpness": "blurred (sharpness below {})",
    "min_luminance": "too dark (mean brightness below {} of 255)",
    "max_luminance": "too bright (mean brightness above {} of 255)",
    "max_abs_yaw": "turned so far that the nose lies more than {} of the eyes' distance beside the middle",
    "max_abs_roll_deg": "tilted by more than {} degrees",
    "min_inside_share": "cut off by the picture's edge (less than {} of it inside)",
}


def card(
    manifest: Manifest,
    calibration: Calibration | None,
    evaluation: Mapping[str, Any] | None,
    at_floors: Mapping[str, Any] | None = None,
) -> str:
    """The card, in Markdown. ValueError when calibration or evaluation are of another pipeline than the pack's."""
    digest = pipeline_digest(manifest)
    if calibration is not None and calibration.pipeline != digest:
        raise ValueError(f"the calibration of {manifest.name} is of another pipeline; make it anew: make calibrations")
    if any(each is not None and each["pipeline"] != digest for each in (evaluation, at_floors)):
        raise ValueError(f"the evaluation of {manifest.name} is of another pipeline; make it anew: make calibrations")
    parts = [
        f"# Model card: {manifest.name}",
        f"*Written by `make cards` from the pack's manifest, its calibration and its evaluation. Do not edit.*\n\n"
        f"{manifest.title}. Pipeline `{digest[:12]}`.",
        _CLEARED[manifest.cleared_for_operational_use],
        _section(
            "What it was trained on",
            manifest.training_data,
            manifest.terms,
            "The people in these pictures were not asked for this use. Nothing that this project"
            " measures changes that.",
        ),
        _section("Licences", f"- Code: {manifest.code_licence}.\n- Weights: {manifest.weights_licence}."),
        _section("What it does, and what it does not", *_uses()),
        _section("Lowest thresholds", *_thresholds(calibration)),
        _section("Groups", *_groups(calibration)),
        _section("How well listed people are found", *_found(evaluation, at_floors)),
        _section("Where it fails", *_fails(manifest, evaluation)),
        _section("What was not measured", _list(_unmeasured(calibration, evaluation))),
        _section("Files", *_files(manifest)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, *paragraphs: str) -> str:
    return "\n\n".join((f"## {title}", *paragraphs))


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def _uses() -> tuple[str, ...]:
    return (
        "It finds faces in single frames and compares each with the pictures of a list. What it"
        " gives is a *similarity*, a"
        " number between -1 and 1. It is no probability, and it identifies nobody: at or above a"
        " threshold a person is shown"
        " both pictures and decides.",
        "It is not for deciding alone, not for estimating age, sex, origin or mood, and not for telling twins apart.",
    )


def _thresholds(calibration: Calibration | None) -> tuple[str, ...]:
    if calibration is None:
        return (
            "**Not measured.** This pack ships no calibration: its files could not be had where this"
            " was built, or nobody has"
            " measured it. Under every policy that asks for a calibration a deployment with it is refused. Only the"
            " demonstration runs, and each of its messages says that it is not calibrated.",
        )
    wanted = calibration.fpir_wanted or 0.0
    ones = [point for point in calibration.points if point.frames_per_probe == 1] or list(calibration.points)
    rows = [(f"up to {p.list_size}", f"{p.threshold_floor:.3f}", _interval(p), p.set_by) for p in ones]
    bursts = sorted({point.frames_per_probe for point in calibration.points} - {1})
    return (
        "A deployment with a lower threshold is refused. At these thresholds at most about"
        f" {_once(wanted)} searched faces of"
        " people who are *not* on the list raises somebody, on the worst list that had people enough to be measured,"
        " and at the upper end of its 95 % interval. Groups with fewer people may fare worse: see below. It is a floor"
        " and no target: a policy may suspend at a far smaller rate, and then a higher threshold is needed."
        f" Measured on: {calibration.data}.",
        _table(
            (
                "people on the list",
                "lowest threshold",
                "false candidates a searched face: lowest to highest end over the measured lists (95 %)",
                "set by",
            ),
            rows,
        ),
        "Where a longer list has a smaller rate, fewer groups had people enough to be measured on it; it does not err"
        " less.",
        *(
            [
                f"Uploads of several frames ({', '.join(map(str, bursts))} a face) have thresholds of"
                " their own, in the file."
            ]
            if bursts
            else []
        ),
        f"{_sentence(calibration.remark)}",
        "Photographs by the press are sharper and better lit than a camera over a door. At a place the true figures are"
        " others, and only a trial there shows them.",
    )


def _groups(calibration: Calibration | None) -> tuple[str, ...]:
    if calibration is None:
        return ("**Not measured.**",)
    points = [point for point in calibration.points if point.frames_per_probe == 1] or list(calibration.points)
    shown = [point for point in points if point.list_size in (50, 500)] or points[-1:]
    rows = [
        (f"{group.group}", f"up to {point.list_size}", group.people, _of_group(group), group.remark or "")
        for point in shown
        for group in calibration.groups_at(point)
    ]
    if not rows:
        return ("**Not measured**: the data names no groups.",)
    return (
        "Strangers of a group, searched against a list of that group alone, at the lowest threshold."
        " Strangers resemble those"
        " of their own group, so this is harder than a mixed list; people alike in several ways at once would be harder"
        " still. Rows called *mixed* are whole sets, for comparison.",
        _table(
            ("group", "people on the list", "people searched", "false candidates a searched face (95 %)", "remark"),
            rows,
        ),
        "Where it says *not measured*, too few people stand behind it: what is above the rate given can be ruled out,"
        " and no more is known.",
    )


def _found(evaluation: Mapping[str, Any] | None, at_floors: Mapping[str, Any] | None) -> tuple[str, ...]:
    rows, floors = _found_rows(evaluation), _found_rows(at_floors)
    if not rows:
        return ("**Not measured** for this pipeline.",)
    said = (
        "Of the listed people whose other picture was searched, how many came out first and reached the threshold."
        " Each has one reference. These thresholds are the evaluation's, for the false candidates wanted on its own"
        " mixed lists.",
        _table(_FOUND_HEADS, rows),
    )
    if not floors:
        return (*said, "At the lowest thresholds above fewer are found, and how many is not measured.")
    return (
        *said,
        "At the lowest thresholds, which is what a deployment has to begin with:",
        _table(_FOUND_HEADS, floors),
    )


_FOUND_HEADS = (
    "list",
    "made of",
    "false candidates wanted",
    "threshold",
    "listed people found (95 %)",
    "people",
    "remark",
)


def _found_rows(evaluation: Mapping[str, Any] | None) -> list[tuple[object, ...]]:
    return [
        (
            row["list_size"],
            row["list"],
            f"{row['fpir_wanted']:.3g}",
            f"{row['threshold']:.3f}",
            _share(row["tpir"], row["tpir_low"], row["tpir_high"]),
            row["mated_people"],
            row["mark"],
        )
        for row in (evaluation or {}).get("identification", ())
        if not row["refused"] and row["tpir"] is not None
    ]


def _fails(manifest: Manifest, evaluation: Mapping[str, Any] | None) -> tuple[str, ...]:
    gate = manifest.gates["search"]
    refused = _list([_GATES[name].format(value) for name, value in gate.items() if name in _GATES])
    said = ["A face is not searched at all, and counted as refused, where it is", refused]
    rows = [
        (
            row["by"].replace("_", " "),
            "-" if row["from"] is None else row["from"],
            "-" if row["to"] is None else row["to"],
            row["n"],
            _share(row.get("tpir"), row.get("tpir_low"), row.get("tpir_high")),
        )
        for row in (evaluation or {}).get("conditions", ())
    ]
    if rows:
        said += [
            "How many listed people are still found when pictures are made worse, at the evaluation's threshold for a"
            " list of that length:",
            _table(("what changes", "from", "to", "people", "found"), rows),
        ]
    else:
        said.append(
            "How fast it gets worse with small, turned, dark or compressed faces: **not measured** for this pipeline."
        )
    return tuple(said)


def _unmeasured(calibration: Calibration | None, evaluation: Mapping[str, Any] | None) -> list[str]:
    said = ["passages: how often one person's walk past a camera raises somebody wrongly; only a site trial shows that"]
    if calibration is None:
        said.append("every threshold, and every rate of false candidates")
    else:
        longest = max(point.list_size for point in calibration.points)
        said.append(f"lists of more than {longest} people")
        small = sorted({group.group for group in calibration.groups if group.fpir_low is None})
        if small:
            said.append(f"groups with too few people in the data: {', '.join(small)}")
    if evaluation is None:
        said.append("how well listed people are found")
    return [
        *said,
        "groups that the data does not name, among them disabled people, people with covered faces,"
        " and those of several"
        " groups at once",
        "children, and people whose picture is many years old",
        "real cameras: weather, glass, motion, light from behind",
        "attempts to deceive it with pictures or masks: nothing here detects them",
    ]


def _files(manifest: Manifest) -> tuple[str, ...]:
    rows = [(each.role, each.name, f"{each.size / 1e6:.1f} MB", f"`{each.sha256}`") for each in manifest.files]
    return (_table(("role", "file", "size", "SHA-256"), rows), "A file with another hash is refused.")


def _interval(point: CalibrationPoint) -> str:
    return f"{_percent(point.face_fpir_low)} to {_percent(point.face_fpir_high)}"


def _of_group(group: GroupRate) -> str:
    if group.fpir_high is None:
        return "not measured"
    if group.fpir_low is None:
        return f"not measured (at most {_percent(group.fpir_high)})"
    return f"{_percent(group.fpir_low)} to {_percent(group.fpir_high)}"


def _share(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "not measured"
    return _percent(value) + (f" ({_percent(low)} to {_percent(high)})" if low is not None and high is not None else "")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.1f} %"


def _once(share: float) -> str:
    return f"one in {1 / share:.0f}" if share else "none of the"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
