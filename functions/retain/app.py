"""retain: woken by sweep when something is due."""

from typing import Any

from proviso import wiring
from proviso.edge.batch import Event
from proviso.edge.http import plain
from proviso.edge.telemetry import count, invocation, logger


def handler(event: Event, context: Any) -> Event:
    """{"reason": ...} → what was done."""
    with invocation(context.aws_request_id):
        done: Event = plain(wiring.retain())
        logger().info("retained", extra=done)
        if done["not_closed"]:
            count("NotClosed", len(done["not_closed"]))
        return done
