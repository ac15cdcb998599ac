"""S26: false matches that rise do not suspend a deployment yet: there is no such state, and nothing says that there is.

South Wales Police: 1 in 1,000. What is held here is that nobody is lulled: no state, record or figure claims a test
that is not done. Who sees too many false candidates has the stop (S04).
"""

import psycopg
import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


def test_nobody_writes_that_something_is_suspended(house: House):
    list_id, _ = house.listed(3)
    house.running(list_id)
    for role in ("govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            house.sql(role, "UPDATE deployment SET state = 'suspended'")
    assert "suspended" not in [state.value for state in DeploymentState]


def test_said_plainly_rejections_stop_nothing_by_themselves(house: House):
    """Not prevented: however many candidates are rejected, the deployment goes on until somebody stops it."""
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    for _ in range(4):
        house.see(3)
        house.decide(house.candidates[-1]["id"], Decision.REJECT)
    house.retain()
    assert [one["state"] for one in house.candidates] == ["rejected"] * 4
    assert house.deployment(active.id).state is DeploymentState.ACTIVE
    assert house.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%suspend%%'::bytea") == 0


@pytest.mark.safeguard("S19")
def test_said_plainly_nobodys_errors_are_measured(house: House):
    """Not there: candidates that are seeded to test a reviewer. Nothing in the schema could hold one."""
    named = house.sql("master", "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'")
    assert [row["column_name"] for row in named if "seed" in row["column_name"]] == []
