"""The search: exact, against brute force; and the gate in front of it (rule 2, S01, S03, S04, S36)."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from proviso.domain.candidate import Candidate, CandidateState, Hit
from proviso.domain.errors import AuditUnwritable, Fault, PipelineMismatch, TransientFault
from proviso.domain.frame import Counts
from proviso.domain.permit import CheckedPermit
from proviso.domain.reasons import Reason, Refused
from proviso.store.connection import RuleBroken
from tests.contract.store_samples import (
    CAMERA,
    PIPELINE,
    House,
    Scene,
    act,
    house,
    name,
    near,
    now,
    template,
    unit,
)
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


def half(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left of them in half precision: what the database holds and is asked with."""
    return np.asarray(vectors.astype(np.float16), dtype=np.float32)


# --- the search ------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(1, 12),
    probes=st.integers(1, 5),
    threshold=st.sampled_from(["0.05", "0.2", "0.5", "0.9"]),
)
def test_a_search_finds_exactly_what_brute_force_finds(
    migrated_database: Database, seed: int, people: int, probes: int, threshold: str
) -> None:
    rng = np.random.default_rng(seed)
    migrated_database.empty()
    with house(migrated_database) as rooms:
        rooms.people()
        watchlist = rooms.watchlist().id
        vectors: dict[str, NDArray[np.float32]] = {}
        owner: dict[str, str] = {}
        for _ in range(people):
            entry = rooms.entry(watchlist)
            base = unit(rng)[0]
            for _ in range(int(rng.integers(1, 4))):
                vector = near(base, 0.8, rng)
                reference = rooms.reference(entry, vector)
                vectors[reference.id], owner[reference.id] = vector, entry.id
        build = rooms.build(watchlist)
        late = rooms.entry(watchlist)
        asked = [near(vectors[key], float(rng.uniform(0.1, 0.99)), rng) for key in rng.choice(list(vectors), probes)]
        rooms.reference(late, asked[0])  # enrolled after the build: not part of it
        removed = set(rng.choice(sorted(set(owner.values())), max(0, people // 4), replace=False))
        with rooms.govern().work() as work:
            for entry_id in removed:
                assert work.remove_entry(watchlist, str(entry_id), now())
        deployment = rooms.active(build, threshold=Decimal(threshold))
        with rooms.search().work() as search:
            permit = search.gate(
                deployment_id=deployment.id,
                digest=deployment.digest,
                camera=CAMERA,
                captured_at=now(),
                now=now(),
                pipeline=PIPELINE,
                software_build=deployment.software_build,
            )
            assert isinstance(permit, CheckedPermit)
            found = search.search(permit, [template(vector) for vector in asked])

    means = {
        entry: fused([half(vectors[key]) for key in vectors if owner[key] == entry]) for entry in set(owner.values())
    }
    for probe, hits in zip(asked, found, strict=True):
        exact = {entry: float(mean @ half(probe)) for entry, mean in means.items() if entry not in removed}
        reached = {hit.entry_id for hit in hits}
        # Sums differ in their last digits by the order in which they are added, and means by half precision.
        assert {entry for entry, value in exact.items() if value - float(threshold) > 0.002} <= reached
        assert reached <= {entry for entry, value in exact.items() if value - float(threshold) > -0.002}
        for hit in hits:
            assert hit.similarity >= float(threshold)
            assert hit.similarity == pytest.approx(min(1.0, exact[hit.entry_id]), abs=0.002)
        order = [(-hit.similarity, hit.entry_id) for hit in hits]
        assert order == sorted(order)


def fused(vectors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    mean = np.mean(vectors, axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def test_several_references_an_entry_are_one_hit_with_their_mean(rooms: House) -> None:
    scene = rooms.scene()
    rng = np.random.default_rng(7)
    entry = rooms.entry(scene.entry.watchlist_id)
    far, close = near(scene.face, 0.6, rng), near(scene.face, 0.9, rng)
    rooms.reference(entry, far)
    rooms.reference(entry, close)
    deployment = rooms.active(rooms.build(entry.watchlist_id), cameras=("gate-9",))
    with rooms.search().work() as work:
        permit = replace(scene, deployment=deployment).gate(work, camera="gate-9")
        assert isinstance(permit, CheckedPermit)
        [hits] = work.search(permit, [template(scene.face)])
    assert [hit.entry_id for hit in hits] == [scene.entry.id, entry.id]
    assert hits[1].similarity == pytest.approx(float(fused([far, close]) @ scene.face), abs=0.002)
    assert hits[0].similarity == pytest.approx(1.0, abs=0.0005)
    assert hits[0].similarity <= 1.0


def test_pictures_of_two_people_under_one_entry_are_no_reference(rooms: House) -> None:
    scene = rooms.scene()
    entry = rooms.entry(scene.entry.watchlist_id)
    for face in unit(np.random.default_rng(11), 2):
        rooms.reference(entry, face)
    with rooms.govern().work() as work:
        found = work.add_build(name("build"), entry.watchlist_id, PIPELINE, "officer", now())
    assert found == Refused(Reason.REFERENCES_DIFFER, entry.reference_no)
    with pytest.raises(RuleBroken) as broken:  # nor by who writes the rows without asking first
        _built_by_hand(rooms, entry.watchlist_id)
    assert broken.value.rule == "PV203"


def test_one_wrong_picture_among_several_is_seen(rooms: House) -> None:
    scene = rooms.scene()
    rng = np.random.default_rng(12)
    entry = rooms.entry(scene.entry.watchlist_id)
    own = unit(rng)[0]
    for similarity in (0.95, 0.9, 0.8):
        rooms.reference(entry, near(own, similarity, rng))
    with rooms.govern().work() as work:
        assert not isinstance(work.add_build(name("build"), entry.watchlist_id, PIPELINE, "officer", now()), Refused)
    rooms.reference(entry, near(own, 0.05, rng))
    with rooms.govern().work() as work:
        found = work.add_build(name("build"), entry.watchlist_id, PIPELINE, "officer", now())
    assert found == Refused(Reason.REFERENCES_DIFFER, entry.reference_no)


def _built_by_hand(rooms: House, watchlist_id: str) -> None:
    with rooms.govern().work() as work:
        work._session.change(
            """INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)
               VALUES ('by-hand', %(list)s, %(pipeline)s, 'x', 1, 1, 'officer', now())""",
            {"list": watchlist_id, "pipeline": PIPELINE},
        )
        work._session.change(
            """INSERT INTO build_reference (build_id, reference_id, entry_id)
               SELECT 'by-hand', id, entry_id FROM reference WHERE watchlist_id = %(list)s""",
            {"list": watchlist_id},
        )


def test_a_fused_template_stays_as_the_build_made_it(rooms: House) -> None:
    rooms.scene()
    with psycopg.connect(rooms.database.master_url) as master:
        for change in ("UPDATE build_template SET fused = fused + 1", "UPDATE build_template SET template = template"):
            with pytest.raises(psycopg.Error) as refused, master.transaction():
                master.execute(change)
            assert refused.value.sqlstate == "PV003"


def test_equal_similarities_come_in_one_order(rooms: House) -> None:
    rooms.people()
    face = unit(np.random.default_rng(3))[0]
    watchlist = rooms.watchlist().id
    entries = [rooms.entry(watchlist) for _ in range(4)]
    for entry in entries * 2:
        rooms.reference(entry, face)
    scene = replace(_scene(rooms, entries[0], face), deployment=rooms.active(rooms.build(watchlist)))
    with rooms.search().work() as work:
        [hits] = work.search(scene.permit(work), [template(face)])
    assert [hit.entry_id for hit in hits] == sorted(entry.id for entry in entries)


def _scene(rooms: House, entry: Any, face: NDArray[np.float32]) -> Any:
    return Scene(rooms, entry, face, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 8, 256])
def test_up_to_256_probes_are_one_search(rooms: House, count: int) -> None:
    scene = rooms.scene()
    rng = np.random.default_rng(5)
    probes = [template(near(scene.face, 0.9, rng) if i % 2 else unit(rng)[0]) for i in range(count)]
    with rooms.search().work() as work:
        found = work.search(scene.permit(work), probes)
    assert [bool(hits) for hits in found] == [bool(i % 2) for i in range(count)]


def test_too_many_probes_are_refused(rooms: House) -> None:
    scene = rooms.scene()
    with pytest.raises(Fault, match="256"), rooms.search().work() as work:
        work.search(scene.permit(work), [template(scene.face)] * 257)


def test_a_removed_entry_is_not_found_by_the_next_search(rooms: House) -> None:
    scene = rooms.scene()
    store = rooms.search()
    for removed in (False, True):
        with store.work() as work:
            [hits] = work.search(scene.permit(work), [template(scene.face)])
        assert bool(hits) is not removed
        with rooms.govern().work() as govern:
            assert govern.remove_entry(scene.entry.watchlist_id, scene.entry.id, now())


def test_templates_of_another_pipeline_never_meet(rooms: House) -> None:
    scene = rooms.scene()
    other = "q" * 64
    with rooms.search().work() as work:
        permit = scene.permit(work)
        with pytest.raises(PipelineMismatch):
            work.search(permit, [template(scene.face, other)])
    rooms.reference(scene.entry, scene.face, other)
    deployment = rooms.active(rooms.build(scene.entry.watchlist_id), cameras=("gate-9",))
    with rooms.search().work() as work:
        again = replace(scene, deployment=deployment).gate(work, camera="gate-9")
        assert isinstance(again, CheckedPermit)
        [hits] = work.search(again, [template(scene.face)])
    assert len(hits) == 1


def test_a_permit_of_another_transaction_opens_nothing(rooms: House) -> None:
    scene = rooms.scene()
    store = rooms.search()
    with store.work() as work:
        permit = scene.permit(work)
    with pytest.raises(Fault, match="permit"), store.work() as work:
        work.search(permit, [template(scene.face)])
    with pytest.raises(Fault, match="permit"), store.work() as work:
        work.search(replace(scene.permit(work), threshold=Decimal("0.01")), [template(scene.face)])


# --- the gate --------------------------------------------------------------------------------------------------------


def test_the_gate_opens_for_what_was_authorised(rooms: House) -> None:
    scene = rooms.scene()
    with rooms.search().work() as work:
        permit = scene.permit(work)
    assert permit.build_id == scene.deployment.build_id
    assert permit.threshold == scene.deployment.threshold
    assert permit.policy == scene.deployment.policy


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deployment_id": "no-such"}, Reason.NO_PERMIT),
        ({"digest": "0" * 64}, Reason.DIGEST_DIFFERS),
        ({"camera": "gate-3"}, Reason.CAMERA_NOT_LISTED),
        ({"pipeline": "q" * 64}, Reason.DIGEST_DIFFERS),
        ({"software_build": "build-2"}, Reason.DIGEST_DIFFERS),
        ({"captured_at": now() - timedelta(hours=1)}, Reason.OUTSIDE_WINDOW),
        ({"captured_at": now() + timedelta(hours=2)}, Reason.OUTSIDE_WINDOW),
        ({"now": now() + timedelta(hours=2)}, Reason.OUTSIDE_WINDOW),
    ],
)
def test_the_gate_stays_shut(rooms: House, changes: dict[str, Any], reason: Reason) -> None:
    scene = rooms.scene()
    with rooms.search().work() as work:
        found = scene.gate(work, **changes)
    assert isinstance(found, Refused)
    assert found.reason is reason


def test_the_gate_asks_the_databases_clock_too(rooms: House) -> None:
    """S04: a caller whose clock stands still searches nothing after the end."""
    scene = rooms.scene(ends_at=now() + timedelta(seconds=0.8))
    before = now()
    with rooms.search().work() as work:
        scene.permit(work)
    with psycopg.connect(rooms.database.master_url) as master:
        master.execute("SELECT pg_sleep(0.9)")
    with rooms.search().work() as work:
        found = scene.gate(work, now=before, captured_at=before)
    assert isinstance(found, Refused)
    assert found.reason is Reason.OUTSIDE_WINDOW


@pytest.mark.parametrize("state", ["requested", "authorised", "stopped"])
def test_only_an_active_deployment_opens_the_gate(rooms: House, state: str) -> None:
    scene = rooms.scene()
    build = rooms.build(scene.entry.watchlist_id)
    other = rooms.requested(build) if state == "requested" else rooms.authorised(build)
    if state == "stopped":
        with rooms.govern().work() as govern:
            govern.stop(other.id, "anybody", now())
    with rooms.search().work() as work:
        found = replace(scene, deployment=other).gate(work)
    assert found == Refused(Reason.NOT_ACTIVE, state)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deployment SET threshold = 0.1",
        "UPDATE deployment SET ends_at = ends_at + interval '1 hour'",
        "UPDATE deployment SET policy = jsonb_set(policy, '{reviewers_required}', '0')",
        "INSERT INTO deployment_camera (deployment_id, position, camera) SELECT id, 9, 'gate-8' FROM deployment",
        "UPDATE build SET digest = 'x'",
    ],
)
def test_a_term_changed_behind_the_triggers_shuts_the_gate(rooms: House, change: str) -> None:
    """S03: what is authorised is a digest, computed anew from the row at every search."""
    scene = rooms.scene()
    with psycopg.connect(rooms.database.master_url) as master:
        master.execute("SET session_replication_role = replica")
        master.execute(change.encode())
    with rooms.search().work() as work:
        found = scene.gate(work)
    assert found == Refused(Reason.DIGEST_DIFFERS, "its terms changed")


