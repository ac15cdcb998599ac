"""What review answers, for the API's description: before a reviewer's own decision less than after it (S16)."""

from pydantic import Field

from proviso.domain.candidate import CandidateState, Decision
from proviso.edge.answers import Answer, Moment


class Waiting(Answer):
    """A candidate that waits for a decision."""

    reference: str = Field(description="six letters and digits that people can read out")
    id: str
    deployment_id: str
    camera: str
    place: str
    captured_at: Moment
    decide_by: Moment
    state: CandidateState


class Pending(Answer):
    """Candidates that wait for this reviewer, newest first."""

    candidates: list[Waiting]


class Undecided(Waiting):
    """A candidate before the reviewer's own decision: nothing in it that leans on them."""

    evidence: str = Field(description="path of the evidence picture")
    references: list[str] = Field(description="paths of the enrolment pictures")
    own_decision: None


class Decided(Waiting):
    """A candidate after the reviewer's own decision."""

    evidence: str = Field(description="path of the evidence picture")
    references: list[str] = Field(description="paths of the enrolment pictures")
    own_decision: Decision
    similarity: float | None
    threshold: str = Field(description="a cosine similarity, as a decimal")
    calibrated: bool
    policy: str
    category: str | None


class PageSettings(Answer):
    """Where the pages sign people in: OAuth 2.0, authorization code with PKCE (S256)."""

    sign_in_url: str = Field(description="`/oauth2/authorize`, `/oauth2/token` and `/logout` are below it")
    client_id: str
