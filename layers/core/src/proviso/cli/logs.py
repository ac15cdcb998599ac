"""`proviso logs`: one frame's way through all functions, from the local cloud's log files, or as the query that finds
it in an account. Both ask the same: lines under the frame's correlation id, or its camera's, or that name its key.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import ApiFault
from proviso.cli.output import plain_faults, say, table
from proviso.domain.candidate import correlation_id
from proviso.domain.frame import FrameKey
from proviso.domain.reasons import Refused

_NAME = re.compile(r"[A-Za-z0-9._/:=+-]{1,300}")  # what can stand between a query's quotes
NO_CAMERA = "(no camera)"
SHOWN = (
    "@timestamp",
    "service",
    "message",
    "outcome",
    "reason",
    "candidate_id",
    "kind",
    "route",
    "status",
    "ms",
    "fault",
    "correlation_id",
    "request_id",
)
QUERY = f"""fields {", ".join(SHOWN)}
| filter correlation_id in ["{{{{frame}}}}", "{{{{camera}}}}"] or frame_key = "{{{{frame}}}}"
| sort @timestamp asc
| limit 1000
"""
"""As the template saves it (infra/observability.yaml; a test compares both). A correlation id that is a camera's is on
the requests for upload rights only."""


def logs(
    frame: Annotated[
        str, typer.Argument(help="A frame's key, a correlation id, or a candidate's id; without it, the last frames")
    ] = "",
    query: Annotated[
        bool, typer.Option("--query", help="Print the query for CloudWatch Logs Insights, filled in, and do nothing")
    ] = False,
) -> None:
    """One frame's way through all functions of the local cloud, or of the last demo, in the order of time."""
    with plain_faults():
        if frame and not _NAME.fullmatch(frame):
            raise ApiFault("that is no frame's key, correlation id or candidate's id: letters, digits and ._/:=+- only")
        correlation, camera = names(frame)
        if query:
            say(filled(correlation, camera) if frame else QUERY)
            return
        said = list(read(latest(session.here())))
        if not frame:
            table("The last frames", ("time", "key", "outcome"), last_frames(said))
            return
        correlation = frame_of(said, correlation)
        found = way(said, correlation, camera)
        if not found:
            raise ApiFault(f"no line is about {frame}; `proviso logs` lists the last frames")
    say(f"correlation id {correlation}")
    table("Its way", ("time", "function", "what", "outcome", "ms"), [shown(line) for line in found])


def names(given: str) -> tuple[str, str]:
    """The correlation id and the camera of a frame's key. Whatever else is given is taken for a correlation id."""
    key = FrameKey.parse(given)
    return (given, NO_CAMERA) if isinstance(key, Refused) else (correlation_id(given), key.camera)


def filled(frame: str, camera: str) -> str:
    """The query with its parameters put in."""
    return QUERY.replace("{{frame}}", frame).replace("{{camera}}", camera)


def latest(data: Path) -> Path:
    """The logs that were written last: of the local cloud or of the demo. ApiFault when there are none."""
    found = [folder for folder in (data / "logs", data / "demo/logs") if any(folder.rglob("*.log"))]
    if not found:
        raise ApiFault("there are no logs of a local cloud; start one with `proviso local`, or add --query")
    return max(found, key=lambda folder: max(path.stat().st_mtime for path in folder.rglob("*.log")))


def last_frames(lines: Iterable[dict[str, Any]], most: int = 20) -> list[tuple[str, str, str]]:
    """When each frame was last heard of, its key, and where it stood; the latest first."""
    frames = {line["frame_key"]: line for line in sorted(lines, key=_when) if "frame_key" in line}
    latest_first = sorted(frames.values(), key=_when, reverse=True)[:most]
    return [(_when(line)[11:19], str(line["frame_key"]), str(line.get("outcome", ""))) for line in latest_first]


def _when(line: dict[str, Any]) -> str:
    return str(line["timestamp"])


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """All lines of the functions; what the runtime writes and what is no JSON is left out, and metrics are."""
    for path in sorted(folder.rglob("*.log")):
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "message" in line and "timestamp" in line:
                yield line


def frame_of(lines: Iterable[dict[str, Any]], given: str) -> str:
    """The correlation id of the frame that raised a candidate, where a candidate was given; else what was given."""
    raised = (line for line in lines if line.get("candidate_id") == given and line["message"] == "raised")
    return next((str(line["correlation_id"]) for line in raised if line.get("correlation_id")), given)


def way(lines: Iterable[dict[str, Any]], frame: str, camera: str) -> list[dict[str, Any]]:
    """What the query's filter lets pass, in its order."""
    found = (line for line in lines if line.get("correlation_id") in (frame, camera) or line.get("frame_key") == frame)
    return sorted(found, key=_when)


def shown(line: dict[str, Any]) -> tuple[str, ...]:
    """A line as a row; of a frame's stages the three that took longest."""
    what = [line["message"], *(str(line[name]) for name in ("kind", "route", "fault") if name in line)]
    outcome = [str(line[name]) for name in ("outcome", "status", "reason") if line.get(name) is not None]
    longest = sorted(line.get("stages_ms", {}).items(), key=lambda stage: -stage[1])[:3]
    ms = f"{line['ms']:.0f}" if "ms" in line else ", ".join(f"{name} {value:.0f}" for name, value in longest)
    return _when(line)[11:23], str(line.get("service", "")), " ".join(what), " ".join(outcome), ms
