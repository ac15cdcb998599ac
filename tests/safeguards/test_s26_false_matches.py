"""S26: false matches that rise suspend a deployment by themselves, and who is responsible is told.

South Wales Police: 1 in 1,000. The ways round: not deciding, taking back instead of rejecting, a stop or a removal just
before the deadline, another deployment or list, a looser limit by SQL, a state written back, a suspension deleted or
reviewed by whoever caused it, and authorising at the same moment.
"""

import math
import threading
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proviso.domain.candidate import CandidateState, Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import Fault
from proviso.domain.evalues import ln_e_false, ln_e_hits
from proviso.domain.frame import Outcome
from proviso.domain.monitoring import Cause
from proviso.domain.outcome import Action, Result
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import review
from proviso.stages.retain_room import ACTOR
from tests.embedded_database import Database
from tests.safeguards.house import House
from tests.safeguards.monitored import (
    another_authoriser,
    faces,
    figures,
    kinds,
    limited,
    past_deadline,
    rejected,
    reviewed,
    seen,
    series,
    shown,
    state,
    suspensions,
    unwatched,
    watched,
)
from tests.safeguards.past_the_code import calibrate
from tests.safeguards.receiving import Receiving
from tests.safeguards.test_s23_held import overdue
from tests.samples import grounds

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
ROLES = ("match", "enrol", "govern", "review", "retain", "report", "master")


# --- the control ------------------------------------------------------------------------------------------------------


def test_rejections_within_the_limit_suspend_nothing(house: House):
    watched(house)
    faces(house, 20_000)
    for who in (3, 4, 5):
        rejected(house, who)
    house.retain()
    assert (state(house), kinds(house)) == ("active", [])
    assert series(house)["f"] == 3
    assert series(house)["expected"] == pytest.approx(20.003)


def test_under_the_demonstrations_limits_nothing_is_suspended(house: House):
    house.permitted = limited(false_hits_per_million_faces=1_000_000)
    list_id, _ = house.listed(3, 4, 5)
    house.active = house.running(list_id)
    for who in (3, 4, 5, 3, 4, 5):
        rejected(house, who)
    house.retain()
    assert (state(house), kinds(house)) == ("active", [])


# --- what suspends ----------------------------------------------------------------------------------------------------


def suspended(house: House) -> dict[str, Any]:
    """Three false ones among a few faces."""
    watched(house)
    for who in (3, 4, 5):
        rejected(house, who)
    (row,) = suspensions(house)
    return row


def test_three_false_matches_among_a_few_faces_suspend_in_the_same_transaction(house: House):
    row = suspended(house)
    stopped = house.deployment(house.active.id)
    assert (row["kind"], row["deployment_id"], row["stopped"]) == ("false_matches", house.active.id, True)
    assert (stopped.state, stopped.finished_by) == (DeploymentState.STOPPED, "safeguard:S26")
    assert abs((stopped.finished_at - row["suspended_at"]).total_seconds()) < 1
    assert (row["figures"]["f"], row["figures"]["m"]) == (3, 3)
    assert row["figures"]["ln_e"] >= row["figures"]["bar"] == pytest.approx(math.log(400))
    assert row["figures"]["ln_e"] == pytest.approx(ln_e_hits(3, 3, 0.003, 1), rel=1e-9)


def test_it_has_the_effects_of_a_stop(house: House):
    """Pending candidates freeze, nothing more is searched, unsent notices are withheld, permits are taken back."""
    watched(house, 3, 4, 5, 6)
    waiting = seen(house, 6)
    message = house.message(3)
    for who in (3, 4, 5):
        rejected(house, who)
    assert state(house) == "stopped"
    frozen = {one["id"]: one["state"] for one in house.candidates}[waiting]
    assert frozen == CandidateState.FROZEN
    row = house.match(message)  # the permit object is still there: the row is the gate
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert house.decide(waiting).reason is Reason.NOT_ACTIVE
    assert house.permits.objects
    house.retain()
    assert house.permits.objects == {}
    assert set(house.alert_all()) == {"withheld", "sent"}
    assert house.told == [("reviewers", "suspended")]
    assert house.due.objects[house.active.id] > house.now()


