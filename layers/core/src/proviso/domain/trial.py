"""A site trial: people who agreed to it walk past the cameras by a plan, and the system's own records say what became
of each passage (ISO/IEC 19795-1 and -10; S08, S13).

The plan is what people say: who walked when before which camera. Everything else is counted from what the deployment
recorded, here and once more by the server when the trial is handed in. An interval holds for passages and for people:
ten passages of one person are not ten people, so the wider of the two counts.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from types import MappingProxyType

from proviso.domain.calibration import SITE_TRIAL, Calibration, CalibrationPoint, TrialCounts
from proviso.domain.canonical import digest
from proviso.domain.rates import rate
from proviso.domain.reasons import Reason, Refused

FEWEST_MATED = 30
"""Passages of listed people. Below it the interval of a TPIR is wider than 35 points: it says nothing of a place."""
FEWEST_NON_MATED = 100
"""Passages of people who are not listed. Without a false candidate it rules out a passage FPIR above 3.6 % (Clopper and
Pearson): less than that would be no statement on strangers at all."""
LONGEST_PASSAGE_S = 600
MOST_PASSAGES = 2_000


@dataclass(frozen=True, slots=True)
class Passage:
    """One person's time before one camera. `person` is the reference number of a listed entry, or a code of the
    trial's own for somebody who is not listed; empty: somebody who is not listed and walks this once."""

    number: str
    person: str
    camera: str
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """When which entry was seen, as recorded."""

    camera: str
    captured_at: datetime
    reference_no: str


@dataclass(frozen=True, slots=True)
class SearchedFrame:
    """One frame in which faces were searched, as recorded."""

    camera: str
    captured_at: datetime
    faces: int


@dataclass(frozen=True, slots=True)
class Readings:
    """What a deployment recorded: what a trial is counted from. `listed`: the reference numbers of its build."""

    sightings: tuple[Sighting, ...]
    frames: tuple[SearchedFrame, ...]
    listed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ran:
    """The deployment that was the trial, as far as counting asks. Times UTC-aware."""

    deployment_id: str
    pipeline: str
    place: str
    cameras: tuple[str, ...]
    threshold: Decimal
    burst_frames: int
    entries: int
    began_at: datetime
    over_at: datetime


def plan_faults(plan: Sequence[Passage], ran: Ran) -> Refused | None:
    """What is wrong with a plan. INVALID."""
    if not 1 <= len(plan) <= MOST_PASSAGES:
        return Refused(Reason.INVALID, f"a plan has 1 to {MOST_PASSAGES} passages, and this one has {len(plan)}")
    seen: set[str] = set()
    for one in plan:
        where = f"passage {one.number}"
        if one.number in seen:
            return Refused(Reason.INVALID, f"{where} is there twice")
        seen.add(one.number)
        if one.camera not in ran.cameras:
            return Refused(Reason.INVALID, f"{where}: {one.camera} is no camera of this deployment")
        if not 0 < (one.ends_at - one.begins_at).total_seconds() <= LONGEST_PASSAGE_S:
            return Refused(Reason.INVALID, f"{where} must end after it began, and within {LONGEST_PASSAGE_S} s")
        if one.begins_at < ran.began_at or one.ends_at > ran.over_at:
            return Refused(Reason.INVALID, f"{where} lies outside the time in which the deployment ran")
    if fault := _one_person_at_once(plan):
        return fault
    return None


def _one_person_at_once(plan: Sequence[Passage]) -> Refused | None:
    """Two passages of one person before one camera at one time would count one walk twice, and so would one line that
    is there twice under two numbers."""
    last: dict[tuple[str, str], Passage] = {}
    lines: dict[tuple[str, datetime, datetime], Passage] = {}
    for one in sorted(plan, key=lambda passage: passage.begins_at):
        key = (one.person, one.camera)
        before = last.get(key)
        if one.person and before is not None and one.begins_at < before.ends_at:
            return Refused(Reason.INVALID, f"passages {before.number} and {one.number} of one person overlap")
        last[key] = one
        if not one.person:
            twin = lines.setdefault((one.camera, one.begins_at, one.ends_at), one)
            if twin is not one:
                return Refused(
                    Reason.INVALID,
                    f"passages {twin.number} and {one.number} are one line twice; two people who walk together need a"
                    " code each",
                )
    return None


