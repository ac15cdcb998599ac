"""S18: no decision in time: the candidate expires, and never confirms by itself; "cannot tell" is no confirmation; none
after the deadline or a stop, held in the UPDATE.

As S16. The ways round are the clocks: a function whose clock stands still, a decision that claims an earlier time, and
a role that moves the deadline.
"""

from datetime import timedelta

import psycopg
import pytest

from proviso.domain.candidate import Decision
from proviso.domain.reasons import Reason
from tests.safeguards.house import House
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
LATE = timedelta(seconds=301)


def raised_before(house: House, ago: timedelta) -> str:
    """A candidate that was raised so long ago: match ran with a clock that much behind, inside the window."""
    list_id, house.entries = house.listed(3)
    house.active = house.running(list_id)
    house.skew = -ago
    house.see(3)
    house.skew = timedelta(0)
    return house.candidates[0]["id"]


@pytest.fixture
def late(house: House) -> House:
    """A candidate whose time to decide is over; nobody has written that down yet."""
    house.candidate = raised_before(house, LATE)
    return house


def state(house: House) -> str:
    return house.candidates[0]["state"]


@pytest.mark.parametrize("decision", Decision)
def test_no_decision_after_the_deadline(late: House, decision):
    assert state(late) == "raised"
    assert late.decide(late.candidate, decision).reason is Reason.TOO_LATE
    assert state(late) == "raised"
    assert late.one("SELECT count(*) FROM review") == 0


def test_in_time_it_can_be_decided(house: House):
    """The control: 60 seconds before the deadline."""
    candidate = raised_before(house, timedelta(seconds=240))
    house.decide(candidate)
    assert state(house) == "confirmed"


def test_a_caller_whose_clock_is_behind_does_not_decide_either(late: House):
    """By the caller's own clock there would be time; the database's is asked as well."""
    late.skew = timedelta(seconds=-200)
    assert late.decide(late.candidate).reason is Reason.TOO_LATE
    assert state(late) == "raised"
    late.alert_all()
    assert ("recipients", "confirmed") not in late.told


def test_a_caller_whose_clock_is_ahead_decides_nothing_late_by_its_own(house: House):
    candidate = raised_before(house, timedelta(0))
    house.skew = LATE
    assert house.decide(candidate).reason is Reason.TOO_LATE


@pytest.mark.parametrize("decided_at", ["now()", "decide_by - interval '1 second'", "raised_at"])
def test_sql_takes_no_review_that_claims_an_earlier_time(late: House, decided_at):
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error, match="no decision is open"):
            late.sql(
                role,
                "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
                f" SELECT 'r', id, 'reviewer', 'confirm', 'x', {decided_at} FROM candidate",
            )


def test_the_update_itself_holds_the_deadline(house: House):
    """A real review was recorded in time; the candidate is to be moved on its strength when the time is over."""
    house.permitted = policy(decide_within_s=1)
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    house.sql(
        "review",
        "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
        " SELECT 'r-1', id, 'reviewer', 'confirm', 'x', now() FROM candidate",
    )
    house.one("SELECT pg_sleep(1.1)::text")
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error, match="in time"):
            house.sql(
                role,
                "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer',"
                " decided_at = decide_by - interval '1 millisecond', confirming_review = 'r-1'",
            )
    assert state(house) == "raised"


@pytest.mark.parametrize(
    "change",
    [
        "decide_by = decide_by + interval '1 hour'",
        "raised_at = now()",
        "decide_by = now() + interval '1 hour', raised_at = now()",
    ],
)
def test_no_role_moves_the_deadline(late: House, change):
    for role in ("match", "govern", "review", "retain", "master"):
        with pytest.raises(psycopg.Error):
            late.sql(role, f"UPDATE candidate SET {change}")