def test_the_reviewers_page_says_why_nothing_comes_any_more(house: House):
    suspended(house)
    for who in ("reviewer", "second"):
        found = review.pending(principal=house.person(who), store=house.reviews, clock=house.now)
        (one,) = found.suspended
        assert (one.deployment_id, one.place, one.safeguard) == (house.active.id, "Gate 1", "S26")
    house.active = house.running(house.listed(6)[0]) if another_review(house) else house.active
    house.stop(house.active.id)
    found = review.pending(principal=house.person("reviewer"), store=house.reviews, clock=house.now)
    assert len(found.suspended) == 1  # what a person stopped is not among them


def another_review(house: House) -> bool:
    another_authoriser(house)
    return not isinstance(reviewed(house), Refused)


def test_who_is_responsible_is_told_once_without_a_name(house: House):
    suspended(house)
    for _ in range(3):
        house.retain()
        house.alert_all()
    ((audience, notice, texts),) = house.publisher.sent
    assert (audience, notice.kind.value, notice.safeguard) == ("reviewers", "suspended", "S26")
    assert "S26" in texts.sms
    assert len(texts.sms) <= 160
    members = house.desk.members(house.active.id)
    assert members.responsible == ("authoriser", "requester")
    assert members.named(notice.kind) == ("authoriser", "requester", "reviewer", "second")


def test_it_stands_in_the_audit_once_and_its_chain_holds(house: House):
    suspended(house)
    house.retain()
    house.retain()
    bodies = house.sql("master", "SELECT body FROM audit_event WHERE chain = %(id)s", id=house.active.id)
    (act,) = [bytes(one["body"]) for one in bodies if b"deployment_suspended" in one["body"]]
    assert b'"safeguard":"S26"' in act
    assert ACTOR.encode() in act
    assert house.anchors.heads


def test_an_audit_that_cannot_be_written_keeps_nothing_from_being_suspended(house: House):
    """The row is written by the database; retain writes it down as soon as it can (S36)."""
    suspended(house)
    assert state(house) == "stopped"
    with unwatched(house) as master:
        master.execute("ALTER TABLE audit_head RENAME TO away")
    with pytest.raises(Fault):
        house.retain()
    assert house.permits.objects == {}
    with unwatched(house) as master:
        master.execute("ALTER TABLE away RENAME TO audit_head")
    house.retain()
    assert house.one("SELECT count(*) FROM suspension WHERE audited_at IS NULL") == 0


def test_engaged_and_wrong_counts_and_right_does_not(house: House):
    watched(house)
    received = Receiving(house)
    received.deployment = house.active.id
    candidates = [received.another(who) for who in (3, 4, 5)]
    for one in candidates:
        received.record(one, Result.ENGAGED_RIGHT)
    assert (state(house), series(house)["f"]) == ("active", 0)
    for one in candidates:  # the latest stands
        received.record(one, Result.ENGAGED_WRONG, Action.CONVERSATION)
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])


def test_an_outcome_after_the_end_still_asks_for_a_review(house: House):
    watched(house)
    received = Receiving(house)
    received.deployment = house.active.id
    candidates = [received.another(who) for who in (3, 4, 5)]
    house.stop(house.active.id)
    for one in candidates:
        received.record(one, Result.ENGAGED_WRONG, Action.CONVERSATION)
    (row,) = suspensions(house)
    assert (row["kind"], row["stopped"]) == ("false_matches", False)
    assert house.deployment(house.active.id).finished_by == "anybody"
    asked = house.requested(house.list_id)
    assert house.authorise(asked.id).reason is Reason.SUSPENDED


def test_what_is_taken_back_by_a_person_counts_and_by_a_removal_does_not(house: House):
    watched(house)
    candidates = [seen(house, who) for who in (3, 4, 5)]
    for one in candidates:
        house.decide(one)
    house.sql("govern", "UPDATE entry SET removed_at = now()")
    assert {one["state"] for one in house.candidates} == {"withdrawn"}
    assert (state(house), series(house)["f"]) == ("active", 0)


def test_a_reviewer_who_takes_back_instead_of_rejecting_hides_nothing(house: House):
    watched(house)
    for who in (3, 4, 5):
        candidate = seen(house, who)
        house.decide(candidate)
        house.withdraw(candidate)
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])


# --- not deciding -----------------------------------------------------------------------------------------------------


def test_undecided_ones_count_from_their_deadline_and_not_before(house: House):
    """Else fifty listed people who walk in would suspend it; and else nobody who decides nothing could be caught."""
    watched(house)
    candidates = [seen(house, who) for who in (3, 4, 5)]
    house.retain()
    assert (state(house), series(house)["f"]) == ("active", 0)
    past_deadline(house, candidates)
    assert series(house)["f"] == 3  # retain has not written it down yet
    house.retain()
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])
    assert house.permits.objects == {}


