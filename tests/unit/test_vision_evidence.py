"""S15, the evidence picture by arithmetic: which pixels survive, which are flat, and that nothing else comes along."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proviso.domain.face import Box, Face, Quality
from proviso.domain.frame import Image
from proviso.vision.evidence import (
    FLAT_GREY,
    FRAME_PX,
    GROUND_GREY,
    LATTICE,
    LINE_GREY,
    MAX_SIDE_PX,
    evidence_picture,
    kept_oval,
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


def oval_in(image, candidate):
    """Where the frame's pixels are kept, bool over the frame."""
    mask = np.zeros((image.height, image.width), bool)
    kept = kept_region(candidate.box, image.width, image.height)
    mask[kept[1] : kept[3], kept[0] : kept[2]] = kept_oval(candidate.box, kept)
    return mask


def test_the_oval_of_the_face_keeps_its_pixels_and_the_rest_of_the_frame_is_empty():
    image = noise(1280, 720)
    candidate = face(300, 200, 100, 120)
    picture = decoded(evidence_picture(image, candidate, []))
    assert picture.shape == (720, 1280, 3)
    inner = cv2.erode(oval_in(image, candidate).astype(np.uint8), np.ones((17, 17))) > 0
    assert inner.sum() > 4000
    difference = np.abs(picture[inner] - image.pixels[inner].astype(int)).mean()
    assert difference < 15  # noise is the hardest thing for JPEG; unrelated noise would differ by 85

    rest = outside(picture.shape, kept_region(candidate.box, 1280, 720), border=16)
    tones = np.unique(picture[rest])
    assert tones.min() >= GROUND_GREY - 4
    assert tones.max() <= LINE_GREY + 16  # where two lines cross, JPEG rings


@settings(max_examples=25, deadline=None)
@given(st.integers(60, 700), st.integers(60, 500), st.integers(20, 160), st.integers(2, 2**32 - 1))
def test_frames_that_differ_only_outside_the_oval_give_the_same_picture_to_the_byte(x, y, side, seed):
    """Whoever stands there: not their pixels, not their colours, not their light."""
    image, candidate = noise(900, 700), face(x, y, side, 1.2 * side)
    others = noise(900, 700, seed).pixels
    another = Image(np.where(oval_in(image, candidate)[:, :, None], image.pixels, others), 900, 700)
    assert (another.pixels != image.pixels).any()
    one, two = evidence_picture(image, candidate, []), evidence_picture(another, candidate, [])
    assert one.jpeg.data == two.jpeg.data
    assert one.face == two.face


@given(st.floats(0, 500), st.floats(0, 500), st.floats(20, 400), st.floats(1.0, 1.5))
def test_the_oval_lies_in_the_box_or_reaches_over_it_by_less_than_a_pixel(x, y, side, longer):
    """The lattice moves a side of the box by at most a 24th of the short side; the oval stands back by a 20th."""
    box = Box(x, y, side, longer * side)
    kept = kept_region(box, 2000, 2000)
    rows, columns = np.nonzero(kept_oval(box, kept))
    assert kept[0] + columns.min() > box.x - 1
    assert kept[1] + rows.min() > box.y - 1
    assert kept[0] + columns.max() + 1 < box.x + box.width + 1
    assert kept[1] + rows.max() + 1 < box.y + box.height + 1
    assert len(rows) > 0.6 * np.pi / 4 * box.area
    assert not kept_oval(box, kept)[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def test_a_box_that_moves_by_a_pixel_mostly_stays_where_it_is_on_the_lattice():
    """What a neighbour does to the detector's box must not show."""
    boxes = [Box(200 + 0.37 * at, 150 + 0.61 * at, 90, 112) for at in range(200)]
    moved = [Box(box.x + 1.0, box.y - 1.0, box.width - 0.8, box.height + 0.9) for box in boxes]
    sides = [
        one == two
        for box, other in zip(boxes, moved, strict=True)
        for one, two in zip(kept_region(box, 1280, 720), kept_region(other, 1280, 720), strict=True)
    ]
    assert np.mean(sides) > 0.8


def test_the_rest_has_no_colour():
    red = Image(np.full((720, 1280, 3), (10, 10, 240), np.uint8), 1280, 720)
    picture = decoded(evidence_picture(red, face(600, 300, 80, 90), []))
    rest = outside(picture.shape, kept_region(Box(600, 300, 80, 90), 1280, 720), border=16)
    assert np.ptp(picture[rest], axis=1).max() <= 4


def test_others_in_the_oval_are_flat_and_the_candidate_among_them_is_not():
    image = noise(1280, 720)
    candidate, other = face(300, 200, 200, 240), face(420, 320, 120, 140)
    picture = decoded(evidence_picture(image, candidate, [candidate.box, other.box]))
    oval = oval_in(image, candidate)
    oval[:330] = oval[:, :430] = False
    flat = cv2.erode(oval.astype(np.uint8), np.ones((17, 17))) > 0
    assert flat.sum() > 500
    assert np.abs(picture[flat] - FLAT_GREY).max() <= 12
    assert picture[240:290, 360:420].std() > 50


@given(
    st.integers(40, 3000),
    st.integers(40, 3000),
    st.floats(-0.2, 1.1),
    st.floats(-0.2, 1.1),
    st.floats(0.001, 1.2),
    st.floats(0.001, 1.2),
)
def test_what_is_kept_is_about_the_box_and_what_is_shown_holds_it(width, height, x, y, across, down):
    box = Box(x * width, y * height, across * width, down * height)
    left, top, right, bottom = kept_region(box, width, height)
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    if left < right and top < bottom:
        slack = max(box.short_side / LATTICE, 1.0) / 2 + 1
        assert left >= box.x - slack
        assert top >= box.y - slack
        assert right <= box.x + box.width + slack
        assert bottom <= box.y + box.height + slack
    shown = view_region((left, top, right, bottom), width, height)
    assert 0 <= shown[0] <= left <= right <= shown[2] <= width
    assert 0 <= shown[1] <= top <= bottom <= shown[3] <= height
    assert shown[2] - shown[0] <= max(MAX_SIDE_PX, right - left + 2 * FRAME_PX)
    assert shown[3] - shown[1] <= max(MAX_SIDE_PX, bottom - top + 2 * FRAME_PX)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.floats(-30, 420), st.floats(-30, 420), st.floats(1, 300))
