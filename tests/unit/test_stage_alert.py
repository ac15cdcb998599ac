"""alert: nothing twice, nothing late, nothing after a stop, nothing that is not what its key says (S04, S16, S20)."""

import itertools
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from proviso.domain.errors import PermitUnreadable, StorageFault, TransientFault
from proviso.domain.notice import Kind
from proviso.stages.alert import LEASE_S, alert
from tests.fakes.cloud import FakeNotices, FakeOutbox, FakePermits, FakePublisher
from tests.samples import CAMERA, NOW, notice, permit


class Room:
    def __init__(self) -> None:
        self.now = NOW
        self.outbox = FakeOutbox()
        self.permits = FakePermits()
        self.notices = FakeNotices()
        self.publisher = FakePublisher()
        self.permits.objects[CAMERA] = permit()

    def put(self, kind=Kind.RAISED, **changed):
        made = notice(kind, **changed)
        self.outbox.put(made)
        return made.key

    def alert(self, key):
        return alert(
            key=key,
            clock=lambda: self.now,
            outbox=self.outbox,
            permits=self.permits,
            notices=self.notices,
            publisher=self.publisher,
            zone=ZoneInfo("Europe/London"),
        )

    @property
    def sent(self):
        return [(audience, made.kind) for audience, made, _ in self.publisher.sent]


@pytest.fixture
def room():
    return Room()


def test_reviewers_hear_of_a_raised_candidate_and_recipients_of_a_confirmed_one(room):
    assert room.alert(room.put(Kind.RAISED)) == "sent"
    assert room.alert(room.put(Kind.CONFIRMED)) == "sent"
    assert room.sent == [("reviewers", Kind.RAISED), ("recipients", Kind.CONFIRMED)]
    receipts = {key: outcome for key, outcome in room.outbox.objects.items() if key.startswith("receipts/")}
    assert set(receipts.values()) == {"sent"}
    assert len(receipts) == 2


def test_a_duplicate_is_not_sent(room):
    key = room.put()
    assert [room.alert(key) for _ in range(5)] == ["sent"] + ["duplicate"] * 4
    assert len(room.sent) == 1


@pytest.mark.parametrize("order", sorted(set(itertools.permutations(list(Kind) * 2, 4))))
def test_whatever_the_order_each_goes_out_at_most_once_and_never_backwards(room, order):
    for kind in order:
        room.alert(room.put(kind))
    kinds = [kind for _, kind in room.sent]
    revisions = [notice(kind).revision for kind in kinds]
    assert revisions == sorted(set(revisions))
    if Kind.WITHDRAWN in kinds:
        assert Kind.CONFIRMED in kinds  # a withdrawal only of what went out


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_a_stale_notice_is_not_sent(room, kind):
    key = room.put(kind)
    room.now = notice().expires_at
    assert room.alert(key) == "stale"
    assert room.sent == []
    room.now = NOW
    assert room.alert(key) == "duplicate"  # what was settled stays settled


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
@pytest.mark.parametrize(
    "objects",
    [
        {},
        {"gate-2": permit(camera="gate-2")},
        {CAMERA: permit(deployment_id="another")},
        {CAMERA: permit(ends_at=NOW)},
    ],
    ids=["stopped", "another camera", "another deployment", "ended"],
)
def test_an_unsent_notice_is_withheld_when_its_permit_is_gone(room, kind, objects):
    key = room.put(kind)
    room.permits.objects = objects
    assert room.alert(key) == "withheld"
    assert room.sent == []


@pytest.mark.parametrize("fault", [PermitUnreadable("odd"), StorageFault("denied")], ids=["unreadable", "denied"])
def test_in_doubt_nothing_goes_out_and_the_message_comes_back(room, fault):
    key = room.put()
    room.permits.faults["read"] = fault
    with pytest.raises(type(fault)):
        room.alert(key)
    assert room.sent == []
    room.permits.faults.clear()
    room.now += timedelta(seconds=LEASE_S + 1)  # the message comes back after its visibility time-out, later than that
    assert room.alert(key) == "sent"


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_a_stop_that_comes_while_the_notice_is_claimed_withholds_it(room, kind):
    """The claim may take its time (AWS, tried again): the permit is asked for after it."""
    key, claim = room.put(kind), room.notices.claim

    def claimed_slowly(*given):
        room.permits.objects = {}
        return claim(*given)

    room.notices.claim = claimed_slowly
    assert room.alert(key) == "withheld"
    assert room.sent == []


def test_a_receipt_says_what_became_of_it_and_not_what_came_later(room):
    key = room.put()
    for _ in range(3):
        room.alert(key)
    room.now = notice().expires_at
    room.alert(key)
    assert room.outbox.objects[key.replace("notices/", "receipts/")] == "sent"


def test_a_withdrawal_goes_out_after_a_stop_too(room):
    room.alert(room.put(Kind.CONFIRMED))
    room.permits.objects = {}
    assert room.alert(room.put(Kind.WITHDRAWN)) == "sent"


@pytest.mark.parametrize("before", [[], [Kind.RAISED]])
def test_what_never_went_out_is_not_withdrawn(room, before):
    for kind in before:
        room.alert(room.put(kind))
    assert room.alert(room.put(Kind.WITHDRAWN)) == "not_tried"
    assert Kind.WITHDRAWN not in [kind for _, kind in room.sent]


def test_what_was_withheld_is_not_withdrawn(room):
    room.permits.objects = {}
    room.alert(room.put(Kind.CONFIRMED))
    assert room.alert(room.put(Kind.WITHDRAWN)) == "not_tried"
    assert room.sent == []


def test_a_confirmation_overtakes_and_the_raised_one_is_dropped(room):
    raised = room.put(Kind.RAISED)
    room.alert(room.put(Kind.CONFIRMED))
    assert room.alert(raised) == "superseded"
    assert room.sent == [("recipients", Kind.CONFIRMED)]


def test_a_notice_that_another_call_holds_comes_back(room):
    key = room.put()
    room.publisher.faults["publish"] = StorageFault("throttled")
    with pytest.raises(StorageFault):
        room.alert(key)
    room.publisher.faults.clear()
    with pytest.raises(TransientFault):
        room.alert(key)
    assert room.sent == []
    room.now += timedelta(seconds=LEASE_S + 1)
    assert room.alert(key) == "sent"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("claimed", Kind)
def test_a_document_under_another_kinds_key_is_no_notice(room, kind, claimed):
    if kind is claimed:
        return
    key = notice(claimed).key
    room.outbox.objects[key] = notice(kind).to_json()
    assert room.alert(key) == "not_a_notice"
    assert room.sent == []
    assert room.notices.items == {}


def test_what_is_gone_is_gone(room):
    assert room.alert(notice().key) == "gone"


def test_an_sms_of_two_parts_is_not_sent(room):
    key = room.put(place="x" * 150)
    with pytest.raises(ValueError, match="GSM"):
        room.alert(key)
    assert room.sent == []
