"""Frames that were never searched become counts in the audit: one event a camera, hour, outcome and reason (rule 3).

An hour is folded once, some minutes after its end, when none of its rows can still be written. Which hours are folded
stands in the database, in the transaction of the audit records.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import islice

from proviso.domain.audit import system_act
from proviso.domain.canonical import digest
from proviso.domain.folding import LedgerFold, settled_hours
from proviso.domain.frame import LedgerEntry
from proviso.stages.retain_room import ACTOR, RetainRoom

_AT_ONCE = 5000
_Fold = tuple[str, str, str, str]


def fold_ledger(room: RetainRoom) -> int:
    """Fold every hour that has settled and is not folded. How many frames that were."""
    now = room.clock()
    with room.store.work() as work:
        folded_until = work.folded_until()
    hours = settled_hours(folded_until, now)
    frames = 0
    while hours:
        # One hour and those before it in which little ended: what a run has folded stays so if the rest is too much for
        # its time or memory, as after a restore, when all that the ledger has is folded again.
        group: list[str] = []
        folds: dict[_Fold, list[str]] = defaultdict(list)
        while hours and sum(len(keys) for keys in folds.values()) < _AT_ONCE:
            group.append(hours.pop(0))
            for row in _unsearched(room, room.ledger.not_searched(group[-1])):
                reason = row.reason.value if row.reason else ""
                folds[row.camera or "unknown", group[-1], row.outcome.value, reason].append(row.key)
        if not _recorded(room, group, folds, now):
            break
        frames += sum(len(keys) for keys in folds.values())
    return frames


def _recorded(room: RetainRoom, hours: list[str], folds: dict[_Fold, list[str]], now: datetime) -> bool:
    """These hours in one transaction with what the audit says of them. False where another run has folded them."""
    with room.store.work() as work:
        if not work.fold(hours, sum(len(keys) for keys in folds.values()), now):
            return False
        for (camera, hour, outcome, reason), keys in sorted(folds.items()):
            fold = LedgerFold(camera, hour, outcome, reason, len(keys), digest(sorted(keys)))
            work.audit(system_act(now, ACTOR, "frames_not_searched", camera, asdict(fold)))
    return True


def _unsearched(room: RetainRoom, rows: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
    """Without those whose search was committed: the audit has them, even where a crash left the ledger to say stale."""
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        with room.store.work() as work:
            searched = work.searched([row.key for row in some])
        yield from (row for row in some if row.key not in searched)
