"""Pairs of pictures for tests of reviewers (S19): a probe and a reference of which it is known whether they show one
person. They come from consenting people, or from pictures that everybody may use; never from a watchlist or a camera.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from proviso.domain.audit import Act
from proviso.domain.errors import PipelineMismatch
from proviso.domain.face import Template
from proviso.domain.frame import Region
from proviso.domain.people import Person

PAIRS_KEPT = timedelta(days=30)
"""How long a pair can be drawn. The bucket deletes its pictures a day later, whoever forgot to remove it."""
PAIR_PICTURES = "tests/"


class PairState(StrEnum):
    USABLE = "usable"
    EXPIRED = "expired"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures in the enrolment bucket under `tests/`, each with where the face is in it. `consent` is a reference
    to where the consent is recorded, no name; `similarity` a cosine. A removed pair has no keys."""

    id: str
    mated: bool
    similarity: float
    consent: str
    probe_key: str
    probe_face: Region
    reference_key: str
    reference_face: Region
    added_by: str
    added_at: datetime
    removed_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        return self.added_at + PAIRS_KEPT

    def state(self, now: datetime) -> PairState:
        """Whether a test can be drawn from it."""
        if self.removed_at is not None:
            return PairState.REMOVED
        return PairState.USABLE if now < self.expires_at else PairState.EXPIRED


def picture_keys(pair_id: str) -> tuple[str, str]:
    """Where the probe and the reference of a pair lie in the enrolment bucket."""
    return f"{PAIR_PICTURES}{pair_id}-probe.jpg", f"{PAIR_PICTURES}{pair_id}-reference.jpg"


def similarity(one: Template, other: Template) -> float:
    """The cosine of two templates, -1 to 1. PipelineMismatch when they are of different pipelines."""
    if one.pipeline != other.pipeline:
        raise PipelineMismatch("templates of different pipelines are never compared")
    product = math.fsum(a * b for a, b in zip(one.floats(), other.floats(), strict=True))
    return max(-1.0, min(1.0, product))


class PairWork(Protocol):
    """One transaction on the pairs, by enrol."""

    def person(self, sub: str) -> Person | None: ...

    def add_pair(self, pair: Pair) -> None: ...

    def pairs(self) -> Sequence[Pair]:
        """All there ever were, newest first."""

    def remove_pair(self, pair_id: str, at: datetime) -> bool:
        """Empty its keys; unanswered tests of it are gone. False when it is removed already, or not there."""

    def pair(self, pair_id: str) -> Pair | None: ...

    def audit(self, act: Act) -> None: ...


class PairStore(Protocol):
    def work(self) -> AbstractContextManager[PairWork]: ...