def count(plan: Sequence[Passage], readings: Readings, deployment_id: str) -> TrialCounts:
    """What became of each passage.

    A sighting belongs to each passage before its camera that was under way. It is right where that person was one of
    those who walked there, and wrong for everybody else who did. Outside all passages each is a person raised wrongly:
    whoever leaves a passage out of the plan makes the trial no better.

    A passage of somebody who is not listed counts when it raised somebody, or when a searched face is left that can be
    theirs (`_seen`): whoever writes down passages that no camera saw makes it no better either. A listed person whom no
    camera saw was missed.
    """
    listed = readings.listed
    mated = [one for one in plan if one.person in listed]
    found, misnamed, false = set[str](), set[str](), set[str]()
    right, wrong, mistaken, outside = Counter[tuple[str, datetime]](), 0, 0, 0
    for seen in readings.sightings:
        there = [one for one in plan if one.camera == seen.camera and one.begins_at <= seen.captured_at <= one.ends_at]
        named = {one.number for one in there if one.person == seen.reference_no}
        strange = {one.number for one in there if one.person not in listed}
        if named:
            found |= named
            right[seen.camera, seen.captured_at] += 1
            continue
        misnamed.update(one.number for one in there if one.person in listed)
        false |= strange
        outside += not there
        wrong += bool(strange)
        mistaken += bool(there) and not strange
    # A face that raised the listed person who walked there is no stranger's. One that raised anybody is that
    # passage's, and stands for no other.
    raised = Counter((seen.camera, seen.captured_at) for seen in readings.sightings)
    every_face = _by_camera(readings.frames)
    of_others, quiet = _by_camera(readings.frames, right), _by_camera(readings.frames, raised)
    written = [one for one in plan if one.person not in listed]
    counted = false | _seen([one for one in written if one.number not in false], quiet)
    strangers = [one for one in written if one.number in counted]
    searched = {one.number: _during(of_others.get(one.camera, []), one) for one in strangers}
    of_strangers = {(at.camera, at.captured_at): at.faces for each in searched.values() for at in each}
    faces = sum(of_strangers.values())
    found_people = {one.person for one in mated if one.number in found}
    mated_people = {one.person for one in mated}
    always = rate(len(found), len(mated))
    some = rate(len(found_people), len(mated_people))
    each_time = mated_people - {one.person for one in mated if one.number not in found}
    every = rate(len(each_time), len(mated_people))
    return TrialCounts(
        deployment_id=deployment_id,
        plan_sha256=plan_digest(plan),
        mated_passages=len(mated),
        mated_people=len(mated_people),
        found_passages=len(found),
        found_people=len(found_people),
        misnamed=len(misnamed),
        non_mated_passages=len(strangers) + outside,
        non_mated_people=len({_who(one) for one in strangers}) + outside,
        false_passages=len(false) + outside,
        false_people=len({_who(one) for one in strangers if one.number in false}) + outside,
        outside=outside,
        faces_searched=faces,
        wrong_sightings=wrong,
        frames_a_passage=_mean(sum(at.faces > 0 for at in each) for each in searched.values()),
        faces_a_passage=round(faces / len(strangers), 3) if strangers else 0.0,
        seconds_a_passage=_mean((one.ends_at - one.begins_at).total_seconds() for one in strangers),
        tpir_low=round(min(always.low, every.low), 6),
        tpir_high=round(max(always.high, some.high), 6),
        right_sightings=right.total(),
        misnamed_sightings=mistaken,
        unseen=len(written) - len(strangers),
        unseen_mated=sum(not _during(every_face.get(one.camera, []), one) for one in mated),
    )


