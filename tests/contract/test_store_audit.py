"""Reading the audit by pages and whole, its heads, and the note of what was anchored (S29)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.audit import SYSTEM_CHAIN, Head, deployment_act, verify
from proviso.domain.errors import Fault
from proviso.store.audit import PostgresAuditStore
from proviso.store.connection import Connector
from tests.contract.store_samples import House, house, now
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


def write(rooms: House, chain: str, times: int) -> None:
    with rooms.govern().work() as work:
        for number in range(times):
            work.audit(deployment_act(chain, now(), "somebody", f"act {number}", {}))


def test_pages_follow_one_another(rooms: House) -> None:
    write(rooms, "d-1", 5)
    write(rooms, "d-2", 1)
    with rooms.govern().work() as work:
        assert [record.sequence for record in work.audit_page("d-1", 0, 2)] == [1, 2]
        assert [record.sequence for record in work.audit_page("d-1", 2, 9)] == [3, 4, 5]
        assert work.audit_page("d-1", 5, 9) == []
        assert work.audit_page("none", 0, 9) == []
        assert work.audit_page("d-1", 0, 9) == work.audit_records("d-1")


@pytest.mark.parametrize("role", ["govern", "retain"])
def test_heads_are_those_that_were_committed(rooms: House, role: str) -> None:
    write(rooms, "d-1", 2)
    write(rooms, SYSTEM_CHAIN, 1)
    store = rooms.govern() if role == "govern" else rooms.retain()
    with rooms.govern().work() as records:
        ends = {chain: records.audit_records(chain)[-1] for chain in ("d-1", SYSTEM_CHAIN)}
    with store.work() as work:
        found = work.heads()
        assert found == [Head(chain, ends[chain].sequence, ends[chain].hash) for chain in ("d-1", SYSTEM_CHAIN)]
        assert work.heads(["d-1", "none"]) == found[:1]
        assert work.heads([]) == []


def test_heads_do_not_wait_for_somebody_who_appends(rooms: House) -> None:
    write(rooms, "d-1", 2)
    with rooms.govern().work() as appending:
        appending.audit(deployment_act("d-1", now(), "somebody", "act", {}))
        with rooms.retain().work() as work:
            assert [head.sequence for head in work.heads(["d-1"])] == [2]


@pytest.mark.parametrize("role", ["govern", "retain"])
def test_what_was_anchored_is_remembered_and_never_goes_back(rooms: House, role: str) -> None:
    at, later = now(), now() + timedelta(minutes=1)
    store = rooms.govern() if role == "govern" else rooms.retain()
    first, second, other = Head("d-1", 3, b"\x01" * 32), Head("d-1", 5, b"\x02" * 32), Head("d-2", 1, b"\x03" * 32)
    with store.work() as work:
        assert work.anchored() == []
        work.mark_anchored([second, other], at)
    with store.work() as work:
        work.mark_anchored([first, other], later)
        work.mark_anchored([], later)
    with store.work() as work:
        assert work.anchored() == [replace(second, at=at), replace(other, at=later)]


def test_the_whole_audit_is_read_by_pages_of_any_size_as_it_was_at_one_moment(rooms: House) -> None:
    for chain in ("d-1", "d-10", "D-2", SYSTEM_CHAIN):
        write(rooms, chain, 3)
    store = PostgresAuditStore(Connector(lambda: rooms.database.url("govern")))
    for page in (1, 2, 5, 1000):
        with store.work() as work:
            stream = work.all_audit_records(page)
            first = next(stream)
            write(rooms, "d-1", 1)  # meanwhile
            records = [first, *stream]
            heads = work.heads()
        verdicts = verify(records, heads)
        assert [verdict.fault for verdict in verdicts] == [None] * 4
        assert sum(verdict.records for verdict in verdicts) == sum(head.sequence for head in heads)
    store.close()


def test_who_reads_the_audit_for_a_verification_writes_nothing(rooms: House) -> None:
    store = PostgresAuditStore(Connector(lambda: rooms.database.master_url))
    try:
        with pytest.raises(Fault), store.work() as work:
            work.audit(deployment_act("d-1", now(), "somebody", "act", {}))
    finally:
        store.close()
    with rooms.govern().work() as work:
        assert work.heads() == []
