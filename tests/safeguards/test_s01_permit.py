"""S01: a frame is processed only under a permit for this camera, now; otherwise it is deleted unread and counted.

Bridges, "where"; College of Policing APP. The permit object saves work; the gate is the deployment's row. So the ways
round are forged permit objects, forged queue messages, and a function's role that writes what it likes.
"""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.errors import PipelineMismatch
from proviso.domain.frame import Outcome
from proviso.domain.messages import FacesMessage
from proviso.domain.permit import CheckedPermit
from proviso.domain.reasons import Reason
from tests.safeguards.house import House
from tests.samples import CAMERA, axis, checked_permit, frame_key
from tests.template.conftest import Template

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
OTHER = "gate-2"


@pytest.fixture
def running(house: House) -> House:
    list_id, house.entries = house.listed(3)
    house.active = house.running(list_id)
    return house


def nothing_happened(house: House) -> None:
    assert house.one("SELECT count(*) FROM searched_frame") == 0
    assert house.candidates == []
    assert house.evidence.objects == {}
    assert house.outbox.objects == {}
    assert house.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%frame_searched%%'::bytea") == 0


def test_a_camera_without_a_permit_is_not_opened(running: House):
    reads, read = [], running.frames.get
    running.frames.get = lambda key: reads.append(key) or read(key)
    opened = running.frame(3)
    running.detect(opened)
    assert reads == [opened]  # with a permit it is
    key = running.frame(3, camera=OTHER)
    row = running.detect(key)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NO_PERMIT)
    assert reads == [opened]
    assert key not in running.frames.objects
    nothing_happened(running)


def test_a_refused_frame_is_counted_in_the_audit(running: House):
    running.detect(running.frame(3, camera=OTHER))
    running.skew = timedelta(hours=2)  # an hour is folded ten minutes after its end
    running.retain()
    (found,) = running.sql(
        "master", "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM audit_event WHERE chain = 'system'"
        " AND body LIKE '%%frames_not_searched%%'::bytea"
    )  # fmt: skip
    assert found["body"]["subject"] == OTHER
    assert found["body"]["details"]["reason"] == "no_permit"
    assert found["body"]["details"]["frames"] == 1


def forged(house: House, **changed):
    """A permit object that somebody wrote into the bucket."""
    real = house.permits.objects[CAMERA]
    made = replace(real, **changed)
    house.permits.objects[made.camera] = made
    return made


def test_a_forged_permit_for_a_camera_outside_the_deployment_searches_nothing(running: House):
    """detect passes the frame on; the gate refuses, whatever the object says."""
    forged(running, camera=OTHER)
    message = running.message(3, camera=OTHER)
    row = running.match(message)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.CAMERA_NOT_LISTED)
    assert running.frames.objects == {}
    nothing_happened(running)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"deployment_id": "none-such"}, Reason.NO_PERMIT),
        ({"digest": "0" * 64}, Reason.DIGEST_DIFFERS),
        ({"digest": ""}, Reason.DIGEST_DIFFERS),
    ],
)
def test_a_forged_permit_searches_nothing(running: House, changed, reason):
    forged(running, **changed)
    row = running.match(running.message(3))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, reason)
    nothing_happened(running)


def test_a_permit_that_was_made_longer_opens_nothing_after_the_end(running: House):
    forged(running, ends_at=running.now() + timedelta(days=1), starts_at=running.now() - timedelta(days=1))
    for skew in (timedelta(minutes=41), -timedelta(minutes=16)):
        running.skew = skew
        row = running.match(running.message(3))
        assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.OUTSIDE_WINDOW)
    nothing_happened(running)


def test_a_permit_that_allows_older_frames_opens_nothing_for_them(running: House):
    forged(running, frame_age_limit_s=3600, clock_skew_s=3600)
    row = running.match(running.message(3, at=running.now() - timedelta(seconds=90)))
    assert (row.outcome, row.reason) == (Outcome.STALE, Reason.STALE)
    row = running.match(running.message(3, at=running.now() + timedelta(seconds=30)))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.CLOCK_SKEW)
    nothing_happened(running)


def test_the_permit_of_another_deployment_opens_nothing_here(house: House):
    """Two deployments at the same time: each camera's frames go under its own permit, and not under the other's."""
    list_id, _ = house.listed(3)
    here = house.running(list_id)
    there = house.running(list_id, cameras=(OTHER,))
    forged(house, deployment_id=there.id, digest=there.digest)  # under CAMERA
    row = house.match(house.message(3))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.CAMERA_NOT_LISTED)
    forged(house, deployment_id=here.id, digest=there.digest)
    assert house.match(house.message(3)).reason is Reason.DIGEST_DIFFERS
    nothing_happened(house)


