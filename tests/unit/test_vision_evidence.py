"""S15, the evidence picture by arithmetic: which pixels survive, which are flat, and that nothing else comes along."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proviso.domain.face import Box, Face, Quality
from proviso.domain.frame import Image
from proviso.vision.evidence import (
    CELLS,
    FLAT_GREY,
    FRAME_PX,
    GREY_STEP,
    MAX_MARGIN_PX,
    MAX_SIDE_PX,
    evidence_picture,
    kept_region,
    view_region,
)

MARKS = ((1.0, 1.0), (2.0, 1.0), (1.5, 1.5), (1.0, 2.0), (2.0, 2.0))
QUALITY = Quality(40.0, 100.0, 120.0, 0.0, 0.0)


def face(x, y, width, height):
    return Face(Box(x, y, width, height), MARKS, 0.9, QUALITY)


def noise(width, height, seed=1):
    return Image(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8), width, height)


def decoded(picture):
    return cv2.imdecode(np.frombuffer(picture.jpeg.data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def outside(shape, region, border=0):
    mask = np.ones(shape[:2], bool)
    mask[max(0, region[1] - border) : region[3] + border, max(0, region[0] - border) : region[2] + border] = False
    return mask


def test_the_candidates_box_keeps_its_pixels_and_the_rest_of_the_frame_does_not():
    image = noise(1280, 720)
    candidate = face(300, 200, 100, 120)
    picture = decoded(evidence_picture(image, candidate, []))
    assert picture.shape == (720, 1280, 3)
    left, top, right, bottom = kept_region(candidate.box, 1280, 720)
    inner = (slice(top + 8, bottom - 8), slice(left + 8, right - 8))
    difference = np.abs(picture[inner] - image.pixels[inner].astype(int)).mean()
    assert difference < 15  # noise is the hardest thing for JPEG; unrelated noise would differ by 85

    rest = outside(picture.shape, (left, top, right, bottom), border=16)
    steps = np.abs(np.diff(picture[600].mean(axis=1))) > 20  # a row below the candidate; the noise changes everywhere
    assert steps.sum() < CELLS
    assert len(np.unique(np.round(picture[rest].mean(axis=1) / GREY_STEP, 1))) < 40


def test_the_rest_has_no_colour():
    red = Image(np.full((720, 1280, 3), (10, 10, 240), np.uint8), 1280, 720)
    picture = decoded(evidence_picture(red, face(600, 300, 80, 90), []))
    rest = outside(picture.shape, kept_region(Box(600, 300, 80, 90), 1280, 720), border=16)
    assert np.ptp(picture[rest], axis=1).max() <= 4


def test_others_in_the_kept_part_are_flat_and_the_candidate_among_them_is_not():
    image = noise(1280, 720)
    candidate, other = face(300, 200, 200, 240), face(420, 380, 120, 140)
    picture = decoded(evidence_picture(image, candidate, [candidate.box, other.box]))
    _, _, right, bottom = kept_region(candidate.box, 1280, 720)
    flat = picture[380 : bottom - 8, 420 : right - 8]
    assert np.abs(flat - FLAT_GREY).max() <= 12
    assert picture[220:340, 310:400].std() > 50


@given(
    st.integers(40, 3000),
    st.integers(40, 3000),
    st.floats(-0.2, 1.1),
    st.floats(-0.2, 1.1),
    st.floats(0.001, 1.2),
    st.floats(0.001, 1.2),
)
def test_what_is_kept_is_the_box_and_at_most_the_margin(width, height, x, y, across, down):
    box = Box(x * width, y * height, across * width, down * height)
    left, top, right, bottom = kept_region(box, width, height)
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    if left < right and top < bottom:
        assert left >= box.x - MAX_MARGIN_PX - 1
        assert top >= box.y - MAX_MARGIN_PX - 1
        assert right <= box.x + box.width + MAX_MARGIN_PX + 1
        assert bottom <= box.y + box.height + MAX_MARGIN_PX + 1
    shown = view_region((left, top, right, bottom), width, height)
    assert 0 <= shown[0] <= left <= right <= shown[2] <= width
    assert 0 <= shown[1] <= top <= bottom <= shown[3] <= height
    assert shown[2] - shown[0] <= max(MAX_SIDE_PX, right - left + 2 * FRAME_PX)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.floats(-30, 420), st.floats(-30, 420), st.floats(1, 300))
def test_every_place_of_a_box_gives_a_picture(width, height, x, y, side):
    picture = decoded(evidence_picture(noise(width, height), face(x, y, side, side), [face(0, 0, 20, 20).box]))
    assert picture.shape == (height, width, 3)


def test_a_large_frame_is_shown_around_the_candidate_at_its_own_scale():
    image = noise(3840, 2160)
    candidate = face(3700, 2050, 90, 100)
    picture = decoded(evidence_picture(image, candidate, []))
    assert picture.shape == (MAX_SIDE_PX, MAX_SIDE_PX, 3)
    offset = (2160 - MAX_SIDE_PX, 3840 - MAX_SIDE_PX)
    part = picture[2060 - offset[0] : 2140 - offset[0], 3710 - offset[1] : 3780 - offset[1]]
    assert np.abs(part - image.pixels[2060:2140, 3710:3780].astype(int)).mean() < 15


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (640, 640), (4000, 900)])
def test_the_mosaic_has_at_most_its_cells_along_the_long_side(width, height):
    picture = decoded(evidence_picture(noise(width, height), face(5, 5, 20, 20), []))
    line = picture[-12] if width >= height else picture[:, -12]
    steps = np.abs(np.diff(line.mean(axis=1))) > 0.5
    assert steps.sum() <= (CELLS - 1) * 16  # JPEG spreads a step over the 8x8 blocks that it crosses


def test_the_frame_is_left_as_it_was_and_the_jpeg_has_no_metadata():
    image = noise(640, 480)
    before = image.pixels.copy()
    data = evidence_picture(image, face(100, 100, 80, 90), [face(150, 120, 80, 90).box]).jpeg.data
    assert np.array_equal(image.pixels, before)
    assert b"Exif" not in data
    assert b"http://ns.adobe.com" not in data
    assert b"ICC_PROFILE" not in data
    assert b"\xff\xfe" not in data[:200]  # no comment segment
