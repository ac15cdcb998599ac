"""What the review asks for: the Protocols that its store and its state object fulfil, and what they give.

A reviewer sees real candidates and seeded tests (S19) in the same shape, `Shown`, so that no view can tell them apart.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from proviso.domain.audit import Act
from proviso.domain.candidate import CandidateState, ConfirmingReview, Decision, Demographics, Review, Withdrawal
from proviso.domain.frame import Region
from proviso.domain.people import Person
from proviso.domain.reasons import Refused
from proviso.domain.reviewers import ReviewerAnswers
from proviso.domain.seeding import SeededTest, SeedSetting


@dataclass(frozen=True, slots=True)
class ShownReference:
    """One enrolment picture beside the probe; `face` is where the face is in it, None where that was never kept."""

    id: str
    key: str
    face: Region | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A candidate, or a test that looks like one, as a reviewer may see it before their own decision.

    `open_to_view`: are its pictures still shown? For twelve hours, while the deployment is not closed and the entry is
    listed. `seeded` is for stages alone and in no view, and so is `correlation_id`: the frame's, empty for a test. The
    two before it are rules of the deployment's policy.
    """

    id: str
    deployment_id: str
    camera: str
    place: str
    captured_at: datetime
    raised_at: datetime
    decide_by: datetime
    state: CandidateState
    message_prefix: str
    evidence_key: str
    face: Region | None
    open_to_view: bool
    seeded: bool
    reviewers_required: int
    error_limit_percent: int
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class OtherDecision:
    """What somebody else decided, without their name."""

    decision: Decision
    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class StrangerOnceIn:
    """A stranger reaches this similarity once in `low` to `high` searches against a list like this. None: nobody did,
    so it is rarer than once in `low`."""

    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Revealed:
    """What is shown after one's own decision and not before. `test_mated` is None for a real candidate;
    `stranger_once_in` where that was not measured."""

    similarity: float
    threshold: Decimal
    calibrated: bool
    policy: str
    category: str | None
    listing_reason: str | None
    others: tuple[OtherDecision, ...]
    demographics_recorded: bool
    test_mated: bool | None = None
    stranger_once_in: StrangerOnceIn | None = None


@dataclass(frozen=True, slots=True)
class StoppedByItself:
    """That a deployment was stopped by a safeguard, for its reviewers' page: where, when and by which."""

    deployment_id: str
    place: str
    at: datetime
    safeguard: str


class ReviewWork(Protocol):
    """One transaction of review. An id may be a candidate's or one of this reviewer's tests'."""

    def person(self, sub: str) -> Person | None: ...

    def pending(self, now: datetime, reviewer: str) -> list[Shown]:
        """Raised, not yet decided by this reviewer, in time, of active deployments that name them; newest first."""

    def decided(self, since: datetime, reviewer: str) -> list[tuple[Shown, Decision]]:
        """What this reviewer decided since then, latest first."""

    def confirmed_by_others(self, since: datetime, reviewer: str) -> list[Shown]:
        """Confirmations since then, of deployments that name this reviewer, in which they had no part: what they may
        take back. Latest first."""

    def suspended(self, since: datetime, reviewer: str) -> list[StoppedByItself]:
        """Deployments that name this reviewer and were stopped by a safeguard since then (S26, S27); latest first."""

    def shown(self, candidate_id: str, reviewer: str) -> Shown | None: ...

    def references(self, candidate_id: str, reviewer: str) -> list[ShownReference]:
        """The pictures of the candidate's entry, of the deployment's build; of a test, its own."""

    def reviews_for(self, deployment_id: str, reviewer: str) -> bool:
        """Is this person named as a reviewer of the deployment?"""

    def involved(self, deployment_id: str) -> frozenset[str]:
        """Who requested or authorised the deployment or added to its list: none of them reviews (S17)."""

    def errs_too_often(self, reviewer: str, limit_percent: int) -> bool:
        """Are this person's answers to tests surely wrong more often than the limit (S19)?"""

    def decided_within_the_hour(self, reviewer: str, now: datetime) -> int: ...

    def per_hour(self, reviewer: str, now: datetime) -> int | None:
        """The lowest cap of the running deployments that name this reviewer; None without one."""

    def own_review(self, candidate_id: str, reviewer: str) -> Review | None: ...

    def revealed(self, candidate_id: str, reviewer: str) -> Revealed | None:
        """For after the reviewer's own decision."""

    def decide(self, review: Review, now: datetime) -> ConfirmingReview | Review | Refused:
        """Record a decision. The UPDATE itself asks for: raised, before decide_by, deployment active and in its
        window, reviewer not involved, trained, within the hour's cap (S16, S18, S19). A confirmation returns the
        proof that a notice needs; a test never does."""

    def withdraw(self, withdrawal: Withdrawal) -> ConfirmingReview | Refused:
        """Take a confirmation back; the proof that its notice needs."""

    def record_demographics(self, said: Demographics) -> Refused | None: ...

    def test_setting(self, deployment_id: str, reviewer: str) -> SeedSetting:
        """What is known for the next tests of this reviewer."""

    def add_test(self, test: SeededTest) -> bool:
        """Give the reviewer a test from the pool, one they saw least; False when the pool has none of this kind."""

    def reviewers(self, now: datetime) -> Sequence[ReviewerAnswers]:
        """How everybody with the role of a reviewer answered their tests since they were trained (S19)."""

    def audit(self, act: Act) -> None: ...


class ReviewStore(Protocol):
    def work(self) -> AbstractContextManager[ReviewWork]: ...


class Changes(Protocol):
    """The state objects by which an open page learns that it should ask again, without waking the database."""

    def mark(self) -> None:
        """Something changed: candidates opened, decided, expired or frozen."""

    def again_at(self, moments: Sequence[datetime], now: datetime) -> None:
        """The token changes by itself at these moments too."""

    def token(self, now: datetime) -> str:
        """Changes with every mark and at every such moment; says nothing else."""
