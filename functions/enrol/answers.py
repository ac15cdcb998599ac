"""What enrol answers, for the API's description."""

from pydantic import Field

from proviso.domain.face import Quality
from proviso.domain.pairs import PairState
from proviso.domain.reasons import Reason
from proviso.edge.answers import Answer, Moment

PICTURE_REFUSED = (
    Reason.WRONG_TYPE,
    Reason.EMPTY,
    Reason.TOO_MANY_BYTES,
    Reason.TOO_MANY_PIXELS,
    Reason.NOT_AN_IMAGE,
    Reason.TRUNCATED,
    Reason.NO_FACE,
    Reason.SEVERAL_FACES,
    Reason.FACE_TOO_SMALL,
    Reason.NOT_SHARP,
    Reason.UNDER_EXPOSED,
    Reason.OVER_EXPOSED,
    Reason.POSE_YAW,
    Reason.POSE_ROLL,
    Reason.FACE_CUT_OFF,
)


class Enrolled(Answer):
    """An accepted picture."""

    id: str = Field(description="of its reference")
    quality: Quality | None = Field(description="measures of the face in it; null where it was enrolled before")
    already: bool = Field(description="the same picture was enrolled before: this is its reference")
    pipeline: str = Field(description="with which the reference was computed")


class AddedPair(Answer):
    """A new pair."""

    id: str
    similarity: float = Field(description="of its two pictures, a cosine; a pair far from any threshold tests little")
    expires_at: Moment = Field(description="until when tests are drawn from it")


class ShownPair(Answer):
    """A pair of pictures for tests."""

    id: str
    mated: bool = Field(description="true: both show the same person")
    similarity: float
    consent: str = Field(description="where the consent is recorded")
    added_by: str
    added_at: Moment
    expires_at: Moment
    removed_at: Moment | None
    state: PairState


class ListedPairs(Answer):
    """All pairs, newest first."""

    now: Moment
    pairs: list[ShownPair]


class RemovedPair(Answer):
    """Its pictures are deleted."""

    id: str
    removed_at: Moment
