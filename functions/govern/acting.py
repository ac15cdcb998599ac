"""How every route of govern acts: as who is signed in, and with the audit's heads anchored afterwards (S29)."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from proviso import wiring
from proviso.edge.http import act


def acting(
    event: APIGatewayProxyEventV2, stage: Any, view: Any = None, status: int = 200, transition: str | None = None
) -> Response[Any]:
    """Call the stage and answer. What it recorded is anchored: the deployment named as `transition` at once where it
    succeeded, anything else that is no look within ten minutes."""
    room = wiring.govern()
    answered = act(event, room.principal, stage, view, status)
    if transition and answered.status_code == status:
        room.anchor_now(transition)
    elif event.http_method != "GET":
        room.anchor_soon()
    return answered
