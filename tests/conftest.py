"""For all tests."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """The functions turn the collector off until their first invocation; a process of tests lives longer."""
    gc.enable()
    yield
    gc.enable()
