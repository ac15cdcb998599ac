"""`proviso contacts`: where reviewers and recipients are told, and whether SNS sends there."""

from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import quoted
from proviso.cli.output import plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(
    help="Where reviewers and recipients are told (a requester or an authoriser says so).", no_args_is_help=True
)
HOW_DELIVERY_IS_KNOWN = (
    "An e-mail: SNS says that it accepted it, and nothing more; whether it arrived or was read, nobody tells.",
    "An SMS: whether it was delivered stands in the account's own SNS delivery logs, once they are switched on;"
    " not here.",
)


@group.command("set")
def set_contact(
    subject: str,
    email: Annotated[str, typer.Option(help="E-mail address; the person must confirm it once")] = "",
    phone: Annotated[str, typer.Option(help="Telephone in international form, as +447700900001")] = "",
    language: Annotated[str, typer.Option(help="en or cy (Welsh)")] = "en",
    place: Annotated[list[str] | None, typer.Option("--place", help="Only of this place; once for each")] = None,
    category: Annotated[list[str] | None, typer.Option("--category", help="Only of this one; once for each")] = None,
    acting: As = "",
) -> None:
    """Say where somebody is told, in place of what was there. Without a place or category: of all of them."""
    with plain_faults():
        body = {
            "email": email or None,
            "phone": phone or None,
            "language": language,
            "places": place or [],
            "categories": category or [],
        }
        session.api(acting, say).put(f"/contacts/{quoted(subject)}", body)
    say(f"{subject}: recorded")
    say("A new address counts for a start once it is confirmed and SNS has had 15 minutes; see `proviso contacts list`")


@group.command("list")
def listing(
    purpose: Annotated[str, typer.Option(help="What the look is for; it is recorded")] = "to see who can be reached",
    acting: As = "",
) -> None:
    """Every contact, and how its subscriptions stood when they were last looked at."""
    with plain_faults():
        found = session.api(acting, say).get(f"/contacts?purpose={quoted(purpose)}")["contacts"]
    rows = [
        (
            one["sub"],
            _shown(one, "email"),
            _shown(one, "phone"),
            one["language"],
            ", ".join(one["places"]) or "all",
            ", ".join(one["categories"]) or "all",
            one["reach"]["checked_at"] if one["reach"] else "not yet",
        )
        for one in found
    ]
    table("Contacts", ("subject", "e-mail", "telephone", "language", "places", "categories", "looked at"), rows)
    for line in HOW_DELIVERY_IS_KNOWN:
        say(line)


@group.command("remove")
def remove(subject: str, acting: As = "") -> None:
    """Take somebody's addresses away: nothing is sent there any more."""
    with plain_faults():
        session.api(acting, say).delete(f"/contacts/{quoted(subject)}")
    say(f"{subject}: removed")


def _shown(one: dict[str, Any], channel: str) -> str:
    if one[channel] is None:
        return ""
    return f"{one[channel]} ({one['reach'][channel]['state'] if one['reach'] else 'not looked at'})"
