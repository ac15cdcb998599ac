"""What govern accepts of a site trial."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, ConfigDict, Field

from functions.govern.requests import Line, Moment
from proviso.domain.frame import CAMERA_PATTERN
from proviso.domain.trial import MOST_PASSAGES, Passage

Camera = Annotated[str, Query(pattern=f"^{CAMERA_PATTERN}$", description="of which camera; one at a time")]
Counted = Annotated[int, Field(ge=0, lt=1_000_000_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PassageBody(_Body):
    """One person's time before one camera."""

    passage: Annotated[Line, Field(description="its number or name in the plan")]
    person_reference: Annotated[
        str,
        Field(max_length=200, description="of a listed person; else a code of the trial's own, or nothing"),
    ] = ""
    camera: Line
    begins_at: Moment
    ends_at: Moment

    def passage_of_plan(self) -> Passage:
        return Passage(self.passage, self.person_reference, self.camera, self.begins_at, self.ends_at)


class ClaimedBody(_Body):
    """What was counted by the plan. Each is counted again; one that differs is refused."""

    mated_passages: Counted
    found_passages: Counted
    non_mated_passages: Counted
    false_passages: Counted
    faces_searched: Counted


class TrialBody(_Body):
    """A site trial: which deployment it was, who walked when, and what was counted."""

    deployment_id: Line
    plan: Annotated[list[PassageBody], Field(min_length=1, max_length=MOST_PASSAGES)]
    claimed: ClaimedBody

    def passages(self) -> tuple[Passage, ...]:
        return tuple(one.passage_of_plan() for one in self.plan)