# --- candidates ------------------------------------------------------------------------------------------------------


def test_a_candidate_is_stored_with_its_sighting_and_read_back(rooms: House) -> None:
    scene = rooms.scene()
    other = rooms.entry(scene.entry.watchlist_id)
    made = scene.raised([Hit(other.id, 0.55)])
    store = rooms.search()
    assert store.candidates_of_frame(made.frame_key) == [(made, "TRIAL")]
    assert store.counts_of_frame(made.frame_key).candidates == 1
    assert store.counts_of_frame("gate-1/none") == Counts()
    assert store.candidates_of_frame("gate-1/none") == []
    with store.work() as work:
        assert work.was_searched(made.frame_key)
        assert not work.was_searched("gate-1/none")


def test_a_sighting_joins_and_leaves_the_evidence_as_it_was(rooms: House) -> None:
    scene = rooms.scene()
    made = scene.raised()
    later = made.captured_at + timedelta(seconds=20)
    store = rooms.search()
    with store.work() as work:
        found = work.lock_entries(scene.permit(work), [scene.entry.id, "unknown"])
        assert set(found) == {scene.entry.id}
        assert found[scene.entry.id].id == made.id
        work.join(made.id, "gate-1/later", later, 0.9)
        work.join(made.id, "gate-1/earlier", made.captured_at - timedelta(seconds=5), 0.6)
    [(joined, _)] = store.candidates_of_frame(made.frame_key)
    assert joined == replace(made, sightings=3, last_sighting_at=later)


