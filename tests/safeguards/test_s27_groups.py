"""S27: groups that are mistaken more often than they pass by suspend, over all of the operator and pipeline.

Equality Act s.149; Essex trial 2026. The ways round: declaring nothing, or a share of everybody; recording groups of
some only, or falsely twice; taking groups away before they are counted; another deployment; a review that begins anew.
"""

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proviso.domain.candidate import Age, Ethnicity, Sex
from proviso.domain.deployment import DeploymentState
from proviso.domain.evalues import ln_e_group, ln_e_groups
from proviso.domain.monitoring import DIMENSIONS, MISSED, Exposure, exposure_fault
from proviso.domain.reasons import Reason, Refused
from tests.embedded_database import Database
from tests.safeguards.house import House
from tests.safeguards.monitored import (
    another_authoriser,
    figures,
    kinds,
    past_deadline,
    rejected,
    reviewed,
    said,
    seen,
    shown,
    state,
    suspensions,
    unwatched,
    watched,
)

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
LAX = {"false_hits_per_million_faces": 1_000_000, "groups_unrecorded_limit_percent": 100}
"""So that S26 stays out of it."""


def share(group: str, high: str, dimension: str = "ethnicity", low: str = "0") -> Exposure:
    return Exposure(dimension, group, Decimal(low), Decimal(high), "census of the district")


BLACK = share("black", "0.1", low="0.05")


def mistaken(house: House, count: int, **groups: Any) -> list[str]:
    """So many false candidates and what a reviewer said of each; fewer if it is suspended meanwhile."""
    made: list[str] = []
    for number in range(count):
        made.append(rejected(house, 3 + number % 3))
        if groups:
            assert said(house, made[-1], **groups) is True
        if state(house) != "active":
            break
    return made


def group(house: House, name: str = "black") -> dict[str, Any]:
    (found,) = [one for one in figures(house)["groups"] if one["value"] == name]
    return dict(found)


# --- the control, and what suspends -----------------------------------------------------------------------------------


def test_groups_as_they_pass_by_suspend_nothing(house: House):
    watched(house, exposure=[BLACK, share("white", "0.9")], **LAX)
    mistaken(house, 5, ethnicity=Ethnicity.WHITE)
    mistaken(house, 1, ethnicity=Ethnicity.BLACK)
    house.retain()
    assert (state(house), kinds(house)) == ("active", [])
    assert (group(house)["x"], group(house)["ns"]) == (1, [6])


def test_a_group_that_is_mistaken_far_more_often_suspends_it(house: House):
    watched(house, exposure=[BLACK, share("white", "0.9")], **LAX)
    assert len(mistaken(house, 9, ethnicity=Ethnicity.BLACK)) == 5
    (row,) = suspensions(house)
    stopped = house.deployment(house.active.id)
    assert (row["kind"], stopped.state, stopped.finished_by) == ("group", DeploymentState.STOPPED, "safeguard:S27")
    assert row["figures"]["ln_e"] >= row["figures"]["bar"] == pytest.approx(math.log(100))
    house.retain()
    house.alert_all()
    assert house.told == [("reviewers", "suspended")]
    assert house.publisher.sent[0][1].safeguard == "S27"
    asked = house.requested(house.list_id)
    assert house.authorise(asked.id).reason is Reason.SUSPENDED
    acts = house.sql("master", "SELECT body FROM audit_event")
    assert not any(b'"black"' in one["body"] for one in acts)  # counts by group stay in the row (S28)


def test_it_is_over_all_deployments_each_against_its_own_share(house: House):
    watched(house, exposure=[BLACK], **LAX)
    mistaken(house, 3, ethnicity=Ethnicity.BLACK)
    house.stop(house.active.id)
    house.active = house.running(house.listed(3, 4, 5)[0], exposure=(share("black", "0.2"),))
    mistaken(house, 2, ethnicity=Ethnicity.BLACK)
    found = group(house)
    assert (found["x"], sorted(zip(found["ns"], found["highs"], strict=True))) == (5, [(2, 0.2), (3, 0.1)])
    assert found["ln_e"] == pytest.approx(ln_e_group(5, [(3, 0.1), (2, 0.2)]), rel=1e-9)
    assert figures(house)["ln_e_groups"] == pytest.approx(ln_e_groups([found["ln_e"]]), rel=1e-9)


