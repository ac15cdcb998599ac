"""retain: its steps may each run again, and certify only what counted to zero (S04, S18, S23)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.audit import system_act
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import AuditUnwritable, DatabaseAway, StorageFault
from proviso.domain.folding import FOLD_SETTLES, fold_hour
from proviso.domain.frame import LedgerEntry, Outcome
from proviso.domain.monitoring import Cause
from proviso.domain.notice import Kind
from proviso.domain.ports import StopRecord
from proviso.domain.reasons import Reason
from proviso.domain.retention import (
    BACKUPS_KEPT,
    CLOSE_AFTER,
    GROUPS_DUE,
    LIST_UNUSED_AFTER,
    LOOK_EVERY,
    OUTCOMES_DUE,
    QUEUES,
    QUEUES_KEEP,
    Erasure,
    ListStanding,
    QueuesSeen,
    StoreCount,
)
from proviso.domain.subjects import UNAVAILABLE, UNLINKED
from proviso.stages.retain import RetainRoom, retain
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import (
    FakeAnchors,
    FakeChanges,
    FakeDue,
    FakeLedger,
    FakeNotices,
    FakeOutbox,
    FakePermits,
    FakePictures,
    FakeQueueLook,
    FakeRecords,
    FakeStops,
    FakeSubjects,
)
from tests.samples import CAMERA, DEPLOYMENT, END, NOW, SUSPENSION, candidate, frame_key, notice, permit, suspension
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
        self.told: list[tuple[str, str, str]] = []
        self.room = RetainRoom(
            clock=lambda: self.now,
            store=self.store,
            permits=FakePermits(),
            due=FakeDue(),
            spool=FakeStops(),
            evidence=DatedPictures("evidence"),
            enrolment=DatedPictures("enrolment"),
            outbox=FakeOutbox(),
            changes=FakeChanges(),
            ledger=FakeLedger(),
            subjects=FakeSubjects(),
            notices=FakeNotices(),
            queues=FakeQueueLook(),
            anchors=FakeAnchors(),
            records=FakeRecords(),
            software_build="test",
            pack="mobilefacenet",
            step=lambda *said: self.told.append(said),
        )
        self.room.permits.objects[CAMERA] = permit()
        self.room.queues.seen = QueuesSeen(NOW + timedelta(seconds=1), tuple((name, 0) for name in QUEUES))

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


def suspended(scene, **changed):
    """As the database leaves it: stopped by itself, and nothing else knows of it."""
    scene.store.rows[DEPLOYMENT] = replace(
        scene.store.rows[DEPLOYMENT],
        state=DeploymentState.STOPPED,
        finished_by="safeguard:S26",
        finished_at=scene.now,
    )
    scene.store.suspensions_waiting = [suspension(**{"suspended_at": scene.now, **changed})]


def test_what_suspended_itself_loses_its_permits_and_is_told_and_recorded(scene):
    suspended(scene)
    assert scene.retain().suspended == 1
    assert scene.room.permits.objects == {}
    assert scene.room.due.objects[DEPLOYMENT] == scene.now + CLOSE_AFTER
    assert f"notices/{SUSPENSION}/1-suspended.json" in scene.room.outbox.objects
    (act,) = [one for one in scene.store.acts if one.action == "deployment_suspended"]
    assert (act.chain, act.actor) == (DEPLOYMENT, "function:retain")
    assert act.details["figures"]["ln_e"] == "6.8"  # the audit knows no fractions
    assert scene.retain().suspended == 0
    assert len([one for one in scene.store.acts if one.action == "deployment_suspended"]) == 1


def test_a_suspension_that_cannot_be_told_is_not_written_off(scene):
    """The next run does it again: the record in the audit comes last."""
    suspended(scene)
    scene.room.outbox.faults["put"] = StorageFault("s3:PutObject")
    with pytest.raises(StorageFault):
        scene.retain()
    assert [one.id for one in scene.store.suspensions_waiting] == [SUSPENSION]
    assert scene.room.permits.objects == {}
    scene.room.outbox.faults.clear()
    assert scene.retain().suspended == 1


def test_what_came_to_light_after_the_end_stops_nothing_more(scene):
    suspended(scene, stopped=False, kind=Cause.NOT_TESTABLE)
    scene.retain()
    assert "review_asked_for" in [one.action for one in scene.store.acts if one.chain == DEPLOYMENT]
    assert "deployment_suspended" not in [one.action for one in scene.store.acts]


def test_an_expiry_is_recorded(scene):
    scene.store.expire_candidates = lambda now: ["c-2", "c-1"]
    assert scene.retain().expired == 2
    assert scene.store.acts[0].details == {"candidates": ["c-1", "c-2"]}
    assert scene.told == [("candidate expired", one, f"frame-of-{one}") for one in ("c-1", "c-2")]


def test_what_is_done_stays_done_when_the_log_cannot_be_told(scene):
    scene.store.expire_candidates = lambda now: ["c-1"]

    def away(_):
        raise StorageFault("away")

    scene.store.correlations = away
    assert scene.retain().expired == 1
    assert scene.told == []


def test_outcomes_that_nobody_recorded_are_closed_in_their_deployments_chains(scene):
    """S22."""
    scene.store.unanswered = {"d-2": ["c-3"], "d-1": ["c-2", "c-1"]}
    assert scene.retain().not_recorded == 3
    assert [(act.chain, act.action, act.details) for act in scene.store.acts] == [
        ("d-1", "outcomes_not_recorded", {"candidates": ["c-1", "c-2"]}),
        ("d-2", "outcomes_not_recorded", {"candidates": ["c-3"]}),
    ]
    assert OUTCOMES_DUE not in scene.room.due.objects


@pytest.mark.parametrize(("due", "woken"), [(timedelta(hours=3), timedelta(hours=3)), (timedelta(0), LOOK_EVERY)])
def test_retain_puts_down_when_the_next_outcome_is_closed(scene, due, woken):
    """Never for this moment: what is due in a run is taken away at its end, and then nothing would wake the next."""
    scene.room.due.objects[OUTCOMES_DUE] = NOW
    scene.store.outcome_due = NOW + due
    scene.retain()
    assert scene.room.due.objects[OUTCOMES_DUE] == NOW + woken


def test_what_was_due_for_an_outcome_that_came_wakes_nobody_any_more(scene):
    scene.room.due.objects[OUTCOMES_DUE] = NOW
    scene.retain()
    assert OUTCOMES_DUE not in scene.room.due.objects


def test_groups_that_are_counted_are_recorded_and_what_waits_wakes_retain(scene):
    """S28."""
    scene.store.groups, scene.store.groups_due = {"d-1": 2, "d-2": 1}, NOW + timedelta(hours=3)
    assert scene.retain().groups_counted == 3
    assert [(act.chain, act.action, act.details) for act in scene.store.acts] == [
        ("d-1", "groups_counted", {"counted": 2}),
        ("d-2", "groups_counted", {"counted": 1}),
    ]
    assert scene.room.due.objects[GROUPS_DUE] == NOW + timedelta(hours=3)


@pytest.mark.parametrize("due", [None, NOW])
def test_groups_that_cannot_be_counted_wake_retain_until_they_are(scene, due):
    """S28: also where what woke this run is taken away at its end."""
    if due:
        scene.room.due.objects[GROUPS_DUE] = due
    scene.store.faults["count_groups"] = StorageFault("s3")
    with pytest.raises(StorageFault):
        scene.retain()
    assert scene.room.due.objects[GROUPS_DUE] == NOW + LOOK_EVERY
    scene.store.faults.clear()
    scene.room.due.objects[GROUPS_DUE] = NOW
    scene.retain()
    assert GROUPS_DUE not in scene.room.due.objects


@pytest.mark.parametrize("fault", [StorageFault("s3"), AuditUnwritable("no")])
def test_outcomes_that_cannot_be_closed_keep_nothing_from_being_closed(scene, fault):
    """S23."""
    scene.store.rows[DEPLOYMENT] = replace(ACTIVE, state=DeploymentState.STOPPED, finished_at=NOW)
    scene.room.due.put(DEPLOYMENT, NOW)
    scene.store.faults["close_outcomes"] = fault
    with pytest.raises(type(fault)):
        scene.retain()
    assert scene.state is DeploymentState.CLOSED


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_a_lost_notice_is_put_with_its_own_time_of_use(scene, kind):
    until = NOW + timedelta(seconds=77)
    scene.store.unput_notices = lambda now: [(candidate(), "DEMONSTRATION", kind, until, "missing")]
    assert scene.retain().notices_put == 1
    (put,) = scene.room.outbox.notices
    assert (put.kind, put.expires_at, put.key) == (kind, until, notice(kind).key)
    assert scene.retain().notices_put == 0


def test_a_notice_that_has_a_receipt_is_not_put_again(scene):
    scene.store.unput_notices = lambda now: [(candidate(), "", Kind.RAISED, END, "missing")]
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
    asked = len(scene.room.ledger.journal)
    assert scene.retain().folded == 0
    assert len(scene.room.ledger.journal) == asked, "an hour that is folded is not read again"


def test_an_hour_is_folded_once_nobody_can_write_into_it_any_more(scene):
    """A function that began within the hour may end a frame shortly after it."""
    end_of_hour = NOW.replace(minute=0, second=0, microsecond=0)
    row = LedgerEntry(frame_key(1), Outcome.REFUSED, end_of_hour, Reason.NO_PERMIT, camera="gate-1")
    scene.room.ledger.finish(replace(row, finished_at=end_of_hour - timedelta(seconds=1)))
    scene.now = end_of_hour + FOLD_SETTLES - timedelta(seconds=1)
    assert scene.retain().folded == 0
    scene.now = end_of_hour + FOLD_SETTLES
    assert scene.retain().folded == 1


def test_after_days_without_a_run_all_that_the_ledger_has_is_folded(scene):
    for days in (4, 2, 1):
        ended = NOW - timedelta(days=days)
        row = LedgerEntry(frame_key(days), Outcome.REFUSED, ended, Reason.NO_PERMIT, camera="gate-1")
        scene.room.ledger.finish(replace(row, finished_at=ended))
    scene.store.folds = [(fold_hour(NOW - timedelta(days=5)), 0)]
    assert scene.retain().folded == 2
    hours = [act.details["hour"] for act in scene.store.acts]
    assert hours == [fold_hour(NOW - timedelta(days=2)), fold_hour(NOW - timedelta(days=1))]


def test_many_hours_are_folded_one_after_the_other_so_that_a_run_that_dies_leaves_what_it_did(scene, monkeypatch):
    """After a restore all that the ledger has is folded again: more than fits into one run's time or memory."""
    monkeypatch.setattr("proviso.stages.folding._AT_ONCE", 2)
    for hours in (5, 4, 3):
        ended = NOW - timedelta(hours=hours)
        for sequence in (1, 2):
            key = frame_key(10 * hours + sequence)
            row = LedgerEntry(key, Outcome.REFUSED, ended, Reason.NO_PERMIT, camera="gate-1")
            scene.room.ledger.finish(replace(row, finished_at=ended))
    real = scene.room.ledger.not_searched

    def away(hour):
        if hour == fold_hour(NOW - timedelta(hours=3)):
            raise StorageFault("away")
        return real(hour)

    scene.room.ledger.not_searched = away
    with pytest.raises(StorageFault):
        scene.retain()
    assert scene.store.folds == [(fold_hour(NOW - timedelta(hours=5)), 2), (fold_hour(NOW - timedelta(hours=4)), 2)]
    scene.room.ledger.not_searched = real
    assert scene.retain().folded == 2
    assert [act.details["frames"] for act in scene.store.acts if act.action == "frames_not_searched"] == [2, 2, 2]


