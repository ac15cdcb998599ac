"""S16: nothing goes to recipients before a recorded human decision.

Surveillance Camera Code; no solely automated decision. The ways round: a document forged into the outbox, a candidate's
state changed by SQL as a function's role, a decision that is no confirmation, and a confirmation that was not recorded.
"""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.candidate import Decision
from proviso.domain.errors import AuditUnwritable
from proviso.domain.notice import Kind, Notice
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason
from tests.safeguards.house import House
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def raised(house: House) -> House:
    list_id, house.entries = house.listed(3)
    house.active = house.running(list_id)
    house.see(3)
    house.candidate = house.candidates[0]["id"]
    return house


def recipients(house: House) -> int:
    return sum(1 for audience, _ in house.told if audience == "recipients")


def test_a_recorded_confirmation_tells_them(raised: House):
    """The control: this is the one way."""
    assert raised.alert_all() == ["sent"]
    assert recipients(raised) == 0
    raised.decide(raised.candidate)
    raised.alert_all()
    assert recipients(raised) == 1
    assert raised.one("SELECT count(*) FROM review WHERE decision = 'confirm' AND reviewer = 'reviewer'") == 1


def test_waiting_tells_nobody(raised: House):
    for _ in range(3):
        raised.retain()
        raised.see(3)
        raised.alert_all()
    assert recipients(raised) == 0


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.CANNOT_TELL])
def test_another_decision_tells_nobody(raised: House, decision):
    raised.decide(raised.candidate, decision)
    raised.retain()
    raised.alert_all()
    assert recipients(raised) == 0
    assert not any("confirmed" in key for key in raised.outbox.objects)


def the_notice(house: House) -> Notice:
    key = next(key for key in house.outbox.objects if key.endswith("1-raised.json"))
    return Notice.from_json(key, house.outbox.objects[key])


@pytest.mark.parametrize("key", ["1-raised.json", "2-raised.json", "2-confirmed.json/1-raised.json", "x-raised.json"])
def test_a_confirmed_document_under_a_key_that_match_may_put_is_no_notice(raised: House, key):
    """IAM lets match put `notices/*/*-raised.json` and no more. What the document says of itself does not count."""
    forged = replace(the_notice(raised), kind=Kind.CONFIRMED)
    raised.outbox.objects.clear()
    raised.outbox.objects[f"notices/{raised.candidate}/{key}"] = forged.to_json()
    assert raised.alert_all() == ["not_a_notice"]
    assert raised.told == []


def test_a_raised_document_never_reaches_recipients(raised: House):
    raised.alert_all()
    assert [audience for audience, _ in raised.told] == ["reviewers"]


CONFIRM = {
    "state alone": "UPDATE candidate SET state = 'confirmed'",
    "state and who": "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = now(),"
    " confirming_review = 'r-1'",
    "a review's name": "UPDATE candidate SET confirming_review = 'r-1'",
}


@pytest.mark.parametrize("statement", CONFIRM.values(), ids=CONFIRM)
def test_no_role_confirms_by_sql_without_a_review(raised: House, statement):
    for role in ("match", "enrol", "govern", "review", "retain", "report", "master"):
        with pytest.raises(psycopg.Error):
            raised.sql(role, statement)
    assert raised.candidates[0]["state"] == "raised"
    raised.retain()
    raised.alert_all()
    assert recipients(raised) == 0


def test_no_role_confirms_by_sql_on_the_strength_of_another_decision(raised: House):
    """A real review, but not of this candidate or not a confirmation."""
    raised.decide(raised.candidate, Decision.CANNOT_TELL)
    review = raised.one("SELECT id FROM review")
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error):
            raised.sql(
                role,
                "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = now(),"
                " confirming_review = %(review)s",
                review=review,
            )
    assert raised.candidates[0]["state"] == "raised"


REVIEW = (
    "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
    " SELECT 'r-1', id, {by}, 'confirm', 'x', now() FROM candidate"
)


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "retain", "report"])
def test_no_other_functions_role_writes_a_review(raised: House, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raised.sql(role, REVIEW.format(by="'reviewer'"))


@pytest.mark.safeguard("S17")
@pytest.mark.parametrize("by", ["requester", "authoriser", "officer", "auditor", "nobody"])
def test_no_review_by_somebody_involved_or_without_the_role(raised: House, by):
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error):
            raised.sql(role, REVIEW.format(by=f"'{by}'"))


