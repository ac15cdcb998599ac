"""Starting opens last; stopping closes first, and needs nothing (rule 9, S04, S36)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import AuditUnwritable, DatabaseAway, StorageFault
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import CLOSE_AFTER, LOOK_EVERY
from proviso.stages import deployment
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import FakeContacts, FakeDue, FakePermits, FakeStops
from tests.samples import DEPLOYMENT, NOW, PIPELINE, SOFTWARE, permit, principal
from tests.samples import deployment as asked

AUTHORISED = replace(
    asked(cameras=("gate-1", "gate-2")), state=DeploymentState.AUTHORISED, authorised_by="authoriser", authorised_at=NOW
)
AUTHORISED = replace(AUTHORISED, authorised_digest=AUTHORISED.digest)


class Room:
    def __init__(self) -> None:
        self.journal: list[str] = []
        self.now = NOW
        self.store = MemoryDeployments(self.journal, rows={DEPLOYMENT: AUTHORISED})
        self.permits = FakePermits(self.journal)
        self.due = FakeDue(self.journal)
        self.spool = FakeStops(self.journal)
        self.board = FakeContacts(self.journal)

    @property
    def state(self):
        return self.store.rows[DEPLOYMENT].state

    def start(self, by=None, **changed):
        return deployment.start(
            principal=by or principal("requester", Role.REQUESTER),
            deployment_id=DEPLOYMENT,
            store=self.store,
            permits=self.permits,
            due=self.due,
            board=self.board,
            clock=lambda: self.now,
            **{"pipeline": PIPELINE, "software_build": SOFTWARE, **changed},
        )

    def stop(self, deployment_id=DEPLOYMENT):
        return deployment.stop(
            sub="anybody",
            deployment_id=deployment_id,
            store=self.store,
            permits=self.permits,
            due=self.due,
            spool=self.spool,
            clock=lambda: self.now,
            new_id=lambda: "stop-1",
        )


@pytest.fixture
def room():
    return Room()


@pytest.fixture
def running(room):
    room.start()
    room.journal.clear()
    return room


def test_permits_are_written_last(room):
    started = room.start()
    assert started.state is DeploymentState.ACTIVE
    assert room.journal == [
        "store.begin",
        "store.commit",
        "store.begin",
        "store.deployment",
        "store.begin_warming",
        "store.audit deployment_warming",
        "store.commit",
        "store.begin",
        "store.warm",
        "store.commit",
        "store.begin",
        "store.deployment",
        "store.activate",
        "store.audit deployment_started",
        "store.deployment",
        "store.commit",
        f"due.put {DEPLOYMENT}",
        "store.begin",
        "store.deployment",
        "store.commit",
        f"contacts.put_members {DEPLOYMENT}",
        "store.begin",
        "store.deployment",
        "store.commit",
        "permits.write gate-1",
        "permits.write gate-2",
        "store.begin",
        "store.deployment",
        "store.commit",
    ]
    written = room.permits.objects["gate-1"]
    assert (written.digest, written.pipeline) == (AUTHORISED.digest, PIPELINE)
    assert (written.starts_at, written.ends_at) == (AUTHORISED.starts_at, AUTHORISED.ends_at)
    assert room.due.objects[DEPLOYMENT] == NOW + LOOK_EVERY


@pytest.mark.parametrize(
    ("changed", "row", "reason"),
    [
        ({"pipeline": "8" * 64}, {}, Reason.DIGEST_DIFFERS),
        ({"software_build": "another"}, {}, Reason.DIGEST_DIFFERS),
        ({}, {"state": DeploymentState.REQUESTED}, Reason.WRONG_STATE),
        ({}, {"state": DeploymentState.STOPPED}, Reason.WRONG_STATE),
        ({}, {"authorised_digest": "f" * 64}, Reason.DIGEST_DIFFERS),
        ({}, {"place": "Gate 2"}, Reason.DIGEST_DIFFERS),
        ({}, {"requested_at": NOW - timedelta(hours=25)}, Reason.BUILD_TOO_OLD),
        ({"now": AUTHORISED.ends_at}, {}, Reason.OUTSIDE_WINDOW),
        ({"now": AUTHORISED.starts_at - timedelta(seconds=1)}, {}, Reason.OUTSIDE_WINDOW),
        ({"by": principal("x", Role.REVIEWER)}, {}, Reason.ROLE_MISSING),
    ],
)
def test_a_start_that_is_not_what_was_authorised_writes_no_permit(room, changed, row, reason):
    room.now = changed.pop("now", NOW)
    room.store.rows[DEPLOYMENT] = replace(AUTHORISED, **row)
    assert room.start(**changed).reason is reason
    assert room.permits.objects == {}
    assert room.store.acts == []


def test_an_uncalibrated_pipeline_starts_only_where_the_policy_allows_it(room):
    strict = replace(AUTHORISED, policy=replace(AUTHORISED.policy, calibration_required=True))
    room.store.rows[DEPLOYMENT] = replace(strict, authorised_digest=strict.digest)
    assert room.start().reason is Reason.NOT_CALIBRATED
    assert room.permits.objects == {}


def test_a_build_without_a_usable_reference_does_not_start(room):
    room.store.references = 0
    assert room.start().reason is Reason.BUILD_EMPTY
    assert room.state is DeploymentState.WARMING
    assert room.permits.objects == {}
    room.store.references = 1
    assert room.start().state is DeploymentState.ACTIVE


def test_a_stop_while_it_warms_wins(room):
    """The query over the list takes its time, and somebody stops meanwhile."""
    warm = room.store.warm

    def stopped_meanwhile(build_id):
        room.stop()
        return warm(build_id)

    room.store.warm = stopped_meanwhile
    assert room.start().reason is Reason.WRONG_STATE
    assert room.state is DeploymentState.STOPPED
    assert room.permits.objects == {}


def test_an_activation_that_cannot_be_recorded_does_not_happen(room):
    room.store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable):
        room.start()
    assert room.state is DeploymentState.AUTHORISED
    assert room.permits.objects == {}


def test_a_stop_during_the_start_wins(room):
    write = room.permits.write

    def stopped_meanwhile(made):
        write(made)
        room.store.rows[DEPLOYMENT] = replace(room.store.rows[DEPLOYMENT], state=DeploymentState.STOPPED)

    room.permits.write = stopped_meanwhile
    assert isinstance(room.start(), Refused)
    assert room.permits.objects == {}


def test_a_start_that_writes_its_permits_during_a_stop_loses_them(running):
    """The other way round: the permits come after the stop has listed them, and before it has the row."""
    stop_row = running.store.stop

    def started_meanwhile(*given):
        running.permits.objects["gate-1"] = permit(deployment_id=DEPLOYMENT)
        return stop_row(*given)

    running.store.stop = started_meanwhile
    running.stop()
    assert running.permits.objects == {}
    assert running.state is DeploymentState.STOPPED


def test_a_stop_takes_the_permits_first_and_then_the_row(running):
    stopped = running.stop()
    assert running.journal[:2] == ["permits.delete gate-1", "permits.delete gate-2"]
    assert f"store.stop {DEPLOYMENT}" in running.journal
    assert running.journal.index("permits.delete gate-2") < running.journal.index("store.begin")
    assert (stopped.deployments, stopped.permits_deleted) == ((DEPLOYMENT,), ("gate-1", "gate-2"))
    assert not stopped.spooled
    assert running.state is DeploymentState.STOPPED
    assert running.due.objects[DEPLOYMENT] == NOW + CLOSE_AFTER
    assert [act.action for act in running.store.acts][-1] == "deployment_stopped"
    assert running.store.acts[-1].actor == "anybody"


@pytest.mark.parametrize("step", ["begin", "stop", "audit", "commit"])
def test_a_stop_with_the_database_away_still_takes_the_permits_and_is_spooled(running, step):
    running.store.faults[step] = DatabaseAway("resuming")
    stopped = running.stop()
    assert running.permits.objects == {}
    assert stopped.spooled
    (record,) = running.spool.objects.values()
    assert (record.actor, record.deployment_id, record.at) == ("anybody", DEPLOYMENT, NOW)


def test_a_stop_that_cannot_be_recorded_stops_all_the_same(running):
    """S36: an act that cannot be recorded is not done, but for stopping."""
    running.store.faults["audit"] = AuditUnwritable("no")
    stopped = running.stop()
    assert running.state is DeploymentState.STOPPED
    assert stopped.deployments == (DEPLOYMENT,)
    assert stopped.spooled  # its record waits here until it can be written
    assert running.permits.objects == {}


def test_a_stop_that_cannot_be_recorded_is_spooled_before_the_row_is_tried_again(running):
    """That may wait for a database that wakes, and be the end of the call."""
    running.store.faults["audit"] = AuditUnwritable("no")
    spooled: list[DeploymentState] = []
    put = running.spool.put
    running.spool.put = lambda record: (spooled.append(running.state), put(record))
    running.stop()
    assert spooled == [DeploymentState.ACTIVE]
    assert running.state is DeploymentState.STOPPED


def test_a_stop_that_can_neither_be_recorded_nor_spooled_stops_the_row(running):
    running.store.faults["audit"] = AuditUnwritable("no")
    running.spool.faults["put"] = StorageFault("away")
    with pytest.raises(StorageFault):
        running.stop()
    assert running.state is DeploymentState.STOPPED


@pytest.mark.parametrize("method", ["cameras", "read", "delete", "*"])
def test_a_stop_with_the_bucket_away_stops_the_row_and_says_so(running, method):
    """The row is the gate; a permit that cannot be deleted must not keep it open."""
    running.permits.faults[method] = StorageFault("away")
    with pytest.raises(StorageFault):
        running.stop()
    assert running.state is DeploymentState.STOPPED
    running.permits.faults.clear()
    running.stop()
    assert running.permits.objects == {}


def test_one_permit_that_cannot_be_deleted_does_not_keep_the_others(running):
    delete = running.permits.delete

    def stubborn(camera):
        if camera == "gate-1":
            raise StorageFault("denied")
        delete(camera)

    running.permits.delete = stubborn
    with pytest.raises(StorageFault):
        running.stop(None)
    assert set(running.permits.objects) == {"gate-1"}
    assert running.state is DeploymentState.STOPPED


def test_a_stop_of_one_leaves_the_permits_of_others(running):
    running.permits.objects["gate-9"] = permit(camera="gate-9", deployment_id="another")
    running.permits.objects["gate-8"] = None  # says nothing: doubt closes
    assert running.stop().permits_deleted == ("gate-1", "gate-2", "gate-8")
    assert set(running.permits.objects) == {"gate-9"}


def test_stop_all_takes_every_permit(running):
    running.permits.objects |= {"gate-9": permit(camera="gate-9", deployment_id="another"), "gate-8": None}
    running.stop(None)
    assert running.permits.objects == {}
    assert running.state is DeploymentState.STOPPED


def test_a_stop_that_finds_nothing_is_recorded(room):
    room.store.rows = {}
    assert room.stop().deployments == ()
    assert [act.action for act in room.store.acts] == ["stop_found_nothing"]


@pytest.mark.parametrize("state", [DeploymentState.REQUESTED, DeploymentState.ACTIVE, DeploymentState.CLOSED])
def test_what_runs_is_not_closed(room, state):
    room.store.rows[DEPLOYMENT] = replace(AUTHORISED, state=state)
    refused = deployment.close(
        principal=principal("requester", Role.REQUESTER),
        deployment_id=DEPLOYMENT,
        store=room.store,
        due=room.due,
        clock=lambda: NOW,
    )
    assert refused.reason is Reason.WRONG_STATE
    assert room.due.objects == {}
