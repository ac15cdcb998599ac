"""Seeded tests of reviewers (S19): how many, of which kind, and when.

A test looks like a candidate and its answer is known. It is given to one reviewer, some time after a decision of
theirs: when one is owed, and by chance beside that, so that nobody can count when the next one comes. More tests show
different people than the same one: confirming a stranger is the error that stops somebody in the street.

What could tell a test from a candidate before the decision is made alike here: the form of its identifiers, the
precision of its times, and how long it took from the capture to the raising.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from proviso.domain.candidate import candidate_id

MATED_SHARE = 0.4
EARLIEST_S = 10
LATEST_S = 90
LAG_S = 1.0
"""From a capture to the raising, where no candidate of the deployment says how long it takes there."""


@dataclass(frozen=True, slots=True)
class SeedSetting:
    """What is known for the next test of one reviewer in one deployment.

    `percent` of what they decide is to be tests; `decided` real candidates they decided and `given` tests they were
    given there; `mates` and `non_mates` are their tests by kind, in all deployments. `lags_s`: the seconds from the
    capture to the raising of the deployment's latest candidates.
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
    lags_s: tuple[float, ...] = ()


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
    """The tests to give now, without those that would begin after the end: those that are owed, or else one as often as
    the policy's share says. `chance` draws from 0 (included) to 1."""
    planned = []
    mates, non_mates = setting.mates, setting.non_mates
    owed = missing(setting)
    if owed == 0 and setting.percent > 0 and chance() * 100 < setting.percent:
        owed = 1
    for _ in range(owed):
        raised_at = now + timedelta(seconds=EARLIEST_S + chance() * (LATEST_S - EARLIEST_S))
        mated = chance() < MATED_SHARE and mates + 1 < non_mates
        camera = setting.cameras[int(chance() * len(setting.cameras))]
        decide_by = min(raised_at + timedelta(seconds=setting.decide_within_s), setting.ends_at)
        if decide_by <= raised_at:
            continue
        mates, non_mates = mates + mated, non_mates + (not mated)
        planned.append(
            SeededTest(
                # Of the same form as a candidate's, which is a UUIDv5.
                id=candidate_id(deployment_id, new_id(), reviewer),
                deployment_id=deployment_id,
                reviewer=reviewer,
                mated=mated,
                camera=camera,
                place=setting.place,
                captured_at=_captured(raised_at, setting.lags_s, chance),
                raised_at=raised_at,
                decide_by=decide_by,
            )
        )
    return planned


def shown_reference_id(test_id: str, pair_id: str) -> str:
    """How a test's reference is called in a path: of the form of a reference's id (UUIDv4), the same at each look, and
    another in each test. Nobody can work it out who does not know the pair's id, which no reviewer does."""
    return str(UUID(bytes=hashlib.sha256(f"{test_id}/{pair_id}".encode()).digest()[:16], version=4))


def _captured(raised_at: datetime, lags_s: tuple[float, ...], chance: Callable[[], float]) -> datetime:
    """As long before the raising as one of the deployment's own candidates, give or take a fifth. In whole
    milliseconds, because that is what a frame's name tells."""
    lag = lags_s[int(chance() * len(lags_s))] if lags_s else LAG_S
    captured = raised_at - timedelta(seconds=lag * (0.8 + 0.4 * chance()))
    return captured.replace(microsecond=captured.microsecond // 1000 * 1000)
