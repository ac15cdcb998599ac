"""Landmarks looked at again: back in the picture's own pixels, from both views, and never another face's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.vision.landmarks import refined

FACE_PX = 64
SIDE = 2 * FACE_PX
SPOTS = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]])


def row(x, y, width, height, shift=(0.0, 0.0)):
    points = SPOTS * (width, height) + (x, y) + np.asarray(shift)
    return np.array([x, y, width, height, *points.reshape(-1), 0.9], np.float32)


def dotted(height, width, x, y, side):
    """A picture that is black but for a white face of `side` pixels."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[max(0, y) : y + side, max(0, x) : x + side] = 255
    return pixels


def finder(asked=None):
    """Finds white squares in each half of what it is shown, with landmarks at their spots; a mirrored one's are in the
    order in which a network gives them, the viewer's left first."""

    def find(pixels):
        if asked is not None:
            asked.append(pixels.shape)
        rows = []
        for left in (0, SIDE):
            rows_of, columns = np.nonzero(pixels[:, left : left + SIDE, 0] > 127)
            if len(rows_of):
                x, y = columns.min(), rows_of.min()
                rows.append(row(x + left, y, columns.max() + 1 - x, rows_of.max() + 1 - y))
        return np.array(rows, np.float32).reshape(-1, 15)

    return find


@given(x=st.integers(40, 200), y=st.integers(40, 200), side=st.integers(32, 150), shift=st.floats(-4, 4))
def test_what_is_found_again_is_in_pixels_of_the_picture(x, y, side, shift):
    first = row(x, y, side, side, (shift, -shift))
    (again,) = refined(dotted(500, 500, x, y, side), first[None], finder(), face_px=FACE_PX, from_px=32)
    true = row(x, y, side, side)
    assert again[4:14] == pytest.approx(true[4:14], abs=1.5 * side / FACE_PX)  # to within a pixel of the view
    assert (again[:4] == first[:4]).all()
    assert again[14] == first[14]


def test_two_looks_a_face_in_one_picture():
    asked = []
    rows = np.stack([row(50, 50, 60, 60), row(200, 50, 60, 60)])
    refined(dotted(300, 300, 50, 50, 60), rows, finder(asked), face_px=FACE_PX, from_px=32)
    assert asked == [(SIDE, 2 * SIDE, 3)] * 2


def test_small_faces_stay_as_they_are():
    asked = []
    rows = row(50, 50, 31, 60)[None]
    assert (refined(dotted(300, 300, 50, 50, 31), rows, finder(asked), face_px=FACE_PX, from_px=32) == rows).all()
    assert asked == []


@pytest.mark.parametrize("found", [np.empty((0, 15), np.float32), row(0, 0, 20, 20)[None], row(200, 100, 20, 20)[None]])
def test_who_is_not_found_again_stays_as_they_are(found):
    rows = row(50, 50, 60, 60)[None]
    out = refined(dotted(300, 300, 50, 50, 60), rows, lambda pixels: found, face_px=FACE_PX, from_px=32)
    assert (out == rows).all()


@pytest.mark.parametrize("half", [0, 1])
def test_two_looks_that_do_not_agree_are_none(half):
    """So a head that lies on its side does not come out upright, as the mean of two errors."""
    rows = row(100, 100, 60, 60)[None]

    def find(pixels):
        found = finder()(pixels)
        found[half, 4:14] += 9.0  # of 64 pixels
        return found

    assert (refined(dotted(300, 300, 100, 100, 60), rows, find, face_px=FACE_PX, from_px=32) == rows).all()


def test_one_look_alone_is_none():
    rows = row(100, 100, 60, 60, (3, 3))[None]
    out = refined(dotted(300, 300, 100, 100, 60), rows, lambda p: finder()(p)[:1], face_px=FACE_PX, from_px=32)
    assert (out == rows).all()


def test_a_landmark_that_moves_far_is_anothers():
    rows = row(100, 100, 60, 60)[None]
    other = row(SIDE / 2 - 20, SIDE / 2 - 20, 40, 40, (25, 0))[None]
    out = refined(dotted(300, 300, 100, 100, 60), rows, lambda pixels: other, face_px=FACE_PX, from_px=32)
    assert (out == rows).all()


@pytest.mark.parametrize(("x", "y"), [(-20, 40), (40, -20), (260, 40), (40, 260), (-20, -20)])
def test_a_face_at_the_edge_is_looked_at_in_what_there_is(x, y):
    rows = row(x, y, 60, 60)[None]
    out = refined(dotted(300, 300, x, y, 60), rows, finder(), face_px=FACE_PX, from_px=32)
    assert np.isfinite(out).all()
    assert np.abs(out[0, 4:14] - rows[0, 4:14]).max() <= 15.0


def test_the_rows_that_were_given_are_not_changed():
    rows = row(100, 100, 60, 60, (3, 3))[None]
    before = rows.copy()
    out = refined(dotted(300, 300, 100, 100, 60), rows, finder(), face_px=FACE_PX, from_px=32)
    assert (rows == before).all()
    assert (out != before).any()
