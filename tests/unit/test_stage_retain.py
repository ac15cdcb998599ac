"""retain: its steps may each run again, and certify only what counted to zero (S04, S18, S23)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.audit import system_act
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import AuditUnwritable, StorageFault
from proviso.domain.frame import LedgerEntry, Outcome
from proviso.domain.notice import Kind
from proviso.domain.ports import StopRecord
from proviso.domain.reasons import Reason
from proviso.domain.retention import CLOSE_AFTER, LOOK_EVERY, StoreCount
from proviso.stages.retain import RetainRoom, retain
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import FakeAnchors, FakeDue, FakeLedger, FakeOutbox, FakePermits, FakePictures, FakeStops
from tests.samples import CAMERA, DEPLOYMENT, END, NOW, candidate, frame_key, notice, permit
from tests.samples import deployment as asked

ACTIVE = asked(state=DeploymentState.ACTIVE, started_at=NOW)


class DatedPictures(FakePictures):
    """FakePictures with the time at which each was stored."""

    def __init__(self, port):
        super().__init__(port=port)
        self.stored: dict[str, object] = {}

    def keys(self, prefix, stored_before=None):
        found = [key for key in self.objects if key.startswith(prefix)]
        return sorted(key for key in found if stored_before is None or self.stored.get(key, NOW) < stored_before)


class Scene:
    def __init__(self) -> None:
        self.now = NOW
        self.store = MemoryDeployments(rows={DEPLOYMENT: ACTIVE})
        self.room = RetainRoom(
            clock=lambda: self.now,
            store=self.store,
            permits=FakePermits(),
            due=FakeDue(),
            spool=FakeStops(),
            evidence=DatedPictures("evidence"),
            enrolment=DatedPictures("enrolment"),
            outbox=FakeOutbox(),
            ledger=FakeLedger(),
            anchors=FakeAnchors(),
        )
        self.room.permits.objects[CAMERA] = permit()

    def retain(self):
        return retain(room=self.room)

    @property
    def state(self):
        return self.store.rows[DEPLOYMENT].state

    @property
    def actions(self):
        return [act.action for act in self.store.acts]


@pytest.fixture
def scene():
    return Scene()


@pytest.mark.parametrize("which", [DEPLOYMENT, None])
def test_a_spooled_stop_is_carried_out_and_recorded(scene, which):
    scene.room.spool.put(StopRecord("s", NOW, "anybody", which))
    assert scene.retain().stopped == 1
    assert scene.state is DeploymentState.STOPPED
    assert scene.room.permits.objects == {}  # a start between the stop and now had written them again
    assert scene.room.spool.objects == {}
    assert scene.actions == ["deployment_stopped", "stop_carried_out"]
    assert {act.actor for act in scene.store.acts} == {"anybody"}
    assert scene.room.due.objects[DEPLOYMENT] == NOW + CLOSE_AFTER


def test_a_spooled_stop_of_what_is_stopped_already_is_recorded_too(scene):
    """It is the only record of a stop that could not be recorded when it was done."""
    scene.store.rows[DEPLOYMENT] = replace(ACTIVE, state=DeploymentState.STOPPED, finished_at=NOW)
    scene.room.spool.put(StopRecord("s", NOW, "anybody", DEPLOYMENT))
    scene.retain()
    assert scene.actions == ["stop_carried_out"]
    assert scene.store.acts[0].details["stop"] == "s"


def test_a_spooled_stop_works_when_the_audit_does_not(scene):
    scene.room.spool.put(StopRecord("s", NOW, "anybody", DEPLOYMENT))
    scene.store.faults["audit"] = AuditUnwritable("no")
    scene.retain()
    assert scene.state is DeploymentState.STOPPED
    assert "s" in scene.room.spool.objects  # until it can be recorded
    scene.store.faults.clear()
    scene.retain()
    assert scene.actions == ["stop_carried_out"]
    assert scene.room.spool.objects == {}


@pytest.mark.parametrize("unreadable", [False, True])
def test_what_is_over_ends_and_loses_its_permits(scene, unreadable):
    scene.now = END
    if unreadable:
        scene.room.permits.objects[CAMERA] = None
    assert scene.retain().ended == 1
    assert scene.state is DeploymentState.ENDED
    assert scene.room.permits.objects == {}
    assert scene.room.due.objects[DEPLOYMENT] == END + CLOSE_AFTER


def test_the_permit_of_the_next_deployment_stays(scene):
    scene.now = END
    scene.room.permits.objects[CAMERA] = permit(deployment_id="next")
    scene.retain()
    assert CAMERA in scene.room.permits.objects


def test_an_expiry_is_recorded(scene):
    scene.store.expire_candidates = lambda now: ["c-2", "c-1"]
    assert scene.retain().expired == 2
    assert scene.store.acts[0].details == {"candidates": ["c-1", "c-2"]}


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_a_lost_notice_is_put_with_its_own_time_of_use(scene, kind):
    until = NOW + timedelta(seconds=77)
    scene.store.unput_notices = lambda now: [(candidate(), "DEMONSTRATION", kind, until)]
    assert scene.retain().notices_put == 1
    (put,) = scene.room.outbox.notices
    assert (put.kind, put.expires_at, put.key) == (kind, until, notice(kind).key)
    assert scene.retain().notices_put == 0


def test_a_notice_that_has_a_receipt_is_not_put_again(scene):
    scene.store.unput_notices = lambda now: [(candidate(), "", Kind.RAISED, END)]
    scene.room.outbox.put_receipt(candidate().id, Kind.RAISED, "sent", NOW)
    assert scene.retain().notices_put == 0


def test_frames_that_were_never_searched_are_folded_into_the_audit_once(scene):
    hour_ago = NOW - timedelta(hours=1)
    for sequence, camera in enumerate(["gate-1", "gate-1", "gate-2", None]):
        row = LedgerEntry(frame_key(sequence), Outcome.REFUSED, hour_ago, Reason.NO_PERMIT, camera=camera)
        scene.room.ledger.finish(replace(row, finished_at=hour_ago))
    assert scene.retain().folded == 4
    folds = {(act.subject, act.details["frames"]) for act in scene.store.acts}
    assert folds == {("gate-1", 2), ("gate-2", 1), ("unknown", 1)}
    assert scene.retain().folded == 0


def test_a_committed_search_is_not_folded_as_stale(scene):
    """A crash after the commit leaves the ledger to sweep, which says stale; the audit knows better."""
    hour_ago = NOW - timedelta(hours=1)
    for sequence in (1, 2):
        row = LedgerEntry(frame_key(sequence), Outcome.STALE, hour_ago, Reason.STALE, camera="gate-1")
        scene.room.ledger.finish(replace(row, finished_at=hour_ago))
    scene.store.searched_keys = {frame_key(1)}
    scene.retain()
    assert [(act.subject, act.details["frames"]) for act in scene.store.acts] == [("gate-1", 1)]
    assert scene.retain().folded == 0


def test_evidence_that_belongs_to_no_candidate_goes_after_a_while(scene):
    scene.store.candidate_ids = ["kept"]
    scene.room.evidence.objects = {f"evidence/d/{name}.jpg": b"x" for name in ("kept", "stray", "young")}
    old = NOW - timedelta(minutes=16)
    scene.room.evidence.stored = {f"evidence/d/{name}.jpg": old for name in ("kept", "stray")}
    assert scene.retain().stray_evidence == 1
    assert sorted(scene.room.evidence.objects) == ["evidence/d/kept.jpg", "evidence/d/young.jpg"]


@pytest.fixture
def over(scene):
    scene.store.rows[DEPLOYMENT] = replace(ACTIVE, state=DeploymentState.STOPPED, finished_at=NOW, finished_by="x")
    scene.store.candidate_ids = ["c-1"]
    scene.room.evidence.objects = {f"evidence/{DEPLOYMENT}/c-1.jpg": b"x", "evidence/other/c-9.jpg": b"x"}
    scene.room.enrolment.objects = {"enrolment/list-1/e/r.jpg": b"x", "enrolment/list-2/e/r.jpg": b"x"}
    scene.room.outbox.put(notice(candidate_id="c-1"))
    scene.room.outbox.put(notice(candidate_id="c-9"))
    scene.room.due.put(DEPLOYMENT, NOW)
    return scene


def test_closing_deletes_in_every_store_and_certifies_zero(over):
    assert over.retain().closed == (DEPLOYMENT,)
    assert over.state is DeploymentState.CLOSED
    assert set(over.room.evidence.objects) == {"evidence/other/c-9.jpg"}
    assert set(over.room.enrolment.objects) == {"enrolment/list-2/e/r.jpg"}
    assert [one.candidate_id for one in over.room.outbox.notices] == ["c-9"]
    assert over.room.permits.objects == {}
    certificate = over.store.certificates[DEPLOYMENT]
    assert {count.store: count.left for count in certificate.counts} == {
        "evidence": 0,
        "enrolment pictures": 0,
        "outbox": 0,
    }
    assert certificate.backups_expire_at - certificate.verified_at == timedelta(days=1)
    assert over.room.due.objects == {}


def test_what_does_not_count_to_zero_is_not_certified_and_stays_due(over):
    over.store.left_counts = [StoreCount("templates", 1)]
    assert over.retain().not_closed == (DEPLOYMENT,)
    assert over.state is DeploymentState.STOPPED
    assert over.store.certificates == {}
    over.store.left_counts = [StoreCount("templates", 0)]
    assert over.retain().closed == (DEPLOYMENT,)


def test_a_picture_that_was_not_deleted_prevents_the_certificate(over):
    over.room.evidence.delete = lambda key: None
    assert over.retain().not_closed == (DEPLOYMENT,)


def test_a_list_that_another_deployment_needs_keeps_its_pictures(over):
    over.store.erase = lambda deployment_id: None
    assert over.retain().closed == (DEPLOYMENT,)
    assert "enrolment/list-1/e/r.jpg" in over.room.enrolment.objects


def test_what_nobody_marked_as_due_is_closed_in_time_all_the_same(over):
    over.room.due.objects.clear()
    assert over.retain().closed == ()
    over.now = NOW + CLOSE_AFTER
    assert over.retain().closed == (DEPLOYMENT,)


def test_an_active_deployment_is_looked_at_again_and_left_alone(scene):
    scene.room.due.put(DEPLOYMENT, NOW)
    scene.retain()
    assert scene.state is DeploymentState.ACTIVE
    assert scene.room.due.objects[DEPLOYMENT] == NOW + LOOK_EVERY


def test_what_is_due_and_unknown_is_forgotten(scene):
    scene.room.due.put("unknown", NOW)
    scene.retain()
    assert "unknown" not in scene.room.due.objects


def test_the_audit_is_anchored_last_and_after_a_transition_at_once(scene):
    scene.store.acts.append(system_act(NOW, "a", "did", "thing", {}))
    assert scene.retain().anchored == 1
    scene.store.acts.append(system_act(NOW, "a", "did", "another thing", {}))
    assert scene.retain().anchored == 0  # within ten minutes
    scene.room.spool.put(StopRecord("s", NOW, "anybody", None))
    assert scene.retain().anchored == 2  # the deployment's chain, and the system's with what had waited


def test_a_fault_of_the_anchors_bucket_is_told_and_comes_again(scene):
    scene.store.acts.append(system_act(NOW, "a", "did", "thing", {}))
    scene.room.anchors.faults["put"] = StorageFault("no")
    with pytest.raises(StorageFault):
        scene.retain()
    assert any(name.startswith("anchor-") for name in scene.room.due.objects)
