"""Calibrations: which step counts for a list and a burst, and what a site trial counts (S08, S12, S13)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.calibration import Calibration, CalibrationPoint, expected_false_candidates, floor_of, once_in
from proviso.domain.rates import rate
from proviso.domain.reasons import Reason
from proviso.domain.trial import (
    Passage,
    Ran,
    Readings,
    SearchedFrame,
    Sighting,
    calibration,
    count,
    plan_faults,
    too_small,
)
from tests.samples import NOW, PIPELINE

POINTS = st.lists(
    st.builds(
        CalibrationPoint,
        st.integers(1, 60),
        st.decimals("0.1", "0.9", places=3),
        st.just(0.001),
        st.just(0.002),
        frames_per_probe=st.integers(1, 5),
    ),
    max_size=8,
    unique_by=lambda point: (point.list_size, point.frames_per_probe),
)


def measured(*points: CalibrationPoint, **changed) -> Calibration:
    return replace(Calibration("c-1", PIPELINE, "laboratory", "", NOW, points), **changed)


# --- the step ---------------------------------------------------------------------------------------------------------


@given(POINTS, st.integers(1, 60), st.integers(1, 5))
def test_the_floor_is_of_a_list_as_long_and_a_burst_as_long_or_there_is_none(points, entries, burst):
    enough = [p for p in points if p.list_size >= entries and p.frames_per_probe >= burst]
    found = measured(*points).point(entries, burst)
    if not enough:
        assert found is None
        return
    size = min(p.list_size for p in enough)
    there = [p for p in points if p.list_size == size]
    for point in there:
        if point.frames_per_probe <= burst:  # a burst may come down to so many
            assert found.threshold_floor >= point.threshold_floor
    assert found.threshold_floor in {p.threshold_floor for p in there}
    assert found.list_size == size


def test_the_larger_floor_of_laboratory_and_trial_counts():
    laboratory = measured(CalibrationPoint(50, Decimal("0.4"), 0, 1))
    low, high = (
        measured(CalibrationPoint(5, Decimal(floor), 0, 1, 0, 1), kind="site_trial") for floor in ("0.3", "0.5")
    )
    assert floor_of(laboratory, None, 40) == Decimal("0.4")
    assert floor_of(laboratory, low, 40) == Decimal("0.4")
    assert floor_of(laboratory, high, 40) == Decimal("0.5")  # also for a longer list than was tried
    assert floor_of(None, high, 5) is None


def test_a_trial_of_a_shorter_list_says_nothing_of_false_candidates_on_a_longer():
    laboratory = measured(CalibrationPoint(50, Decimal("0.4"), 0.001, 0.002))
    trial = measured(CalibrationPoint(5, Decimal("0.4"), 0, 1, 0.01, 0.02), kind="site_trial")
    assert expected_false_candidates(100, 5, laboratory, trial=trial).unit == "per passage"
    assert "per face" in expected_false_candidates(100, 6, laboratory, trial=trial).unit


@given(st.integers(0, 50), st.integers(1, 5000))
def test_once_in_is_rounded_outwards(reached, people):
    found = rate(min(reached, people), people)
    low, high = once_in(found.low, found.high)
    assert 1 / low >= found.high or low == 1
    assert high is None if found.low == 0 else 1 / high <= found.low


# --- a site trial -----------------------------------------------------------------------------------------------------

RAN = Ran("d-1", PIPELINE, "Gate 1", ("gate-1", "gate-2"), Decimal("0.5"), 1, 2, NOW, NOW + timedelta(hours=2))


def passage(number: int, person: str = "", camera: str = "gate-1", seconds: float = 4) -> Passage:
    begins = NOW + timedelta(seconds=10 * number)
    return Passage(str(number), person, camera, begins, begins + timedelta(seconds=seconds))


def seen(number: int, reference: str, camera: str = "gate-1", after: float = 1) -> Sighting:
    return Sighting(camera, NOW + timedelta(seconds=10 * number + after), reference)


def counted(plan, *sightings, frames=None):
    """Without frames of its own: one face in each passage, and wherever somebody was raised."""
    if frames is None:
        moments = {(one.camera, one.begins_at + timedelta(seconds=1)) for one in plan}
        moments |= {(one.camera, one.captured_at) for one in sightings}
        frames = [SearchedFrame(camera, at, 1) for camera, at in moments]
    return count(plan, Readings(sightings, tuple(frames), frozenset({"R-1", "R-2"})), "d-1")


def test_right_wrong_missed_and_misnamed():
    plan = [passage(1, "R-1"), passage(2, "R-1"), passage(3, "R-2"), passage(4, "x"), passage(5)]
    found = counted(plan, seen(1, "R-1"), seen(3, "R-1"), seen(4, "R-2"), seen(4, "R-2", after=2))
    assert (found.mated_passages, found.mated_people, found.found_passages, found.found_people) == (3, 2, 1, 1)
    assert found.misnamed == 1
    assert (found.non_mated_passages, found.non_mated_people, found.false_passages, found.false_people) == (2, 2, 1, 1)
    assert (found.wrong_sightings, found.outside) == (2, 0)


def test_before_another_camera_it_is_outside_the_plan():
    found = counted([passage(1, "R-1"), passage(2)], seen(1, "R-1", camera="gate-2"), seen(3, "R-1"))
    assert (found.found_passages, found.outside) == (0, 2)
    assert (found.false_passages, found.non_mated_passages, found.false_people) == (2, 3, 2)


def test_two_who_walk_together():
    """A listed person and another before one camera: a sighting of the listed one is right, and no false candidate."""
    together = [passage(1, "R-1"), replace(passage(1), number="b")]
    found = counted(together, seen(1, "R-1"))
    assert (found.found_passages, found.false_passages, found.misnamed) == (1, 0, 0)
    wrong = counted(together, seen(1, "R-2"))
    assert (wrong.found_passages, wrong.false_passages, wrong.misnamed) == (0, 1, 1)


def test_frames_are_counted_once_though_two_walk_together():
    frames = [SearchedFrame("gate-1", NOW + timedelta(seconds=11), 2), SearchedFrame("gate-2", NOW, 5)]
    found = counted([passage(1), replace(passage(1), number="b")], frames=frames)
    assert (found.faces_searched, found.faces_a_passage, found.frames_a_passage) == (2, 1.0, 1.0)


@given(st.integers(1, 40), st.integers(1, 200), st.integers(0, 200), st.integers(1, 200))
def test_the_interval_is_never_narrower_than_that_of_the_people(mated, strangers, false, people):
    false = min(false, strangers)
    plan = [passage(n, "R-1") for n in range(mated)]
    plan += [passage(mated + n, f"x-{n % people}") for n in range(strangers)]
    found = counted(plan, *(seen(mated + n, "R-2") for n in range(false)))
    made = calibration(found, RAN, identifier="t", made_at=NOW)
    (point,) = made.points
    assert point.passage_fpir_high >= rate(found.false_people, found.non_mated_people).high - 1e-12
    assert point.passage_fpir_high >= rate(false, strangers).high - 1e-12
    assert point.passage_fpir_low <= false / strangers
    assert point.face_fpir_low <= point.face_fpir_high
    assert (too_small(found) is None) == (mated >= 30 and strangers >= 100)


@pytest.mark.parametrize(
    "plan",
    [
        [],
        [passage(1), passage(1)],
        [passage(1, camera="gate-3")],
        [passage(1, seconds=0)],
        [passage(1, seconds=601)],
        [passage(-1)],
        [passage(719, seconds=60)],
        [passage(1, "R-1"), replace(passage(1, "R-1"), number="2")],
        [passage(1), replace(passage(1), number="2")],
    ],
)
def test_a_plan_that_cannot_be(plan):
    assert plan_faults(plan, RAN).reason is Reason.INVALID


def test_a_plan_that_can():
    assert plan_faults([passage(1, "R-1"), replace(passage(1, "R-1", "gate-2"), number="b"), passage(2)], RAN) is None


def test_for_a_burst_the_figure_beside_the_floor_is_of_all_numbers_of_frames_up_to_there():
    """0.50 with one frame by too few people, 0.45 with two by a measured list: without the former it would be 0.45."""
    found = Calibration(
        "c",
        "p",
        "laboratory",
        "",
        NOW,
        (
            CalibrationPoint(
                10, Decimal("0.50"), 0, 0.01, worst_list="few", worst_people=60, measured_floor=Decimal("0.40")
            ),
            CalibrationPoint(10, Decimal("0.45"), 0, 0.01, frames_per_probe=2, worst_list="mixed"),
        ),
    )
    one, two = found.point(10, 1), found.point(10, 2)
    assert one is not None
    assert two is not None
    assert (one.threshold_floor, one.measured_floor) == (Decimal("0.50"), Decimal("0.40"))
    assert (two.threshold_floor, two.worst_people, two.measured_floor) == (Decimal("0.50"), 60, Decimal("0.45"))
