"""Publishing (S32): the record of each deployment that is closed, the tables of groups, and the index of both.

The bytes are kept in the database with the audit record of their publication, in one transaction; then they are put.
Whatever dies between the two, the next run puts the same bytes. Publishing holds up nothing: it comes after the
closing.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from proviso.domain.audit import deployment_act, system_act
from proviso.domain.errors import Fault, StorageFault
from proviso.domain.record import Published, Why, make_record, moment, record_bytes, record_of
from proviso.domain.record_ports import Batch
from proviso.domain.record_schema import GROUPS_SCHEMA, INDEX_FORMAT, INDEX_SCHEMA, RECORD_SCHEMA, schema_fault
from proviso.domain.suppression import Headline, batch_values, next_batch
from proviso.stages.retain_room import ACTOR, Faults, RetainRoom

RECORDS_DUE = "records"
"""How a publication is named among what is due, until all of it lies in the bucket."""
_AGAIN = timedelta(minutes=1)


@dataclass(slots=True)
class Reported:
    """Revisions ("deployment/revision") and batches that were published now."""

    records: list[str] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)


def publish_due(room: RetainRoom, faults: Faults) -> Reported:
    """Publish what is due, and put what was published and does not lie in the bucket."""
    done = Reported()
    with room.store.work() as work:
        due = work.records_due()
        waiting = bool(work.records_waiting() or work.batches(waiting=True))
    if due or waiting:  # before anything is committed: should this run die, another comes soon
        room.due.put(RECORDS_DUE, room.clock() + _AGAIN)
    for deployment_id, why in due:
        with faults.kept():
            done.records += _publish(room, deployment_id, why)
    put = False
    with faults.kept():
        put = _put(room)
    with faults.kept():
        done.batches.extend(_publish_batches(room))
    if done.batches:
        with faults.kept():
            put = _put(room) or put
    if put or due or waiting:
        _put_index(room)
        with room.store.work() as work:
            left = work.records_due() or work.records_waiting() or work.batches(waiting=True)
        if not left:
            room.due.delete(RECORDS_DUE)
    return done


def _publish(room: RetainRoom, deployment_id: str, why: Why) -> list[str]:
    now = room.clock()
    with room.store.work() as work:
        deployment = work.deployment(deployment_id, lock=True)
        if deployment is None or (deployment_id, why) not in work.records_due():
            return []  # another run did it while this one waited
        last = work.last_record(deployment_id)
        record = make_record(
            deployment,
            work.record_counts(deployment_id),
            why=why,
            revision=last.revision + 1 if last else 1,
            before=record_of(last.body) if last else None,
            at=now,
            pack=room.pack if room.software_build == deployment.software_build else None,
        )
        if fault := schema_fault(record, RECORD_SCHEMA):
            raise Fault(f"the record of {deployment_id} is not published: {fault}")
        body = record_bytes(record)
        settled = record["figures"] == "final"
        work.add_record(Published(deployment_id, record["revision"], body, settled, "waiting"), why, now)
        details = {"revision": record["revision"], "why": why.value, "digest": hashlib.sha256(body).hexdigest()}
        work.audit(deployment_act(deployment_id, now, ACTOR, "record_published", details))
    return [f"{deployment_id}/{record['revision']}"]


def _put(room: RetainRoom) -> bool:
    """Put what waits. What the bucket holds otherwise was published before the database was restored: it stands."""
    with room.store.work() as work:
        records, batches = work.records_waiting(), work.batches(waiting=True)
    for one in records:
        lies = room.records.put_record(one.deployment_id, one.revision, one.body)
        with room.store.work() as work:
            work.mark_record(one.deployment_id, one.revision, "put" if lies else "taken")
    for batch in batches:
        lies = room.records.put_groups(batch.name, batch.body)
        with room.store.work() as work:
            work.mark_batch(batch, "put" if lies else "taken")
    return bool(records or batches)


def _publish_batches(room: RetainRoom) -> list[str]:
    """Close the batches that headline counts close (domain/suppression.py), each with its tables, once."""
    now = room.clock()
    with room.store.work() as work:
        waiting: dict[tuple[str, str, str | None], list[Headline]] = defaultdict(list)
        for body in work.unbatched():
            record = record_of(body)
            operator = record["operator"]
            waiting[operator["kind"], operator["name"], record["demonstration"]].append(_headline(record))
        made = []
        for key in sorted(waiting, key=lambda key: tuple(part or "" for part in key)):
            while (batch := next_batch(waiting[key], now)) is not None:
                kind, name, demonstration = key
                operator = hashlib.sha256("\x00".join((kind, name, demonstration or "")).encode()).hexdigest()[:16]
                number = work.next_batch_number(operator)
                title = f"{operator}-{number}"
                ids = [one.deployment_id for one in batch]
                values = batch_values(
                    name=title,
                    number=number,
                    operator={"kind": kind, "name": name},
                    demonstration=demonstration,
                    published_at=str(moment(now)),
                    batch=batch,
                    said=work.batch_margins(ids),
                )
                if fault := schema_fault(values, GROUPS_SCHEMA):
                    raise Fault(f"the groups of {title} are not published: {fault}")
                body = record_bytes(values)
                work.add_batch(Batch(operator, number, title, body), ids, now)
                details = {"deployments": len(ids), "digest": hashlib.sha256(body).hexdigest()}
                work.audit(system_act(now, ACTOR, "groups_published", title, details))
                made.append(title)
                waiting[key] = [one for one in waiting[key] if one.deployment_id not in ids]
        if made:
            room.due.put(RECORDS_DUE, now + _AGAIN)
    return made


def _headline(record: Mapping[str, Any]) -> Headline:
    truth = record["truth"]
    known = truth["true"] + truth["false"]
    return Headline(
        record["deployment"],
        datetime.fromisoformat(record["published_at"]),
        truth["true"],
        truth["false"],
        record["candidates"]["total"] - known,
    )


def _put_index(room: RetainRoom) -> None:
    """All that lies in the bucket, newest first; made anew each time, from the database."""
    with room.store.work() as work:
        records = [(record_of(one.body), one.body) for one in work.latest_records()]
        groups = [batch.name for batch in work.batches(waiting=False)]
    entries = sorted(
        (entry_of(record, body) for record, body in records),
        key=lambda one: (one["started_at"] or "", one["deployment"]),
        reverse=True,
    )
    index = {"format": INDEX_FORMAT, "records": entries, "groups": sorted(groups)}
    if fault := schema_fault(index, INDEX_SCHEMA):
        raise StorageFault(f"the index is not published: {fault}")
    room.records.put_index(record_bytes(index))


def entry_of(record: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """A record in short, as the index has it."""
    return {
        "deployment": record["deployment"],
        "revision": record["revision"],
        "digest": hashlib.sha256(body).hexdigest(),
        "published_at": record["published_at"],
        "figures": record["figures"],
        "demonstration": record["demonstration"],
        "operator": record["operator"]["name"],
        "place": record["place"],
        "use": record["use"],
        "started_at": record["times"]["started_at"],
        "faces_searched": record["faces"]["searched"],
        "candidates": record["candidates"]["total"],
        "false_candidates": record["truth"]["false"],
    }
