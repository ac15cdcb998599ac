"""Frames that were never searched become counts in the audit: one event a camera, hour, outcome and reason (rule 3).

An hour is folded once, some minutes after its end, when none of its rows can still be written. Which hours are folded
stands in the database, in the transaction of the audit records.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice

from proviso.domain.audit import system_act
from proviso.domain.canonical import digest
from proviso.domain.frame import LedgerEntry
from proviso.domain.retention import FOLD_SETTLES, LedgerFold, hours_to_fold
from proviso.stages.retain_room import ACTOR, RetainRoom

_AT_ONCE = 5000


def fold_ledger(room: RetainRoom) -> int:
    """Fold every hour that has settled and is not folded. How many frames that were."""
    now = room.clock()
    with room.store.work() as work:
        folded_until = work.folded_until()
    # The last hour is the one before the hour that this moment lies in, once ten minutes of that have passed.
    hours = hours_to_fold(folded_until, now - FOLD_SETTLES)[:-1]
    if not hours:
        return 0
    folds: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for hour in hours:
        for row in _unsearched(room, room.ledger.not_searched(hour)):
            reason = row.reason.value if row.reason else ""
            folds[(row.camera or "unknown", hour, row.outcome.value, reason)].append(row.key)
    frames = sum(len(keys) for keys in folds.values())
    with room.store.work() as work:
        if not work.fold(hours, frames, now):
            return 0
        for (camera, hour, outcome, reason), keys in sorted(folds.items()):
            fold = LedgerFold(camera, hour, outcome, reason, len(keys), digest(sorted(keys)))
            work.audit(system_act(now, ACTOR, "frames_not_searched", camera, asdict(fold)))
    return frames


def _unsearched(room: RetainRoom, rows: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
    """Without those whose search was committed: the audit has them, even where a crash left the ledger to say stale."""
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        with room.store.work() as work:
            searched = work.searched([row.key for row in some])
        yield from (row for row in some if row.key not in searched)
