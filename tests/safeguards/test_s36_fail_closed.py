"""S36: where anything is unclear (the permit unreadable, the audit not writable, a clock skewed, the pipeline another
one), it fails closed: not searched, and not kept past the age limit. Stopping and removing still work in each of these.

Common sense. Each trouble is made for real: a trigger that fails, a right that is taken away, an object that says
nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import pytest

from proviso.domain.audit import system_act
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import AuditUnwritable, Fault, PermitUnreadable, PipelineMismatch, StorageFault
from proviso.domain.frame import Outcome
from proviso.domain.messages import FacesMessage
from proviso.stages import watchlist
from tests.doubles import FakePipeline
from tests.fakes.cloud import FakeLedger
from tests.safeguards.house import House
from tests.samples import CAMERA

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def running(house: House) -> House:
    house.list_id, house.entries = house.listed(3)
    house.active = house.running(house.list_id)
    house.waiting = house.message(3)  # a frame that is in the queue when the trouble begins
    return house


@contextmanager
def unreadable_permit(house: House) -> Iterator[None]:
    house.permits.objects[CAMERA] = None
    yield


@contextmanager
def audit_fails(house: House) -> Iterator[None]:
    house.sql(
        "master",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;"
        " CREATE TRIGGER broken BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    try:
        yield
    finally:
        house.sql("master", "DROP TRIGGER broken ON audit_event; DROP FUNCTION broken")


@contextmanager
def audit_denied(house: House) -> Iterator[None]:
    """The right to append is taken away from every role that has it."""
    roles = "proviso_match, proviso_enrol, proviso_govern, proviso_review, proviso_retain"
    what = "EXECUTE ON FUNCTION audit_append(text, bigint, bytea)"
    house.sql("master", f"REVOKE {what} FROM {roles}")
    try:
        yield
    finally:
        house.sql("master", f"GRANT {what} TO {roles}")


@contextmanager
def another_pipeline(house: House) -> Iterator[None]:
    before, house.pipeline = house.pipeline, FakePipeline("8" * 64)
    yield
    house.pipeline = before


@contextmanager
def clock_behind(house: House) -> Iterator[None]:
    """So far behind that every frame lies in its future."""
    house.skew = -timedelta(minutes=2)
    yield
    house.skew = timedelta(0)


@contextmanager
def clock_ahead(house: House) -> Iterator[None]:
    house.skew = timedelta(minutes=2)
    yield
    house.skew = timedelta(0)


@contextmanager
def ledger_away(house: House) -> Iterator[None]:
    house.ledger.faults["*"] = StorageFault("throttled")
    yield
    house.ledger.faults.clear()


@dataclass(frozen=True)
class Trouble:
    begins: Callable
    detects: bool = True  # does detect still pass frames on (and match refuses them)?


TROUBLES = {
    "permit unreadable": Trouble(unreadable_permit, detects=False),
    "audit fails": Trouble(audit_fails),
    "audit denied": Trouble(audit_denied),
    "another pipeline": Trouble(another_pipeline, detects=False),
    "clock behind": Trouble(clock_behind, detects=False),
    "clock ahead": Trouble(clock_ahead, detects=False),
    "ledger away": Trouble(ledger_away, detects=False),
}
TROUBLE = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
SEARCHES = {name: trouble for name, trouble in TROUBLES.items() if name != "permit unreadable"}


def attempt(work):
    try:
        return work()
    except Fault as fault:
        return fault


@TROUBLE
def test_nothing_is_searched_and_no_candidate_comes_of_it(running: House, trouble):
    with trouble.begins(running):
        real = running.now() - running.skew
        key = running.frame(3, at=real)
        attempt(lambda: running.detect(key))
        for message in list(running.queue.sent):
            attempt(lambda m=message: running.match(m))
        attempt(lambda: running.match(running.waiting))
        assert running.candidates == []
        assert running.one("SELECT count(*) FROM searched_frame") == 0
        assert running.outbox.objects == {}
    assert key not in [found["frame_key"] for found in running.sql("master", "SELECT frame_key FROM searched_frame")]
    searched = "SELECT count(*) FROM audit_event WHERE body LIKE '%%frame_searched%%'::bytea"
    assert running.one(searched) == 0


@TROUBLE
def test_the_frame_is_not_kept_past_its_age(running: House, trouble):
    """It is not deleted while it could still be searched in time; sweep takes it at the limit, trouble or not."""
    with trouble.begins(running):
        key = running.frame(3, at=running.now() - running.skew)
        attempt(lambda: running.detect(key))
        for message in list(running.queue.sent):
            attempt(lambda m=message: running.match(m))
        running.skew += timedelta(seconds=250)
        attempt(running.sweep)
        assert running.frames.objects == {}


@pytest.mark.parametrize("name", ["permit unreadable", "audit fails", "audit denied", "another pipeline"])
def test_it_is_a_fault_and_not_an_outcome(running: House, name):
    """The message comes back; after the trouble the same frame is searched."""
    with TROUBLES[name].begins(running):
        key = running.frame(3)
        row = attempt(lambda: running.detect(key))
        if TROUBLES[name].detects:
            row = attempt(lambda: running.match(running.queue.sent[-1]))
        assert isinstance(row, PermitUnreadable | AuditUnwritable | PipelineMismatch)
        assert key in running.frames.objects
        assert all(row.outcome is Outcome.RECEIVED for row in running.ledger.rows.values())
    running.start(running.active.id)  # writes the permits again
    running.detect(key)
    assert running.match(running.queue.sent[-1]).outcome is Outcome.SEARCHED


@TROUBLE
def test_stopping_works(running: House, trouble):
    with trouble.begins(running):
        attempt(lambda: running.stop(running.active.id))
        assert running.deployment(running.active.id).state is DeploymentState.STOPPED
        assert running.permits.objects == {}
    assert running.match(running.waiting).outcome in (Outcome.REFUSED, Outcome.STALE)
    running.retain()
    recorded = running.sql(
        "master",
        "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM audit_event"
        " WHERE body LIKE '%%\"deployment_stopped\"%%'::bytea OR body LIKE '%%\"stop_carried_out\"%%'::bytea",
    )
    assert [found["body"]["actor"] for found in recorded] == ["anybody"]  # once, at the latest when it can be


@TROUBLE
def test_stopping_all_works(running: House, trouble):
    with trouble.begins(running):
        attempt(lambda: running.stop(None))
        assert running.deployment(running.active.id).state is DeploymentState.STOPPED
        assert running.permits.objects == {}


@TROUBLE
def test_removing_works(running: House, trouble):
    with trouble.begins(running):
        attempt(
            lambda: watchlist.remove_entry(
                principal=running.person("officer"),
                watchlist_id=running.list_id,
                entry_id=running.entries[0],
                store=running.govern,
                subjects=running.subjects,
                anchors=running.anchors,
                clock=running.now,
            )
        )
        assert running.one("SELECT removed_at IS NOT NULL FROM entry") is True
    running.start(running.active.id)
    assert running.match(running.waiting).counts.candidates == 0


@pytest.mark.parametrize("name", ["audit fails", "audit denied"])
def test_nothing_else_is_done_unrecorded(running: House, name):
    """Adding, authorising, starting, looking: an act that cannot be recorded does not happen."""
    asked = running.requested(running.list_id, cameras=("gate-2",))
    with TROUBLES[name].begins(running):
        for work in (
            lambda: running.add(running.list_id),
            lambda: running.authorise(asked.id),
            lambda: running.build(running.list_id),
            running.watchlist,
        ):
            assert isinstance(attempt(work), AuditUnwritable)
    assert running.one("SELECT count(*) FROM entry") == 1
    assert running.one("SELECT count(*) FROM watchlist") == 1
    assert running.deployment(asked.id).state is DeploymentState.REQUESTED


@pytest.mark.parametrize("details", [{}, {"similarity": 0.7}], ids=["denied", "has no canonical form"])
def test_a_swallowed_audit_fault_does_not_commit(running: House, details):
    """Code that catches the fault and goes on: the transaction is lost all the same, whatever the fault was."""

    def careless():
        with running.govern.work() as work:
            work.remove_entry(running.list_id, running.entries[0], running.now())
            attempt(lambda: work.audit(system_act(running.now(), "x", "y", "z", details)))

    with nullcontext() if details else audit_denied(running):
        assert "rolled back" in str(attempt(careless))
    assert running.one("SELECT removed_at IS NULL FROM entry") is True


@pytest.mark.parametrize("body", ["", "{}", "[" * 100_000, '{"version":1,"faces":[]}', "null", '"x"'])
def test_a_message_that_says_nothing_searches_nothing(running: House, body):
    with pytest.raises(ValueError):
        FacesMessage.from_json(body)


def test_a_denied_bucket_is_never_taken_for_a_frame_that_is_gone(running: House):
    """403 is a fault of operation: the frame is neither orphaned nor deleted."""
    running.frames.faults["get"] = StorageFault("denied")
    assert isinstance(attempt(lambda: running.match(running.waiting)), StorageFault)
    assert running.ledger.rows[running.waiting.frame_key].outcome is Outcome.RECEIVED
    assert running.waiting.frame_key in running.frames.objects


def test_a_camera_with_a_wrong_clock_is_refused_and_told_why(running: House):
    ahead = running.frame(3, at=running.now() + timedelta(seconds=30))
    row = running.detect(ahead)
    assert (row.outcome, row.reason.value) == (Outcome.REFUSED, "clock_skew")
    behind = running.frame(3, at=running.now() - timedelta(seconds=90))
    assert running.detect(behind).outcome is Outcome.STALE
    assert running.frames.objects.keys() == {running.waiting.frame_key}
    assert isinstance(running.ledger, FakeLedger)
