"""What was published, for anybody (S32): found by its name, checked once more against its description, or not there.

Nothing is asked of whoever reads, and nothing but published files can be reached: a name leads to one object, and what
is in it and is not described is a fault and not shown.
"""

from dataclasses import dataclass
from typing import Any

from proviso.domain.errors import StorageFault
from proviso.domain.reasons import Reason, Refused
from proviso.domain.record import record_of
from proviso.domain.record_ports import RecordShelfReader
from proviso.domain.record_schema import (
    GROUPS_SCHEMA,
    INDEX_FORMAT,
    INDEX_SCHEMA,
    RECORD_SCHEMA,
    Schema,
    schema_fault,
)

LATEST = "latest"
MOST_LISTED = 100
FORMS = ("json", "html", "csv")


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A revision, and which others there are."""

    record: dict[str, Any]
    body: bytes
    revisions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the index, newest first. `next_after`: what to go on after; None at the end."""

    records: tuple[dict[str, Any], ...]
    total: int
    next_after: int | None


def listing(*, shelf: RecordShelfReader, after: int = 0, limit: int = MOST_LISTED) -> Listing:
    """Published records from a place in the index on."""
    records = index(shelf=shelf)["records"]
    found = tuple(records[after : after + limit])
    following = after + len(found)
    return Listing(found, len(records), following if following < len(records) else None)


def index(*, shelf: RecordShelfReader) -> dict[str, Any]:
    """The whole index; empty before the first publication."""
    body = shelf.index()
    return {"format": INDEX_FORMAT, "records": [], "groups": []} if body is None else _read(body, INDEX_SCHEMA, "index")


def show(*, shelf: RecordShelfReader, deployment_id: str, revision: str) -> ShownRecord | Refused:
    """One revision, by its number or as the latest."""
    revisions = shelf.revisions(deployment_id)
    wanted = revisions[-1] if revisions and revision == LATEST else _number(revision)
    body = shelf.record(deployment_id, wanted) if wanted in revisions else None
    if body is None:
        return Refused(Reason.NOT_FOUND, "record")
    record = _read(body, RECORD_SCHEMA, f"record {deployment_id}/{wanted}")
    if (record["deployment"], record["revision"]) != (deployment_id, wanted):
        raise StorageFault(f"record {deployment_id}/{wanted} names another")
    return ShownRecord(record, body, tuple(revisions))


def all_groups(*, shelf: RecordShelfReader, names: list[str]) -> list[dict[str, Any]]:
    """The tables of these batches."""
    found = ((name, shelf.groups(name)) for name in names)
    return [_read(body, GROUPS_SCHEMA, f"groups {name}") for name, body in found if body is not None]


def _number(text: str) -> int:
    """A revision's number; 0, which none has, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 and not text.startswith("0") else 0


def _read(body: bytes, schema: Schema, name: str) -> dict[str, Any]:
    try:
        found = record_of(body)
    except ValueError as error:
        raise StorageFault(f"{name} cannot be understood: {error}") from None
    if fault := schema_fault(found, schema):
        raise StorageFault(f"{name} is not shown: {fault}")
    return found
