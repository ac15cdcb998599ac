"""Calibrations in the database: what comes with packs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from proviso.domain.calibration import Calibration
from proviso.domain.calibration_json import from_json, to_json
from proviso.evaluation.calibrate import calibrate
from proviso.store.calibrations import put_shipped
from proviso.store.connection import Connector
from proviso.store.govern import PostgresGovernStore
from proviso.store.migrations import migrate
from tests.embedded_database import Database
from tests.evaluations import evaluation

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
LISTS = {"mixed": 900, "gender=female": 450, "race=black": 60}


def made(**changed) -> Calibration:
    found = calibrate([evaluation(LISTS, frames=(1, 2))], 0.01)
    return replace(found, recorded_by="pack", **changed)


def put(database: Database, *calibrations: Calibration) -> None:
    """As a deployment does it."""
    migrate(
        database.master_url,
        first_authoriser=None,
        role_passwords=None,
        iam=False,
        clock=lambda: datetime.now(UTC),
        calibrations=calibrations,
    )


@pytest.fixture
def store(clean_database: Database) -> Iterator[PostgresGovernStore]:
    connector = Connector(lambda: clean_database.url("govern"), connect_timeout_s=5)
    yield PostgresGovernStore(connector)
    connector.close()


# --- what comes with a pack -------------------------------------------------------------------------------------------


def test_it_is_read_as_it_was_shipped(clean_database: Database, store: PostgresGovernStore) -> None:
    shipped = made()
    put(clean_database, shipped)
    with store.work() as work:
        found = work.calibration_for(shipped.pipeline)
        assert work.calibrations() == [found]
    assert found is not None
    assert set(found.groups) == set(shipped.groups)
    assert replace(found, groups=shipped.groups, strangers=shipped.strangers) == shipped
    assert from_json(to_json(shipped), "x", "pack") == shipped


def test_migrating_again_changes_nothing_and_says_nothing_again(clean_database: Database, store) -> None:
    put(clean_database, made())
    put(clean_database, made())
    later = made(id="later", made_at=datetime(2026, 11, 28, tzinfo=UTC).replace(year=2020))
    put(clean_database, made(), later)
    with store.work() as work:
        assert len(work.calibrations()) == 2
        acts = [record.body.decode() for record in work.audit_records("system")]
    recorded = [act for act in acts if "calibration_recorded" in act]
    assert len(recorded) == 2
    assert all("function:migrate" in act for act in recorded)


def test_the_latest_of_the_laboratory_is_taken(clean_database: Database, store: PostgresGovernStore) -> None:
    put(clean_database, made(id="earlier", made_at=datetime(2020, 1, 1, tzinfo=UTC)), made(id="later"))
    with store.work() as work:
        found = work.calibration_for(made().pipeline)
        assert work.calibration_for("b" * 64) is None
    assert found is not None
    assert found.id == "later"


def test_a_server_whose_clock_is_behind_still_gets_its_schema(clean_database: Database, store) -> None:
    ahead = made(id="ahead", made_at=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))
    put(clean_database, ahead)
    with store.work() as work:
        assert [one.id for one in work.calibrations()] == ["ahead"]


def test_a_pack_ships_no_site_trial(clean_database: Database) -> None:
    with pytest.raises(ValueError, match="no laboratory"):
        put_shipped(None, [made(kind="site_trial")], lambda: datetime.now(UTC))  # type: ignore[arg-type]
