"""The database that tests share: an embedded PostgreSQL, migrated. Its fixtures are in tests/databases.py."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.postgres import embedded_postgres, role_urls


@contextmanager
def server_or_skip(folder: Path) -> Iterator[str]:
    """A server with an empty database: the address of its superuser. Skips, with the reason, where none can be."""
    with ExitStack() as running:
        try:
            url = running.enter_context(embedded_postgres(folder))
        except ConfigurationFault as fault:
            pytest.skip(f"no embedded PostgreSQL here: {fault}")
        yield url


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
