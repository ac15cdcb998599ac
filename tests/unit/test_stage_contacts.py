"""Contacts in govern: who may, what is refused, and that the bucket follows the rows whatever happens between."""

from dataclasses import replace

import pytest

from proviso.domain.contacts import Address, Kept, Members
from proviso.domain.errors import AuditUnwritable, StorageFault
from proviso.domain.people import Member, Person, Role
from proviso.domain.reasons import Reason
from proviso.stages import contacts, people
from tests.doubles import MemoryDeployments
from tests.fakes.cloud import DENIED, FakeContacts
from tests.samples import CATEGORY, DEPLOYMENT, NOW, contact, deployment, principal

REQUESTER = principal("requester", Role.REQUESTER)


class Room:
    def __init__(self) -> None:
        self.journal: list[str] = []
        roles = {"recipient-1": frozenset({Role.RECIPIENT}), "both": frozenset({Role.REVIEWER, Role.RECIPIENT})}
        self.store = MemoryDeployments(
            self.journal, rows={DEPLOYMENT: deployment()}, roles=roles | {"clerk": frozenset({Role.AUDITOR})}
        )
        self.board = FakeContacts(self.journal)

    def set(self, wanted=None, by=REQUESTER):
        return contacts.set_contact(
            principal=by,
            wanted=wanted or contact(),
            categories=frozenset({CATEGORY}),
            store=self.store,
            board=self.board,
            clock=lambda: NOW,
        )

    def remove(self, sub="recipient-1", by=REQUESTER):
        return contacts.remove_contact(principal=by, sub=sub, store=self.store, board=self.board, clock=lambda: NOW)


@pytest.fixture
def room():
    return Room()


def test_a_contact_is_recorded_and_then_mirrored(room):
    shown = room.set()
    assert shown.kept == Kept(replace(contact(), set_at=NOW), "requester")
    assert room.board.cards == {"recipient-1": shown.kept.contact}
    assert room.journal.index("store.commit") < room.journal.index("contacts.put_contact recipient-1")
    (act,) = room.store.acts
    assert (act.action, act.subject, act.purpose) == ("contact_set", "recipient-1", "notices")
    assert act.details == {"language": "en", "channels": ["email", "phone"], "places": [], "categories": []}


def test_the_roles_are_those_of_the_person_and_not_what_was_asked(room):
    room.set(contact("both", Role.REVIEWER))
    assert room.board.cards["both"].roles == {Role.REVIEWER, Role.RECIPIENT}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (contact("clerk"), "not registered"),
        (contact("nobody"), "not registered"),
        (contact(phone=Address("0770")), "phone"),
        (contact(categories=("other",)), "categories"),
    ],
)
def test_refused(room, wanted, says):
    refused = room.set(wanted)
    assert refused.reason is Reason.INVALID
    assert says in refused.detail
    assert room.board.cards == {}
    assert room.store.acts == []


def test_anothers_address_is_refused_in_any_letters_and_freed_by_its_removal(room):
    room.set()
    wanted = contact("both", email=Address("RECIPIENT-1@example.com"), phone=None)
    refused = room.set(wanted)
    assert refused.reason is Reason.INVALID
    assert "recipient-1" in refused.detail
    assert "example.com" not in refused.detail
    room.remove()
    assert room.set(wanted).kept.contact.sub == "both"


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.REQUESTER, Role.AUTHORISER}))
def test_who_may_not(room, role):
    by = principal("x", role)
    assert room.set(by=by).reason is Reason.ROLE_MISSING
    assert room.remove(by=by).reason is Reason.ROLE_MISSING
    found = contacts.contacts(principal=by, purpose="x", store=room.store, board=room.board, clock=lambda: NOW)
    assert found.reason is Reason.ROLE_MISSING


def test_what_cannot_be_recorded_is_not_done(room):
    room.store.faults["audit"] = AuditUnwritable("no")
    with pytest.raises(AuditUnwritable):
        room.set()
    assert room.board.cards == {}


def test_a_removal_that_died_before_the_bucket_is_finished_by_doing_it_again(room):
    room.set()
    room.board.faults["remove_contact"] = DENIED
    with pytest.raises(StorageFault):
        room.remove()
    room.board.faults.clear()
    assert room.board.cards.keys() == {"recipient-1"}
    assert room.remove().reason is Reason.NOT_FOUND
    assert room.board.cards == {}


def test_of_two_changes_at_once_the_last_stands_in_the_bucket(room):
    """The other one commits and mirrors between this one's reading and writing."""
    put, first = room.board.put_contact, []

    def slowly(made):
        if not first:
            first.append(made)
            room.store.kept["recipient-1"] = Kept(replace(made, language="cy"), "another")
            put(replace(made, language="cy"))
        put(made)

    room.board.put_contact = slowly
    room.set()
    assert room.board.cards["recipient-1"].language == "cy"


def test_a_look_is_recorded_with_its_purpose(room):
    room.set()
    room.store.acts.clear()
    given = {"principal": REQUESTER, "store": room.store, "board": room.board, "clock": lambda: NOW}
    (found,) = contacts.contacts(purpose="before the start", **given)
    assert found.kept.contact.email == contact().email
    (act,) = room.store.acts
    assert (act.action, act.purpose, act.details) == ("contacts_consulted", "before the start", {"contacts": 1})
    assert contacts.contacts(purpose=" ", **given).reason is Reason.INVALID


# --- members ---------------------------------------------------------------------------------------------------------


def member(sub, role):
    return Member(DEPLOYMENT, sub, role, "requester", NOW)


def test_the_mirror_names_who_still_holds_the_role(room):
    room.store.named = [
        member("both", Role.REVIEWER),
        member("recipient-1", Role.REVIEWER),
        member("gone", Role.RECIPIENT),
    ]
    contacts.mirror_members(DEPLOYMENT, room.store, room.board)
    assert room.board.named[DEPLOYMENT] == Members(("both",), ())


def test_a_role_taken_away_ends_the_contact_and_the_membership_in_the_bucket(room):
    room.set()
    room.store.named = [member("recipient-1", Role.RECIPIENT)]
    contacts.mirror_members(DEPLOYMENT, room.store, room.board)
    assert room.board.named[DEPLOYMENT].recipients == ("recipient-1",)
    room.store.register = lambda person: (
        room.store.roles.__setitem__(person.sub, person.roles),
        room.store.kept.__setitem__(
            person.sub, Kept(replace(room.store.kept[person.sub].contact, roles=frozenset()), "requester")
        ),
    )
    by = principal("authoriser", Role.AUTHORISER)
    without = Person("recipient-1", frozenset({Role.AUDITOR}))
    people.register(principal=by, person=without, store=room.store, board=room.board, clock=lambda: NOW)
    assert room.board.cards == {}
    assert room.board.named[DEPLOYMENT].recipients == ()
