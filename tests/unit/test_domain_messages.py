"""The one message a frame: whole, small, without pixels or templates (rule 4)."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.face import Box, Face, Quality
from proviso.domain.messages import MAX_FACES, FacesMessage
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


@given(st.lists(faces, max_size=5), st.lists(boxes, max_size=5), st.lists(st.tuples(st.text(max_size=9), hundredths)))
def test_it_comes_back_as_it_was_written(found, others, stages):
    message = replace(faces_message(), faces=tuple(found), bystanders=tuple(others), stages=tuple(stages))
    assert FacesMessage.from_json(message.to_json()) == message


def widest_face():
    box = Box(-1234.56, -1234.56, 1234.56, 1234.56)
    quality = Quality(1234.5678, 12345.6789, 123.4567, -0.1234, -12.3456, 0.1234)
    return Face(box, ((-1234.56, -1234.56),) * 5, 0.1234, quality)


def test_256_faces_and_their_bystanders_fit_into_a_queue_message():
    box = widest_face().box
    message = replace(faces_message(), faces=(widest_face(),) * MAX_FACES, bystanders=(box,) * (2 * MAX_FACES))
    assert len(message.to_json().encode()) < 256 * 1024


def test_more_faces_are_refused():
    body = replace(faces_message(), faces=(widest_face(),) * (MAX_FACES + 1)).to_json()
    with pytest.raises(ValueError, match="too many"):
        FacesMessage.from_json(body)


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
