"""S17: where the policy asks for two, two different people review, neither of whom requested, authorised or listed, and
each decides before seeing the other's decision. Nobody reviews for a deployment that does not name them.

EU AI Act 14(5). The ways round: one person twice, by the stage or by SQL; somebody who is part of it; somebody who was
taken off it; and a peek at what the other said.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import Deployment
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import people, review
from tests.fakes.cloud import FakePictures
from tests.safeguards.house import House
from tests.safeguards.past_the_code import OTHERS, broken
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def raised(house: House) -> House:
    """A candidate of a deployment that asks for two reviewers, who are `reviewer` and `second`."""
    house.permitted = policy(reviewers_required=2, version="two")
    house.list_id, _ = house.listed(3)
    house.active = house.running(house.list_id)
    house.see(3)
    house.candidate_id = house.candidates[0]["id"]
    return house


def add_role(house: House, sub: str, *roles: Role) -> None:
    """They keep what they have, and are trained."""
    with house.govern.work() as work:
        known = work.person(sub)
        work.register(
            Person(sub, (known.roles if known else frozenset()) | set(roles), house.now() + timedelta(days=1))
        )


def name(house: House, sub: str, by: str = "requester", role: Role = Role.REVIEWER):
    return people.name_member(
        principal=house.person(by),
        deployment_id=house.active.id,
        sub=sub,
        role=role,
        store=house.govern,
        board=house.desk,
        clock=house.now,
    )


def take_off(house: House, sub: str, by: str = "requester"):
    return people.remove_member(
        principal=house.person(by),
        deployment_id=house.active.id,
        sub=sub,
        role=Role.REVIEWER,
        store=house.govern,
        board=house.desk,
        clock=house.now,
    )


def look(house: House, by: str = "reviewer"):
    return review.look(
        principal=house.person(by), candidate_id=house.candidate_id, store=house.reviews, clock=house.now
    )


def picture(house: House, by: str):
    return review.picture(
        principal=house.person(by),
        candidate_id=house.candidate_id,
        reference_id=None,
        store=house.reviews,
        evidence=FakePictures(),
        enrolment=FakePictures(),
        clock=house.now,
    )


def pending(house: House, by: str):
    found = review.pending(principal=house.person(by), store=house.reviews, clock=house.now)
    return found if isinstance(found, Refused) else list(found.candidates)


def write_review(house: House, sub: str, role: str = "review", decision: str = "confirm") -> None:
    house.sql(
        role,
        "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
        " SELECT gen_random_uuid(), id, %(sub)s, %(decision)s, 'x', clock_timestamp() FROM candidate",
        sub=sub,
        decision=decision,
    )


CONFIRM = """
UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = clock_timestamp(), revision = 2,
    confirming_review = (SELECT min(id) FROM review WHERE reviewer = 'reviewer')
