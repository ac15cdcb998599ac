"""`proviso login` and `proviso people`: who acts."""

from datetime import UTC, date, datetime, time
from typing import Annotated

import typer

from proviso.cli import session
from proviso.cli.api import ApiFault
from proviso.cli.output import plain_faults, say, table
from proviso.domain.people import Role

group = typer.Typer(help="Who may do what (an authoriser gives roles, never to themselves).", no_args_is_help=True)
As = Annotated[str, typer.Option("--as", help="Act as this signed-in person instead of the last one")]


def login(subject: Annotated[str, typer.Option("--as", help="Who to sign in as, at the local cloud")]) -> None:
    """Sign in at the local cloud; the token is kept where only you can read it."""
    with plain_faults():
        signed = session.sign_in(session.here(), subject)
    say(f"signed in as {signed.subject} at {signed.api_url}")


@group.command("register")
def register(
    subject: str,
    role: Annotated[list[Role], typer.Option("--role", help="Once for each role; they replace those from before")],
    trained_until: Annotated[str, typer.Option(help="Until when the training is valid, YYYY-MM-DD")] = "",
    rank: Annotated[str, typer.Option(help="Rank, where a policy asks an authoriser for one (superintendent)")] = "",
    acting: As = "",
) -> None:
    """Give somebody roles."""
    with plain_faults():
        until = _end_of(trained_until) if trained_until else None
        body = {"sub": subject, "roles": [str(one) for one in role], "trained_until": until, "rank": rank or None}
        session.api(acting, say).post("/people", body)
    say(f"{subject}: {', '.join(role)}")


def _end_of(day: str) -> str:
    """The end of that day, UTC."""
    try:
        return datetime.combine(date.fromisoformat(day), time.max, UTC).isoformat()
    except ValueError as error:
        raise ApiFault(f"{day!r} is not a date; write it as YYYY-MM-DD") from error


@group.command("list")
def listing(acting: As = "") -> None:
    """Everybody with a role."""
    with plain_faults():
        answer = session.api(acting, say).get("/people")
    everybody = answer.get("people", []) if isinstance(answer, dict) else answer
    rows = [(p["sub"], ", ".join(p["roles"]), p.get("trained_until"), p.get("rank")) for p in everybody]
    table("People", ("subject", "roles", "trained until", "rank"), rows)
