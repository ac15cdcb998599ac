"""The one message an upload: whole, small, without pixels or templates (rule 4)."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.burst import FrameBox, FrameFace
from proviso.domain.face import Box, Face, Quality
from proviso.domain.messages import MAX_BYSTANDERS, MAX_FACES, MAX_SENT_FACES, FacesMessage
from tests.samples import faces_message, frame_key

hundredths = st.integers(-200_000, 600_000).map(lambda n: n / 100)
measures = st.integers(-90_0000, 90_0000).map(lambda n: n / 10_000)
boxes = st.builds(Box, hundredths, hundredths, hundredths, hundredths)
faces = st.builds(
    Face,
    boxes,
    st.tuples(*[st.tuples(hundredths, hundredths)] * 5),
    st.integers(0, 10_000).map(lambda n: n / 10_000),
    st.builds(Quality, *[measures] * 6),
)


numbered = st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True).map(sorted)
tracks = numbered.flatmap(lambda frames: st.tuples(*[st.builds(FrameFace, st.just(one), faces) for one in frames]))
BURST = frame_key().replace(".jpg", ".mjpeg")


@given(st.lists(faces, max_size=5), st.lists(boxes, max_size=5), st.lists(st.tuples(st.text(max_size=9), hundredths)))
def test_it_comes_back_as_it_was_written(found, others, stages):
    message = replace(
        faces_message(),
        tracks=tuple((FrameFace(0, one),) for one in found),
        bystanders=tuple(FrameBox(0, box) for box in others),
        stages=tuple(stages),
    )
    assert FacesMessage.from_json(message.to_json()) == message


@given(st.lists(tracks, max_size=5), st.lists(st.builds(FrameBox, st.integers(0, 4), boxes), max_size=5))
def test_a_burst_comes_back_as_it_was_written(found, others):
    message = replace(faces_message(BURST), frames=5, tracks=tuple(found), bystanders=tuple(others))
    assert FacesMessage.from_json(message.to_json()) == message


def widest_face():
    """As long as one can be written: a frame's side has at most five digits."""
    box = Box(-16384.12, -16384.12, 16384.12, 16384.12)
    quality = Quality(16384.1234, 123456.1234, 123.1234, -12.1234, -123.1234, 0.1234)
    return Face(box, ((-16384.12, -16384.12),) * 5, 0.1234, quality)


def widest(number):
    track = tuple(FrameFace(frame, widest_face()) for frame in range(MAX_SENT_FACES // number))
    others = (FrameBox(4, widest_face().box),) * MAX_BYSTANDERS
    return replace(faces_message(BURST), frames=5, tracks=(track,) * number, bystanders=others)


@pytest.mark.parametrize("number", [MAX_FACES, 154])
def test_as_much_as_is_ever_sent_fits_into_a_queue_message(number):
    """256 KB is what SQS took before it took 1 MiB; a queue may still be set to it."""
    body = widest(number).to_json()
    assert len(body.encode()) < 256 * 1024
    assert len(FacesMessage.from_json(body).tracks) == number


def test_detect_never_sends_more_than_that():
    """So many tracks, all five faces of each: what is kept of each fits under the limit."""
    for number in range(1, MAX_FACES + 1):
        assert number * min(5, MAX_SENT_FACES // number) <= MAX_SENT_FACES


@pytest.mark.parametrize(
    "tracks",
    [((FrameFace(0, widest_face()),),) * (MAX_FACES + 1), (widest(1).tracks[0][:5],) * (MAX_SENT_FACES // 5 + 1)],
    ids=["tracks", "faces"],
)
def test_more_faces_are_refused(tracks):
    body = replace(faces_message(BURST), frames=5, tracks=tracks).to_json()
    with pytest.raises(ValueError, match="too many"):
        FacesMessage.from_json(body)


def one_face(frame):
    return FrameFace(frame, widest_face())


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        (frame_key(), {"frames": 2}),
        (frame_key(), {"frames": 0}),
        (BURST, {"frames": 1}),
        (BURST, {"frames": 6}),
        (BURST, {"frames": True}),
        (frame_key(), {"tracks": ((one_face(1),),)}),
        (BURST, {"frames": 2, "tracks": ((one_face(2),),)}),
        (BURST, {"frames": 2, "tracks": ((one_face(-1),),)}),
        (BURST, {"frames": 2, "tracks": ((one_face(0), one_face(0)),)}),
        (BURST, {"frames": 2, "tracks": ((one_face(1), one_face(0)),)}),
        (BURST, {"frames": 2, "tracks": ((),)}),
        (BURST, {"frames": 2, "bystanders": (FrameBox(2, widest_face().box),)}),
    ],
)
def test_tracks_that_no_such_upload_has_are_none_of_ours(key, changed):
    with pytest.raises(ValueError):
        FacesMessage.from_json(faces_message(key, **changed).to_json())


def test_a_message_of_the_version_before_bursts_is_read():
    """It may be on its way while the software is updated."""
    body = json.loads(faces_message(count=2, bystanders=(FrameBox(0, widest_face().box),)).to_json())
    old = {name: value for name, value in body.items() if name not in ("frames", "tracks", "bystanders")}
    old |= {
        "version": 1,
        "faces": [track[0][1:] for track in body["tracks"]],
        "bystanders": [box[1:] for box in body["bystanders"]],
    }
    assert FacesMessage.from_json(json.dumps(old)) == FacesMessage.from_json(json.dumps(body))
    with pytest.raises(ValueError, match="kind of upload"):
        FacesMessage.from_json(json.dumps({**old, "frame_key": BURST}))


BODY = json.loads(faces_message().to_json())


@pytest.mark.parametrize("name", BODY)
@pytest.mark.parametrize("odd", [None, {"x": 1}, 5, "missing"])
def test_a_damaged_message_is_none_of_ours(name, odd):
    body = {key: value for key, value in BODY.items() if key != name}
    if odd != "missing":
        body[name] = odd
    try:
        FacesMessage.from_json(json.dumps(body))
    except ValueError:
        return
    assert odd != "missing"
    assert name in (
        "deployment_id",
        "digest",
        "pipeline",
        "correlation_id",
        "frame_age_limit_s",
        "detected",
        "refused",
        "not_searched",
    )


@pytest.mark.parametrize("body", ["", "[]", "null", "5", '{"version": 1}', "[" * 200_000, "{"])
def test_what_is_no_message_is_none_of_ours(body):
    with pytest.raises(ValueError):
        FacesMessage.from_json(body)


@pytest.mark.parametrize(
    "changed",
    [
        {"camera": "gate-2"},
        {"captured_at": "2026-11-22T20:15:31+00:00"},
        {"captured_at": "2026-11-22T20:15:30.250000"},
        {"frame_key": frame_key(camera="gate-2")},
        {"frame_key": "permits/gate-1.json"},
        {"frame_age_limit_s": float("inf")},
        {"received_at": "2026-11-22T20:15:30"},
    ],
)
def test_a_message_that_tells_of_another_frame_is_none_of_ours(changed):
    """The gate is asked about the camera and time of the very frame that is read (S01)."""
    with pytest.raises(ValueError):
        FacesMessage.from_json(json.dumps({**BODY, **changed}))
