"""Logs and metrics: ids, counts and durations, and never events, images, vectors, names or accounts.

Made at first use and not at import, because Powertools reads the environment. Which lines there are, and how one frame
is followed through them, is in docs/telemetry.md.
"""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from proviso.domain.errors import AuditUnwritable, DatabaseAway, Fault
from proviso.domain.frame import LedgerEntry, Outcome, shown
from proviso.edge import tracing
from proviso.edge.metrics import NAMESPACE, Metric
from proviso.wiring import tracing_is_on

_OF_AN_ACCOUNT = re.compile(r"\b(contacts|subscriptions)/[^\s:,;]+")


@cache
def logger() -> Logger:
    """The function's structured logger, its service from POWERTOOLS_SERVICE_NAME.

    Without the place in the code, which the message says too, and without the id of a trace that nobody made: each byte
    is paid for.
    """
    left_out: dict[str, Any] = {} if tracing_is_on() else {"xray_trace_id": None}
    order = ["level", "message", "correlation_id", "service"]
    return Logger(log_uncaught_exceptions=False, location=None, log_record_order=order, **left_out)


@cache
def metrics() -> Metrics:
    """The function's metrics in the namespace Proviso, in embedded metric format, written when an invocation ends."""
    return Metrics(namespace=NAMESPACE)


@contextmanager
def invocation(aws_request_id: str) -> Iterator[None]:
    """One invocation: its request id on every line, its metrics flushed at the end even when it fails."""
    log = logger()
    log.append_keys(request_id=aws_request_id)
    starting = not gc.isenabled()
    if starting:  # see functions/__init__.py; what was made so far is of no event, and stays
        gc.freeze()
    try:
        with tracing.span("## handler"):
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
    with tracing.span("## one"):
        follow(identifier)
        yield
    logger().set_correlation_id(None)


def follow(correlation_id: str) -> None:
    """From here on it is known what this call is about."""
    logger().set_correlation_id(correlation_id or None)
    tracing.annotate(correlation_id)


def count(metric: Metric, value: float = 1) -> None:
    """Add to a metric of the catalogue."""
    one = metric.value
    metrics().add_metric(name=one.name, unit=MetricUnit(one.unit), value=value)


def count_fault(error: Exception) -> None:
    """Count a fault; the two that an alarm asks for by themselves under names of their own. Whatever was being done
    when the database went away counts as that."""
    if isinstance(error, DatabaseAway):
        count(Metric.DATABASE_AWAY)
    elif isinstance(error, AuditUnwritable):
        count(Metric.AUDIT_UNWRITABLE)
    else:
        count(Metric.FAULT)


def frame_line(row: LedgerEntry) -> None:
    """One line a frame and function: where it stands now, with its counts and durations. What is zero is left out."""
    counts = {
        "faces_detected": row.counts.detected,
        "faces_refused": row.counts.refused,
        "faces_searched": row.counts.searched,
        "faces_not_searched": row.counts.not_searched,
        "candidates": row.counts.candidates,
    }
    logger().info(
        "frame",
        extra={
            "frame_key": shown(row.key),
            "outcome": row.outcome.value,
            **({"reason": row.reason.value} if row.reason else {}),
            **({"deployment_id": row.deployment_id} if row.deployment_id else {}),
            **{name: number for name, number in counts.items() if number},
            **({"stages_ms": {name: round(ms, 1) for name, ms in row.stages}} if row.stages else {}),
        },
    )
    if row.outcome is Outcome.ORPHANED:
        count(Metric.FRAME_ORPHANED)


def searched(row: LedgerEntry) -> None:
    """The metrics of a frame that match has brought to its end."""
    if row.counts.candidates:
        count(Metric.CANDIDATES, row.counts.candidates)
    if row.counts.searched:
        count(Metric.FACES_SEARCHED, row.counts.searched)
    if row.outcome is Outcome.SEARCHED and row.finished_at is not None:
        count(Metric.UPLOAD_TO_SEARCHED, round((row.finished_at - row.received_at).total_seconds() * 1000))


def step(what: str, candidate_id: str, correlation_id: str, /) -> None:
    """One line about a candidate, beside the line of its frame."""
    log = logger()
    before = log.get_correlation_id()
    log.set_correlation_id(correlation_id or None)
    log.info(what, extra={"candidate_id": candidate_id})
    log.set_correlation_id(before)


def fault_text(error: BaseException) -> str:
    """What may be logged of an error: our own faults' words, without the accounts that keys may name; of uploads' names
    they say what `domain.frame.shown` does. Nobody knows what messages of foreign exceptions carry."""
    return _OF_AN_ACCOUNT.sub(r"\1/(an account)", str(error)) if isinstance(error, Fault) else ""
