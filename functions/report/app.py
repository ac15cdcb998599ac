"""report: what anybody may read: the API's description, and the public record. It has no database and no network of
ours."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.report import records
from proviso.edge.answers import gives
from proviso.edge.batch import Event
from proviso.edge.description import Description, description
from proviso.edge.http import answer_request, api, routes

router = routes()


@router.get("/openapi.json", responses=gives(Description, public=True))
def describe() -> Response[Any]:
    """Show this description of the API, as OpenAPI 3.1."""
    return description()


@cache
def app() -> APIGatewayHttpResolver:
    """All routes of this function."""
    return api(router, records.router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)
