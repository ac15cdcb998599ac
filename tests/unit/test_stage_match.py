"""match: the order of its effects, what a redelivery does, and what becomes of faults (rules 2, 5, 7)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso import wiring
from proviso.domain.candidate import CandidateState, Hit, OpenCandidate, evidence_key
from proviso.domain.errors import (
    AuditUnwritable,
    DatabaseAway,
    PermitUnreadable,
    PipelineMismatch,
    StorageFault,
    TransientFault,
)
from proviso.domain.frame import Counts, Outcome
from proviso.domain.notice import Kind
from proviso.domain.reasons import Reason, Refused
from proviso.domain.timing import Stopwatch
from proviso.stages.match import MatchRoom, match
from tests.doubles import FakePipeline, MemorySearchStore, people
from tests.fakes.cloud import FakeChanges, FakeFrames, FakeLedger, FakeOutbox, FakePermits, FakePictures
from tests.samples import CAMERA, DEPLOYMENT, NOW, SOFTWARE, checked_permit, faces_message, frame_key, permit


class Scene:
    """One frame with faces, in the bucket and in the queue."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.now = NOW
        self.waits: list[float] = []
        self.store = MemorySearchStore(self.journal, permit=checked_permit())
        self.room = MatchRoom(
            clock=lambda: self.now,
            wait=self.wait,
            frames=FakeFrames(self.journal),
            permits=FakePermits(self.journal),
            evidence=FakePictures(self.journal, "evidence"),
            outbox=FakeOutbox(self.journal),
            ledger=FakeLedger(self.journal),
            store=self.store,
            changes=FakeChanges(self.journal),
            pipeline=FakePipeline(),
            software_build=SOFTWARE,
            step=lambda *said: self.told.append(said),
        )
        self.told: list[tuple[str, str, str]] = []
        self.message = faces_message(count=2)
        self.key = self.message.frame_key
        self.room.frames.upload(self.key, people(3, 4), NOW)
        self.room.permits.objects[CAMERA] = permit()
        self.store.hits = [[], []]

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)

    def match(self, message=None):
        return match(
            message=message or self.message,
            room=self.room,
            stopwatch=Stopwatch(lambda: 0.0),
            give_up_at=NOW + timedelta(seconds=10),
        )

    def find(self, *entries):
        self.store.hits = [[Hit(entry, 0.9)] if entry else [] for entry in entries]

    @property
    def gone(self):
        return self.key not in self.room.frames.objects


@pytest.fixture
def scene():
    return Scene()


def test_without_a_candidate_only_counts_are_kept(scene):
    row = scene.match()
    assert row.outcome is Outcome.SEARCHED
    assert row.counts == Counts(detected=2, searched=2)
    assert scene.gone
    assert scene.room.evidence.objects == {}
    assert scene.room.outbox.objects == {}
    assert scene.store.candidates == []
    (act,) = scene.store.acts
    assert (act.action, act.details["faces_searched"]) == ("frame_searched", 2)


def test_the_order_is_the_safeguard(scene):
    scene.find("e-2", None)
    scene.match()
    (candidate,) = scene.store.candidates
    assert scene.journal == [
        f"ledger.received {scene.key}",
        "store.connect",
        "store.begin",
        "store.gate",
        "store.search",
        "store.lock_entries e-2",
        f"evidence.put {evidence_key(DEPLOYMENT, candidate.id)}",
        "store.open e-2",
        "store.record_searched",
        "store.audit frame_searched",
        "store.commit",
        "store.candidates_of_frame",
        f"outbox.put notices/{candidate.id}/1-raised.json",
        "changes.mark candidates",
        f"frames.delete {scene.key}",
        f"ledger.finish {scene.key} searched",
    ]


def test_a_candidate_carries_what_it_came_from(scene):
    scene.store.hits = [[], [Hit("e", 0.9), Hit("f", 0.8)]]
    row = scene.match()
    (candidate,) = scene.store.candidates
    permit = scene.store.permit
    assert row.counts.candidates == 1
    assert (candidate.entry_id, candidate.similarity, candidate.threshold) == ("e", 0.9, permit.threshold)
    assert (candidate.pipeline, candidate.policy) == (permit.pipeline, "demo 2026.11.3")
    assert candidate.decide_by == NOW + timedelta(seconds=permit.policy.decide_within_s)
    asked, others = scene.room.pipeline.evidence_asked[0]
    assert asked == scene.message.tracks[1][0].face
    assert others == [scene.message.tracks[0][0].face.box]
    (notice,) = scene.room.outbox.notices
    assert (notice.kind, notice.expires_at) == (Kind.RAISED, candidate.decide_by)


