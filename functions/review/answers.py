"""What review answers, for the API's description: before a reviewer's own decision less than after it (S16)."""

from pydantic import Field

from proviso.domain.candidate import CandidateState, Decision
from proviso.edge.answers import Answer, Moment


class Box(Answer):
    """Where a face is in its picture, in the picture's own pixels."""

    x: int
    y: int
    width: int
    height: int


class Waiting(Answer):
    """A candidate that waits for a decision."""

    reference: str = Field(description="six letters and digits that people can read out")
    id: str
    deployment_id: str
    camera: str
    place: str
    captured_at: Moment
    raised_at: Moment
    decide_by: Moment
    state: CandidateState
    message_prefix: str


class OwnDecision(Waiting):
    """A candidate that this reviewer decided."""

    own_decision: Decision


class Cap(Answer):
    """How many candidates a reviewer may decide in an hour, and how many it were in the last one."""

    per_hour: int | None = Field(description="the lowest of the running deployments that name them; null without one")
    decided: int


class StoppedByItself(Answer):
    """That a safeguard stopped a deployment."""

    deployment_id: str
    place: str
    at: Moment
    safeguard: str


class Pending(Answer):
    """Candidates that wait for this reviewer, newest first, and what they or others decided in the last 12 hours."""

    now: Moment
    cap: Cap
    candidates: list[Waiting]
    decided: list[OwnDecision]
    confirmed: list[Waiting] = Field(description="confirmed by others; any reviewer of the deployment may take it back")
    suspended: list[StoppedByItself] = Field(description="of their deployments, in the last 12 hours")


class ReferencePicture(Answer):
    """An enrolment picture beside the probe."""

    path: str
    face: Box | None


class Undecided(Waiting):
    """A candidate before the reviewer's own decision: nothing in it that leans on them."""

    now: Moment
    evidence: str = Field(description="path of the evidence picture")
    face: Box | None = Field(description="where the candidate's face is in it")
    references: list[ReferencePicture]
    reviewers_required: int
    own_decision: None


class Other(Answer):
    """What another reviewer decided."""

    decision: Decision
    reason: str
    decided_at: Moment


class Reached(Answer):
    """A stranger reaches this similarity about once in so many searches against a list like this."""

    low: int
    high: int | None = Field(description="null: nobody reached it, so it is rarer than once in `low`")


class Tested(Answer):
    """That it was a seeded test: whether both pictures show one person, and whether the answer was right."""

    mated: bool
    right: bool | None = Field(description="null after 'cannot tell'")


class Decided(Waiting):
    """A candidate after the reviewer's own decision."""

    now: Moment
    evidence: str = Field(description="path of the evidence picture")
    face: Box | None
    references: list[ReferencePicture]
    reviewers_required: int
    own_decision: Decision
    own_reason: str
    similarity: float
    stranger_once_in: Reached | None = Field(description="null where it is not measured")
    threshold: str = Field(description="a cosine similarity, as a decimal")
    calibrated: bool
    policy: str
    category: str | None
    listing_reason: str | None
    others: list[Other]
    demographics_recorded: bool
    test: Tested | None


class Token(Answer):
    """Changes when an open page should ask again."""

    token: str


class Nothing(Answer):
    """It is recorded."""


class Measured(Answer):
    """A rate with its 95 % interval (Clopper and Pearson)."""

    rate: float
    low: float
    high: float


class ReviewerShown(Answer):
    """How one reviewer answered their tests since they were trained."""

    sub: str
    trained_until: Moment | None
    rated_from: Moment | None = Field(description="since when answers count; null: all of them")
    tests: int = Field(description="tests answered, in whatever way")
    non_mates: int = Field(description="pairs of different people, confirmed or rejected")
    confirmed_non_mates: int
    mates: int = Field(description="pairs of one person, confirmed or rejected")
    rejected_mates: int
    cannot_tell: int = Field(description="counts as neither right nor wrong")
    unanswered: int = Field(description="left until it was too late")
    error_rate: float | None = Field(description="wrong of all confirmed or rejected; null: not measured")
    low: float | None
    high: float | None
    strangers_confirmed: Measured | None
    mates_rejected: Measured | None
    limit: float = Field(description="the strictest of the deployments that are not over, as a share")
    denied: bool = Field(description="`low` lies above the limit: refused to look and to decide until trained anew")


class Reviewers(Answer):
    """Everybody with the role of a reviewer, by account."""

    reviewers: list[ReviewerShown]


class PageSettings(Answer):
    """Where people sign in: OAuth 2.0, authorization code with PKCE (S256)."""

    sign_in_url: str = Field(description="`/oauth2/authorize`, `/oauth2/token` and `/logout` are below it")
    client_id: str = Field(description="of the pages")
    command_line_client_id: str = Field(description="of `proviso login`, which comes back to a port of localhost")
