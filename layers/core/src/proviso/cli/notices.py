"""`proviso notices`: what a reviewer confirmed, for those who receive it; what came of it, and the person's slip."""

from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import quoted
from proviso.cli.candidates import ADDRESSES, write_pictures
from proviso.cli.output import details, moment, plain_faults, say, table
from proviso.cli.people import As
from proviso.domain.outcome import Action, Result

group = typer.Typer(help="Notices for recipients: list, show, outcome, hold, slip.", no_args_is_help=True)

_VERIFY = "Possible match, checked by a reviewer; not proof of identity: verify first."
_WITHDRAWN = "WITHDRAWN: do not act on it."
_WORDS = {"not_recorded": "nobody recorded it", "none": ""}


@group.command("list")
def listing(acting: As = "") -> None:
    """What you were told of in the last 24 hours."""
    with plain_faults():
        answer = session.api(acting, say).get("/notices")
    rows = [
        (n["id"], n["reference"], n["place"], n["confirmed_at"], n["useful_until"], n["state"], _outcome(n["outcome"]))
        for n in answer["notices"]
    ]
    table("Notices", ("id", "reference", "place", "confirmed", "of use until", "state", "outcome"), rows)


@group.command("show")
def show(
    notice: str,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the pictures; they are yours to delete")] = None,
    acting: As = "",
) -> None:
    """One notice; with --pictures also its pictures, while it is of use. Every look is recorded."""
    with plain_faults():
        api = session.api(acting, say)
        one = api.get(f"/notices/{quoted(notice)}")
        _say(one)  # first: where no picture is shown any more, that is not all there is to know
        if pictures is not None:
            write_pictures(api, one, pictures)
            say("delete them as soon as you have looked: no retention rule reaches this folder")


@group.command("outcome")
def outcome(
    notice: str,
    result: Annotated[Result, typer.Argument(help="not_engaged, engaged_right or engaged_wrong")],
    action: Annotated[Action, typer.Option(help="What was done then")] = Action.NONE,
    acting: As = "",
) -> None:
    """Say what came of it. It may be said again: the last one stands, all are kept."""
    with plain_faults():
        body = {"result": result.value, "action": action.value}
        done = session.api(acting, say).post(f"/notices/{quoted(notice)}/outcome", body)
    _say(done)


@group.command("hold")
def hold(
    notice: str,
    reason: Annotated[str, typer.Option("--reason", help="What the person asked for, in a few words")],
    acting: As = "",
) -> None:
    """The person asked that their picture be kept: it is, for 30 days."""
    with plain_faults():
        done = session.api(acting, say).post(f"/notices/{quoted(notice)}/hold", {"reason": reason})
    say(f"the picture is kept until {moment(done['held_until'])}")


@group.command("slip")
def slip(notice: str, acting: As = "") -> None:
    """What to give to the person: what it was, who answers for it, where to complain."""
    with plain_faults():
        found = session.api(acting, say).get(f"/notices/{quoted(notice)}/slip")
    details(found)
    if found["held_until"] is None and found["evidence_until"] is None:
        say("the picture is deleted")


def _say(one: dict[str, Any]) -> None:
    say(_WITHDRAWN if one["state"] == "withdrawn" else _VERIFY)
    shown = {name: value for name, value in one.items() if name not in ADDRESSES}
    details({**shown, "outcome": _outcome(one["outcome"])})


def _outcome(said: dict[str, Any] | None) -> str:
    """In words; empty until somebody said it."""
    if said is None:
        return ""
    words = [_WORDS.get(part, part.replace("_", " ")) for part in (said["result"], said["action"])]
    return ", ".join(word for word in words if word)
