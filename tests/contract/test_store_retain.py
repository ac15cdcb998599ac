"""Ending, expiring, erasing to zero, certifying (S04, S18, S23, S31)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from proviso.domain.candidate import CandidateState, Hit, Withdrawal
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import Fault
from proviso.domain.holds import HeldCandidate, Hold, HoldKind
from proviso.domain.notice import Kind
from proviso.domain.ports import StopRecord
from proviso.domain.retention import Certificate, StoreCount
from proviso.store.connection import RuleBroken
from tests.contract.store_samples import POLICY, House, Scene, decision, house, name, now, unit
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


@pytest.fixture
def scene(rooms: House) -> Scene:
    return rooms.scene()


def stop(scene: Scene) -> None:
    with scene.house.govern().work() as work:
        work.stop(scene.deployment.id, "anybody", now())


def certificate(scene: Scene, *counts: StoreCount) -> Certificate:
    at = now()
    return Certificate(scene.deployment.id, scene.entry.watchlist_id, counts, at, at + timedelta(days=1))


def rows(scene: Scene, table: str) -> int:
    with psycopg.connect(scene.house.database.master_url) as master:
        found = master.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_a_spooled_stop_is_carried_out(scene: Scene) -> None:
    made = scene.raised()
    record = StopRecord("stop-1", now(), "anybody", scene.deployment.id)
    later = scene.house.requested(scene.house.build(scene.entry.watchlist_id), requested_at=now())
    with scene.house.retain().work() as work:
        at = now()
        [stopped] = work.carry_out_stop(record, at)
        assert (stopped.state, stopped.finished_by, stopped.finished_at) == (DeploymentState.STOPPED, "anybody", at)
        assert work.carry_out_stop(record, at) == []
        before = StopRecord("stop-2", later.requested_at - timedelta(seconds=1), "anybody", None)
        assert work.carry_out_stop(before, at) == []  # "all" were those that there were when it was said
        assert [d.id for d in work.carry_out_stop(replace(before, at=at), at)] == [later.id]
    [(frozen, _)] = scene.house.search().candidates_of_frame(made.frame_key)
    assert frozen.state is CandidateState.FROZEN


def test_what_nobody_decided_expires(scene: Scene) -> None:
    """S18."""
    made, decided = scene.raised(), scene.raised()
    with scene.house.review().work() as review:
        review.decide(decision(decided), now())
    with scene.house.retain().work() as work:
        assert work.expire_candidates(now()) == []
        assert work.expire_candidates(made.decide_by) == [made.id]
        assert work.expire_candidates(made.decide_by) == []


def test_notices_that_may_have_been_lost(scene: Scene) -> None:
    waiting, confirmed = scene.raised(), scene.raised()
    review = decision(confirmed)
    with scene.house.review().work() as work:
        work.decide(review, now())
    useful = review.decided_at + timedelta(seconds=POLICY.notice_useful_s)
    with scene.house.retain().work() as retain:
        found = retain.unput_notices(now())
        category = scene.entry.category
        assert [(c.id, *rest) for c, *rest in found] == [
            (waiting.id, "TRIAL", Kind.RAISED, waiting.decide_by, category),
            (confirmed.id, "TRIAL", Kind.CONFIRMED, useful, category),
        ]
        assert [c.id for c, *_ in retain.unput_notices(waiting.decide_by)] == [confirmed.id]
        assert retain.unput_notices(useful) == []
    stop(scene)
    with scene.house.retain().work() as retain:
        assert retain.unput_notices(now()) == []  # S04: withheld


def test_a_withdrawal_that_may_have_been_lost_is_put_for_a_day_and_after_a_stop(scene: Scene) -> None:
    confirmed = scene.raised()
    review = decision(confirmed)
    with scene.house.review().work() as work:
        work.decide(review, now())
    stop(scene)
    at = now()
    with scene.house.review().work() as work:
        work.withdraw(Withdrawal(confirmed.id, review.reviewer, "another person", at))
    with scene.house.retain().work() as retain:
        until = at + timedelta(hours=24)
        found = retain.unput_notices(now())
        assert [(c.id, *rest) for c, *rest in found] == [
            (confirmed.id, "TRIAL", Kind.WITHDRAWN, until, scene.entry.category)
        ]
        assert retain.unput_notices(until) == []
    with psycopg.connect(scene.house.database.master_url) as master:
        master.execute("SET session_replication_role = replica")
        master.execute("UPDATE deployment SET state = 'closed', closed_at = now(), closed_by = 'x'")
    with scene.house.retain().work() as retain:
        assert retain.unput_notices(now()) == []  # nothing of it goes into the outbox again


def test_outcomes_that_nobody_recorded_in_time(scene: Scene) -> None:
    """S22: by both clocks, once, by deployment."""
    made, day = scene.raised(), timedelta(hours=24)
    review = decision(made)
    with scene.house.review().work() as work:
        work.decide(review, now())
    with scene.house.retain().work() as retain:
        assert retain.next_outcome() == review.decided_at + day
        assert retain.close_outcomes(now() + day) == {}  # a function whose clock is ahead
    with psycopg.connect(scene.house.database.master_url) as master:
        master.execute("SET session_replication_role = replica")
        master.execute(
            "UPDATE candidate SET raised_at = raised_at - %(by)s, decide_by = decide_by - %(by)s,"
            " decided_at = decided_at - %(by)s",
            {"by": day},
        )
    with scene.house.retain().work() as retain:
        assert retain.close_outcomes(review.decided_at - day) == {}  # and one whose clock is behind
        assert retain.close_outcomes(now()) == {scene.deployment.id: [made.id]}
        assert retain.close_outcomes(now()) == {}
        assert retain.next_outcome() is None


def test_a_deployment_closes_to_zero(scene: Scene) -> None:
    """S23, and S31: what is left is counts, states and the reference number."""
    other = scene.house.entry(scene.entry.watchlist_id)
    made = scene.raised([Hit(other.id, 0.55)])
    retain = scene.house.retain()
    with retain.work() as work:
        before = {count.store: count.left for count in work.left(scene.deployment.id)}
        assert before == {
            "evidence pointers without a hold": 1,
            "runners-up": 1,
            "reasons of reviews": 0,
            "reasons of withdrawals": 0,
            "reasons of tests": 0,
            "templates": 1,
            "templates in builds": 1,
            "references": 1,
            "references in builds": 1,
            "entry particulars": 2,
        }
        assert work.to_close(now()) == []
        assert work.candidates_of(scene.deployment.id) == [made.id]
    stop(scene)
    with retain.work() as work:
        assert work.to_close(now()) == [scene.deployment.id]
        assert work.erase(scene.deployment.id) == scene.entry.watchlist_id
        assert work.erase(scene.deployment.id) == scene.entry.watchlist_id
    with retain.work() as work:
        left = work.left(scene.deployment.id)
        assert {count.store: count.left for count in left} == dict.fromkeys(before, 0)
        assert work.certificate(scene.deployment.id) is None
        done = certificate(scene, *left, StoreCount("evidence", 0))
        work.close(done, "function:retain")
        assert work.certificate(scene.deployment.id) == done
        closed = work.deployment(scene.deployment.id, lock=True)
        assert closed is not None
        assert (closed.state, closed.closed_at) == (DeploymentState.CLOSED, done.verified_at)
        assert work.to_close(now()) == []
    for table in ("reference", "reference_template", "build_reference", "runner_up"):
        assert rows(scene, table) == 0
    assert rows(scene, "entry WHERE reference_no LIKE 'R-%' AND label = '' AND reason = '' AND source = ''") == 2
    assert rows(scene, "candidate WHERE evidence_key = ''") == 1
    with scene.house.govern().work() as govern:
        assert govern.watchlist(scene.entry.watchlist_id) is None
        assert govern.entries(scene.entry.watchlist_id) == []
        assert govern.remove_entry(scene.entry.watchlist_id, scene.entry.id, now())
    with scene.house.review().work() as review:
        revealed = review.revealed(made.id, "reviewer")
        assert revealed is not None
        assert (revealed.category, revealed.listing_reason) == (None, None)
        assert review.references(made.id, "reviewer") == []


def test_a_list_that_another_deployment_needs_stays(scene: Scene) -> None:
    other = scene.house.requested(scene.house.build(scene.entry.watchlist_id))
    scene.raised()
    stop(scene)
    retain = scene.house.retain()
    with retain.work() as work:
        assert work.other_uses(scene.entry.watchlist_id, scene.deployment.id)
        assert work.erase(scene.deployment.id) is None
        left = work.left(scene.deployment.id)
        reasons = [StoreCount(f"reasons of {what}", 0) for what in ("reviews", "withdrawals", "tests")]
        assert left == [StoreCount("evidence pointers without a hold", 0), StoreCount("runners-up", 0), *reasons]
        work.close(certificate(scene, *left), "function:retain")
    assert rows(scene, "reference_template") == 1
    with scene.house.govern().work() as govern:
        govern.stop(other.id, "anybody", now())
    with retain.work() as work:
        assert not work.other_uses(scene.entry.watchlist_id, other.id)
        assert work.erase(other.id) == scene.entry.watchlist_id
    assert rows(scene, "reference_template") == 0


def test_nothing_is_erased_under_a_live_deployment(scene: Scene) -> None:
    with pytest.raises(Fault, match="not over"), scene.house.retain().work() as work:
        work.erase(scene.deployment.id)
    with pytest.raises(Fault, match="not over"), scene.house.retain().work() as work:
        work.erase("none")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM build_reference",
        "DELETE FROM reference_template",
        "UPDATE entry SET label = '', reason = '', source = '', lawful_holding = '', image_date = NULL,"
        " consent_reference = NULL, erased_at = now()",
    ],
)
def test_not_even_by_hand(scene: Scene, statement: str) -> None:
    """The function's own login role, and the owner."""
    for url in (scene.house.database.url("retain"), scene.house.database.master_url):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.DatabaseError, match="live deployment"):
            connection.execute(statement.encode())


