"""What is done to a database that was made of a snapshot, before any function may connect to it."""

from collections.abc import Callable
from datetime import datetime

from proviso.domain.audit import deployment_act, system_act
from proviso.domain.ports import DueStore, StopRecord
from proviso.domain.retention import RESTORED_AFTER, RESTORED_DUE
from proviso.store.connection import Connector
from proviso.store.retention import PostgresRetainWork

_ACTOR = "function:migrate"


def wake_for_restored(due: DueStore, *, clock: Callable[[], datetime]) -> None:
    """Have retain woken, so that what was erased since the snapshot is erased again though nobody asks for it (S23)."""
    now = clock()
    for number, after in enumerate(RESTORED_AFTER, start=1):
        due.put(f"{RESTORED_DUE}{number}", now + after)


def stop_restored(master_conninfo: str, *, clock: Callable[[], datetime]) -> int:
    """Stop all that the snapshot holds as live; how many deployments that were (S04, S23).

    A stop that was given since the snapshot never happened in it. retain finds that out by the audit's anchors, but
    only while nobody has acted in it: the next anchor would be of the restored audit, and hide the gap.
    """
    connector = Connector(lambda: master_conninfo, application_name="proviso-migrate", connect_timeout_s=60)
    now = clock()
    try:
        with connector.transaction() as session:
            work = PostgresRetainWork(session)
            stopped = work.carry_out_stop(StopRecord("restore", now, _ACTOR, None), now)
            for deployment in stopped:
                why = {"why": "the database was made of a snapshot"}
                work.audit(deployment_act(deployment.id, now, _ACTOR, "deployment_stopped", why))
            work.audit(system_act(now, _ACTOR, "database_restored", "database", {"stopped": len(stopped)}))
    finally:
        connector.close()
    return len(stopped)
