"""A site trial's passages and the faces that can be theirs (S08, S13)."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proviso.domain.trial import Passage, Readings, SearchedFrame, Sighting, count

NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def walk(number: str, begins: float, ends: float, person: str = "", camera: str = "gate") -> Passage:
    return Passage(number, person, camera, at(begins), at(ends))


def read(frames: dict[float, int], seen: dict[float, str] | None = None, camera: str = "gate") -> Readings:
    return Readings(
        tuple(Sighting(camera, at(when), who) for when, who in (seen or {}).items()),
        tuple(SearchedFrame(camera, at(when), faces) for when, faces in frames.items()),
        frozenset({"R-1"}),
    )


def of(plan: list[Passage], readings: Readings) -> tuple[int, int, int]:
    """Passages of others that count, those that no camera saw, faces searched of others."""
    found = count(plan, readings, "d")
    return found.non_mated_passages, found.unseen, found.faces_searched


@pytest.mark.parametrize(
    ("faces", "walks", "counts"),
    [(0, 1, 0), (1, 1, 1), (1, 2, 1), (2, 2, 2), (2, 5, 2), (5, 2, 2)],
)
def test_a_frame_serves_as_many_passages_as_it_has_faces(faces, walks, counts):
    plan = [walk(str(n), 0, 4 + n) for n in range(walks)]
    assert of(plan, read({2: faces} if faces else {}))[:2] == (counts, walks - counts)


def test_two_who_walk_together_and_were_each_seen_alone_both_count():
    assert of([walk("a", 0, 4), walk("b", 1, 5)], read({2: 1, 3: 1}))[:2] == (2, 0)


def test_a_face_before_another_camera_is_nobodys():
    assert of([walk("a", 0, 4)], read({2: 1}, camera="other"))[:2] == (0, 1)


def test_the_face_of_a_listed_person_who_was_found_is_no_strangers():
    plan = [walk("listed", 0, 4, "R-1"), walk("a", 0, 4)]
    assert of(plan, read({2: 1}, {2: "R-1"})) == (0, 1, 0)
    assert of(plan, read({2: 2}, {2: "R-1"})) == (1, 0, 1)


def test_a_face_that_raised_somebody_stands_for_nobody_else():
    """Who walked then was raised; beside them nobody is counted as not raised by that face."""
    plan = [walk("a", 0, 2), walk("b", 2.5, 6)]
    assert of(plan, read({1: 1, 3: 1}, {1: "R-1"})) == (2, 0, 2)
    found = count([walk("a", 0, 4), walk("b", 0, 5)], read({3: 1}, {3: "R-1"}), "d")
    assert (found.false_passages, found.non_mated_passages, found.wrong_sightings) == (2, 2, 1)


def test_each_sighting_is_in_one_sum():
    plan = [walk("m", 0, 4, "R-1"), walk("a", 10, 14)]
    found = count(plan, read({1: 1, 2: 1, 11: 1, 20: 1}, {1: "R-1", 2: "R-2", 11: "R-1", 20: "R-1"}), "d")
    sums = (found.right_sightings, found.misnamed_sightings, found.wrong_sightings, found.outside)
    assert sums == (1, 1, 1, 1)


def test_the_means_are_of_passages_of_others_that_were_seen():
    plan = [walk("m", 0, 4, "R-1"), walk("a", 10, 14), walk("unseen", 30, 90)]
    found = count(plan, read({1: 1, 2: 1, 3: 1, 11: 2, 12: 1}), "d")
    assert (found.frames_a_passage, found.faces_a_passage, found.seconds_a_passage) == (2, 3, 4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4)), min_size=1, max_size=5),
    st.dictionaries(st.integers(0, 9), st.integers(1, 2), max_size=4),
)
def test_as_many_count_as_any_way_to_hand_out_the_faces_allows(walks, frames):
    plan = [walk(str(n), begins, begins + long) for n, (begins, long) in enumerate(walks)]

    def first_come(order) -> int:
        spare, served = dict(frames), 0
        for one in order:
            fits = [when for when in sorted(spare) if spare[when] and one.begins_at <= at(when) <= one.ends_at]
            served += bool(fits)
            if fits:
                spare[fits[0]] -= 1
        return served

    most = max(first_come(order) for order in permutations(plan))
    counted, unseen, _ = of(plan, read(frames))
    assert counted >= most  # the best order of first come, first served is never better
    assert counted <= sum(frames.values())
    assert counted + unseen == len(plan)
