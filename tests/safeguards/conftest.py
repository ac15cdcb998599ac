"""A house on the session's database, emptied for each test. Test modules name the plugin tests.databases."""

from collections.abc import Iterator

import pytest

from tests.embedded_database import Database
from tests.safeguards.house import House


@pytest.fixture
def house(clean_database: Database) -> Iterator[House]:
    made = House(clean_database)
    made.register()
    yield made
    made.close()
