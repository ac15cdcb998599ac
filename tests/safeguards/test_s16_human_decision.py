"""S16: nothing goes to recipients before a recorded human decision.

Surveillance Camera Code; no solely automated decision. The ways round: a document forged into the outbox, a candidate's
state changed by SQL as a function's role, a decision that is no confirmation, and a confirmation that was not recorded.
A confirmation can be taken back, by a reviewer of the deployment, at any time.
"""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.candidate import CandidateState, Decision
from proviso.domain.errors import AuditUnwritable
from proviso.domain.notice import Kind, Notice
from proviso.domain.people import Member, Person, Role
from proviso.domain.reasons import Reason
from proviso.stages import review
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
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


# --- taking a confirmation back ---------------------------------------------------------------------------------------


@pytest.fixture
def confirmed(raised: House) -> House:
    raised.decide(raised.candidate)
    raised.alert_all()
    raised.publisher.sent.clear()
    return raised


def withdrawn_key(house: House) -> str:
    return f"notices/{house.candidate}/3-withdrawn.json"


@pytest.mark.parametrize("by", ["reviewer", "second"])
def test_any_reviewer_of_the_deployment_takes_it_back(confirmed: House, by: str):
    """The control."""
    view = confirmed.withdraw(confirmed.candidate, by=by)
    assert view.candidate.state is CandidateState.WITHDRAWN
    (row,) = confirmed.candidates
    assert (row["state"], row["decided_by"], row["revision"]) == ("withdrawn", "reviewer", 3)
    assert confirmed.one("SELECT withdrawn_by FROM withdrawal") == by
    assert confirmed.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%candidate_withdrawn%%'::bytea") == 1
    assert confirmed.alert(withdrawn_key(confirmed)) == "sent"
    assert confirmed.told == [("recipients", "withdrawn")]


@pytest.mark.safeguard("S04")
def test_also_after_a_stop_and_with_training_run_out(confirmed: House):
    """The control: when something is wrong, what ends it must not need anything else to be right."""
    confirmed.stop(confirmed.active.id)
    with confirmed.meddling() as master:
        master.execute("UPDATE person SET trained_until = now() - interval '1 day'")
    assert confirmed.decide(confirmed.candidate, by="second").reason is Reason.NOT_TRAINED
    confirmed.withdraw(confirmed.candidate)
    assert confirmed.candidates[0]["state"] == "withdrawn"
    assert confirmed.alert(withdrawn_key(confirmed)) == "sent"


def test_also_long_after_its_time_to_decide(confirmed: House):
    """The control."""
    with confirmed.meddling() as master:
        master.execute(
            "UPDATE candidate SET raised_at = raised_at - interval '5 hours',"
            " decide_by = decide_by - interval '5 hours', decided_at = decided_at - interval '5 hours'"
        )
    confirmed.withdraw(confirmed.candidate)
    assert confirmed.candidates[0]["state"] == "withdrawn"


WITHDRAW = "INSERT INTO withdrawal VALUES (%(id)s, %(by)s, 'x', now())"


@pytest.mark.parametrize("by", ["requester", "authoriser", "officer", "auditor", "stranger", "removed"])
def test_nobody_else_takes_it_back(confirmed: House, by: str):
    """Else whoever was confirmed could have it undone, and the recipients told to look away."""
    if by in ("stranger", "removed"):
        with confirmed.govern.work() as work:
            work.register(Person(by, frozenset({Role.REVIEWER}), confirmed.now() + timedelta(days=1)))
            if by == "removed":
                work.add_member(Member(confirmed.active.id, by, Role.REVIEWER, "requester", confirmed.now()))
                work.remove_member(confirmed.active.id, by, Role.REVIEWER, confirmed.now())
    expected = Reason.NOT_A_MEMBER if by in ("stranger", "removed") else Reason.ROLE_MISSING
    assert confirmed.withdraw(confirmed.candidate, by=by).reason is expected
    for role in ("review", "master"):
        with broken("PV017"):
            confirmed.sql(role, WITHDRAW, id=confirmed.candidate, by=by)
    for role in ("match", "enrol", "govern", "retain", "report"):
        with broken("42501"):
            confirmed.sql(role, WITHDRAW, id=confirmed.candidate, by="reviewer")
    assert confirmed.candidates[0]["state"] == "confirmed"


def test_no_role_takes_it_back_by_the_state_alone(confirmed: House):
    for role in ("match", "enrol", "govern", "review", "retain", "report", "master"):
        with pytest.raises(psycopg.Error):
            confirmed.sql(role, "UPDATE candidate SET state = 'withdrawn'")
    assert confirmed.candidates[0]["state"] == "confirmed"


