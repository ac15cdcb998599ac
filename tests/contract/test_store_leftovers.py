"""What outlives a review: reasons, emptied when they may be and in no other way; groups, counted once (S23, S24, S28).

Statements past the code, as each login role that could write and as the owner; and two at once.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from proviso.domain.candidate import Age, Candidate, Decision, Demographics, Ethnicity, Sex, Withdrawal
from proviso.domain.holds import Hold, HoldKind
from proviso.domain.reasons import Reason
from proviso.domain.retention import Certificate
from tests.contract.store_samples import House, Scene, decision, house, name, now
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

DAY = timedelta(hours=24)
EMPTY = "UPDATE {} SET reason = ''"
OTHER_CHANGES = {
    "review": (
        "reason = 'another'",
        "reason = ' '",
        "reason = '', decision = 'reject'",
        "reason = '', decided_at = now()",
        "reason = '', reviewer = 'second'",
    ),
    "withdrawal": (
        "reason = 'another'",
        "reason = ' '",
        "reason = '', withdrawn_by = 'second'",
        "reason = '', withdrawn_at = now()",
    ),
    "evidence_hold": (
        "reason = 'another'",
        "reason = ' '",
        "reason = '', until = until + interval '1 hour'",
        "reason = '', held_by = 'second'",
        "reason = '', released_at = NULL, released_by = NULL",
    ),
}


@pytest.fixture
def scene(clean_database: Database) -> Iterator[Scene]:
    with house(clean_database) as made:
        yield made.scene()


@pytest.fixture
def decided(scene: Scene) -> tuple[Scene, Candidate]:
    """Confirmed, held, and taken back: a reason in each table."""
    made = scene.raised()
    with scene.house.govern().work() as work:
        hold = Hold(name("hold"), made.id, HoldKind.REASON, "a letter", "authoriser", now(), now() + DAY)
        assert work.add_hold(hold)
    with scene.house.review().work() as work:
        work.decide(decision(made), now())
        work.withdraw(Withdrawal(made.id, "reviewer", "another person", now()))
    return scene, made


def run(made: House, role: str, statement: str) -> int:
    url = made.database.master_url if role == "master" else made.database.url(role)
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).rowcount


def refused(made: House, role: str, statement: str) -> str:
    with pytest.raises(psycopg.Error) as caught:
        run(made, role, statement)
    return str(caught.value.sqlstate)


def value(made: House, statement: str) -> Any:
    with psycopg.connect(made.database.master_url) as master:
        found = master.execute(statement.encode()).fetchone()
    return found[0] if found else None


def stop(scene: Scene) -> None:
    with scene.house.govern().work() as work:
        work.stop(scene.deployment.id, "anybody", now())


def close(scene: Scene, work: Any) -> None:
    work.erase(scene.deployment.id)
    counts = tuple(work.left(scene.deployment.id))
    work.close(
        Certificate(scene.deployment.id, scene.entry.watchlist_id, counts, now(), now() + DAY, held=1),
        "function:retain",
    )


def closed(scene: Scene) -> None:
    stop(scene)
    with scene.house.retain().work() as work:
        close(scene, work)


# --- reasons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["retain", "master"])
def test_a_reason_goes_when_its_deployment_is_over_and_not_before(decided: tuple[Scene, Candidate], role: str) -> None:
    scene, _ = decided
    for table in ("review", "withdrawal"):
        assert refused(scene.house, role, EMPTY.format(table)) == "PV029"
    stop(scene)
    for table in ("review", "withdrawal"):
        assert run(scene.house, role, EMPTY.format(table)) == 1
        assert run(scene.house, role, EMPTY.format(table)) == 1  # and once more changes nothing


@pytest.mark.parametrize("table", OTHER_CHANGES)
@pytest.mark.parametrize("over", [False, True])
def test_no_other_change_is_made_at_any_time(decided: tuple[Scene, Candidate], table: str, over: bool) -> None:
    scene, _ = decided
    if over:
        closed(scene)
        with psycopg.connect(scene.house.database.master_url) as master:
            master.execute("UPDATE evidence_hold SET released_by = 'authoriser', released_at = now()")
    before = value(scene.house, f"SELECT to_jsonb(t) FROM {table} t")
    for change in OTHER_CHANGES[table]:
        for role in ("retain", "master"):
            assert refused(scene.house, role, f"UPDATE {table} SET {change}") in {"PV029", "PV024", "42501", "23514"}
    for role in ("retain", "master"):
        assert refused(scene.house, role, f"DELETE FROM {table}") in {"PV029", "42501"}
    assert value(scene.house, f"SELECT to_jsonb(t) FROM {table} t") == before


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "review", "report"])
def test_no_other_role_empties_one(decided: tuple[Scene, Candidate], role: str) -> None:
    scene, _ = decided
    closed(scene)
    for table in OTHER_CHANGES:
        assert refused(scene.house, role, EMPTY.format(table)) == "42501"


@pytest.mark.parametrize("role", ["retain", "master"])
def test_a_holds_reason_goes_when_it_has_ended_and_all_is_closed(decided: tuple[Scene, Candidate], role: str) -> None:
    scene, _ = decided
    release = "UPDATE evidence_hold SET released_by = 'authoriser', released_at = now()"
    assert refused(scene.house, role, EMPTY.format("evidence_hold")) == "PV024"
    closed(scene)
    assert refused(scene.house, role, EMPTY.format("evidence_hold")) == "PV024"  # it stands
    with scene.house.retain().work() as work:
        assert work.empty_reasons() == 0
    run(scene.house, "master", release)
    assert run(scene.house, role, EMPTY.format("evidence_hold")) == 1
    assert refused(scene.house, role, release) in {"PV024", "42501"}


def test_a_released_holds_reason_stays_while_its_deployment_is_not_closed(decided: tuple[Scene, Candidate]) -> None:
    scene, _ = decided
    run(scene.house, "master", "UPDATE evidence_hold SET released_by = 'authoriser', released_at = now()")
    stop(scene)
    for role in ("retain", "master"):
        assert refused(scene.house, role, EMPTY.format("evidence_hold")) == "PV024"
    with scene.house.retain().work() as work:
        assert work.empty_reasons() == 0
        close(scene, work)
        assert work.empty_reasons() == 1


@pytest.mark.parametrize("role", ["review", "master"])
def test_none_is_written_without_one(scene: Scene, role: str) -> None:
    made, other = scene.raised(), scene.raised()
    with scene.house.review().work() as work:
        work.decide(decision(made), now())
    until = "now(), now() + interval '1 h'"
    for empty in ("''", "' '"):
        for statement in (
            f"INSERT INTO review VALUES ('r', '{other.id}', 'reviewer', 'reject', {empty}, clock_timestamp())",
            f"INSERT INTO withdrawal VALUES ('{made.id}', 'reviewer', {empty}, now())",
            f"INSERT INTO evidence_hold VALUES ('h', '{made.id}', 'reason', {empty}, 'x', {until})",
        ):
            assert refused(scene.house, role, statement) == "23514"


def test_what_was_closed_before_there_was_a_rule_is_emptied_too(decided: tuple[Scene, Candidate]) -> None:
    scene, _ = decided
    stop(scene)
    with psycopg.connect(scene.house.database.master_url) as master:
        master.execute("SET session_replication_role = replica")
        master.execute("UPDATE deployment SET state = 'closed', closed_at = now(), closed_by = 'x'")
    with scene.house.retain().work() as work:
        assert work.empty_reasons() == 2
    assert value(scene.house, "SELECT reason FROM review") == ""


def test_who_takes_back_and_who_closes_wait_for_one_another(scene: Scene) -> None:
    """Past the code, which locks as well: the row comes after the certificate, without its reason."""
    made = scene.raised()
    with scene.house.review().work() as work:
        work.decide(decision(made), now())
    stop(scene)
    began = threading.Event()

    def take_back() -> int:
        began.set()
        statement = f"INSERT INTO withdrawal VALUES ('{made.id}', 'reviewer', 'another person', now())"
        return run(scene.house, "review", statement)

    with ThreadPoolExecutor(1) as pool:
        with scene.house.retain().work() as work:
            close(scene, work)
            waiting = pool.submit(take_back)
            assert began.wait(10)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        assert waiting.result(10) == 1
    assert value(scene.house, "SELECT reason FROM withdrawal") == ""


def test_a_removal_waits_for_no_stop_that_may_wait_for_it(scene: Scene) -> None:
    """Its entry and candidates are locked by then: waiting for the deployment, each could wait for the other."""
    made = scene.raised()
    with scene.house.review().work() as work:
        work.decide(decision(made), now())
    remove = f"UPDATE entry SET removed_at = now() WHERE id = '{scene.entry.id}'"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(scene.house.database.master_url) as holding:
        holding.execute("SELECT FROM deployment FOR UPDATE")
        assert pool.submit(run, scene.house, "govern", remove).result(10) == 1
    assert value(scene.house, "SELECT withdrawn_by FROM withdrawal") == "entry:removed"


# --- groups -----------------------------------------------------------------------------------------------------------


def said(made: Candidate, sex: Sex = Sex.FEMALE) -> Demographics:
    return Demographics(made.id, "reviewer", sex, Age.FROM_18, Ethnicity.ASIAN, now())


def rejected(scene: Scene, count: int) -> list[Candidate]:
    found = [scene.raised() for _ in range(count)]
    with scene.house.review().work() as work:
        for number, one in enumerate(found):
            work.decide(decision(one, Decision.REJECT), now())
            assert work.record_demographics(said(one, list(Sex)[number % 3])) is None
    return found


def total(scene: Scene) -> int:
    return int(value(scene.house, "SELECT COALESCE(sum(counted), 0) FROM group_count"))


def test_groups_are_counted_when_it_is_known_what_became_of_them(scene: Scene) -> None:
    made = scene.raised()
    review = decision(made)
    with scene.house.review().work() as work:
        work.decide(review, now())
        assert work.record_demographics(said(made)) is None
    rejected(scene, 2)
    with scene.house.retain().work() as retain:
        assert retain.count_groups() == {}
        assert retain.next_groups(now()) is None
        end = scene.deployment.ends_at + DAY
        assert retain.groups_held() == (3, end, end)
    stop(scene)
    with scene.house.review().work() as work:
        answer = work.record_demographics(said(made))
        assert answer is not None
        assert answer.reason is Reason.TOO_LATE
    with scene.house.retain().work() as retain:
        at = now()
        assert retain.next_groups(at) == at  # those that could be counted now
        assert retain.count_groups() == {scene.deployment.id: 2}
        assert retain.count_groups() == {}
        assert retain.next_groups(now()) == review.decided_at + DAY
        assert retain.next_groups(at + 2 * DAY) == at + 2 * DAY
        assert retain.groups_held()[0] == 1
        assert retain.kept()["groups in counts"] == 2
    assert total(scene) == 2


def test_two_at_once_count_each_once(scene: Scene) -> None:
    rejected(scene, 12)
    stop(scene)
    ready = threading.Barrier(3)

    def count() -> int:
        with house(scene.house.database) as own, own.retain().work() as work:
            ready.wait(10)
            return sum(work.count_groups().values())

    with ThreadPoolExecutor(3) as pool:
        answers = [one.result(30) for one in [pool.submit(count) for _ in range(3)]]
    assert sum(answers) == 12
    assert total(scene) == 12
    assert value(scene.house, "SELECT count(*) FROM demographics") == 0


def test_single_deletions_in_another_order_do_not_wait_for_ever(scene: Scene) -> None:
    """Two transactions that count other candidates of the same groups."""
    made = rejected(scene, 6)
    stop(scene)
    ready = threading.Barrier(2)

    def count(order: list[Candidate]) -> int:
        with psycopg.connect(scene.house.database.url("retain")) as connection:
            ready.wait(10)
            return sum(
                connection.execute("DELETE FROM demographics WHERE candidate_id = %s", [one.id]).rowcount
                for one in order
            )

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(count, made[:3]), pool.submit(count, made[:2:-1])
        assert first.result(30) + second.result(30) == 6
    assert total(scene) == 6


def test_who_says_it_and_who_stops_wait_for_one_another(scene: Scene) -> None:
    """Or a row that is counted and gone could be written a second time by one who looked before the stop."""
    (made,) = rejected(scene, 1)
    with ThreadPoolExecutor(1) as pool:
        with scene.house.govern().work() as work:
            work.stop(scene.deployment.id, "anybody", now())
            statement = f"INSERT INTO demographics VALUES ('{made.id}', 'reviewer', 'male', '18_34', 'asian', now())"
            waiting = pool.submit(refused, scene.house, "review", statement)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        assert waiting.result(10) == "PV128"
