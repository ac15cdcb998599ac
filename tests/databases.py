"""A pytest plugin: one embedded PostgreSQL a test session, migrated once, emptied for each test that asks for it.

Use it by `pytest_plugins = ["tests.databases"]` in the top conftest, or by importing the fixtures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.postgres import embedded_postgres, role_urls
from proviso.store.migrations import ROLES, migrate


@dataclass(frozen=True)
class Database:
    """A migrated database. Local connections are trusted, so the roles' addresses carry no password."""

    master_url: str

    def url(self, role: str) -> str:
        """Where a login role connects: `proviso_match` or, for short, `match`."""
        name = role if role.startswith("proviso_") else f"proviso_{role}"
        return role_urls(self.master_url, [name])[name]

    def empty(self) -> None:
        """Delete every row. Triggers are off for it, because most tables refuse to be emptied."""
        with psycopg.connect(self.master_url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class"
                " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migration'"
            ).fetchone()
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {found[0] if found else ''}".encode())


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The session's database, shared: see `clean_database` for one without rows."""
    data: Path = tmp_path_factory.mktemp("database") / "data"
    try:
        server = embedded_postgres(data)
        url = server.__enter__()
    except ConfigurationFault as fault:
        pytest.skip(f"no embedded PostgreSQL here: {fault}")
    try:
        migrate(url, first_authoriser=None, role_passwords=None, iam=False, clock=lambda: datetime.now(UTC))
        assert ROLES
        yield Database(url)
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def clean_database(migrated_database: Database) -> Database:
    """The session's database without a row in it."""
    migrated_database.empty()
    return migrated_database
