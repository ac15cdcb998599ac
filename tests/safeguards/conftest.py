"""A house on the session's database, emptied for each test. Test modules name the plugin tests.databases."""

from collections.abc import Iterator

import pytest

from tests.embedded_database import Database
from tests.safeguards.house import House
from tests.template.conftest import ROOT, Template, read


@pytest.fixture
def house(clean_database: Database) -> Iterator[House]:
    made = House(clean_database)
    made.register()
    yield made
    made.close()


@pytest.fixture(scope="session")
def compiled() -> Template:
    """The template as CloudFormation gets it: what each function's IAM role may do. moto holds no rights to it."""
    return read(ROOT / "template.yaml")
