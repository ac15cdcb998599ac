"""sweep: past its age a frame goes, whatever else fails (S14); and retain is woken only when something is due."""

from datetime import UTC, datetime, timedelta

import pytest

from proviso.domain.errors import StorageFault
from proviso.domain.folding import LEDGER_KEPT
from proviso.domain.frame import LedgerEntry, Outcome
from proviso.domain.ports import StopRecord
from proviso.domain.reasons import Reason
from proviso.stages.sweep import sweep
from tests.fakes.cloud import FakeDue, FakeFrames, FakeLedger, FakeQueueGauge, FakeQueueLook, FakeStops, FakeWaker
from tests.samples import CAMERA, NOW, frame_key

OLD = NOW - timedelta(seconds=121)


class Room:
    def __init__(self) -> None:
        self.frames, self.ledger, self.due = FakeFrames(), FakeLedger(), FakeDue()
        self.journal = []
        self.told = []
        self.spool, self.waker = FakeStops(), FakeWaker(self.journal)
        self.gauge, self.look = FakeQueueGauge(), FakeQueueLook(self.journal)
        self.now = NOW

    def sweep(self):
        return sweep(
            clock=lambda: self.now,
            age_limit_s=120,
            frames=self.frames,
            ledger=self.ledger,
            due=self.due,
            spool=self.spool,
            gauge=self.gauge,
            look=self.look,
            waker=self.waker,
            tell=self.told.append,
        )


@pytest.fixture
def room():
    return Room()


def test_what_is_too_old_goes_and_what_is_not_stays(room):
    room.frames.upload(frame_key(1), b"", OLD)
    room.frames.upload(frame_key(2), b"", OLD + timedelta(seconds=1))
    assert room.sweep() == {"deleted": 1, "stale": 0, "unprocessed": 1, "woken": 0}
    assert set(room.frames.objects) == {frame_key(2)}
    assert [(row.key, row.outcome) for row in room.told] == [(frame_key(1), Outcome.UNPROCESSED)]


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (None, Outcome.UNPROCESSED),
        (LedgerEntry(frame_key(), Outcome.RECEIVED, OLD, camera=CAMERA), Outcome.STALE),
        (LedgerEntry(frame_key(), Outcome.SEARCHED, OLD), Outcome.SEARCHED),
        (LedgerEntry(frame_key(), Outcome.REFUSED, OLD), Outcome.REFUSED),
    ],
)
def test_it_takes_the_outcome_that_it_has_or_one_of_its_own(room, row, outcome):
    room.frames.upload(frame_key(), b"", OLD)
    if row is not None:
        room.ledger.rows[row.key] = row
    room.sweep()
    found = room.ledger.rows[frame_key()]
    assert found.outcome is outcome
    if outcome in (Outcome.STALE, Outcome.UNPROCESSED):
        assert (found.reason, found.camera) == (Reason.STALE, CAMERA)
    assert room.frames.objects == {}


def test_an_object_with_any_name_goes_too(room):
    room.frames.upload("anything at all", b"", OLD)
    room.sweep()
    assert room.frames.objects == {}
    assert room.ledger.rows["anything at all"].camera is None


@pytest.mark.parametrize("method", ["get", "finish", "*"])
def test_a_ledger_that_is_away_keeps_no_frame(room, method):
    """S14: deleted whatever became of its message. The fault is raised after it, so that it is seen."""
    room.frames.upload(frame_key(), b"", OLD)
    room.due.put("d", NOW)
    room.ledger.faults[method] = StorageFault("away")
    with pytest.raises(StorageFault):
        room.sweep()
    assert room.frames.objects == {}
    assert room.waker.reasons == ["due:d"]


def test_a_frame_that_cannot_be_deleted_keeps_no_other(room):
    for sequence in (1, 2, 3):
        room.frames.upload(frame_key(sequence), b"", OLD)
    delete = room.frames.delete

    def stubborn(key):
        if key == frame_key(1):
            raise StorageFault("denied")
        delete(key)

    room.frames.delete = stubborn
    room.spool.put(StopRecord("s", NOW, "anybody", None))
    with pytest.raises(StorageFault):
        room.sweep()
    assert set(room.frames.objects) == {frame_key(1)}
    assert room.waker.reasons == ["stop:s"]


