"""S04: after its end, or a stop by anyone, no search begins 5 s later; queued frames and redriven dead letters are
refused; pending candidates freeze; unsent notices are withheld. A stop needs neither the database nor a reason.

EU AI Act 14(4)(e). The ways round: work that is already under way, messages that come back later, a database that is
away at that moment, and a deployment that is put back into activity.
"""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.frame import Outcome
from proviso.domain.permit import CheckedPermit
from proviso.domain.reasons import Reason, Refused
from proviso.domain.timing import Stopwatch
from proviso.stages import match
from proviso.stages.deployment import write_permits
from proviso.store.connection import Connector
from proviso.store.govern import PostgresGovernStore
from proviso.store.search import PostgresSearchStore
from tests.safeguards.attempts import used
from tests.safeguards.house import House
from tests.samples import CAMERA, axis
from tests.template.conftest import Template

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
AWAY = "postgresql://proviso_govern@/proviso?host=/nonexistent"


@pytest.fixture
def running(house: House) -> House:
    house.list_id, house.entries = house.listed(3)
    house.active = house.running(house.list_id)
    return house


def away() -> PostgresGovernStore:
    return PostgresGovernStore(Connector(lambda: AWAY, connect_timeout_s=1))


def gate(house: House, work, **changed):
    given = {
        "deployment_id": house.active.id,
        "digest": house.active.digest,
        "camera": CAMERA,
        "captured_at": house.now(),
        "now": house.now(),
        "pipeline": house.pipeline.digest,
        "software_build": house.active.software_build,
    }
    return work.gate(**{**given, **changed})


def until(condition, what):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError(what)


def waiting(house: House) -> int:
    return house.one("SELECT count(*) FROM pg_locks WHERE NOT granted")


def test_a_stop_waits_for_the_search_that_runs_and_lets_no_other_begin(running: House):
    """Real connections: a search is under way, the stop asks, and another search comes after it."""
    done: dict[str, object] = {}
    later = PostgresSearchStore(running.connector("match"))
    stopper = PostgresGovernStore(running.connector("govern"))

    def stop():
        done["stop"] = running.stop(running.active.id, store=stopper)

    def search():
        with later.work() as work:
            done["later"] = gate(running, work)

    used("a stop while a search runs")
    with running.search.work() as work:
        permit = gate(running, work)
        assert isinstance(permit, CheckedPermit)
        stopping = threading.Thread(target=stop)
        stopping.start()
        until(lambda: waiting(running) == 1, "the stop waits for the search")
        assert running.permits.objects == {}  # these went first
        searching = threading.Thread(target=search)
        searching.start()
        until(lambda: waiting(running) == 2, "the next search waits behind the stop")
        assert [hit.entry_id for hit in work.search(permit, [axis(3)])[0]] == running.entries  # this one may end
        assert done == {}
    stopping.join(20)
    searching.join(20)
    assert done["stop"].deployments == (running.active.id,)
    assert isinstance(done["later"], Refused)
    assert done["later"].reason is Reason.NOT_ACTIVE


@pytest.mark.safeguard(below="messages that wait in a queue")
def test_queued_frames_are_refused_and_deleted(running: House):
    messages = [running.message(3) for _ in range(3)]
    running.stop(running.active.id)
    for message in messages:
        row = running.match(message)
        assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert running.frames.objects == {}
    assert running.candidates == []
    row = running.detect(running.frame(3))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NO_PERMIT)


@pytest.mark.safeguard(below="a redriven dead letter")
def test_a_message_redriven_from_the_dead_letters_is_refused(running: House):
    """It failed before the stop, and comes back after it: at once, or long after."""
    from proviso.domain.errors import StorageFault

    first, second = running.message(3), running.message(3)
    running.frames.faults["get"] = StorageFault("denied")
    for message in (first, second):
        with pytest.raises(StorageFault):
            running.match(message)
    running.frames.faults.clear()
    running.stop(running.active.id)
    assert running.match(first).reason is Reason.NOT_ACTIVE
    running.skew = timedelta(minutes=10)
    assert running.match(second).outcome is Outcome.STALE
    assert running.candidates == []


