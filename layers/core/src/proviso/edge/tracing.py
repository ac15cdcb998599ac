"""The tracer, where it is on (parameter Tracing): durations of steps, the correlation id, and that something failed.

Off, nothing of X-Ray is imported. On, no library is patched: patched, every call of AWS would be recorded with its
table, key or address. Responses and errors are captured nowhere, since neither the decorators nor the context managers
are used: the SDK's own write down the exception's text and stack whatever they are told
(`SubsegmentContextManager.__exit__`). Subsegments are begun and ended here, and a failed one has a flag.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from proviso.wiring import tracing_is_on

CORRELATION = "correlation_id"


@cache
def _tracer() -> Any:
    """Powertools' tracer, or None where tracing is off. Lambda says whether it traces: only then is there a daemon."""
    if not tracing_is_on():
        return None
    from aws_lambda_powertools.tracing import Tracer

    return Tracer(auto_patch=False)


@contextmanager
def span(name: str) -> Iterator[None]:
    """A subsegment around the block: its name, its duration, and whether it failed."""
    tracer = _tracer()
    if tracer is None:
        yield
        return
    recorder = tracer.provider
    subsegment = recorder.begin_subsegment(name=name)
    try:
        yield
    except BaseException:
        if subsegment is not None:  # None where the invocation is not sampled or there is no segment
            subsegment.add_fault_flag()
        raise
    finally:
        if subsegment is not None:
            recorder.end_subsegment()


def annotate(correlation_id: str) -> None:
    """Name what the current subsegment is about."""
    tracer = _tracer()
    if tracer is not None and correlation_id:
        tracer.put_annotation(key=CORRELATION, value=correlation_id)
