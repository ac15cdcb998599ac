"""SNS's subscriptions follow the contacts: asked for once, found again, ended, and counted where they do not stand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.contacts import Address, Channel, State
from proviso.domain.errors import StorageFault
from proviso.domain.people import Role
from proviso.stages.subscriptions import SubscriptionRoom, check, follow
from tests.fakes.cloud import FakeContacts, FakeSubscriptions
from tests.samples import NOW, contact

SETTLES = timedelta(minutes=15)
EMAIL = ("recipients", Channel.EMAIL)
PHONE = ("recipients", Channel.PHONE)


class Room:
    def __init__(self):
        self.now = NOW
        self.desk = FakeContacts()
        self.sns = FakeSubscriptions()
        self.settles = SETTLES

    @property
    def room(self):
        return SubscriptionRoom(lambda: self.now, self.desk, self.sns, self.settles)

    def put(self, made):
        self.desk.cards[made.sub] = made
        return follow(sub=made.sub, room=self.room)

    def later(self, minutes=5):
        self.now += timedelta(minutes=minutes)
        return check(room=self.room)

    def states(self, sub="recipient-1"):
        return {line: standing.state for line, standing in self.desk.reaches[sub].lines.items()}


@pytest.fixture
def room():
    return Room()


def test_a_new_contact_is_subscribed_at_the_topic_of_its_role_alone(room):
    assert room.put(contact()) == "followed"
    assert sorted((audience, channel) for audience, channel, _ in room.sns.items) == sorted([EMAIL, PHONE])
    assert {filter_of for _, filter_of, _ in room.sns.items.values()} == {"recipient-1"}
    assert room.states() == {EMAIL: State.PENDING, PHONE: State.SETTLING}


def test_a_person_may_be_both(room):
    room.put(contact("both", Role.REVIEWER, Role.RECIPIENT))
    assert {audience for audience, _, _ in room.sns.items} == {"reviewers", "recipients"}
    assert len(room.sns.items) == 4


def test_somebody_of_neither_role_is_not_subscribed(room):
    room.put(contact(roles=frozenset()))
    assert room.sns.items == {}


def test_confirmed_and_settled_by_the_clock(room):
    room.put(contact())
    room.sns.confirm("recipient-1@example.com")
    assert room.later()["unreachable"] == 0
    assert room.states() == {EMAIL: State.SETTLING, PHONE: State.SETTLING}
    for _ in range(3):
        room.later()
    assert room.states() == {EMAIL: State.CONFIRMED, PHONE: State.CONFIRMED}
    assert room.desk.reaches["recipient-1"].lines[EMAIL].since == NOW + timedelta(minutes=5)


def test_settled_at_once_where_nothing_lags(room):
    room.settles = timedelta(0)
    room.put(contact(email=None))
    assert room.states() == {PHONE: State.CONFIRMED}


def test_a_mail_that_nobody_confirms_is_sent_once_and_counted(room):
    room.put(contact())
    assert [room.later()["unreachable"] for _ in range(4)] == [1] * 4
    assert room.sns.asked == ["recipients email recipient-1", "recipients sms recipient-1"]


def settled(room, made=None):
    room.put(made or contact())
    room.sns.confirm("recipient-1@example.com")
    for _ in range(5):
        room.later()
    assert set(room.states().values()) == {State.CONFIRMED}
    room.sns.asked.clear()


def test_what_vanished_is_asked_for_again_and_counted_until_it_stands(room):
    settled(room)
    room.sns.items.clear()
    assert room.later()["unreachable"] == 1
    assert room.states() == {EMAIL: State.VANISHED, PHONE: State.SETTLING}
    assert sorted(room.sns.asked) == ["recipients email recipient-1", "recipients sms recipient-1"]
    assert room.later()["unreachable"] == 1
    assert len(room.sns.asked) == 2
    room.sns.confirm("recipient-1@example.com")
    assert room.later()["unreachable"] == 0
    assert room.states()[EMAIL] is State.SETTLING


def test_a_subscription_that_sns_put_back_to_pending_is_asked_for_once_more(room):
    """SNS does that to an address which gets more than ten mails a second."""
    settled(room)
    room.sns.items["recipients", Channel.EMAIL, "recipient-1@example.com"][2] = False
    assert room.later()["unreachable"] == 1
    assert room.states()[EMAIL] is State.VANISHED
    room.later()
    assert room.sns.asked == ["recipients email recipient-1"]


def test_a_changed_address_ends_the_old_subscription(room):
    settled(room)
    room.put(contact(phone=Address("+447700900999")))
    assert [address for _, channel, address in room.sns.items if channel is Channel.PHONE] == ["+447700900999"]
    assert room.states() == {EMAIL: State.CONFIRMED, PHONE: State.SETTLING}


def test_an_address_in_other_letters_is_the_same(room):
    settled(room)
    room.put(contact(email=Address("Recipient-1@Example.com")))
    assert room.sns.asked == []
    assert room.states()[EMAIL] is State.CONFIRMED


def test_a_changed_rule_changes_no_subscription(room):
    settled(room)
    room.put(contact(places=("Gate 2",), language="cy"))
    assert room.sns.asked == []
    assert set(room.states().values()) == {State.CONFIRMED}


def test_a_changed_role_changes_the_topic(room):
    settled(room)
    room.put(contact("recipient-1", Role.REVIEWER))
    assert {audience for audience, _, _ in room.sns.items} == {"reviewers"}
    assert set(room.states()) == {("reviewers", Channel.EMAIL), ("reviewers", Channel.PHONE)}


def test_a_removed_contact_is_unsubscribed_and_its_record_goes(room):
    settled(room)
    del room.desk.cards["recipient-1"]
    assert follow(sub="recipient-1", room=room.room) == "removed"
    assert room.sns.items == {}
    assert room.desk.reaches == {}
    assert follow(sub="recipient-1", room=room.room) == "removed"


def test_a_removal_that_nobody_heard_of_is_found_by_the_clock(room):
    settled(room)
    del room.desk.cards["recipient-1"]
    assert room.later() == {"contacts": 0, "unreachable": 0, "ended": 2}
    assert room.sns.items == {}
    assert room.desk.reaches == {}


def test_a_mail_confirmed_after_the_contact_was_removed_is_ended(room):
    room.put(contact(phone=None))
    del room.desk.cards["recipient-1"]
    follow(sub="recipient-1", room=room.room)
    assert len(room.sns.items) == 1  # what was not confirmed cannot be ended
    room.sns.confirm("recipient-1@example.com")
    assert room.later()["ended"] == 1
    assert room.sns.items == {}


def test_a_subscription_that_no_contact_needs_is_ended(room):
    """One made by hand at the topic has no filter, and would get everything."""
    settled(room)
    room.sns.items["recipients", Channel.PHONE, "+447700900555"] = ["arn:by-hand", "", True]
    assert room.later()["ended"] == 1
    assert len(room.sns.items) == 2


def test_nothing_is_ended_while_a_contact_cannot_be_read(room):
    settled(room)
    room.desk.cards["recipient-1"] = None
    assert room.later() == {"contacts": 1, "unreachable": 1, "ended": 0}
    assert len(room.sns.items) == 2
    assert follow(sub="recipient-1", room=room.room) == "unreadable"
    assert len(room.sns.items) == 2


def test_a_contact_that_came_between_two_listings_is_no_stray(room):
    settled(room)
    listed = room.sns.listing

    def then_another(*, first=[True]):  # noqa: B006  once
        found = listed()
        if first.pop() if first else False:
            room.put(contact("recipient-2"))
        return found

    room.sns.listing = then_another
    assert room.later()["ended"] == 0
    assert len(room.sns.items) == 4


def test_an_address_with_anothers_filter_is_freed_and_asked_for_at_the_next_look(room):
    room.sns.items["recipients", Channel.PHONE, contact().phone.value] = ["arn:old", "somebody-else", True]
    room.put(contact(email=None))
    assert room.states() == {PHONE: State.PENDING}
    assert room.sns.items == {}
    room.later()
    assert room.states() == {PHONE: State.SETTLING}
    ((_, filter_of, _),) = room.sns.items.values()
    assert filter_of == "recipient-1"


def test_a_record_that_was_lost_is_made_again_without_a_new_subscription(room):
    settled(room)
    room.desk.reaches.clear()
    before = dict(room.sns.items)
    room.later()
    assert room.sns.items == before
    assert room.states() == {EMAIL: State.SETTLING, PHONE: State.SETTLING}


def test_an_address_that_sns_does_not_take_keeps_nobody_else_from_being_looked_after(room):
    settled(room)
    subscribe = room.sns.subscribe

    def picky(audience, channel, address, sub):
        if sub == "recipient-0":
            raise StorageFault("InvalidParameter")
        return subscribe(audience, channel, address, sub)

    room.sns.subscribe = picky
    room.desk.cards["recipient-0"] = contact("recipient-0")
    assert room.later()["unreachable"] == 1
    assert room.desk.reaches["recipient-1"].checked_at == room.now


def test_where_sns_does_not_answer_nothing_is_written(room):
    settled(room)
    before = dict(room.desk.reaches)
    room.sns.faults["listing"] = StorageFault("throttled")
    with pytest.raises(StorageFault):
        room.later()
    assert room.desk.reaches == before


def test_no_address_is_in_the_record(room):
    settled(room)
    assert "example" not in room.desk.reaches["recipient-1"].to_json()
    assert "+44" not in room.desk.reaches["recipient-1"].to_json()


def test_a_change_is_a_look_too(room):
    """The start of a deployment asks for a look after the last change."""
    settled(room)
    room.put(replace(contact(), set_at=room.now))
    assert room.desk.reaches["recipient-1"].ready(room.desk.cards["recipient-1"], Role.RECIPIENT, room.now)
