"""S23: what reviewers, recipients and authorisers wrote in their own words goes with the close; that they decided, what
and when, stays.

The ways round: a text in a table that no count looks at, a hold that outlives the deployment, a confirmation that is
taken back when all is closed already, and a certificate beside a text that is still there.
"""

from datetime import timedelta
from typing import Any

import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import BACKUPS_KEPT, Certificate, StoreCount
from proviso.stages import holds
from proviso.store.connection import RuleBroken
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.safeguards.receiving import Receiving
from tests.safeguards.seeded import give
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

WORD = "quixotic"
WRITTEN = ("review", "withdrawal", "test_candidate", "evidence_hold")


@pytest.fixture
def wordy(house: House) -> Receiving:
    """A word in every reason there is: two decisions, one of them taken back and held, and a test's answer."""
    house.permitted = policy(test_candidates_percent=5, version="tests")
    house.pool()
    list_id, _ = house.listed(3, 4)
    house.active = house.running(list_id)
    told = Receiving(house)
    told.deployment = house.active.id
    told.named("recipient")
    house.see(3)
    house.see(4)
    told.candidate, other = (one["id"] for one in house.candidates)
    house.decide(told.candidate, reason=WORD)
    house.decide(other, Decision.REJECT, reason=WORD)
    house.decide(give(house), Decision.REJECT, reason=WORD)
    assert not isinstance(told.hold(told.candidate, reason=WORD), Refused)
    house.withdraw(told.candidate, reason=WORD)
    with house.meddling() as master:
        master.execute("UPDATE entry SET reason = %s", [WORD])
    return told


