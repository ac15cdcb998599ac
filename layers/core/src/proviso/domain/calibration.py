"""What was measured of a pipeline, and what follows from it: the lowest threshold (S12), how many false candidates are
to be expected (S08), how groups fare (S27), how often a stranger reaches a similarity.

A calibration is of exactly one pipeline digest. One from a laboratory covers list sizes and ways of searching; one from
a site trial covers one place, one list, one threshold. Numbers only: nothing in it leads to a picture or a person.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

LABORATORY = "laboratory"
SITE_TRIAL = "site_trial"
PACK = "pack"
"""Who recorded what comes with a model pack: the migration, and nobody else."""


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """For lists of up to `list_size` entries and probes of `frames_per_probe` frames: the lowest threshold, and how
    often a stranger reaches it there, a searched face and a passage, each as an interval. None: not measured.

    `worst_list` is the one that set the threshold, such as `gender=female`: a list of that group, searched for
    strangers of that group. Where that group had too few people to be measured, `worst_people` is how many it had, and
    `measured_floor` what the floor would be if measured lists alone counted: a figure that shows what it costs, which
    is never used. None: a measured list set the floor.
    """

    list_size: int
    threshold_floor: Decimal
    face_fpir_low: float
    face_fpir_high: float
    passage_fpir_low: float | None = None
    passage_fpir_high: float | None = None
    frames_per_probe: int = 1
    worst_list: str = ""
    worst_people: int | None = None
    measured_floor: Decimal | None = None

    @property
    def set_by(self) -> str:
        """Which list set the floor; where that group had too few people, how many, and what that costs."""
        if self.measured_floor is None:
            return self.worst_list
        return (
            f"{self.worst_list}: {self.worst_people} people, too few to be measured;"
            f" {self.measured_floor:.3f} if measured lists alone counted"
        )


@dataclass(frozen=True, slots=True)
class StrangerRate:
    """A stranger reaches `similarity` on a list of `list_size` once in `once_in_low` to `once_in_high` searches; None:
    nobody did, so it is rarer than once in `once_in_low`. `reached` of `searches` on the mixed list."""

    list_size: int
    frames_per_probe: int
    similarity: Decimal
    searches: int
    reached: int
    once_in_low: int
    once_in_high: int | None


@dataclass(frozen=True, slots=True)
class GroupRate:
    """FPIR of a group's strangers on a list of that group alone, at the floor. `fpir_low` None: not measured, because
    too few people stand behind it; `fpir_high` is then only what can be ruled out, None where nobody was searched.
    `lower_limit`: what a group with too few people adds to the floor, the highest similarity seen in it."""

    list_size: int
    frames_per_probe: int
    group: str
    people: int
    fpir_low: float | None
    fpir_high: float | None
    lower_limit: Decimal | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """What a site trial counted. People: those who walked; several passages of one person count once in an interval.

    `faces_searched`, `wrong_sightings`: in the passages of those who are not on the list. `outside`: sightings
    at times for which the plan names nobody; each counts as a passage, and as a false one. `misnamed`: passages of
    listed people that raised somebody else; `misnamed_sightings` those where only listed people walked. Each sighting
    is one of `right_sightings`, `wrong_sightings`, `misnamed_sightings` and `outside`.

    `unseen`: passages of people who are not listed that no camera saw, so no searched face can be theirs; they count
    for nothing. `unseen_mated`: those of listed people in which no face was searched; they count as misses.
    `frames_a_passage`, `faces_a_passage`, `seconds_a_passage`: of the passages of others that count.
    """

    deployment_id: str
    plan_sha256: str
    mated_passages: int
    mated_people: int
    found_passages: int
    found_people: int
    misnamed: int
    non_mated_passages: int
    non_mated_people: int
    false_passages: int
    false_people: int
    outside: int
    faces_searched: int
    wrong_sightings: int
    frames_a_passage: float
    faces_a_passage: float
    seconds_a_passage: float
    tpir_low: float
    tpir_high: float
    right_sightings: int = 0
    misnamed_sightings: int = 0
    unseen: int = 0
    unseen_mated: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured of one pipeline (ISO/IEC 19795), in a laboratory or at a site."""

    id: str
    pipeline: str
    kind: str
    site: str
    made_at: datetime
    points: tuple[CalibrationPoint, ...]
    pack: str = ""
    data: str = ""
    remark: str = ""
    fpir_wanted: float | None = None
    recorded_by: str = ""
    strangers: tuple[StrangerRate, ...] = ()
    groups: tuple[GroupRate, ...] = ()
    trial: TrialCounts | None = None

    def point(self, entries: int, burst_frames: int = 1) -> CalibrationPoint | None:
        """The step for a list of so many entries and uploads of up to so many frames; None where that was not measured.

        Its figures are those of the smallest list measured that is as long and was measured with as many frames a
        probe; its floor is the highest of all numbers of frames up to there, since a burst may come down to one frame.
        """
        found = self._step(entries, burst_frames)
        if not found:
            return None
        last = found[-1]
        highest = max(found, key=lambda point: point.threshold_floor)
        lows = [point.passage_fpir_low for point in found if point.passage_fpir_low is not None]
        highs = [point.passage_fpir_high for point in found if point.passage_fpir_high is not None]
        return CalibrationPoint(
            list_size=last.list_size,
            threshold_floor=highest.threshold_floor,
            face_fpir_low=min(point.face_fpir_low for point in found),
            face_fpir_high=max(point.face_fpir_high for point in found),
            passage_fpir_low=min(lows) if len(lows) == len(found) else None,
            passage_fpir_high=max(highs) if len(highs) == len(found) else None,
            frames_per_probe=last.frames_per_probe,
            worst_list=highest.worst_list,
            worst_people=highest.worst_people,
            measured_floor=None
            if highest.measured_floor is None
            else max(
                point.threshold_floor if point.measured_floor is None else point.measured_floor for point in found
            ),
        )

    def _step(self, entries: int, burst_frames: int) -> list[CalibrationPoint]:
        sizes = sorted(
            {p.list_size for p in self.points if p.list_size >= entries and p.frames_per_probe >= burst_frames}
        )
        if not sizes:
            return []
        there = sorted((p for p in self.points if p.list_size == sizes[0]), key=lambda p: p.frames_per_probe)
        enough = next(p.frames_per_probe for p in there if p.frames_per_probe >= burst_frames)
        return [p for p in there if p.frames_per_probe <= enough]

    def groups_at(self, point: CalibrationPoint) -> tuple[GroupRate, ...]:
        """How groups fare at a step (S27)."""
        return tuple(
            group
            for group in self.groups
            if (group.list_size, group.frames_per_probe) == (point.list_size, point.frames_per_probe)
        )


