"""S22: what became of a confirmed candidate is asked for; said by those whom its deployment names, as often as they
need to; and after a day without an answer it is "not recorded", which is an answer too. Nothing waits for it.

Met records. The ways round: an answer by somebody else, or for what nobody confirmed; "not recorded" before its time or
to get rid of a bad answer; an answer that is changed or taken away; and an end that comes before anybody could answer.
"""

from datetime import timedelta

import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import Fault
from proviso.domain.outcome import Action, Result
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import LOOK_EVERY, OUTCOMES_DUE
from proviso.stages import people
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.safeguards.receiving import DAY, Receiving
from tests.template.conftest import Template

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)
NOT_ALLOWED = "42501"
WRONG, RIGHT, NONE = Result.ENGAGED_WRONG, Result.ENGAGED_RIGHT, Result.NOT_ENGAGED


@pytest.fixture
def told(house: House) -> Receiving:
    made = Receiving(house)
    made.candidate = made.confirmed()
    return made


def close(house: House, deployment_id: str) -> None:
    house.stop(deployment_id)
    house.due.put(deployment_id, house.now())
    house.retain()
    assert house.deployment(deployment_id).state is DeploymentState.CLOSED


# --- who says it, and of what -----------------------------------------------------------------------------------------


def test_it_is_asked_for_and_recorded(told: Receiving) -> None:
    """The control: a recipient who is named says it, and it stands in the audit."""
    (asked,) = told.notices()
    assert (asked.id, asked.outcome) == (told.candidate, None)
    view = told.record(told.candidate, RIGHT, Action.ARREST)
    assert (view.notice.outcome.result, view.notice.outcome.action) == (RIGHT, Action.ARREST)
    assert told.outcomes() == [("engaged_right", "arrest", "recipient")]
    (act,) = told.acts("outcome_recorded")
    assert b"engaged_right" in act


def test_it_may_be_said_again_and_all_are_kept(told: Receiving) -> None:
    for result in (RIGHT, NONE, WRONG):
        told.record(told.candidate, result)
    assert [one[0] for one in told.outcomes()] == ["engaged_right", "not_engaged", "engaged_wrong"]
    assert told.look(told.candidate).notice.outcome.result is WRONG
    assert len(told.acts("outcome_recorded")) == 3


def test_one_that_was_withdrawn_is_asked_for_too(told: Receiving) -> None:
    told.house.withdraw(told.candidate)
    told.record(told.candidate, WRONG, Action.CONVERSATION)
    assert told.outcomes() == [("engaged_wrong", "conversation", "recipient")]


def test_nothing_is_made_up(told: Receiving) -> None:
    told.house.retain()
    assert told.outcomes() == []


@pytest.mark.parametrize("sub", ["requester", "authoriser", "officer", "reviewer", "auditor", "protector"])
def test_nobody_without_the_role_says_it(told: Receiving, sub: str) -> None:
    assert told.record(told.candidate, by=sub).reason is Reason.ROLE_MISSING
    for role in ("review", "master"):
        with broken("PV022"):
            told.written(role, told.candidate, by=sub)
    assert told.outcomes() == []


def test_nobody_says_it_whom_the_deployment_does_not_name(told: Receiving) -> None:
    told.registered("stranger", Role.RECIPIENT)
    assert told.record(told.candidate, by="stranger").reason is Reason.NOT_A_MEMBER
    assert told.notices(by="stranger") == []
    for role in ("review", "master"):
        with broken("PV022"):
            told.written(role, told.candidate, by="stranger")


def test_nor_who_was_taken_off_it_or_lost_the_role(told: Receiving) -> None:
    house = told.house
    told.registered("recipient", Role.AUDITOR)
    assert told.record(told.candidate).reason is Reason.ROLE_MISSING
    with broken("PV022"):
        told.written("review", told.candidate)
    told.registered("recipient", Role.RECIPIENT)
    removed = people.remove_member(
        principal=house.person("requester"),
        deployment_id=told.deployment,
        sub="recipient",
        role=Role.RECIPIENT,
        store=house.govern,
        board=house.desk,
        clock=house.now,
    )
    assert not isinstance(removed, Refused)
    assert told.record(told.candidate).reason is Reason.NOT_A_MEMBER
    for role in ("review", "master"):
        with broken("PV022"):
            told.written(role, told.candidate)