def test_the_database_sleeps_when_nothing_is_due(room):
    room.due.put("later", NOW + timedelta(seconds=1))
    assert room.sweep()["woken"] == 0
    assert room.waker.reasons == []


def test_what_is_due_or_unreadable_and_a_waiting_stop_wake_retain_once(room):
    room.due.objects = {"now": NOW, "odd": None}
    room.spool.put(StopRecord("s", NOW, "anybody", None))
    assert room.sweep()["woken"] == 1
    assert room.waker.reasons == ["due:now, due:odd, stop:s"]


def test_retain_is_woken_after_a_look_into_the_queues(room):
    """S23: retain cannot reach them, and certifies nothing by a look that is older than what it closes."""
    room.due.put("now", NOW)
    room.gauge.holds = {"dead faces": 2}
    room.sweep()
    assert room.journal == ["look.put queues", "waker.wake due:now"]
    assert room.look.seen.at == NOW
    assert dict(room.look.seen.counts)["dead faces"] == 2


def test_nobody_looks_into_queues_for_nothing(room):
    room.sweep()
    assert room.look.seen is None


@pytest.mark.parametrize("port", ["gauge", "look"])
def test_queues_that_cannot_be_looked_into_keep_retain_from_nothing(room, port):
    room.due.put("now", NOW)
    room.frames.upload(frame_key(), b"", OLD)
    getattr(room, port).faults["*"] = StorageFault("denied")
    with pytest.raises(StorageFault):
        room.sweep()
    assert room.waker.reasons == ["due:now"]
    assert room.look.seen is None
    assert room.frames.objects == {}


# --- frames that ended without being searched -------------------------------------------------------------------------

LOOK = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)


def unsearched(room: Room, ended: datetime, outcome: Outcome = Outcome.REFUSED) -> None:
    room.ledger.rows[frame_key()] = LedgerEntry(frame_key(), outcome, ended, camera=CAMERA, finished_at=ended)


@pytest.mark.parametrize(
    ("before", "wakes"),
    [
        (timedelta(minutes=15, seconds=1), True),  # the last hour that has settled
        (timedelta(minutes=14), False),
        (timedelta(hours=24, minutes=16), True),
        (timedelta(hours=48, minutes=15), True),
        (timedelta(hours=48, minutes=16), False),
    ],
)
def test_frames_that_nobody_came_by_for_wake_retain_once_a_day(room, before, wakes):
    """Refused while no deployment was active, they make nothing due; the ledger forgets them after three days."""
    unsearched(room, LOOK - before)
    for minute in range(-24 * 60 + 1, 1):
        room.now = LOOK + timedelta(minutes=minute, seconds=20)
        room.sweep()
    assert room.waker.reasons == ["fold"] * wakes
    if wakes:
        assert room.look.seen.at == room.now, "retain may close something by the way"


def test_each_frame_is_looked_for_twice_before_the_ledger_loses_it(room):
    for hour in range(24):
        unsearched(room, LOOK + timedelta(hours=hour))
        room.waker.reasons.clear()
        for day in range(1, 5):
            room.now = LOOK + timedelta(days=day)
            room.sweep()
            if room.now - LOOK - timedelta(hours=hour) > LEDGER_KEPT:
                break
        assert room.waker.reasons == ["fold"] * 2


@pytest.mark.parametrize("outcome", [Outcome.SEARCHED, Outcome.RECEIVED])
def test_a_frame_that_was_searched_or_has_not_ended_wakes_nobody(room, outcome):
    unsearched(room, LOOK - timedelta(hours=5), outcome)
    room.now = LOOK
    assert room.sweep()["woken"] == 0


def test_nobody_looks_in_another_minute_or_when_retain_is_woken_anyway(room):
    room.ledger.faults["not_searched"] = StorageFault("asked")
    for second in (-1, 60):
        room.now = LOOK + timedelta(seconds=second)
        room.sweep()
    room.now = LOOK
    room.due.put("d", NOW)
    assert room.sweep()["woken"] == 1


def test_an_index_that_cannot_be_read_keeps_no_frame(room):
    room.now = LOOK
    room.frames.upload(frame_key(), b"", OLD)
    room.ledger.faults["not_searched"] = StorageFault("denied")
    with pytest.raises(StorageFault, match="denied"):
        room.sweep()
    assert room.frames.objects == {}
