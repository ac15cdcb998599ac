"""A database that was made of a snapshot is seen by retain, though nobody asks for it (S23)."""

from proviso.domain.ports import Clock, DueStore
from proviso.domain.retention import RESTORED_AFTER, RESTORED_DUE


def wake_for_restored(*, due: DueStore, clock: Clock) -> None:
    """Have retain woken, so that what was erased since the snapshot is erased again."""
    now = clock()
    for number, after in enumerate(RESTORED_AFTER, start=1):
        due.put(f"{RESTORED_DUE}{number}", now + after)
