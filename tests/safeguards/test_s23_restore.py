"""S23: a restored backup brings nothing back that was erased. Before retain has come by nothing is searched either,
because the permit is gone; and its first run erases again, whatever the database has come to believe.
"""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from proviso import wiring
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import StorageFault
from proviso.domain.frame import Outcome
from proviso.domain.reasons import Refused
from proviso.domain.retention import Erasure
from proviso.stages import watchlist
from proviso.stages.anchor import anchor_now
from proviso.store.migrations import migrate
from proviso.store.restored import stop_restored
from proviso.wiring import schema
from tests.embedded_database import Database
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

_numbers = itertools.count(1)
Restore = Callable[[], None]


@pytest.fixture
def own(migrated_database: Database) -> Iterator[tuple[House, Callable[[], Restore]]]:
    """A house on a database of its own; and how to take a backup of it, which gives back how to restore that."""
    number = next(_numbers)
    name, kept = f"restored_{number}", f"backup_{number}"
    url = make_conninfo(**{**conninfo_to_dict(migrated_database.master_url), "dbname": name})

    def run(*statements: str) -> None:
        with psycopg.connect(migrated_database.master_url, autocommit=True) as master:
            for statement in statements:
                words = statement.format(own=f'"{name}"', kept=f'"{kept}"')
                master.execute(sql.SQL(words))  # type: ignore[arg-type]

    run("CREATE DATABASE {own}")
    migrate(url, first_authoriser=None, role_passwords=None, iam=False, clock=lambda: datetime.now(UTC))
    house = House(Database(url))
    house.register()

    def back_up() -> Restore:
        house.close()
        run("CREATE DATABASE {kept} TEMPLATE {own}")

        def restore() -> None:
            house.close()
            run("DROP DATABASE {own} WITH (FORCE)", "CREATE DATABASE {own} TEMPLATE {kept}")
            # A copy has no rights on the database itself; a restored snapshot has them.
            run(*(f"GRANT CONNECT ON DATABASE {{own}} TO proviso_{role}" for role in ("match", "govern", "retain")))

        return restore

    yield house, back_up
    house.close()
    run("DROP DATABASE IF EXISTS {kept} WITH (FORCE)", "DROP DATABASE IF EXISTS {own} WITH (FORCE)")


def listed(house: House, list_id: str) -> tuple[int, int]:
    """(templates, entries with a name) of a list."""
    templates = house.one("SELECT count(*) FROM reference_template WHERE watchlist_id = %(id)s", id=list_id)
    named = house.one("SELECT count(*) FROM entry WHERE watchlist_id = %(id)s AND label <> ''", id=list_id)
    return templates, named


def remove(house: House, list_id: str, entry_id: str) -> None:
    removed = watchlist.remove_entry(
        principal=house.person("officer"),
        watchlist_id=list_id,
        entry_id=entry_id,
        store=house.govern,
        subjects=house.subjects,
        anchors=house.anchors,
        clock=house.now,
    )
    assert removed is True


def test_nothing_that_was_erased_is_back(own: tuple[House, Callable[[], Restore]]) -> None:
    house, back_up = own
    gone, _ = house.listed(3, 4)
    other, entries = house.listed(5, 6)
    active = house.running(gone)
    assert house.see(3).counts.candidates == 1
    restore = back_up()

    house.stop(active.id)
    house.due.put(active.id, house.now())
    assert house.retain().closed == (active.id,)
    remove(house, other, entries[0])
    assert listed(house, gone) == (0, 0)

    restore()
    assert listed(house, gone) == (2, 2), "the restore brought nothing back, and this proves nothing"
    assert house.one("SELECT removed_at FROM entry WHERE id = %(id)s", id=entries[0]) is None
    assert house.deployment(active.id).state is DeploymentState.ACTIVE
    # The database believes that it is active; the permit, which no restore brings back, is gone.
    assert house.see(3).outcome is Outcome.REFUSED

    done = house.retain()
    assert done.replayed == 2
    assert listed(house, gone) == (0, 0)
    assert house.one("SELECT count(*) FROM reference WHERE watchlist_id = %(id)s", id=gone) == 0
    assert house.one("SELECT removed_at FROM entry WHERE id = %(id)s", id=entries[0]) is not None
    assert house.deployment(active.id).state is DeploymentState.STOPPED
    house.due.put(active.id, house.now())
    assert house.retain().closed == (active.id,)  # after a look into the queues that is newer than its stop
    assert house.certificate(active.id) is not None
    assert house.see(3).outcome is Outcome.REFUSED
    recorded = house.one(
        "SELECT count(*) FROM audit_event WHERE convert_from(body, 'UTF8')::jsonb ->> 'action' = 'erasure_replayed'"
    )
    assert recorded == 2
    # What was not erased is as it was.
    assert listed(house, other) == (2, 2)
    assert house.one("SELECT count(*) FROM entry WHERE watchlist_id = %(id)s AND removed_at IS NULL", id=other) == 1
    assert house.retain().replayed == 0


