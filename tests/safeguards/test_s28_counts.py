"""S28, S23: what reviewers said of single candidates' groups becomes counts once it is known what became of them, and
the rows go: also those of passers-by whom somebody rejected.

The ways round: a row that is deleted uncounted or counted twice, one that goes while its deployment runs, one that
comes when it is over, a count that somebody writes, and an outcome that comes after the close.
"""

from typing import Any

import pytest

from proviso.domain.candidate import Age, Decision, Ethnicity, Sex
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import Fault
from proviso.domain.outcome import Result
from proviso.domain.reasons import Reason
from proviso.domain.retention import GROUPS_DUE, LOOK_EVERY
from proviso.stages import review
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.safeguards.receiving import DAY, Receiving
from tests.safeguards.test_s23_held import lines, overdue

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

COUNT = "INSERT INTO group_count VALUES (%(id)s, 'rejected', 'none', 'female', '18_34', 'asian', {})"


@pytest.fixture
def told(house: House) -> Receiving:
    """One is confirmed, one rejected; a reviewer said groups of both."""
    made = Receiving(house)
    list_id, _ = house.listed(3, 4, 5)
    made.deployment = house.running(list_id).id
    made.named("recipient")
    made.candidate = made.another(3)
    say(made, made.candidate)
    house.see(4)
    (made.passer_by,) = (one["id"] for one in house.candidates if one["id"] != made.candidate)
    house.decide(made.passer_by, Decision.REJECT)
    say(made, made.passer_by, sex=Sex.MALE)
    return made


def say(told: Receiving, candidate: str, by: str = "reviewer", sex: Sex = Sex.FEMALE) -> Any:
    return review.record_demographics(
        principal=told.house.person(by),
        candidate_id=candidate,
        sex=sex,
        age=Age.FROM_18,
        ethnicity=Ethnicity.ASIAN,
        store=told.house.reviews,
        clock=told.house.now,
    )


def close(told: Receiving) -> None:
    told.house.stop(told.deployment)
    told.house.due.put(told.deployment, told.house.now())
    told.house.retain()
    assert told.house.deployment(told.deployment).state is DeploymentState.CLOSED


def single(told: Receiving) -> set[str]:
    return {one["candidate_id"] for one in told.house.sql("master", "SELECT candidate_id FROM demographics")}


def counts(told: Receiving) -> dict[tuple[str, str, str], int]:
    found = told.house.sql("master", "SELECT * FROM group_count")
    assert {(one["deployment_id"], one["age"], one["ethnicity"]) for one in found} <= {
        (told.deployment, "18_34", "asian")
    }
    return {(one["state"], one["result"], one["sex"]): one["counted"] for one in found}


def test_while_it_runs_nothing_is_counted(told: Receiving) -> None:
    """The control: also not with an outcome, which may be said again."""
    told.record(told.candidate)
    assert told.house.retain().groups_counted == 0
    assert (single(told), counts(told)) == ({told.candidate, told.passer_by}, {})
    (held,) = [line for line in lines(told.house, "database") if line.what == "groups of single candidates"]
    assert (held.count, held.until) == (2, told.house.deployment(told.deployment).ends_at + DAY)


def test_after_the_close_no_row_is_left_and_the_counts_add_up(told: Receiving) -> None:
    told.record(told.candidate, Result.ENGAGED_WRONG)
    told.record(told.candidate, Result.ENGAGED_RIGHT)
    unsure = told.house
    unsure.see(5)
    (third,) = {one["id"] for one in unsure.candidates} - {told.candidate, told.passer_by}
    unsure.decide(third, Decision.CANNOT_TELL)
    say(told, third, sex=Sex.MALE)
    unsure.decide(third, Decision.REJECT, by="second")
    say(told, third, by="second", sex=Sex.MALE)
    close(told)
    assert single(told) == {told.candidate}  # what came of it may be corrected for a day
    assert counts(told) == {("rejected", "none", "male"): 3}
    told.later(DAY)
    told.house.retain()
    assert single(told) == set()
    assert counts(told) == {("confirmed", "engaged_right", "female"): 1, ("rejected", "none", "male"): 3}
    acts = told.acts("groups_counted")
    assert [b'"counted":3' in acts[0], b'"counted":1' in acts[1]] == [True, True]
    assert not [word for word in (b"female", b"18_34", b"asian") if word in b"".join(acts)]
    assert told.house.retain().groups_counted == 0
    assert sum(counts(told).values()) == 4


def test_an_outcome_after_the_close_is_counted_under_its_result(told: Receiving) -> None:
    """No closing waits for it (S22)."""
    close(told)
    assert single(told) == {told.candidate}
    assert counts(told) == {("rejected", "none", "male"): 1}
    told.record(told.candidate, Result.ENGAGED_WRONG)
    told.house.retain()
    assert single(told) == {told.candidate}
    told.later(DAY)
    told.house.retain()
    assert single(told) == set()
    assert counts(told) == {("rejected", "none", "male"): 1, ("confirmed", "engaged_wrong", "female"): 1}


