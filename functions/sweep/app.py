"""sweep: each minute, delete what is past its age and wake retain if something is due."""

from typing import Any

from proviso.edge.batch import Event
from proviso.edge.telemetry import count, invocation, logger
from proviso.wiring import retention as wiring


def handler(event: Event, context: Any) -> Event:
    """Schedule → counts."""
    with invocation(context.aws_request_id):
        counts = wiring.sweep()
        logger().info("swept", extra=dict(counts))
        for name, value in counts.items():
            count(f"Swept.{name}", value)
        return dict(counts)
