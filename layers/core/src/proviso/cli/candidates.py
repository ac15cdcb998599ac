"""`proviso candidates`: a reviewer looks, and decides before being told how similar the machine found it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import Api, quoted
from proviso.cli.output import details, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="Candidates: list, show, confirm, reject, cannot-tell, withdraw.", no_args_is_help=True)
Reason = Annotated[str, typer.Option("--reason", help="What you saw, in a few words")]

ADDRESSES = ("evidence", "face", "references")  # where the pictures are, and faces in them: for programs


@group.command("list")
def listing(acting: As = "") -> None:
    """Candidates that wait for a decision."""
    with plain_faults():
        answer = session.api(acting, say).get("/candidates")
    rows = [
        (c["id"], c["reference"], c["place"], c["camera"], c["captured_at"], c["decide_by"], c["state"])
        for c in answer["candidates"]
    ]
    table("Candidates", ("id", "reference", "place", "camera", "captured", "decide by", "state"), rows)


@group.command("show")
def show(
    candidate: str,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the pictures; they are yours to delete")] = None,
    acting: As = "",
) -> None:
    """What a reviewer may see now; with --pictures also the pictures to look at. Every look is recorded."""
    with plain_faults():
        api = session.api(acting, say)
        one = api.get(f"/candidates/{quoted(candidate)}")
        if pictures is None:
            say(f"{1 + len(one['references'])} pictures to look at before you decide: --pictures FOLDER writes them")
        else:
            write_pictures(api, one, pictures)
            say("delete them as soon as you have decided: no retention rule reaches this folder")
    _details(one)


@group.command("confirm")
def confirm(candidate: str, reason: Reason, acting: As = "") -> None:
    """It is the same person as far as you can see: the recipients are told."""
    _decide(candidate, "confirm", reason, acting)


@group.command("reject")
def reject(candidate: str, reason: Reason, acting: As = "") -> None:
    """It is not: nobody is told."""
    _decide(candidate, "reject", reason, acting)


@group.command("cannot-tell")
def cannot_tell(candidate: str, reason: Reason, acting: As = "") -> None:
    """You cannot tell: recorded, and no confirmation."""
    _decide(candidate, "cannot_tell", reason, acting)


@group.command("withdraw")
def withdraw(candidate: str, reason: Reason, acting: As = "") -> None:
    """Take a confirmation back, at any time: the recipients are told not to act on it."""
    with plain_faults():
        path = f"/candidates/{quoted(candidate)}/withdrawal"
        done: dict[str, Any] = session.api(acting, say).post(path, {"reason": reason})
    details({name: value for name, value in done.items() if name not in ADDRESSES})


def write_pictures(api: Api, one: dict[str, Any], folder: Path) -> None:
    """The evidence and the references of a candidate or a notice, for this account's eyes alone."""
    places = [one["evidence"], *(reference["path"] for reference in one["references"])]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number, path in enumerate(places):
        target = folder / f"{one['reference']}-{f'reference-{number}' if number else 'evidence'}.jpg"
        picture = api.picture(path)
        target.touch(mode=0o600)
        target.write_bytes(picture)
        say(f"wrote {target}")


def _decide(candidate: str, decision: str, reason: str, acting: str) -> None:
    with plain_faults():
        body = {"decision": decision, "reason": reason}
        done: dict[str, Any] = session.api(acting, say).post(f"/candidates/{quoted(candidate)}/decision", body)
    _details(done)


def _details(one: dict[str, Any]) -> None:
    shown = {name: value for name, value in one.items() if name not in ADDRESSES}
    if isinstance(shown.get("stranger_once_in"), dict):
        shown["stranger_once_in"] = strangers(shown["stranger_once_in"])
    details(shown)


def strangers(found: dict[str, Any]) -> str:
    """How rare it is that a stranger reaches this similarity, as the page for reviewers says it."""
    low, high = found["low"], found.get("high")
    many = f"more than {low:,}" if high is None else f"about {low:,} to {high:,}"
    return f"{many} searches against a list like this"
