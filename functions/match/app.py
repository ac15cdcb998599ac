"""match: one message a frame; embed, search behind the gate, raise candidates."""

from typing import Any

from proviso import wiring
from proviso.domain.messages import FacesMessage
from proviso.edge.batch import Event, each_message
from proviso.edge.snapshot import with_snapshots
from proviso.edge.telemetry import correlated, frame_line, searched, step
from proviso.edge.tracing import span
from proviso.wiring import snapshot


def handler(event: Event, context: Any) -> Event:
    """SQS batch of faces messages → partial batch response."""
    match = wiring.match_invocation(context.get_remaining_time_in_millis, step, span)

    def message(body: str) -> None:
        faces = FacesMessage.from_json(body)
        with correlated(faces.correlation_id):
            row = match(faces)
            frame_line(row)
            searched(row)

    # One before the queue's maxReceiveCount: boxes and landmarks of people who passed do not become dead letters.
    return each_message(event, context, message, last_receive=4)


with_snapshots(snapshot.match, snapshot.forget, wiring.now)
