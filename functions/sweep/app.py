"""sweep: each minute, delete what is past its age and wake retain if something is due."""

from typing import Any

from proviso.domain.candidate import correlation_id
from proviso.domain.frame import LedgerEntry
from proviso.edge.batch import Event
from proviso.edge.metrics import Metric
from proviso.edge.telemetry import correlated, count, frame_line, invocation, logger
from proviso.wiring import retention as wiring


def handler(event: Event, context: Any) -> Event:
    """Schedule → counts."""
    with invocation(context.aws_request_id):
        counts = wiring.sweep(_ended)
        logger().info("swept", extra=dict(counts))
        if counts["woken"]:  # not each minute of an idle month
            count(Metric.WOKEN, counts["woken"])
        return dict(counts)


def _ended(row: LedgerEntry) -> None:
    with correlated(correlation_id(row.key)):
        frame_line(row)
