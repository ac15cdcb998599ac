"""What the routes about listed people answer, for the API's description."""

from typing import Any

from pydantic import Field

from proviso.domain.subjects import EvidenceState, ListUse
from proviso.edge.answers import Answer, Moment


class SubjectRecord(Answer):
    """One record about a listed person."""

    sequence: int
    at: Moment
    actor: str
    action: str
    purpose: str
    subject: str = Field(description="the pseudonym")
    details: dict[str, Any]
    opened: dict[str, Any] | None = Field(description="what was sealed; null once the key is destroyed")


class SubjectAudit(Answer):
    """What the audit holds of one listed person."""

    linked: bool = Field(description="the key is there, so records can still be told to be about this person")
    records: list[SubjectRecord]


class RaisedCandidate(Answer):
    """A candidate that was raised; not whom the machine took the person for."""

    slip: str = Field(description="the short reference in the messages about it")
    deployment_id: str
    place: str
    captured_at: Moment
    raised_at: Moment
    state: str
    decided_at: Moment | None
    evidence: EvidenceState


class RaisedInDeployment(RaisedCandidate):
    """A candidate that was raised, and the deployment that raised it."""

    deployment: ListUse


class ListedOnce(Answer):
    """One list on which the reference number stood."""

    watchlist_id: str
    category: str
    added_at: Moment
    removed_at: Moment | None
    erased_at: Moment | None
    deployments: list[ListUse]
    candidates: list[RaisedCandidate]


class SubjectAccess(Answer):
    """What is kept; an answer to a wrong question looks like one about nobody."""

    kept: bool
    listings: list[ListedOnce]
    candidates: list[RaisedInDeployment]
