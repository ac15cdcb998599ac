"""S26 at the same moment: whoever rejects, records, searches, looks or stops, none is lost to a deadlock with another,
and a stop waits for no look. The order of all locks stands in 0011_monitoring.sql.

Each test has its own connections and threads, and the real stages.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import Fault
from proviso.domain.frame import Outcome
from proviso.domain.outcome import Action, Result
from proviso.domain.reasons import Reason, Refused
from tests.safeguards.house import House
from tests.safeguards.monitored import kinds, past_deadline, rejected, seen, state, suspensions, unwatched, watched
from tests.safeguards.past_the_code import ask
from tests.safeguards.receiving import Receiving

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

LOOK = "SELECT monitored_alone(operator_of(grounds), pipeline) FROM deployment WHERE id = %s"
SUSPEND = "SELECT suspend(d, 'false_matches', '{}') FROM deployment d WHERE id = %s"


class Doing:
    """Something in a thread of its own: what it answered, or what it raised."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.answer: Any = None
        self.took = 0.0
        self._thread = threading.Thread(target=lambda: self._do(act))
        self._thread.start()

    def _do(self, act: Callable[[], Any]) -> None:
        began = time.monotonic()
        try:
            self.answer = act()
        except Exception as error:  # noqa: BLE001 - the test asserts what it was
            self.answer = error
        self.took = time.monotonic() - began

    def done(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.answer


@contextmanager
def while_evidence_is_put(house: House, act: Callable[[], Any]) -> Iterator[list[Doing]]:
    """The next match is past its gate, and puts its evidence, when `act` begins."""
    put, doing = house.evidence.put, []

    def slow(*given: Any, **named: Any) -> Any:
        if not doing:
            doing.append(Doing(act))
            time.sleep(0.5)
        return put(*given, **named)

    house.evidence.put = slow  # type: ignore[method-assign]
    try:
        yield doing
    finally:
        house.evidence.put = put  # type: ignore[method-assign]


def test_a_rejection_that_suspends_waits_for_a_search_and_is_kept(house: House):
    """match joined its deployment and goes on to its audit, for whose chain the rejection's own end is ahead of it."""
    watched(house)
    rejected(house, 3)
    rejected(house, 4)
    candidate = seen(house, 5)
    with while_evidence_is_put(house, lambda: house.decide(candidate, Decision.REJECT)) as doing:
        searched = house.see(3)
    answer = doing[0].done()
    assert not isinstance(answer, Exception | Refused)
    assert searched.outcome is Outcome.SEARCHED
    states = {one["id"]: one["state"] for one in house.candidates}
    assert states[candidate] == "rejected"
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])


@pytest.mark.parametrize("act", ["outcome", "withdrawal"])
def test_so_do_an_outcome_and_a_withdrawal(house: House, act: str):
    watched(house)
    received = Receiving(house)
    received.deployment = house.active.id
    wrong = received.another(3)
    received.named("recipient")
    rejected(house, 4)
    rejected(house, 5)
    assert state(house) == "active"

    def do() -> Any:
        if act == "outcome":
            return received.record(wrong, Result.ENGAGED_WRONG, Action.CONVERSATION)
        return house.withdraw(wrong)

    with while_evidence_is_put(house, do) as doing:
        searched = house.see(4)
    assert not isinstance(doing[0].done(), Exception | Refused)
    assert searched.outcome is Outcome.SEARCHED
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])


def test_a_search_that_looks_itself_meets_another_look(house: House):
    """match joins a candidate that was engaged and wrong, while somebody else's look suspends: both are kept."""
    watched(house)
    received = Receiving(house)
    received.deployment = house.active.id
    received.named("recipient")
    wrong = received.another(3)
    received.record(wrong, Result.ENGAGED_WRONG, Action.CONVERSATION)
    with psycopg.connect(house.database.master_url) as looking:
        looking.execute(LOOK, [house.active.id])
        searching = Doing(lambda: house.see(3).outcome)
        time.sleep(0.4)
        looking.execute(SUSPEND, [house.active.id])
        looking.commit()
    assert searching.done() is Outcome.SEARCHED
    house.retain()
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])


def test_what_is_suspended_while_a_search_is_in_it_lets_nothing_pass_and_is_stopped_by_retain(house: House):
    watched(house, 3, 4, 5, 6)
    waiting = seen(house, 6)
    message = house.message(3)
    with psycopg.connect(house.database.master_url) as searching:
        searching.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended('deployment/' || %s, 0))", [house.active.id]
        )
        searching.execute("SELECT FROM deployment WHERE id = %s FOR SHARE", [house.active.id])
        with psycopg.connect(house.database.master_url) as looking:
            looking.execute(LOOK, [house.active.id])
            looking.execute(SUSPEND, [house.active.id])
        assert (state(house), kinds(house)) == ("active", ["false_matches"])
        row = house.match(message)
        assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
        assert house.decide(waiting).reason is Reason.NOT_ACTIVE
        with pytest.raises(psycopg.Error) as error:
            house.sql("review", ADD_REVIEW, id=waiting)
        assert error.value.sqlstate == "PV018"
    house.retain()
    assert (state(house), house.deployment(house.active.id).finished_by) == ("stopped", "safeguard:S26")
    assert {one["state"] for one in house.candidates} == {"frozen"}
    assert house.permits.objects == {}
    assert suspensions(house)[0]["audited_at"] is not None


ADD_REVIEW = """
INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)
VALUES (gen_random_uuid(), %(id)s, 'reviewer', 'confirm', 'the same', clock_timestamp())
"""


