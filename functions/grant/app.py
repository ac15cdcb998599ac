"""grant: upload credentials for a camera. Until cameras have keys of their own it refuses by name, and they upload
with the credentials of the template's camera policy."""

from typing import Any

from proviso.edge.batch import Event
from proviso.edge.http import not_offered_yet
from proviso.edge.telemetry import invocation


def handler(event: Event, context: Any) -> Event:
    """HTTP API → 501."""
    with invocation(context.aws_request_id):
        return not_offered_yet("upload grants for cameras")
