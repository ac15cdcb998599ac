"""report: the public record. It needs measured rates, which do not exist yet, so it refuses by name."""

from typing import Any

from proviso.edge.batch import Event
from proviso.edge.http import not_offered_yet
from proviso.edge.telemetry import invocation


def handler(event: Event, context: Any) -> Event:
    """HTTP API → 501."""
    with invocation(context.aws_request_id):
        return not_offered_yet("the public record")