def test_an_erased_list_takes_nothing_more(scene: Scene) -> None:
    build = scene.house.build(scene.entry.watchlist_id)
    stop(scene)
    with scene.house.retain().work() as work:
        work.erase(scene.deployment.id)
    with pytest.raises(RuleBroken, match="erased"):
        scene.house.requested(build)
    with pytest.raises(RuleBroken, match="erased"):
        scene.house.entry(scene.entry.watchlist_id)
    with pytest.raises(RuleBroken, match="erased"):
        scene.house.reference(scene.entry, scene.face)


@pytest.mark.parametrize(
    "counts",
    [
        [StoreCount("evidence", 1)],
        [StoreCount("evidence", 0), StoreCount("outbox", 3)],
        [],
    ],
)
def test_no_certificate_with_something_left(scene: Scene, counts: list[StoreCount]) -> None:
    """S23, by constraint; and the deployment does not close."""
    stop(scene)
    retain = scene.house.retain()
    with retain.work() as work:
        work.erase(scene.deployment.id)
    with pytest.raises(RuleBroken, match="s23"), retain.work() as work:
        work.close(certificate(scene, *counts), "function:retain")
    with retain.work() as work:
        found = work.deployment(scene.deployment.id)
        assert found is not None
        assert found.state is DeploymentState.STOPPED