def test_it_expires_and_stays_so(late: House):
    assert late.retain().expired == 1
    assert state(late) == "expired"
    for decision in Decision:
        assert late.decide(late.candidate, decision).reason is Reason.TOO_LATE
    for role in ("review", "retain", "govern", "match", "master"):
        for wanted in ("confirmed", "raised", "rejected"):
            with pytest.raises(psycopg.Error):
                late.sql(role, f"UPDATE candidate SET state = '{wanted}'")
    late.alert_all()
    assert late.told == []  # the reviewers' notice is stale by now


def test_an_expired_one_does_not_suppress_the_next(late: House):
    late.retain()
    late.see(3)
    assert [c["state"] for c in late.candidates] == ["expired", "raised"]


def test_nor_does_one_whose_time_is_over_before_anybody_wrote_it_down(house: House):
    """retain comes by once a minute: until then a person who lingers would be announced to nobody."""
    house.permitted = policy(decide_within_s=1)
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    house.see(3)
    assert [c["sightings"] for c in house.candidates] == [2]
    house.one("SELECT pg_sleep(1.1)::text")
    house.see(3)
    assert [(c["state"], c["sightings"]) for c in house.candidates] == [("raised", 2), ("raised", 1)]
    house.retain()
    assert house.candidates[0]["state"] == "expired"


def test_expiry_happens_once_and_is_recorded(late: House):
    assert late.retain().expired == 1
    assert late.retain().expired == 0
    recorded = "SELECT count(*) FROM audit_event WHERE body LIKE '%%candidates_expired%%'::bytea"
    assert late.one(recorded) == 1


def test_retain_with_a_clock_ahead_confirms_nothing(house: House):
    """The worst that a wrong clock does there is to expire too early."""
    candidate = raised_before(house, timedelta(0))
    house.skew = LATE
    house.retain()
    house.skew = timedelta(0)
    assert state(house) == "expired"
    assert house.decide(candidate).reason is Reason.TOO_LATE


def test_cannot_tell_is_recorded_and_is_no_confirmation(house: House):
    candidate = raised_before(house, timedelta(0))
    house.decide(candidate, Decision.CANNOT_TELL)
    assert state(house) == "raised"
    assert house.one("SELECT decision FROM review") == "cannot_tell"
    house.skew = LATE
    house.retain()
    assert state(house) == "expired"


def test_none_after_a_stop(house: House):
    candidate = raised_before(house, timedelta(0))
    house.stop(house.active.id)
    assert house.decide(candidate).reason is Reason.NOT_ACTIVE
    assert state(house) == "frozen"


@pytest.mark.safeguard("S04")
def test_nor_by_sql_on_the_strength_of_what_was_recorded_before_it(house: House):
    """A confirmation by one of two, or "cannot tell"; then the stop; then whoever writes moves the candidate."""
    house.permitted = policy(reviewers_required=2)
    candidate = raised_before(house, timedelta(0))
    house.decide(candidate)
    house.decide(candidate, Decision.CANNOT_TELL, by="second")
    assert state(house) == "raised"
    house.stop(house.active.id)
    review = house.one("SELECT id FROM review WHERE decision = 'confirm'")
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error, match="no decision is open"):
            house.sql(
                role,
                "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
                " SELECT 'r', id, 'second', 'confirm', 'x', now() FROM candidate",
            )
        with pytest.raises(psycopg.Error, match="cannot become confirmed"):
            house.sql(
                role,
                "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = now(),"
                " confirming_review = %(review)s",
                review=review,
            )
    assert state(house) == "frozen"


@pytest.mark.parametrize(("wanted", "review"), [("confirmed", "(SELECT id FROM review)"), ("rejected", "NULL")])
def test_cannot_tell_moves_nothing_by_sql_either(house: House, wanted: str, review: str):
    candidate = raised_before(house, timedelta(0))
    house.decide(candidate, Decision.CANNOT_TELL)
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error, match=f"nobody {wanted} it"):
            house.sql(
                role,
                f"UPDATE candidate SET state = '{wanted}', decided_by = 'reviewer', decided_at = now(),"
                f" confirming_review = {review}",
            )
    assert state(house) == "raised"
