"""detect: every outcome, its order of effects, and that nothing is opened without a permit (S01, S14, S36)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.errors import PermitUnreadable, PipelineMismatch, StorageFault, TransientFault
from proviso.domain.frame import MAX_FRAME_BYTES, Counts, LedgerEntry, Outcome
from proviso.domain.messages import MAX_FACES
from proviso.domain.reasons import Reason
from proviso.domain.timing import Stopwatch
from proviso.stages.detect import detect
from tests.doubles import FakePipeline, people
from tests.fakes.cloud import FakeFacesQueue, FakeFrames, FakeLedger, FakePermits
from tests.samples import CAMERA, END, NOW, START, frame_key, permit


class Room:
    def __init__(self) -> None:
        self.journal: list[str] = []
        self.now = NOW
        self.frames = FakeFrames(self.journal)
        self.ledger = FakeLedger(self.journal)
        self.permits = FakePermits(self.journal)
        self.queue = FakeFacesQueue(self.journal)
        self.pipeline = FakePipeline()
        self.permits.objects[CAMERA] = permit()
        self.reads = 0
        read = self.frames.get

        def counted(key):
            self.reads += 1
            return read(key)

        self.frames.get = counted

    def upload(self, data=people(3), key=None):  # noqa: B008
        key = key or frame_key()
        self.frames.upload(key, data, self.now)
        return key

    def detect(self, key):
        return detect(
            key=key,
            clock=lambda: self.now,
            stopwatch=Stopwatch(lambda: 0.0),
            permit_for=self.permits.read,
            frames=self.frames,
            ledger=self.ledger,
            pipeline=self.pipeline,
            queue=self.queue,
            abandon_after_s=60,
        )


@pytest.fixture
def room():
    return Room()


def test_a_frame_with_faces_goes_on_and_stays(room):
    key = room.upload(people(3, "~4", 5))
    row = room.detect(key)
    assert row.outcome is Outcome.RECEIVED
    assert row.counts == Counts(detected=3, refused=1)
    (message,) = room.queue.sent
    assert [[(one.frame, one.face.box.x) for one in track] for track in message.tracks] == [[(0, 100.0)], [(0, 340.0)]]
    assert [(one.frame, one.box.x) for one in message.bystanders] == [(0, 220.0)]
    assert (message.detected, message.refused, message.not_searched) == (3, 1, 0)
    assert (message.frame_key, message.camera, message.captured_at) == (key, CAMERA, NOW)
    assert (message.deployment_id, message.digest, message.pipeline) == (
        permit().deployment_id,
        permit().digest,
        permit().pipeline,
    )
    assert key in room.frames.objects
    assert room.ledger.rows[key].outcome is Outcome.RECEIVED


@pytest.mark.parametrize(
    ("change", "reason", "outcome"),
    [
        ({"objects": {}}, Reason.NO_PERMIT, Outcome.REFUSED),
        ({"objects": {"gate-2": permit(camera="gate-2")}}, Reason.NO_PERMIT, Outcome.REFUSED),
        ({"objects": {CAMERA: permit(starts_at=NOW + timedelta(seconds=1))}}, Reason.OUTSIDE_WINDOW, Outcome.REFUSED),
        ({"objects": {CAMERA: permit(ends_at=NOW)}}, Reason.OUTSIDE_WINDOW, Outcome.REFUSED),
        ({"now": NOW + timedelta(seconds=61)}, Reason.STALE, Outcome.STALE),
        ({"now": NOW - timedelta(seconds=6)}, Reason.CLOCK_SKEW, Outcome.REFUSED),
        ({"now": END}, Reason.OUTSIDE_WINDOW, Outcome.REFUSED),
        ({"now": START - timedelta(days=1)}, Reason.CLOCK_SKEW, Outcome.REFUSED),
    ],
)
def test_a_refused_frame_is_deleted_unread(room, change, reason, outcome):
    key = room.upload()
    room.now = change.get("now", room.now)
    room.permits.objects = change.get("objects", room.permits.objects)
    row = room.detect(key)
    assert (row.outcome, row.reason) == (outcome, reason)
    assert room.reads == 0
    assert room.pipeline.opened == []
    assert key not in room.frames.objects
    assert room.queue.sent == []
    assert room.journal == [f"ledger.finish {key} {outcome}", f"frames.delete {key}"], "one write into the ledger"


@pytest.mark.parametrize(
    ("key", "outcome", "reason"),
    [
        ("gate-1/holiday.jpg", Outcome.REFUSED, Reason.BAD_KEY),
        ("x", Outcome.REFUSED, Reason.BAD_KEY),
        (frame_key() + "\n", Outcome.REFUSED, Reason.BAD_KEY),
        (frame_key().replace(".jpg", ".png"), Outcome.UNREADABLE, Reason.WRONG_TYPE),
    ],
)
def test_an_object_that_is_no_frame_is_deleted_unread(room, key, outcome, reason):
    room.upload(key=key)
    row = room.detect(key)
    assert (row.outcome, row.reason) == (outcome, reason)
    assert room.reads == 0
    assert room.permits.reads == 0
    assert room.frames.objects == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"no picture", Reason.NOT_AN_IMAGE), (b"x" * (MAX_FRAME_BYTES + 1), Reason.TOO_MANY_BYTES)],
)
def test_what_cannot_be_decoded_is_deleted(room, data, reason):
    key = room.upload(data)
    row = room.detect(key)
    assert (row.outcome, row.reason) == (Outcome.UNREADABLE, reason)
    assert room.frames.objects == {}


@pytest.mark.parametrize(("who", "refused"), [([], 0), (["~3", "~4"], 2)])
def test_a_frame_without_a_usable_face_is_deleted(room, who, refused):
    key = room.upload(people(*who))
    row = room.detect(key)
    assert row.outcome is Outcome.NO_FACE
    assert row.counts == Counts(detected=refused, refused=refused)
    assert room.frames.objects == {}
    assert room.queue.sent == []


@pytest.mark.parametrize("fault", [PermitUnreadable("odd"), StorageFault("denied")], ids=["unreadable", "denied"])
def test_a_permit_that_cannot_be_read_leaves_the_frame_unread_and_undeleted(room, fault):
    key = room.upload()
    room.permits.faults["read"] = fault
    with pytest.raises(type(fault)):
        room.detect(key)
    assert room.reads == 0
    assert key in room.frames.objects
    assert room.ledger.rows == {}


def test_a_permit_for_another_pipeline_leaves_the_frame_unread(room):
    key = room.upload()
    room.permits.objects[CAMERA] = permit(pipeline="8" * 64)
    with pytest.raises(PipelineMismatch):
        room.detect(key)
    assert room.reads == 0
    assert key in room.frames.objects


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.RECEIVED])
def test_a_duplicate_of_a_decided_frame_does_nothing(room, outcome):
    """Also a second upload under the same name: it is not read, and sweep deletes it at its age."""
    key = room.upload()
    room.ledger.rows[key] = replace(room.ledger.received(key, CAMERA, NOW), outcome=outcome)
    room.journal.clear()
    assert room.detect(key).outcome is outcome
    assert room.reads == 0
    assert room.queue.sent == []
    assert room.journal == []


def test_a_duplicate_of_an_undecided_frame_is_sent_again(room):
    key = room.upload()
    room.detect(key)
    room.detect(key)
    assert len(room.queue.sent) == 2  # match keeps the second from being searched


def test_who_did_not_decide_does_not_delete(room):
    """Two calls at once: the other one has set the outcome between this one's look and its write."""
    key = room.upload(b"no picture")
    decode = room.pipeline.decode

    def meanwhile(jpeg):
        room.ledger.finish(LedgerEntry(key, Outcome.SEARCHED, NOW, camera=CAMERA))
        return decode(jpeg)

    room.pipeline.decode = meanwhile
    assert room.detect(key).outcome is Outcome.SEARCHED
    assert f"frames.delete {key}" not in room.journal