def test_it_is_never_reset_a_review_only_moves_the_bar(house: House):
    """What it has learnt stays: after the review the same again suspends sooner than before."""
    watched(house, exposure=[BLACK], **LAX)
    first = len(mistaken(house, 9, ethnicity=Ethnicity.BLACK))
    another_authoriser(house)
    assert not isinstance(reviewed(house, finding="equality review 1"), Refused)
    found = figures(house)
    assert found["bar_groups"] == pytest.approx(found["ln_e_groups"] + math.log(100))
    house.active = house.running(house.listed(3, 4, 5)[0], exposure=(BLACK,))
    assert state(house) == "active"
    assert 1 < len(mistaken(house, 9, ethnicity=Ethnicity.BLACK)) < first
    assert kinds(house) == ["group", "group"]


# --- not measurable ---------------------------------------------------------------------------------------------------


def test_without_declared_shares_it_says_that_nothing_can_be_measured(house: House):
    watched(house, **LAX)
    mistaken(house, 6, ethnicity=Ethnicity.BLACK)
    assert state(house) == "active"
    found = shown(house)
    assert {one.why_not for one in found.groups} == {"no share of passers-by was declared"}
    assert found.sentences.count(MISSED) == 1
    assert sum("not measurable" in sentence for sentence in found.sentences) >= 12


def test_a_share_of_up_to_everybody_says_nothing_and_is_shown_so(house: House):
    watched(house, exposure=[share("black", "1")], **LAX)
    mistaken(house, 6, ethnicity=Ethnicity.BLACK)
    (found,) = [one for one in shown(house).groups if one.group == "black"]
    assert (state(house), found.why_not) == ("active", "declared as up to everybody: says nothing")


def test_people_are_told_which_gap_could_have_been_seen(house: House):
    watched(house, exposure=[BLACK, share("female", "0.5", "sex")], **LAX)
    mistaken(house, 2, ethnicity=Ethnicity.WHITE, sex=Sex.FEMALE)
    sentences = shown(house).sentences
    assert "ethnicity black: with 2 false candidates nothing could be seen yet" in sentences
    with unwatched(house) as master:  # forty more, as after a long time
        master.execute(COPIES)
    (found,) = [one for one in shown(house).groups if one.group == "female"]
    assert found.n == 42
    assert 3 < found.detectable < 12
    assert any("nothing below a factor" in one and "sex female" in one for one in shown(house).sentences)


COPIES = """
INSERT INTO candidate (id, deployment_id, entry_id, camera, place, frame_key, captured_at, raised_at, decide_by,
    last_sighting_at, state, similarity, threshold, pipeline, policy, calibrated, evidence_key, evidence_digest,
    correlation_id, decided_by, decided_at)
SELECT id || n, deployment_id, entry_id, camera, place, frame_key || n, captured_at, raised_at, decide_by,
    last_sighting_at, state, similarity, threshold, pipeline, policy, calibrated, evidence_key, evidence_digest,
    correlation_id, decided_by, decided_at FROM (SELECT * FROM candidate LIMIT 1) AS c, generate_series(1, 40) AS g (n)
"""


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_two_reviewers_who_say_different_things_count_once(house: House):
    """In each dimension the first that somebody stated stands."""
    watched(house, exposure=[BLACK, share("white", "0.9")], reviewers_required=2, **LAX)
    candidate = rejected(house, 3)
    assert said(house, candidate, sex=Sex.FEMALE) is True
    with unwatched(house) as master:  # the second one decided too, before the first one's rejection ended it
        master.execute(
            "INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)"
            " VALUES ('r-2', %s, 'second', 'cannot_tell', 'dark', now())",
            [candidate],
        )
    assert said(house, candidate, by="second", sex=Sex.MALE, ethnicity=Ethnicity.BLACK) is True
    counted = house.sql("master", "SELECT * FROM groups_of(%(id)s) ORDER BY 1, 2", id=house.active.id)
    expected = [("any", "stated", 1), ("ethnicity", "black", 1), ("sex", "female", 1)]
    assert [(one["dimension"], one["value"], one["counted"]) for one in counted] == expected
    house.stop(house.active.id)
    house.retain()  # counted, and the rows have gone
    assert house.one("SELECT count(*) FROM demographics") == 0
    counted = house.sql("master", "SELECT * FROM groups_of(%(id)s) ORDER BY 1, 2", id=house.active.id)
    assert [(one["dimension"], one["value"], one["counted"]) for one in counted] == expected
    assert (group(house)["x"], group(house)["ns"]) == (1, [1])


def test_groups_of_those_who_were_right_are_not_counted(house: House):
    watched(house, exposure=[BLACK], **LAX)
    house.see(3)
    (one,) = house.candidates
    house.decide(one["id"])
    assert said(house, one["id"], ethnicity=Ethnicity.BLACK) is True
    assert (group(house)["x"], group(house)["ns"]) == (0, [0])


