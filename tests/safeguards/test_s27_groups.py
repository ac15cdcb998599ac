"""S27: nothing is tested by group yet, and no figure pretends to be such a test.

Equality Act s.149; Essex trial 2026. Without groups recorded there is nothing to test, and "not measured" is the only
true answer. So no table, field or route has a rate by group that somebody could take for one.
"""

import pytest

from tests.safeguards.demographics import columns, fields_of_the_domain, telling
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


def test_no_rate_by_group_is_kept_or_shown(house: House):
    names = columns(house) + fields_of_the_domain()
    rates = [name for name in names if any(word in name for word in ("fpir", "rate", "false_"))]
    assert telling(rates) == []


def test_said_plainly_nothing_is_suspended_for_a_group(house: House):
    """Not there: candidates know no group, so a difference between groups shows nowhere."""
    assert telling([name for name in columns(house) if name.startswith(("candidate", "review", "sighting"))]) == []