def test_the_time_to_decide_ends_with_the_deployment(scene):
    scene.store.permit = checked_permit(ends_at=NOW + timedelta(seconds=7))
    scene.find("e", None)
    scene.match()
    assert scene.store.candidates[0].decide_by == NOW + timedelta(seconds=7)


def test_a_sighting_joins_the_open_candidate_and_says_nothing_again(scene):
    scene.store.open_now = {"e": OpenCandidate("open", "e", CandidateState.RAISED, NOW)}
    scene.find("e", None)
    row = scene.match()
    assert row.counts.candidates == 1
    assert scene.store.candidates == []
    assert scene.store.sightings == [("open", scene.key)]
    assert scene.room.evidence.objects == {}
    assert scene.room.outbox.objects == {}
    assert scene.store.acts[0].details["sightings"] == 1
    # The open candidate is another frame's: the line is on this frame's way, under this frame's correlation id.
    assert scene.told == [("sighted again", "open", scene.message.correlation_id)]


def test_what_was_not_committed_is_not_told(scene):
    scene.store.open_now = {"e": OpenCandidate("open", "e", CandidateState.RAISED, NOW)}
    scene.find("e", None)
    scene.store.permit = Refused(Reason.NOT_ACTIVE)
    scene.match()
    assert scene.told == []


def test_a_raised_candidate_is_told_under_its_frame(scene):
    scene.find("e", None)
    scene.match()
    (made,) = scene.store.candidates
    assert scene.told == [("raised", made.id, scene.message.correlation_id)]


@pytest.mark.parametrize("reason", [Reason.NOT_ACTIVE, Reason.DIGEST_DIFFERS, Reason.CAMERA_NOT_LISTED])
def test_the_gate_refuses_and_nothing_is_searched(scene, reason):
    scene.store.permit = Refused(reason)
    row = scene.match()
    assert (row.outcome, row.reason) == (Outcome.REFUSED, reason)
    assert row.counts == Counts(detected=2, not_searched=2)
    assert scene.gone
    assert not any("search" in line or "audit" in line for line in scene.journal if line.startswith("store"))


@pytest.mark.parametrize("objects", [{}, {CAMERA: permit(deployment_id="another")}], ids=["gone", "another's"])
def test_a_permit_that_was_taken_back_shuts_the_gate_whatever_the_row_says(scene, objects):
    scene.room.permits.objects = objects
    row = scene.match()
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert scene.gone
    assert "store.search" not in scene.journal
    assert scene.store.acts == []


def test_a_permit_without_a_row_opens_nothing(scene):
    """It is no gate of its own."""
    scene.store.permit = Refused(Reason.NOT_ACTIVE, "stopped")
    assert scene.match().outcome is Outcome.REFUSED
    assert "store.search" not in scene.journal


def test_what_is_committed_is_finished_without_a_permit(scene):
    scene.find("e", None)
    scene.room.outbox.faults["put"] = StorageFault("away")
    with pytest.raises(StorageFault):
        scene.match()
    scene.room.outbox.faults.clear()
    scene.room.permits.objects.clear()
    scene.now = NOW
    assert scene.match().outcome is Outcome.SEARCHED


def test_an_unreadable_permit_is_a_fault_and_the_message_comes_back(scene):
    scene.room.permits.objects[CAMERA] = None
    with pytest.raises(PermitUnreadable):
        scene.match()
    assert not scene.gone
    assert "store.search" not in scene.journal


def test_the_gate_is_asked_about_this_frame_and_this_process(scene):
    scene.match()
    assert scene.store.asked == {
        "deployment_id": DEPLOYMENT,
        "digest": "d" * 64,
        "camera": CAMERA,
        "captured_at": NOW,
        "now": NOW,
        "pipeline": scene.room.pipeline.digest,
        "software_build": SOFTWARE,
    }