@pytest.mark.parametrize("state", ["rejected", "expired", "frozen"])
def test_what_is_over_does_not_suppress(rooms: House, state: str) -> None:
    """S21: a rejection reopens at once."""
    scene = rooms.scene()
    made = scene.raised()
    with psycopg.connect(rooms.database.master_url) as master:
        master.execute("SET session_replication_role = replica")
        decided = "decided_by = 'x', decided_at = decide_by - interval '1 s'," if state == "rejected" else ""
        master.execute(f"UPDATE candidate SET {decided} state = %s WHERE id = %s".encode(), [state, made.id])
    with rooms.search().work() as work:
        assert work.lock_entries(scene.permit(work), [scene.entry.id]) == {}
    with pytest.raises(Fault, match="no more sightings"), rooms.search().work() as work:
        work.join(made.id, "gate-1/x", now(), 0.9)


def opens(rooms: House, scene: Scene, candidate: Candidate) -> None:
    with rooms.search().work() as work:
        scene.permit(work)
        work.open(candidate, [])


def records(rooms: House, scene: Scene, frame_key: str, counts: Counts) -> None:
    with rooms.search().work() as work:
        permit = scene.permit(work)
        work.record_searched(frame_key=frame_key, permit=permit, captured_at=now(), now=now(), counts=counts)