def test_a_search_finds_nobody_who_was_removed_before_the_restore(own: tuple[House, Callable[[], Restore]]) -> None:
    """The deployment goes on; the person who was taken off its list meanwhile stays off it."""
    house, back_up = own
    list_id, entries = house.listed(3, 4)
    house.running(list_id)
    restore = back_up()
    remove(house, list_id, entries[0])
    assert house.see(3).counts.candidates == 0
    restore()
    assert house.retain().replayed == 1
    assert house.see(3).counts.candidates == 0
    assert house.see(4).counts.candidates == 1


def test_a_deployment_that_was_only_stopped_is_not_searched_after_a_restore(
    own: tuple[House, Callable[[], Restore]],
) -> None:
    """Nothing of it was erased yet, so nothing is replayed: what holds is the permit, which is gone."""
    house, back_up = own
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    restore = back_up()
    house.stop(active.id)
    restore()
    house.retain()
    assert house.see(3).outcome is Outcome.REFUSED


@pytest.mark.safeguard("S04", "S23", "S29")
def test_a_database_whose_audit_ends_before_its_anchors_is_stopped_whole(
    own: tuple[House, Callable[[], Restore]],
) -> None:
    """Somebody could start again what was stopped since the backup; so nothing of an older database goes on."""
    house, back_up = own
    stopped, other = house.running(house.listed(3)[0]), house.running(house.listed(4)[0], cameras=("gate-2",))
    restore = back_up()
    house.stop(stopped.id)
    house.retain()  # anchors the stop
    restore()
    assert house.deployment(stopped.id).state is DeploymentState.ACTIVE
    assert house.retain().stopped == 2
    assert {house.deployment(one.id).state for one in (stopped, other)} == {DeploymentState.STOPPED}
    assert house.permits.objects == {}
    assert isinstance(house.start(stopped.id), Refused)
    said = "convert_from(body, 'UTF8')::jsonb ->> 'action' = 'records_missing'"
    assert house.one(f"SELECT count(*) FROM audit_event WHERE chain = 'system' AND {said}") == 1
    # What is there now is anchored with that, so that a new deployment is not stopped a minute later.
    again = house.running(house.listed(5)[0])
    assert house.retain().stopped == 0
    assert house.deployment(again.id).state is DeploymentState.ACTIVE


@pytest.mark.safeguard("S04", "S23")
def test_what_was_stopped_since_stays_stopped_though_somebody_acts_before_retain_comes_by(
    own: tuple[House, Callable[[], Restore]],
) -> None:
    """Their act is anchored, and from then on the newest anchor is of the restored audit: retain finds no gap. So it is
    stopped when the database takes its place, before anybody may connect."""
    house, back_up = own
    stopped, other = house.running(house.listed(3)[0]), house.running(house.listed(4)[0], cameras=("gate-2",))
    restore = back_up()
    house.stop(stopped.id)
    house.retain()
    restore()
    assert stop_restored(house.database.master_url, clock=house.now) == 2
    house.listed(6)
    anchor_now(store=house.govern, anchors=house.anchors, due=house.due, clock=house.now, deployment_id=other.id)
    house.retain()
    assert {house.deployment(one.id).state for one in (stopped, other)} == {DeploymentState.STOPPED}
    assert isinstance(house.start(stopped.id), Refused)
    assert house.see(4).outcome is Outcome.REFUSED
    assert stop_restored(house.database.master_url, clock=house.now) == 0


