"""S03, S36: an update that is taken back leaves the schema of the newer build. In it the older one starts nothing, and
what ran before the update does not go on."""

from collections.abc import Iterator

import pytest

from proviso.domain.deployment import DeploymentState
from proviso.domain.frame import Outcome
from proviso.domain.reasons import Reason, Refused
from proviso.store.restored import stop_before_older_build
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
NEWER = 999


@pytest.fixture
def newer(house: House) -> Iterator[House]:
    """A house whose database has a migration that this build does not know of."""
    yield house
    house.sql("master", "DELETE FROM schema_migration WHERE name = '0999_of_tomorrow.sql' RETURNING name")


def migrated(house: House) -> None:
    house.sql(
        "master",
        "INSERT INTO schema_migration (name, digest, applied_at) VALUES ('0999_of_tomorrow.sql', 'x', now())"
        " RETURNING name",
    )


def refused(answer: object) -> bool:
    return (
        isinstance(answer, Refused) and answer.reason is Reason.SCHEMA_NEWER and answer.detail == "0999_of_tomorrow.sql"
    )


@pytest.mark.safeguard("S03", "S36")
def test_nothing_is_asked_for_authorised_or_started(newer: House) -> None:
    list_id, _ = newer.listed(3)
    asked = newer.requested(list_id)
    ready = newer.requested(list_id)
    assert not isinstance(newer.authorise(ready.id), Refused)
    migrated(newer)
    assert refused(newer.requested(list_id))
    assert refused(newer.authorise(asked.id))
    assert refused(newer.start(ready.id))
    assert [newer.deployment(one.id).state for one in (asked, ready)] == [
        DeploymentState.REQUESTED,
        DeploymentState.AUTHORISED,
    ]
    assert newer.permits.objects == {}


@pytest.mark.safeguard("S03", "S36")
def test_what_ran_before_the_update_does_not_go_on_though_the_build_is_again_its_own(newer: House) -> None:
    running = newer.running(newer.listed(3)[0])
    migrated(newer)
    assert stop_before_older_build(newer.database.master_url, NEWER, clock=newer.now) is None
    assert newer.deployment(running.id).state is DeploymentState.ACTIVE, "the schema is not newer than that"
    assert stop_before_older_build(newer.database.master_url, NEWER - 1, clock=newer.now) == 1
    assert newer.deployment(running.id).state is DeploymentState.STOPPED
    assert newer.see(3).outcome is not Outcome.SEARCHED
    assert refused(newer.start(running.id))
    assert stop_before_older_build(newer.database.master_url, NEWER - 1, clock=newer.now) == 0
    said = newer.sql(
        "master", "SELECT 1 FROM audit_event WHERE chain = 'system' AND body LIKE '%%schema_kept%%'::bytea"
    )
    assert len(said) == 2
