"""S19: who has no current training neither looks nor decides.

APP; EU AI Act 26(2). The ways round: training that ended between the look and the decision, a function's clock that was
set back, a training that one records for oneself, and a review written by SQL.

Tests of reviewers: test_s19_tests.py. Who errs too often, and the hour's cap: test_s19_errors.py.
"""

from datetime import timedelta

import pytest

from proviso.domain.candidate import Decision
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import people, review
from tests.safeguards.house import House
from tests.safeguards.past_the_code import OTHERS, broken
from tests.safeguards.test_s17_two_reviewers import look, name, pending, picture, write_review

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def raised(house: House) -> House:
    house.active = house.running(house.listed(3)[0])
    house.see(3)
    house.candidate_id = house.candidates[0]["id"]
    return house


def trained(house: House, minutes: float | None, sub: str = "reviewer") -> None:
    until = None if minutes is None else house.now() + timedelta(minutes=minutes)
    with house.govern.work() as work:
        work.register(Person(sub, frozenset({Role.REVIEWER}), until))


def refusals(house: House) -> list[Refused]:
    decided = [house.decide(house.candidate_id, what) for what in Decision]
    return [pending(house, "reviewer"), look(house), picture(house, "reviewer"), *decided]


@pytest.mark.parametrize("minutes", [None, -1, -100_000], ids=["never", "ended", "long ago"])
def test_without_current_training_neither_look_nor_decision(raised: House, minutes):
    trained(raised, minutes)
    assert {refused.reason for refused in refusals(raised)} == {Reason.NOT_TRAINED}
    for role in ("review", "master"):
        for decision in ("confirm", "reject", "cannot_tell"):
            with broken("PV019"):
                write_review(raised, "reviewer", role, decision)
    assert raised.one("SELECT count(*) FROM review") == 0


def test_training_that_ended_since_the_look_decides_nothing(raised: House):
    assert look(raised).own is None
    trained(raised, -0.01)
    assert raised.decide(raised.candidate_id).reason is Reason.NOT_TRAINED
    assert raised.candidates[0]["state"] == "raised"


def test_a_clock_that_was_set_back_does_not_renew_it(raised: House):
    """The function takes it for current; the database does not."""
    trained(raised, -5)
    raised.skew = timedelta(minutes=-10)
    assert raised.decide(raised.candidate_id).reason is Reason.NOT_TRAINED
    assert raised.one("SELECT count(*) FROM review") == 0


def test_renewed_it_is_current_at_once(raised: House):
    trained(raised, -5)
    trained(raised, 5)
    assert raised.decide(raised.candidate_id).own.reviewer == "reviewer"


def test_nobody_untrained_is_named_as_a_reviewer(raised: House):
    for minutes in (None, -1):
        trained(raised, minutes, "third")
        assert name(raised, "third").reason is Reason.NOT_TRAINED
    trained(raised, 5, "third")
    assert not isinstance(name(raised, "third"), Refused)


def test_nobody_records_a_training_of_their_own(raised: House):
    renewed = Person("reviewer", frozenset({Role.REVIEWER}), raised.now() + timedelta(days=1000))
    refused = people.register(
        principal=raised.person("reviewer"), person=renewed, store=raised.govern, board=raised.desk, clock=raised.now
    )
    assert refused.reason is Reason.ROLE_MISSING
    for role in OTHERS:
        with broken("42501"):
            raised.sql(role, "UPDATE person SET trained_until = 'infinity'")


def test_who_may_not_decide_any_more_still_finds_what_they_can_take_back(raised: House):
    """A confirmation by somebody who is denied minutes later must not stand because of that."""
    candidate = raised.candidates[0]["id"]
    raised.decide(candidate)
    with raised.govern.work() as work:
        work.register(Person("reviewer", frozenset({Role.REVIEWER}), raised.now() - timedelta(days=1)))
    given = {"principal": raised.person("reviewer"), "store": raised.reviews, "clock": raised.now}
    listed = review.pending(**given)
    assert (listed.candidates, [shown.id for shown, _ in listed.own]) == ((), [candidate])
    assert review.look(**given, candidate_id=candidate).candidate.id == candidate
    pictures = {"evidence": raised.evidence, "enrolment": raised.enrolment, "reference_id": None}
    assert review.picture(**given, **pictures, candidate_id=candidate).reason is Reason.NOT_TRAINED
    assert not isinstance(raised.withdraw(candidate), Refused)
    assert review.pending(**given).reason is Reason.NOT_TRAINED