"""


def confirmed(house: House) -> bool:
    return house.candidates[0]["state"] == "confirmed"


# --- two, and different ones ------------------------------------------------------------------------------------------


def test_one_confirmation_sends_nothing_and_two_do(raised: House):
    raised.decide(raised.candidate_id)
    assert not confirmed(raised)
    raised.alert_all()
    assert {audience for audience, _ in raised.told} == {"reviewers"}
    raised.decide(raised.candidate_id, by="second")
    assert confirmed(raised)
    raised.alert_all()
    assert ("recipients", "confirmed") in raised.told


def test_the_same_person_twice_is_one(raised: House):
    raised.decide(raised.candidate_id)
    assert isinstance(raised.decide(raised.candidate_id), Refused)
    for role in ("review", "master"):
        with broken("s16_one_decision_a_reviewer"):
            write_review(raised, "reviewer", role)
    assert not confirmed(raised)


def test_one_rejection_is_enough_whatever_the_other_said(raised: House):
    raised.decide(raised.candidate_id)
    raised.decide(raised.candidate_id, Decision.REJECT, by="second")
    assert raised.candidates[0]["state"] == "rejected"
    assert [key for key in raised.outbox.objects if "confirmed" in key] == []


@pytest.mark.parametrize("second", [None, "cannot_tell", "reject"])
def test_sql_confirms_nothing_before_two_have(raised: House, second):
    write_review(raised, "reviewer")
    if second:
        write_review(raised, "second", decision=second)
    for role in ("review", "master"):
        with broken("PV016"):
            raised.sql(role, CONFIRM)
    assert not confirmed(raised)


def test_sql_confirms_when_two_have(raised: House):
    for sub in ("reviewer", "second"):
        write_review(raised, sub)
    raised.sql("review", CONFIRM)  # nothing else refused it
    assert confirmed(raised)


@pytest.mark.parametrize("lacking", ["policy - 'reviewers_required'", "policy || '{\"reviewers_required\": 0}'"])
def test_a_policy_that_does_not_say_how_many_never_means_none(raised: House, lacking):
    with raised.meddling() as connection:
        connection.execute(f"UPDATE deployment SET policy = {lacking}".encode())
    with broken("PV016"):
        raised.sql("review", "UPDATE candidate SET state = 'confirmed', decided_by = 'x', decided_at = now()")
    assert not confirmed(raised)


# --- blind to each other ----------------------------------------------------------------------------------------------


def test_nobody_sees_what_the_other_said_before_they_have_decided(raised: House):
    before = look(raised, "second")
    raised.decide(raised.candidate_id, by="reviewer")
    after = look(raised, "second")
    assert replace(after, now=before.now) == before
    assert (after.own, after.revealed) == (None, None)
    (waiting,) = pending(raised, "second")
    assert waiting == after.candidate
    assert waiting.state.value == "raised"


def test_the_first_to_decide_learns_of_the_second_no_more_than_the_outcome(raised: House):
    view = raised.decide(raised.candidate_id, by="reviewer")
    assert view.own.reviewer == "reviewer"
    assert view.revealed.others == ()
    raised.decide(raised.candidate_id, by="second")
    seen = look(raised, "reviewer")
    assert seen.own.reviewer == "reviewer"
    assert [(other.decision, other.reason) for other in seen.revealed.others] == [(Decision.CONFIRM, "alike")]


# --- neither requested, authorised nor listed -------------------------------------------------------------------------


@pytest.mark.parametrize("sub", ["requester", "authoriser", "officer"])
def test_who_has_a_part_in_it_neither_looks_nor_decides_though_they_are_named(raised: House, sub):
    add_role(raised, sub, Role.REVIEWER)
    by = "authoriser" if sub != "authoriser" else "requester"
    named = name(raised, sub, by=by)
    assert isinstance(named, Refused) == (sub != "officer")  # who listed is refused at the look
    raised.sql(
        "govern",
        "INSERT INTO deployment_member (deployment_id, sub, role, added_by, added_at)"
        " VALUES (%(d)s, %(sub)s, 'reviewer', 'requester', now()) ON CONFLICT DO NOTHING",
        d=raised.active.id,
        sub=sub,
    )
    assert pending(raised, sub) == []
    for refused in (look(raised, sub), picture(raised, sub), raised.decide(raised.candidate_id, by=sub)):
        assert refused.reason is Reason.SAME_PERSON
    for role in ("review", "master"):
        with broken("PV017"):
            write_review(raised, sub, role)


def test_who_added_only_a_picture_has_a_part_in_it_too(raised: House):
    add_role(raised, "second-officer", Role.WATCHLIST_OFFICER, Role.REVIEWER)
    name(raised, "second-officer")
    raised.sql(
        "enrol",
        "INSERT INTO reference (id, entry_id, watchlist_id, pipeline, image_key, image_digest, added_by, added_at)"
        " SELECT 'another', entry_id, watchlist_id, pipeline, image_key, 'another', 'second-officer', now()"
        " FROM reference",
    )
    assert look(raised, "second-officer").reason is Reason.SAME_PERSON
    with broken("PV017"):
        write_review(raised, "second-officer")


# --- named for it -----------------------------------------------------------------------------------------------------


def test_who_is_not_named_sees_nothing(raised: House):
    add_role(raised, "third", Role.REVIEWER)
    assert pending(raised, "third") == []
    for refused in (look(raised, "third"), picture(raised, "third"), raised.decide(raised.candidate_id, by="third")):
        assert refused.reason is Reason.NOT_A_MEMBER
    for role in ("review", "master"):
        with broken("PV017"):
            write_review(raised, "third", role)
    assert not isinstance(name(raised, "third"), Refused)
    assert look(raised, "third").own is None  # nothing else refused it


def test_named_for_another_deployment_is_not_named_for_this(raised: House):
    add_role(raised, "third", Role.REVIEWER)
    other = raised.requested(raised.list_id, cameras=("gate-2",))
    assert isinstance(other, Deployment)
    here, raised.active = raised.active, other
    assert not isinstance(name(raised, "third"), Refused)
    raised.active = here
    assert look(raised, "third").reason is Reason.NOT_A_MEMBER
    with broken("PV017"):
        write_review(raised, "third")


def test_a_recipient_is_no_reviewer(raised: House):
    add_role(raised, "third", Role.RECIPIENT, Role.REVIEWER)
    assert not isinstance(name(raised, "third", role=Role.RECIPIENT), Refused)
    assert look(raised, "third").reason is Reason.NOT_A_MEMBER


def test_who_is_taken_off_it_sees_nothing_from_their_next_request_on(raised: House):
    assert look(raised, "second").own is None
    assert take_off(raised, "second") is True
    assert pending(raised, "second") == []
    for refused in (look(raised, "second"), picture(raised, "second"), raised.decide(raised.candidate_id, by="second")):
        assert refused.reason is Reason.NOT_A_MEMBER
    with broken("PV017"):
        write_review(raised, "second")
    assert take_off(raised, "second").reason is Reason.NOT_FOUND
    assert not isinstance(name(raised, "second"), Refused)
    assert look(raised, "second").own is None


@pytest.mark.parametrize("by", ["reviewer", "officer", "auditor"])
def test_nobody_names_members_who_neither_requests_nor_authorises(raised: House, by):
    add_role(raised, "third", Role.REVIEWER)
    assert name(raised, "third", by=by).reason is Reason.ROLE_MISSING
    assert take_off(raised, "second", by=by).reason is Reason.ROLE_MISSING


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_functions_role_names_members(raised: House, role):
    for statement in (
        "INSERT INTO deployment_member SELECT deployment_id, 'auditor', 'reviewer', 'x', now() FROM deployment_member",
        "UPDATE deployment_member SET removed_at = now()",
        "DELETE FROM deployment_member",
    ):
        with broken("42501"):
            raised.sql(role, statement)


def test_members_and_who_named_them_are_in_the_audit(raised: House):
    add_role(raised, "third", Role.REVIEWER)
    name(raised, "third", by="authoriser")
    take_off(raised, "third")
    found = raised.sql(
        "master",
        "SELECT convert_from(body, 'UTF8')::jsonb AS said FROM audit_event WHERE chain = %(d)s ORDER BY sequence",
        d=raised.active.id,
    )
    acts = [(one["said"]["action"], one["said"]["actor"]) for one in found]
    assert acts[-2:] == [("member_named", "authoriser"), ("member_removed", "requester")]


def test_said_plainly_the_role_of_review_can_write_a_second_review_in_anothers_name(raised: House):
    """Not prevented: who holds review's login role can write the review of another named and trained reviewer. SQL
    cannot know who sat before the screen; it holds only that two such names stand there."""
    write_review(raised, "reviewer")
    write_review(raised, "second")
    raised.sql("review", CONFIRM)
    assert confirmed(raised)
