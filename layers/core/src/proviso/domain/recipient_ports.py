"""What the recipients' part of review asks for: the Protocol that its store fulfils, and what that gives."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from proviso.domain.audit import Act
from proviso.domain.candidate import CandidateState
from proviso.domain.frame import Region
from proviso.domain.holds import Hold
from proviso.domain.outcome import Outcome, Takes
from proviso.domain.people import Person
from proviso.domain.policy import Policy
from proviso.domain.retention import close_after
from proviso.domain.review_ports import ShownReference


@dataclass(frozen=True, slots=True)
class Noticed:
    """A candidate that was confirmed, and may have been withdrawn, as its recipients were told of it.

    `category` decides who is told and is in no view (S20); `asked_at` is the later of the caller's and the database's
    clock, so that one that is behind shows nothing for longer. `over_at`: when its deployment is, or was, over.
    `correlation_id`: the frame's, for the log.
    """

    id: str
    deployment_id: str
    state: CandidateState
    camera: str
    place: str
    captured_at: datetime
    raised_at: datetime
    confirmed_at: datetime
    useful_until: datetime
    over_at: datetime
    message_prefix: str
    calibrated: bool
    category: str
    evidence_key: str
    face: Region | None
    outcome: Outcome | None
    asked_at: datetime
    correlation_id: str = ""

    @property
    def withdrawn(self) -> bool:
        return self.state is CandidateState.WITHDRAWN


@dataclass(frozen=True, slots=True)
class Particulars:
    """What else stands on the slip: of its deployment, and the rules that it was authorised under."""

    controller: str
    use: str
    legal_basis: str
    policy: str
    rules: Policy

    def evidence_until(self, noticed: Noticed) -> datetime | None:
        """When the picture is deleted at the latest if nothing holds it: at the policy's hours, or when its deployment
        is closed by itself. None when it is gone (S24)."""
        if not noticed.evidence_key:
            return None
        hours = timedelta(hours=self.rules.evidence_hours)
        return min(noticed.raised_at + hours, noticed.over_at + close_after(self.rules))


class RecipientWork(Protocol):
    """One transaction of a recipient."""

    def person(self, sub: str) -> Person | None: ...

    def noticed(self, candidate_id: str, now: datetime) -> Noticed | None:
        """A candidate that is or was confirmed; None for every other."""

    def noticed_by(self, recipient: str, since: datetime, now: datetime) -> list[Noticed]:
        """Those confirmed after then in deployments that name this recipient, newest first, whatever their contact
        takes."""

    def receives_for(self, deployment_id: str, recipient: str) -> bool:
        """Is this person named as a recipient of the deployment?"""

    def takes(self, recipient: str) -> Takes:
        """What their contact takes; everything when there is none."""

    def references(self, candidate_id: str) -> list[ShownReference]: ...

    def record(self, outcome: Outcome) -> bool:
        """Keep it; False when the database finds that this person may not say it, or that nobody was told."""

    def particulars(self, candidate_id: str) -> Particulars | None: ...

    def holds(self, candidate_id: str) -> list[Hold]: ...

    def add_hold(self, hold: Hold) -> bool:
        """False when the evidence is gone (S24)."""

    def audit(self, act: Act) -> None: ...


class RecipientStore(Protocol):
    def work(self) -> AbstractContextManager[RecipientWork]: ...
