"""Heads of the audit's chains are written where nobody can change them (S29): an end that is cut off later, or a chain
that is written anew, no longer fits them.

Reading the heads is a short transaction of its own and takes no lock; the bucket is written after it, and only then is
it noted what was anchored. A crash in between anchors the same heads twice, which says nothing new.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from proviso.domain.audit import ANCHOR_EVERY, SYSTEM_CHAIN, Head, behind
from proviso.domain.errors import Fault, StorageFault
from proviso.domain.govern_ports import GovernStore
from proviso.domain.ports import Anchors, Clock, DueStore
from proviso.domain.retain_ports import RetainStore

LATE_AFTER = 3 * ANCHOR_EVERY
_AT_A_TIME = 10_000
"""Heads in one object: about 1.5 MB."""


def anchor(
    *,
    store: GovernStore | RetainStore,
    anchors: Anchors,
    clock: Clock,
    chains: Sequence[str] | None = None,
    at_least_every: timedelta = ANCHOR_EVERY,
) -> tuple[Head, ...]:
    """Anchor what changed since it was last anchored, if that is long enough ago; what was anchored, with its time.

    A change is anchored no later than the first run after `at_least_every`; zero anchors every change at once.
    """
    with store.work() as work:
        heads = work.heads(chains)
        before = {head.chain: head for head in work.anchored()}
    now = clock()  # after the reading, so that nothing is said to be anchored before it was written
    changed = [head for head in heads if _due(head, before.get(head.chain), now, at_least_every)]
    for start in range(0, len(changed), _AT_A_TIME):
        batch = changed[start : start + _AT_A_TIME]
        anchors.put(batch, now)
        with store.work() as work:
            work.mark_anchored(batch, now)
    return tuple(Head(head.chain, head.sequence, head.hash, now) for head in changed)


def anchor_now(
    *, store: GovernStore, anchors: Anchors, due: DueStore, clock: Clock, deployment_id: str | None
) -> tuple[Head, ...]:
    """After a transition: anchor the deployment's chain (None: every chain) and the system's.

    The act is done and stays done, whatever becomes of this: on a fault nothing is anchored now, and retain does it.
    """
    chains = None if deployment_id is None else [deployment_id, SYSTEM_CHAIN]
    try:
        return anchor(store=store, anchors=anchors, clock=clock, chains=chains, at_least_every=timedelta(0))
    except Fault:
        anchor_soon(due=due, clock=clock)
        return ()


def anchor_soon(*, due: DueStore, clock: Clock) -> None:
    """After any other recorded act: have retain woken when these ten minutes are over, deployment or not."""
    now = clock()
    end = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0) + ANCHOR_EVERY
    with suppress(StorageFault):
        due.put(f"anchor-{end:%Y%m%dT%H%M}", end)


def late(*, store: RetainStore, clock: Clock) -> int:
    """How many chains changed and were not anchored for `LATE_AFTER`, or lie before their own anchor: records are
    missing there. For the alarm; to be asked after `anchor`, which leaves none of them."""
    with store.work() as work:
        heads, anchored = work.heads(), work.anchored()
    before = {head.chain: head for head in anchored}
    now = clock()
    waiting = {head.chain for head in heads if _due(head, before.get(head.chain), now, LATE_AFTER)}
    return len(waiting.union(behind(anchored, heads)))


def _due(head: Head, before: Head | None, now: datetime, at_least_every: timedelta) -> bool:
    if before is None or before.at is None:
        return True
    waiting = timedelta(0) <= now - before.at < at_least_every  # a clock that went back makes nothing wait
    return (head.sequence, head.hash) != (before.sequence, before.hash) and not waiting