def test_whoever_records_one_group_only_suspends_nothing_by_that(house: House):
    """Those without a group count as not of it: so it holds, whoever chooses of whom something is recorded."""
    watched(house, exposure=[share("black", "0.5")], **LAX)
    mistaken(house, 6)
    mistaken(house, 4, ethnicity=Ethnicity.BLACK)
    assert (group(house)["x"], group(house)["ns"]) == (4, [10])
    assert group(house)["ln_e"] < 0
    assert state(house) == "active"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO false_group SELECT id, 'ethnicity', 'black', 50 FROM deployment",
        "UPDATE false_group SET counted = 50",
        "DELETE FROM false_group",
        "TRUNCATE false_group",
        "DELETE FROM demographics",
        "UPDATE demographics SET ethnicity = 'white'",
        "UPDATE deployment SET exposure = '[]'",
    ],
)
def test_by_sql_nobody_changes_what_was_said_or_declared(house: House, statement: str):
    watched(house, exposure=[BLACK], **LAX)
    mistaken(house, 1, ethnicity=Ethnicity.BLACK)
    house.stop(house.active.id)
    house.retain()
    house.active = house.running(house.listed(3, 4, 5)[0], exposure=(BLACK,))
    mistaken(house, 1, ethnicity=Ethnicity.BLACK)
    for role in ("match", "enrol", "govern", "review", "retain", "report", "master"):
        with pytest.raises(psycopg.Error):
            house.sql(role, statement)
    assert (group(house)["x"], sorted(group(house)["ns"])) == (2, [1, 1])


def test_of_one_candidate_no_row_goes_without_the_others(house: House):
    watched(house, exposure=[BLACK], **LAX)
    candidate = rejected(house, 3)
    said(house, candidate, ethnicity=Ethnicity.BLACK)
    with unwatched(house) as master:
        master.execute("INSERT INTO demographics VALUES (%s, 'second', 'male', '18_34', 'white', now())", [candidate])
    house.stop(house.active.id)
    with pytest.raises(psycopg.Error) as error:
        house.sql("master", "DELETE FROM demographics WHERE reviewer = 'second'")
    assert error.value.sqlstate == "PV029"


# --- not testable -----------------------------------------------------------------------------------------------------


def unrecorded(house: House, count: int = 5, **changed: Any) -> None:
    watched(house, **{**LAX, "groups_unrecorded_limit_percent": 50, **changed})
    mistaken(house, count)
    house.stop(house.active.id)
    house.retain()


def test_too_many_without_a_group_refuse_the_next_authorisation(house: House):
    watched(house, **{**LAX, "groups_unrecorded_limit_percent": 50})
    mistaken(house, 5)
    asked = house.requested(house.list_id)
    house.stop(house.active.id)
    assert kinds(house) == []  # a stop waits for no look
    assert house.authorise(asked.id).reason is Reason.SUSPENDED  # and who authorises looks first
    house.retain()
    (row,) = suspensions(house)
    assert (row["kind"], row["stopped"], row["figures"]) == ("not_testable", False, {"n": 5, "missing": 5})
    assert house.deployment(house.active.id).finished_by == "anybody"
    asked = house.requested(house.list_id)
    assert house.authorise(asked.id).reason is Reason.SUSPENDED
    another_authoriser(house)
    assert not isinstance(reviewed(house, finding="equality review: reviewers were told to record"), Refused)
    assert house.authorise(asked.id).state is DeploymentState.AUTHORISED


def test_below_five_nobody_asks_but_short_deployments_add_up(house: House):
    unrecorded(house, 3)
    assert kinds(house) == []
    house.active = house.running(house.list_id)
    mistaken(house, 2)
    assert kinds(house) == []  # while it runs they can still be recorded
    house.stop(house.active.id)
    house.retain()
    assert kinds(house) == ["not_testable"]


def test_what_is_recorded_in_time_counts(house: House):
    watched(house, **{**LAX, "groups_unrecorded_limit_percent": 50})
    for candidate in mistaken(house, 5)[:3]:
        said(house, candidate, age=Age.FROM_18)
    house.stop(house.active.id)
    house.retain()
    assert kinds(house) == []


def test_whoever_decides_nothing_starves_nothing(house: House):
    """Of what nobody decided nobody records a group: it is "not testable", where S26 does not come first."""
    watched(house, 3, 4, 5, 6, 7, exposure=[BLACK], max_entries=10, **{**LAX, "groups_unrecorded_limit_percent": 50})
    candidates = [seen(house, who) for who in (3, 4, 5, 6, 7)]
    past_deadline(house, candidates)
    house.stop(house.active.id)
    house.retain()
    assert (kinds(house), group(house)["ns"]) == (["not_testable"], [5])


