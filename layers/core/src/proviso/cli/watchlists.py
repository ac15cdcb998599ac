"""`proviso watchlist`: who may be looked for, and the build that a deployment is bound to."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from proviso.cli import session
from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.imports.command import import_pictures
from proviso.cli.output import details, plain_faults, say, table
from proviso.cli.people import As
from proviso.cli.pictures import as_jpeg

group = typer.Typer(help="Watchlists: create, add, import many, picture, build, remove, show.", no_args_is_help=True)
group.command("import")(import_pictures)


@group.command("create")
def create(
    name: str, policy: Annotated[str, typer.Option(help="volunteers, or demo in the local cloud")], acting: As = ""
) -> None:
    """An empty watchlist under a policy."""
    with plain_faults():
        made = session.api(acting, say).post("/watchlists", {"name": name, "policy": policy})
    say(f"watchlist {made['id']} under {made['policy']}")


@group.command("add")
def add(
    watchlist: str,
    pictures: Annotated[list[Path], typer.Argument(help="One or more pictures of this one person")],
    label: Annotated[str, typer.Option(help="Shown to the watchlist officer; deleted with the list")],
    category: Annotated[str, typer.Option(help="From the policy's closed list")],
    reason: Annotated[str, typer.Option(help="Why this person is on the list")],
    source: Annotated[str, typer.Option(help="Where the picture comes from")],
    lawful_holding: Annotated[str, typer.Option(help="Why the picture may be held")],
    image_date: Annotated[str, typer.Option(help="When the picture was taken, YYYY-MM-DD")],
    reference_no: Annotated[str, typer.Option(help="Your own reference number")] = "",
    consent: Annotated[str, typer.Option(help="Reference of the recorded consent")] = "",
    under_18: Annotated[bool, typer.Option("--under-18", help="A second person has to approve the entry")] = False,
    harm_reason: Annotated[str, typer.Option(help="With --under-18: which harm is to be averted")] = "",
    acting: As = "",
) -> None:
    """Add an entry and upload its pictures; each is accepted, or rejected with its reason."""
    with plain_faults():
        body = {
            "label": label,
            "category": category,
            "reason": reason,
            "source": source,
            "lawful_holding": lawful_holding,
            "image_date": _day(image_date),
            "reference_no": reference_no or None,
            "consent_reference": consent or None,
            "under_18": under_18,
            "harm_reason": harm_reason or None,
        }
        readable = _readable(pictures)  # before there is an entry
        api = session.api(acting, say)
        entry = api.post(f"/watchlists/{quoted(watchlist)}/entries", {k: v for k, v in body.items() if v is not None})
        say(f"entry {entry['id']}, reference number {entry['reference_no']}")
        for warning in entry.get("warnings", []):
            say(f"note: {warning}")
        _enrol_all(api, watchlist, entry["id"], readable, len(pictures))


@group.command("picture")
def picture(
    watchlist: str,
    entry: str,
    pictures: Annotated[list[Path], typer.Argument(help="More pictures of the same person")],
    acting: As = "",
) -> None:
    """Add pictures to an entry that is there already. Then build again: a build never changes."""
    with plain_faults():
        readable = _readable(pictures)
        _enrol_all(session.api(acting, say), watchlist, entry, readable, len(pictures))


def _readable(pictures: list[Path]) -> dict[Path, bytes]:
    """The pictures as JPEG; the others are named. ApiFault where none can be read."""
    found: dict[Path, bytes] = {}
    for path in pictures:
        try:
            found[path] = as_jpeg(path.read_bytes())
        except OSError as error:
            say(f"rejected  {path}: cannot be read: {error.strerror}")
        except ValueError as error:
            say(f"rejected  {path.name}: {error}")
    if not found:
        raise ApiFault("none of these is a picture; nothing was sent")
    return found


def _enrol_all(api: Api, watchlist: str, entry: str, pictures: dict[Path, bytes], given: int) -> None:
    accepted = sum(enrol(api, watchlist, entry, path.name, jpeg) for path, jpeg in pictures.items())
    say(f"{accepted} of {given} {'picture' if given == 1 else 'pictures'} accepted")
    if not accepted:
        raise ApiFault(
            f"without a picture the entry is never found. Add one: proviso watchlist picture {watchlist} {entry} FILE;"
            f" or remove it: proviso watchlist remove {watchlist} {entry}"
        )


def enrol(api: Api, watchlist: str, entry: str, name: str, jpeg: bytes) -> bool:
    """Upload one picture and say what became of it."""
    try:
        made = api.post_picture(f"/watchlists/{quoted(watchlist)}/entries/{quoted(entry)}/references", jpeg)
    except ApiFault as error:
        if error.status not in (400, 413, 422):
            raise
        say(f"rejected  {name}: {error}" + (f" [{error.reason}]" if error.reason else ""))
        return False
    say(f"accepted  {name}: reference {made['id']}")
    return True


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ApiFault(f"{text!r} is not a date; write it as YYYY-MM-DD") from error


@group.command("approve")
def approve(watchlist: str, entry: str, acting: As = "") -> None:
    """Approve an entry under 18, as a second person: before that it is in no build (S09)."""
    with plain_faults():
        done = session.api(acting, say).post(f"/watchlists/{quoted(watchlist)}/entries/{quoted(entry)}/approve")
    say(f"{done['id']} is approved by {done['approved_by']}; build again")


@group.command("delete")
def delete(watchlist: str, acting: As = "") -> None:
    """Delete a list that no deployment needs: its pictures, templates and names, within minutes."""
    with plain_faults():
        session.api(acting, say).delete(f"/watchlists/{quoted(watchlist)}")
    say(f"{watchlist} is being deleted; nothing can be added to it any more")


@group.command("build")
def build(watchlist: str, acting: As = "") -> None:
    """Take an immutable snapshot, which a deployment is then bound to."""
    with plain_faults():
        made = session.api(acting, say).post(f"/watchlists/{quoted(watchlist)}/builds")
    details(made)


@group.command("remove")
def remove(watchlist: str, entry: str, acting: As = "") -> None:
    """Remove an entry: always allowed, at once, also from running deployments."""
    with plain_faults():
        session.api(acting, say).delete(f"/watchlists/{quoted(watchlist)}/entries/{quoted(entry)}")
    say(f"removed {entry}")


@group.command("show")
def show(watchlist: Annotated[str, typer.Argument(help="Leave out for all watchlists")] = "", acting: As = "") -> None:
    """All watchlists, or one with its entries (looking at them is recorded)."""
    with plain_faults():
        api = session.api(acting, say)
        if not watchlist:
            answer = api.get("/watchlists")
            lists = answer.get("watchlists", []) if isinstance(answer, dict) else answer
            rows = [(w["id"], w["name"], w["policy"], w["entries"], w["references"]) for w in lists]
            table("Watchlists", ("id", "name", "policy", "entries", "references"), rows)
            return
        one = api.get(f"/watchlists/{quoted(watchlist)}")
    details({name: value for name, value in one.items() if name != "list"})
    entries = [
        (e["id"], e["reference_no"], e["label"], e["category"], e["references"], e.get("removed_at"))
        for e in one.get("list", [])
    ]
    table("Entries", ("id", "reference no", "label", "category", "references", "removed"), entries)