def test_a_stop_waits_for_no_look(house: House):
    """A look of the same operator goes on for as long as it likes: the stop is there at once, and none dies of it."""
    watched(house)
    with psycopg.connect(house.database.master_url) as looking:
        looking.execute(LOOK, [house.active.id])
        stopping = Doing(lambda: house.stop(house.active.id))
        stopped = stopping.done()
        assert not isinstance(stopped, Exception | Refused)
        assert stopping.took < 2
        assert state(house) == "stopped"
        looking.execute("SELECT look_at(%s)", [house.active.id])
    assert house.deployment(house.active.id).finished_by == "anybody"
    assert house.one("SELECT count(*) FROM look_due") == 1
    house.retain()
    assert house.one("SELECT count(*) FROM look_due") == 0


# --- a test that cannot be worked out ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        '{"suspend_alpha_percent": 0}',
        '{"suspend_alpha_percent": 1e-9}',
        '{"suspend_alpha_percent": 11}',
        '{"suspend_alpha_percent": "1"}',
        '{"suspend_alpha_percent": null}',
        '{"false_hits_per_million_faces": 0}',
        '{"false_hits_per_million_faces": 1000001}',
        '{"false_candidates_per_million_passages": -1}',
        '{"groups_unrecorded_limit_percent": 101}',
    ],
)
def test_by_sql_no_deployment_has_limits_that_no_policy_may_have(house: House, values: str):
    watched(house)
    with pytest.raises(psycopg.Error) as error:
        ask(house, policy=f"""policy || '{values}' || '{{"version": "bent"}}'""")
    assert error.value.sqlstate == "23514"
    assert "s26_measured" in str(error.value)


def test_one_from_before_there_were_such_values_can_be_asked_for(house: House):
    watched(house)
    ask(house, policy="""policy - 'suspend_alpha_percent' - 'false_hits_per_million_faces' || '{"version": "old"}'""")


def test_where_the_look_fails_stops_and_rejections_hold_and_the_fault_is_reported(house: House):
    """Whatever makes it fail: here a function that is away."""
    watched(house)
    candidate = seen(house, 3)
    other = seen(house, 4)
    with broken_look(house):
        assert not isinstance(house.decide(candidate, Decision.REJECT), Refused)
        assert {one["id"]: one["state"] for one in house.candidates}[candidate] == "rejected"
        assert not isinstance(house.stop(None), Refused)
        assert state(house) == "stopped"
        with pytest.raises(Fault):
            house.retain()
        asked = house.requested(house.list_id)
        with pytest.raises(Fault):  # nobody knows whether it is suspended: nothing is authorised
            house.authorise(asked.id)
    assert {one["id"]: one["state"] for one in house.candidates}[other] == "frozen"
    house.retain()
    assert house.one("SELECT count(*) FROM look_due") == 0


@contextmanager
def broken_look(house: House) -> Iterator[None]:
    with unwatched(house) as master:
        master.execute("ALTER FUNCTION false_series(text) RENAME TO away")
    try:
        yield
    finally:
        with unwatched(house) as master:
            master.execute("ALTER FUNCTION away(text) RENAME TO false_series")


# --- what a look costs ------------------------------------------------------------------------------------------------


def test_many_whose_time_is_over_or_who_freeze_are_no_look_each(house: House):
    """A look that fails leaves a row: so looks are counted. Expiry, a stop and a removal change no figure."""
    watched(house, *range(3, 13), max_entries=20)
    candidates = [seen(house, who) for who in range(3, 13)]
    with broken_look(house):
        past_deadline(house, candidates[:5])
        with house.retains.work() as work:
            assert len(work.expire_candidates(house.now())) == 5
        removed = house.one("SELECT entry_id FROM candidate WHERE id = %(id)s", id=candidates[9])
        house.sql("govern", REMOVE, id=removed)
        assert looks(house) == 0
        house.stop(house.active.id)
        assert looks(house) == 1
    assert sorted(one["state"] for one in house.candidates) == ["expired"] * 5 + ["frozen"] * 5
    house.retain()
    assert kinds(house) == ["false_matches"]


def test_a_removal_looks_at_nothing_that_it_takes_back(house: House):
    """It holds candidates of several deployments, and so may wait for no look (0011)."""
    watched(house)
    received = Receiving(house)
    received.deployment = house.active.id
    received.named("recipient")
    received.record(received.another(3), Result.ENGAGED_WRONG, Action.CONVERSATION)
    with psycopg.connect(house.database.master_url) as looking:
        looking.execute(LOOK, [house.active.id])
        entry = house.one("SELECT entry_id FROM candidate")
        removing = Doing(lambda: house.sql("govern", REMOVE, id=entry))
        assert not isinstance(removing.done(), Exception)
        assert removing.took < 2
    assert [one["state"] for one in house.candidates] == ["withdrawn"]


REMOVE = "UPDATE entry SET removed_at = clock_timestamp() WHERE id = %(id)s RETURNING id"


def looks(house: House) -> int:
    return int(house.one("SELECT count(*) FROM look_due WHERE deployment_id = %(id)s", id=house.active.id))


def test_a_stop_and_the_next_start_on_its_camera(house: House):
    """The start has the operator's lock, and waits for the camera; the stop has the camera, and waits for nothing."""
    watched(house)
    asked = house.requested(house.list_id)
    house.authorise(asked.id)
    with psycopg.connect(house.database.master_url) as stopping:
        stopping.execute("SELECT pg_advisory_xact_lock(hashtextextended('deployment/' || %s, 0))", [house.active.id])
        stopping.execute(
            "UPDATE deployment SET state = 'stopped', finished_at = clock_timestamp(), finished_by = 'anybody'"
            " WHERE id = %s",
            [house.active.id],
        )
        starting = Doing(lambda: house.start(asked.id))
        time.sleep(0.5)
        stopping.commit()
    assert starting.done().state is DeploymentState.ACTIVE
    assert state(house) == "stopped"
