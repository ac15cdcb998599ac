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

    per_hour: int | None = Field(description="of the deployment with the lowest cap; null when nothing waits")
    decided: int


class Pending(Answer):
    """Candidates that wait for this reviewer, newest first, and what they decided in the last 12 hours."""

    now: Moment
    cap: Cap
    candidates: list[Waiting]
    decided: list[OwnDecision]


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
    high: int


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
