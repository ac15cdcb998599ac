"""What is done to a database that the functions do not fit any more, before any of them may connect to it: it was made
of a snapshot, or its schema is newer than they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from proviso.domain.audit import deployment_act, system_act
from proviso.domain.ports import StopRecord
from proviso.store.connection import Connector, Session
from proviso.store.retention import PostgresRetainWork

_ACTOR = "function:migrate"


def stop_restored(master_conninfo: str, *, clock: Callable[[], datetime]) -> int:
    """Stop all that the snapshot holds as live; how many deployments that were (S04, S23).

    A stop that was given since the snapshot never happened in it. retain finds that out by the audit's anchors, but
    only while nobody has acted in it: the next anchor would be of the restored audit, and hide the gap.
    """
    now = clock()
    with _transaction(master_conninfo) as session:
        return _stop_all(session, now, "database_restored", "the database was made of a snapshot")


def stop_before_older_build(master_conninfo: str, version: int, *, clock: Callable[[], datetime]) -> int | None:
    """Stop all that is live where an update was taken back to schema `version` and its migrations stay; how many
    deployments that were. None, and nothing stopped, where the database has no migration after `version`.

    Taken back, the build is again the one under which they were authorised, so nothing else would end them (S03, S36).
    """
    now = clock()
    with _transaction(master_conninfo) as session:
        if session.value("SELECT max(left(name, 4)::integer) FROM schema_migration") <= version:
            return None
        return _stop_all(session, now, "schema_kept", "the schema is newer than the build")


@contextmanager
def _transaction(master_conninfo: str) -> Iterator[Session]:
    connector = Connector(lambda: master_conninfo, application_name="proviso-migrate", connect_timeout_s=30)
    try:
        with connector.transaction() as session:
            yield session
    finally:
        connector.close()


def _stop_all(session: Session, now: datetime, what: str, why: str) -> int:
    work = PostgresRetainWork(session)
    stopped = work.carry_out_stop(StopRecord(what, now, _ACTOR, None), now)
    for deployment in stopped:
        work.audit(deployment_act(deployment.id, now, _ACTOR, "deployment_stopped", {"why": why}))
    work.audit(system_act(now, _ACTOR, what, "database", {"stopped": len(stopped)}))
    return len(stopped)