def naming(house: House) -> set[str]:
    """Tables in which the word is anywhere, in whatever column, the audit's bytes included."""
    tables = house.sql("master", "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) > 30
    return {
        one["tablename"]
        for one in tables
        if house.one(
            f"SELECT count(*) FROM {one['tablename']} AS t WHERE t::text LIKE %(word)s OR t::text LIKE %(bytes)s",
            word=f"%{WORD}%",
            bytes=f"%{WORD.encode().hex()}%",
        )
    }


def close(told: Receiving) -> None:
    house = told.house
    house.stop(told.deployment)
    house.due.put(told.deployment, house.now())
    house.retain()
    assert house.deployment(told.deployment).state is DeploymentState.CLOSED


def release(told: Receiving) -> None:
    (made,) = told.house.sql("master", "SELECT id FROM evidence_hold")
    released = holds.release(
        principal=told.house.person("authoriser"),
        candidate_id=told.candidate,
        hold_id=made["id"],
        store=told.house.govern,
        due=told.house.due,
        clock=told.house.now,
    )
    assert not isinstance(released, Refused)


def without_reasons(house: House) -> dict[str, list[Any]]:
    return {
        table: house.sql("master", f"SELECT to_jsonb(t) - 'reason' AS row FROM {table} t ORDER BY 1")
        for table in WRITTEN
    }


def test_the_word_would_be_found(wordy: Receiving) -> None:
    """The control. No audit record, notice or count has it."""
    assert naming(wordy.house) == {*WRITTEN, "entry"}
    with wordy.house.meddling() as master:
        master.execute("INSERT INTO audit_head VALUES ('x', 1, convert_to(%s, 'utf8'))", [f"{WORD}{'x' * 24}"])
    assert "audit_head" in naming(wordy.house)


def test_after_the_close_it_is_nowhere_and_who_decided_what_and_when_is(wordy: Receiving) -> None:
    release(wordy)
    before = without_reasons(wordy.house)
    close(wordy)
    assert naming(wordy.house) == set()
    assert without_reasons(wordy.house) == before
    counts = {count.store: count.left for count in wordy.house.certificate(wordy.deployment).counts}
    assert [counts[f"reasons of {what}"] for what in ("reviews", "withdrawals", "tests")] == [0, 0, 0]


def test_a_holds_reason_stays_for_as_long_as_the_hold_and_goes_when_it_is_released(wordy: Receiving) -> None:
    close(wordy)
    wordy.house.retain()
    assert naming(wordy.house) == {"evidence_hold"}
    release(wordy)
    wordy.house.retain()
    assert naming(wordy.house) == set()


def test_or_when_it_ends_for_which_retain_is_woken(wordy: Receiving) -> None:
    house = wordy.house
    close(wordy)
    with house.meddling() as master:
        master.execute("UPDATE evidence_hold SET held_at = held_at - interval '2 days', until = now() + interval '1 s'")
    house.due.put(wordy.deployment, house.now())
    house.retain()
    assert house.due.objects[wordy.deployment] == house.one("SELECT until FROM evidence_hold")
    with house.meddling() as master:
        master.execute("UPDATE evidence_hold SET until = now()")
    house.retain()
    assert naming(house) == set()


def test_while_it_is_not_closed_nothing_is_emptied(wordy: Receiving) -> None:
    wordy.house.stop(wordy.deployment)
    wordy.house.gauge.holds = {}
    wordy.house.retain()
    assert naming(wordy.house) == {*WRITTEN, "entry"}


def test_what_is_taken_back_after_the_close_is_asked_why_and_that_is_not_kept(house: House) -> None:
    told = Receiving(house)
    candidate = told.confirmed()
    close(told)
    assert house.withdraw(candidate, reason=" ").reason is Reason.INVALID
    view = house.withdraw(candidate, reason=WORD)
    assert not isinstance(view, Refused)
    assert naming(house) == set()
    (kept,) = house.sql("master", "SELECT withdrawn_by, reason FROM withdrawal")
    assert kept == {"withdrawn_by": "reviewer", "reason": ""}


@pytest.mark.parametrize("without", ["review", "withdrawal", "test_candidate"])
def test_no_certificate_beside_one_that_is_left(wordy: Receiving, without: str, monkeypatch: Any) -> None:
    """Code that forgets one of them closes nothing; neither does a hand that says that all is zero."""
    from proviso.store import retention

    kept = tuple(one for one in retention._ERASE_OWN if f"UPDATE {without}" not in one)
    assert len(kept) == len(retention._ERASE_OWN) - 1
    monkeypatch.setattr(retention, "_ERASE_OWN", kept)
    house = wordy.house
    house.stop(wordy.deployment)
    house.due.put(wordy.deployment, house.now())
    assert house.retain().not_closed == (wordy.deployment,)
    assert naming(house) == {without, "evidence_hold"}
    now, list_id = house.now(), house.deployment(wordy.deployment).watchlist_id
    false = Certificate(wordy.deployment, list_id, (StoreCount("all", 0),), now, now + BACKUPS_KEPT)
    with pytest.raises(RuleBroken), house.retains.work() as work:
        work.close(false, "function:retain")


@pytest.mark.parametrize("table", WRITTEN)
def test_while_it_runs_nobody_empties_or_changes_one(wordy: Receiving, table: str) -> None:
    rule = "PV024" if table == "evidence_hold" else "PV029"
    written = {"test_candidate": "decided_at IS NOT NULL"}.get(table, "true")
    for role in ("retain", "master"):
        with broken(rule):
            wordy.house.sql(role, f"UPDATE {table} SET reason = '' WHERE {written}")
    for role in ("match", "enrol", "govern", "report", *(() if table == "test_candidate" else ("review",))):
        with broken("42501"):
            wordy.house.sql(role, f"UPDATE {table} SET reason = '' WHERE {written}")
    assert table in naming(wordy.house)


def test_an_early_end_of_training_or_of_a_pair_keeps_no_tests_reason(wordy: Receiving) -> None:
    """What bars an answer bars no emptying."""
    house = wordy.house
    for (pair,) in (tuple(one.values()) for one in house.sql("master", "SELECT id FROM test_pair")):
        house.remove_pair(pair)
    with house.meddling() as master:
        master.execute("UPDATE person SET trained_until = now() - interval '1 day'")
    release(wordy)
    house.skew = timedelta(minutes=5)
    close(wordy)
    assert naming(house) == set()
