"""`proviso audit`: read what was done, export it, and verify it: offline, on an export or on the database.

The verification trusts nobody's word: every hash is computed again here, and heads that were anchored outside the
database show what the records alone cannot, a cut-off end and a chain that was written anew.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from proviso.cli import session
from proviso.cli.api import Api, ApiFault
from proviso.cli.output import errors, fail, interactive, moment, plain_faults, say, table
from proviso.cli.people import As
from proviso.domain.audit import AuditRecord, Head, Verdict, first_fault, verify
from proviso.domain.audit_export import ExportHeader, Unreadable, heads_of, lines, read, record_line, record_of

group = typer.Typer(help="The audit: show, export, verify.", no_args_is_help=True)
Purpose = Annotated[
    str, typer.Option(help="What the look is for, such as a case number; it is recorded. No names of listed people")
]
ROUTINE = "routine inspection"
_LONGEST_FILE = 16 * 1024 * 1024  # bytes of one file of heads


@group.command("show")
def show(
    deployment: Annotated[str, typer.Option(help="The deployment's id, or: system")],
    purpose: Purpose = ROUTINE,
    raw: Annotated[bool, typer.Option("--raw", "--json", help="The records as they are kept, one a line")] = False,
    acting: As = "",
) -> None:
    """All that was done in a deployment; its chain of hashes is computed again here. Exit code 1 if it is broken."""
    with plain_faults():
        records = list(_pages(session.api(acting, say), deployment, purpose))
    if raw:
        for record in records:
            print(record_line(record), end="")
    else:
        table("Audit", ("no", "at", "who", "what", "on", "purpose", "details"), [_row(record) for record in records])
    if fault := first_fault(records):
        fail(f"the chain is broken: {_printable(fault)}")
    if not raw:
        say(f"\nthe chain holds: {_records(len(records))}, each covering the one before; head {records[-1].hash.hex()}")
        say("whether its end was cut off is told by anchored heads alone: proviso audit verify --heads")


@group.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is there is not overwritten")],
    deployment: Annotated[str, typer.Option(help="Only this deployment's chain; all chains otherwise")] = "",
    purpose: Purpose = "export",
    acting: As = "",
) -> None:
    """Write the audit into a file that can be verified anywhere, without this installation."""
    with plain_faults():
        written = write_export(session.api(acting, say), file, purpose, deployment)
    say(f"{file}: {_records(sum(written.chains.values()))} of {_chains(len(written.chains))}")
    say(f"to verify it, anywhere: proviso audit verify {file} --heads FOLDER (the anchors bucket's heads, downloaded)")


@dataclass(frozen=True, slots=True)
class Written:
    """What an export holds: each chain's last record. `looks`: by how many records of its own the export lengthened the
    system chain after that."""

    chains: Mapping[str, int]
    looks: int


def write_export(api: Api, file: Path, purpose: str, deployment: str = "") -> Written:
    """Write all chains, or one, into a new file. ApiFault."""
    if file.exists():
        raise ApiFault(f"{file} is there already; an export is evidence, so choose another name")
    at, wanted = heads_now(api, purpose)
    if deployment:
        if deployment not in wanted:
            raise ApiFault(f"there is no chain of {deployment}")
        wanted = {deployment: wanted[deployment]}
    header = ExportHeader(at, (deployment,) if deployment else None)
    pages: list[str] = []
    with _progress("exporting", sum(wanted.values())) as advance:
        _write(file, lines(header, _counted(_all(api, wanted, purpose, pages), advance)))
    return Written(wanted, 1 + len(pages))


def heads_now(api: Api, purpose: str) -> tuple[datetime, dict[str, int]]:
    """When the chains were listed, and each one's last record by then. The look itself is recorded after that."""
    listed = api.get(f"/audit/chains?{urlencode({'purpose': purpose})}")
    return datetime.fromisoformat(listed["at"]), {one["chain"]: int(one["sequence"]) for one in listed["chains"]}