def test_of_two_runs_at_once_one_folds(scene):
    hour_ago = NOW - timedelta(hours=1)
    row = LedgerEntry(frame_key(1), Outcome.REFUSED, hour_ago, Reason.NO_PERMIT, camera="gate-1")
    scene.room.ledger.finish(replace(row, finished_at=hour_ago))
    scene.store.searched = lambda keys: scene.store.folds.append((fold_hour(hour_ago), 1)) or set()
    assert scene.retain().folded == 0
    assert scene.store.acts == []


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
    scene.room.subjects.make("list-1", "e", NOW)
    scene.room.subjects.make("list-2", "e", NOW)
    for candidate_id in ("c-1", "c-9"):
        scene.room.notices.claim(notice(candidate_id=candidate_id), NOW, 60)
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
    stores = {"permits", "evidence", "enrolment pictures", "subject keys", "outbox", "notices"}
    stores |= {f"queue {name}" for name in QUEUES}
    assert {count.store: count.left for count in certificate.counts} == dict.fromkeys(stores, 0)
    assert set(over.room.subjects.keys) == {("list-2", "e")}
    assert certificate.backups_expire_at - certificate.verified_at == timedelta(days=1)
    assert over.room.notices.items.keys() == {"c-9"}
    assert ("list", "list-1") in over.room.anchors.erased_names()
    assert over.room.due.objects == {DEPLOYMENT: NOW + BACKUPS_KEPT}  # for the second certificate