def test_a_certificate_that_says_zero_and_is_not_true(scene: Scene) -> None:
    """The database counts its own tables again."""
    stop(scene)
    with pytest.raises(RuleBroken, match="not everything"), scene.house.retain().work() as work:
        work.close(certificate(scene, StoreCount("references", 0)), "function:retain")


def test_a_close_without_a_certificate_or_twice(scene: Scene) -> None:
    with pytest.raises(Fault, match="not over"), scene.house.retain().work() as work:
        work.close(certificate(scene, StoreCount("references", 0)), "function:retain")
    stop(scene)
    by_hand = b"UPDATE deployment SET state = 'closed', closed_at = now(), closed_by = 'x'"
    for url in (scene.house.database.url("retain"), scene.house.database.master_url):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.DatabaseError, match="certificate"):
            connection.execute(by_hand)


@pytest.mark.parametrize("change", ["UPDATE certificate SET counts = '[]'", "DELETE FROM certificate"])
def test_a_certificate_stays(scene: Scene, change: Any) -> None:
    stop(scene)
    with scene.house.retain().work() as work:
        work.erase(scene.deployment.id)
        work.close(certificate(scene, *work.left(scene.deployment.id)), "function:retain")
    with (
        psycopg.connect(scene.house.database.master_url) as master,
        pytest.raises(psycopg.DatabaseError, match="append"),
    ):
        master.execute(change.encode())