@pytest.mark.safeguard("S17")
def test_who_requested_does_not_confirm_with_the_role_either(raised: House):
    with raised.govern.work() as work:
        work.register(Person("requester", frozenset({Role.REQUESTER, Role.REVIEWER}), raised.now() + timedelta(days=1)))
    assert raised.decide(raised.candidate, by="requester").reason is Reason.SAME_PERSON
    for role in ("review", "master"):
        with pytest.raises(psycopg.Error, match="does not review"):
            raised.sql(role, REVIEW.format(by="'requester'"))


def test_a_review_is_not_turned_into_a_confirmation(raised: House):
    raised.decide(raised.candidate, Decision.CANNOT_TELL)
    for role in ("review", "master"):
        for change in ("UPDATE review SET decision = 'confirm'", "DELETE FROM review"):
            with pytest.raises(psycopg.Error):
                raised.sql(role, change)


def test_a_rejection_is_not_undone(raised: House):
    raised.decide(raised.candidate, Decision.REJECT)
    assert raised.decide(raised.candidate, by="second").reason is Reason.WRONG_STATE
    for role in ("review", "match", "govern", "retain", "master"):
        for state in ("confirmed", "raised"):
            with pytest.raises(psycopg.Error):
                raised.sql(role, f"UPDATE candidate SET state = '{state}'")


def test_a_candidate_does_not_begin_confirmed(raised: House):
    for state in ("confirmed", "rejected", "withdrawn", "frozen"):
        with pytest.raises(psycopg.Error):
            raised.copy_candidate("match", state=f"'{state}'", frame_key="'f'")


def test_a_confirmation_that_cannot_be_recorded_tells_nobody(raised: House):
    raised.sql(
        "master",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER broken BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    try:
        with pytest.raises(AuditUnwritable):
            raised.decide(raised.candidate)
    finally:
        raised.sql("master", "DROP TRIGGER broken ON audit_event; DROP FUNCTION broken")
    assert raised.candidates[0]["state"] == "raised"
    assert raised.one("SELECT count(*) FROM review") == 0
    raised.retain()
    raised.alert_all()
    assert recipients(raised) == 0


@pytest.mark.safeguard("S17")
def test_where_two_must_confirm_one_does_not_do(house: House):
    """S17's part in it, where a policy asks for two."""
    house.permitted = policy(reviewers_required=2)
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    (candidate,) = house.candidates
    house.decide(candidate["id"])
    assert house.decide(candidate["id"]).reason is Reason.WRONG_STATE  # the same person again
    with pytest.raises(psycopg.Error, match="nobody confirmed it"):
        house.sql(
            "review",
            "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = now(),"
            " confirming_review = (SELECT id FROM review)",
        )
    house.retain()
    house.alert_all()
    assert recipients(house) == 0
    house.decide(candidate["id"], by="second")
    house.alert_all()
    assert recipients(house) == 1


def test_said_plainly_the_role_of_review_can_write_a_reviewers_name(raised: House):
    """Not prevented: who holds the login role of review can forge a review of a person who may review. It stands in
    the database, with a name and a time, and that person can be asked. Nothing is confirmed without such a record."""
    raised.sql("review", REVIEW.format(by="'reviewer'"))
    raised.sql(
        "review",
        "UPDATE candidate SET state = 'confirmed', decided_by = 'reviewer', decided_at = now(),"
        " confirming_review = 'r-1'",
    )
    assert raised.candidates[0]["state"] == "confirmed"
    assert raised.one("SELECT reviewer FROM review") == "reviewer"


def test_said_plainly_alert_believes_a_confirmed_key(raised: House):
    """Not prevented: alert has no database, so who may put `-confirmed.json` (by IAM review and retain alone) is
    believed while the permit is in force. Nothing in the database says that anybody confirmed, which shows it."""
    forged = replace(the_notice(raised), kind=Kind.CONFIRMED)
    raised.outbox.objects[forged.key] = forged.to_json()
    assert raised.alert(forged.key) == "sent"
    assert raised.candidates[0]["state"] == "raised"
    assert raised.one("SELECT count(*) FROM review") == 0