def test_in_a_dimension_with_declared_shares_something_else_does_not_count(house: House):
    """A reviewer who records everybody's sex, and of nobody what was declared."""
    watched(house, exposure=[BLACK], **{**LAX, "groups_unrecorded_limit_percent": 50})
    mistaken(house, 5, sex=Sex.FEMALE)
    house.stop(house.active.id)
    house.retain()
    assert suspensions(house)[0]["figures"] == {"n": 5, "missing": 5}


def test_after_the_end_nothing_is_recorded_any_more(house: House):
    watched(house, **{**LAX, "groups_unrecorded_limit_percent": 50})
    candidates = mistaken(house, 5)
    house.stop(house.active.id)
    assert isinstance(said(house, candidates[0], sex=Sex.FEMALE), Refused)
    house.retain()
    assert kinds(house) == ["not_testable"]


# --- declared shares --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "fault"),
    [
        ([share("green", "0.1")], "no such group"),
        ([share("black", "0.1", "race")], "no such group"),
        ([share("not_stated", "0.1", "sex")], "no such group"),
        ([share("black", "1.1")], "between 0 and 1"),
        ([share("black", "0.1", low="0.2")], "between 0 and 1"),
        ([share("black", "0.12345678")], "six decimals"),
        ([share("black", "0.1"), share("black", "0.2")], "twice"),
        ([Exposure("sex", "male", Decimal(0), Decimal(1), " ")], "where it is from"),
        ([share("male", "1", "sex", "0.6"), share("female", "1", "sex", "0.6")], "more than everybody"),
        ([share("male", "0.4", "sex"), share("female", "0.4", "sex")], "less than everybody"),
    ],
)
def test_shares_that_cannot_be_are_refused(house: House, shares: list[Exposure], fault: str):
    assert fault in (exposure_fault(shares) or "")
    asked = house.requested(house.listed(3)[0], exposure=tuple(shares))
    assert (asked.reason, fault in asked.detail) == (Reason.INVALID, True)


@pytest.mark.parametrize(
    "shares",
    [
        "{}",
        '[{"dimension": "sex", "group": "green", "low": "0", "high": "1", "source": "census"}]',
        '[{"dimension": "sex", "group": "male", "low": "0.6", "high": "0.5", "source": "census"}]',
        '[{"dimension": "sex", "group": "male", "low": "0", "high": "2", "source": "census"}]',
        '[{"dimension": "sex", "group": "male", "low": "0", "high": "1", "source": " "}]',
        '[{"dimension": "sex", "group": "male", "low": "0", "high": "1"}]',
        '[{"dimension": "sex", "group": "male", "low": "0", "high": "1e-3", "source": "census"}]',
        "[1]",
    ],
)
def test_nor_by_sql(migrated_database: Database, shares: str):
    with psycopg.connect(migrated_database.master_url) as connection:
        assert connection.execute("SELECT is_exposure(%s::jsonb)", [shares]).fetchone() == (False,)


def test_declared_shares_are_part_of_what_is_authorised(house: House):
    asked = house.requested(house.listed(3)[0], exposure=(BLACK,))
    kept = house.deployment(asked.id)
    assert kept.exposure == (BLACK,)
    assert kept.digest == asked.digest
    assert replace(kept, exposure=()).digest != kept.digest
    assert replace(kept, exposure=(share("black", "0.5"),)).digest != kept.digest


def test_what_may_be_declared_is_what_may_be_recorded(migrated_database: Database):
    assert sum(map(len, DIMENSIONS.values())) == 11
    every = [
        {"dimension": dimension, "group": name, "low": "0", "high": "1", "source": "census"}
        for dimension, names in DIMENSIONS.items()
        for name in names
    ]
    with psycopg.connect(migrated_database.master_url) as connection:
        found = connection.execute("SELECT is_exposure(%s)", [psycopg.types.json.Jsonb(every)]).fetchone()
    assert found == (True,)


# --- the same in both languages ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 10**6).map(lambda share: share / 1e6)), max_size=6),
    some=st.floats(0, 1),
    found=st.lists(st.floats(-800, 800), min_size=1, max_size=11),
)
def test_sql_and_python_work_out_the_same(migrated_database: Database, parts, some, found):
    x = int(some * sum(n for n, _ in parts))
    with psycopg.connect(migrated_database.master_url) as connection:
        row = connection.execute(
            "SELECT ln_e_group(%s, %s::bigint[], %s::float8[]), ln_mean_exp(%s::float8[])",
            [x, [n for n, _ in parts], [high for _, high in parts], [*found, *[0.0] * (11 - len(found))]],
        ).fetchone()
    assert row is not None
    assert row[0] == pytest.approx(ln_e_group(x, parts), rel=1e-9, abs=1e-9)
    assert row[1] == pytest.approx(ln_e_groups(found), rel=1e-9, abs=1e-9)
