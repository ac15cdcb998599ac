"""alert: nothing twice, nothing late, nothing after a stop, nothing that is not what its key says (S04, S16, S20)."""

import itertools
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from proviso.domain.errors import PermitUnreadable, StorageFault, TransientFault
from proviso.domain.notice import Kind
from proviso.domain.people import Role
from proviso.notices import all_wordings
from proviso.stages.alert import LEASE_S, AlertRoom, alert
from tests.fakes.cloud import FakeContacts, FakeNotices, FakeOutbox, FakePermits, FakePublisher
from tests.samples import (
    CAMERA,
    CATEGORY,
    DEPLOYMENT,
    NOW,
    RECIPIENTS,
    REVIEWERS,
    contact,
    contacts,
    members,
    notice,
    permit,
)


class Room:
    def __init__(self) -> None:
        self.now = NOW
        self.outbox = FakeOutbox()
        self.permits = FakePermits()
        self.notices = FakeNotices()
        self.publisher = FakePublisher()
        self.permits.objects[CAMERA] = permit()
        self.desk = FakeContacts()
        self.desk.named[DEPLOYMENT] = members()
        self.desk.cards = dict(contacts())

    def put(self, kind=Kind.RAISED, **changed):
        made = notice(kind, **changed)
        self.outbox.put(made)
        return made.key

    def alert(self, key):
        room = AlertRoom(
            clock=lambda: self.now,
            outbox=self.outbox,
            permits=self.permits,
            notices=self.notices,
            publisher=self.publisher,
            desk=self.desk,
            words=all_wordings(),
            zone=ZoneInfo("Europe/London"),
        )
        return alert(key=key, room=room)

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


# --- who is told -----------------------------------------------------------------------------------------------------


def test_members_of_the_role_are_told_and_nobody_else(room):
    room.desk.cards["stranger"] = contact("stranger", Role.REVIEWER, Role.RECIPIENT)
    room.alert(room.put(Kind.RAISED))
    room.alert(room.put(Kind.CONFIRMED))
    assert room.publisher.to == [REVIEWERS, RECIPIENTS]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, True),
        ({"places": ("Gate 1",)}, True),
        ({"places": ("Hall", " gate  1 ")}, True),
        ({"places": ("Gate 2",)}, False),
        ({"categories": (CATEGORY,)}, True),
        ({"categories": ("missing_people",)}, False),
        ({"places": ("Gate 1",), "categories": ("missing_people",)}, False),
        ({"roles": frozenset({Role.REVIEWER})}, False),
        ({"roles": frozenset()}, False),
    ],
)
def test_a_recipient_is_told_of_the_places_and_categories_of_their_record(room, changed, told):
    room.desk.cards["recipient-1"] = contact(**changed)
    assert room.alert(room.put(Kind.CONFIRMED)) == ("sent" if told else "nobody")
    assert bool(room.sent) is told


def test_a_changed_record_works_at_once(room):
    room.desk.cards["recipient-1"] = contact(places=("Gate 2",))
    assert room.alert(room.put(Kind.CONFIRMED)) == "nobody"
    room.desk.cards["recipient-1"] = contact()
    other = "7a7b7c7d-0000-5000-8000-000000000001"
    assert room.alert(room.put(Kind.CONFIRMED, candidate_id=other)) == "sent"


def test_a_category_chooses_recipients_and_no_reviewer(room):
    for sub in REVIEWERS:
        room.desk.cards[sub] = contact(sub, Role.REVIEWER, categories=("missing_people",))
    assert room.alert(room.put(Kind.RAISED)) == "sent"


def test_a_notice_without_its_category_goes_to_those_who_take_all(room):
    room.desk.cards["recipient-2"] = contact("recipient-2", categories=(CATEGORY,))
    room.desk.named[DEPLOYMENT] = members(recipients=("recipient-1", "recipient-2"))
    room.alert(room.put(Kind.CONFIRMED, category=""))
    assert room.publisher.to == [("recipient-1",)]


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_nobody_to_tell_is_said_and_is_not_called_sent(room, kind):
    room.desk.cards.clear()
    key = room.put(kind)
    assert room.alert(key) == "nobody"
    assert room.sent == []
    assert room.outbox.objects[key.replace("notices/", "receipts/")] == "nobody"
    assert room.alert(key) == "duplicate"


def test_what_was_told_to_nobody_is_not_withdrawn(room):
    cards, room.desk.cards = room.desk.cards, {}
    room.alert(room.put(Kind.CONFIRMED))
    room.desk.cards = cards
    assert room.alert(room.put(Kind.WITHDRAWN)) == "not_tried"
    assert room.sent == []


