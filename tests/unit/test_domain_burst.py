"""Which faces of a burst are taken for one person's by where they are: each face once, the same answer every time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.burst import FrameFace, associate, best, overlap_of
from proviso.domain.face import Box
from tests.samples import face


def at(x, y=120.0, side=96.0, **quality):
    return replace(face(side=side, **quality), box=Box(x, y, side, side))


def places(tracks):
    return [[(one.frame, one.face.box.x) for one in track] for track in tracks]


def test_faces_that_stay_where_they_are_are_one_track_each():
    left, right = at(100, side=120), at(500)
    assert places(associate([[left, right]] * 3)) == [[(0, 100), (1, 100), (2, 100)], [(0, 500), (1, 500), (2, 500)]]


def test_who_walks_across_by_a_face_s_width_a_frame_is_followed():
    assert len(associate([[at(100 + 96 * n)] for n in range(5)])) == 1


@pytest.mark.parametrize(
    "moved", [{"x": 100 + 1.5 * 96}, {"x": 100, "y": 120 + 1.5 * 96}, {"x": 100, "side": 96 * 1.6}]
)
def test_who_is_too_far_away_or_grows_too_much_is_another(moved):
    assert len(associate([[at(100)], [at(**moved)]])) == 2


def test_a_face_goes_on_from_the_one_that_it_overlaps_most_and_no_two_from_one():
    near, far = at(110), at(160)
    tracks = associate([[at(100)], [far, near]])
    assert sorted(places(tracks)) == [[(0, 100), (1, 110)], [(1, 160)]]


def test_a_person_who_is_missing_in_a_frame_begins_anew():
    """Only successive frames are joined: over a gap somebody else may have come to stand there."""
    assert places(associate([[at(100)], [], [at(100)]])) == [[(0, 100)], [(2, 100)]]


def test_the_track_with_the_largest_face_comes_first():
    assert places(associate([[at(100), at(500, side=60)], [at(100), at(500, side=80), at(900, side=200)]]))[0] == [
        (1, 900)
    ]


def test_a_single_frame_s_faces_are_tracks_of_one_in_their_order():
    assert places(associate([[at(100, side=200), at(500), at(800)]])) == [[(0, 100)], [(0, 500)], [(0, 800)]]
    assert associate([]) == associate([[], []]) == []


sides = st.integers(1, 300)
some_faces = st.lists(st.builds(at, st.integers(-50, 1300), st.integers(-50, 700), sides), max_size=6)


@given(st.lists(some_faces, max_size=5))
def test_each_face_is_in_one_track_and_a_track_has_one_face_a_frame_in_order(frames):
    tracks = associate(frames)
    assert sorted((one.frame, id(one.face)) for track in tracks for one in track) == sorted(
        (number, id(one)) for number, faces in enumerate(frames) for one in faces
    )
    for track in tracks:
        numbers = [one.frame for one in track]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert associate(frames) == tracks


@given(
    st.builds(Box, *[st.integers(-50, 900)] * 2, sides, sides),
    st.builds(Box, *[st.integers(-50, 900)] * 2, sides, sides),
)
def test_overlap_is_a_share_and_the_same_from_both_sides(one, other):
    assert 0.0 <= overlap_of(one, other) <= 1.0
    assert overlap_of(one, other) == pytest.approx(overlap_of(other, one))
    assert overlap_of(one, one) == pytest.approx(1.0)


def test_the_one_to_show_is_the_sharpest_of_the_large_ones():
    blurred, sharp, small = at(1, side=100, sharpness=50), at(2, side=95, sharpness=200), at(3, side=60, sharpness=900)
    faces = [FrameFace(n, one) for n, one in enumerate((blurred, sharp, small))]
    assert best(faces).face is sharp
    assert best([faces[0], replace(faces[0], frame=1)]).frame == 0
