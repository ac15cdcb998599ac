"""Recipients' store: what they were told of, what they said of it last; locks in one order with deletion (S22, S24)."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from proviso.domain.candidate import Candidate
from proviso.domain.holds import Hold, HoldKind
from proviso.domain.outcome import Action, Outcome, Result
from proviso.domain.people import Member, Person, Role
from proviso.store.recipient import PostgresRecipientStore
from tests.contract.store_samples import POLICY, House, Scene, decision, house, name, now
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
DAY = timedelta(hours=24)


@pytest.fixture
def scene(clean_database: Database) -> Iterator[Scene]:
    with house(clean_database) as made:
        found = made.scene()
        with made.govern().work() as work:
            work.register(Person("recipient", frozenset({Role.RECIPIENT})))
            work.add_member(Member(found.deployment.id, "recipient", Role.RECIPIENT, "requester", now()))
        yield found


def store(made: House) -> PostgresRecipientStore:
    return PostgresRecipientStore(made.connect("review"))


def confirmed(scene: Scene) -> Candidate:
    made = scene.raised()
    with scene.house.review().work() as work:
        work.decide(decision(made), now())
    return made


def said(made: Candidate, result: Result, at: datetime, by: str = "recipient") -> Outcome:
    return Outcome(name("outcome"), made.id, result, Action.NONE, by, at)


def hold(made: Candidate) -> Hold:
    return Hold(name("hold"), made.id, HoldKind.COMPLAINT, "asked for it", "recipient", now(), now() + DAY)


def test_a_notice_says_what_was_confirmed_and_until_when_it_is_of_use(scene: Scene) -> None:
    made = confirmed(scene)
    with store(scene.house).work() as work:
        found = work.noticed(made.id, now())
        assert found is not None
        assert (found.id, found.place, found.camera, found.category) == (made.id, "Gate 1", "gate-1", "volunteer")
        assert found.useful_until == found.confirmed_at + timedelta(seconds=POLICY.notice_useful_s)
        assert found.over_at == scene.deployment.ends_at
        assert (found.message_prefix, found.outcome, found.withdrawn) == ("TRIAL", None, False)
        assert work.noticed("none", now()) is None
        assert work.noticed(scene.raised().id, now()) is None  # nobody confirmed that one


def test_it_is_asked_for_by_the_later_of_two_clocks(scene: Scene) -> None:
    made = confirmed(scene)
    with store(scene.house).work() as work:
        ahead = now() + DAY
        assert work.noticed(made.id, ahead).asked_at == ahead  # type: ignore[union-attr]
        assert work.noticed(made.id, now() - DAY).asked_at > now() - timedelta(minutes=1)  # type: ignore[union-attr]


def test_newest_first_and_only_of_deployments_that_name_them(scene: Scene) -> None:
    first, second = confirmed(scene), confirmed(scene)
    with store(scene.house).work() as work:
        since = now() - DAY
        assert [one.id for one in work.noticed_by("recipient", since, now())] == [second.id, first.id]
        assert work.noticed_by("recipient", now(), now()) == []
        assert work.noticed_by("reviewer", since, now()) == []
        assert work.receives_for(scene.deployment.id, "recipient")
        assert not work.receives_for(scene.deployment.id, "reviewer")


def test_the_latest_outcome_stands(scene: Scene) -> None:
    made, at = confirmed(scene), now()
    with store(scene.house).work() as work:
        for result, moment in ((Result.ENGAGED_RIGHT, at), (Result.NOT_ENGAGED, at - timedelta(seconds=1))):
            assert work.record(said(made, result, moment))
        found = work.noticed(made.id, now())
        assert found is not None
        assert found.outcome is not None
        assert (found.outcome.result, found.outcome.recorded_by) == (Result.ENGAGED_RIGHT, "recipient")


def test_what_the_database_does_not_take_is_no_fault(scene: Scene) -> None:
    made, raised = confirmed(scene), scene.raised()
    with store(scene.house).work() as work:
        assert not work.record(said(made, Result.NOT_ENGAGED, now(), by="reviewer"))
        assert not work.record(said(raised, Result.NOT_ENGAGED, now()))
        assert work.record(said(made, Result.NOT_ENGAGED, now()))  # and the transaction goes on


def test_what_a_contact_takes(scene: Scene) -> None:
    with store(scene.house).work() as work:
        assert work.takes("recipient").takes("anywhere", "anything")
    with psycopg.connect(scene.house.database.url("govern")) as govern:
        govern.execute(
            "INSERT INTO contact (sub, email, language, places, categories, set_by, set_at)"
            " VALUES ('recipient', 'a@example.org', 'en', '{Gate 1}', '{volunteer}', 'requester', now())"
        )
    with store(scene.house).work() as work:
        assert work.takes("recipient").takes("gate 1", "volunteer")
        assert not work.takes("recipient").takes("Gate 2", "volunteer")


def test_a_hold_and_a_deletion_take_their_locks_in_one_order(scene: Scene) -> None:
    """Else each waits for the other, and the one who asked is told of a fault."""
    made = confirmed(scene)
    answers: list[bool] = []

    def ask() -> None:
        with store(scene.house).work() as work:
            answers.append(work.add_hold(hold(made)))

    with psycopg.connect(scene.house.database.url("retain")) as retain:
        retain.execute("SELECT id FROM candidate WHERE id = %s FOR UPDATE", [made.id])
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        retain.execute("UPDATE candidate SET evidence_key = '' WHERE id = %s", [made.id])
        retain.commit()
        asking.join(10)
    assert answers == [False]


def test_an_answer_that_is_being_given_is_not_closed_over(scene: Scene) -> None:
    """S22: retain leaves it alone, and finds the answer next time."""
    made = confirmed(scene)
    with psycopg.connect(scene.house.database.master_url) as master:
        master.execute("SET session_replication_role = replica")
        master.execute(
            "UPDATE candidate SET raised_at = raised_at - %(by)s, decide_by = decide_by - %(by)s,"
            " decided_at = decided_at - %(by)s",
            {"by": DAY},
        )
    with store(scene.house).work() as work:
        assert work.record(said(made, Result.ENGAGED_WRONG, now()))
        with scene.house.retain().work() as retain:
            assert retain.close_outcomes(now()) == {}
    with scene.house.retain().work() as retain:
        assert retain.close_outcomes(now()) == {}
        assert retain.next_outcome() is None