def test_every_place_of_a_box_gives_a_picture(width, height, x, y, side):
    made = evidence_picture(noise(width, height), face(x, y, side, side), [face(0, 0, 20, 20).box])
    assert decoded(made).shape == (height, width, 3)
    left, top, across, down = made.face
    assert 0 <= left < left + across <= width
    assert 0 <= top < top + down <= height


def test_the_face_of_the_picture_is_the_kept_region():
    made = evidence_picture(noise(3840, 2160), face(2000, 1200, 180, 220), [])
    left, top, width, height = made.face
    assert width / 180 == pytest.approx(1, abs=1 / LATTICE)
    assert height / 220 == pytest.approx(1, abs=1 / LATTICE)
    picture = decoded(made)
    assert np.abs(picture[top - 1, left : left + width] - 255).max() < 40  # the white line around it
    assert picture[top + height // 2, left + 30 : left + width - 30].std() > 50


def test_a_large_frame_is_shown_as_a_window_in_which_the_candidate_lies_as_in_the_frame():
    image = noise(3840, 2160)
    for x, y in ((3700, 2050), (0, 0), (1870, 1030), (900, 1500)):
        candidate = face(x, y, 90, 100)
        made = evidence_picture(image, candidate, [])
        picture = decoded(made)
        assert picture.shape == (MAX_SIDE_PX * 9 // 16, MAX_SIDE_PX, 3)
        left, top, width, height = made.face
        assert (left + width / 2) / 1280 == pytest.approx((x + 45) / 3840, abs=0.03)
        assert (top + height / 2) / 720 == pytest.approx((y + 50) / 2160, abs=0.05)
        shift = (left - kept_region(candidate.box, 3840, 2160)[0], top - kept_region(candidate.box, 3840, 2160)[1])
        part = picture[y + 30 + shift[1] : y + 70 + shift[1], x + 25 + shift[0] : x + 65 + shift[0]]
        assert np.abs(part - image.pixels[y + 30 : y + 70, x + 25 : x + 65].astype(int)).mean() < 15  # not reduced


def test_the_lines_are_at_the_thirds():
    picture = decoded(evidence_picture(noise(900, 600), face(5, 5, 20, 20), []))
    row, column = picture[-40].mean(axis=1), picture[:, -40].mean(axis=1)
    assert np.flatnonzero(np.abs(row - LINE_GREY) < 6).tolist() == [300, 600]
    assert np.flatnonzero(np.abs(column - LINE_GREY) < 6).tolist() == [200, 400]


def segments(data):
    """The markers of a JPEG's header with their bodies, up to the picture data (ITU-T T.81, annex B)."""
    assert data[:2] == b"\xff\xd8"
    at, found = 2, []
    while data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((data[at + 1], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def test_the_frame_is_left_as_it_was_and_the_jpeg_has_no_metadata():
    image = noise(640, 480)
    before = image.pixels.copy()
    data = evidence_picture(image, face(100, 100, 80, 90), [face(150, 120, 80, 90).box]).jpeg.data
    assert np.array_equal(image.pixels, before)
    jfif, *rest = segments(data)
    assert jfif == (0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")  # no density, no thumbnail
    assert {marker for marker, _ in rest} == {0xDB, 0xC0, 0xC4}  # quantisation, frame header, Huffman tables
    assert data.endswith(b"\xff\xd9")
