"""`proviso tests` and `proviso reviewers`: pictures of which the answer is known, and how reviewers answer (S19)."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import ApiFault, quoted
from proviso.cli.output import plain_faults, say, table
from proviso.cli.people import As
from proviso.cli.pictures import LARGEST_BYTES, as_jpeg

group = typer.Typer(
    help="Pairs of pictures for tests of reviewers, of consenting people: add, list, remove.", no_args_is_help=True
)
_LARGEST = LARGEST_BYTES // 2
"""Both pictures go in one request."""


@group.command("add")
def add(
    probe: Annotated[Path, typer.Argument(help="A picture as a camera of the deployment sees people")],
    reference: Annotated[Path, typer.Argument(help="A picture as people are enrolled with")],
    mated: Annotated[bool, typer.Option("--same/--different", help="Do both show one person?")],
    consent: Annotated[str, typer.Option(help="Where the consent of whoever is shown is recorded; no name")],
    acting: As = "",
) -> None:
    """Add a pair. Both pictures must show one face; never a listed person, never a passer-by."""
    with plain_faults():
        pictures = {name: _encoded(path) for name, path in (("probe", probe), ("reference", reference))}
        body = {"mated": mated, "consent": consent, **pictures}
        made = session.api(acting, say).post("/tests/pairs", body)
    say(f"pair {made['id']}: similarity {made['similarity']:.3f}, drawn until {made['expires_at'][:10]}")


def _encoded(path: Path) -> str:
    try:
        jpeg = as_jpeg(path.read_bytes(), _LARGEST)
    except OSError as error:
        raise ApiFault(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ApiFault(f"{path.name}: {error}") from error
    return base64.b64encode(jpeg).decode("ascii")


@group.command("list")
def listing(acting: As = "") -> None:
    """All pairs, and which of them tests are drawn from. The look is recorded."""
    with plain_faults():
        found = session.api(acting, say).get("/tests/pairs")["pairs"]
    rows = [
        (p["id"], "same" if p["mated"] else "different", f"{p['similarity']:.3f}", p["state"], p["expires_at"][:10],
         p["consent"])
        for p in found
    ]  # fmt: skip
    table("Pairs", ("id", "people", "similarity", "state", "drawn until", "consent"), rows)
    usable = [p for p in found if p["state"] == "usable"]
    different = sum(not p["mated"] for p in usable)
    say(f"{len(usable)} usable: {different} of different people, {len(usable) - different} of one person")
    if not different:
        say("a policy that asks for tests starts nothing without a pair of different people")


@group.command("remove")
def remove(pair: str, acting: As = "") -> None:
    """Remove a pair with its pictures: at once, as when a consent is withdrawn."""
    with plain_faults():
        session.api(acting, say).delete(f"/tests/pairs/{quoted(pair)}")
    say(f"removed {pair}; its pictures are deleted")


def reviewers(acting: As = "") -> None:
    """How each reviewer answered their tests since they were trained. The look is recorded."""
    with plain_faults():
        found = session.api(acting, say).get("/reviewers")["reviewers"]
    rows = [
        (
            one["sub"],
            one["trained_until"] or "never",
            _percent(one),
            f"{one['confirmed_non_mates']} of {one['non_mates']}",
            f"{one['rejected_mates']} of {one['mates']}",
            one["cannot_tell"],
            one["unanswered"],
            "DENIED" if one["denied"] else "",
        )
        for one in found
    ]
    columns = ("reviewer", "trained until", "wrong (95 % interval)", "strangers confirmed", "mates rejected",
               "cannot tell", "unanswered", "")  # fmt: skip
    table("Reviewers", columns, rows)
    if found:
        say(
            f"denied: the interval begins above {found[0]['limit']:.0%}, the strictest limit of the deployments that"
            " are not over; a new training begins the count anew"
        )


def _percent(one: dict[str, Any]) -> str:
    if one["error_rate"] is None:
        return "not measured"
    return f"{one['error_rate']:.1%} ({one['low']:.1%} to {one['high']:.1%})"