def test_a_redriven_message_of_a_frame_that_was_searched_searches_nothing(running: House):
    message = running.message(3)
    running.match(message)
    running.ledger.rows.clear()  # as if its row had been lost, or its time were over
    running.stop(running.active.id)
    running.match(message)
    assert running.one("SELECT count(*) FROM searched_frame") == 1
    assert [c["sightings"] for c in running.candidates] == [1]


def test_pending_candidates_freeze_and_are_not_confirmed(running: House):
    running.see(3)
    (candidate,) = running.candidates
    running.stop(running.active.id)
    assert running.candidates[0]["state"] == "frozen"
    for what in Decision:
        refused = running.decide(candidate["id"], what)
        assert refused.reason is Reason.NOT_ACTIVE
    assert running.candidates[0]["state"] == "frozen"
    assert [key for key in running.outbox.objects if "confirmed" in key] == []


@pytest.mark.parametrize("state", ["confirmed", "raised"])
def test_no_role_thaws_a_frozen_candidate(running: House, state):
    running.see(3)
    running.stop(running.active.id)
    for role in ("review", "match", "govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            running.sql(role, f"UPDATE candidate SET state = '{state}'")
        with pytest.raises(psycopg.Error):
            running.sql(
                role,
                "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
                " SELECT 'r', id, 'reviewer', 'confirm', 'x', now() FROM candidate",
            )
    assert running.candidates[0]["state"] == "frozen"


def test_unsent_notices_are_withheld(running: House):
    running.see(3)
    running.stop(running.active.id)
    assert running.alert_all() == ["withheld"]
    assert running.told == []


def test_a_confirmation_that_is_not_sent_yet_is_withheld(running: House):
    running.see(3)
    running.decide(running.candidates[0]["id"])
    running.stop(running.active.id)
    assert set(running.alert_all()) <= {"withheld", "superseded"}
    assert running.told == []
    running.outbox.objects.clear()
    running.retain()  # and nobody puts it again
    assert running.outbox.objects == {}


def test_a_stop_with_the_database_away(running: House):
    running.see(3)
    early, message = running.message(3), running.message(3)
    stopped = running.stop(running.active.id, store=away())
    assert stopped.spooled
    assert running.permits.objects == {}
    assert running.alert_all() == ["withheld"]
    assert running.detect(running.frame(3)).reason is Reason.NO_PERMIT
    # The database is back before retain has come by: the row is active still, and yet what was queued is refused.
    assert running.deployment(running.active.id).state is DeploymentState.ACTIVE
    queued = running.match(early)
    assert (queued.outcome, queued.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert running.one("SELECT count(*) FROM searched_frame") == 1  # the one before the stop
    # retain carries it out, and records who said it and when.
    running.retain()
    assert running.deployment(running.active.id).state is DeploymentState.STOPPED
    assert running.deployment(running.active.id).finished_by == "anybody"
    assert running.match(message).reason is Reason.NOT_ACTIVE
    assert running.candidates[0]["state"] == "frozen"
    assert running.spool.objects == {}
    actions = running.sql(
        "master", "SELECT convert_from(body, 'UTF8')::jsonb ->> 'action' AS action FROM audit_event ORDER BY at"
    )
    assert {"deployment_stopped", "stop_carried_out"} <= {row["action"] for row in actions}


def test_a_stop_while_the_database_wakes(running: House):
    """match waits for a database that sleeps; meanwhile somebody stops, and the stop cannot reach it either. When it is
    awake, the row says active still: nothing is searched all the same."""
    used("the database wakes")
    asleep = [True]
    waking = Connector(lambda: AWAY if asleep else running.database.url("match"), connect_timeout_s=1)
    running.connectors.append(waking)
    message = running.message(3)

    def meanwhile(seconds: float) -> None:
        if asleep:
            assert running.stop(running.active.id, store=away()).spooled
            asleep.clear()

    row = match.match(
        message=message,
        room=replace(running.room(PostgresSearchStore(waking)), wait=meanwhile),
        stopwatch=Stopwatch(lambda: 0.0),
        give_up_at=running.now() + timedelta(seconds=30),
    )
    assert running.deployment(running.active.id).state is DeploymentState.ACTIVE
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert running.one("SELECT count(*) FROM searched_frame") == 0
    assert running.candidates == []


def test_a_dead_letter_redriven_after_the_stop_and_with_its_permit_forged_again(running: House):
    """Somebody puts the old permit object back, so that detect and match take it for running; the row does not."""
    message, permit = running.message(3), running.permits.objects[CAMERA]
    running.stop(running.active.id)
    running.permits.objects[CAMERA] = replace(permit, ends_at=permit.ends_at + timedelta(days=1))
    assert running.detect(running.frame(3)).outcome is Outcome.RECEIVED  # it only passes frames on
    for late in (message, running.queue.sent.pop()):
        assert running.match(late).reason is Reason.NOT_ACTIVE
    assert running.candidates == []


def test_the_iam_role_of_alert_puts_no_permit_back_and_no_notice(compiled: Template):
    """Taken over, it cannot undo a stop, nor make a document to send."""
    for bucket in ("PermitsBucket", "OutboxBucket/notices"):
        assert not [one for one in compiled.allowed("AlertFunction", "s3:PutObject") if one.startswith(bucket)]


def test_a_spooled_stop_of_all_spares_what_was_asked_for_after_it(running: House):
    running.stop(None, store=away())
    later = running.requested(running.list_id, cameras=("gate-2",))
    running.retain()
    assert running.deployment(running.active.id).state is DeploymentState.STOPPED
    assert running.deployment(later.id).state is DeploymentState.REQUESTED


def test_a_start_after_a_spooled_stop_is_stopped_too(house: House):
    """Stopped while the database was away, started by somebody else as soon as it is back."""
    list_id, _ = house.listed(3)
    asked = house.requested(list_id)
    house.authorise(asked.id)
    house.stop(asked.id, store=away())
    house.start(asked.id)
    assert house.permits.objects
    house.retain()
    assert house.deployment(asked.id).state is DeploymentState.STOPPED
    assert house.permits.objects == {}


@pytest.mark.parametrize("state", ["requested", "authorised"])
def test_what_has_not_begun_can_be_stopped_too(house: House, state):
    list_id, _ = house.listed(3)
    asked = house.requested(list_id)
    if state == "authorised":
        house.authorise(asked.id)
    assert house.stop(asked.id).deployments == (asked.id,)
    assert isinstance(house.start(asked.id), Refused)
    assert isinstance(house.authorise(asked.id), Refused)


def test_stopped_is_stopped(running: House):
    """Neither a start nor any role brings it back; another authorised deployment may have its camera."""
    running.stop(running.active.id)
    assert running.start(running.active.id).reason is Reason.WRONG_STATE
    assert running.permits.objects == {}
    for role in ("govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            running.sql(role, "UPDATE deployment SET state = 'active', finished_at = NULL, finished_by = NULL")
    assert running.running(running.list_id).state is DeploymentState.ACTIVE


def test_its_end_needs_nobody(house: House):
    """The window is over, and no function has run since: nothing is searched, decided or sent."""
    list_id, _ = house.listed(3)
    house.active = house.running(list_id, ends_at=house.now() + timedelta(seconds=2))
    house.see(3)
    messages = [house.message(3) for _ in range(2)]
    (candidate,) = house.candidates
    until(lambda: house.now() > house.active.ends_at, "the end")
    assert house.one("SELECT state FROM deployment") == "active"
    assert house.match(messages[0]).reason is Reason.OUTSIDE_WINDOW
    assert house.decide(candidate["id"]).reason is Reason.TOO_LATE
    assert house.alert_all() == ["stale"]
    # A function whose clock stands still does not help: the database's own clock is asked too.
    house.skew = timedelta(minutes=-1)
    row = house.match(messages[1])
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.OUTSIDE_WINDOW)
    assert "database" in row.detail
    assert house.decide(candidate["id"]).reason is Reason.TOO_LATE
    house.skew = timedelta(0)
    house.retain()
    assert house.candidates[0]["state"] in ("frozen", "expired")
    assert house.permits.objects == {}


# --- while it is warming ----------------------------------------------------------------------------------------------


@pytest.fixture
def warming(house: House) -> House:
    """Between the two transactions of a start: every condition was there, the build is being read."""
    house.list_id, house.entries = house.listed(3)
    house.asked = house.requested(house.list_id)
    house.authorise(house.asked.id)
    with house.govern.work() as work:
        assert work.begin_warming(house.asked.id, house.now()) is None
    return house


def test_a_stop_while_it_is_warming_wins(warming: House):
    assert warming.stop(warming.asked.id).deployments == (warming.asked.id,)
    with warming.govern.work() as work:
        assert work.activate(warming.asked.id, warming.now()).reason is Reason.WRONG_STATE
    assert warming.start(warming.asked.id).reason is Reason.WRONG_STATE
    assert warming.permits.objects == {}
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error, match="stopped cannot become"):
            warming.sql(role, "UPDATE deployment SET state = 'active', started_at = now(), finished_at = NULL,"
                              " finished_by = NULL")  # fmt: skip


def test_what_is_warming_is_not_searched(warming: House):
    """Nor would it be with a permit object that somebody put there."""
    write_permits(warming.deployment(warming.asked.id), warming.permits)
    row = warming.match(warming.message(3))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert warming.candidates == []


def test_a_start_that_died_while_it_was_warming_goes_on_when_it_is_repeated(warming: House):
    assert warming.start(warming.asked.id).state is DeploymentState.ACTIVE
    assert warming.see(3).counts.candidates == 1


def test_what_stayed_warming_ends_with_its_window(warming: House):
    warming.skew = timedelta(hours=1)
    warming.retain()
    assert warming.deployment(warming.asked.id).state is DeploymentState.ENDED


def test_nothing_becomes_active_without_having_been_warmed(house: House):
    asked = house.requested(house.listed(3)[0])
    house.authorise(asked.id)
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error, match="authorised cannot become active"):
            house.sql(role, "UPDATE deployment SET state = 'active', started_at = now()")
        with pytest.raises(psycopg.Error, match="written once"):
            house.sql(role, "UPDATE deployment SET state = 'warming', started_at = now()")
    assert house.deployment(asked.id).state is DeploymentState.AUTHORISED