@pytest.mark.parametrize(
    ("places", "categories", "seen"),
    [
        ("{}", "{}", True),
        ("{ gate   1 }", "{public_domain_photograph}", True),
        ("{Gate 2}", "{}", False),
        ("{}", "{wanted}", False),
    ],
)
def test_a_contact_narrows_what_somebody_answers(told: Receiving, places: str, categories: str, seen: bool) -> None:
    """Why it is not there is not said: it would tell a category."""
    told.contact(places=places, categories=categories)
    assert [one.id for one in told.notices()] == ([told.candidate] if seen else [])
    for answer in (told.look(told.candidate), told.record(told.candidate), told.slip(told.candidate)):
        assert answer == Refused(Reason.NOT_FOUND, "notice") if not seen else not isinstance(answer, Refused)


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.CANNOT_TELL, None])
def test_there_is_none_of_what_nobody_confirmed(told: Receiving, decision: Decision | None) -> None:
    house = told.house
    house.see(4)
    (other,) = (one["id"] for one in house.candidates if one["id"] != told.candidate)
    if decision:
        house.decide(other, decision)
    assert told.record(other) == Refused(Reason.NOT_FOUND, "notice")
    for role in ("review", "retain", "master"):
        for by, result in (("recipient", "engaged_right"), ("function:retain", "not_recorded")):
            with broken("PV022"):
                told.written(role, other, by=by, result=result)
    assert [one.id for one in told.notices()] == [told.candidate]


def test_an_action_needs_an_engagement(told: Receiving) -> None:
    refused = told.record(told.candidate, NONE, Action.SEARCH)
    assert refused.reason is Reason.INVALID
    for role in ("review", "master"):
        with broken("s22_action_of_an_engagement"):
            told.written(role, told.candidate, result="not_engaged", action="search")


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "report"])
def test_no_other_functions_role_writes_one(told: Receiving, role: str) -> None:
    with broken(NOT_ALLOWED):
        told.written(role, told.candidate)


@pytest.mark.parametrize("change", ["UPDATE outcome SET result = 'not_engaged'", "DELETE FROM outcome"])
def test_none_is_changed_or_taken_away(told: Receiving, change: str) -> None:
    told.record(told.candidate, WRONG)
    for role in ("review", "retain", "govern"):
        with broken(NOT_ALLOWED):
            told.house.sql(role, change)
    with pytest.raises(Exception, match="outcome"):
        told.house.sql("master", change)
    assert told.outcomes() == [("engaged_wrong", "none", "recipient")]


# --- what nobody says -------------------------------------------------------------------------------------------------


def test_after_a_day_it_is_closed_as_not_recorded_once(told: Receiving) -> None:
    told.later(DAY - MINUTE)
    assert told.house.retain().not_recorded == 0
    told.later(MINUTE)
    assert told.house.retain().not_recorded == 1
    assert told.house.retain().not_recorded == 0
    assert told.outcomes() == [("not_recorded", "none", "function:retain")]
    (act,) = told.acts("outcomes_not_recorded")
    assert told.candidate.encode() in act
    assert told.notices() == []
    assert told.record(told.candidate).reason is Reason.TOO_LATE


def test_what_was_answered_is_not_closed_over_it(told: Receiving) -> None:
    told.record(told.candidate, WRONG)
    told.later(DAY)
    assert told.house.retain().not_recorded == 0
    for role in ("retain", "review", "master"):
        with broken("PV022"):
            told.written(role, told.candidate, by="function:retain", result="not_recorded")
    assert told.outcomes() == [("engaged_wrong", "none", "recipient")]


def test_nobody_says_not_recorded_and_retain_says_nothing_else(told: Receiving) -> None:
    assert told.record(told.candidate, Result.NOT_RECORDED).reason is Reason.INVALID
    told.later(DAY)
    for role in ("review", "retain", "master"):
        with broken("s22_nobody_recorded_it"):
            told.written(role, told.candidate, result="not_recorded")
    for role in ("retain", "master"):
        with pytest.raises(Exception, match=r"s22_nobody_recorded_it|does not receive"):
            told.written(role, told.candidate, by="function:retain")
    assert told.outcomes() == []