def test_a_frame_opens_one_candidate_an_entry(rooms: House) -> None:
    scene = rooms.scene()
    made = scene.raised()
    with pytest.raises(TransientFault):
        opens(rooms, scene, made)
    with pytest.raises(TransientFault):
        opens(rooms, scene, replace(made, id="another-id"))


def test_a_frame_is_searched_once(rooms: House) -> None:
    scene = rooms.scene()
    made = scene.raised()
    with pytest.raises(TransientFault):
        records(rooms, scene, made.frame_key, Counts(1, 0, 1, 0, 0))


def test_counts_that_do_not_add_up_are_refused(rooms: House) -> None:
    scene = rooms.scene()
    with pytest.raises(RuleBroken, match="counts_add_up"):
        records(rooms, scene, name("f"), Counts(3, 1, 1, 0, 0))


@pytest.mark.parametrize("change", [{"state": CandidateState.CONFIRMED}, {"evidence_key": ""}, {"evidence_digest": ""}])
def test_a_candidate_begins_raised_and_with_evidence(rooms: House, change: dict[str, Any]) -> None:
    """S16: there is no way to insert a confirmed one."""
    scene = rooms.scene()
    with pytest.raises(RuleBroken), rooms.search().work() as work:
        work.open(scene.candidate(scene.permit(work), name("f"), **change), [])


