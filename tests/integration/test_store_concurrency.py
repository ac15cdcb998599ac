"""Two connections at once: a stop against searches, two matches on one entry, many writers on one chain."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from proviso.domain.audit import first_fault
from proviso.domain.candidate import CandidateState, ConfirmingReview
from proviso.domain.errors import TransientFault
from proviso.domain.frame import Counts
from proviso.domain.reasons import Reason, Refused
from tests.contract.store_samples import CAMERA, House, Scene, act, decision, house, name, now, template
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def wait_for_waiters(database: Database, count: int) -> None:
    """Until so many connections wait for a lock."""
    with psycopg.connect(database.master_url, autocommit=True) as master:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = master.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
            if found is not None and found[0] >= count:
                return
            time.sleep(0.01)
    raise AssertionError(f"never saw {count} connections waiting for a lock")


def test_a_stop_waits_for_the_search_that_began_and_no_later_one_passes(
    rooms: House, threads: ThreadPoolExecutor
) -> None:
    """S04, rule 2. The later search waits behind the stop: a stream of searches cannot hold a stop up."""
    scene = rooms.scene()
    first, second = rooms.search(), rooms.search()
    stopper = rooms.govern()

    def stop() -> list[Any]:
        with stopper.work() as work:
            return work.stop(scene.deployment.id, "anybody", now())

    def later() -> Any:
        with second.work() as work:
            return scene.gate(work)

    with first.work() as work:
        permit = scene.permit(work)
        stopping = threads.submit(stop)
        wait_for_waiters(rooms.database, 1)
        searching = threads.submit(later)
        wait_for_waiters(rooms.database, 2)
        assert not stopping.done()
        assert not searching.done()
        [hits] = work.search(permit, [template(scene.face)])
        assert hits
    assert [d.id for d in stopping.result(10)] == [scene.deployment.id]
    assert searching.result(10) == Refused(Reason.NOT_ACTIVE, "stopped")


def test_the_row_itself_is_locked_while_a_search_runs(rooms: House) -> None:
    """Rule 2: also whoever writes past this program waits, and so does the other way round."""
    scene = rooms.scene()
    made = scene.raised()
    take = b"SELECT 1 FROM deployment FOR UPDATE NOWAIT"
    with psycopg.connect(rooms.database.master_url, autocommit=True) as master:
        with rooms.search().work() as work:
            scene.permit(work)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                master.execute(take)
        with rooms.review().work() as review:
            review.decide(decision(made), now())
            with pytest.raises(psycopg.errors.LockNotAvailable):
                master.execute(take)
        master.execute(take)


def test_searches_do_not_wait_for_each_other(rooms: House) -> None:
    scene = rooms.scene()
    with rooms.search().work() as one, rooms.search().work() as other:
        assert one.search(scene.permit(one), [template(scene.face)])
        assert other.search(scene.permit(other), [template(scene.face)])


def test_two_matches_raise_one_entry_once(rooms: House, threads: ThreadPoolExecutor) -> None:
    """S21, rule 7: the second waits for the first's lock on the entry and then joins."""
    scene = rooms.scene()
    opened = threading.Barrier(2)

    def match(frame_key: str) -> str:
        with house(rooms.database) as own, own.search().work() as work:
            permit = scene.permit(work)
            opened.wait(10)
            known = work.lock_entries(permit, [scene.entry.id])
            if scene.entry.id in known:
                work.join(known[scene.entry.id].id, frame_key, now(), 0.8)
                did = "joined"
            else:
                time.sleep(0.1)  # the evidence is being put
                work.open(scene.candidate(permit, frame_key), [])
                did = "opened"
            counts = Counts(1, 0, 1, 0, 1)
            work.record_searched(frame_key=frame_key, permit=permit, captured_at=now(), now=now(), counts=counts)
            work.audit(act(scene.deployment.id))
            return did

    both = [threads.submit(match, f"{CAMERA}/{i}") for i in range(2)]
    assert sorted(one.result(10) for one in both) == ["joined", "opened"]
    with rooms.review().work() as work:
        [only] = work.pending(now(), "reviewer")
    with psycopg.connect(rooms.database.master_url) as master:
        assert master.execute("SELECT sightings FROM candidate WHERE id = %s", [only.id]).fetchone() == (2,)