def test_a_key_that_could_not_be_destroyed_keeps_the_certificate_back(over):
    """S30: its records could still be read."""
    over.room.subjects.faults["destroy_list"] = StorageFault("away")
    with pytest.raises(StorageFault):
        over.retain()
    assert over.store.certificates == {}
    over.room.subjects.faults.clear()
    over.room.subjects.destroy_list = lambda watchlist_id: 0  # one that says it did
    assert over.retain().not_closed == (DEPLOYMENT,)


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


def test_the_second_certificate_follows_when_the_last_backup_has_expired(over):
    over.retain()
    over.now = NOW + BACKUPS_KEPT - timedelta(seconds=1)
    assert over.retain().backups_expired == ()
    over.now = NOW + BACKUPS_KEPT
    over.room.due.objects.clear()  # even where nobody says that it is due
    assert over.retain().backups_expired == (DEPLOYMENT,)
    assert over.actions[-1] == "backups_expired"
    assert over.room.due.objects == {}
    assert over.retain().backups_expired == ()


@pytest.mark.parametrize("store", ["outbox", "notices"])
def test_what_stays_of_a_notice_prevents_the_certificate(over, store):
    port = getattr(over.room, store)
    setattr(port, "delete_candidate" if store == "outbox" else "delete", lambda candidate_id: None)
    assert over.retain().not_closed == (DEPLOYMENT,)
    assert over.store.certificates == {}


