"""What the recipients' routes answer, for the API's description: no name, no category, no similarity (S20)."""

from typing import Literal

from pydantic import Field

from functions.review.answers import Box, ReferencePicture
from proviso.domain.outcome import Action, Result
from proviso.edge.answers import Answer, Moment


class Outcome(Answer):
    """What came of it, as it was said last."""

    result: Result
    action: Action
    recorded_at: Moment


class Notice(Answer):
    """A candidate that a reviewer confirmed, and may have withdrawn since."""

    reference: str = Field(description="six letters and digits that people can read out")
    id: str
    deployment_id: str
    place: str
    camera: str
    captured_at: Moment
    confirmed_at: Moment
    useful_until: Moment = Field(description="nobody should act on it after that; its pictures are not shown either")
    state: Literal["confirmed", "withdrawn"]
    message_prefix: str
    outcome: Outcome | None = Field(description="null until somebody has said what came of it")


class Notices(Answer):
    """What this recipient was told of in the last 24 hours, newest first."""

    now: Moment
    notices: list[Notice]


class ShownNotice(Notice):
    """One notice, and where its pictures are while it is of use."""

    now: Moment
    evidence: str = Field(description="path of the evidence picture")
    face: Box | None = Field(description="where the candidate's face is in it")
    references: list[ReferencePicture] = Field(description="empty once the list is erased")
    calibrated: bool


class Held(Answer):
    """Until when the picture is kept."""

    held_until: Moment


class Slip(Answer):
    """What the person who was spoken to is given."""

    reference: str
    place: str
    captured_at: Moment
    controller: str = Field(description="the operator's legal name: who answers for it")
    complaints: str = Field(description="where to complain, or to ask what is held")
    use: str
    legal_basis: str
    policy: str
    deployment_id: str
    evidence_until: Moment | None = Field(
        description="when the picture is deleted at the latest if nothing holds it; null when it is deleted"
    )
    held_until: Moment | None = Field(description="until when a hold keeps it; null when none stands")
