"""A database at zero capacity refuses or does not answer while it resumes; asking it is what wakes it."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from proviso.domain.errors import DatabaseAway
from proviso.domain.ports import Clock

PAUSE_S = 2.0
DoneT = TypeVar("DoneT")


def when_awake(act: Callable[[], DoneT], *, clock: Clock, wait: Callable[[float], None], give_up_at: datetime) -> DoneT:
    """Do it, again and again while the database is away, and return what it gave. `act` must bear being repeated.

    Raises DatabaseAway when it still is away at `give_up_at`.
    """
    while True:
        try:
            return act()
        except DatabaseAway:
            if clock() >= give_up_at:
                raise
            wait(PAUSE_S)
