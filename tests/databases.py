"""A pytest plugin: one embedded PostgreSQL a test session, migrated once, emptied for each test that asks for it.

A test module names it: `pytest_plugins = ["tests.databases"]`. Types come from tests.embedded_database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from proviso.store.migrations import migrate
from tests.embedded_database import Database, server_or_skip


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The session's database, shared: see `clean_database` for one without rows."""
    with server_or_skip(tmp_path_factory.mktemp("database") / "data") as url:
        migrate(url, first_authoriser=None, role_passwords=None, iam=False, clock=lambda: datetime.now(UTC))
        yield Database(url)


@pytest.fixture
def clean_database(migrated_database: Database) -> Database:
    """The session's database without a row in it."""
    migrated_database.empty()
    return migrated_database
