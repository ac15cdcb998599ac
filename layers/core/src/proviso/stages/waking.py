"""A database at zero capacity refuses or does not answer while it resumes; asking it is what wakes it."""

from collections.abc import Callable
from datetime import datetime

from proviso.domain.errors import DatabaseAway
from proviso.domain.ports import Clock

PAUSE_S = 2.0


def wait_until_awake(
    connect: Callable[[], None], *, clock: Clock, wait: Callable[[float], None], give_up_at: datetime
) -> None:
    """Connect to a database that may be resuming, again and again. DatabaseAway when it is away at `give_up_at`."""
    while True:
        try:
            connect()
        except DatabaseAway:
            if clock() >= give_up_at:
                raise
            wait(PAUSE_S)
        else:
            return
