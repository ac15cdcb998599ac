"""Decisions: nothing is confirmed but by a person, in time, uninvolved (S16, S17, S18)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from proviso.domain.candidate import Candidate, CandidateState, ConfirmingReview, Decision, Review, Withdrawal
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.store import rows
from proviso.store.connection import RuleBroken
from tests.contract.store_samples import POLICY, House, Scene, decision, house, now
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


@pytest.fixture
def scene(rooms: House) -> Scene:
    return rooms.scene()


def decide(scene: Scene, review: Review, at: Any = None) -> Any:
    with scene.house.review().work() as work:
        return work.decide(review, at or now())


def state(scene: Scene, candidate: Candidate) -> Candidate:
    with scene.house.review()._connector.transaction() as session:
        found = session.row(rows.CANDIDATES + "WHERE c.id = %(id)s", {"id": candidate.id})
    assert found is not None
    return rows.candidate(found)


def test_a_reviewer_sees_what_waits(scene: Scene) -> None:
    first = scene.raised()
    second = scene.raised()
    with scene.house.review().work() as work:
        waiting = work.pending(now(), "reviewer")
        assert [(one.id, one.state, one.seeded) for one in waiting] == [
            (second.id, CandidateState.RAISED, False),
            (first.id, CandidateState.RAISED, False),
        ]
        assert work.pending(now() + timedelta(minutes=2), "reviewer") == []
        assert work.shown(first.id, "reviewer") == waiting[1]
        assert work.shown("none", "reviewer") is None
        found = work.person("reviewer")
        assert found is not None
        assert found.roles == frozenset({Role.REVIEWER})
        assert work.pending(now(), "somebody-else") == []
        assert work.involved(scene.deployment.id) == {"requester", "authoriser", "officer"}
        revealed = work.revealed(first.id, "reviewer")
        assert revealed is not None
        assert (revealed.category, revealed.listing_reason) == ("volunteer", scene.entry.reason)
        assert (revealed.similarity, revealed.others) == (first.similarity, ())
        [reference] = work.references(first.id, "reviewer")
        assert reference.key == f"enrolment/{scene.entry.watchlist_id}/{scene.entry.id}/{reference.id}.jpg"
        assert work.own_review(first.id, "reviewer") is None


def test_a_confirmation_is_the_proof_that_a_notice_needs(scene: Scene) -> None:
    made = scene.raised()
    review = decision(made)
    proof = decide(scene, review)
    assert isinstance(proof, ConfirmingReview)
    assert proof.review == review
    assert proof.candidate == replace(
        made,
        state=CandidateState.CONFIRMED,
        revision=2,
        decided_by="reviewer",
        decided_at=review.decided_at,
    )
    assert (proof.message_prefix, proof.category) == ("TRIAL", "volunteer")
    assert proof.useful_until == review.decided_at + timedelta(seconds=POLICY.notice_useful_s)
    assert state(scene, made) == proof.candidate
    with scene.house.review().work() as work:
        assert work.own_review(made.id, "reviewer") == review
        assert work.pending(now(), "reviewer") == []


def test_what_others_confirmed_is_listed_for_who_may_take_it_back(scene: Scene) -> None:
    made, rejected = scene.raised(), scene.raised()
    decide(scene, decision(made))
    decide(scene, decision(rejected, Decision.REJECT))
    since = now() - timedelta(hours=1)
    with scene.house.review().work() as work:
        assert [one.id for one in work.confirmed_by_others(since, "second-reviewer")] == [made.id]
        assert work.confirmed_by_others(since, "reviewer") == []
        assert work.confirmed_by_others(since, "somebody-else") == []
        assert work.confirmed_by_others(now() + timedelta(hours=1), "second-reviewer") == []
        assert isinstance(work.withdraw(Withdrawal(made.id, "second-reviewer", "not alike", now())), ConfirmingReview)
        assert work.confirmed_by_others(since, "second-reviewer") == []


def test_a_rejection_is_no_proof(scene: Scene) -> None:
    made = scene.raised()
    review = decision(made, Decision.REJECT)
    assert decide(scene, review) == review
    assert state(scene, made).state is CandidateState.REJECTED
    refused = decide(scene, decision(made, by="second-reviewer"))
    assert refused == Refused(Reason.WRONG_STATE, "rejected")


def test_cannot_tell_leaves_it_to_others(scene: Scene) -> None:
    """S18: recorded, no confirmation, and not to be taken back by the same person."""
    made = scene.raised()
    review = decision(made, Decision.CANNOT_TELL)
    assert decide(scene, review) == review
    assert state(scene, made) == made
    again = decide(scene, decision(made))
    assert isinstance(again, Refused)
    assert again.reason is Reason.WRONG_STATE
    assert isinstance(decide(scene, decision(made, by="second-reviewer")), ConfirmingReview)


@pytest.mark.parametrize("by", ["requester", "authoriser", "officer"])
def test_the_involved_do_not_review(scene: Scene, by: str) -> None:
    """S17: not even holding the role."""
    with scene.house.govern().work() as work:
        work.register(Person(by, frozenset({Role.REVIEWER})))
    made = scene.raised()
    refused = decide(scene, decision(made, by=by))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.SAME_PERSON
    assert state(scene, made) == made


def test_only_a_reviewer_reviews(scene: Scene) -> None:
    with scene.house.govern().work() as work:
        work.register(Person("recipient", frozenset({Role.RECIPIENT})))
    made = scene.raised()
    assert decide(scene, decision(made, by="recipient")) == Refused(Reason.ROLE_MISSING, "reviewer")
    assert decide(scene, decision(made, by="unknown")) == Refused(Reason.ROLE_MISSING, "reviewer")
    assert decide(scene, decision(replace(made, id="none"))) == Refused(Reason.NOT_FOUND, "candidate")


def test_too_late_by_the_callers_clock(scene: Scene) -> None:
    made = scene.raised()
    refused = decide(scene, decision(made), made.decide_by)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.TOO_LATE
    late = replace(decision(made), decided_at=made.decide_by)
    assert isinstance(decide(scene, late), Refused)


def test_too_late_by_the_databases_clock(scene: Scene) -> None:
    """S18: a caller whose clock stands still confirms nothing after the deadline."""
    made = scene.raised(decide_by=now() + timedelta(seconds=0.4))
    review = decision(made)
    with psycopg.connect(scene.house.database.master_url) as master:
        master.execute("SELECT pg_sleep(0.5)")
    refused = decide(scene, review, review.decided_at)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.TOO_LATE
    assert state(scene, made).state is CandidateState.RAISED


@pytest.mark.parametrize("what", [Decision.CONFIRM, Decision.REJECT, Decision.CANNOT_TELL])
def test_a_stop_freezes_what_waits(scene: Scene, what: Decision) -> None:
    """S04, S18: in the same statement, and no decision is taken any more."""
    made = scene.raised()
    with scene.house.govern().work() as work:
        work.stop(scene.deployment.id, "anybody", now())
    assert state(scene, made) == replace(made, state=CandidateState.FROZEN)
    assert decide(scene, decision(made, what)) == Refused(Reason.NOT_ACTIVE, "stopped")


def test_the_end_freezes_what_waits_and_leaves_what_was_decided(scene: Scene) -> None:
    waiting, confirmed = scene.raised(), scene.raised()
    decide(scene, decision(confirmed))
    with scene.house.retain().work() as work:
        work.end_due(scene.deployment.ends_at)
    assert state(scene, waiting).state is CandidateState.FROZEN
    assert state(scene, confirmed).state is CandidateState.CONFIRMED


def test_two_reviewers_where_the_policy_asks_for_two(rooms: House) -> None:
    """S17: the first confirmation alone is no proof."""
    scene = rooms.scene(policy=replace(POLICY, reviewers_required=2))
    made = scene.raised()
    first = decision(made)
    assert decide(scene, first) == first
    assert state(scene, made) == made
    assert isinstance(decide(scene, decision(made)), Refused)
    assert isinstance(decide(scene, decision(made, by="second-reviewer")), ConfirmingReview)


def test_two_reviewers_and_one_rejects(rooms: House) -> None:
    scene = rooms.scene(policy=replace(POLICY, reviewers_required=2))
    made = scene.raised()
    decide(scene, decision(made))
    decide(scene, decision(made, Decision.REJECT, "second-reviewer"))
    assert state(scene, made).state is CandidateState.REJECTED


# --- past the program: what its login role, or the owner, might try by hand -------------------------------------------


_CONFIRM = "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = now()"


@pytest.mark.parametrize(
    "statement",
    [
        _CONFIRM,
        _CONFIRM + ", confirming_review = 'none'",
        "INSERT INTO review VALUES ('r', %(id)s, 'reviewer', 'cannot_tell', 'x', now());"
        + _CONFIRM
        + ", confirming_review = 'r'",
        "INSERT INTO review VALUES ('r', %(id)s, 'reviewer', 'reject', 'x', now());"
        + _CONFIRM
        + ", confirming_review = 'r'",
        "INSERT INTO review VALUES ('r', %(id)s, 'officer', 'confirm', 'x', now());"
        + _CONFIRM
        + ", confirming_review = 'r'",
        "INSERT INTO review VALUES ('r', %(id)s, 'invented', 'confirm', 'x', now());"
        + _CONFIRM
        + ", confirming_review = 'r'",
        "UPDATE candidate SET state = 'rejected', decided_by = 'reviewer', decided_at = now()",
        "UPDATE candidate SET state = 'withdrawn'",
        "UPDATE candidate SET revision = 2, decided_by = 'reviewer', decided_at = now()",
        "INSERT INTO review VALUES ('r', %(id)s, 'reviewer', 'confirm', 'x', now() + interval '1 hour')",
    ],
)
@pytest.mark.parametrize("role", ["review", "postgres"])
def test_no_confirmation_by_hand(scene: Scene, statement: str, role: str) -> None:
    """S16: a flag cannot be set; a review of this candidate that confirms must be there."""
    made = scene.raised()
    url = scene.house.database.url("review") if role == "review" else scene.house.database.master_url
    *before, last = statement.replace("%(id)s", f"'{made.id}'").split(";")
    with psycopg.connect(url) as connection, pytest.raises(psycopg.DatabaseError):
        connection.execute(";".join([*before, last]).encode())
    assert state(scene, made) == made


def test_the_review_of_another_candidate_confirms_nothing(scene: Scene) -> None:
    made, other = scene.raised(), scene.raised()
    review = decision(other)
    decide(scene, review)
    with psycopg.connect(scene.house.database.url("review")) as connection, pytest.raises(psycopg.DatabaseError):
        connection.execute(f"{_CONFIRM}, confirming_review = %s WHERE id = %s".encode(), [review.id, made.id])
    assert state(scene, made) == made


@pytest.mark.parametrize("over", ["frozen", "expired", "rejected"])
def test_what_is_over_is_never_confirmed(scene: Scene, over: str) -> None:
    made = scene.raised()
    if over == "frozen":
        with scene.house.govern().work() as work:
            work.stop(scene.deployment.id, "anybody", now())
    elif over == "expired":
        with scene.house.retain().work() as retain:
            assert retain.expire_candidates(made.decide_by) == [made.id]
    else:
        decide(scene, decision(made, Decision.REJECT))
    assert isinstance(decide(scene, decision(made, by="second-reviewer")), Refused)
    with psycopg.connect(scene.house.database.master_url) as master, pytest.raises(psycopg.DatabaseError):
        master.execute(f"{_CONFIRM}, confirming_review = 'x'".encode())
    assert state(scene, made).state == over


def test_a_review_is_never_rewritten(scene: Scene) -> None:
    made = scene.raised()
    decide(scene, decision(made, Decision.CANNOT_TELL))
    with psycopg.connect(scene.house.database.master_url, autocommit=True) as master:
        for change in ("UPDATE review SET decision = 'confirm'", "DELETE FROM review", "DELETE FROM candidate"):
            with pytest.raises(psycopg.DatabaseError, match="append-only"):
                master.execute(change.encode())


def test_a_fault_in_a_decision_is_not_taken_for_an_answer(scene: Scene) -> None:
    made = scene.raised()
    review = decision(made, Decision.CANNOT_TELL)
    decide(scene, review)
    with pytest.raises(RuleBroken):
        decide(scene, replace(decision(made, by="second-reviewer"), id=review.id))
