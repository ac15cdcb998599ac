"""S01, S03, S14: how many frames an upload holds is a term of the deployment, and a burst is one frame in everything
else: one outcome, one row, nothing of it kept.

The ways round: a burst where single frames were authorised; more frames than were; a permit object, a queue message or
an object in the bucket that says otherwise than the row; and two people who cross, so that they could be taken for one.
"""

from dataclasses import replace

import pytest

from proviso.domain.frame import Counts, Outcome
from proviso.domain.messages import FacesMessage
from proviso.domain.permit import Permit
from proviso.domain.reasons import Reason, Refused
from tests.doubles import burst as burst_of
from tests.safeguards.house import House
from tests.samples import CAMERA

pytest_plugins = ["tests.databases"]
pytestmark = [pytest.mark.integration, pytest.mark.safeguard("S01", "S03", "S14")]
STRANGER = 120


@pytest.fixture
def bursts(house: House) -> House:
    """A deployment of which an upload may hold three frames, and one person on its list."""
    house.list_id, house.entries = house.listed(3)
    house.active = house.running(house.list_id, burst_frames=3)
    return house


def nothing_happened(house: House) -> None:
    assert house.one("SELECT count(*) FROM searched_frame") == 0
    assert (house.candidates, house.evidence.objects, house.outbox.objects) == ([], {}, {})
    assert house.frames.objects == {}


def test_a_listed_person_in_a_burst_is_one_candidate_one_row_one_record(bursts: House):
    row = bursts.see_burst([3, STRANGER], [3, STRANGER], [3])
    assert (row.outcome, row.counts) == (Outcome.SEARCHED, Counts(detected=2, searched=2, candidates=1))
    (candidate,) = bursts.candidates
    assert (candidate["entry_id"], candidate["frame_key"]) == (bursts.entries[0], row.key)
    (searched,) = bursts.sql("master", "SELECT * FROM searched_frame")
    assert (searched["frame_key"], searched["detected"], searched["searched"]) == (row.key, 2, 2)
    assert len(bursts.evidence.objects) == 1
    assert bursts.frames.objects == {}
    assert list(bursts.ledger.rows) == [row.key]
    records = bursts.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%frame_searched%%'::bytea")
    assert records == 1


def test_a_single_frame_is_taken_too(bursts: House):
    assert bursts.see(3).counts.candidates == 1


def test_a_burst_where_single_frames_were_authorised_is_deleted_unread_and_counted(house: House):
    list_id, _ = house.listed(3)
    house.running(list_id)
    reads, read = [], house.frames.get
    house.frames.get = lambda key: reads.append(key) or read(key)
    row = house.see_burst([3], [3])
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    assert reads == []
    nothing_happened(house)
    assert house.ledger.rows[row.key].reason is Reason.TOO_MANY_FRAMES


@pytest.mark.parametrize("number", [4, 5, 6])
def test_more_frames_than_were_authorised_are_not_looked_at(bursts: House, number):
    bursts.pipeline.opened.clear()
    row = bursts.see_burst(*[[3]] * number)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    assert bursts.pipeline.opened == ["split"]
    nothing_happened(bursts)


def test_a_forged_permit_for_more_frames_opens_nothing(bursts: House):
    """It is no gate: detect passes the burst on, and the row says three."""
    real = bursts.permits.objects[CAMERA]
    assert isinstance(real, Permit)
    bursts.permits.objects[CAMERA] = replace(real, burst_frames=5)
    row = bursts.match(bursts.burst_message(*[[3]] * 4))
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.TOO_MANY_FRAMES)
    nothing_happened(bursts)


@pytest.mark.safeguard(below="a forged queue message")
def test_a_message_that_says_fewer_frames_than_there_are_opens_nothing(bursts: House):
    """A forged message to fit: the object in the bucket is counted again, frame by frame."""
    bursts.permits.objects[CAMERA] = replace(bursts.permits.objects[CAMERA], burst_frames=5)
    message = bursts.burst_message(*[[3]] * 4)
    fewer = replace(message, frames=3, tracks=tuple(track[:3] for track in message.tracks))
    row = bursts.match(FacesMessage.from_json(fewer.to_json()))
    assert (row.outcome, row.reason) == (Outcome.UNREADABLE, Reason.TOO_MANY_FRAMES)
    nothing_happened(bursts)


def test_an_object_put_in_its_place_is_not_searched(bursts: House):
    message = bursts.burst_message([STRANGER], [STRANGER])
    bursts.frames.upload(message.frame_key, burst_of([3], [3], [3]), bursts.now())
    assert bursts.match(message).outcome is Outcome.UNREADABLE
    nothing_happened(bursts)


def test_frames_added_to_the_row_after_the_authorisation_shut_the_gate(bursts: House):
    """Beyond what SQL prevents, with its triggers off: the digest is computed anew (test_s03 tries it with them on)."""
    message = bursts.burst_message([3], [3])
    with bursts.meddling() as connection:
        connection.execute("UPDATE deployment SET burst_frames = 5")
    row = bursts.match(message)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.DIGEST_DIFFERS)
    nothing_happened(bursts)


def test_the_digest_that_is_authorised_names_the_frames(house: House):
    list_id, _ = house.listed(3)
    one = house.requested(list_id)
    assert replace(one, burst_frames=2).digest != one.digest
    assert house.authorise(one.id, digest=replace(one, burst_frames=2).digest).reason is Reason.TERMS_CHANGED


@pytest.mark.parametrize("frames", [0, 6, -1])
def test_no_other_number_can_be_asked_for(house: House, frames):
    list_id, _ = house.listed(3)
    refused = house.requested(list_id, burst_frames=frames)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.INVALID


def test_two_people_who_cross_are_searched_as_two(bursts: House):
    """Where one stood, the other stands a frame later. Fused, the listed one would be like nobody (0.71 here), or a
    stranger like the listed one."""
    row = bursts.see_burst([3, STRANGER], [STRANGER, 3])
    assert row.counts == Counts(detected=4, searched=4, candidates=1)
    (candidate,) = bursts.candidates
    assert candidate["similarity"] == pytest.approx(1.0, abs=1e-3)


def test_a_stranger_gains_nothing_from_a_listed_face_before_them(bursts: House):
    """Every face but one is a stranger's: the one that is not is searched by itself, and theirs raise nothing."""
    row = bursts.see_burst([STRANGER], [3], [STRANGER])
    assert row.counts.candidates == 1
    shown = bursts.candidates[0]
    assert shown["similarity"] == pytest.approx(1.0, abs=1e-3)
    face, _ = bursts.pipeline.evidence_asked[-1]
    assert face.box.x == 100.0


def test_a_stop_reaches_a_burst_on_its_way(bursts: House):
    message = bursts.burst_message([3], [3])
    bursts.stop(bursts.active.id)
    assert bursts.match(message).reason is Reason.NOT_ACTIVE
    nothing_happened(bursts)


def test_a_burst_past_its_age_is_deleted_like_any_frame(bursts: House):
    from datetime import timedelta

    key = bursts.burst([3], [3])
    bursts.skew = timedelta(seconds=121)
    assert bursts.sweep()["deleted"] == 1
    assert bursts.ledger.rows[key].outcome is Outcome.UNPROCESSED
    assert bursts.ledger.rows[key].camera == CAMERA
    nothing_happened(bursts)
