"""Candidates: which faces raise which entries, when a sighting joins an open candidate, and how a person decides.

Rule 7 of the journey (S21): one face raises at most its best entry, an entry at most one candidate a frame, and the
same entry is not raised again while its candidate is undecided or confirmed, within a sliding window. A rejection
reopens at once.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from proviso.domain.frame import Region

_CAUSES = UUID("6f1b6a0e-5d0c-5b0a-9d7e-2f6f0a4f9c11")


class CandidateState(StrEnum):
    RAISED = "raised"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FROZEN = "frozen"
    WITHDRAWN = "withdrawn"


SUPPRESSING = (CandidateState.RAISED, CandidateState.CONFIRMED)


class Decision(StrEnum):
    """A reviewer's decision. `cannot_tell` is recorded and is not a confirmation (S18)."""

    CONFIRM = "confirm"
    REJECT = "reject"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry at or above the threshold for one probe, and its template's cosine similarity to it."""

    entry_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Pairing:
    """A face and the entry that it raises. `runners_up` are its other hits, recorded and not raised."""

    face_index: int
    hit: Hit
    runners_up: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class OpenCandidate:
    """A candidate that suppresses or collects further sightings of its entry."""

    id: str
    entry_id: str
    state: CandidateState
    last_sighting_at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate as stored. Similarity and threshold are shown after a reviewer's own decision, not before."""

    id: str
    deployment_id: str
    entry_id: str
    camera: str
    place: str
    frame_key: str
    captured_at: datetime
    raised_at: datetime
    decide_by: datetime
    last_sighting_at: datetime
    state: CandidateState
    similarity: float
    threshold: Decimal
    pipeline: str
    policy: str
    calibrated: bool
    evidence_key: str
    evidence_digest: str
    correlation_id: str
    revision: int = 1
    sightings: int = 1
    decided_by: str | None = None
    decided_at: datetime | None = None
    face: Region | None = None
    """Where the face is in the evidence picture; None for candidates from before that was kept."""


@dataclass(frozen=True, slots=True)
class Review:
    """A recorded human decision. A confirming one is what a recipients' notice needs (S16)."""

    id: str
    candidate_id: str
    reviewer: str
    decision: Decision
    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmingReview:
    """Proof that a person confirmed: the review, and the candidate as it stood after. Built by the store only.

    `category` is the entry's: it decides who is told, and stands in no message (S20).
    """

    review: Review
    candidate: Candidate
    message_prefix: str
    useful_until: datetime
    category: str = ""
    closed: bool = False
    """Is the deployment closed? Then nobody can be told any more: it is not known who was."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Somebody takes a confirmation back: always possible, since it only ends what should not go on."""

    candidate_id: str
    withdrawn_by: str
    reason: str
    withdrawn_at: datetime


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    NOT_STATED = "not_stated"


class Age(StrEnum):
    UNDER_18 = "under_18"
    FROM_18 = "18_34"
    FROM_35 = "35_54"
    FROM_55 = "55_plus"
    NOT_STATED = "not_stated"


class Ethnicity(StrEnum):
    ASIAN = "asian"
    BLACK = "black"
    MIXED = "mixed"
    WHITE = "white"
    OTHER = "other"
    NOT_STATED = "not_stated"


@dataclass(frozen=True, slots=True)
class Demographics:
    """Groups as a reviewer saw them (S28): said by a person after their decision, optional, worked out by nothing."""

    candidate_id: str
    reviewer: str
    sex: Sex
    age: Age
    ethnicity: Ethnicity
    recorded_at: datetime


def pair(hits: Sequence[Sequence[Hit]]) -> list[Pairing]:
    """Which face raises which entry. `hits[i]` are face i's, best first. In the order of the faces.

    Each face speaks for its best entry only; where two faces have the same best entry, the more similar one raises it.
    """
    best: dict[str, int] = {}
    for index, found in enumerate(hits):
        if not found:
            continue
        rival = best.get(found[0].entry_id)
        if rival is None or found[0].similarity > hits[rival][0].similarity:
            best[found[0].entry_id] = index
    return [Pairing(index, hits[index][0], tuple(hits[index][1:])) for index in sorted(best.values())]


def joins(open_candidate: OpenCandidate | None, captured_at: datetime, window_s: int) -> bool:
    """Does a sighting at this time belong to the open candidate? Sightings may come out of order, so both ways."""
    if open_candidate is None or open_candidate.state not in SUPPRESSING:
        return False
    return abs(captured_at - open_candidate.last_sighting_at) <= timedelta(seconds=window_s)


def candidate_id(deployment_id: str, frame_key: str, entry_id: str) -> str:
    """A UUIDv5 of the cause, so that a redelivered frame names the same candidate."""
    return str(uuid5(_CAUSES, f"{deployment_id}/{frame_key}/{entry_id}"))


def correlation_id(frame_key: str) -> str:
    """A UUIDv5 of the frame's key: the one name under which every function logs this frame."""
    return str(uuid5(_CAUSES, frame_key))


def short_reference(candidate: str) -> str:
    """Six letters and digits that people can read out: the candidate's reference in messages (30 bits)."""
    return base64.b32encode(UUID(candidate).bytes)[:6].decode()


def evidence_key(deployment_id: str, candidate: str) -> str:
    """Where a candidate's evidence picture lies in the evidence bucket; deterministic (rule 5)."""
    return f"evidence/{deployment_id}/{candidate}.jpg"