def test_which_frames_were_searched_and_which_pictures_nobody_names(scene: Scene) -> None:
    made = scene.raised()
    with scene.house.retain().work() as work:
        assert work.searched([made.frame_key, "gate-1/2026-11-22/000000.000Z_000009.jpg"]) == {made.frame_key}
        assert work.searched([]) == set()
        stray = f"evidence/{scene.deployment.id}/stray.jpg"
        assert work.without_row([made.evidence_key, stray]) == [stray]


# --- S24, lists, restores, what is held -------------------------------------------------------------------------------


def held(scene: Scene, candidate_id: str, days: int = 1) -> Hold:
    made = Hold(
        name("hold"), candidate_id, HoldKind.REASON, "a letter", "authoriser", now(), now() + timedelta(days=days)
    )
    with scene.house.govern().work() as work:
        assert work.add_hold(made)
    return made


def test_evidence_is_due_by_its_age_but_where_it_is_held(scene: Scene) -> None:
    first, second = scene.raised(), scene.raised()
    hold = held(scene, second.id)
    old = now() + timedelta(hours=25)
    with scene.house.retain().work() as work:
        assert work.evidence_due(now()) == {}
        assert work.evidence_due(old) == {scene.deployment.id: [first.id]}
        assert work.free_evidence([first.id, second.id]) == [first.evidence_key]
        assert work.free_evidence([first.id]) == []
        assert work.pointers(scene.deployment.id) == [second.evidence_key]
        assert work.hold_ends(scene.deployment.id) == hold.until
    with scene.house.govern().work() as govern:
        assert govern.holds(second.id) == [hold]
        assert govern.release_hold(second.id, hold.id, "authoriser", now())
        assert not govern.release_hold(second.id, hold.id, "authoriser", now())
        assert not govern.release_hold(first.id, hold.id, "authoriser", now())
        assert not govern.add_hold(replace(hold, id="late", candidate_id=first.id))
        found = govern.held_candidate(first.id)
        assert found == HeldCandidate(first.id, scene.deployment.id, has_evidence=False)
        assert govern.held_candidate("none") is None
    with scene.house.retain().work() as work:
        assert work.hold_ends(scene.deployment.id) is None
        assert work.evidence_due(old) == {scene.deployment.id: [second.id]}


def test_a_certificate_says_how_many_are_held_and_when_the_backups_were_gone(scene: Scene) -> None:
    held(scene, scene.raised().id)
    stop(scene)
    retain = scene.house.retain()
    with retain.work() as work:
        work.erase(scene.deployment.id)
        done = replace(certificate(scene, *work.left(scene.deployment.id)), held=1, backups_expire_at=now())
        work.close(done, "function:retain")
    with retain.work() as work:
        assert work.certificate(scene.deployment.id) == done
        assert work.backups_due(done.backups_expire_at - timedelta(seconds=1)) == []
        assert work.backups_due(now()) == [scene.deployment.id]
        at = now()
        assert not work.certify_backups(scene.deployment.id, done.backups_expire_at - timedelta(seconds=1))
        assert work.certify_backups(scene.deployment.id, at)
        assert not work.certify_backups(scene.deployment.id, at)
        assert work.backups_due(now()) == []
    with scene.house.govern().work() as govern:
        assert govern.certificate(scene.deployment.id) == replace(done, backups_expired_at=at)


