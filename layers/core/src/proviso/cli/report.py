"""`proviso report`: the public record of a deployment, or a gallery of all; `proviso notice-sheet`: what stands before
it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.output import details, fail, plain_faults, say, table
from proviso.cli.people import As
from proviso.domain.record_schema import GROUPS_SCHEMA, INDEX_SCHEMA, PUBLISHED_SCHEMA, RECORD_SCHEMA, schema_fault
from proviso.publication.figures import WORDS, interval, said, value, when
from proviso.publication.gallery import gallery_page
from proviso.publication.record_page import record_page
from proviso.publication.tables import record_csv
from proviso.stages.report import entry_of

Revision = Annotated[str, typer.Option(help="Which revision; the latest, unless you name one")]
File = Annotated[Path | None, typer.Option(help="Write it to this file")]


def report(
    deployment: Annotated[str, typer.Argument(help="The deployment; left out with --site")] = "",
    revision: Revision = "latest",
    html: File = None,
    csv: File = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write it to this file")] = None,
    site: Annotated[Path | None, typer.Option(help="Write a gallery of all records into this folder")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="For --site: take records from a folder of JSON files, not the API")
    ] = None,
    url: Annotated[str, typer.Option(help="Another API than the one you are signed in at; nobody needs to be")] = "",
) -> None:
    """Show what was published of a deployment, or write all of it into a folder. Public: no sign-in."""
    with plain_faults():
        if site is not None:
            if deployment:
                fail("--site writes all records; leave the deployment out, or leave --site out")
            _site(site, source, url)
            return
        if not deployment:
            fail("name a deployment, or a folder to write into with --site")
        api = _open(url)
        address = f"/records/{quoted(deployment)}/{quoted(revision)}"
        try:
            body = api.page(f"{address}.json")
        except ApiFault as fault:
            if fault.status != 404:
                raise
            raise ApiFault(
                f"nothing is published of {deployment}, revision {revision}: a record appears when a deployment closes,"
                " and its last revision a day later"
            ) from fault
        wanted = {"json": json_file, "html": html, "csv": csv}
        for form, path in wanted.items():
            if path is not None:
                _write(path, body if form == "json" else api.page(f"{address}.{form}"))
                say(f"wrote {path}")
        if not any(wanted.values()):
            _show(json.loads(body))


def sheet(
    deployment: str,
    html: Annotated[Path | None, typer.Option(help="Write the notice sheet (A4) to this file")] = None,
    sign: Annotated[Path | None, typer.Option(help="Write the sign for the place to this file")] = None,
    size: Annotated[str, typer.Option(help="The sign's size: a3 or a4")] = "a3",
    acting: As = "",
) -> None:
    """Write what is published and put up before a deployment starts; print it from a browser."""
    if size.lower() not in ("a3", "a4"):
        fail("--size is a3 or a4")
    if html is None and sign is None:
        fail("name a file with --html for the notice sheet, or with --sign for the sign")
    with plain_faults():
        api = session.api(acting, say)
        for path, form in ((html, "sheet"), (sign, f"sign-{size.lower()}")):
            if path is not None:
                _write(path, api.page(f"/deployments/{quoted(deployment)}/notice?form={form}"))
                say(f"wrote {path}")
    if sign is not None:
        say("no Welsh speaker has read the Welsh on the sign yet: have it read before it is put up")


def _open(url: str) -> Api:
    address = url or session.running_api(session.here())
    if not address:
        raise ApiFault("no API is known: name one with --url, or set PROVISO_API")
    return Api(address, notify=say)


def _show(record: dict[str, Any]) -> None:
    if record["demonstration"]:
        say(record["demonstration"])
    times = record["times"]
    details(
        {
            "place": record["place"],
            "operator": record["operator"]["name"],
            "use": said(record["use"]),
            "policy": record["policy"]["title"],
            "ran": f"{when(times['started_at'])} to {when(times['finished_at'])}" if times["started_at"] else "never",
            "list": f"{record['list']['entries']} people",
            "threshold": record["search"]["threshold"],
            "faces searched": record["faces"]["searched"],
            "figures": record["figures"],
            "revision": record["revision"],
        }
    )
    table(
        "Candidates",
        ("what is known", "candidates"),
        ((WORDS[name], record["truth"][name]) for name in WORDS if name in record["truth"]),
    )
    rows = (
        (one["figure"], value(one), interval(one), f"{one['count']} of {one['of']} {one['unit']}")
        for one in record["rates"]
    )
    table("Rates", ("figure", "rate", "95 % interval", "counted"), rows)


# --- the gallery ------------------------------------------------------------------------------------------------------


def _site(folder: Path, source: Path | None, url: str) -> None:
    """All latest records, each as a page, JSON and CSV; the index, all figures, the groups and the schema."""
    bodies, groups = _from_folder(source) if source else _from_api(_open(url))
    records = [json.loads(body) for body in bodies]
    entries = [entry_of(record, body.encode()) for record, body in zip(records, bodies, strict=True)]
    order = sorted(range(len(entries)), key=lambda n: entries[n]["started_at"] or "", reverse=True)
    folder.mkdir(parents=True, exist_ok=True)
    for record, body in zip(records, bodies, strict=True):
        name = record["deployment"]
        files = [("all records", "index.html"), ("as JSON", f"{name}.json"), ("as CSV", f"{name}.csv")]
        _write(folder / f"{name}.html", record_page(record, files=files))
        _write(folder / f"{name}.json", body)
        _write(folder / f"{name}.csv", record_csv([record]))
    files = [("all figures as CSV", "all.csv"), ("groups as JSON", "groups.json"), ("the schema", "schema.json")]
    page = gallery_page(
        [entries[n] for n in order], groups, address=lambda one: f"{one['deployment']}.html", files=files
    )
    _write(folder / "index.html", page)
    _write(folder / "all.csv", record_csv(records[n] for n in order))
    _write(folder / "groups.json", json.dumps({"groups": groups}, indent=1) + "\n")
    _write(folder / "schema.json", json.dumps(PUBLISHED_SCHEMA, indent=1, sort_keys=True) + "\n")
    say(f"{len(records)} records in {folder / 'index.html'}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_bytes(text.encode())
    except OSError as error:
        raise ApiFault(f"{path} cannot be written: {error.strerror}") from error


def _from_api(api: Api) -> tuple[list[str], list[dict[str, Any]]]:
    bodies: list[str] = []
    after: int | None = 0
    while after is not None:
        listed = api.get(f"/records?after={after}")
        bodies += [
            _checked(api.page(f"/records/{quoted(one['deployment'])}/{one['revision']}.json"), one["deployment"])
            for one in listed["records"]
        ]
        after = listed["next_after"]
    groups = api.get("/records/groups")["groups"]
    for one in groups:
        if fault := schema_fault(one, GROUPS_SCHEMA):
            raise ApiFault(f"groups: {fault}")
    return bodies, groups


def _from_folder(folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Of each deployment its last revision; files of groups beside them. ApiFault names a file that is neither."""
    if not folder.is_dir():
        raise ApiFault(f"{folder} is no folder; --from names one that holds the JSON files of public records")
    latest: dict[str, tuple[int, str]] = {}
    groups = []
    for path in sorted(folder.rglob("*.json")):
        try:
            body = path.read_text("utf-8")
            found = json.loads(body)
        except (OSError, ValueError):
            raise ApiFault(f"{path} cannot be read as JSON") from None
        if schema_fault(found, INDEX_SCHEMA) is None:
            continue
        if schema_fault(found, GROUPS_SCHEMA) is None:
            groups.append(found)
            continue
        body = _checked(body, str(path))
        if found["revision"] > latest.get(found["deployment"], (0, ""))[0]:
            latest[found["deployment"]] = (found["revision"], body)
    return [body for _, body in latest.values()], groups


def _checked(body: str, name: str) -> str:
    try:
        fault = schema_fault(json.loads(body), RECORD_SCHEMA)
    except ValueError:
        fault = "it is not JSON"
    if fault:
        raise ApiFault(f"{name} is no public record: {fault}")
    return body
