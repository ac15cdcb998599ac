"""Schema and login roles, made and brought up to date at deploy, by the master role alone.

Numbered files, each applied once, in order, all in one transaction under an advisory lock. What was applied is kept
with its digest: a file that changed after it was applied is refused, because then nobody could say what the schema is.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from proviso.domain.audit import system_act
from proviso.domain.calibration import Calibration
from proviso.domain.errors import ConfigurationFault, Fault, NewerSchema
from proviso.domain.people import Role
from proviso.store.audit import AuditTable
from proviso.store.calibrations import put_shipped
from proviso.store.connection import Connector, Session, translate
from proviso.store.known import MIGRATIONS, known

ROLES = ("proviso_match", "proviso_enrol", "proviso_govern", "proviso_review", "proviso_retain", "proviso_report")
_LOCK = 7_209_431_551
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped() -> list[Migration]:
    """The files of this package, in their order."""
    return [Migration(name, (MIGRATIONS / name).read_text(encoding="utf-8")) for name in known()]


def migrate(
    master_conninfo: str,
    *,
    first_authoriser: str | None,
    role_passwords: Mapping[str, str] | None,
    iam: bool,
    clock: Callable[[], datetime],
    migrations: Sequence[Migration] | None = None,
    calibrations: Sequence[Calibration] = (),
) -> list[str]:
    """Bring the database up to date; the names of the files applied now. All or nothing.

    `role_passwords` sets passwords ({role: password}: the local cloud's way), `iam` lets the roles sign in by token.
    `first_authoriser` is registered when nobody is an authoriser yet: somebody has to be the first, and it is recorded
    in the system chain. `calibrations` come with the packs and are put there where they are missing (S13).
    ConfigurationFault when an applied file changed or is gone; DatabaseAway.
    """
    connector = Connector(
        lambda: master_conninfo,
        application_name="proviso-migrate",
        connect_timeout_s=30,
        statement_timeout_s=180,
        lock_timeout_s=60,
        idle_in_transaction_s=60,
    )
    try:
        with connector.transaction() as session:
            session.tuples("SELECT pg_advisory_xact_lock(%(lock)s)::text", {"lock": _LOCK})
            _login_roles(session, role_passwords or {}, iam)
            applied = _apply(session, list(migrations) if migrations is not None else shipped(), clock)
            put_shipped(session, calibrations, clock)
            if first_authoriser:
                _register_first(session, first_authoriser, clock)
            return applied
    finally:
        connector.close()


def _apply(session: Session, wanted: list[Migration], clock: Callable[[], datetime]) -> list[str]:
    session.change(_LEDGER)
    done = {row["name"]: row["digest"] for row in session.rows("SELECT name, digest FROM schema_migration")}
    names = [migration.name for migration in wanted]
    if missing := sorted(set(done) - set(names)):
        raise NewerSchema(
            f"the database was migrated by a newer version: it has {', '.join(missing)}; deploy that version or a later"
        )
    applied = []
    for migration in wanted:
        if migration.name in done:
            if done[migration.name] != migration.digest:
                raise ConfigurationFault(
                    f"{migration.name} was changed after it was applied: write a new file instead "
                    f"(applied {done[migration.name][:12]}, found {migration.digest[:12]})"
                )
            continue
        _run_file(session, migration)
        session.change(
            "INSERT INTO schema_migration (name, digest, applied_at) VALUES (%(name)s, %(digest)s, %(at)s)",
            {"name": migration.name, "digest": migration.digest, "at": clock()},
        )
        applied.append(migration.name)
    return applied


def _run_file(session: Session, migration: Migration) -> None:
    fault: Fault | None = None
    try:
        session.script(migration.text)
    except psycopg.Error as error:
        # A migration carries no one's data, so here, and only here, the server's own words help.
        fault = ConfigurationFault(f"{migration.name}: {error.diag.message_primary or translate(error)}")
    if fault is not None:
        raise fault


def _login_roles(session: Session, passwords: Mapping[str, str], iam: bool) -> None:
    if unknown := sorted(set(passwords) - set(ROLES)):
        raise ConfigurationFault(f"unknown login roles: {', '.join(unknown)}")
    present = {row["rolname"] for row in session.rows("SELECT rolname FROM pg_roles")}
    if iam and "rds_iam" not in present:
        raise ConfigurationFault("sign-in by IAM token was asked for, but this server has no role rds_iam")
    for role in ROLES:
        name = sql.Identifier(role)
        if role not in present:
            session.change(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
        if role in passwords:
            session.change(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(passwords[role])))
        if iam:
            session.change(sql.SQL("GRANT rds_iam TO {}").format(name))


def _register_first(session: Session, sub: str, clock: Callable[[], datetime]) -> None:
    registered = session.change(
        """
        INSERT INTO person (sub, roles)
        SELECT %(sub)s, ARRAY['authoriser']
        WHERE NOT EXISTS (SELECT FROM person WHERE 'authoriser' = ANY (roles))
        ON CONFLICT (sub) DO UPDATE SET roles = array_append(person.roles, 'authoriser')
        """,
        {"sub": sub},
    )
    if registered:
        details: dict[str, Any] = {"roles": [Role.AUTHORISER.value], "first": True}
        AuditTable(session).audit(system_act(clock(), "function:migrate", "person_registered", sub, details))