def test_what_is_decided_meanwhile_is_not_sent(room):
    key = room.upload()
    find = room.pipeline.detect

    def meanwhile(image):
        room.ledger.finish(LedgerEntry(key, Outcome.STALE, NOW, camera=CAMERA))
        return find(image)

    room.pipeline.detect = meanwhile
    assert room.detect(key).outcome is Outcome.STALE
    assert room.queue.sent == []


def test_a_frame_that_is_gone_is_waited_for_and_then_orphaned(room):
    key = frame_key()
    with pytest.raises(TransientFault):
        room.detect(key)
    assert room.ledger.rows == {}
    room.permits.objects[CAMERA] = permit(frame_age_limit_s=600)
    room.now = NOW + timedelta(seconds=61)
    assert room.detect(key).outcome is Outcome.ORPHANED


@pytest.mark.parametrize(("part", "method"), [("frames", "get"), ("ledger", "received"), ("queue", "send")])
def test_a_fault_decides_nothing(room, part, method):
    key = room.upload()
    getattr(room, part).faults[method] = StorageFault("away")
    with pytest.raises(StorageFault):
        room.detect(key)
    assert key in room.frames.objects
    assert all(row.outcome is Outcome.RECEIVED for row in room.ledger.rows.values())


def test_faces_over_the_cap_are_counted_and_become_bystanders(room):
    key = room.upload(people(*[i % 100 for i in range(MAX_FACES + 3)]))
    room.detect(key)
    (message,) = room.queue.sent
    assert len(message.tracks) == MAX_FACES
    assert message.not_searched == 3
    assert len(message.bystanders) == 3


def test_a_permit_is_read_once_a_camera_and_invocation_and_never_kept(room, monkeypatch):
    """Rule 1, as wiring joins it: within one invocation one read a camera; the next invocation reads anew."""
    from types import SimpleNamespace

    from proviso import wiring

    monkeypatch.setattr(wiring, "_read", lambda kind: SimpleNamespace(proviso_pack="x", proviso_models=""))
    monkeypatch.setattr(wiring, "_detect_parts", lambda: (room.frames, room.ledger, room.queue, room.permits))
    monkeypatch.setattr(wiring, "_pipeline", lambda pack, folder: room.pipeline)
    monkeypatch.setattr(wiring, "now", lambda: NOW)
    one = wiring.detect_invocation()
    for sequence in range(1, 6):
        assert one(room.upload(key=frame_key(sequence))).outcome is Outcome.RECEIVED
        one(room.upload(key=frame_key(sequence, camera="gate-2")))
    assert room.permits.reads == 2
    room.permits.objects.clear()
    assert wiring.detect_invocation()(room.upload(key=frame_key(9))).reason is Reason.NO_PERMIT
