"""sweep: each minute, without a database: delete every frame past its age, and wake retain only when something is due.

Whatever became of a frame's message, the frame does not outlive its age limit (S14). Touching the database here would
keep it awake for ever, so what is due is read from small objects in S3.
"""

from datetime import timedelta

from proviso.domain.frame import FrameKey, LedgerEntry, Outcome
from proviso.domain.ports import Clock, DueStore, FrameStore, Ledger, StopSpool, Waker
from proviso.domain.reasons import Reason, Refused


def sweep(
    *,
    clock: Clock,
    age_limit_s: int,
    frames: FrameStore,
    ledger: Ledger,
    due: DueStore,
    spool: StopSpool,
    waker: Waker,
) -> dict[str, int]:
    """Delete what is too old and wake retain if needed. Returns counts: deleted, stale, unprocessed, woken."""
    now = clock()
    counts = {"deleted": 0, "stale": 0, "unprocessed": 0, "woken": 0}
    for frame in frames.stored_before(now - timedelta(seconds=age_limit_s)):
        row = ledger.get(frame.key)
        outcome = Outcome.UNPROCESSED if row is None else Outcome.STALE
        if row is None:
            parsed = FrameKey.parse(frame.key)
            camera = None if isinstance(parsed, Refused) else parsed.camera
            row = LedgerEntry(frame.key, Outcome.RECEIVED, received_at=frame.stored_at, camera=camera)
        final = LedgerEntry(
            key=frame.key,
            outcome=outcome,
            received_at=row.received_at,
            reason=Reason.STALE,
            detail=f"still there after {age_limit_s} s",
            camera=row.camera,
            deployment_id=row.deployment_id,
            counts=row.counts,
            finished_at=now,
            stages=row.stages,
        )
        if ledger.finish(final):
            counts[outcome.value] += 1
        frames.delete(frame.key)  # whoever decided: past its age it goes
        counts["deleted"] += 1
    reasons = [f"due:{deployment}" for deployment in due.due(now)] + [f"stop:{stop.id}" for stop in spool.waiting()]
    if reasons:
        waker.wake(", ".join(reasons[:10]))
        counts["woken"] = 1
    return counts
