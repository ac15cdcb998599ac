"""Seeded tests of reviewers (S19): how many, of which kind, and when.

A test looks like a candidate and its answer is known. It is given to one reviewer, some time after a decision of
theirs, so that it comes as unexpectedly as a real one. More tests show different people than the same one: confirming
a stranger is the error that stops somebody in the street.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

MATED_SHARE = 0.4
EARLIEST_S = 10
LATEST_S = 90
CAPTURED_BEFORE_S = 1.5


@dataclass(frozen=True, slots=True)
class SeedSetting:
    """What is known for the next test of one reviewer in one deployment.

    `percent` of what they decide is to be tests; `decided` real candidates they decided and `given` tests they were
    given there; `mates` and `non_mates` are their tests by kind, in all deployments.
    """

    percent: int
    decided: int
    given: int
    mates: int
    non_mates: int
    cameras: tuple[str, ...]
    place: str
    decide_within_s: int
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SeededTest:
    """A test for one reviewer. The pair is drawn by the store."""

    id: str
    deployment_id: str
    reviewer: str
    mated: bool
    camera: str
    place: str
    captured_at: datetime
    raised_at: datetime
    decide_by: datetime


def missing(setting: SeedSetting) -> int:
    """How many tests are short, so that at least `percent` of all that the reviewer gets are tests."""
    if setting.percent <= 0:
        return 0
    return max(0, ceil(setting.decided * setting.percent / (100 - setting.percent)) - setting.given)


def plan(
    setting: SeedSetting,
    *,
    deployment_id: str,
    reviewer: str,
    now: datetime,
    chance: Callable[[], float],
    new_id: Callable[[], str],
) -> list[SeededTest]:
    """The tests to give now, without those that would begin after the end. `chance` draws from 0 (included) to 1."""
    planned = []
    mates, non_mates = setting.mates, setting.non_mates
    for _ in range(missing(setting)):
        raised_at = now + timedelta(seconds=EARLIEST_S + chance() * (LATEST_S - EARLIEST_S))
        mated = chance() < MATED_SHARE and mates + 1 < non_mates
        camera = setting.cameras[int(chance() * len(setting.cameras))]
        decide_by = min(raised_at + timedelta(seconds=setting.decide_within_s), setting.ends_at)
        if decide_by <= raised_at:
            continue
        mates, non_mates = mates + mated, non_mates + (not mated)
        planned.append(
            SeededTest(
                id=new_id(),
                deployment_id=deployment_id,
                reviewer=reviewer,
                mated=mated,
                camera=camera,
                place=setting.place,
                captured_at=raised_at - timedelta(seconds=chance() * CAPTURED_BEFORE_S),
                raised_at=raised_at,
                decide_by=decide_by,
            )
        )
    return planned