def test_a_permit_that_stays_prevents_the_certificate(over):
    over.room.permits.delete = lambda camera: None
    assert over.retain().not_closed == (DEPLOYMENT,)


# --- queues (S23) -----------------------------------------------------------------------------------------------------


def looked(at, **holds):
    return QueuesSeen(at, tuple((name, holds.get(name, 0)) for name in QUEUES))


AFTER = NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "nobody has looked"),
        (looked(NOW), "nobody has looked"),
        (looked(AFTER, faces=2), "queue faces holds 2"),
        (looked(AFTER, **{"dead frames": 1}), "queue dead frames holds 1"),
        (QueuesSeen(AFTER, (("frames", 0),)), "lacks faces"),
    ],
)
def test_a_queue_that_may_hold_a_message_keeps_it_from_being_certified_and_nothing_from_being_deleted(over, seen, why):
    over.room.queues.seen = seen
    over.now = AFTER
    done = over.retain()
    assert (done.closed, done.not_closed) == ((), ())
    assert why in done.waiting[0]
    assert over.state is DeploymentState.STOPPED
    assert "evidence/other/c-9.jpg" in over.room.evidence.objects
    assert len(over.room.evidence.objects) == 1
    assert over.room.due.objects[DEPLOYMENT] < AFTER + timedelta(seconds=1)
    over.room.queues.seen = looked(AFTER)
    over.room.due.put(DEPLOYMENT, AFTER)
    assert over.retain().closed == (DEPLOYMENT,)


def test_after_the_longest_retention_no_queue_can_hold_anything_of_it(over):
    over.room.queues.seen = looked(AFTER, frames=9)  # of another deployment, for all that is known
    over.now = NOW + QUEUES_KEEP - timedelta(seconds=1)
    assert over.retain().closed == ()
    assert over.room.due.objects[DEPLOYMENT] == NOW + QUEUES_KEEP
    over.now = NOW + QUEUES_KEEP
    assert over.retain().closed == (DEPLOYMENT,)


def test_a_deployment_that_waits_is_recorded_as_erased_once(over):
    over.room.queues.seen = None
    over.store.left_counts = [StoreCount("templates", 1)]
    over.retain()
    over.store.left_counts = [StoreCount("templates", 0)]
    for _ in range(3):
        over.room.due.put(DEPLOYMENT, NOW)
        over.retain()
    assert over.actions.count("erased") == 1


