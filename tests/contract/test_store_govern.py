"""People, watchlists, builds, deployments and the audit chain, as govern and enrol see them (S02 to S06, S29)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pytest

from proviso.domain.audit import SYSTEM_CHAIN, first_fault
from proviso.domain.deployment import DeploymentState, Grounds
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.watchlist import build_digest
from proviso.store.connection import RuleBroken
from tests.contract.store_samples import GROUNDS, PIPELINE, House, act, house, name, near, now, unit
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
Execute = Callable[..., Any]


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        made.people()
        yield made


@pytest.fixture
def as_master(rooms: House) -> Iterator[Execute]:
    """Statements as the owner of everything, triggers on: what a person at a prompt could try."""
    with psycopg.connect(rooms.database.master_url, autocommit=True) as connection:
        yield lambda statement, *values: connection.execute(statement.encode(), values or None)


# --- people ----------------------------------------------------------------------------------------------------------


def test_a_person_is_registered_and_changed(rooms: House) -> None:
    with rooms.govern().work() as work:
        assert work.person("nobody") is None
        trained = Person("officer", frozenset({Role.WATCHLIST_OFFICER, Role.AUDITOR}), now() + timedelta(days=9))
        work.register(trained)
        work.register(Person("gone", frozenset()))
        assert work.person("officer") == trained
        assert [person.sub for person in work.people()] == sorted(
            ["requester", "authoriser", "officer", "reviewer", "second-reviewer", "gone"]
        )


# --- watchlists ------------------------------------------------------------------------------------------------------


def test_a_watchlist_counts_what_is_on_it(rooms: House) -> None:
    made = rooms.watchlist()
    entry, other = rooms.entry(made.id), rooms.entry(made.id)
    for vector in unit(np.random.default_rng(1), 2):
        rooms.reference(entry, vector)
    with rooms.govern().work() as work:
        assert work.watchlist(made.id, lock=True) == replace(made, entries=2, references=2)
        assert work.watchlists() == [replace(made, entries=2, references=2)]
        assert work.entries(made.id) == [replace(entry, references=2), other]
        assert work.entry(made.id, entry.id) == replace(entry, references=2)
        assert work.entry("another-list", entry.id) is None
        assert work.watchlist("none") is None
        at = now()
        assert work.remove_entry(made.id, entry.id, at)
        assert work.remove_entry(made.id, entry.id, at + timedelta(days=1))
        assert not work.remove_entry(made.id, "none", at)
        found = work.entry(made.id, entry.id)
        assert found is not None
        assert found.removed_at == at
        assert work.watchlist(made.id) == replace(made, entries=1, references=0)


@pytest.mark.parametrize("blank", ["label", "category", "reason", "source", "lawful_holding", "reference_no"])
def test_an_entry_without_its_grounds_is_refused(rooms: House, blank: str) -> None:
    """S06, held by the table itself."""
    made = rooms.watchlist()
    with pytest.raises(RuleBroken, match=f"(s06|s31)_{blank}"):
        rooms.entry(made.id, **{blank: "  "})
    with rooms.govern().work() as work:
        assert work.entries(made.id) == []


def test_a_picture_is_found_by_its_digest_for_its_own_entry_and_pipeline_only(rooms: House) -> None:
    made = rooms.watchlist()
    entry, other = rooms.entry(made.id), rooms.entry(made.id)
    reference = rooms.reference(entry, unit(np.random.default_rng(1))[0])
    for role in ("govern", "enrol"):
        with rooms.govern(role).work() as work:
            assert work.reference_of(entry.id, reference.image_digest, PIPELINE) == reference.id
            assert work.reference_of(entry.id, reference.image_digest, "q" * 64) is None
            assert work.reference_of(entry.id, "0" * 64, PIPELINE) is None
            assert work.reference_of(other.id, reference.image_digest, PIPELINE) is None


def test_a_reference_number_is_taken_on_its_own_list_even_by_a_removed_entry(rooms: House) -> None:
    made, another = rooms.watchlist(), rooms.watchlist()
    entry = rooms.entry(made.id, reference_no="R-taken")
    with rooms.govern().work() as work:
        work.remove_entry(made.id, entry.id, now())
        assert work.reference_taken(made.id, "R-taken")
        assert not work.reference_taken(made.id, "R-free")
        assert not work.reference_taken(another.id, "R-taken")


def test_an_entry_cannot_be_rewritten(rooms: House, as_master: Execute) -> None:
    entry = rooms.entry(rooms.watchlist().id)
    for change in ("reason = 'other'", "category = 'other'", "added_by = 'x'", "label = 'x'"):
        with pytest.raises(psycopg.DatabaseError, match="can only be approved, removed or erased"):
            as_master(f"UPDATE entry SET {change}")
    with rooms.govern().work() as work:
        assert work.remove_entry(entry.watchlist_id, entry.id, now())
    with pytest.raises(psycopg.DatabaseError, match="can only be approved, removed"):
        as_master("UPDATE entry SET removed_at = NULL")
    with pytest.raises(psycopg.DatabaseError, match="append-only"):
        as_master("DELETE FROM entry")


def test_a_build_is_a_snapshot(rooms: House, as_master: Execute) -> None:
    made = rooms.watchlist()
    with rooms.govern().work() as work:
        assert work.add_build(name("b"), made.id, PIPELINE, "officer", now()) == Refused(Reason.BUILD_EMPTY)
    entry, gone = rooms.entry(made.id), rooms.entry(made.id)
    vectors = unit(np.random.default_rng(1), 4)
    alike = near(vectors[0], 0.5, np.random.default_rng(2))
    first, second = rooms.reference(entry, vectors[0]), rooms.reference(entry, alike)
    rooms.reference(gone, vectors[2])
    rooms.reference(entry, vectors[3], "q" * 64)
    with rooms.govern().work() as work:
        work.remove_entry(made.id, gone.id, now())
    build = rooms.build(made.id)
    assert (build.entries, build.references) == (1, 2)
    rows = [(first.id, entry.id, first.image_digest), (second.id, entry.id, second.image_digest)]
    assert build.digest == build_digest(made.id, PIPELINE, rows)
    with rooms.govern().work() as work:
        assert work.build(build.id) == build
        assert work.build("none") is None
        assert work.warm(build.id) == 1
        work.remove_entry(made.id, entry.id, now())
        assert work.warm(build.id) == 0
    later = rooms.reference(rooms.entry(made.id), vectors[2])
    for change in ("UPDATE build SET entries = 5", "DELETE FROM build", "UPDATE build_reference SET entry_id = 'x'"):
        with pytest.raises(psycopg.DatabaseError, match="append-only"):
            as_master(change)
    with pytest.raises(psycopg.DatabaseError, match="never changes"):
        as_master("INSERT INTO build_reference VALUES (%s, %s, %s)", build.id, later.id, later.entry_id)


def test_a_cap_that_was_checked_holds(rooms: House) -> None:
    """Two officers adding at once: the second counts what the first committed."""
    made = rooms.watchlist()
    with rooms.govern().work() as work:
        assert work.watchlist(made.id, lock=True) is not None
        with psycopg.connect(rooms.database.url("govern")) as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SELECT 1 FROM watchlist FOR NO KEY UPDATE NOWAIT")


# --- deployments -----------------------------------------------------------------------------------------------------


@pytest.fixture
def build(rooms: House) -> Any:
    entry = rooms.entry(rooms.watchlist().id)
    rooms.reference(entry, unit(np.random.default_rng(1))[0])
    return rooms.build(entry.watchlist_id)


def test_a_deployment_is_kept_as_it_was_asked_for(rooms: House, build: Any) -> None:
    made = rooms.requested(build, cameras=("gate-2", "gate-1"), threshold=Decimal("0.4200"))
    with rooms.govern().work() as work:
        found = work.deployment(made.id, lock=True)
        assert found == made
        assert found is not None
        assert found.digest == made.digest
        assert work.deployment("none", lock=True) is None
    later = rooms.requested(build, requested_at=now() + timedelta(seconds=1))
    with rooms.govern().work() as work:
        assert work.deployments() == [later, made]


@pytest.mark.parametrize("blank", [*GROUNDS.__slots__])
def test_a_request_without_a_ground_is_refused(rooms: House, build: Any, blank: str) -> None:
    """S02, held by the table itself."""
    with pytest.raises(RuleBroken, match=r"s02_grounds|does not know this use, operator"):
        rooms.requested(build, grounds=replace(GROUNDS, **{blank: " \n"}))


def test_a_request_that_is_authorised_already_is_refused(rooms: House, build: Any) -> None:
    with pytest.raises(RuleBroken, match="begins as requested"):
        rooms.requested(build, state=DeploymentState.ACTIVE)
    with pytest.raises(RuleBroken, match="s05_window"):
        rooms.requested(build, starts_at=now(), ends_at=now() - timedelta(minutes=1))
    with pytest.raises(RuleBroken):
        rooms.requested(build, pipeline="q" * 64)


def test_another_person_authorises(rooms: House, build: Any, as_master: Execute) -> None:
    """S03: in the statement, in a constraint, and for somebody who writes past the program."""
    made = rooms.requested(build)
    with rooms.govern().work() as work:
        assert work.authorise(made.id, "requester", now(), made.digest)
    change = (
        "UPDATE deployment SET state = 'authorised', authorised_by = %s, authorised_at = now(), authorised_digest = 'x'"
    )
    as_master("UPDATE person SET roles = '{authoriser}' WHERE sub = 'requester'")
    with pytest.raises(psycopg.errors.CheckViolation, match="s03_another_person"):
        as_master(change, "requester")
    with pytest.raises(psycopg.DatabaseError, match="without that role"):
        as_master(change, "reviewer")
    with rooms.govern().work() as work:
        at = now()
        assert not work.authorise(made.id, "authoriser", at, made.digest)
        assert work.authorise(made.id, "authoriser", at, made.digest)
        found = work.deployment(made.id)
    assert found == replace(
        made,
        state=DeploymentState.AUTHORISED,
        authorised_by="authoriser",
        authorised_at=at,
        authorised_digest=made.digest,
    )


@pytest.mark.parametrize(
    "change",
    [
        "threshold = 0.1",
        "ends_at = ends_at + interval '1 minute'",
        "place = 'elsewhere'",
        "policy = '{}'",
        "software_build = 'x'",
        "requested_by = 'x'",
        'grounds = grounds || \'{"necessity": "other"}\'',
        "calibrated = true",
    ],
)
def test_terms_never_change(rooms: House, build: Any, as_master: Execute, change: str) -> None:
    """S03: change one and it must be authorised again; so a change is a new request."""
    rooms.requested(build)
    with pytest.raises(psycopg.DatabaseError, match="terms cannot be changed"):
        as_master(f"UPDATE deployment SET {change}")


def test_cameras_are_terms(rooms: House, build: Any, as_master: Execute) -> None:
    made = rooms.active(build)
    with pytest.raises(psycopg.DatabaseError, match="named with the request"):
        as_master("INSERT INTO deployment_camera (deployment_id, position, camera) VALUES (%s, 9, 'gate-9')", made.id)
    for change in ("SET camera = 'x'", "SET active = false"):
        with pytest.raises(psycopg.DatabaseError, match=r"(terms|follows)"):
            as_master(f"UPDATE deployment_camera {change}")
    with pytest.raises(psycopg.DatabaseError, match="terms"):
        as_master("DELETE FROM deployment_camera")


_STATES = ("requested", "authorised", "active", "stopped", "ended", "closed")
_LEGAL = {
    ("requested", "authorised"),
    ("requested", "stopped"),
    ("authorised", "active"),
    ("authorised", "stopped"),
    ("authorised", "ended"),
    ("active", "stopped"),
    ("active", "ended"),
    ("stopped", "closed"),
    ("ended", "closed"),
}


@pytest.mark.parametrize(
    ("before", "after"), [(a, b) for a in _STATES for b in _STATES if a != b and (a, b) not in _LEGAL]
)
def test_no_other_way_from_state_to_state(
    rooms: House, build: Any, as_master: Execute, before: str, after: str
) -> None:
    made = rooms.active(build)
    as_master("SET session_replication_role = replica")
    finished = "now(), finished_by = 'x'" if before in ("stopped", "ended", "closed") else "NULL, finished_by = NULL"
    closed = "now(), closed_by = 'x'" if before == "closed" else "NULL, closed_by = NULL"
    as_master(
        f"UPDATE deployment SET state = %s, finished_at = {finished}, closed_at = {closed} WHERE id = %s",
        before,
        made.id,
    )
    as_master("SET session_replication_role = origin")
    with pytest.raises(psycopg.DatabaseError, match=f"{before} cannot become {after}"):
        as_master("UPDATE deployment SET state = %s", after)


def test_who_did_what_is_written_once(rooms: House, build: Any, as_master: Execute) -> None:
    rooms.active(build)
    for change in ("authorised_by = 'x'", "authorised_digest = 'x'", "started_at = now()", "authorised_at = now()"):
        with pytest.raises(psycopg.DatabaseError, match="written once"):
            as_master(f"UPDATE deployment SET {change}")
    with pytest.raises(psycopg.DatabaseError, match="s04_finished"):
        as_master("UPDATE deployment SET finished_at = now(), finished_by = 'x'")


def test_one_active_deployment_a_camera(rooms: House, build: Any) -> None:
    """Rule 2, by a unique index; the transaction goes on after the refusal."""
    first = rooms.active(build, cameras=("gate-1", "gate-2"))
    second = rooms.warming(build, cameras=("gate-2", "gate-3"))
    with rooms.govern().work() as work:
        assert work.activate(second.id, now()) == Refused(Reason.CAMERA_BUSY, "gate-2")
        found = work.deployment(second.id)
        assert found is not None
        assert found.state is DeploymentState.WARMING
        assert [d.id for d in work.stop(first.id, "anybody", now())] == [first.id]
        assert work.activate(second.id, now()) is None
        assert work.activate(second.id, now()) == Refused(Reason.WRONG_STATE, "active")
        assert work.activate("none", now()) == Refused(Reason.NOT_FOUND, "deployment")


def test_a_start_outside_the_window_is_refused(rooms: House, build: Any) -> None:
    made = rooms.authorised(build)
    rooms.attest(made.id)
    with rooms.govern().work() as work:
        assert work.begin_warming(made.id, made.ends_at) == Refused(Reason.OUTSIDE_WINDOW)
        assert work.begin_warming(made.id, now()) is None
        assert work.begin_warming(made.id, now()) == Refused(Reason.WRONG_STATE, "warming")
        assert work.activate(made.id, made.ends_at) == Refused(Reason.OUTSIDE_WINDOW)


def test_stopping_stops_one_or_all(rooms: House, build: Any) -> None:
    """S04, rule 9: whatever its state, and with no reason."""
    asked, agreed = rooms.requested(build), rooms.authorised(build)
    running = rooms.active(build)
    at = now()
    with rooms.govern().work() as work:
        [stopped] = work.stop(running.id, "anybody", at)
        assert stopped == replace(running, state=DeploymentState.STOPPED, finished_at=at, finished_by="anybody")
        assert work.stop(running.id, "anybody", at) == []
        assert work.stop("none", "anybody", at) == []
        assert {d.id for d in work.stop(None, "anybody", at)} == {asked.id, agreed.id}
        assert {d.state for d in work.deployments()} == {DeploymentState.STOPPED}


def test_what_is_over_ends(rooms: House, build: Any) -> None:
    running, agreed, asked = rooms.active(build), rooms.authorised(build), rooms.requested(build)
    later = rooms.requested(build, ends_at=now() + timedelta(hours=9))
    with rooms.govern().work() as work:
        assert work.end_due(now()) == []
        over = {d.id: d.state for d in work.end_due(running.ends_at + timedelta(minutes=1))}
        assert over == {
            running.id: DeploymentState.ENDED,
            agreed.id: DeploymentState.ENDED,
            asked.id: DeploymentState.STOPPED,
        }
        found = work.deployment(later.id)
        assert found is not None
        assert found.state is DeploymentState.REQUESTED


# --- the audit -------------------------------------------------------------------------------------------------------


def test_a_chain_holds(rooms: House) -> None:
    """S29."""
    acts = [act("chain-1", f"act {i}") for i in range(5)]
    with rooms.govern().work() as work:
        for one in acts[:3]:
            work.audit(one)
        work.audit(act(SYSTEM_CHAIN))
    with rooms.govern().work() as work:
        for one in acts[3:]:
            work.audit(one)
        found = work.audit_records("chain-1")
        assert work.audit_records("none") == []
    assert [record.body for record in found] == [one.body(i) for i, one in enumerate(acts, start=1)]
    assert first_fault(found) is None


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), 'act 2', 'act 9'), 'UTF8')",
        "DELETE FROM audit_event WHERE sequence = 2",
        "UPDATE audit_event SET sequence = CASE sequence WHEN 2 THEN 30 WHEN 3 THEN 2 ELSE sequence END",
        "UPDATE audit_event SET hash = sha256(body), previous = sha256(body) WHERE sequence = 3",
    ],
)
def test_a_change_is_refused_and_where_it_was_forced_is_found(rooms: House, as_master: Execute, tamper: str) -> None:
    """S29: the owner can disable a trigger, but not hide that it did."""
    with rooms.govern().work() as work:
        for i in range(4):
            work.audit(act("chain-1", f"act {i + 1}"))
    for attempt in (tamper, "TRUNCATE audit_event", "DELETE FROM audit_head", "TRUNCATE audit_head"):
        with pytest.raises(psycopg.DatabaseError, match="append-only"):
            as_master(attempt)
    as_master("ALTER TABLE audit_event DISABLE TRIGGER USER")
    as_master(tamper)
    as_master("ALTER TABLE audit_event ENABLE TRIGGER USER")
    with rooms.govern().work() as work:
        assert first_fault(work.audit_records("chain-1")) is not None


@pytest.mark.parametrize(
    ("sequence", "body"),
    [
        (1, '{"chain":"chain-1","sequence":1}'),
        (4, '{"chain":"chain-1","sequence":4}'),
        (3, '{"chain":"chain-1","sequence":2}'),
        (3, '{"chain":"chain-2","sequence":3}'),
        (3, "no json"),
    ],
)
def test_a_record_has_one_place(rooms: House, sequence: int, body: str) -> None:
    """A login role that calls the function itself cannot fork, skip, or say that a record stands elsewhere."""
    with rooms.govern().work() as work:
        work.audit(act("chain-1"))
        work.audit(act("chain-1"))
    with psycopg.connect(rooms.database.url("match")) as match, pytest.raises(psycopg.DatabaseError):
        match.execute("SELECT audit_append('chain-1', %s, %s)", [sequence, body.encode()])
    with rooms.govern().work() as work:
        assert len(work.audit_records("chain-1")) == 2


def test_the_grounds_of_the_domain_are_the_grounds_of_the_table() -> None:
    """A ground that is added to the domain must be added to the constraint."""
    from proviso.store.migrations import shipped

    text = "".join(migration.text for migration in shipped())
    assert all(f"'{ground}'" in text for ground in Grounds.__slots__)
