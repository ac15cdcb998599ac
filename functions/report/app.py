"""report: what anybody may read: the API's description, and the public record.

The record needs measured rates, which do not exist yet, so it refuses by name. Nothing here needs the database.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.batch import Event
from proviso.edge.description import Description, description
from proviso.edge.http import answer_request, api, refusal, routes

router = routes()


@router.get("/openapi.json", responses=gives(Description, public=True))
def describe() -> Response[Any]:
    """Show this description of the API, as OpenAPI 3.1."""
    return description()


@router.get("/records", responses=gives("", Reason.NOT_OFFERED_YET, public=True))
def records() -> Response[Any]:
    """Show the public record of all deployments. Not built yet."""
    return refusal(Refused(Reason.NOT_OFFERED_YET, "the public record"))


@router.get("/records/<deployment_id>", responses=gives("", Reason.NOT_OFFERED_YET, Reason.NOT_FOUND, public=True))
def record(deployment_id: str) -> Response[Any]:
    """Show the public record of one deployment. Not built yet."""
    return refusal(Refused(Reason.NOT_OFFERED_YET, "the public record"))


@cache
def app() -> APIGatewayHttpResolver:
    """All routes of this function."""
    return api(router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)
