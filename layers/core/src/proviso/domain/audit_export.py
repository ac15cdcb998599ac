"""The audit as a file that can be verified anywhere: JSON lines, one record a line, read strictly (S29).

The first line says what it is, when the chains were listed and which were asked for; the last says how many records
there are, so that a download that broke off is not taken for a chain that was cut. A record's body is the exact text
that was hashed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proviso.domain.audit import AuditRecord, Head
from proviso.domain.errors import Fault

FORMAT = "proviso-audit"
VERSION = 1
MOST_LINE = 4 * 1024 * 1024
"""Characters. A record is far shorter; a line without an end must not fill the memory."""


class Unreadable(Fault):
    """A file is not what it should be. The message names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """When the chains were listed, and which chains were asked for (None: all)."""

    exported_at: datetime
    chains: tuple[str, ...] | None = None


def lines(header: ExportHeader, records: Iterable[AuditRecord]) -> Iterator[str]:
    """The lines of an export, each with its end of line."""
    chains = None if header.chains is None else list(header.chains)
    yield _line({"format": FORMAT, "version": VERSION, "at": header.exported_at.isoformat(), "chains": chains})
    count = 0
    for count, record in enumerate(records, start=1):  # noqa: B007 (used after the loop)
        yield record_line(record)
    yield _line({"end": True, "records": count})


def record_line(record: AuditRecord) -> str:
    """A record's line, with its end of line."""
    return _line(record_values(record))


def record_values(record: AuditRecord) -> dict[str, Any]:
    """A record as JSON knows it. Bytes that are no text keep their place, so that what is broken can be exported."""
    return {
        "chain": record.chain,
        "sequence": record.sequence,
        "body": record.body.decode("utf-8", "surrogateescape"),
        "previous": record.previous.hex(),
        "hash": record.hash.hex(),
    }


def record_of(values: Any) -> AuditRecord:
    """The record that was written so. ValueError says what is wrong."""
    if not isinstance(values, dict) or set(values) != {"chain", "sequence", "body", "previous", "hash"}:
        raise ValueError("a record has chain, sequence, body, previous and hash, and nothing else")
    chain, sequence, body = values["chain"], values["sequence"], values["body"]
    if not isinstance(chain, str) or not chain:
        raise ValueError("chain is not a name")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 1:
        raise ValueError("sequence is not a number from 1 on")
    if not isinstance(body, str):
        raise ValueError("body is not a text")
    return AuditRecord(
        chain, sequence, _bytes(body), _hash("previous", values["previous"]), _hash("hash", values["hash"])
    )


def read(text: Iterable[str]) -> tuple[ExportHeader, Iterator[AuditRecord]]:
    """The header, and the records one after the other. Unreadable names the first line that is wrong; a missing last
    line is found when the records were read."""
    numbered = enumerate(text, start=1)
    _, first = next(numbered, (1, ""))
    return _header(first), _records(numbered)


def _records(numbered: Iterator[tuple[int, str]]) -> Iterator[AuditRecord]:
    number = 1
    for number, line in numbered:
        try:
            values = _parsed(line)
            if isinstance(values, dict) and "end" in values:
                _end(values, number - 2)  # all lines but the first and this one
                break
            record = record_of(values)
        except ValueError as error:
            raise Unreadable(f"line {number}: {error}") from None
        yield record
    else:
        raise Unreadable(
            f"the file ends after line {number} without its last line: it is not complete; export it again"
        )
    if (further := next(numbered, None)) is not None:
        raise Unreadable(f"line {further[0]}: there is something after the last line")


def _header(line: str) -> ExportHeader:
    try:
        values = _parsed(line)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError("this is not an export of the audit")
        if values.get("version") != VERSION:
            raise ValueError(f"version {values.get('version')} is not known here; this reads version {VERSION}")
        chains = values.get("chains")
        named = isinstance(chains, list) and all(isinstance(name, str) and name for name in chains)
        if chains is not None and not named:
            raise ValueError("chains is neither null nor a list of names")
        return ExportHeader(_aware(values.get("at")), None if chains is None else tuple(chains))
    except ValueError as error:
        raise Unreadable(f"line 1: {error}") from None


def _end(values: dict[str, Any], count: int) -> None:
    if values != {"end": True, "records": values.get("records")}:
        raise ValueError("the last line is not as it should be")
    if values["records"] != count:
        raise ValueError(f"the last line says {values['records']} records, and there are {count}")


def heads_json(heads: Sequence[Head], at: datetime) -> str:
    """An anchor object: the heads that were anchored together."""
    listed = [{"chain": head.chain, "sequence": head.sequence, "hash": head.hash.hex()} for head in heads]
    return json.dumps({"version": 1, "at": at.isoformat(), "heads": listed}, separators=(",", ":"))


def heads_of(body: str | bytes) -> list[Head]:
    """The heads in an anchor object. ValueError says what is wrong."""
    values = _json(body)
    if not isinstance(values, dict) or values.get("version") != 1 or not isinstance(values.get("heads"), list):
        raise ValueError("this is not a file of anchored heads")
    at = _aware(values.get("at"))
    return [_head(one, at) for one in values["heads"]]


def _head(values: Any, at: datetime) -> Head:
    if not isinstance(values, dict):
        raise ValueError("a head is not an object")
    chain, sequence = values.get("chain"), values.get("sequence")
    if not isinstance(chain, str) or not chain or not isinstance(sequence, int) or isinstance(sequence, bool):
        raise ValueError("a head has no chain or no sequence")
    if sequence < 1:
        raise ValueError("a head's sequence is not a number from 1 on")
    return Head(chain, sequence, _hash("hash", values.get("hash")), at)


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"


def _parsed(line: str) -> Any:
    if not line.strip():
        raise ValueError("it is empty")
    if len(line) > MOST_LINE:
        raise ValueError("it is too long to be a record")
    return _json(line)


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from None
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("it says something twice")
    return values


def _bytes(body: str) -> bytes:
    try:
        return body.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("body holds characters that no text has") from None


def _hash(name: str, value: Any) -> bytes:
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError(f"{name} is not a SHA-256 in small hexadecimal digits")
    return bytes.fromhex(value)


def _aware(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError("at is not a time") from None
    if moment.tzinfo is None:
        raise ValueError("at is a time without a zone")
    return moment
