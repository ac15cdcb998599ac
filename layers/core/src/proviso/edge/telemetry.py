"""Logs and metrics: ids, counts and durations, and never events, images, vectors or names.

Made at first use and not at import, because Powertools reads the environment. The tracer is not used at all: it
captures responses and errors unless it is told not to.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from proviso.domain.frame import LedgerEntry
from proviso.domain.reasons import Reason


@cache
def logger() -> Logger:
    """The function's structured logger, its service from POWERTOOLS_SERVICE_NAME."""
    return Logger(log_uncaught_exceptions=False, log_record_order=["level", "message", "correlation_id"])


@cache
def metrics() -> Metrics:
    """The function's metrics in the namespace Proviso, in embedded metric format, written when an invocation ends."""
    return Metrics(namespace="Proviso")


@contextmanager
def invocation(aws_request_id: str) -> Iterator[None]:
    """One invocation: its request id on every line, its metrics flushed at the end even when it fails."""
    log = logger()
    log.append_keys(request_id=aws_request_id)
    starting = not gc.isenabled()
    if starting:  # see functions/__init__.py; what was made so far is of no event, and stays
        gc.freeze()
    try:
        yield
    finally:
        if starting:
            gc.enable()
        log.clear_state()
        if metrics().provider.metric_set:  # an empty flush is a warning on every call
            metrics().flush_metrics()


@contextmanager
def correlated(identifier: str) -> Iterator[None]:
    """Everything logged in the block carries this correlation id; if the block fails, so does the line about that."""
    log = logger()
    log.set_correlation_id(identifier)
    yield
    log.set_correlation_id(None)


def count(name: str, value: float = 1) -> None:
    """Add to a counter metric."""
    metrics().add_metric(name=name, unit=MetricUnit.Count, value=value)


def frame_line(row: LedgerEntry) -> None:
    """One line and one metric a frame and function: where it stands now, with its counts and durations."""
    logger().info(
        "frame",
        extra={
            # A name that is not a frame's may be anything, somebody's name included: the ledger has it, the log not.
            "frame_key": "not a frame's name" if row.reason is Reason.BAD_KEY else row.key,
            "outcome": row.outcome.value,
            "reason": row.reason.value if row.reason else None,
            "deployment_id": row.deployment_id,
            "faces_detected": row.counts.detected,
            "faces_refused": row.counts.refused,
            "faces_searched": row.counts.searched,
            "faces_not_searched": row.counts.not_searched,
            "candidates": row.counts.candidates,
            "stages_ms": dict(row.stages),
        },
    )
    count(f"Frame.{row.outcome.value}")
    if row.counts.searched:
        count("FacesSearched", row.counts.searched)