@pytest.mark.parametrize(
    ("captured_at", "outcome", "reason"),
    [
        (NOW - timedelta(seconds=60), Outcome.SEARCHED, None),
        (NOW - timedelta(seconds=61), Outcome.STALE, Reason.STALE),
        (NOW + timedelta(seconds=5), Outcome.SEARCHED, None),
        (NOW + timedelta(seconds=6), Outcome.REFUSED, Reason.CLOCK_SKEW),
    ],
)
def test_a_message_that_promises_itself_more_time_is_held_to_the_policy(scene, captured_at, outcome, reason):
    """The age limit in the message is what detect was told; the one that holds is in the locked row."""
    scene.key = frame_key(at=captured_at)
    scene.room.frames.upload(scene.key, people(3, 4), NOW)
    row = scene.match(faces_message(scene.key, count=2, frame_age_limit_s=86400))
    assert (row.outcome, row.reason) == (outcome, reason)
    assert (scene.key in scene.store.searched) is (outcome is Outcome.SEARCHED)
    assert scene.gone


def test_a_stale_message_is_not_searched(scene):
    scene.now = NOW + timedelta(seconds=61)
    row = scene.match()
    assert (row.outcome, row.reason) == (Outcome.STALE, Reason.STALE)
    assert scene.gone
    assert "store.connect" not in scene.journal


def test_another_pipeline_is_a_fault_at_once(scene):
    with pytest.raises(PipelineMismatch):
        scene.match(replace(scene.message, pipeline="8" * 64))
    assert not scene.gone
    assert scene.waits == []
    assert [row.outcome for row in scene.room.ledger.rows.values()] == [Outcome.RECEIVED]


def test_an_old_frame_of_another_pipeline_ends_and_does_not_become_a_dead_letter(scene):
    """Its message carries landmarks of people who passed: it must not be kept for a pipeline that never comes."""
    scene.room = replace(scene.room, clock=lambda: scene.message.captured_at + timedelta(seconds=61))
    assert scene.match(replace(scene.message, pipeline="8" * 64)).outcome is Outcome.STALE
    assert scene.gone


def test_a_duplicate_of_a_decided_frame_does_nothing(scene):
    scene.match()
    scene.journal.clear()
    assert scene.match().outcome is Outcome.SEARCHED
    assert scene.journal == []


@pytest.mark.parametrize("frame_gone", [False, True])
def test_a_redelivery_after_the_commit_does_what_is_left(scene, frame_gone):
    """A crash between the commit and the ledger: nothing is searched again, the same candidate's notice is put."""
    scene.find("e", None)
    scene.room.outbox.faults["put"] = StorageFault("away")
    with pytest.raises(StorageFault):
        scene.match()
    assert len(scene.store.candidates) == 1
    scene.room.outbox.faults.clear()
    scene.now = NOW
    if frame_gone:
        scene.room.frames.objects.clear()
    scene.journal.clear()
    row = scene.match()
    assert (row.outcome, row.counts.candidates) == (Outcome.SEARCHED, 1)
    assert "store.search" not in scene.journal
    assert len(scene.store.candidates) == 1
    assert len(scene.room.outbox.notices) == 1
    assert scene.gone


def test_no_frame_and_no_row_is_orphaned(scene):
    scene.room.frames.objects.clear()
    assert scene.match().outcome is Outcome.ORPHANED
    assert "store.search" not in scene.journal


@pytest.mark.parametrize("step", ["gate", "search", "lock_entries", "open", "record_searched", "audit", "commit"])
def test_a_fault_before_the_commit_keeps_nothing(scene, step):
    scene.find("e", None)
    scene.store.faults[step] = AuditUnwritable("no") if step == "audit" else TransientFault("no")
    with pytest.raises((AuditUnwritable, TransientFault)):
        scene.match()
    assert scene.store.candidates == []
    assert scene.store.searched == {}
    assert scene.store.acts == []
    assert scene.room.outbox.objects == {}
    assert not scene.gone
    assert scene.room.ledger.rows[scene.key].outcome is Outcome.RECEIVED


