"""Which migrations this build ships, and which the database has that it does not know of."""

from functools import cache
from importlib.resources import files

from proviso.store.connection import Session

MIGRATIONS = files("proviso.store") / "migrations"


@cache
def known() -> tuple[str, ...]:
    """Names of the files that this build ships, in their order."""
    return tuple(sorted(item.name for item in MIGRATIONS.iterdir() if item.name.endswith(".sql")))


class SchemaTable:
    """The database's own list of what was applied, in one transaction."""

    _session: Session

    def unknown_migrations(self) -> list[str]:
        rows = self._session.rows("SELECT name FROM schema_migration ORDER BY name")
        return [row["name"] for row in rows if row["name"] not in known()]