def test_without_an_answer_it_is_counted_so_after_a_day_for_which_retain_is_woken(told: Receiving) -> None:
    close(told)
    house = told.house
    (decided,) = (one["decided_at"] for one in house.candidates if one["id"] == told.candidate)
    assert house.due.objects[GROUPS_DUE] == decided + DAY
    house.skew = DAY  # a function whose clock is ahead: it comes again, and does not forget
    house.retain()
    assert house.due.objects[GROUPS_DUE] >= house.now() - LOOK_EVERY
    house.skew = DAY * 0
    assert single(told) == {told.candidate}
    told.later(DAY)
    house.retain()
    assert single(told) == set()
    assert counts(told)["confirmed", "not_recorded", "female"] == 1
    assert overdue(house) == set()


def test_what_was_taken_back_is_counted_so(told: Receiving) -> None:
    told.house.withdraw(told.candidate)
    told.record(told.candidate, Result.NOT_ENGAGED)
    close(told)
    told.later(DAY)
    told.house.retain()
    assert counts(told)["withdrawn", "not_engaged", "female"] == 1


def test_of_what_nobody_decided_in_the_end_too(told: Receiving) -> None:
    told.house.see(5)
    (third,) = {one["id"] for one in told.house.candidates} - {told.candidate, told.passer_by}
    told.house.decide(third, Decision.CANNOT_TELL)
    say(told, third)
    close(told)
    assert counts(told)["frozen", "none", "female"] == 1


def test_nothing_is_said_of_what_is_over(told: Receiving) -> None:
    """Or a row that was counted could come a second time."""
    house = told.house
    house.see(5)
    (third,) = {one["id"] for one in house.candidates} - {told.candidate, told.passer_by}
    house.decide(third, Decision.REJECT)
    house.stop(told.deployment)
    assert say(told, third).reason is Reason.TOO_LATE
    house.retain()
    assert say(told, told.passer_by).reason is Reason.TOO_LATE
    for role in ("review", "master"):
        with broken("PV128"):
            house.sql(
                role,
                "INSERT INTO demographics VALUES (%(id)s, 'reviewer', 'female', '18_34', 'asian', now())",
                id=told.passer_by,
            )


@pytest.mark.parametrize("role", ["retain", "master"])
def test_to_delete_is_to_count_for_whoever_does_it(told: Receiving, role: str) -> None:
    house = told.house
    for _ in ("while it runs", "when it is over, of what may still have an outcome"):
        with broken("PV029"):
            house.sql(role, "DELETE FROM demographics")
        house.stop(told.deployment)
    assert single(told) == {told.candidate, told.passer_by}
    house.sql(role, "DELETE FROM demographics WHERE candidate_id = %(id)s", id=told.passer_by)
    assert counts(told) == {("rejected", "none", "male"): 1}


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "review", "report"])
def test_no_other_role_deletes_or_counts(told: Receiving, role: str) -> None:
    told.house.stop(told.deployment)
    for statement in ("DELETE FROM demographics", "SELECT sex FROM group_count", COUNT.format(1)):
        with broken("42501"):
            told.house.sql(role, statement, **({"id": told.deployment} if "%" in statement else {}))


def test_a_count_is_made_and_changed_by_nobody(told: Receiving) -> None:
    house = told.house
    close(told)
    for statement in (COUNT.format(1), COUNT.format(7)):
        with broken("42501"):
            house.sql("retain", statement, id=told.deployment)
        with broken("PV028"):
            house.sql("master", statement, id=told.deployment)
    for statement in ("UPDATE group_count SET counted = counted + 1", "UPDATE group_count SET sex = 'female'"):
        with broken("42501"):
            house.sql("retain", statement)
        with broken("PV028"):
            house.sql("master", statement)
    for statement in ("DELETE FROM group_count", "TRUNCATE group_count", "TRUNCATE demographics"):
        with broken("PV029"):
            house.sql("master", statement)
    assert counts(told) == {("rejected", "none", "male"): 1}


def test_what_fails_half_way_counts_nothing_and_is_done_later(told: Receiving) -> None:
    house = told.house
    house.stop(told.deployment)
    house.due.put(told.deployment, house.now())
    house.sql(
        "master",
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        " CREATE TRIGGER z_broken AFTER DELETE ON demographics FOR EACH ROW EXECUTE FUNCTION broken()",
    )
    try:
        with pytest.raises(Fault):
            house.retain()
    finally:
        house.sql("master", "DROP TRIGGER z_broken ON demographics; DROP FUNCTION broken")
    assert house.deployment(told.deployment).state is DeploymentState.CLOSED  # S23 waits for no count
    assert (single(told), counts(told)) == ({told.candidate, told.passer_by}, {})
    assert GROUPS_DUE in house.due.objects
    house.retain()
    assert counts(told) == {("rejected", "none", "male"): 1}


def test_an_answer_that_is_corrected_within_the_day_is_counted_as_it_stands_then(told: Receiving) -> None:
    """Or a wrong tap would stand in the counts by which groups are compared (S27)."""
    told.record(told.candidate, Result.ENGAGED_RIGHT)
    close(told)
    told.record(told.candidate, Result.ENGAGED_WRONG)
    told.house.withdraw(told.candidate)
    told.later(DAY)
    told.house.retain()
    assert counts(told)["withdrawn", "engaged_wrong", "female"] == 1
    assert sum(counts(told).values()) == 2