# --- evidence (S24) ---------------------------------------------------------------------------------------------------


def test_old_evidence_goes_the_row_first_with_a_record(scene):
    scene.store.old_evidence = {DEPLOYMENT: ["c-1", "c-2"]}
    scene.store.candidate_ids = ["c-1", "c-2", "c-3"]
    scene.room.evidence.objects = {f"evidence/{DEPLOYMENT}/c-{n}.jpg": b"x" for n in (1, 2, 3)}
    assert scene.retain().evidence_deleted == 2
    assert set(scene.room.evidence.objects) == {f"evidence/{DEPLOYMENT}/c-3.jpg"}
    (act,) = [act for act in scene.store.acts if act.action == "evidence_deleted"]
    assert act.chain == DEPLOYMENT
    assert len(act.details["pictures"]) == 2


def test_a_picture_that_cannot_be_deleted_is_told_and_goes_as_a_stray_one_later(scene):
    scene.store.old_evidence = {DEPLOYMENT: ["c-1"]}
    scene.room.evidence.objects = {f"evidence/{DEPLOYMENT}/c-1.jpg": b"x"}
    scene.room.evidence.stored = {f"evidence/{DEPLOYMENT}/c-1.jpg": NOW - timedelta(hours=24)}
    scene.room.evidence.faults["delete"] = StorageFault("denied")
    with pytest.raises(StorageFault):
        scene.retain()
    del scene.room.evidence.faults["delete"]
    scene.store.old_evidence = {}  # its row has no key any more
    assert scene.retain().stray_evidence == 1
    assert scene.room.evidence.objects == {}


def test_held_evidence_stays_when_a_deployment_closes_and_the_certificate_says_how_many(over):
    key = f"evidence/{DEPLOYMENT}/c-1.jpg"
    over.store.held = [key]
    over.store.hold_ends = lambda deployment_id: NOW + timedelta(hours=3)
    assert over.retain().closed == (DEPLOYMENT,)
    assert key in over.room.evidence.objects
    assert over.store.certificates[DEPLOYMENT].held == 1
    assert over.store.acts[-1].details["held"] == 1
    assert over.room.due.objects[DEPLOYMENT] == NOW + timedelta(hours=3)  # sooner than the backups


# --- lists by themselves (S23) ----------------------------------------------------------------------------------------


@pytest.fixture
def unused(scene):
    scene.store.rows = {}
    scene.store.lists = {"list-1": ListStanding("list-1", NOW, None, None, used=False)}
    scene.room.enrolment.objects = {"enrolment/list-1/e/r.jpg": b"x", "enrolment/list-2/e/r.jpg": b"x"}
    scene.room.due.put("list-list-1", NOW + LIST_UNUSED_AFTER)
    return scene


def test_a_list_that_no_deployment_asked_for_goes_by_itself(unused):
    unused.now = NOW + LIST_UNUSED_AFTER - timedelta(seconds=1)
    assert unused.retain().lists_erased == ()
    unused.now = NOW + LIST_UNUSED_AFTER
    assert unused.retain().lists_erased == ("list-1",)
    assert set(unused.room.enrolment.objects) == {"enrolment/list-2/e/r.jpg"}
    assert unused.actions == ["watchlist_erased", "watchlist_gone"]
    assert unused.store.acts[-1].details["left"] == {"enrolment pictures": 0, "subject keys": 0}
    assert ("list", "list-1") in unused.room.anchors.erased_names()
    assert unused.room.due.objects == {}


def test_a_list_that_is_asked_to_go_goes_at_once(unused):
    unused.store.lists["list-1"] = ListStanding("list-1", NOW, NOW, None, used=False)
    unused.room.due.put("list-list-1", NOW)
    assert unused.retain().lists_erased == ("list-1",)


def test_a_list_that_a_deployment_uses_goes_with_that_one(unused):
    unused.store.lists["list-1"] = ListStanding("list-1", NOW, None, None, used=True)
    unused.now = NOW + LIST_UNUSED_AFTER
    assert unused.retain().lists_erased == ()
    assert unused.room.due.objects == {}
    assert len(unused.room.enrolment.objects) == 2


