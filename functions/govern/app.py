"""govern: people, cameras, watchlists, requests, authorisations, stop and close, over the HTTP API."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.govern import (
    announcing,
    calibrations,
    cameras,
    conditions,
    contacts,
    deployments,
    holds,
    monitoring,
    subjects,
    watchlists,
)
from proviso.edge.batch import Event
from proviso.edge.http import answer_request, api


@cache
def app() -> APIGatewayHttpResolver:
    """All routes of this function."""
    return api(
        watchlists.router,
        deployments.router,
        conditions.router,
        calibrations.router,
        cameras.router,
        contacts.router,
        holds.router,
        monitoring.router,
        subjects.router,
        announcing.router,
    )


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)
