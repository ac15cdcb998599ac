"""review: a person looks and decides."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.review import reviewers
from functions.review.notices import router as notices
from functions.review.pages import router as pages
from functions.review.routes import router
from proviso.edge.batch import Event
from proviso.edge.http import answer_request, api


@cache
def app() -> APIGatewayHttpResolver:
    """All routes of this function."""
    return api(router, notices, pages, reviewers.router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)
