"""What retain takes and answers, for the API's description."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from proviso.domain.holdings import Holding
from proviso.edge.answers import Answer, Moment

Purpose = Annotated[str, Query(min_length=1, max_length=200, description="what the look is for; it is recorded")]


class Retention(Answer):
    """Everything that was held at a moment."""

    at: Moment
    holdings: list[Holding]
    overdue: int = Field(description="how many things are held longer than they may be")