@pytest.mark.safeguard("S23")
def test_a_restored_database_wakes_retain_by_itself_also_when_the_first_run_met_the_one_before(
    own: tuple[House, Callable[[], Restore]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to remember it: what was erased since the snapshot is erased again within the hour. migrate is done
    before retain knows the new address, so one run may still be in the database before."""
    house, back_up = own
    list_id, _ = house.listed(3)
    restore = back_up()
    watchlist.delete(
        principal=house.person("officer"), watchlist_id=list_id, store=house.govern, due=house.due, clock=house.now
    )
    house.retain()
    restore()
    monkeypatch.setenv("PERMITS_BUCKET", "permits")
    monkeypatch.setenv("DATABASE_URL", house.database.master_url)
    monkeypatch.setattr("proviso.cloud.clients.client", lambda *_: None)
    monkeypatch.setattr("proviso.cloud.permits.S3Due", lambda *_: house.due)
    monkeypatch.setattr(wiring, "now", house.now)
    wiring._read.cache_clear()
    house.due.objects.clear()
    schema.stop_restored()
    wiring._read.cache_clear()
    assert house.sweep()["woken"] == 0
    house.skew += timedelta(minutes=5)
    assert (house.sweep()["woken"], house.due.due(house.now())) == (1, ["restored-1"])
    house.due.delete("restored-1")  # by a run in the database before
    house.skew += timedelta(minutes=55)
    assert (house.sweep()["woken"], house.due.due(house.now())) == (1, ["restored-2"])
    assert house.retain().replayed == 1
    assert set(house.due.objects) & {"restored-1", "restored-2"} == set()
    assert listed(house, list_id) == (0, 0)


def test_an_erasure_by_itself_is_replayed_too(own: tuple[House, Callable[[], Restore]]) -> None:
    house, back_up = own
    list_id, _ = house.listed(3)
    restore = back_up()
    watchlist.delete(
        principal=house.person("officer"), watchlist_id=list_id, store=house.govern, due=house.due, clock=house.now
    )
    assert house.retain().lists_erased == (list_id,)
    restore()
    done = house.retain()
    assert (done.replayed, done.lists_erased) == (1, (list_id,))
    assert listed(house, list_id) == (0, 0)


def test_days_after_the_restore_it_is_all_the_same(own: tuple[House, Callable[[], Restore]]) -> None:
    house, back_up = own
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    restore = back_up()
    house.stop(active.id)
    house.due.put(active.id, house.now())
    house.retain()
    restore()
    house.skew = timedelta(days=3)
    house.retain()
    assert listed(house, list_id) == (0, 0)
    assert house.deployment(active.id).state is DeploymentState.CLOSED


def test_a_removal_whose_note_could_not_be_written_outside_is_noted_by_the_next_run(
    own: tuple[House, Callable[[], Restore]],
) -> None:
    house, _ = own
    list_id, entries = house.listed(3)
    house.anchors.faults["put_erasure"] = StorageFault("denied")
    remove(house, list_id, entries[0])
    house.anchors.faults.clear()
    house.retain()
    assert house.anchors.erased_names() == {("entry", entries[0])}


def test_an_erasure_of_what_was_never_there_harms_nobody(own: tuple[House, Callable[[], Restore]]) -> None:
    """Who may write into the bucket can at most have erased what is named."""
    house, _ = own
    list_id, _ = house.listed(3)
    for kind in ("list", "entry", "candidate_evidence"):
        house.anchors.put_erasure(Erasure(kind, "unknown", house.now()))  # type: ignore[arg-type]
    assert house.retain().replayed == 0
    assert listed(house, list_id) == (1, 1)
