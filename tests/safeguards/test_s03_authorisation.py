"""S03: authorised by another person than the requester, who holds the role; what is authorised is a digest over policy,
build, pipeline, threshold, cameras, times and software build. Change one, and it must be authorised again.

APP; ICO audit 2025 (version control). The ways round: authorising one's own request through the stage or by SQL as the
function's role, and changing a term after it was authorised.
"""

import itertools
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.deployment import DeploymentState
from proviso.domain.frame import Outcome
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from tests.safeguards.house import House
from tests.samples import CAMERA

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def asked(house: House) -> House:
    house.list_id, house.entries = house.listed(3)
    house.asked = house.requested(house.list_id)
    return house


def state(house: House) -> str:
    return house.one("SELECT state FROM deployment WHERE id = %(id)s", id=house.asked.id)


# --- another person ---------------------------------------------------------------------------------------------------


def test_the_requester_does_not_authorise_though_he_holds_the_role(asked: House):
    with asked.govern.work() as work:
        work.register(Person("requester", frozenset({Role.REQUESTER, Role.AUTHORISER})))
    refused = asked.authorise(asked.asked.id, by="requester")
    assert refused.reason is Reason.SAME_PERSON
    assert state(asked) == "requested"


@pytest.mark.parametrize("by", ["requester", "officer", "reviewer", "auditor"])
def test_who_lacks_the_role_does_not_authorise(asked: House, by):
    assert asked.authorise(asked.asked.id, by=by).reason is Reason.ROLE_MISSING
    assert state(asked) == "requested"


AUTHORISE = (
    "UPDATE deployment SET state = 'authorised', authorised_by = {by}, authorised_at = now(), authorised_digest = 'd'"
)


@pytest.mark.parametrize("role", ["govern", "master"])
@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("requested_by", "s03_another_person|without that role"),
        ("'nobody-known'", "without that role"),
        ("'reviewer'", "without that role"),
        ("NULL", "without that role|s03"),
    ],
)
def test_nobody_authorises_it_by_sql_who_may_not(asked: House, role, by, why):
    with pytest.raises(psycopg.Error, match=why):
        asked.sql(role, AUTHORISE.format(by=by))
    assert state(asked) == "requested"


def test_the_requester_with_the_role_does_not_either(asked: House):
    with asked.govern.work() as work:
        work.register(Person("requester", frozenset({Role.REQUESTER, Role.AUTHORISER})))
    with pytest.raises(psycopg.errors.CheckViolation, match="s03_another_person"):
        asked.sql("govern", AUTHORISE.format(by="requested_by"))


@pytest.mark.parametrize("role", ["match", "enrol", "review", "retain", "report"])
def test_no_other_functions_role_authorises_at_all(asked: House, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked.sql(role, AUTHORISE.format(by="'authoriser'"))


def test_an_authorisation_is_not_moved_to_another_person(asked: House):
    asked.authorise(asked.asked.id)
    for change in ("authorised_by = requested_by", "authorised_by = 'reviewer'", "authorised_digest = 'x'"):
        with pytest.raises(psycopg.Error):
            asked.sql("govern", f"UPDATE deployment SET {change}")


def test_a_request_is_not_rewritten_as_somebody_elses(asked: House):
    """Changing who asked, so that the one who asked can authorise."""
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error):
            asked.sql(role, "UPDATE deployment SET requested_by = 'officer'")


def test_it_cannot_begin_authorised_or_active(asked: House):
    columns = "use, place, starts_at, ends_at, watchlist_id, build_id, pipeline, threshold, policy, calibrated," \
        " software_build, grounds, requested_by, requested_at"  # fmt: skip
    for claimed in ("authorised", "active"):
        with pytest.raises(psycopg.Error, match=r"begins as requested|permission"):
            asked.sql(
                "govern",
                f"INSERT INTO deployment (id, state, authorised_by, authorised_at, authorised_digest, {columns})"
                f" SELECT 'x', '{claimed}', 'authoriser', now(), 'd', {columns} FROM deployment",
            )
    with pytest.raises(psycopg.Error):
        asked.sql("govern", "UPDATE deployment SET state = 'active', started_at = now()")


# --- exactly what was shown -------------------------------------------------------------------------------------------


def test_only_what_was_shown_is_authorised(asked: House):
    other = replace(asked.asked, ends_at=asked.asked.ends_at - timedelta(minutes=1)).digest
    assert asked.authorise(asked.asked.id, digest=other).reason is Reason.TERMS_CHANGED
    assert state(asked) == "requested"


CHANGES = {
    "camera": "UPDATE deployment_camera SET camera = 'gate-2'",
    "another camera": "INSERT INTO deployment_camera (deployment_id, position, camera)"
    " SELECT id, 2, 'gate-2' FROM deployment",
    "no camera": "DELETE FROM deployment_camera",
    "threshold": "UPDATE deployment SET threshold = 0.1",
    "starts": "UPDATE deployment SET starts_at = starts_at - interval '1 minute'",
    "ends": "UPDATE deployment SET ends_at = ends_at + interval '1 minute'",
    "policy": "UPDATE deployment SET policy = jsonb_set(policy, '{max_entries}', '5000')",
    "place": "UPDATE deployment SET place = 'Elsewhere'",
    "use": "UPDATE deployment SET use = 'another'",
    "pipeline": "UPDATE deployment SET pipeline = 'x'",
    "software": "UPDATE deployment SET software_build = 'x'",
    "calibrated": "UPDATE deployment SET calibrated = true, calibration_id = 'x'",
    "premises": "UPDATE deployment SET premises = 'open_to_the_public'",
    "frames an upload": "UPDATE deployment SET burst_frames = 5",
    "passages": "UPDATE deployment SET passages_expected = 1000000",
    "list": "UPDATE deployment SET watchlist_id = 'x'",
    "build": "UPDATE deployment SET build_id = 'x'",
    "build's digest": "UPDATE build SET digest = 'x'",
    "build's references": "DELETE FROM build_reference",
    "build's entries": "UPDATE build_reference SET entry_id = 'x'",
    "templates": "UPDATE reference_template SET template = template",
    "references": "UPDATE reference SET entry_id = entry_id || 'x'",
    "entry": "UPDATE entry SET category = 'another'",
}