def test_a_list_by_itself(rooms: House) -> None:
    rooms.people()
    entry = rooms.entry(rooms.watchlist().id)
    rooms.reference(entry, unit(np.random.default_rng(1))[0])
    list_id, retain = entry.watchlist_id, rooms.retain()
    with retain.work() as work:
        standing = work.list_standing(list_id)
        assert standing is not None
        assert (standing.used, standing.erased_at, standing.delete_requested_at) == (False, None, None)
        assert work.lists_due(now() - timedelta(days=30)) == []
        assert work.lists_due(now()) == [list_id]
    with rooms.govern().work() as govern:
        govern.request_deletion(list_id, "officer", now())
    with retain.work() as work:
        assert work.lists_due(now() - timedelta(days=30)) == [list_id]
        assert {count.store: count.left for count in work.list_left(list_id)} == {
            "templates": 1,
            "templates in builds": 0,
            "references": 1,
            "references in builds": 0,
            "entry particulars": 1,
        }
        assert work.erase_list(list_id)
        assert work.erase_list(list_id)
        assert {count.left for count in work.list_left(list_id)} == {0}
        assert work.lists_due(now()) == []
        assert work.erased() == {("list", list_id)}
        assert work.list_standing("none") is None


def test_a_list_that_is_used_is_not_erased_by_itself_and_in_a_replay_only_when_all_is_over(scene: Scene) -> None:
    list_id, retain = scene.entry.watchlist_id, scene.house.retain()
    with retain.work() as work:
        assert not work.erase_list(list_id)
        assert not work.erase_list(list_id, replay=True)
        [stopped] = work.stop_users(list_id, "function:retain", now())
        assert (stopped.id, stopped.state) == (scene.deployment.id, DeploymentState.STOPPED)
        assert work.stop_users(list_id, "function:retain", now()) == []
        assert work.users(list_id) == [scene.deployment.id]
        assert not work.erase_list(list_id)
        assert work.erase_list(list_id, replay=True)


def test_what_the_database_does_not_know_to_be_erased(scene: Scene) -> None:
    other = scene.house.entry(scene.entry.watchlist_id)
    with scene.house.govern().work() as govern:
        govern.remove_entry(other.watchlist_id, other.id, now())
    told = {("list", scene.entry.watchlist_id), ("entry", scene.entry.id), ("entry", other.id), ("entry", "unknown")}
    waiting = scene.raised()
    with scene.house.retain().work() as work:
        assert work.erased() == {("entry", other.id)}
        assert work.contradicted(told) == [("list", scene.entry.watchlist_id), ("entry", scene.entry.id)]
        assert work.contradicted(set()) == []
        assert work.remove_again(scene.entry.id, now()) == scene.entry.watchlist_id
        assert work.remove_again(scene.entry.id, now()) is None
        assert work.contradicted(told) == [("list", scene.entry.watchlist_id)]
    [(frozen, _)] = scene.house.search().candidates_of_frame(waiting.frame_key)
    assert frozen.state is CandidateState.FROZEN


def test_what_is_held_is_counted(scene: Scene) -> None:
    first = scene.raised()
    hold = held(scene, first.id)
    scene.raised()
    with scene.house.retain().work() as work:
        [one] = work.deployments_held()
        assert (one.id, one.state, one.candidates, one.evidence, one.held) == (scene.deployment.id, "active", 2, 1, 1)
        assert (one.over_at, one.evidence_hours, one.held_until) == (scene.deployment.ends_at, 24, hold.until)
        [its_list] = work.lists_held()
        assert (its_list.id, its_list.entries, its_list.references) == (scene.entry.watchlist_id, 1, 1)
        assert its_list.gone_by == scene.deployment.ends_at + timedelta(hours=24)
        assert work.live() == {scene.deployment.id}
        assert work.backups_waiting() == []
        assert work.deployments_of([first.id, "unknown"]) == {first.id: scene.deployment.id}
        assert work.kept()["audit records"] == 2
        assert work.kept()["searched frames"] == 2
        person = work.person("authoriser")
        assert person is not None