def test_cannot_tell_is_no_decision_that_hides_it(house: House):
    watched(house)
    candidates = [seen(house, who) for who in (3, 4, 5)]
    for one in candidates:
        house.decide(one, Decision.CANNOT_TELL)
    past_deadline(house, candidates)
    house.retain()
    assert state(house) == "stopped"


def test_without_retain_the_next_rejection_sees_those_whose_time_is_over(house: House):
    watched(house, 3, 4, 5)
    past_deadline(house, [seen(house, 3), seen(house, 4)])
    rejected(house, 5)
    assert state(house) == "stopped"


def test_another_sighting_of_a_false_one_is_looked_at_too(house: House):
    """One that was engaged and wrong goes on to take sightings: each is a false hit more."""
    watched(house)
    received = Receiving(house)
    received.deployment = house.active.id
    first = received.another(3)
    received.record(first, Result.ENGAGED_WRONG, Action.CONVERSATION)
    before = series(house)["f"]
    house.see(3)
    assert series(house)["f"] == before + 1


@pytest.mark.parametrize(("late", "counts"), [(False, 0), (True, 3)])
def test_a_stop_just_before_the_deadline_is_nobodys_fault_and_after_it_is(house: House, late: bool, counts: int):
    watched(house)
    candidates = [seen(house, who) for who in (3, 4, 5)]
    if late:
        past_deadline(house, candidates)
    house.stop(house.active.id)
    assert {one["state"] for one in house.candidates} == {"frozen"}
    assert series(house)["f"] == counts
    house.retain()
    assert kinds(house) == (["false_matches"] if late else [])


@pytest.mark.parametrize("role", ["retain", "review", "master"])
def test_nobody_writes_when_it_froze(house: House, role: str):
    watched(house)
    candidate = seen(house, 3)
    house.stop(house.active.id)
    with pytest.raises(psycopg.Error):
        house.sql(role, "UPDATE candidate SET frozen_at = '2000-01-01' WHERE id = %(id)s", id=candidate)


# --- hits of one person -----------------------------------------------------------------------------------------------


def test_one_person_who_stays_in_view_does_not_suspend_it(house: House):
    """Thirty frames of one face are no thirty proofs; each still counts as a hit, before any suppression (S21)."""
    watched(house)
    rejected(house, 3, times=30)
    found = series(house)
    assert (found["f"], found["candidates"], found["together"]) == (30, 1, 30)
    assert ln_e_false(30, 0.03) > found["bar"] > found["ln_e"]
    assert state(house) == "active"


# --- the limit --------------------------------------------------------------------------------------------------------


def test_twice_the_calibrated_rate_is_the_limit_where_that_is_smaller(house: House):
    house.permitted = limited(calibration_required=True)
    list_id, _ = house.listed(3, 4, 5)
    calibrate(house, (10, "0.4", 0.00001, 0.00004), (100, "0.4", 0.1, 0.2))
    house.active = house.running(list_id)
    assert house.one("SELECT face_limit FROM false_limit") == pytest.approx(0.00008)
    assert shown(house).calibrated == pytest.approx(0.00004)


def test_the_calibrated_rate_is_of_as_many_frames_as_were_measured_next(house: House):
    """As the floor and the sentence that people are shown: uploads of up to two frames, one and three were measured."""
    house.permitted = limited(calibration_required=True)
    list_id, _ = house.listed(3)
    calibrate(house, (10, "0.4", 0.00001, 0.00002, None, None, 1), (10, "0.4", 0.00001, 0.00004, None, None, 3))
    house.active = house.running(list_id, burst_frames=2)
    assert house.one("SELECT calibrated FROM false_limit") == pytest.approx(0.00004)


def test_a_calibration_that_is_worse_than_the_policy_moves_nothing(house: House):
    house.permitted = limited(calibration_required=True)
    list_id, _ = house.listed(3)
    calibrate(house, (100, "0.4", 0.1, 0.2))
    house.active = house.running(list_id)
    assert house.one("SELECT face_limit FROM false_limit") == pytest.approx(0.001)


