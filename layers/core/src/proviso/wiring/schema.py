"""What is done to the database as a whole: its schema, when a stack is deployed, and a look through its audit."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import proviso.wiring as wiring
from proviso import settings

DoneT = TypeVar("DoneT")
_WAITS = timedelta(seconds=150)
"""For the database to wake and to let this role in: what was allowed a moment ago is not known everywhere yet."""


def migrate(properties: Mapping[str, Any]) -> list[str]:
    """Bring the schema up to date as the database's master, and register the first authoriser. What was applied."""
    from proviso.store.migrations import migrate as apply
    from proviso.vision.calibrations import shipped_calibrations

    read = wiring._read(settings.Migrate)
    return _when_awake(
        read,
        lambda conninfo: apply(
            conninfo,
            first_authoriser=properties.get("FirstAuthoriser") or None,
            role_passwords=properties.get("RolePasswords") or None,
            iam=not read.database_url,
            clock=wiring.now,
            calibrations=shipped_calibrations(),
        ),
    )


def stop_restored() -> int:
    """Stop all that is live in a database that was made of a snapshot, and have retain woken for it. What is due is put
    down first: without it nothing is stopped, the update fails, and the database before stays in its place."""
    from proviso.cloud.clients import client
    from proviso.cloud.permits import S3Due
    from proviso.stages.restored import wake_for_restored
    from proviso.store.restored import stop_restored as stop

    read = wiring._read(settings.Migrate)
    wake_for_restored(due=S3Due(client("s3"), read.permits_bucket), clock=wiring.now)
    return _when_awake(read, lambda conninfo: stop(conninfo, clock=wiring.now))


def keep_schema(version: int) -> int | None:
    """A build of this schema version takes the place of a newer one, whose migrations stay: stop all that is live. None
    where the database has no newer migration."""
    from proviso.store.restored import stop_before_older_build

    read = wiring._read(settings.Migrate)
    return _when_awake(read, lambda conninfo: stop_before_older_build(conninfo, version, clock=wiring.now))


def _when_awake(read: settings.Migrate, act: Callable[[str], DoneT]) -> DoneT:
    """A deployment must not fail because the database sleeps, or refuses one sign-in. Each act is one transaction."""
    from proviso.stages.waking import when_awake

    conninfo = wiring._conninfo(read)
    return when_awake(lambda: act(conninfo()), clock=wiring.now, wait=time.sleep, give_up_at=wiring.now() + _WAITS)


def audit_database(url: str) -> Any:
    """The audit in a database, to be read and verified by whoever the address names; nothing is written."""
    from proviso.store.audit import PostgresAuditStore
    from proviso.store.connection import Connector

    return PostgresAuditStore(Connector(lambda: url, application_name="proviso-audit", statement_timeout_s=60))
