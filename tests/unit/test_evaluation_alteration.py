"""Pictures as a camera would see them: the face has the size asked for, and stands in the middle of the frame."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.face import Box, Face, Quality
from proviso.domain.frame import Image
from proviso.evaluation.alteration import altered, burst, face_size, quality

SEED = bytes(32)


def picture(width, height, x, y, side):
    """A grey picture with a white square where the face is."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[y : y + side, x : x + side] = 255
    box = Box(float(x), float(y), float(side), float(side))
    points = tuple(
        (x + side * across, y + side * down)
        for across, down in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.8), (0.7, 0.8))
    )
    return Image(pixels, width, height), Face(box, points, 0.9, Quality(40, 100, 120, 0, 0))


def opened(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


@given(
    width=st.integers(120, 900),
    height=st.integers(120, 900),
    side=st.integers(60, 110),
    wanted=st.integers(24, 60),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_the_face_has_the_size_asked_for_and_stands_in_the_middle(width, height, side, wanted, at):
    x, y = int(at[0] * (width - side)), int(at[1] * (height - side))
    frame = opened(altered(*picture(width, height, x, y, side), face_size(wanted), SEED))
    assert frame.shape == (720, 1280, 3)
    down, across = np.nonzero(frame[:, :, 0] > 190)
    assert across.max() - across.min() + 1 == pytest.approx(wanted, abs=2.5)
    assert down.max() - down.min() + 1 == pytest.approx(wanted, abs=2.5)
    assert across.mean() == pytest.approx(639.5, abs=2)
    assert down.mean() == pytest.approx(359.5, abs=2)


def test_a_picture_larger_than_the_frame_is_cut():
    frame = opened(altered(*picture(4000, 3000, 200, 2500, 100), face_size(100), SEED))
    assert frame.shape == (720, 1280, 3)


def test_no_face_is_made_larger():
    assert altered(*picture(300, 300, 100, 100, 40), face_size(41), SEED) is None
    assert altered(picture(300, 300, 100, 100, 40)[0], None, face_size(30), SEED) is None


def test_an_imitated_burst_is_the_same_in_every_run():
    one, other = (altered(*picture(300, 300, 100, 100, 80), burst(frame), SEED) for frame in (1, 2))
    assert one == altered(*picture(300, 300, 100, 100, 80), burst(1), SEED)
    assert one != other


def test_what_is_no_alteration_is_said():
    with pytest.raises(ValueError, match="no such alteration"):
        altered(*picture(300, 300, 100, 100, 80), "upside=down", SEED)
    assert len(altered(picture(300, 300, 100, 100, 80)[0], None, quality(15), SEED)) > 0
