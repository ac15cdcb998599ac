"""grant: an upload right for a camera that shows its own key. The gateway asks for no token: a camera is no person."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.grant.answers import UploadGrant
from proviso import wiring
from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.batch import Event
from proviso.edge.http import answer, answer_request, api, bearer, plain, refusal, routes
from proviso.edge.telemetry import follow

router = routes()


@router.post(
    "/cameras/<camera>/grants",
    responses=gives(UploadGrant, Reason.CAMERA_KEY, Reason.NO_PERMIT, Reason.OUTSIDE_WINDOW, public=True),
)
def grant(camera: str) -> Response[Any]:
    """Get an upload right for some minutes, as a camera.

    `Authorization: Bearer <the camera's key>`; the gateway asks for no token, because a camera is no person.
    """
    granted = wiring.grant()(camera, bearer(router.current_event))
    refused = granted if isinstance(granted, Refused) else None
    if refused is None or refused.reason is not Reason.CAMERA_KEY:  # else anybody may have written anything there
        follow(camera)
    return refusal(refused) if refused else answer(200, plain(granted))


@cache
def app() -> APIGatewayHttpResolver:
    """All routes of this function."""
    return api(router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)
