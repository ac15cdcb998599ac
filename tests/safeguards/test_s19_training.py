"""S19: a reviewer without current training decides nothing. (An error rate on seeded candidates does not exist yet.)

APP; EU AI Act 26(2). The ways round: a training that is over, one that was never had, a clock that stands still, and a
review written as the function's own role.
"""

from datetime import timedelta

import psycopg
import pytest

from proviso.domain.people import Person, Role
from proviso.domain.reasons import Refused
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
REVIEW = (
    "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
    " SELECT 'r-1', id, 'reviewer', 'confirm', 'x', now() FROM candidate"
)


@pytest.fixture
def raised(house: House) -> House:
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    return house


def trained_until(house: House, days: int | None) -> None:
    until = None if days is None else house.now() + timedelta(days=days)
    with house.govern.work() as work:
        work.register(Person("reviewer", frozenset({Role.REVIEWER}), until))


@pytest.mark.parametrize("days", [None, -1, 0])
def test_who_is_not_trained_now_decides_nothing(raised: House, days):
    trained_until(raised, days)
    assert isinstance(raised.decide(raised.candidates[0]["id"]), Refused)
    assert raised.candidates[0]["state"] == "raised"
    raised.alert_all()
    assert ("recipients", "confirmed") not in raised.told


def test_with_current_training_it_is_decided(raised: House):
    """The control."""
    trained_until(raised, 1)
    raised.decide(raised.candidates[0]["id"])
    assert raised.candidates[0]["state"] == "confirmed"


@pytest.mark.parametrize("days", [None, -1])
def test_no_role_writes_a_review_of_somebody_untrained(raised: House, days):
    trained_until(raised, days)
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error, match="training is not current"):
            raised.sql(role, REVIEW)


def test_a_clock_that_stands_still_keeps_no_training_alive(raised: House):
    """By the caller's clock it is current; the database has a clock of its own."""
    trained_until(raised, -1)
    raised.skew = timedelta(days=-2)
    assert isinstance(raised.decide(raised.candidates[0]["id"]), Refused)
    assert raised.candidates[0]["state"] == "raised"


@pytest.mark.parametrize("role", ["match", "enrol", "review", "retain", "report"])
def test_no_other_functions_role_trains_anybody(raised: House, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raised.sql(role, "UPDATE person SET trained_until = now() + interval '1 year'")


def test_said_plainly_nobodys_errors_are_measured(raised: House):
    """Not there: candidates that are seeded to test a reviewer. Nothing in the schema could hold one."""
    named = raised.sql("master", "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'")
    assert [row["column_name"] for row in named if "seed" in row["column_name"]] == []