def test_without_a_trial_nobody_knows_of_passages_and_it_says_so(house: House):
    watched(house)
    found = shown(house)
    (passages, _) = [one for one in found.series if one.kind is Cause.FALSE_CANDIDATES]
    assert (passages.f, passages.evidence) == (None, None)
    assert "no trial was held" in passages.why_not
    assert any("not measurable" in sentence and "faces a passage" in sentence for sentence in found.sentences)


def test_where_a_trial_tells_the_faces_of_a_passage_false_candidates_are_tested_too(house: House):
    watched(house)
    with unwatched(house) as master:
        master.execute("UPDATE false_limit SET passage_limit = 0.001, faces_a_passage = 5, face_limit = 1")
    faces(house, 50)
    for who in (3, 4, 5):
        rejected(house, who)
    (row,) = suspensions(house)
    assert row["kind"] == "false_candidates"
    assert row["figures"]["m"] == pytest.approx(53 / 5)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE false_limit SET face_limit = 1",
        "UPDATE false_limit SET faces = 100000000",
        "DELETE FROM false_limit",
        "TRUNCATE false_limit",
        "INSERT INTO false_limit (deployment_id, face_limit) SELECT id, 1 FROM deployment",
        "UPDATE deployment SET policy = jsonb_set(policy, '{false_hits_per_million_faces}', '1000000')",
        "UPDATE deployment SET grounds = jsonb_set(grounds, '{operator_name}', '\"Somebody else\"')",
        "UPDATE suspension SET figures = '{}'",
        "UPDATE suspension SET operator = 'somebody else'",
        "UPDATE suspension SET reviewed_at = now(), reviewed_by = 'requester', finding = 'all is well'",
        "DELETE FROM suspension",
        "TRUNCATE suspension",
        "UPDATE deployment SET state = 'active'",
        "UPDATE deployment SET state = 'warming'",
    ],
)
def test_by_sql_nobody_raises_the_limit_or_undoes_it(house: House, statement: str):
    suspended(house)
    for role in ROLES:
        with pytest.raises(psycopg.Error):
            house.sql(role, statement)
    assert state(house) == "stopped"
    assert suspensions(house)[0]["reviewed_at"] is None


# --- another deployment -----------------------------------------------------------------------------------------------


def test_another_deployment_or_list_of_the_operator_waits_for_the_review(house: House):
    suspended(house)
    other_list, _ = house.listed(7, 8)
    for list_id in (house.list_id, other_list):
        asked = house.requested(list_id)
        assert house.authorise(asked.id).reason is Reason.SUSPENDED
        assert "suspended" in house.authorise(asked.id).sentence
        with pytest.raises(psycopg.Error) as error:
            house.sql(
                "govern",
                "UPDATE deployment SET state = 'authorised', authorised_by = 'authoriser', authorised_at = now(),"
                " authorised_digest = 'd' WHERE id = %(id)s",
                id=asked.id,
            )
        assert error.value.sqlstate == "PV026"


@pytest.mark.parametrize("name", ["EXAMPLE", " exam-ple ", "Exam ple."])
def test_the_operators_name_spelled_otherwise_is_the_same_operator(house: House, name: str):
    suspended(house)
    asked = house.requested(house.list_id, grounds=grounds(operator_name=name))
    assert house.authorise(asked.id).reason is Reason.SUSPENDED


def test_one_that_was_authorised_before_does_not_start(house: House):
    watched(house)
    asked = house.requested(house.list_id, cameras=("gate-2",))
    assert not isinstance(house.authorise(asked.id), Refused)
    for who in (3, 4, 5):
        rejected(house, who)
    refused = house.start(asked.id)
    assert refused.reason is Reason.SUSPENDED
    another_authoriser(house)
    assert not isinstance(reviewed(house), Refused)
    assert house.start(asked.id).state is DeploymentState.ACTIVE


def test_many_short_deployments_are_one_test(house: House):
    """One false match each, which alone says nothing."""
    watched(house)
    spans = []
    for who in (3, 4, 5):
        if spans:
            house.active = house.running(house.list_id)
        rejected(house, who)
        spans.append((series(house)["f"], series(house, span="operator")["f"]))
        if state(house) == "active":
            house.stop(house.active.id)
    assert spans == [(1, 1), (1, 2), (1, 3)]
    (row,) = suspensions(house)
    assert (row["deployment_id"], row["figures"]["span"]) == (house.active.id, "operator")


