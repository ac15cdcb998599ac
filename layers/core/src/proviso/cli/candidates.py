"""`proviso candidates`: a reviewer looks, and decides before being told how similar the machine found it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import quoted
from proviso.cli.output import details, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="Candidates: list, show, confirm, reject, cannot-tell.", no_args_is_help=True)
Reason = Annotated[str, typer.Option("--reason", help="What you saw, in a few words")]

_ADDRESSES = ("evidence", "face", "references")  # where the pictures are, and the faces in them: for programs


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
        references = enumerate(one["references"], 1)
        places = [(one["evidence"], "evidence"), *((r["path"], f"reference-{i}") for i, r in references)]
        if pictures is None:
            say(f"{len(places)} pictures to look at before you decide: --pictures FOLDER writes them")
        else:
            pictures.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path, name in places:
                target = pictures / f"{one['reference']}-{name}.jpg"
                target.touch(mode=0o600)
                target.write_bytes(api.picture(path))
                say(f"wrote {target}")
            say("delete them as soon as you have decided: no retention rule reaches this folder")
    details({name: value for name, value in one.items() if name not in _ADDRESSES})


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


def _decide(candidate: str, decision: str, reason: str, acting: str) -> None:
    with plain_faults():
        body = {"decision": decision, "reason": reason}
        done: dict[str, Any] = session.api(acting, say).post(f"/candidates/{quoted(candidate)}/decision", body)
    details({name: value for name, value in done.items() if name not in _ADDRESSES})
