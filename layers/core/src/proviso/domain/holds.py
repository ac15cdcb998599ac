"""Holds: what keeps an evidence picture beyond its hours, by whom, why and until when (S24)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

MOST_DAYS = 30
"""A hold lasts no longer; the bucket's backstop deletes a picture a day after that, hold or not."""


class HoldKind(StrEnum):
    """Why it stands: somebody was engaged, it was wrong (both follow from an outcome), a complaint, or a reason."""

    ENGAGED = "engaged"
    WRONG = "wrong"
    COMPLAINT = "complaint"
    REASON = "reason"


BY_PEOPLE = (HoldKind.COMPLAINT, HoldKind.REASON)


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold on one candidate's evidence. `reason` is free text, and stays out of logs and the audit."""

    id: str
    candidate_id: str
    kind: HoldKind
    reason: str
    held_by: str
    held_at: datetime
    until: datetime
    released_by: str | None = None
    released_at: datetime | None = None

    def stands(self, now: datetime) -> bool:
        return self.released_at is None and now < self.until

    def __repr__(self) -> str:
        return f"<Hold {self.id} on {self.candidate_id}>"


@dataclass(frozen=True, slots=True)
class HeldCandidate:
    """What a hold needs to know of a candidate: where its audit is, and whether its picture is still there."""

    id: str
    deployment_id: str
    has_evidence: bool


class HoldWork(Protocol):
    """Part of a transaction of govern: holds. It stands here because ports.py is long enough."""

    def held_candidate(self, candidate_id: str) -> HeldCandidate | None: ...
    def add_hold(self, hold: Hold) -> bool:
        """False when the evidence is gone (S24)."""

    def holds(self, candidate_id: str) -> list[Hold]: ...
    def release_hold(self, candidate_id: str, hold_id: str, by: str, at: datetime) -> bool:
        """False when there is none that stands."""
