"""`proviso trial`: a site trial from its plan to the record (S08, S13). `uk-police` and `eu` ask for one."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from proviso.cli import calibrate as calibrations
from proviso.cli import session
from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.output import details, plain_faults, say, table
from proviso.cli.people import As
from proviso.domain.calibration import Calibration, TrialCounts
from proviso.domain.trial import Ran, Readings, SearchedFrame, Sighting, calibration, count, plan_faults, too_small
from proviso.evaluation.trial import body, empty_plan, handed_in, read_plan

group = typer.Typer(help="Site trials: plan, result, record, list.", no_args_is_help=True)
PURPOSE = "counting a site trial"


@group.command("plan")
def plan(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is there is not overwritten")],
    deployment: Annotated[str, typer.Option(help="Names its cameras in the plan")] = "",
    acting: As = "",
) -> None:
    """Write an empty plan with instructions. It is filled in while people walk."""
    with plain_faults():
        cameras = session.api(acting, say).get(f"/deployments/{quoted(deployment)}")["cameras"] if deployment else []
        _write_new(file, empty_plan(cameras))
    say(f"written to {file}; when the deployment is over: proviso trial result DEPLOYMENT {file} --out trial.json")


@group.command("result")
def result(
    deployment: str,
    file: Annotated[Path, typer.Argument(help="The plan, filled in")],
    out: Annotated[Path, typer.Option(help="Where the result goes; a file that is there is not overwritten")],
    acting: As = "",
) -> None:
    """Count what became of each passage, from what the deployment recorded. Exit code 1 where it is too small."""
    with plain_faults():
        passages = read_plan(_text(file), str(file))
        api = session.api(acting, say)
        shown = api.get(f"/deployments/{quoted(deployment)}")
        ran = _as_it_ran(shown)
        if refused := plan_faults(passages, ran):
            raise ApiFault(refused.sentence)
        counts = count(passages, _readings(api, deployment, shown["cameras"]), shown["id"])
        made = calibration(counts, ran, identifier=f"trial-of-{shown['id']}", made_at=datetime.now(UTC))
        _write_new(out, json.dumps(handed_in(made, passages), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        show(counts, made)
        if refused := too_small(counts):
            raise ApiFault(refused.sentence)
    say(f"\nwritten to {out}; an authoriser who did not ask for the deployment records it: proviso trial record {out}")


@group.command("record")
def record(file: Annotated[Path, typer.Argument(help="What `trial result` wrote")], acting: As = "") -> None:
    """Record a site trial. Everything is counted again by the server; whoever asked for the deployment cannot do it."""
    with plain_faults():
        made = session.api(acting, say).post("/calibrations", body(_json(file)))
    say(f"recorded: {made['id']}, for {made['site']} and the pipeline {made['pipeline'][:12]}")


@group.command("list")
def listing(acting: As = "") -> None:
    """All calibrations: those that came with packs, and site trials."""
    with plain_faults():
        found = session.api(acting, say).get("/calibrations")["calibrations"]
    rows = [
        (c["id"], c["kind"].replace("_", " "), c["site"], c["pipeline"][:12], c["made_at"], c["data"]) for c in found
    ]
    table("Calibrations", ("id", "kind", "place", "pipeline", "made", "data"), rows)


def show(counts: TrialCounts, made: Calibration) -> None:
    """A trial as people read it: every rate with what it is of, and its interval."""
    point = made.points[0]
    details(
        {
            "found": f"{counts.found_passages} of {counts.mated_passages} passages of"
            f" {counts.mated_people} listed people"
            f" (TPIR a passage: {calibrations.interval(counts.tpir_low, counts.tpir_high)})",
            "raised wrongly": f"{counts.false_passages} of {counts.non_mated_passages} passages of"
            f" {counts.non_mated_people} others (FPIR a passage:"
            f" {calibrations.interval(point.passage_fpir_low, point.passage_fpir_high)})",
            "candidates outside the plan": counts.outside,
            "seen by no camera": f"{counts.unseen} passages of others, which count for nothing;"
            f" {counts.unseen_mated} of listed people, which count as missed",
            "passages that raised another listed person": counts.misnamed,
            "faces searched of others": f"{counts.faces_searched}, {counts.wrong_sightings} of them raised",
            "a passage of others on average": f"{counts.seconds_a_passage:.1f} s,"
            f" {counts.frames_a_passage:.1f} frames with a face,"
            f" {counts.faces_a_passage:.1f} faces searched",
            "holds for": f"lists of up to {point.list_size}, thresholds from {point.threshold_floor}",
        }
    )


def _readings(api: Api, deployment: str, cameras: list[str]) -> Readings:
    sightings: list[Sighting] = []
    frames: list[SearchedFrame] = []
    listed: set[str] = set()
    for camera in cameras:
        query = urlencode({"camera": camera, "purpose": PURPOSE})
        found = api.get(f"/deployments/{quoted(deployment)}/trial?{query}")
        listed.update(found["listed"])
        sightings += [Sighting(s["camera"], _moment(s["captured_at"]), s["reference_no"]) for s in found["sightings"]]
        frames += [SearchedFrame(f["camera"], _moment(f["captured_at"]), f["faces"]) for f in found["frames"]]
    return Readings(tuple(sightings), tuple(frames), frozenset(listed))


def _as_it_ran(shown: dict[str, Any]) -> Ran:
    return Ran(
        deployment_id=shown["id"],
        pipeline=shown["pipeline"],
        place=shown["place"],
        cameras=tuple(shown["cameras"]),
        threshold=Decimal(shown["threshold"]),
        burst_frames=shown["burst_frames"],
        entries=int(shown["entries"] or 1),
        began_at=_moment(shown["started_at"] or shown["starts_at"]),
        over_at=_moment(shown["finished_at"] or shown["ends_at"]),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ApiFault(f"{file} cannot be read: {error}") from error


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(_text(file))
    except ValueError as error:
        raise ApiFault(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise ApiFault(f"{file} is not what `proviso trial result` writes")
    return values


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise ApiFault(f"{file} cannot be written: {error.strerror}") from error
