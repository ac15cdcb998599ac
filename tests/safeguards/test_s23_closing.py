"""S23: within 24 hours of the end everything is gone from every store, queues included, and certified; also when nobody
came by for days, and when one store fails. The ways round are a queue that still holds something, a look into the
queues that is too old, a second certificate before its time, and a list that nobody ever used.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from proviso.domain.conditions import PriorAuthorisation
from proviso.domain.deployment import DeploymentState, RealTimeGrounds
from proviso.domain.errors import StorageFault
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import (
    BACKUPS_KEPT,
    CLOSE_WITHIN,
    LIST_DUE,
    LIST_UNUSED_AFTER,
    QUEUES,
    QUEUES_KEEP,
    QueuesSeen,
)
from proviso.stages import conditions, retain, watchlist
from tests.safeguards.house import House
from tests.samples import principal

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

TABLES = ("reference_template", "reference", "build_reference", "runner_up")


@pytest.fixture
def over(house: House) -> Iterator[House]:
    """A deployment with a candidate, a notice that went out, and a stop."""
    house.list_id, house.entries = house.listed(3, 4)
    house.active = house.running(house.list_id)
    house.see(3)
    house.alert_all()
    house.stop(house.active.id)
    house.due.put(house.active.id, house.now())
    return house


def state(house: House) -> DeploymentState:
    return house.deployment(house.active.id).state


def nothing_left(house: House) -> None:
    for table in TABLES:
        assert house.one(f"SELECT count(*) FROM {table}") == 0, table
    assert house.one("SELECT count(*) FROM entry WHERE erased_at IS NULL OR label <> ''") == 0
    assert house.one("SELECT count(*) FROM candidate WHERE evidence_key <> ''") == 0
    for port in (house.evidence, house.enrolment, house.outbox, house.permits):
        assert port.objects == {}, port
    assert house.notices.items == {}


def expire_backups(house: House) -> None:
    """As if a day had passed: the database's own clock cannot be set."""
    with house.meddling() as master:
        master.execute("UPDATE certificate SET backups_expire_at = backups_expire_at - interval '1 day'")


def test_every_store_is_emptied_and_stands_in_the_certificate_with_its_zero(over: House) -> None:
    assert over.notices.items, "nothing was sent, and this proves nothing about the notices' table"
    assert over.retain().closed == (over.active.id,)
    nothing_left(over)
    certificate = over.certificate(over.active.id)
    counts = {count.store: count.left for count in certificate.counts}
    assert set(counts.values()) == {0}
    assert counts.keys() >= {
        *("templates", "references", "references in builds", "entry particulars", "runners-up"),
        *("reasons of reviews", "reasons of withdrawals", "reasons of tests"),
        *("evidence pointers without a hold", "evidence", "enrolment pictures", "outbox", "notices", "permits"),
        *(f"queue {name}" for name in QUEUES),
    }
    assert certificate.verified_at - over.deployment(over.active.id).finished_at < CLOSE_WITHIN
    # S31: who asks later can still be answered, by the reference number.
    assert over.one("SELECT count(*) FROM entry WHERE reference_no <> ''") == 2


@pytest.mark.parametrize("queue", QUEUES)
def test_a_message_in_any_queue_keeps_the_certificate_back_and_nothing_else(over: House, queue: str) -> None:
    over.gauge.holds = {queue: 1}
    done = over.retain()
    assert done.waiting == (f"{over.active.id}: queue {queue} holds 1",)
    assert state(over) is DeploymentState.STOPPED
    nothing_left(over)  # what can be deleted is deleted at once
    over.gauge.holds = {}
    over.due.put(over.active.id, over.now())
    assert over.retain().closed == (over.active.id,)


def test_a_look_from_before_the_end_counts_for_nothing(over: House) -> None:
    before = over.deployment(over.active.id).finished_at - timedelta(seconds=1)
    over.look.seen = QueuesSeen(before, tuple((name, 0) for name in QUEUES))
    done = retain.retain(room=over.retain_room())
    assert (done.closed, len(done.waiting)) == ((), 1)


def test_queues_that_are_never_empty_hold_up_no_certificate_for_longer_than_they_keep_a_message(over: House) -> None:
    """Another deployment may keep them busy all day. After twelve hours nothing of this one can be in them."""
    over.gauge.holds = dict.fromkeys(QUEUES, 7)
    over.skew = QUEUES_KEEP - timedelta(minutes=1)
    assert over.retain().closed == ()
    over.skew = QUEUES_KEEP + timedelta(minutes=1)
    assert over.retain().closed == (over.active.id,)


def test_a_store_that_fails_keeps_no_other_deployment_from_being_closed(over: House) -> None:
    second_list, _ = over.listed(5)
    second = over.running(second_list)
    over.stop(second.id)
    over.due.put(second.id, over.now())
    keys = over.enrolment.keys

    def failing(prefix: str, stored_before: Any = None) -> list[str]:
        if over.list_id in prefix:
            raise StorageFault("denied")
        return keys(prefix, stored_before)

    over.enrolment.keys = failing  # type: ignore[method-assign]
    with pytest.raises(StorageFault):
        over.retain()
    assert state(over) is DeploymentState.STOPPED
    assert over.deployment(second.id).state is DeploymentState.CLOSED
    over.enrolment.keys = keys  # type: ignore[method-assign]
    assert over.retain().closed == (over.active.id,)


