"""`proviso retention`: what is held, why and until when; and what keeps evidence beyond its hours (S23, S24)."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from proviso.cli import session
from proviso.cli.api import quoted
from proviso.cli.output import fail, moment, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="What is held, why, and until when: check, hold, holds, release.", no_args_is_help=True)


@group.command("check")
def check(
    purpose: Annotated[str, typer.Option(help="What the look is for; it is recorded")] = "routine inspection",
    acting: As = "",
) -> None:
    """Everything held in every store. Exit code 1 if anything should be gone already."""
    with plain_faults():
        found = session.api(acting, say).get(f"/retention?{urlencode({'purpose': purpose})}")
    now = datetime.fromisoformat(found["at"])
    rows = [_row(one, now) for one in found["holdings"]]
    table("Held", ("store", "what", "count", "until", "rule", "late by"), rows)
    say("\nRules")
    for why in sorted({one["why"] for one in found["holdings"]}):
        say(f"  {why}")
    late = [one for one in found["holdings"] if one["overdue"]]
    say("")
    if late:
        for one in late:
            say(f"OVERDUE: {one['store']}: {one['what']}: {one['count']}, late by {_late(one, now)}")
        fail(f"{len(late)} of {len(rows)} lines are overdue")
    say(f"{len(rows)} lines, looked at {moment(found['at'])}: nothing is overdue")


def _row(one: dict[str, Any], now: datetime) -> tuple[Any, ...]:
    until = moment(one["until"]) if one["until"] else _endless(one)
    rule = one["why"].partition(":")[0]
    return one["store"], one["what"], one["count"], until, rule, _late(one, now) if one["overdue"] else ""


def _endless(one: dict[str, Any]) -> str:
    return "for good" if not one["why"].startswith("S23: belongs to nothing") else "the next run"


def _late(one: dict[str, Any], now: datetime) -> str:
    """By how much, as people say it."""
    late = now - datetime.fromisoformat(one["until"]) if one["until"] else timedelta(0)
    minutes = int(late.total_seconds() // 60)
    if minutes < 1:
        return "a moment"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


@group.command("hold")
def hold(
    candidate: str,
    reason: Annotated[str, typer.Option(help="Why its evidence must be kept; no names of listed people")],
    days: Annotated[int, typer.Option(help="For how many days from now, at most 30")],
    complaint: Annotated[bool, typer.Option("--complaint", help="Somebody complained")] = False,
    acting: As = "",
) -> None:
    """Keep a candidate's evidence picture beyond its hours."""
    body = {"kind": "complaint" if complaint else "reason", "reason": reason, "days": days}
    with plain_faults():
        made = session.api(acting, say).post(f"/candidates/{quoted(candidate)}/holds", body)
    say(f"hold {made['id']}: the evidence of {candidate} is kept until {moment(made['until'])}")
    say(f"to end it before: proviso retention release {candidate} {made['id']}")


@group.command("holds")
def holds(candidate: str, acting: As = "") -> None:
    """All holds there ever were on a candidate's evidence."""
    with plain_faults():
        found = session.api(acting, say).get(f"/candidates/{quoted(candidate)}/holds")["holds"]
    rows = [(h["id"], h["kind"], h["held_by"], h["until"], h["released_at"], h["reason"]) for h in found]
    table("Holds", ("id", "kind", "by", "until", "released", "reason"), rows)


@group.command("release")
def release(candidate: str, hold_id: Annotated[str, typer.Argument(metavar="HOLD")], acting: As = "") -> None:
    """End a hold; what is past its hours is deleted within a minute or two."""
    with plain_faults():
        session.api(acting, say).delete(f"/candidates/{quoted(candidate)}/holds/{quoted(hold_id)}")
    say(f"released {hold_id}")