def test_it_is_not_closed_before_its_day_is_over_by_either_clock(told: Receiving) -> None:
    for role in ("retain", "review", "master"):
        with broken("PV022"):
            told.written(role, told.candidate, by="function:retain", result="not_recorded")
    told.house.skew = DAY  # a function whose clock is ahead
    assert told.house.retain().not_recorded == 0
    assert told.house.due.objects[OUTCOMES_DUE] > told.house.now()  # and it comes again
    told.later(DAY)
    told.house.skew = -2 * MINUTE  # and one whose clock is behind: neither does it early, nor shows it for longer
    assert told.house.retain().not_recorded == 0
    assert told.record(told.candidate).reason is Reason.TOO_LATE
    assert told.notices() == []
    assert told.outcomes() == []


def test_retain_is_woken_for_the_first_that_is_missing_and_then_for_the_next(told: Receiving) -> None:
    """sweep wakes it by what is due; while the deployment is active it comes by each minute and puts that down."""
    house, second = told.house, told.another(4)
    told.later(timedelta(hours=2), but=second)
    house.retain()
    decided = {one["id"]: one["decided_at"] for one in house.candidates}
    assert house.due.objects[OUTCOMES_DUE] == decided[told.candidate] + DAY
    told.later(DAY, but=second)
    assert house.retain().not_recorded == 1
    assert house.due.objects[OUTCOMES_DUE] == decided[second] + DAY
    told.record(second)
    house.due.put(OUTCOMES_DUE, house.now())
    house.retain()
    assert OUTCOMES_DUE not in house.due.objects


@pytest.mark.safeguard("S23")
def test_no_closing_waits_for_one(told: Receiving) -> None:
    close(told.house, told.deployment)
    assert told.house.evidence.objects == {}
    assert told.house.due.objects[OUTCOMES_DUE] > told.house.now() + DAY - 10 * LOOK_EVERY
    told.later(DAY)
    assert told.house.retain().not_recorded == 1
    assert told.outcomes() == [("not_recorded", "none", "function:retain")]


@pytest.mark.safeguard("S23")
def test_nor_for_one_that_cannot_be_written(told: Receiving) -> None:
    house = told.house
    told.later(DAY)
    house.stop(told.deployment)
    house.due.put(told.deployment, house.now())
    house.sql(
        "master",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER broken BEFORE INSERT ON outcome FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    try:
        with pytest.raises(Fault):
            house.retain()
    finally:
        house.sql("master", "DROP TRIGGER broken ON outcome; DROP FUNCTION broken")
    assert house.deployment(told.deployment).state is DeploymentState.CLOSED
    assert house.retain().not_recorded == 1


def test_an_early_close_swallows_no_answer(told: Receiving) -> None:
    """Who does not like what may be said could otherwise close before it is."""
    close(told.house, told.deployment)
    (asked,) = told.notices()
    assert asked.id == told.candidate
    assert told.picture(told.candidate).reason is Reason.TOO_LATE
    view = told.record(told.candidate, WRONG)
    assert view.references == ()
    assert told.outcomes() == [("engaged_wrong", "none", "recipient")]
    assert told.holds() == []  # there is nothing left to hold, and the answer counts all the same


def test_the_routes_are_there(compiled: Template) -> None:
    routes = {
        given["Properties"]["Path"]
        for given in compiled.raw["Resources"]["ReviewFunction"]["Properties"]["Events"].values()
        if given["Type"] == "HttpApi"
    }
    assert {"/notices", "/notices/{notice}", "/notices/{notice}/outcome"} <= routes


def test_said_plainly_the_role_of_review_can_write_a_recipients_name(told: Receiving) -> None:
    """Not prevented: who holds the login role of review can write an answer in the name of a recipient of this
    deployment, late too, and with another time. It stands there with that name, and the person can be asked; an answer
    that was given before it stays beside it."""
    told.record(told.candidate, WRONG)
    told.written("review", told.candidate, result="not_engaged")
    told.later(DAY)
    told.written("review", told.candidate, result="engaged_right", at="now() - interval '3 days'")
    assert len(told.outcomes()) == 3
    assert len(told.acts("outcome_recorded")) == 1  # and only the first has its record
