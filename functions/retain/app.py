"""retain: woken by sweep when something is due; and asked over the HTTP API what is held."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from functions.retain import routes
from proviso.domain.errors import DatabaseAway, Fault
from proviso.edge.batch import Event
from proviso.edge.http import answer_request, api, plain
from proviso.edge.metrics import Metric
from proviso.edge.telemetry import count, count_fault, invocation, logger, step
from proviso.wiring import retention as wiring


@cache
def app() -> APIGatewayHttpResolver:
    """All routes of this function."""
    return api(routes.router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer; {"reason": ...} → what was done."""
    if "requestContext" in event:
        return answer_request(app(), event, context)
    with invocation(context.aws_request_id):
        try:
            done: Event = plain(wiring.retain(step))
        except Fault as fault:
            count_fault(fault)
            if not isinstance(fault, DatabaseAway):
                count(Metric.ANCHORS_LATE, wiring.anchors_late())
            raise
        logger().info("retained", extra=done)
        count(Metric.ANCHORS_LATE, wiring.anchors_late())
        if done["not_closed"]:
            count(Metric.NOT_CLOSED, len(done["not_closed"]))
        if done["suspended"]:
            count(Metric.SUSPENDED, done["suspended"])
        return done