def _seen(plan: Sequence[Passage], faces: Mapping[str, Sequence[SearchedFrame]]) -> set[str]:
    """The numbers of the passages that one of these faces can stand for, each face for one passage: of all ways to hand
    the faces out one that serves the most.

    Passages are spans of time and faces points in them. So each face goes, in the order of time, to the passage under
    way that ends first (earliest deadline first: an exchange of two faces never serves more).
    """
    served = set[str]()
    for camera in {one.camera for one in plan}:
        here = (one for one in plan if one.camera == camera)
        coming = sorted(here, key=lambda one: one.begins_at, reverse=True)
        waiting: list[tuple[datetime, str]] = []
        for frame in faces.get(camera, []):
            while coming and coming[-1].begins_at <= frame.captured_at:
                one = coming.pop()
                heappush(waiting, (one.ends_at, one.number))
            while waiting and waiting[0][0] < frame.captured_at:
                heappop(waiting)
            served.update(heappop(waiting)[1] for _ in range(min(frame.faces, len(waiting))))
    return served


def too_small(counts: TrialCounts) -> Refused | None:
    """TRIAL_TOO_SMALL where it can say nothing about the place."""
    if counts.mated_passages < FEWEST_MATED or counts.non_mated_passages < FEWEST_NON_MATED:
        return Refused(
            Reason.TRIAL_TOO_SMALL,
            f"{counts.mated_passages} of {FEWEST_MATED} passages of listed people,"
            f" {counts.non_mated_passages} of {FEWEST_NON_MATED} of others",
        )
    return None


def calibration(
    counts: TrialCounts, ran: Ran, *, identifier: str, made_at: datetime, recorded_by: str = ""
) -> Calibration:
    """The trial as a calibration: one step, for lists as long as the one that was tried, at the threshold that was.

    `passage_fpir`: the interval over passages and that over people, whichever reaches further. `face_fpir_high` is at
    least that: faces of one passage resemble each other too much to be counted as so many strangers.
    """
    passage = rate(counts.false_passages, counts.non_mated_passages)
    people = rate(counts.false_people, counts.non_mated_people)
    face = rate(min(counts.wrong_sightings, counts.faces_searched), counts.faces_searched)
    high = max(passage.high, people.high)
    point = CalibrationPoint(
        list_size=ran.entries,
        threshold_floor=ran.threshold,
        face_fpir_low=min(face.low, passage.low),
        face_fpir_high=max(face.high, high),
        passage_fpir_low=passage.low,
        passage_fpir_high=high,
        frames_per_probe=ran.burst_frames,
        worst_list="the list of the trial",
    )
    return Calibration(
        id=identifier,
        pipeline=ran.pipeline,
        kind=SITE_TRIAL,
        site=ran.place,
        made_at=made_at,
        points=(point,),
        data=f"{counts.mated_passages} passages of {counts.mated_people} listed volunteers and"
        f" {counts.non_mated_passages} of {counts.non_mated_people} others",
        remark="volunteers who knew of it; intervals cover passages and people, whichever reaches further",
        recorded_by=recorded_by,
        trial=counts,
    )


def plan_digest(plan: Sequence[Passage]) -> str:
    """SHA-256 of a plan: which one was handed in, without keeping who walked when."""
    return digest(
        [[one.number, one.person, one.camera, one.begins_at.isoformat(), one.ends_at.isoformat()] for one in plan]
    )


def _who(passage: Passage) -> str:
    return passage.person or f"once {passage.number}"


def _by_camera(
    frames: Sequence[SearchedFrame], taken: Mapping[tuple[str, datetime], int] = MappingProxyType({})
) -> dict[str, list[SearchedFrame]]:
    """The frames of each camera in the order of their times, those of one moment as one, less the faces `taken`."""
    faces = Counter[tuple[str, datetime]]()
    for frame in frames:
        faces[frame.camera, frame.captured_at] += frame.faces
    found: dict[str, list[SearchedFrame]] = {}
    for (camera, at), many in sorted(faces.items()):
        found.setdefault(camera, []).append(SearchedFrame(camera, at, max(0, many - taken.get((camera, at), 0))))
    return found


def _during(frames: Sequence[SearchedFrame], passage: Passage) -> Sequence[SearchedFrame]:
    """Frames of its camera, which are in the order of their times."""
    first = bisect_left(frames, passage.begins_at, key=lambda one: one.captured_at)
    last = bisect_right(frames, passage.ends_at, key=lambda one: one.captured_at)
    return frames[first:last]


def _mean(values: Iterable[float]) -> float:
    every = list(values)
    return round(sum(every) / len(every), 3) if every else 0.0