@group.command("verify")
def verify_audit(
    file: Annotated[Path | None, typer.Argument(help="An export; or give --database")] = None,
    database: Annotated[
        str, typer.Option(help="Address of the database: postgresql://...; it is only read. - takes DATABASE_URL")
    ] = "",
    heads: Annotated[
        Path | None, typer.Option(help="Anchored heads as downloaded from the anchors bucket: a file, or a folder")
    ] = None,
) -> None:
    """Compute every hash again and name each chain's first broken record. Exit code 1 if there is one."""
    with plain_faults():
        if (file is None) == (not database):
            raise ApiFault("say what to verify: an export's file, or --database URL")
        anchored = [] if heads is None else read_heads(heads)
        if file:
            verdicts, only, broken_off, _ = verified_file(file, anchored)
        else:
            verdicts, only, broken_off = _verified_database(database, anchored), None, None
    if not verdicts:
        fail(broken_off or "there is no record to verify")
    for verdict in verdicts:
        say(_printable(sentence(verdict)))
    _say_limits(verdicts, anchored, heads is not None, only, bool(database))
    broken = [verdict for verdict in verdicts if verdict.fault]
    if broken_off:
        fail(broken_off)
    if broken:
        fail(f"{len(broken)} of {_chains(len(verdicts))} do not hold" if len(broken) > 1 else _one_broken(verdicts))
    say(f"{_chains(len(verdicts))}: all hold")


def sentence(verdict: Verdict) -> str:
    """What a verification found of one chain, in a line."""
    if verdict.fault is not None:
        return f"{verdict.chain}: BROKEN ({verdict.fault.breach.value}): {verdict.fault.sentence}"
    kept = verdict.anchored
    upto = f", anchored up to #{kept.sequence} at {moment(kept.at.isoformat())}" if kept and kept.at else ""
    return f"{verdict.chain}: holds: {_records(verdict.records)}, head {verdict.head.hex()}{upto}"


