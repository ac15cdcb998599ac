"""Anchoring heads (S29): what changed, after ten minutes or at once, after the database and never instead of an act."""

from datetime import timedelta

import pytest

from proviso.domain.audit import SYSTEM_CHAIN, deployment_act, system_act
from proviso.domain.errors import DatabaseAway, StorageFault
from proviso.stages.anchor import LATE_AFTER, anchor, anchor_now, anchor_soon, late
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import FakeAnchors, FakeDue
from tests.samples import NOW


class Scene:
    def __init__(self):
        self.journal = []
        self.now = NOW
        self.store = MemoryDeployments(journal=self.journal)
        self.anchors, self.due = FakeAnchors(self.journal), FakeDue(self.journal)

    def act(self, chain):
        made = system_act if chain == SYSTEM_CHAIN else lambda *given: deployment_act(chain, *given[:3], given[4])
        self.store.acts.append(made(self.now, "a", "did", "thing", {}))

    def anchor(self, **changed):
        return [head.chain for head in anchor(store=self.store, anchors=self.anchors, clock=self.clock, **changed)]

    def anchor_now(self, deployment_id):
        found = anchor_now(
            store=self.store, anchors=self.anchors, due=self.due, clock=self.clock, deployment_id=deployment_id
        )
        return [head.chain for head in found]

    def clock(self):
        return self.now


@pytest.fixture
def scene():
    made = Scene()
    for chain in ("d-1", "d-2", SYSTEM_CHAIN):
        made.act(chain)
    return made


def test_a_chain_that_was_never_anchored_is_anchored_at_once(scene):
    assert scene.anchor() == ["d-1", "d-2", "system"]
    assert {(head.chain, head.at) for head in scene.anchors.heads()} == {
        ("d-1", NOW),
        ("d-2", NOW),
        ("system", NOW),
    }


def test_what_did_not_change_is_not_anchored_again(scene):
    scene.anchor()
    scene.now += timedelta(hours=1)
    assert scene.anchor() == []
    assert len(scene.anchors.objects) == 1


def test_activity_is_anchored_every_ten_minutes_and_a_transition_at_once(scene):
    scene.anchor()
    scene.act("d-1")
    scene.now += timedelta(minutes=9, seconds=59)
    assert scene.anchor() == []
    assert scene.anchor(at_least_every=timedelta(0)) == ["d-1"]
    scene.act("d-1")
    scene.now += timedelta(minutes=10)
    assert scene.anchor() == ["d-1"]


def test_a_clock_that_went_back_makes_nothing_wait(scene):
    scene.anchor()
    scene.act("d-2")
    scene.now -= timedelta(days=400)
    assert scene.anchor() == ["d-2"]


def test_the_bucket_is_written_between_two_transactions_and_marked_last(scene):
    scene.anchor(chains=["d-1"])
    assert scene.journal == [
        *("store.begin", "store.heads", "store.anchored", "store.commit"),
        "anchors.put d-1#1",
        *("store.begin", "store.mark_anchored d-1#1", "store.commit"),
    ]


def test_heads_that_could_not_be_written_are_not_marked_and_come_again(scene):
    scene.anchors.faults["put"] = StorageFault("no")
    with pytest.raises(StorageFault):
        scene.anchor()
    assert scene.store.marked == {}
    scene.anchors.faults.clear()
    assert scene.anchor() == ["d-1", "d-2", "system"]


def test_heads_that_were_written_and_not_marked_are_anchored_once_more(scene):
    scene.store.faults["mark_anchored"] = DatabaseAway("no")
    with pytest.raises(DatabaseAway):
        scene.anchor()
    scene.store.faults.clear()
    scene.now += timedelta(seconds=1)
    assert scene.anchor() == ["d-1", "d-2", "system"]
    assert len(list(scene.anchors.heads())) == 6


def test_very_many_heads_go_into_several_objects(scene, monkeypatch):
    monkeypatch.setattr("proviso.stages.anchor._AT_A_TIME", 2)
    scene.anchor()
    assert [len(heads) for heads in scene.anchors.objects.values()] == [2, 1]


def test_a_transition_anchors_its_own_chain_and_the_systems(scene):
    assert scene.anchor_now("d-1") == ["d-1", "system"]
    assert scene.anchor_now(None) == ["d-2"]
    assert scene.due.objects == {}


@pytest.mark.parametrize("where", ["bucket", "database"])
def test_a_transition_stands_whatever_becomes_of_its_anchor(scene, where):
    if where == "bucket":
        scene.anchors.faults["put"] = StorageFault("no")
    else:
        scene.store.faults["begin"] = DatabaseAway("no")
    assert scene.anchor_now("d-1") == []
    assert list(scene.due.objects.values()) == [NOW.replace(minute=20, second=0, microsecond=0)]  # retain does it


def test_ten_minutes_of_activity_are_one_thing_that_is_due(scene):
    for minute in range(20):
        scene.now = replace_minute(minute)
        anchor_soon(due=scene.due, clock=scene.clock)
    assert sorted(scene.due.objects.values()) == [replace_minute(10), replace_minute(20)]


def test_what_cannot_be_put_down_as_due_fails_nothing(scene):
    scene.due.faults["put"] = StorageFault("no")
    anchor_soon(due=scene.due, clock=scene.clock)


def replace_minute(minute):
    return NOW.replace(minute=minute, second=0, microsecond=0)


def late_now(scene):
    return late(store=scene.store, clock=scene.clock)


def test_a_chain_is_late_when_nobody_could_anchor_it_for_half_an_hour(scene):
    scene.act("d-1")
    scene.anchor(at_least_every=timedelta(0))
    assert late_now(scene) == 0
    scene.act("d-1")
    scene.now += LATE_AFTER - timedelta(seconds=1)
    assert late_now(scene) == 0
    scene.now += timedelta(seconds=1)
    assert late_now(scene) == 1
    scene.anchor()
    assert late_now(scene) == 0


def test_a_chain_that_was_never_anchored_is_late(scene):
    scene.act("d-1")
    scene.act(SYSTEM_CHAIN)
    assert late_now(scene) == len(scene.anchor(at_least_every=timedelta(0))) >= 2


def test_a_head_before_its_anchor_is_late(scene):
    """Records are missing: an older database was restored, or an end was cut off."""
    scene.act("d-1")
    scene.act("d-1")
    scene.anchor(at_least_every=timedelta(0))
    scene.store.acts.pop()
    assert late_now(scene) == 1
