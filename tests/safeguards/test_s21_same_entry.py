"""S21: no new notice while an entry's candidate is undecided or confirmed, within a sliding window; a rejection reopens
at once; two people before one camera are two candidates.

From a standing complaint in this field: thirty alarms for one person who walks past. The ways round are duplicates of
messages, frames in any order, and two functions that search at the same moment.
"""

import itertools
import random
import threading
from datetime import timedelta

import pytest

from proviso.domain.candidate import Decision
from proviso.domain.frame import Outcome
from proviso.store.search import PostgresSearchStore
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def running(house: House) -> House:
    list_id, house.entries = house.listed(3, 4)
    house.active = house.running(list_id)
    return house


def test_thirty_frames_of_one_person_are_one_notice(running: House):
    for _ in range(30):
        assert running.see(3).outcome is Outcome.SEARCHED
    (candidate,) = running.candidates
    assert candidate["sightings"] == 30
    running.alert_all()
    assert running.told == [("reviewers", "raised")]


def test_two_people_before_one_camera_are_two_candidates(running: House):
    row = running.see(3, 4)
    assert row.counts.candidates == 2
    assert {c["entry_id"] for c in running.candidates} == set(running.entries)
    running.alert_all()
    assert running.told == [("reviewers", "raised")] * 2


def test_one_person_twice_in_a_frame_is_one_candidate(running: House):
    assert running.see(3, 3).counts.candidates == 1
    assert len(running.candidates) == 1


def test_anew_after_a_withdrawal(running: House):
    """It was the wrong person; the right one may still come, and the window must not hide them."""
    running.see(3)
    (first,) = (c["id"] for c in running.candidates)
    running.decide(first)
    running.see(3)
    assert [c["sightings"] for c in running.candidates] == [2]
    running.withdraw(first)
    running.see(3)
    running.see(3)
    assert [(c["state"], c["sightings"]) for c in running.candidates] == [("withdrawn", 2), ("raised", 2)]
    running.alert_all()
    assert running.told.count(("reviewers", "raised")) == 2


def test_still_none_after_a_confirmation(running: House):
    running.see(3)
    running.decide(running.candidates[0]["id"])
    for _ in range(5):
        running.see(3)
    assert len(running.candidates) == 1
    running.alert_all()
    running.alert_all()
    assert running.told == [("reviewers", "raised"), ("recipients", "confirmed")]


def test_a_rejection_reopens_at_once(running: House):
    running.see(3)
    running.decide(running.candidates[0]["id"], Decision.REJECT)
    running.see(3)
    assert [c["state"] for c in running.candidates] == ["rejected", "raised"]


def test_cannot_tell_does_not_reopen(running: House):
    running.see(3)
    running.decide(running.candidates[0]["id"], Decision.CANNOT_TELL)
    running.see(3)
    assert [c["state"] for c in running.candidates] == ["raised"]


def at(house: House, seconds: float):
    """A moment before now, as a capture time."""
    return house.now() - timedelta(seconds=seconds)


def test_the_window_slides(house: House):
    """Each sighting moves it: 50 s apart again and again is one passage, once 65 s apart is another."""
    from tests.samples import policy

    house.permitted = policy(same_entry_window_s=60, frame_age_limit_s=600)
    list_id, _ = house.listed(3)
    house.running(list_id)
    for seconds in (300, 250, 200, 150):
        house.see(3, at=at(house, seconds))
    assert [c["sightings"] for c in house.candidates] == [4]
    house.see(3, at=at(house, 85))
    assert len(house.candidates) == 2


ORDERS = sorted(set(itertools.permutations([0, 10, 20, 10, 0], 5)))