def test_locks_in_any_order_asked_for_do_not_deadlock(rooms: House, threads: ThreadPoolExecutor) -> None:
    scene = rooms.scene()
    others = [rooms.entry(scene.entry.watchlist_id).id for _ in range(6)]

    def lock(order: list[str]) -> int:
        with house(rooms.database) as own:
            store = own.search()
            for _ in range(15):
                with store.work() as work:
                    work.lock_entries(scene.permit(work), order)
        return 1

    both = [threads.submit(lock, others), threads.submit(lock, others[::-1])]
    assert sum(one.result(20) for one in both) == 2


def test_one_frame_delivered_twice_at_once_is_searched_once(rooms: House, threads: ThreadPoolExecutor) -> None:
    scene = rooms.scene()
    frame = f"{CAMERA}/{name('frame')}"
    both_in = threading.Barrier(2)

    def deliver() -> str:
        with house(rooms.database) as own:
            store = own.search()
            try:
                with store.work() as work:
                    assert not work.was_searched(frame)
                    permit = scene.permit(work)
                    both_in.wait(10)
                    counts = Counts(1, 0, 1, 0, 0)
                    work.record_searched(frame_key=frame, permit=permit, captured_at=now(), now=now(), counts=counts)
                    work.audit(act(scene.deployment.id))
            except TransientFault:
                with store.work() as work:
                    return "found" if work.was_searched(frame) else "lost"
            return "searched"

    both = [threads.submit(deliver) for _ in range(2)]
    assert sorted(one.result(10) for one in both) == ["found", "searched"]


def test_a_chain_written_by_many_at_once_does_not_fork(rooms: House, threads: ThreadPoolExecutor) -> None:
    """S29."""

    def write(who: int) -> None:
        with house(rooms.database) as own:
            store = own.govern(("match", "review", "retain", "govern")[who])
            for i in range(25):
                with store.work() as work:
                    work.audit(act("busy", f"{who}-{i}"))

    for one in [threads.submit(write, who) for who in range(4)]:
        one.result(60)
    with rooms.govern().work() as work:
        records = work.audit_records("busy")
    assert len(records) == 100
    assert first_fault(records) is None


def test_a_decision_and_a_stop_at_once_agree(rooms: House, threads: ThreadPoolExecutor) -> None:
    """S04, S18: either the confirmation came first and stands, or the stop did and nothing is confirmed."""
    scene = rooms.scene()
    for attempt in range(6):
        deployment = scene.deployment
        if attempt:
            deployment = rooms.active(rooms.build(scene.entry.watchlist_id))
        here = replace(scene, deployment=deployment)
        made = here.raised()
        decided, stopped = _race(rooms, threads, here, made)
        assert len(stopped.result(10)) == 1
        answer = decided.result(10)
        with rooms.review().work() as work:
            after = work.shown(made.id, "reviewer")
        assert after is not None
        if isinstance(answer, ConfirmingReview):
            assert after.state is CandidateState.CONFIRMED
        else:
            assert after.state is CandidateState.FROZEN


def _race(rooms: House, threads: ThreadPoolExecutor, scene: Scene, made: Any) -> tuple[Future[Any], Future[list[Any]]]:
    ready = threading.Barrier(2)
    review, govern = rooms.review(), rooms.govern()

    def decide() -> Any:
        ready.wait(10)
        with review.work() as work:
            return work.decide(decision(made), now())

    def stop() -> list[Any]:
        ready.wait(10)
        with govern.work() as work:
            return work.stop(scene.deployment.id, "anybody", now())

    return threads.submit(decide), threads.submit(stop)


def test_two_starts_on_one_camera_at_once(rooms: House, threads: ThreadPoolExecutor) -> None:
    """Rule 2."""
    scene = rooms.scene()
    with rooms.govern().work() as work:
        work.stop(scene.deployment.id, "anybody", now())
    build = rooms.build(scene.entry.watchlist_id)
    waiting = [rooms.warming(build).id for _ in range(2)]
    ready = threading.Barrier(2)

    def start(deployment_id: str) -> Any:
        with house(rooms.database) as own, own.govern().work() as work:
            ready.wait(10)
            return work.activate(deployment_id, now())

    answers = [threads.submit(start, one).result for one in waiting]
    reasons = [answer(10) for answer in answers]
    assert sorted(str(one.reason) if one else "" for one in reasons) == ["", "camera_busy"]
