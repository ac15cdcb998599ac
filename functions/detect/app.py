"""detect: frames from the frames queue; those with usable faces go on to the faces queue."""

from typing import Any

from proviso import wiring
from proviso.domain.candidate import correlation_id
from proviso.edge.batch import Event, each_message, s3_keys
from proviso.edge.snapshot import with_snapshots
from proviso.edge.telemetry import correlated, frame_line
from proviso.edge.tracing import span
from proviso.wiring import snapshot


def handler(event: Event, context: Any) -> Event:
    """SQS batch of S3 notifications → partial batch response."""
    detect = wiring.detect_invocation(span)

    def message(body: str) -> None:
        for key in s3_keys(body):
            with correlated(correlation_id(key)):
                frame_line(detect(key))

    return each_message(event, context, message)


with_snapshots(snapshot.detect, snapshot.forget, wiring.now)