def test_after_days_without_a_run_one_run_does_it_all(house: House) -> None:
    """It ends, freezes what waits, deletes, counts, certifies: without anybody doing anything."""
    list_id, _ = house.listed(3)
    house.active = house.running(list_id)
    house.see(3)
    house.skew = timedelta(days=4)
    done = house.retain()
    assert (done.ended, done.closed) == (1, (house.active.id,))
    nothing_left(house)
    assert {one["state"] for one in house.candidates} == {"frozen"}
    expire_backups(house)
    house.due.objects.clear()
    assert house.retain().backups_expired == ()  # a day after the counting, not before
    house.skew += BACKUPS_KEPT
    assert house.retain().backups_expired == ()  # the database's clock is asked too
    expire_backups(house)
    with house.meddling() as master:
        master.execute("UPDATE certificate SET backups_expire_at = backups_expire_at - interval '5 days'")
    assert house.retain().backups_expired == (house.active.id,)


def test_the_second_certificate_is_written_once_with_a_record_and_shown(over: House) -> None:
    over.retain()
    assert over.certificate(over.active.id).backups_expired_at is None
    assert over.due.objects[over.active.id] == over.certificate(over.active.id).backups_expire_at
    expire_backups(over)
    over.due.put(over.active.id, over.now())
    assert over.retain().backups_expired == (over.active.id,)
    assert over.certificate(over.active.id).backups_expired_at is not None
    assert over.due.objects == {}
    assert over.retain().backups_expired == ()
    with over.govern.work() as work:
        *_, certified, published = work.audit_records(over.active.id)
    assert b"backups_expired" in certified.body
    assert b"record_published" in published.body


@pytest.mark.parametrize("role", ["retain", "master"])
def test_a_second_certificate_before_its_time_is_refused_whoever_writes_it(over: House, role: str) -> None:
    over.retain()
    with pytest.raises(psycopg.DatabaseError, match="backups have not expired"):
        over.sql(
            role, "INSERT INTO backup_certificate SELECT deployment_id, now() + interval '2 days' FROM certificate"
        )
    for other in ("match", "govern", "review", "report"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            over.sql(other, "INSERT INTO backup_certificate SELECT 'x', now()")


# --- lists by themselves ----------------------------------------------------------------------------------------------


def test_a_list_that_nobody_ever_used_goes_by_itself(house: House) -> None:
    list_id, _ = house.listed(3)
    assert house.due.objects == {
        f"{LIST_DUE}{list_id}": pytest.approx(house.now() + LIST_UNUSED_AFTER, abs=timedelta(minutes=5))
    }
    house.skew = LIST_UNUSED_AFTER - timedelta(hours=1)
    assert house.retain().lists_erased == ()
    house.skew = LIST_UNUSED_AFTER + timedelta(minutes=1)
    assert house.retain().lists_erased == (list_id,)
    nothing_left(house)
    assert house.due.objects == {}


def test_even_where_nobody_says_that_it_is_due(house: House) -> None:
    list_id, _ = house.listed(3)
    house.due.objects.clear()
    house.skew = LIST_UNUSED_AFTER + timedelta(minutes=1)
    assert house.retain().lists_erased == (list_id,)


def deleted(house: House, list_id: str, by: str = "officer") -> Any:
    return watchlist.delete(
        principal=house.person(by), watchlist_id=list_id, store=house.govern, due=house.due, clock=house.now
    )


def test_a_list_that_is_asked_to_go_goes_with_the_next_run(house: House) -> None:
    list_id, _ = house.listed(3)
    other, _ = house.listed(4)
    assert deleted(house, list_id) is True
    assert house.retain().lists_erased == (list_id,)
    assert house.one("SELECT count(*) FROM reference_template") == 1
    assert [key.split("/")[1] for key in house.enrolment.objects] == [other]
    records = house.sql("master", "SELECT body FROM audit_event WHERE chain = 'system' ORDER BY sequence DESC LIMIT 1")
    assert b"watchlist_gone" in records[0]["body"]


def test_a_list_that_a_deployment_needs_is_not_erased_by_itself(house: House) -> None:
    list_id, _ = house.listed(3)
    house.running(list_id)
    refused = deleted(house, list_id)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_STATE
    house.due.put(f"{LIST_DUE}{list_id}", house.now())
    assert house.retain().lists_erased == ()
    with house.retains.work() as work:
        assert not work.erase_list(list_id)
        assert not work.erase_list(list_id, replay=True)
    assert house.see(3).counts.candidates == 1


def test_who_has_no_part_in_lists_does_not_have_one_deleted(house: House) -> None:
    list_id, _ = house.listed(3)
    refused = watchlist.delete(
        principal=principal("x", Role.REVIEWER, Role.REQUESTER, Role.AUDITOR),
        watchlist_id=list_id,
        store=house.govern,
        due=house.due,
        clock=house.now,
    )
    assert isinstance(refused, Refused)


def test_a_deployment_that_a_court_refused_can_be_read_stopped_and_closed(house: House) -> None:
    """S37: its search ends before all time, in the database's words; nothing that reads it may stumble over that."""
    house.permitted = replace(house.permitted, decision_required=True, urgent_start_hours=24)
    list_id, _ = house.listed(3)
    active = house.running(list_id, real_time=RealTimeGrounds("demonstration", "law", "F-1", "N-1", "a threat"))
    decided = PriorAuthorisation(
        id=house.id(),
        deployment_id=active.id,
        body="court",
        reference="C-1",
        decided_on=house.now().date(),
        document_sha256="a" * 64,
        granted=False,
        place="Gate 1",
        valid_from=house.now(),
        valid_until=house.now() + timedelta(hours=1),
        persons=("R-1",),
        recorded_by="authoriser",
        recorded_at=house.now(),
    )
    refused = conditions.record_decision(
        principal=house.person("authoriser"),
        decision=decided,
        store=house.govern,
        permits=house.permits,
        due=house.due,
        spool=house.spool,
        clock=house.now,
        new_id=house.id,
    )
    assert not isinstance(refused, Refused)
    assert refused.state is DeploymentState.STOPPED
    assert house.retain().closed == (active.id,)
    nothing_left(house)