@pytest.mark.parametrize("kind", ["signage", "public_notice"])
def test_what_is_warming_does_not_become_active_when_a_condition_is_gone(warming: House, kind):
    """An attestation cannot be taken back; this is the owner with the triggers off."""
    with warming.meddling() as connection:
        connection.execute("DELETE FROM attestation WHERE kind = %s", (kind,))
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error) as caught:
            warming.sql(role, "UPDATE deployment SET state = 'active', started_at = now()")
        assert caught.value.sqlstate == "PV033"
    assert warming.start(warming.asked.id).reason is Reason.NOT_ANNOUNCED
    assert warming.permits.objects == {}


def test_a_clock_that_is_ahead_does_not_open_the_window(house: House):
    """The function believes that the window is open; the database does not, and nothing becomes active."""
    asked = house.requested(house.listed(3)[0], starts_at=house.now() + timedelta(minutes=10),
                            ends_at=house.now() + timedelta(minutes=30))  # fmt: skip
    house.authorise(asked.id)
    house.skew = timedelta(minutes=15)
    assert house.start(asked.id).reason is Reason.OUTSIDE_WINDOW
    assert house.permits.objects == {}
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error, match="s04_started_in_window"):
            house.sql(role, "UPDATE deployment SET state = 'active', started_at = starts_at")
    house.skew = timedelta(0)
    assert house.start(asked.id).reason is Reason.OUTSIDE_WINDOW