def read_heads(place: Path) -> list[Head]:
    """The anchored heads in a file, or in all files of a folder. Unreadable names the file that is none."""
    if not place.exists():
        raise Unreadable(f"{place} is not there; download the anchors bucket's heads/ and name that folder")
    files = [place]
    if place.is_dir():
        files = sorted(one for one in place.rglob("*.json") if "erasures" not in one.relative_to(place).parts)
    found: list[Head] = []
    for one in files:
        try:
            if one.stat().st_size > _LONGEST_FILE:
                raise ValueError("it is too large to be a file of heads")
            found += heads_of(one.read_bytes())
        except OSError as error:
            raise Unreadable(f"{one} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise Unreadable(f"{one}: {error}") from None
    if not found:
        raise Unreadable(f"there is no anchored head in {place}; it holds the bucket's heads/<date>/*.json")
    return found


def verified_file(file: Path, heads: list[Head]) -> tuple[list[Verdict], tuple[str, ...] | None, str | None, datetime]:
    """The verdicts, the chains that the export is of (None: all), what is wrong with the file itself, and when it was
    made. The records up to a fault are verified all the same, because the first that is missing says more than a count
    that does not fit."""
    broken_off: list[str] = []

    def readable(records: Iterator[AuditRecord]) -> Iterator[AuditRecord]:
        try:
            yield from records
        except Unreadable as error:
            broken_off.append(f"{file}, {error}; what follows there was not read")

    try:
        with file.open(encoding="utf-8", newline="\n") as text, _progress("verifying", None) as advance:
            header, records = read(text)
            say(f"{file}: exported at {moment(header.exported_at.isoformat())}")
            counted = _counted(readable(records), advance)
            verdicts = verify(counted, heads, only=header.chains, as_of=header.exported_at)
            return verdicts, header.chains, next(iter(broken_off), None), header.exported_at
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{file} is not text in UTF-8, so it is no export") from error
    except Unreadable as error:
        raise Unreadable(f"{file}, {error}") from None


def _verified_database(url: str, heads: list[Head]) -> list[Verdict]:
    from proviso.wiring import schema

    address = os.environ.get("DATABASE_URL", "").strip() if url == "-" else url
    if not address.startswith(("postgresql://", "postgres://")):
        raise ApiFault("--database takes the address of a PostgreSQL database: postgresql://user@host/name")
    store = schema.audit_database(address)
    try:
        with store.work() as work, _progress("verifying", None) as advance:
            return verify(_counted(work.all_audit_records(), advance), [*heads, *work.heads()])
    finally:
        store.close()


def _say_limits(
    verdicts: list[Verdict], heads: list[Head], given: bool, only: tuple[str, ...] | None, database: bool
) -> None:
    """What this verification could not know."""
    if not given:
        say(
            "without --heads it cannot be known whether the end of a chain was cut off, a whole chain was written anew"
            f"{' by the owner of the database' if database else ''}, or a chain is left out"
        )
    if only is not None:
        others = len({head.chain for head in heads} - set(only))
        said = f"; not looked at: {_chains(others)} with anchored heads" if others else ""
        say(f"this export is of these chains only: {', '.join(only)}{said}")
    if later := sum(verdict.later for verdict in verdicts):
        say(f"anchored after the export, and beyond it: {later}; of the end of the export that says nothing")
    unanchored = [v for v in verdicts if given and v.fault is None and v.anchored is None]
    if unanchored:
        say(f"{_chains(len(unanchored))} without an anchored head: of their end nothing is known")
    behind = [v for v in verdicts if v.fault is None and v.anchored and v.anchored.sequence < v.records]
    if behind:
        say("what follows the last anchored record of a chain is covered by its hashes alone until the next anchor")


def _pages(
    api: Api, chain: str, purpose: str, upto: int | None = None, pages: list[str] | None = None
) -> Iterator[AuditRecord]:
    """The records of a chain, page by page; up to a number where the chain grows by being looked at. `pages` is told of
    each look."""
    after: int | None = 0
    while after is not None and (upto is None or after < upto):
        if pages is not None:
            pages.append(chain)
        asked = {"chain": chain, "purpose": purpose, "after": after}
        answer = api.get(f"/audit?{urlencode(asked)}")
        for values in answer["records"]:
            record = _record(values)
            if upto is None or record.sequence <= upto:
                yield record
        after = answer["next_after"]


def _record(values: dict[str, Any]) -> AuditRecord:
    try:
        return record_of(values)
    except ValueError as error:
        raise ApiFault(f"the API gave something that is no record of the audit: {error}") from None


def _all(api: Api, wanted: dict[str, int], purpose: str, pages: list[str]) -> Iterator[AuditRecord]:
    for chain in sorted(wanted):
        yield from _pages(api, chain, purpose, wanted[chain], pages)


def _write(file: Path, text: Iterable[str]) -> None:
    """Beside its place first, so that an export that broke off does not lie there as one."""
    part = file.with_name(file.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(text)
        part.rename(file)
    except OSError as error:
        raise ApiFault(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _row(record: AuditRecord) -> tuple[Any, ...]:
    try:
        said = json.loads(record.body)
        names = ("at", "actor", "action", "subject", "purpose")
        return (record.sequence, *(_printable(str(said[name])) for name in names), _printable(_brief(said["details"])))
    except (ValueError, KeyError, TypeError):
        return (record.sequence, "", "", "cannot be read", "", "", "")


def _printable(text: str) -> str:
    """What was written by whoever wrote it must not move the cursor of whoever reads it."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _brief(details: Any) -> str:
    if not isinstance(details, dict):
        return str(details)
    text = ", ".join(f"{name} {_value(value)}" for name, value in details.items())
    return text if len(text) <= 100 else text[:97] + "..."


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 24 else text[:12] + "..."


def _counted(records: Iterable[AuditRecord], advance: Any) -> Iterator[AuditRecord]:
    for record in records:
        yield record
        advance()


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Any]:
    """A bar on standard error while somebody watches; a count where the end is not known."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("records"))
    with Progress(*columns, console=errors, transient=True, disable=not interactive()) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _chains(count: int) -> str:
    return "1 chain" if count == 1 else f"{count} chains"


def _one_broken(verdicts: list[Verdict]) -> str:
    return "the chain does not hold" if len(verdicts) == 1 else f"1 of {len(verdicts)} chains does not hold"