@pytest.mark.parametrize("when", ["requested", "authorised", "active"])
def test_no_term_is_changed_by_sql_as_govern_or_master(asked: House, when):
    if when != "requested":
        asked.authorise(asked.asked.id)
    if when == "active":
        asked.start(asked.asked.id)
    before = asked.deployment(asked.asked.id)
    taken = []
    for role, change in itertools.product(("govern", "master"), CHANGES):
        try:
            asked.sql(role, CHANGES[change])
            taken.append((role, change))
        except psycopg.Error:
            pass
    assert taken == []
    assert asked.deployment(asked.asked.id) == before


# Pipeline and software build are not read from the row: the gate takes those that are running.
BEHIND = {
    name: CHANGES[name]
    for name in (
        "camera",
        "threshold",
        "starts",
        "ends",
        "policy",
        "place",
        "premises",
        "passages",
        "frames an upload",
        "use",
    )
}


def test_each_of_these_would_work_if_no_rule_held_it(asked: House):
    """So that none of them is refused for another reason than the rule."""
    for change in CHANGES.values():
        with asked.meddling() as connection:
            assert connection.execute(change.encode()).rowcount >= 1, change
            connection.rollback()


@pytest.mark.parametrize("change", BEHIND)
def test_a_term_changed_behind_the_triggers_shuts_the_gate(asked: House, change):
    """Beyond what SQL prevents: the owner of the database switches its triggers off. The digest is computed anew."""
    asked.authorise(asked.asked.id)
    asked.start(asked.asked.id)
    message = asked.message(3)
    with asked.meddling() as connection:
        connection.execute(BEHIND[change].encode())
    row = asked.match(message)
    assert row.outcome is Outcome.REFUSED
    assert row.reason in (Reason.DIGEST_DIFFERS, Reason.CAMERA_NOT_LISTED)
    assert asked.candidates == []
    assert asked.one("SELECT count(*) FROM searched_frame") == 0


def test_an_authorisation_for_other_terms_starts_nothing(asked: House):
    """As govern's role, with a real authoriser's name: the digest of something else."""
    asked.sql("govern", AUTHORISE.format(by="'authoriser'"))
    assert asked.start(asked.asked.id).reason is Reason.DIGEST_DIFFERS
    assert asked.permits.objects == {}


def test_and_forced_into_activity_it_searches_nothing(asked: House):
    asked.sql("govern", AUTHORISE.format(by="'authoriser'"))
    asked.sql("govern", "UPDATE deployment SET state = 'warming'")
    asked.sql("govern", "UPDATE deployment SET state = 'active', started_at = now()")
    from proviso.stages.deployment import _permit

    row = asked.deployment(asked.asked.id)
    for digest in (row.digest, "d"):
        asked.permits.objects[CAMERA] = replace(_permit(row, CAMERA), digest=digest)
        assert asked.match(asked.message(3)).reason is Reason.DIGEST_DIFFERS
    assert asked.candidates == []


def test_a_permit_with_an_old_digest_opens_nothing(asked: House):
    """The same place authorised again with another threshold: the old permit object is worth nothing."""
    asked.authorise(asked.asked.id)
    asked.start(asked.asked.id)
    old = asked.permits.objects[CAMERA]
    asked.stop(asked.asked.id)
    from decimal import Decimal

    new = asked.running(asked.list_id, threshold=Decimal("0.6"))
    asked.permits.objects[CAMERA] = old
    assert asked.match(asked.message(3)).reason is Reason.NOT_ACTIVE
    asked.permits.objects[CAMERA] = replace(old, deployment_id=new.id)
    assert asked.match(asked.message(3)).reason is Reason.DIGEST_DIFFERS
    assert asked.candidates == []


def test_another_software_build_must_be_authorised_again(asked: House):
    asked.authorise(asked.asked.id)
    refused = asked.start(asked.asked.id, software_build="newer")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.DIGEST_DIFFERS
    assert asked.deployment(asked.asked.id).state is DeploymentState.AUTHORISED


def test_what_was_authorised_is_recorded_with_who_and_what(asked: House):
    asked.authorise(asked.asked.id)
    (found,) = asked.sql(
        "master",
        "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM audit_event WHERE chain = %(id)s"
        " ORDER BY sequence DESC LIMIT 1",
        id=asked.asked.id,
    )
    assert found["body"]["action"] == "deployment_authorised"
    assert found["body"]["actor"] == "authoriser"
    assert found["body"]["details"]["digest"] == asked.asked.digest


def test_said_plainly_the_role_of_govern_can_make_up_two_people(asked: House):
    """Not prevented: who holds the login role of govern registers people, and so can name an authoriser of its own.
    SQL cannot know that nobody stands behind a name. It stays in the row that this name authorised."""
    asked.sql("govern", "INSERT INTO person (sub, roles) VALUES ('made-up', ARRAY['authoriser'])")
    asked.sql("govern", AUTHORISE.format(by="'made-up'").replace("'d'", "%(digest)s"), digest=asked.asked.digest)
    assert asked.deployment(asked.asked.id).authorised_by == "made-up"
