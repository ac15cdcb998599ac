"""What govern's store keeps between a request and its start, and of members, approvals and deletions (S09, S12, S13,
S17, S23, S33, S37)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pytest

from proviso.domain.calibration import CalibrationPoint
from proviso.domain.conditions import Attestation, Attested, PriorAuthorisation
from proviso.domain.deployment import Deployment, DeploymentState, RealTimeGrounds
from proviso.domain.people import Member, Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.watchlist import Build
from proviso.store.connection import RuleBroken
from tests.contract.store_samples import PIPELINE, POLICY, House, house, name, now, unit
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
EU = replace(POLICY, version="eu", decision_required=True, urgent_start_hours=24)
URGENT = RealTimeGrounds("trial", "the law", "FRIA-1", "REG-1", "it is urgent")


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        made.people()
        yield made


@pytest.fixture
def built(rooms: House) -> Build:
    entry = rooms.entry(rooms.watchlist().id, reference_no="R-one")
    rooms.reference(entry, unit(np.random.default_rng(3))[0])
    return rooms.build(entry.watchlist_id)


def calibrate(rooms: House, identifier: str, days_ago: int, *points: str, **changed: str) -> None:
    """As the owner: no login role of a function makes one. A trial with the triggers off, since none took place."""
    given = {"id": identifier, "pipeline": PIPELINE, "kind": "laboratory", "site": "", **changed}
    with psycopg.connect(rooms.database.master_url) as connection:
        if given["kind"] == "site_trial":
            connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO calibration (id, pipeline, kind, site, made_at, recorded_by)"
            " VALUES (%(id)s, %(pipeline)s, %(kind)s, %(site)s, now() - make_interval(days => %(days)s), 'somebody')",
            {**given, "days": days_ago},
        )
        for point in points:
            connection.execute(f"INSERT INTO calibration_point VALUES (%s, {point})".encode(), (identifier,))


def decision(deployment: Deployment, **changed: Any) -> PriorAuthorisation:
    at = now()
    values: dict[str, Any] = {
        "id": name("decision"),
        "deployment_id": deployment.id,
        "body": "the court",
        "reference": name("case"),
        "decided_on": at.date(),
        "document_sha256": "d" * 64,
        "granted": True,
        "place": deployment.place,
        "valid_from": at - timedelta(hours=1),
        "valid_until": at + timedelta(minutes=20),
        "persons": ("R-one", "R-two"),
        "recorded_by": "authoriser",
        "recorded_at": at,
    }
    return PriorAuthorisation(**{**values, **changed})


# --- calibrations ----------------------------------------------------------------------------------------------------


def test_the_latest_calibration_of_exactly_this_pipeline(rooms: House) -> None:
    calibrate(rooms, "old", 9)
    calibrate(rooms, "new", 1, "100, 0.45, 0.001, 0.002, NULL, NULL", "10, 0.4, 0, 0.5, 0.0001, 0.0002")
    calibrate(rooms, "another", 0, pipeline="another")
    with rooms.govern().work() as work:
        found = work.calibration_for(PIPELINE)
        assert work.calibration_for("unknown") is None
    assert found is not None
    assert (found.id, found.pipeline, found.kind, found.site) == ("new", PIPELINE, "laboratory", "")
    assert found.points == (
        CalibrationPoint(10, Decimal("0.4"), 0.0, 0.5, 0.0001, 0.0002),
        CalibrationPoint(100, Decimal("0.45"), 0.001, 0.002),
    )


def test_a_calibration_without_a_point_has_none(rooms: House) -> None:
    calibrate(rooms, "empty", 1)
    with rooms.govern().work() as work:
        found = work.calibration_for(PIPELINE)
    assert found is not None
    assert found.points == ()


# --- conditions ------------------------------------------------------------------------------------------------------


def test_conditions_say_what_stands_and_nothing_of_others(rooms: House, built: Build) -> None:
    calibrate(rooms, "c", 1, "10, 0.4, 0, 0.5, NULL, NULL")
    calibrate(rooms, "trial", 2, kind="site_trial", site="Gate 1")
    asked = rooms.requested(built, calibration_id="c", policy=EU)
    other = rooms.requested(built, policy=EU)
    rooms.attest(other.id)
    with rooms.govern().work() as work:
        work.record_decision(decision(other))
        bare = work.conditions(asked)
        full = work.conditions(other)
    assert bare is not None
    assert full is not None
    assert bare.calibration is not None
    assert (bare.calibration.id, bare.trial and bare.trial.id, bare.attestations, bare.decisions) == (
        "c",
        "trial",
        (),
        (),
    )
    assert (bare.built_at, bare.entries, bare.listed) == (built.built_at, 1, ("R-one",))
    assert full.calibration is None
    assert {one.kind for one in full.attestations} == {Attested.SIGNAGE, Attested.PUBLIC_NOTICE}
    assert [one.deployment_id for one in full.decisions] == [other.id]


def test_who_was_removed_is_not_listed_any_more(rooms: House, built: Build) -> None:
    asked = rooms.requested(built)
    with rooms.govern().work() as work:
        (entry,) = work.entries(built.watchlist_id)
        work.remove_entry(built.watchlist_id, entry.id, now())
        found = work.conditions(asked)
        assert work.conditions(replace(asked, build_id="gone")) is None
    assert found is not None
    assert found.listed == ()


def test_a_trial_elsewhere_is_none_here(rooms: House, built: Build) -> None:
    calibrate(rooms, "trial", 2, kind="site_trial", site="Gate 2")
    asked = rooms.requested(built)
    with rooms.govern().work() as work:
        found = work.conditions(asked)
    assert found is not None
    assert found.trial is None


# --- attestations ----------------------------------------------------------------------------------------------------


def test_an_attestation_is_made_once_a_kind(rooms: House, built: Build) -> None:
    asked = rooms.requested(built)
    at = now()
    signage = Attestation(asked.id, Attested.SIGNAGE, "at each door", "requester", at)
    notice = Attestation(asked.id, Attested.PUBLIC_NOTICE, "on the web site", "authoriser", at, at - timedelta(days=1))
    with rooms.govern().work() as work:
        assert work.attest(signage)
        assert work.attest(notice)
        assert not work.attest(replace(signage, statement="elsewhere"))
        assert work.attestations(asked.id) == [notice, signage]  # and the transaction goes on
    with rooms.govern().work() as work:
        assert work.attestations(asked.id) == [notice, signage]


def test_an_attestation_that_breaks_a_rule_is_a_fault_and_no_answer(rooms: House, built: Build) -> None:
    asked = rooms.requested(built)
    for made_by, kind in (("officer", Attested.SIGNAGE), ("authoriser", Attested.NOTICE_WAIVED)):
        with pytest.raises(RuleBroken) as broken, rooms.govern().work() as work:
            work.attest(Attestation(asked.id, kind, "x", made_by, now()))
        assert broken.value.rule == "PV033"


# --- decisions -------------------------------------------------------------------------------------------------------


def test_decisions_are_kept_as_they_were_recorded(rooms: House, built: Build) -> None:
    asked = rooms.requested(built, policy=EU)
    first, second = decision(asked), decision(asked, granted=False, place="", persons=())
    with rooms.govern().work() as work:
        work.record_decision(first)
        work.record_decision(second)
    with rooms.govern().work() as work:
        assert work.decisions(asked.id) == [first, second]
        assert work.decisions("another") == []


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"place": "elsewhere"}, "PV037"),
        ({"persons": ()}, "PV037"),
        ({"recorded_by": "requester"}, "PV037"),
        ({"decided_on": now().date() + timedelta(days=9)}, "s37_decided_before"),
    ],
)
def test_a_decision_that_does_not_fit_is_not_recorded(rooms: House, built: Build, changed: Any, rule: str) -> None:
    asked = rooms.requested(built, policy=EU)
    with pytest.raises(RuleBroken) as broken, rooms.govern().work() as work:
        work.record_decision(decision(asked, **changed))
    assert broken.value.rule == rule


def test_until_when_may_be_searched_follows_the_decisions(rooms: House, built: Build) -> None:
    active = rooms.active(built, policy=EU, real_time=URGENT, use="trial")
    assert active.search_until == active.ends_at  # its window ends before the day does
    with rooms.govern().work() as work:
        work.record_decision(granted := decision(active))
        after = work.deployment(active.id)
        assert after is not None
        assert after.over_at == granted.valid_until
        work.record_decision(decision(active, granted=False))
        after = work.deployment(active.id)
    assert after is not None
    assert after.over_at <= now()  # not at all any more, and readable


# --- the start -------------------------------------------------------------------------------------------------------


def test_a_missing_condition_is_an_answer_and_leaves_the_transaction_whole(rooms: House, built: Build) -> None:
    for changed, reason in (
        ({}, Reason.NOT_ANNOUNCED),
        ({"policy": replace(POLICY, version="c", calibration_required=True)}, Reason.NOT_CALIBRATED),
        ({"policy": replace(POLICY, version="t", site_trial_required=True)}, Reason.NOT_CALIBRATED),
    ):
        made = rooms.authorised(built, **changed)
        with rooms.govern().work() as work:
            refused = work.begin_warming(made.id, now())
            assert isinstance(refused, Refused)
            assert refused.reason is reason
            found = work.deployment(made.id)
        assert found is not None
        assert found.state is DeploymentState.AUTHORISED


# --- members ---------------------------------------------------------------------------------------------------------


def test_members_are_named_taken_off_and_named_again(rooms: House, built: Build) -> None:
    asked, other = rooms.requested(built), rooms.requested(built)
    one = Member(asked.id, "reviewer", Role.REVIEWER, "requester", now())
    two = Member(asked.id, "reviewer", Role.RECIPIENT, "authoriser", now())
    with rooms.govern().work() as work:
        assert work.members(asked.id) == []
        work.add_member(one)
        work.add_member(two)
        assert work.members(asked.id) == [one, two]
        assert work.members(other.id) == []
        assert work.remove_member(asked.id, "reviewer", Role.REVIEWER, now())
        assert work.members(asked.id) == [two]
        for not_there in ((asked.id, "reviewer", Role.REVIEWER), (other.id, "reviewer", Role.RECIPIENT)):
            assert not work.remove_member(*not_there, now())
        again = replace(one, added_by="authoriser", added_at=now())
        work.add_member(again)
        assert work.members(asked.id) == [two, again]


def test_nobody_is_a_member_who_is_not_registered_nor_as_an_authoriser(rooms: House, built: Build) -> None:
    asked = rooms.requested(built)
    for sub, role in (("nobody", Role.REVIEWER), ("authoriser", Role.AUTHORISER)):
        with pytest.raises(RuleBroken), rooms.govern().work() as work:
            work.add_member(Member(asked.id, sub, role, "requester", now()))


# --- approvals, numbers, deletions -----------------------------------------------------------------------------------


@pytest.fixture
def child(rooms: House) -> Any:
    made = replace(rooms.watchlist(), id=name("list"), under_18_allowed=True)
    with rooms.govern().work() as work:
        work.add_watchlist(made)
    return rooms.entry(made.id, under_18=True, harm_reason="missing since Monday")


def test_an_approval_is_given_once_by_somebody_else(rooms: House, child: Any) -> None:
    at = now()
    with rooms.govern().work() as work:
        assert not work.approve_entry(child.watchlist_id, child.id, "officer", at)  # who added it
        assert not work.approve_entry("another", child.id, "authoriser", at)
        assert not work.approve_entry(child.watchlist_id, "another", "authoriser", at)
        assert work.approve_entry(child.watchlist_id, child.id, "authoriser", at)
        assert not work.approve_entry(child.watchlist_id, child.id, "authoriser", now())
        found = work.entry(child.watchlist_id, child.id)
    assert found is not None
    assert (found.approved_by, found.approved_at, found.waits_for_approval) == ("authoriser", at, False)
    assert (found.under_18, found.harm_reason) == (True, "missing since Monday")


def test_who_waits_for_an_approval_is_in_no_build(rooms: House, child: Any) -> None:
    rooms.reference(child, unit(np.random.default_rng(4))[0])
    with rooms.govern().work() as work:
        empty = work.add_build(name("build"), child.watchlist_id, PIPELINE, "officer", now())
        assert isinstance(empty, Refused)
        work.approve_entry(child.watchlist_id, child.id, "authoriser", now())
        made = work.add_build(name("build"), child.watchlist_id, PIPELINE, "officer", now())
        assert isinstance(made, Build)


def test_a_number_stays_taken_when_its_entry_is_removed(rooms: House, built: Build) -> None:
    with rooms.govern().work() as work:
        (entry,) = work.entries(built.watchlist_id)
        assert work.reference_taken(built.watchlist_id, "R-one")
        assert not work.reference_taken(built.watchlist_id, "R-two")
        assert not work.reference_taken("another", "R-one")
        work.remove_entry(built.watchlist_id, entry.id, now())
        assert work.reference_taken(built.watchlist_id, "R-one")


def test_a_list_is_in_use_until_its_deployments_are_closed(rooms: House, built: Build) -> None:
    with rooms.govern().work() as work:
        assert work.in_use(built.watchlist_id) == []
    asked, other = rooms.requested(built), rooms.requested(built)
    with rooms.govern().work() as work:
        work.stop(other.id, "anybody", now())
        assert work.in_use(built.watchlist_id) == sorted([asked.id, other.id])
        assert work.in_use("another") == []


def test_a_list_that_is_to_be_deleted_takes_nothing_more_and_stays_so(rooms: House, built: Build) -> None:
    at = now()
    with rooms.govern().work() as work:
        assert work.request_deletion(built.watchlist_id, "officer", at)
        assert not work.request_deletion(built.watchlist_id, "authoriser", now())
        assert not work.request_deletion("another", "officer", at)
        found = work.watchlist(built.watchlist_id)
        (entry,) = work.entries(built.watchlist_id)
    assert found is not None
    assert found.delete_requested_at == at
    for adding in (
        lambda: rooms.entry(built.watchlist_id),
        lambda: rooms.build(built.watchlist_id),
        lambda: rooms.reference(entry, unit(np.random.default_rng(5))[0]),
        lambda: rooms.requested(built),
    ):
        with pytest.raises(RuleBroken) as broken:
            adding()
        assert broken.value.rule == "PV023"
    with rooms.govern().work() as work:
        assert work.remove_entry(built.watchlist_id, entry.id, now())  # that always works
