"""S24: a candidate's evidence goes at the policy's hours, whether or not anybody looked, unless a hold stands. A hold
has a kind, a reason, a name and an end within 30 days; where somebody was engaged, or wrongly, it sets itself. The
ways round are a hold by somebody without the role, one without a reason or an end, one that is changed or forgotten,
one that is set while the picture is being deleted, and an outcome that comes too late for one.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from proviso.domain.deployment import DeploymentState
from proviso.domain.holds import Hold, HoldKind
from proviso.domain.outcome import Result
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import holds
from tests.safeguards.house import House
from tests.safeguards.receiving import Receiving
from tests.samples import principal

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

DAY = timedelta(hours=24)
HELD = "INSERT INTO evidence_hold VALUES ('h', %(candidate)s, 'reason', 'x', 'x', now(), now() + interval '{}')"


@pytest.fixture
def raised(house: House) -> Iterator[House]:
    with house.govern.work() as work:
        work.register(Person("officer-dp", frozenset({Role.DATA_PROTECTION_OFFICER})))
    house.list_id, house.entries = house.listed(3, 4)
    house.active = house.running(house.list_id)
    house.see(3)
    house.see(4)
    house.first, house.second = (one["id"] for one in house.candidates)
    return house


def hold(house: House, candidate_id: str, by: str = "authoriser", **changed: Any) -> Any:
    given = {"kind": HoldKind.REASON, "reason": "asked for by the court", "days": 7, **changed}
    return holds.hold(
        principal=house.person(by),
        candidate_id=candidate_id,
        store=house.govern,
        clock=house.now,
        new_id=house.id,
        **given,
    )


def release(house: House, made: Hold, by: str = "authoriser") -> Any:
    return holds.release(
        principal=house.person(by),
        candidate_id=made.candidate_id,
        hold_id=made.id,
        store=house.govern,
        due=house.due,
        clock=house.now,
    )


def pictures(house: House) -> set[str]:
    return {key.rsplit("/", 1)[1].removesuffix(".jpg") for key in house.evidence.objects}


def age(house: House, by: timedelta = DAY, but: str = "") -> None:
    """As if the candidates had been raised so long ago, while their deployment goes on."""
    with house.meddling() as master:
        master.execute("UPDATE candidate SET raised_at = raised_at - %s WHERE id <> %s", [by, but])


def close(house: House) -> None:
    house.stop(house.active.id)
    house.due.put(house.active.id, house.now())
    house.retain()
    assert house.deployment(house.active.id).state is DeploymentState.CLOSED


def test_evidence_goes_at_its_hours_while_the_deployment_goes_on(raised: House) -> None:
    age(raised, DAY - timedelta(minutes=5))
    assert raised.retain().evidence_deleted == 0
    age(raised, timedelta(minutes=6), but=raised.second)
    assert raised.retain().evidence_deleted == 1
    assert pictures(raised) == {raised.second}
    assert {one["evidence_key"] == "" for one in raised.candidates if one["id"] == raised.first} == {True}
    assert raised.deployment(raised.active.id).state is DeploymentState.ACTIVE
    with raised.govern.work() as work:
        (act,) = [one for one in work.audit_records(raised.active.id) if b"evidence_deleted" in one.body]
    assert raised.first.encode() in act.body


def test_the_hours_are_those_of_the_policy_that_it_was_authorised_under(house: House) -> None:
    from dataclasses import replace

    house.permitted = replace(house.permitted, evidence_hours=1)
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    house.see(3)
    house.stop(active.id)
    assert house.due.objects[active.id] - house.now() <= timedelta(hours=1)  # and not the usual twelve
    house.skew = timedelta(hours=1, minutes=1)
    house.retain()
    assert house.evidence.objects == {}


def test_a_picture_that_outlives_its_row_goes_with_the_next_run(raised: House) -> None:
    """A crash between the two leaves the picture; nothing leads to it any more but its own name."""
    age(raised)
    with raised.retains.work() as work:
        keys = work.free_evidence([raised.first])
    assert keys
    assert raised.first in pictures(raised)
    raised.retain()
    assert pictures(raised) == set()


@pytest.mark.parametrize("by", ["authoriser", "officer-dp"])
@pytest.mark.parametrize("kind", [HoldKind.COMPLAINT, HoldKind.REASON])
def test_held_evidence_stays_and_the_rest_goes(raised: House, by: str, kind: HoldKind) -> None:
    made = hold(raised, raised.first, by=by, kind=kind)
    assert isinstance(made, Hold)
    age(raised)
    raised.retain()
    assert pictures(raised) == {raised.first}


def test_a_hold_ends_with_its_release_and_by_itself(raised: House) -> None:
    made = hold(raised, raised.first)
    age(raised)
    raised.retain()
    assert release(raised, made) is True
    assert [name for name in raised.due.due(raised.now()) if name.startswith("hold-")], "nobody would wake retain"
    raised.retain()
    assert pictures(raised) == set()


def test_held_evidence_of_a_closed_deployment_stays_and_is_named_in_the_certificate(raised: House) -> None:
    made = hold(raised, raised.first)
    close(raised)
    assert pictures(raised) == {raised.first}
    certificate = raised.certificate(raised.active.id)
    assert (certificate.held, certificate.complete) == (1, True)
    assert raised.due.objects[raised.active.id] <= made.until
    release(raised, made)
    raised.retain()
    assert pictures(raised) == set()
    assert raised.one("SELECT count(*) FROM candidate WHERE evidence_key <> ''") == 0


def test_retain_is_woken_when_the_hold_of_a_closed_deployment_ends(raised: House) -> None:
    made = hold(raised, raised.first, days=1)
    close(raised)
    assert raised.due.objects[raised.active.id] == made.until
    # A function whose clock is ahead comes too early: the database's clock decides, and it comes again.
    raised.skew = timedelta(hours=25)
    raised.retain()
    assert pictures(raised) == {raised.first}
    assert raised.due.objects[raised.active.id] == made.until
    with raised.meddling() as master:
        master.execute(
            "UPDATE evidence_hold SET held_at = held_at - interval '1 day', until = until - interval '1 day'"
        )
    raised.retain()
    assert pictures(raised) == set()


@pytest.mark.parametrize("by", ["requester", "officer", "reviewer", "auditor"])
def test_who_has_not_the_role_holds_and_releases_nothing(raised: House, by: str) -> None:
    refused = hold(raised, raised.first, by=by)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ROLE_MISSING
    made = hold(raised, raised.first)
    for other in (by, "officer-dp"):
        assert release(raised, made, by=other).reason is Reason.ROLE_MISSING


@pytest.mark.parametrize(
    "changed",
    [{"reason": " \n"}, {"days": 0}, {"days": 31}, {"kind": HoldKind.ENGAGED}, {"kind": HoldKind.WRONG}],
)
def test_a_hold_without_its_grounds_is_refused(raised: House, changed: dict[str, Any]) -> None:
    refused = hold(raised, raised.first, **changed)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.INVALID
    assert raised.one("SELECT count(*) FROM evidence_hold") == 0


def test_what_is_deleted_cannot_be_held(raised: House) -> None:
    age(raised)
    raised.retain()
    refused = hold(raised, raised.first)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_STATE
    for role in ("govern", "master"):
        with pytest.raises(psycopg.DatabaseError, match="evidence is gone"):
            raised.sql(role, HELD.format("1 day"), candidate=raised.first)


def test_whoever_reads_the_audit_learns_of_the_hold_and_not_what_was_said(raised: House) -> None:
    made = hold(raised, raised.first, reason="a letter from somebody by name")
    release(raised, made)
    with raised.govern.work() as work:
        bodies = b"".join(one.body for one in work.audit_records(raised.active.id))
    assert b"evidence_held" in bodies
    assert b"hold_released" in bodies
    assert b"letter" not in bodies
    looked = holds.holds(
        principal=principal("a", Role.AUDITOR), candidate_id=raised.first, store=raised.govern, clock=raised.now
    )
    assert [(one.id, one.reason) for one in looked] == [(made.id, "a letter from somebody by name")]


@pytest.mark.parametrize("until", ["31 days", "-1 day", "0 days"])
def test_a_hold_without_an_end_in_time_is_refused_below_the_stage(raised: House, until: str) -> None:
    for role in ("govern", "master"):
        with pytest.raises(psycopg.DatabaseError, match="s24_at_most_30_days"):
            raised.sql(role, HELD.format(until), candidate=raised.first)


@pytest.mark.parametrize("change", ["until = until + interval '1 day'", "reason = 'another'", "held_by = 'nobody'"])
def test_a_hold_is_not_changed(raised: House, change: str) -> None:
    hold(raised, raised.first)
    with pytest.raises(psycopg.DatabaseError, match="can only be released"):
        raised.sql("master", f"UPDATE evidence_hold SET {change}")
    with pytest.raises(psycopg.DatabaseError):
        raised.sql("govern", f"UPDATE evidence_hold SET {change}")


@pytest.mark.parametrize("role", ["retain", "master"])
def test_held_evidence_is_not_taken_from_its_candidate_by_hand(raised: House, role: str) -> None:
    hold(raised, raised.first)
    with pytest.raises(psycopg.DatabaseError, match="is held"):
        raised.sql(role, "UPDATE candidate SET evidence_key = '' WHERE id = %(id)s", id=raised.first)


@pytest.mark.parametrize("role", ["match", "enrol", "review", "retain", "report"])
def test_no_other_role_holds_or_releases(raised: House, role: str) -> None:
    """But review, which sets holds for people who ask a recipient for it, and releases none."""
    hold(raised, raised.first)
    release_all = "UPDATE evidence_hold SET released_by = 'x', released_at = now()"
    for statement in (release_all,) if role == "review" else (release_all, HELD.format("1 day")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            raised.sql(role, statement, candidate=raised.first)


def test_a_hold_that_is_set_while_the_picture_is_being_deleted_waits_and_is_told(raised: House) -> None:
    """Both would otherwise be committed: a hold on a picture that is gone."""
    age(raised)
    with (
        psycopg.connect(raised.database.url("retain")) as retain,
        psycopg.connect(raised.database.url("govern")) as govern,
    ):
        retain.execute("UPDATE candidate SET evidence_key = '' WHERE id = %s", [raised.first])
        govern.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            govern.execute(HELD.format("1 day"), {"candidate": raised.first})  # type: ignore[arg-type]
        govern.rollback()
        retain.commit()
        with pytest.raises(psycopg.DatabaseError, match="evidence is gone"):
            govern.execute(HELD.format("1 day"), {"candidate": raised.first})  # type: ignore[arg-type]


def test_a_deletion_that_meets_a_hold_being_set_waits_and_leaves_the_picture(raised: House) -> None:
    age(raised)
    with (
        psycopg.connect(raised.database.url("govern")) as govern,
        psycopg.connect(raised.database.url("retain")) as retain,
    ):
        govern.execute(HELD.format("1 day"), {"candidate": raised.first})  # type: ignore[arg-type]
        retain.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            retain.execute("UPDATE candidate SET evidence_key = '' WHERE id = %s", [raised.first])
        retain.rollback()
        govern.commit()
    raised.retain()
    assert pictures(raised) == {raised.first}


# --- holds that nobody has to ask for, and those that somebody does ---------------------------------------------------


@pytest.fixture
def told(house: House) -> Receiving:
    made = Receiving(house)
    made.candidate = made.confirmed()
    made.other = made.another(4)
    return made


@pytest.mark.parametrize(
    ("result", "kinds"),
    [
        (Result.NOT_ENGAGED, []),
        (Result.ENGAGED_RIGHT, ["engaged"]),
        (Result.ENGAGED_WRONG, ["engaged", "wrong"]),
    ],
)
@pytest.mark.safeguard("S22")
def test_an_outcome_holds_by_itself(told: Receiving, result: Result, kinds: list[str]) -> None:
    told.record(told.candidate, result)
    assert told.holds() == [(kind, "recipient") for kind in kinds]
    told.later(DAY)
    told.house.retain()
    assert pictures(told.house) == ({told.candidate} if kinds else set())


@pytest.mark.parametrize("role", ["review", "master"])
def test_it_does_for_whoever_writes(told: Receiving, role: str) -> None:
    told.written(role, told.candidate, result="engaged_wrong")
    assert told.holds() == [("engaged", "recipient"), ("wrong", "recipient")]
    for by in ("retain", "master"):
        with pytest.raises(psycopg.DatabaseError, match="is held"):
            told.house.sql(by, "UPDATE candidate SET evidence_key = '' WHERE id = %(id)s", id=told.candidate)


def test_another_outcome_takes_no_hold_away_and_adds_none_twice(told: Receiving) -> None:
    told.record(told.candidate, Result.ENGAGED_WRONG)
    for result in (Result.NOT_ENGAGED, Result.ENGAGED_RIGHT, Result.ENGAGED_WRONG):
        told.record(told.candidate, result)
    assert told.holds() == [("engaged", "recipient"), ("wrong", "recipient")]


def test_held_by_an_outcome_it_outlives_its_deployment_and_ends_by_itself(told: Receiving) -> None:
    told.record(told.candidate, Result.ENGAGED_RIGHT)
    house = told.house
    house.stop(told.deployment)
    house.due.put(told.deployment, house.now())
    house.retain()
    assert house.certificate(told.deployment).held == 1
    assert pictures(house) == {told.candidate}
    with house.meddling() as master:
        master.execute(
            "UPDATE evidence_hold SET held_at = held_at - interval '30 days', until = until - interval '30 days'"
        )
    house.retain()
    assert pictures(house) == set()


def test_a_picture_that_is_gone_loses_no_outcome(told: Receiving) -> None:
    with told.house.meddling() as master:  # the policy's hours are over while the outcome is still asked for
        master.execute("UPDATE candidate SET raised_at = raised_at - interval '24 hours'")
    told.house.retain()
    assert pictures(told.house) == set()
    told.record(told.candidate, Result.ENGAGED_WRONG)
    assert told.outcomes() == [("engaged_wrong", "none", "recipient")]
    assert told.holds() == []
    refused = told.hold(told.candidate)
    assert refused == Refused(Reason.WRONG_STATE, "its picture is deleted already")
    assert told.slip(told.candidate).particulars.evidence_until(told.look(told.candidate).notice) is None


def test_who_was_spoken_to_can_have_it_kept(told: Receiving) -> None:
    until = told.hold(told.candidate, "a letter from somebody by name")
    assert told.holds() == [("complaint", "recipient")]
    assert timedelta(days=29, hours=23) < until - told.house.now() <= timedelta(days=30)
    assert told.hold(told.candidate) == until  # twice is once
    assert told.holds() == [("complaint", "recipient")]
    assert told.slip(told.candidate).held_until == until
    (act,) = told.acts("evidence_held")
    assert b"letter" not in act
    told.later(DAY)
    told.house.retain()
    assert pictures(told.house) == {told.candidate}


def test_what_somebody_asks_for_is_not_cut_short_by_a_shorter_hold(told: Receiving) -> None:
    short = hold(told.house, told.candidate, kind=HoldKind.COMPLAINT, days=1)
    assert told.hold(told.candidate) > short.until
    assert told.holds() == [("complaint", "authoriser"), ("complaint", "recipient")]


@pytest.mark.parametrize("sub", ["requester", "reviewer", "stranger"])
def test_nobody_has_it_kept_who_was_not_told(told: Receiving, sub: str) -> None:
    if sub == "stranger":
        told.registered(sub, Role.RECIPIENT)
    assert isinstance(told.hold(told.candidate, by=sub), Refused)
    assert told.hold(told.candidate, " \n").reason is Reason.INVALID
    assert told.holds() == []


def test_the_slip_promises_no_longer_than_the_picture_is_there(told: Receiving) -> None:
    """The policy's hours, or the twelve after which a deployment is closed that nobody closed."""
    house = told.house
    notice = told.look(told.candidate).notice
    said = told.slip(told.candidate).particulars.evidence_until(notice)
    assert said == house.deployment(told.deployment).ends_at + timedelta(hours=12)
    house.stop(told.deployment)
    sooner = told.slip(told.candidate).particulars.evidence_until(told.look(told.candidate).notice)
    assert sooner == house.due.objects[told.deployment] < said
    with house.meddling() as master:
        master.execute("UPDATE candidate SET raised_at = raised_at - interval '20 hours'")
    raised = house.one("SELECT raised_at FROM candidate WHERE id = %(id)s", id=told.candidate)
    assert told.slip(told.candidate).particulars.evidence_until(told.look(told.candidate).notice) == raised + DAY


def test_said_plainly_the_role_of_review_can_write_a_hold(raised: House) -> None:
    """Not prevented: who holds the login role of review can keep a picture in somebody's name, for 30 days from the
    time that it writes down. The row shows it, and an authoriser releases it."""
    raised.sql("review", HELD.format("30 days"), candidate=raised.first)
    (found,) = holds.holds(
        principal=raised.person("authoriser"), candidate_id=raised.first, store=raised.govern, clock=raised.now
    )
    assert release(raised, found) is True
