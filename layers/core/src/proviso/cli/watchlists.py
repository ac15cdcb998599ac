"""`proviso watchlist`: who may be looked for, and the build that a deployment is bound to."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from proviso.cli import session
from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.camera.sources import JPEG_START, decoded
from proviso.cli.output import details, fail, plain_faults, say, table
from proviso.cli.people import As

group = typer.Typer(help="Watchlists: create, add with pictures, build, remove, show.", no_args_is_help=True)


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
        }
        api = session.api(acting, say)
        entry = api.post(f"/watchlists/{quoted(watchlist)}/entries", {k: v for k, v in body.items() if v is not None})
        say(f"entry {entry['id']}, reference number {entry['reference_no']}")
        accepted = sum(enrol(api, watchlist, entry["id"], picture) for picture in pictures)
    say(f"{accepted} of {len(pictures)} pictures accepted")
    if not accepted:
        fail("the entry has no usable picture and will not be searched for; add another or remove it")


def enrol(api: Api, watchlist: str, entry: str, picture: Path) -> bool:
    """Upload one picture and say what became of it."""
    try:
        jpeg = _jpeg(picture)
        path = f"/watchlists/{quoted(watchlist)}/entries/{quoted(entry)}/references"
        made = api.post_picture(path, jpeg)
    except OSError as error:
        say(f"rejected  {picture}: cannot be read: {error.strerror}")
        return False
    except ApiFault as error:
        if error.status not in (400, 422):
            raise
        say(f"rejected  {picture.name}: {error}" + (f" [{error.reason}]" if error.reason else ""))
        return False
    say(f"accepted  {picture.name}: reference {made['id']}")
    return True


def _jpeg(picture: Path) -> bytes:
    data = picture.read_bytes()
    if data.startswith(JPEG_START):
        return data
    pixels = decoded(data)
    if pixels is None:
        raise ApiFault(f"{picture.name} is not a picture", status=422, reason="not_an_image")
    import cv2

    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return bytes(encoded.tobytes()) if done else data


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ApiFault(f"{text!r} is not a date; write it as YYYY-MM-DD") from error


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