@pytest.mark.parametrize("order", ORDERS[:: max(1, len(ORDERS) // 8)])
def test_whatever_the_order_and_however_often_it_is_one(running: House, order):
    """The same three frames, two of them delivered twice, in any order."""
    frames = {seconds: running.message(3, at=at(running, seconds)) for seconds in set(order)}
    for seconds in order:
        running.match(frames[seconds])
    assert [c["sightings"] for c in running.candidates] == [3]
    running.alert_all()
    running.alert_all()
    assert running.told == [("reviewers", "raised")]


# --- counted at SNS, under duplicates and in any order ---------------------------------------------------------------


def delivered(house: House, frames: int, *who: object, seed: int) -> None:
    """So many frames, each message twice, in any order."""
    chance = random.Random(seed)
    messages = [house.message(*who, at=at(house, 50 * i / frames)) for i in range(frames)] * 2
    chance.shuffle(messages)
    for message in messages:
        house.match(message)


def told_of_all(house: House, seed: int) -> None:
    """Every event of the outbox three times, in any order; what another call holds comes back."""
    chance = random.Random(seed)
    keys = [key for key in house.outbox.objects if key.startswith("notices/")] * 3
    chance.shuffle(keys)
    for key in keys:
        house.alert(key)


SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_person_in_thirty_frames_is_exactly_one_notice(running: House, seed):
    delivered(running, 30, 3, seed=seed)
    told_of_all(running, seed)
    told_of_all(running, seed + 1)
    assert running.told == [("reviewers", "raised")]
    assert running.publisher.to == [("reviewer", "second")]


@pytest.mark.parametrize("seed", SEEDS)
def test_two_people_in_the_same_frames_are_exactly_two_notices(running: House, seed):
    delivered(running, 10, 3, 4, seed=seed)
    told_of_all(running, seed)
    assert running.told == [("reviewers", "raised")] * 2
    assert len({notice.candidate_id for _, notice, _ in running.publisher.sent}) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_person_who_was_rejected_does_not_silence_the_right_one(running: House, seed):
    delivered(running, 5, 3, seed=seed)  # somebody who looks like the entry
    told_of_all(running, seed)
    (wrong,) = running.candidates
    running.decide(wrong["id"], Decision.REJECT)
    delivered(running, 5, 3, seed=seed + 1)
    told_of_all(running, seed)
    assert running.told == [("reviewers", "raised")] * 2
    (right,) = [one for one in running.candidates if one["id"] != wrong["id"]]
    running.decide(right["id"])
    delivered(running, 5, 3, seed=seed + 2)
    told_of_all(running, seed)
    assert running.told == [("reviewers", "raised")] * 2 + [("recipients", "confirmed")]
    assert running.publisher.sent[-1][1].candidate_id == right["id"]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_rejected_and_one_not_are_apart(running: House, seed):
    """Two people before one camera: the rejection of one says nothing about the other."""
    delivered(running, 5, 3, 4, seed=seed)
    told_of_all(running, seed)
    first = next(one for one in running.candidates if one["entry_id"] == running.entries[0])
    running.decide(first["id"], Decision.REJECT)
    delivered(running, 5, 3, 4, seed=seed + 1)
    told_of_all(running, seed)
    assert running.told == [("reviewers", "raised")] * 3


def together(*works):
    """All at the same moment; what any of them raised is raised here."""
    gate, faults = threading.Barrier(len(works)), []

    def run(work):
        try:
            gate.wait(10)
            work()
        except Exception as fault:  # noqa: BLE001  it is raised in the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if faults:
        raise faults[0]


@pytest.mark.parametrize("_", range(3))
def test_several_functions_at_once_raise_one(running: House, _):
    """Real connections: the lock of the entry makes the second see what the first opened."""
    messages = [running.message(3, 4) if i % 2 else running.message(4, 3) for i in range(4)]
    stores = [PostgresSearchStore(running.connector("match")) for _ in messages]
    together(*(lambda m=m, s=s: running.match(m, store=s) for m, s in zip(messages, stores, strict=True)))
    assert sorted(c["sightings"] for c in running.candidates) == [4, 4]
    running.alert_all()
    assert running.told == [("reviewers", "raised")] * 2


def test_one_frame_delivered_twice_at_once_is_searched_once(running: House):
    message = running.message(3)
    stores = [PostgresSearchStore(running.connector("match")) for _ in range(2)]
    outcomes = []

    def work(store):
        try:
            outcomes.append(running.match(message, store=store).outcome)
        except Exception as fault:  # noqa: BLE001  the loser may fail; its message then comes back
            outcomes.append(type(fault).__name__)

    together(*(lambda s=s: work(s) for s in stores))
    assert Outcome.SEARCHED in outcomes
    assert running.match(message).outcome is Outcome.SEARCHED
    assert [c["sightings"] for c in running.candidates] == [1]
    assert running.one("SELECT count(*) FROM searched_frame") == 1
    assert running.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%frame_searched%%'::bytea") == 1


def test_sql_holds_one_candidate_an_entry_and_frame(running: House):
    """As the role of match: the same cause cannot be opened twice, also past the stage."""
    import psycopg

    running.see(3)
    with pytest.raises(psycopg.errors.UniqueViolation, match="s21_one_an_entry_and_frame"):
        running.copy_candidate("match")