@pytest.mark.safeguard(below="a forged queue message")
def test_a_message_cannot_borrow_another_cameras_permit(running: House):
    """A forged queue message: the frame of an unlisted camera under the name of a listed one."""
    key = running.frame(3, camera=OTHER)
    message = running.message(3)
    for lie in (replace(message, frame_key=key), replace(message, frame_key="anything")):
        with pytest.raises(ValueError, match="does not belong to its frame"):
            FacesMessage.from_json(lie.to_json())
    nothing_happened(running)


def test_a_message_of_another_pipeline_is_not_searched(running: House):
    with pytest.raises(PipelineMismatch):
        running.match(replace(running.message(3), pipeline="8" * 64))
    nothing_happened(running)


def test_the_gate_asks_the_row_about_the_running_pipeline(running: House):
    """A process with another pipeline, and messages to fit: the row says what was authorised."""
    from tests.doubles import FakePipeline

    message = replace(running.message(3), pipeline="8" * 64)
    row = running.match(message, pipeline=FakePipeline("8" * 64))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.DIGEST_DIFFERS)
    assert running.match(running.message(3), software_build="another").reason is Reason.DIGEST_DIFFERS
    nothing_happened(running)


@pytest.mark.safeguard(below="a proof that no gate gave out")
def test_a_checked_permit_cannot_be_made_by_hand(running: House):
    """Code in the function that builds its own proof: the store takes only the one that its gate gave out."""
    from proviso.domain.errors import Fault

    own = checked_permit(deployment_id=running.active.id, build_id=running.active.build_id)
    assert isinstance(own, CheckedPermit)
    with running.search.work() as work, pytest.raises(Fault, match="not given out"):
        work.search(own, [axis(3)])


def test_the_role_of_match_opens_no_candidate_without_an_active_deployment(running: House):
    """Past all code, as match's login role: a candidate of a deployment that does not run is refused."""
    running.see(3)
    running.stop(running.active.id)
    with pytest.raises(psycopg.Error, match="in an active deployment"):
        running.copy_candidate("match", state="'raised'", frame_key="'f'", evidence_key="'k'")
    with running.meddling() as connection:  # the same row, but for the deployment, is taken
        connection.execute("UPDATE deployment SET state = 'active', finished_at = NULL, finished_by = NULL")
    running.copy_candidate("match", state="'raised'", frame_key="'f'", evidence_key="'k'")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO deployment_camera (deployment_id, position, camera) SELECT id, 9, 'gate-2' FROM deployment",
        "UPDATE deployment_camera SET camera = 'gate-2'",
        "UPDATE deployment_camera SET active = false",
        "UPDATE deployment SET ends_at = ends_at + interval '1 day'",
        "UPDATE deployment SET starts_at = starts_at - interval '1 day'",
    ],
)
def test_no_role_adds_a_camera_or_time_to_a_deployment(running: House, statement):
    """Not even the master's, as long as it does not first change the schema."""
    for role in ("match", "enrol", "govern", "review", "retain", "report", "master"):
        with pytest.raises(psycopg.Error):
            running.sql(role, statement)
    row = running.match(replace(running.message(3), frame_key=frame_key(camera=OTHER), camera=OTHER))
    assert row.reason is Reason.CAMERA_NOT_LISTED or row.outcome is not Outcome.SEARCHED


def test_the_functions_iam_roles_write_no_permit_but_governs_and_retains(compiled: Template):
    """As somebody who has taken over detect, match, alert, sweep or grant: a permit cannot even be forged."""
    for function in ("Detect", "Match", "Alert", "Sweep", "Grant", "Enrol", "Review", "Report"):
        assert compiled.allowed(f"{function}Function", "s3:PutObject").isdisjoint(
            {"PermitsBucket/permits/*", "PermitsBucket/*"}
        ), function


def test_a_clock_that_jumps_between_detect_and_match_opens_nothing(running: House):
    """A frame that was in time is passed on; then the machine's clock jumps out of the window, and far back."""
    for jump, reason in ((timedelta(hours=2), Reason.STALE), (timedelta(hours=-2), Reason.OUTSIDE_WINDOW)):
        running.skew = timedelta(0)
        message = running.message(3)
        running.skew = jump
        assert running.match(message).reason is reason
    nothing_happened(running)