def test_evidence_that_cannot_be_put_opens_no_candidate(scene):
    scene.find("e", None)
    scene.room.evidence.faults["put"] = StorageFault("denied")
    with pytest.raises(StorageFault):
        scene.match()
    assert scene.store.candidates == []
    assert not scene.gone


def test_transient_faults_are_tried_again_until_the_end_of_the_call(scene):
    scene.store.faults["connect"] = DatabaseAway("resuming")
    with pytest.raises(DatabaseAway):
        scene.match()
    assert scene.waits == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 0.25]
    assert not scene.gone
    # An attempt is broken off after ten seconds, and the last ones four after no other may begin.
    assert scene.store.connects == [10, 10, 10, 10, 10, 8.25, 6.25, 4.25, 4]
    scene.now = NOW

    def wakes(seconds):
        scene.waits.append(seconds)
        scene.store.faults.clear()

    scene.room = replace(scene.room, wait=wakes)
    assert scene.match().outcome is Outcome.SEARCHED


@pytest.mark.parametrize(("held", "ends_after"), [(True, 26), (False, 22)])
def test_a_call_ends_in_order_before_it_is_killed_however_the_database_is_away(scene, monkeypatch, held, ends_after):
    """Of its 30 s: killed by the time-out it would report nothing. `held`: an attempt is not answered until its end."""

    def connect(within_s):
        scene.now += timedelta(seconds=within_s if held else 0)
        raise DatabaseAway("resuming")

    scene.store.connected = False
    monkeypatch.setattr(scene.store, "connect", connect)
    monkeypatch.setattr(wiring, "_match_room", lambda: scene.room)
    monkeypatch.setattr(wiring, "now", lambda: scene.now)
    one = wiring.match_invocation(lambda: 30_000)
    with pytest.raises(DatabaseAway):
        one(scene.message)
    assert scene.now - NOW == timedelta(seconds=ends_after)
    with pytest.raises(TransientFault, match="no time is left"):  # the next of the batch
        one(scene.message)


def test_trying_again_stops_at_the_age_limit(scene):
    scene.store.faults["connect"] = DatabaseAway("resuming")
    scene.now = NOW + timedelta(seconds=58)
    row = match(
        message=scene.message,
        room=scene.room,
        stopwatch=Stopwatch(lambda: 0.0),
        give_up_at=NOW + timedelta(seconds=500),
    )
    assert row.outcome is Outcome.STALE
    assert scene.gone


@pytest.mark.parametrize("step", ["put", "delete"])
def test_what_is_committed_does_not_become_stale_over_what_is_left(scene, step):
    """The search was done in time; the notice or the deletion had to wait until after the age limit."""
    scene.find("e", None)
    scene.now = NOW + timedelta(seconds=59)
    away = scene.room.outbox if step == "put" else scene.room.frames
    away.faults[step] = StorageFault("away")

    def waits(seconds):
        scene.now += timedelta(seconds=5)
        away.faults.clear()

    scene.room = replace(scene.room, wait=waits)
    row = match(
        message=scene.message,
        room=scene.room,
        stopwatch=Stopwatch(lambda: 0.0),
        give_up_at=NOW + timedelta(seconds=500),
    )
    assert (row.outcome, row.counts.candidates) == (Outcome.SEARCHED, 1)
    assert len(scene.room.outbox.notices) == 1
    assert scene.gone


def test_a_message_that_comes_back_late_finds_what_was_searched(scene):
    """A call that died between the deletion of the frame and the ledger: its message is older than the limit by now."""
    scene.room.ledger.faults["finish"] = StorageFault("away")
    with pytest.raises(StorageFault):
        scene.match()
    assert scene.gone
    scene.room.ledger.faults.clear()
    scene.now = NOW + timedelta(seconds=181)
    assert scene.match().outcome is Outcome.SEARCHED


def test_an_unwritable_audit_is_not_tried_again_in_here(scene):
    scene.store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable):
        scene.match()
    assert scene.waits == []


def test_a_frame_that_cannot_be_read_any_more_is_unreadable(scene):
    scene.room.frames.upload(scene.key, b"changed", NOW)
    row = scene.match()
    assert (row.outcome, row.reason) == (Outcome.UNREADABLE, Reason.NOT_AN_IMAGE)
    assert scene.gone