def test_deployments_side_by_side_are_one_test_after_a_suspension_too(house: House):
    """Two false ones of one and one of another say nothing; three of both do, and what ran beside the first counts."""
    watched(house)
    beside = [house.running(house.listed(6, 7)[0], cameras=("gate-2",))]
    beside.append(house.running(house.listed(8, 9)[0], cameras=("gate-3",)))
    for who in (3, 4, 5):
        rejected(house, who)
    assert [state(house), *(state(house, one.id) for one in beside)] == ["stopped", "active", "active"]
    for who, camera in ((6, "gate-2"), (7, "gate-2"), (8, "gate-3")):
        known = {one["id"] for one in house.candidates}
        house.detect(house.frame(who, camera=camera))
        house.match(house.queue.sent.pop())
        (candidate,) = [one["id"] for one in house.candidates if one["id"] not in known]
        house.decide(candidate, Decision.REJECT)
    assert series(house, span="operator", of=beside[1].id)["f"] == 3
    assert series(house, of=beside[1].id)["ln_e"] < math.log(400)
    assert state(house, beside[1].id) == "stopped"
    assert [one["figures"]["span"] for one in suspensions(house)][1:] == ["operator"]
    assert house.deployment(beside[0].id).state is DeploymentState.ACTIVE  # its own two are what is left of the pool


def test_what_ended_before_a_suspension_is_not_counted_again(house: House):
    watched(house)
    rejected(house, 3)
    house.stop(house.active.id)
    house.active = house.running(house.list_id)
    rejected(house, 4)
    rejected(house, 5)
    assert kinds(house) == ["false_matches"]
    another_authoriser(house)
    assert not isinstance(reviewed(house), Refused)
    house.active = house.running(house.list_id)
    rejected(house, 3)
    assert series(house, span="operator")["f"] == 1


def test_a_long_good_past_hides_no_bad_day(house: House):
    watched(house)
    faces(house, 1_000_000)
    house.stop(house.active.id)
    house.active = house.running(house.list_id)
    for who in (3, 4, 5):
        rejected(house, who)
    (row,) = suspensions(house)
    assert row["figures"]["span"] == "deployment"
    assert series(house, span="operator")["expected"] > 1000


def test_after_a_review_it_begins_anew(house: House):
    suspended(house)
    another_authoriser(house)
    assert not isinstance(reviewed(house), Refused)
    house.active = house.running(house.list_id)
    rejected(house, 3)
    assert state(house) == "active"
    assert series(house, span="operator")["f"] == 1


# --- the review -------------------------------------------------------------------------------------------------------


def test_who_asked_or_authorised_does_not_review_where_there_is_another(house: House):
    suspended(house)
    another_authoriser(house)
    refused = reviewed(house, by="authoriser")
    assert refused.reason is Reason.SAME_PERSON
    for who in ("requester", "reviewer", "auditor"):
        assert reviewed(house, by=who).reason is Reason.ROLE_MISSING
    with pytest.raises(psycopg.Error) as error:
        house.sql("govern", REVIEW, by="authoriser")
    assert error.value.sqlstate == "PV126"
    with pytest.raises(psycopg.Error):
        house.sql("govern", REVIEW, by="reviewer")
    assert suspensions(house)[0]["reviewed_at"] is None


REVIEW = "UPDATE suspension SET reviewed_by = %(by)s, reviewed_at = now(), finding = 'nothing'"


def test_where_there_is_no_other_the_only_one_may(house: House):
    suspended(house)
    assert reviewed(house, by="authoriser").reviewed_by == "authoriser"


def test_a_review_has_a_finding_is_written_once_and_recorded(house: House):
    suspended(house)
    another_authoriser(house)
    assert reviewed(house, finding="  ").reason is Reason.INVALID
    done = reviewed(house)
    assert (done.reviewed_by, done.finding.startswith("a poor picture")) == ("other", True)
    with pytest.raises(psycopg.Error):
        house.sql("govern", REVIEW, by="other")
    assert house.one("SELECT count(*) FROM audit_event WHERE position('suspension_reviewed'::bytea in body) > 0") == 1
    assert state(house) == "stopped"
    asked = house.requested(house.list_id)
    assert house.authorise(asked.id).state is DeploymentState.AUTHORISED


def test_said_plainly_an_authoriser_can_make_another_one(house: House):
    """Not prevented: roles are given by authorisers. It is recorded who gave which role to whom."""
    suspended(house)
    with house.govern.work() as work:
        work.register(Person("friend", frozenset({Role.AUTHORISER}), None))
    assert not isinstance(reviewed(house, by="friend"), Refused)


