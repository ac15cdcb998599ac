"""The plan of a site trial as a table that people fill in, and what was counted by it as a file."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from proviso.domain.calibration import Calibration
from proviso.domain.calibration_json import to_json
from proviso.domain.errors import ConfigurationFault
from proviso.domain.trial import FEWEST_MATED, FEWEST_NON_MATED, LONGEST_PASSAGE_S, Passage

COLUMNS = ("passage", "person_reference", "camera", "from", "to")
CLAIMED = ("mated_passages", "found_passages", "non_mated_passages", "false_passages", "faces_searched")

INSTRUCTIONS = f"""\
# A site trial: volunteers walk past the cameras while a deployment runs at the place under the policy `volunteers`.
# Everybody who can come before a camera has a recorded consent. One line below for each time that one person walks past
# one camera:
#   passage           a number of its own
#   person_reference  who walked: the reference number of their entry, when they are on the list. For somebody who is
#                     not on the list a code of your own, the same each time that they walk; leave it empty for
#                     somebody who walks only once
#   camera            as the deployment names it
#   from, to          from when to when they could be in the picture, with the zone, like 2026-11-27T10:00:05Z; at most
#                     {LONGEST_PASSAGE_S} s. The clock must be that of the cameras, to the second
# At least {FEWEST_MATED} passages of listed people and {FEWEST_NON_MATED} of others.
# As many different people as you can: ten passages of one person are not ten people, and the intervals say so. Let
# people walk as they would: hats, glasses, hurry and rain are part of the place. A candidate at a time for which no
# line is written counts as a false one.
# A line of somebody who is not listed counts where a face was searched that can be theirs, each face for one line; whom
# no camera saw counts for nothing. A listed person whom no camera saw was missed. Two people who walk together from and
# to the same second need a code each.
# Lines that begin with # are no passages.
"""


def empty_plan(cameras: Sequence[str] = ()) -> str:
    """What `proviso trial plan` writes."""
    named = f"# Cameras of this deployment: {', '.join(cameras)}\n" if cameras else ""
    return INSTRUCTIONS + named + ",".join(COLUMNS) + "\n"


def read_plan(text: str, where: str) -> list[Passage]:
    """The passages of a filled-in plan. ConfigurationFault naming the line and what is wrong with it."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    reader = csv.reader(io.StringIO("\n".join(line for _, line in lines)))
    rows = list(zip((number for number, _ in lines), reader, strict=False))
    if not rows or tuple(cell.strip() for cell in rows[0][1]) != COLUMNS:
        raise ConfigurationFault(
            f"{where} does not begin with the line {','.join(COLUMNS)}; make one: proviso trial plan"
        )
    if len(rows) == 1:
        raise ConfigurationFault(f"{where} holds no passage yet")
    return [_passage(f"{where}, line {number}", cells) for number, cells in rows[1:]]


def _passage(where: str, cells: Sequence[str]) -> Passage:
    if len(cells) != len(COLUMNS):
        raise ConfigurationFault(f"{where}: {len(cells)} cells and not {len(COLUMNS)}")
    number, person, camera, begins, ends = (cell.strip() for cell in cells)
    if not number or not camera:
        raise ConfigurationFault(f"{where}: passage and camera cannot be empty")
    return Passage(number, person, camera, _moment(begins, where), _moment(ends, where))


def _moment(text: str, where: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationFault(f"{where}: {text!r} is no time; write it like 2026-11-27T10:00:05Z") from error
    if found.tzinfo is None:
        raise ConfigurationFault(f"{where}: {text!r} lacks its zone; write it like 2026-11-27T10:00:05Z")
    return found.astimezone(UTC)


def handed_in(trial: Calibration, plan: Iterable[Passage]) -> dict[str, Any]:
    """What `proviso trial result` writes and `proviso trial record` sends: the calibration, and the plan it is from."""
    return {**to_json(trial), "plan": [_as_sent(one) for one in plan]}


def body(values: dict[str, Any]) -> dict[str, Any]:
    """The request that records it. ConfigurationFault when the file is no trial."""
    try:
        counts = values["trial"]
        return {
            "deployment_id": counts["deployment_id"],
            "plan": values["plan"],
            "claimed": {name: counts[name] for name in CLAIMED},
        }
    except (KeyError, TypeError) as error:
        raise ConfigurationFault(
            f"this is not what `proviso trial result` writes: a value is missing or of the wrong kind ({error})"
        ) from error


def _as_sent(one: Passage) -> dict[str, str]:
    return {
        "passage": one.number,
        "person_reference": one.person,
        "camera": one.camera,
        "begins_at": one.begins_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
    }
