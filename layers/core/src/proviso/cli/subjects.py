"""`proviso subject-access` and `proviso subject audit`: what is kept of one person, for those who may know (S30, S31).

None of them takes a picture: "was I on it?" is asked by a reference number, or by place, time and slip.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import typer

from proviso.cli import session
from proviso.cli.api import ApiFault, quoted
from proviso.cli.output import details, fail, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="What the audit holds of one listed person: audit.", no_args_is_help=True)
NOTHING, WRONG_INPUT, NO_ANSWER = 1, 2, 3
Purpose = Annotated[str, typer.Option(help="What it is for; recorded in the clear. No names, no reference numbers")]
_USE = ("deployment", "operator", "use", "place", "from", "to", "began", "finished", "state")
_RAISED = ("slip", "place", "captured", "raised", "state", "decided", "evidence picture")


def access(
    reference: Annotated[str, typer.Option(help="The reference number under which somebody may have been listed")] = "",
    place: Annotated[str, typer.Option(help="Where it was, as the sign or the message named the place")] = "",
    time: Annotated[
        str, typer.Option(help="When, to within 12 hours: '2026-11-22 20:15 Europe/London', or 2026-11-22T20:15Z")
    ] = "",
    slip: Annotated[str, typer.Option(help="The six letters and digits of the slip")] = "",
    purpose: Purpose = "subject access request",
    acting: As = "",
) -> None:
    """Was somebody listed, or taken for somebody listed? For the data protection officer; that it is asked is recorded.

    Exit code 0: something is kept. 1: nothing is kept under this. 2: what was given cannot be asked for. 3: no answer.
    """
    by_slip = (place, time, slip)
    if bool(reference) == any(by_slip) or (any(by_slip) and not all(by_slip)):
        fail("give --reference NO alone; or --place, --time and --slip, all three", WRONG_INPUT)
    if reference:
        body: dict[str, Any] = {"reference_no": reference}
    else:
        body = {"place": place, "time": _moment(time).isoformat(), "slip": slip}
    with _faults():
        answer = session.api(acting, say).post("/subject-access", {**body, "purpose": purpose})
    if not answer["kept"]:
        say("nothing is kept under this")
        raise typer.Exit(NOTHING)
    for number, listing in enumerate(answer["listings"], 1):
        _show_listing(number, len(answer["listings"]), listing)
    for candidate in answer["candidates"]:
        _show_candidate(candidate)


@group.command("audit")
def audit(watchlist: str, entry: str, purpose: Purpose = "routine inspection", acting: As = "") -> None:
    """Every audit record about one listed person, its sealed details opened. Once their key is destroyed: none."""
    with plain_faults():
        path = f"/subjects/{quoted(watchlist)}/{quoted(entry)}/audit?{urlencode({'purpose': purpose})}"
        answer = session.api(acting, say).get(path)
    if not answer["linked"]:
        say("the key of this person's records is destroyed: no record can be linked to them any more, by anybody")
        return
    rows = [
        (r["sequence"], r["at"], r["actor"], r["action"], r["purpose"], _told(r["opened"])) for r in answer["records"]
    ]
    table("Records in the system chain", ("no", "at", "who", "what", "purpose", "sealed"), rows)


def _told(opened: dict[str, Any] | None) -> str:
    return "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in sorted((opened or {}).items()))


def _moment(text: str) -> datetime:
    """A time with its zone, written after it or as an offset."""
    written, _, zone = text.strip().rpartition(" ")
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            found = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone))
        except (ValueError, KeyError, OSError):
            fail(f"--time {text!r} is not a time; write '2026-11-22 20:15 Europe/London' or 2026-11-22T20:15Z", 2)
    if found.tzinfo is None:
        fail(f"--time {text!r} has no time zone; write '{text.strip()} Europe/London', or UTC", WRONG_INPUT)
    return found


@contextmanager
def _faults() -> Iterator[None]:
    """No fault may look like "nothing is kept"."""
    try:
        yield
    except ApiFault as error:
        fail(str(error), WRONG_INPUT if error.status == 400 else NO_ANSWER)


def _show_listing(number: int, of: int, listing: dict[str, Any]) -> None:
    say(f"\nList {number} of {of}" if of > 1 else "\nOn one list")
    operators = sorted({use["operator"] for use in listing["deployments"]})
    details(
        {
            "list": listing["watchlist_id"],
            "operator": operators or "none: it was never deployed",
            "category": listing["category"],
            "added": listing["added_at"],
            "removed": listing["removed_at"],
            "particulars erased": listing["erased_at"],
        }
    )
    table("Deployments of this list", _USE, [_use(use) for use in listing["deployments"]])
    table("Candidates raised for this number", _RAISED, [_raised(one) for one in listing["candidates"]])


def _show_candidate(candidate: dict[str, Any]) -> None:
    say("\nA candidate")
    details(dict(zip(_RAISED, _raised(candidate), strict=True)))
    use = candidate["deployment"]
    details({**dict(zip(_USE, _use(use), strict=True)), "list": use["watchlist_id"]})


def _use(use: dict[str, Any]) -> tuple[Any, ...]:
    names = ("deployment_id", "operator", "use", "place", "starts_at", "ends_at", "started_at", "finished_at", "state")
    return tuple(use[name] for name in names)


def _raised(one: dict[str, Any]) -> tuple[Any, ...]:
    names = ("slip", "place", "captured_at", "raised_at", "state", "decided_at", "evidence")
    return tuple(one[name] for name in names)