def test_a_rollback_leaves_nothing(rooms: House) -> None:
    """S14, rule 5: what is not committed was never there."""
    scene = rooms.scene()
    frame = name("f")
    store = rooms.search()

    def fails_at_the_end() -> None:
        with store.work() as work:
            permit = scene.permit(work)
            work.open(scene.candidate(permit, frame), [])
            counts = Counts(1, 0, 1, 0, 1)
            work.record_searched(frame_key=frame, permit=permit, captured_at=now(), now=now(), counts=counts)
            work.audit(act(scene.deployment.id))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_at_the_end()
    with store.work() as work:
        assert not work.was_searched(frame)
    assert store.candidates_of_frame(frame) == []
    with rooms.govern().work() as govern:
        assert govern.audit_records(scene.deployment.id) == []


def test_an_act_that_cannot_be_recorded_does_not_happen(rooms: House) -> None:
    """S36: also when the caller swallows the fault."""
    scene = rooms.scene()
    frame = name("f")
    store = rooms.search()
    unwritable = replace(act(scene.deployment.id), details={"similarity": 0.5})  # floats have no canonical form

    def goes_on_without_a_record() -> None:
        with store.work() as work:
            permit = scene.permit(work)
            counts = Counts(1, 0, 1, 0, 0)
            work.record_searched(frame_key=frame, permit=permit, captured_at=now(), now=now(), counts=counts)
            with contextlib.suppress(AuditUnwritable):
                work.audit(unwritable)

    with pytest.raises(Fault, match="rolled back"):
        goes_on_without_a_record()
    with store.work() as work:
        assert not work.was_searched(frame)
