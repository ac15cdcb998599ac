"""What the routes on monitoring answer, for the API's description."""

from typing import Any

from pydantic import Field

from proviso.domain.monitoring import Cause
from proviso.edge.answers import Answer, Moment


class Suspension(Answer):
    """That a deployment was suspended by itself, by what figures, and what its review found."""

    id: str
    deployment_id: str
    operator: str = Field(description="as names of operators are compared: without case, spaces and punctuation")
    pipeline: str
    kind: Cause
    figures: dict[str, Any] = Field(description="as the database had them when it suspended")
    suspended_at: Moment
    stopped: bool = Field(description="it was running, and was stopped by this")
    reviewed_by: str | None
    reviewed_at: Moment | None
    finding: str | None
    safeguard: str
    sentence: str


class Suspensions(Answer):
    """All suspensions, newest first."""

    suspensions: list[Suspension]


class Series(Answer):
    """A sequential test of false candidates."""

    kind: Cause
    span: str = Field(description="`deployment`, or `operator`: all of it and its pipeline since the last suspension")
    unit: str
    f: int | None = Field(description="false ones")
    candidates: int | None = Field(description="how many false candidates they are of")
    m: float | None = Field(description="of so many")
    limit: float | None
    expected: float | None = Field(description="how many the limit allows of so many")
    together: float | None = Field(description="how many hits count as one, since those of one person come together")
    evidence: float | None = Field(description="the e-value")
    needed: float | None = Field(description="at which it is suspended")
    detectable: float | None = Field(
        description="the smallest factor above the limit that would have been seen, with 80 %"
    )
    deployments: int
    why_not: str = Field(description="why it is not measurable, or empty")


class GroupSeries(Answer):
    """A group among the false candidates of all deployments of the operator and pipeline."""

    dimension: str
    group: str
    x: int | None = Field(description="false candidates of the group")
    n: int | None = Field(description="false candidates")
    high: float | None = Field(description="its highest declared share of passers-by")
    evidence: float | None
    detectable: float | None = Field(description="the smallest factor that would have been seen, with 80 %")
    why_not: str = Field(description="why it is not measurable, or empty")


class Monitoring(Answer):
    """What is measured of a deployment, and what is not."""

    deployment_id: str
    operator: str
    pipeline: str
    alpha: float
    face_limit: float = Field(description="false hits that are allowed, a searched face")
    calibrated: float | None = Field(description="what was calibrated for a list of this size, its upper bound")
    series: list[Series]
    groups: list[GroupSeries]
    groups_evidence: float
    groups_needed: float
    false_candidates: int = Field(description="of which groups could have been recorded")
    unrecorded: int
    unrecorded_limit_percent: float
    suspensions: list[Suspension]
    sentences: list[str] = Field(description="what can be said and what cannot, for people")