# --- at the same moment -----------------------------------------------------------------------------------------------


ADD_REVIEW = """
INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)
VALUES (gen_random_uuid(), %(id)s, %(by)s, 'reject', 'another person', clock_timestamp())
"""
REJECT = """
UPDATE candidate SET state = 'rejected', decided_by = %(by)s, decided_at = clock_timestamp() WHERE id = %(id)s
"""


def test_who_authorises_at_the_same_moment_waits_and_is_refused(house: House):
    watched(house)
    asked = house.requested(house.list_id, cameras=("gate-2",))
    rejected(house, 3)
    rejected(house, 4)
    candidate = seen(house, 5)
    answers: list[Any] = []
    with psycopg.connect(house.database.master_url) as suspending:
        suspending.execute(ADD_REVIEW, {"id": candidate, "by": "reviewer"})
        suspending.execute(REJECT, {"id": candidate, "by": "reviewer"})
        suspending.execute("SET CONSTRAINTS ALL IMMEDIATE")  # it is suspended, and not committed yet
        other = House(house.database)
        other.active, other.desk = house.active, house.desk
        waits = threading.Thread(target=lambda: answers.append(other.authorise(asked.id)))
        waits.start()
        waits.join(0.5)
        assert waits.is_alive()
        suspending.commit()
        waits.join(10)
        other.close()
    assert [one.reason for one in answers] == [Reason.SUSPENDED]
    assert state(house, asked.id) == "requested"


def test_rejections_at_the_same_moment_are_counted_together(house: House):
    """Each of two transactions sees its own alone: the one that commits last must see both."""
    watched(house)
    rejected(house, 3)
    candidates = [seen(house, 4), seen(house, 5)]
    connections = [psycopg.connect(house.database.master_url) for _ in candidates]
    for reviewer, connection, candidate in zip(("reviewer", "second"), connections, candidates, strict=True):
        connection.execute(ADD_REVIEW, {"id": candidate, "by": reviewer})
        connection.execute(REJECT, {"id": candidate, "by": reviewer})
    threads = [threading.Thread(target=connection.commit) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for connection in connections:
        connection.close()
    assert (state(house), kinds(house)) == ("stopped", ["false_matches"])


# --- the same in both languages ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    f=st.integers(0, 3000),
    candidates=st.integers(0, 200),
    expected=st.integers(0, 10**9).map(lambda faces: faces / 1e6),
    together=st.floats(1, 50),
)
def test_sql_and_python_work_out_the_same(migrated_database: Database, f, candidates, expected, together):
    with psycopg.connect(migrated_database.master_url) as connection:
        found = connection.execute(
            "SELECT ln_e_false(%s::float8, %s::float8), ln_e_hits(%s, %s, %s::float8, %s::float8)",
            [f, expected, f, candidates, together, expected],
        ).fetchone()
    assert found is not None
    assert found[0] == pytest.approx(ln_e_false(f, expected), rel=1e-9, abs=1e-9)
    assert found[1] == pytest.approx(ln_e_hits(f, candidates, expected, together), rel=1e-9, abs=1e-9)


def test_what_people_are_shown_is_what_suspends(house: House):
    suspended(house)
    found = shown(house)
    (own, pooled) = [one for one in found.series if one.kind is Cause.FALSE_MATCHES]
    assert own.evidence == pytest.approx(math.exp(suspensions(house)[0]["figures"]["ln_e"]))
    assert own.evidence >= own.needed == pytest.approx(400)
    assert own.detectable > 100
    assert pooled.f == 3
    assert [one.deployment_id for one in found.suspensions] == [house.active.id]
    assert shown(house, by="recipient").reason is Reason.ROLE_MISSING
    assert figures(house)["alpha"] == pytest.approx(0.01)


def test_its_notice_is_held_no_longer_than_its_deployment(house: House):
    """It lies in the outbox under the suspension's name, belongs to the deployment, and goes with it."""
    suspended(house)
    house.retain()
    house.alert_all()
    assert overdue(house) == set()
    house.due.put(house.active.id, house.now())
    house.retain()
    assert state(house) == "closed"
    assert not any("suspended" in key for key in house.outbox.objects)
    assert overdue(house) == set()
    assert suspensions(house)[0]["reviewed_at"] is None  # it still waits for its review