def floor_of(
    laboratory: Calibration | None, trial: Calibration | None, entries: int, burst_frames: int = 1
) -> Decimal | None:
    """The lowest threshold for this list (S12): the larger of the laboratory's and the site trial's. None where the
    laboratory has measured no such list: a trial alone does not replace it, and its threshold holds for longer lists
    too, which need no lower one."""
    point = laboratory.point(entries, burst_frames) if laboratory else None
    if point is None:
        return None
    tried = [one.threshold_floor for one in trial.points] if trial else []
    return max([point.threshold_floor, *tried])


@dataclass(frozen=True, slots=True)
class FalseCandidates:
    """How many false candidates are to be expected (S08), as an interval; None where that is not measured."""

    low: float | None
    high: float | None
    passages: int
    unit: str

    @property
    def sentence(self) -> str:
        """For the authoriser."""
        if self.low is None or self.high is None:
            return f"not measured: nobody knows how many of {self.passages} passages raise somebody wrongly"
        interval = f"{_figure(self.low)} to {_figure(self.high)}"
        return f"{interval} of {self.passages} passages, worked out from FPIR {self.unit}"


def expected_false_candidates(
    passages: int,
    entries: int,
    calibration: Calibration | None,
    *,
    trial: Calibration | None = None,
    burst_frames: int = 1,
) -> FalseCandidates:
    """Passages expected x passage FPIR at this list size, where a site trial of this place measured it. Where only the
    FPIR of a searched face is known, a range: from one face to 30 faces a passage, since each further face is another
    chance (S08)."""
    for measured in (trial, calibration):
        point = measured.point(entries, burst_frames) if measured else None
        if point is not None and point.passage_fpir_low is not None and point.passage_fpir_high is not None:
            return FalseCandidates(
                passages * point.passage_fpir_low, passages * point.passage_fpir_high, passages, "per passage"
            )
    point = calibration.point(entries, burst_frames) if calibration else None
    if point is None:
        return FalseCandidates(None, None, passages, "")
    most = min(1.0, point.face_fpir_high * _FACES_A_PASSAGE)
    return FalseCandidates(
        passages * point.face_fpir_low, passages * most, passages, f"per face (1 to {_FACES_A_PASSAGE} faces a passage)"
    )


def once_in(low: float, high: float) -> tuple[int, int | None]:
    """A rate between `low` and `high` as "once in a to b": whole searches, rounded outwards. None: perhaps never."""
    return max(1, math.floor(1 / high)), math.ceil(1 / low) if low > 0 else None


_FACES_A_PASSAGE = 30


def _figure(count: float) -> str:
    """Two figures, never as a power of ten; whole people from ten on."""
    if 0 < count < 0.001:
        return "less than 0.001"
    return f"{count:.2g}" if count < 10 else f"{count:.0f}"
