"""sweep: each minute, without a database: delete every frame past its age, and wake retain only when something is due,
or, once a day, when frames ended without being searched.
Before it wakes retain it looks into the queues, which retain cannot reach (S23).

Whatever became of a frame's message, the frame does not outlive its age limit (S14), and nothing of it is
kept as footage (S25). Touching the database here would
keep it awake for ever, so what is due is read from small objects in S3.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from proviso.domain.errors import StorageFault
from proviso.domain.folding import hours_to_look_for
from proviso.domain.frame import FrameKey, LedgerEntry, Outcome
from proviso.domain.ports import (
    Clock,
    DueStore,
    FrameStore,
    Ledger,
    StopSpool,
    StoredFrame,
    Waker,
)
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retain_ports import QueueGauge, QueueLook
from proviso.domain.retention import QueuesSeen


def _nobody(_: LedgerEntry) -> None:
    """Is told, and says nothing."""


def sweep(
    *,
    clock: Clock,
    age_limit_s: int,
    frames: FrameStore,
    ledger: Ledger,
    due: DueStore,
    spool: StopSpool,
    gauge: QueueGauge,
    look: QueueLook,
    waker: Waker,
    tell: Callable[[LedgerEntry], None] = _nobody,
) -> dict[str, int]:
    """Delete what is too old and wake retain if needed. Returns counts: deleted, stale, unprocessed, woken.

    A frame whose row cannot be written, or that cannot be deleted, keeps neither the others nor retain waiting: the
    first fault is raised at the end. `tell` is told each frame that ended here. `ledger` should ask for few rows at a
    time: only whether there is one is of interest.
    """
    now = clock()
    counts = {"deleted": 0, "stale": 0, "unprocessed": 0, "woken": 0}

    def wake(reasons: list[str]) -> StorageFault | None:
        found = _look_into_queues(clock, gauge, look)
        waker.wake(", ".join(reasons[:10]))
        counts["woken"] = 1
        return found

    fault: StorageFault | None = None
    try:  # first: many frames, or a bucket that fails, must not keep a stop or a deletion waiting
        reasons = [f"due:{deployment}" for deployment in due.due(now)] + [f"stop:{stop.id}" for stop in spool.waiting()]
        if reasons:
            fault = wake(reasons)
    except StorageFault as error:
        fault = error
    for frame in frames.stored_before(now - timedelta(seconds=age_limit_s)):
        try:
            final = _final(frame, ledger, now, age_limit_s)
            if ledger.finish(final):
                counts[final.outcome.value] += 1
                tell(final)
        except StorageFault as error:
            fault = fault or error
        try:
            frames.delete(frame.key)  # whoever decided, and recorded or not: past its age it goes
            counts["deleted"] += 1
        except StorageFault as error:
            fault = fault or error
    try:  # last, and for nobody who was woken anyway: retain folds in each run
        if not counts["woken"] and _unsearched(ledger, now):
            fault = wake(["fold"]) or fault
    except StorageFault as error:
        fault = fault or error
    if fault is not None:
        raise fault
    return counts


def _unsearched(ledger: Ledger, now: datetime) -> bool:
    """Once a day: have frames ended that retain must write into the audit before the ledger loses them (rule 3)?
    Whether it has done so stands in the database, so it may be woken for nothing: once a day, if any frame came."""
    return any(True for hour in hours_to_look_for(now) for _ in ledger.not_searched(hour))


def _look_into_queues(clock: Clock, gauge: QueueGauge, look: QueueLook) -> StorageFault | None:
    """For retain: how much waits in each queue. Retain is woken without it too: then nothing counts as zero."""
    try:
        at = clock()  # before the counting: what is sent later is not in it
        look.put(QueuesSeen(at, tuple(sorted(gauge.counts().items()))))
    except StorageFault as fault:
        return fault
    return None


def _final(frame: StoredFrame, ledger: Ledger, now: datetime, age_limit_s: int) -> LedgerEntry:
    """Its row as it would end now. What never got as far as match has another outcome than what match did not end."""
    row = ledger.get(frame.key)
    outcome = Outcome.UNPROCESSED if row is None else Outcome.STALE
    if row is None:
        parsed = FrameKey.parse(frame.key)
        camera = None if isinstance(parsed, Refused) else parsed.camera
        row = LedgerEntry(frame.key, Outcome.RECEIVED, received_at=frame.stored_at, camera=camera)
    detail = f"still there after {age_limit_s} s"
    return replace(row, outcome=outcome, reason=Reason.STALE, detail=detail, finished_at=now)