@pytest.mark.parametrize("named", [{}, {DEPLOYMENT: None}], ids=["missing", "unreadable"])
@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_where_nobody_knows_who_is_to_be_told_nobody_is_and_the_message_comes_back(room, kind, named):
    key = room.put(kind)
    room.desk.named = dict(named)
    with pytest.raises(TransientFault):
        room.alert(key)
    assert room.sent == []
    room.desk.named[DEPLOYMENT] = members()
    room.now += timedelta(seconds=LEASE_S + 1)
    assert room.alert(key) == "sent"


@pytest.mark.parametrize("method", ["members", "contacts"])
def test_a_bucket_that_fails_tells_nobody_and_the_message_comes_back(room, method):
    key = room.put()
    room.desk.faults[method] = StorageFault("denied")
    with pytest.raises(StorageFault):
        room.alert(key)
    assert room.sent == []


def test_a_contact_that_cannot_be_read_keeps_no_other_from_being_told(room):
    room.desk.cards["reviewer-1"] = None
    assert room.alert(room.put()) == "sent"
    assert room.publisher.to == [("reviewer-2",)]


def test_each_language_is_one_call_in_its_words(room):
    room.desk.cards["reviewer-2"] = contact("reviewer-2", Role.REVIEWER, language="cy")
    room.alert(room.put())
    assert room.publisher.to == [("reviewer-1",), ("reviewer-2",)]
    english, welsh = (words.sms for _, _, words in room.publisher.sent)
    assert "Look now" in english
    assert "Edrychwch nawr" in welsh


def fail_at(room, number):
    """SNS takes so many calls, and then none."""
    publish, calls = room.publisher.publish, itertools.count(1)

    def counted(*given):
        if next(calls) == number:
            raise StorageFault("throttled")
        publish(*given)

    room.publisher.publish = counted


def test_a_call_that_is_tried_again_leaves_out_who_was_told(room):
    room.desk.cards["reviewer-2"] = contact("reviewer-2", Role.REVIEWER, language="cy")
    key = room.put()
    fail_at(room, 2)
    with pytest.raises(StorageFault):
        room.alert(key)
    room.now += timedelta(seconds=LEASE_S + 1)
    assert room.alert(key) == "sent"
    assert room.publisher.to == [("reviewer-1",), ("reviewer-2",)]


def test_what_was_told_in_part_and_then_withheld_says_so_and_can_be_withdrawn(room):
    room.desk.cards["recipient-2"] = contact("recipient-2", language="cy")
    room.desk.named[DEPLOYMENT] = members(recipients=("recipient-1", "recipient-2"))
    key = room.put(Kind.CONFIRMED)
    fail_at(room, 2)
    with pytest.raises(StorageFault):
        room.alert(key)
    room.permits.objects = {}
    room.now += timedelta(seconds=LEASE_S + 1)
    assert room.alert(key) == "sent_in_part"
    assert room.publisher.to == [("recipient-1",)]
    assert room.alert(room.put(Kind.WITHDRAWN)) == "sent"


def test_a_withdrawal_reaches_everybody_whom_the_confirmation_reached(room):
    """Whoever was taken off the deployment meanwhile, or now takes other places, still believes the first message."""
    room.desk.cards["recipient-2"] = contact("recipient-2")
    room.desk.named[DEPLOYMENT] = members(recipients=("recipient-1", "recipient-2"))
    room.alert(room.put(Kind.CONFIRMED))
    room.desk.named[DEPLOYMENT] = members(recipients=())
    room.desk.cards["recipient-2"] = contact("recipient-2", places=("Gate 2",))
    assert room.alert(room.put(Kind.WITHDRAWN)) == "sent"
    assert room.publisher.to == [("recipient-1", "recipient-2")] * 2


def test_a_withdrawal_goes_out_where_the_members_are_gone(room):
    room.alert(room.put(Kind.CONFIRMED))
    room.desk.named.clear()
    assert room.alert(room.put(Kind.WITHDRAWN)) == "sent"
    assert room.publisher.to[-1] == RECIPIENTS


@pytest.mark.parametrize("kind", [Kind.RAISED, Kind.CONFIRMED])
def test_a_stop_that_comes_while_the_contacts_are_read_withholds_it(room, kind):
    key, read = room.put(kind), room.desk.contacts

    def slowly(subs):
        room.permits.objects = {}
        return read(subs)

    room.desk.contacts = slowly
    assert room.alert(key) == "withheld"
    assert room.sent == []
