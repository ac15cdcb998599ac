"""Which migrations the database has that this build does not know of."""

from functools import cache
from importlib.resources import files

from proviso.store.connection import Session


@cache
def known() -> frozenset[str]:
    """Names of the files that this build ships."""
    folder = files("proviso.store") / "migrations"
    return frozenset(item.name for item in folder.iterdir() if item.name.endswith(".sql"))


class SchemaTable:
    """The database's own list of what was applied, in one transaction."""

    _session: Session

    def unknown_migrations(self) -> list[str]:
        rows = self._session.rows("SELECT name FROM schema_migration ORDER BY name")
        return [row["name"] for row in rows if row["name"] not in known()]