def test_it_changes_nothing_of_who_decided_and_when(confirmed: House):
    confirmed.sql("review", WITHDRAW, id=confirmed.candidate, by="second")
    for role in ("review", "master"):
        for change in ("decided_by = 'second'", "decided_at = now()", "confirming_review = NULL"):
            with broken("PV016"):
                confirmed.sql(role, f"UPDATE candidate SET state = 'withdrawn', {change}")
    confirmed.sql("review", "UPDATE candidate SET state = 'withdrawn'")
    assert confirmed.candidates[0]["decided_by"] == "reviewer"


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.CANNOT_TELL, None])
def test_there_is_nothing_to_take_back_of_what_nobody_confirmed(raised: House, decision: Decision | None):
    if decision:
        raised.decide(raised.candidate, decision)
    assert raised.withdraw(raised.candidate).reason is Reason.WRONG_STATE
    for role in ("review", "master"):
        with broken("PV016"):
            raised.sql(role, WITHDRAW, id=raised.candidate, by="reviewer")
    assert not any("withdrawn" in key for key in raised.outbox.objects)


def test_it_is_taken_back_once_and_for_good(confirmed: House):
    confirmed.withdraw(confirmed.candidate)
    assert confirmed.withdraw(confirmed.candidate, by="second").reason is Reason.WRONG_STATE
    assert confirmed.decide(confirmed.candidate, by="second").reason is Reason.WRONG_STATE
    for role in ("review", "retain", "master"):
        for statement in ("UPDATE candidate SET state = 'confirmed'", "UPDATE candidate SET state = 'raised'"):
            with pytest.raises(psycopg.Error):
                confirmed.sql(role, statement)
    for statement in ("DELETE FROM withdrawal", "UPDATE withdrawal SET reason = 'y'"):
        for role in ("review", "master"):
            with pytest.raises(psycopg.Error):
                confirmed.sql(role, statement)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_lost_withdrawal_is_put_again(confirmed: House, stopped: bool):
    """review died between its commit and its put; also where everything was stopped after that."""
    confirmed.withdraw(confirmed.candidate)
    lost = Notice.from_json(withdrawn_key(confirmed), confirmed.outbox.objects.pop(withdrawn_key(confirmed)))
    if stopped:
        confirmed.stop(confirmed.active.id)
    assert confirmed.retain().notices_put == 1
    again = Notice.from_json(withdrawn_key(confirmed), confirmed.outbox.objects[withdrawn_key(confirmed)])
    assert replace(again, expires_at=lost.expires_at) == lost
    assert confirmed.alert(withdrawn_key(confirmed)) == "sent"
    assert confirmed.retain().notices_put == 0
    del confirmed.outbox.objects[withdrawn_key(confirmed)]
    assert confirmed.retain().notices_put == 0  # there is a receipt


def test_a_withdrawal_that_cannot_be_recorded_does_not_happen(confirmed: House):
    confirmed.sql(
        "master",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER broken BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    try:
        with pytest.raises(AuditUnwritable):
            confirmed.withdraw(confirmed.candidate)
    finally:
        confirmed.sql("master", "DROP TRIGGER broken ON audit_event; DROP FUNCTION broken")
    assert confirmed.candidates[0]["state"] == "confirmed"
    assert withdrawn_key(confirmed) not in confirmed.outbox.objects


# --- who is taken off the list ---------------------------------------------------------------------------------------


@pytest.mark.safeguard("S06")
def test_a_removal_takes_back_what_was_confirmed_and_says_so_in_its_own_name(raised: House) -> None:
    raised.decide(raised.candidate)
    raised.sql("govern", "UPDATE entry SET removed_at = clock_timestamp()")
    (candidate,) = raised.candidates
    assert (candidate["state"], candidate["revision"], candidate["decided_by"]) == ("withdrawn", 3, "reviewer")
    (row,) = raised.sql("master", "SELECT withdrawn_by FROM withdrawal")
    assert row["withdrawn_by"] == "entry:removed"


def test_nobody_withdraws_in_the_name_of_a_removal_that_was_none(raised: House) -> None:
    raised.decide(raised.candidate)
    for role in ("review", "master"):
        with broken("PV017"):
            raised.sql(
                role,
                "INSERT INTO withdrawal (candidate_id, withdrawn_by, reason, withdrawn_at)"
                " SELECT id, 'entry:removed', 'x', clock_timestamp() FROM candidate",
            )


@pytest.mark.safeguard("S06")
def test_no_reviewer_looks_at_somebody_who_was_taken_off(raised: House) -> None:
    raised.decide(raised.candidate)
    raised.sql("govern", "UPDATE entry SET removed_at = clock_timestamp()")
    given = {"principal": raised.person("reviewer"), "candidate_id": raised.candidate, "store": raised.reviews}
    view = review.look(**given, clock=raised.now)
    assert (view.revealed.category, view.revealed.listing_reason) == (None, None)
    for reference in (None, *(one.id for one in view.references)):
        refused = review.picture(
            **given,
            reference_id=reference,
            evidence=raised.evidence,
            enrolment=raised.enrolment,
            clock=raised.now,
        )
        assert refused.reason is Reason.TOO_LATE