def test_a_list_whose_pictures_are_not_all_gone_stays_due(unused):
    unused.now = NOW + LIST_UNUSED_AFTER
    unused.room.enrolment.delete = lambda key: None
    assert unused.retain().not_closed == ("list-list-1",)
    del unused.room.enrolment.delete
    assert unused.retain().lists_erased == ("list-1",)


# --- after a restore (S23) --------------------------------------------------------------------------------------------


def test_what_a_restore_brought_back_is_erased_again_first(scene):
    scene.store.lists = {"list-1": ListStanding("list-1", NOW, None, None, used=True)}
    for erasure in (Erasure("list", "list-1", NOW), Erasure("entry", "entry-9", NOW)):
        scene.room.anchors.put_erasure(erasure)
    scene.room.queues.seen = looked(AFTER)
    done = scene.retain()
    assert (done.replayed, done.closed) == (2, (DEPLOYMENT,))
    assert scene.state is DeploymentState.CLOSED
    assert scene.store.removed == {"entry-9"}
    assert scene.room.permits.objects == {}
    replayed = [act for act in scene.store.acts if act.action == "erasure_replayed"]
    assert {act.subject for act in replayed} == {"list-1", UNLINKED}  # the entry's key is gone (S30)
    assert scene.retain().replayed == 0


@pytest.mark.parametrize("away", [False, True])
def test_a_removal_that_is_replayed_is_recorded_under_the_pseudonym_if_the_keys_can_be_read(scene, away):
    scene.room.subjects.make("list-1", "entry-9", NOW)
    name = scene.room.subjects.pseudonym("list-1", "entry-9")
    scene.room.anchors.put_erasure(Erasure("entry", "entry-9", NOW))
    if away:
        scene.room.subjects.faults["*"] = StorageFault("away")
    scene.retain()
    assert scene.store.removed == {"entry-9"}
    (act,) = [act for act in scene.store.acts if act.action == "erasure_replayed"]
    assert act.subject == (UNAVAILABLE if away else name)


def test_an_erasure_that_is_not_outside_yet_is_put_there(scene):
    scene.store.removed = {"entry-1"}
    scene.retain()
    assert scene.room.anchors.erased_names() == {("entry", "entry-1")}


def test_erasures_that_cannot_be_read_keep_nothing_from_ending(scene):
    scene.now = END
    scene.room.anchors.faults["erased_names"] = StorageFault("denied")
    with pytest.raises(StorageFault):
        scene.retain()
    assert scene.state is DeploymentState.ENDED


# --- one that fails (S36) ---------------------------------------------------------------------------------------------


def test_a_deployment_that_cannot_be_closed_keeps_no_other(over):
    other = replace(over.store.rows[DEPLOYMENT], id="z-later", watchlist_id="list-2")
    over.store.rows["z-later"] = other
    over.room.due.put("z-later", NOW)
    keys = over.room.enrolment.keys

    def failing(prefix, stored_before=None):
        if "list-1" in prefix:
            raise StorageFault("denied")
        return keys(prefix, stored_before)

    over.room.enrolment.keys = failing
    with pytest.raises(StorageFault):
        over.retain()
    assert over.state is DeploymentState.STOPPED
    assert over.store.rows["z-later"].state is DeploymentState.CLOSED


def test_what_is_due_and_cannot_be_read_keeps_what_is_forgotten_from_nothing(over):
    over.now = NOW + CLOSE_AFTER
    over.room.due.faults["due"] = StorageFault("denied")
    with pytest.raises(StorageFault):
        over.retain()
    assert over.state is DeploymentState.CLOSED


def test_a_database_that_is_away_ends_the_run(scene):
    scene.store.faults["begin"] = DatabaseAway("asleep")
    with pytest.raises(DatabaseAway):
        scene.retain()


def test_days_without_a_run(scene):
    """One run ends, closes and certifies; the next one, a day later, says that the backups are gone."""
    scene.now = NOW + timedelta(days=5)
    scene.room.enrolment.objects = {"enrolment/list-1/e/r.jpg": b"x"}
    done = scene.retain()
    assert (done.ended, done.closed) == (1, (DEPLOYMENT,))
    assert scene.room.enrolment.objects == {}
    scene.now += BACKUPS_KEPT
    assert scene.retain().backups_expired == (DEPLOYMENT,)


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
