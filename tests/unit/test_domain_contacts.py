"""Contacts: what is accepted, that no address shows itself, and when somebody counts as reachable."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.contacts import (
    LOOKED_WITHIN,
    Address,
    Channel,
    Contact,
    Kept,
    Member,
    Members,
    Reach,
    Standing,
    State,
    contact_fault,
)
from proviso.domain.people import Role
from tests.samples import CATEGORY, DEPLOYMENT, NOW, contact, members

KNOWN = frozenset({CATEGORY})


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"email": None},
        {"phone": None},
        {"language": "cy"},
        {"places": ("Gate 1", "Mynydd Mawr"), "categories": (CATEGORY,)},
        {"email": Address("first.last+tag@sub.example.com")},
    ],
)
def test_accepted(changed):
    assert contact_fault(contact(**changed), KNOWN) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"email": None, "phone": None}, "or both"),
        *(
            ({"phone": Address(odd)}, "phone")
            for odd in ("07700900123", "+0123", "+44 7700 900123", "+4477", "+" + "1" * 16)
        ),
        *(
            ({"email": Address(odd)}, "email")
            for odd in (
                "",
                "a",
                "a@b",
                "a b@example.com",
                "a@example..com",
                "ä@example.com",
                "a@example.com\n",
                "a" * 250 + "@example.com",
            )
        ),
        ({"language": "fr"}, "language"),
        ({"places": ("x" * 31,)}, "places"),
        ({"places": ("Gate €",)}, "places"),
        ({"categories": ("missing",)}, "categories"),
        ({"places": tuple(f"Gate {i}" for i in range(51))}, "at most 50"),
    ],
)
def test_refused_with_what_is_wrong_and_without_the_address(changed, says):
    fault = contact_fault(contact(**changed), KNOWN)
    assert fault is not None
    assert says in fault
    for address in (changed.get("email"), changed.get("phone")):
        assert address is None or not address.value or len(address.value) < 3 or address.value not in fault


def test_no_address_shows_itself():
    made = contact()
    shown = [repr, str, "{}".format, "{!r:>5}".format]
    for one in (made, Kept(made, "requester"), made.addresses, [made.email]):
        for show in shown:
            assert "example.com" not in show(one)
            assert "+44" not in show(one)


def test_the_document_comes_back():
    made = contact("a/b c", Role.RECIPIENT, Role.REVIEWER, places=("Gate 1",), language="cy", phone=None)
    assert Contact.from_json("a/b c", made.to_json()) == made


BODY = json.loads(contact().to_json())


@pytest.mark.parametrize("name", BODY)
@pytest.mark.parametrize("odd", ["missing", 3, [3], {}, ["x"]])
def test_a_damaged_document_is_no_contact_and_quotes_nothing(name, odd):
    body = {key: value for key, value in BODY.items() if odd != "missing" or key != name}
    if odd != "missing":
        body[name] = odd
    if name in ("places", "categories") and odd == ["x"]:
        assert "x" in Contact.from_json("recipient-1", json.dumps(body)).places + read_categories(body)
        return
    with pytest.raises(ValueError, match="not a contact") as raised:
        Contact.from_json("recipient-1", json.dumps(body))
    assert "example.com" not in str(raised.value)
    assert raised.value.__suppress_context__


def read_categories(body):
    return Contact.from_json("recipient-1", json.dumps(body)).categories


@pytest.mark.parametrize("body", ["", "[]", "null", "3", b"\xff", "[" * 200_000])
def test_what_is_no_document(body):
    for read in (Members.from_json, Reach.from_json, lambda text: Contact.from_json("recipient-1", text)):
        with pytest.raises(ValueError):
            read(body)


def test_another_accounts_document_is_no_contact():
    with pytest.raises(ValueError, match="not a contact"):
        Contact.from_json("recipient-2", contact("recipient-1").to_json())


def test_members_by_role():
    def named(sub, role):
        return Member(DEPLOYMENT, sub, role, "requester", NOW)

    made = Members.of([named("b", Role.RECIPIENT), named("a", Role.RECIPIENT), named("c", Role.REVIEWER)])
    assert made == Members(("c",), ("a", "b"))
    assert Members.from_json(members().to_json()) == members()


# --- can they be reached? --------------------------------------------------------------------------------------------


def reach(at=NOW, **states):
    audience = states.pop("audience", "recipients")
    lines = {(audience, Channel(channel)): Standing(State(state), at, "arn") for channel, state in states.items()}
    return Reach(at, lines)


def test_the_record_comes_back_and_says_the_state_of_each_channel():
    made = reach(email="pending", sms="confirmed")
    assert Reach.from_json(made.to_json()) == made
    told = json.loads(made.to_json())
    assert (told["version"], told["email"]["state"], told["phone"]["state"]) == (1, "pending", "confirmed")
    assert json.loads(Reach(NOW, {}).to_json())["email"]["state"] == "none"
    assert "example" not in made.to_json()


def test_a_channel_is_as_good_as_its_worst_subscription():
    lines = {
        ("reviewers", Channel.EMAIL): Standing(State.CONFIRMED, NOW),
        ("recipients", Channel.EMAIL): Standing(State.VANISHED, NOW),
    }
    assert Reach(NOW, lines).channel(Channel.EMAIL).state is State.VANISHED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("channel", ["email", "sms"])
def test_ready_only_where_every_address_is_confirmed_and_settled(channel, state):
    states = {"email": "confirmed", "sms": "confirmed", channel: state.value}
    assert reach(**states).ready(contact(), Role.RECIPIENT, NOW) is (state is State.CONFIRMED)
    assert reach(**states).unreachable is (state in (State.PENDING, State.VANISHED))


def test_ready_needs_every_address_and_no_other():
    assert not reach(sms="confirmed").ready(contact(), Role.RECIPIENT, NOW)
    assert reach(sms="confirmed").ready(contact(email=None), Role.RECIPIENT, NOW)
    assert not reach(email="confirmed", sms="confirmed").ready(contact(), Role.REVIEWER, NOW)


def test_ready_by_a_fresh_look_only():
    whole = {"email": "confirmed", "sms": "confirmed"}
    assert reach(NOW - LOOKED_WITHIN, **whole).ready(contact(), Role.RECIPIENT, NOW)
    assert not reach(NOW - LOOKED_WITHIN - timedelta(seconds=1), **whole).ready(contact(), Role.RECIPIENT, NOW)


def test_a_look_from_before_the_last_change_says_nothing():
    changed = replace(contact(), set_at=NOW + timedelta(seconds=1))
    assert not reach(email="confirmed", sms="confirmed").ready(changed, Role.RECIPIENT, NOW)
