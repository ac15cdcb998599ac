"""S20: to reviewers: look now. To recipients: reference, local time, place, "possible match, checked by a reviewer;
not proof of identity: verify first". No name, no image, no category; one SMS part; not sent after its useful time.

Data minimisation. Here over the whole way: whatever is on the list, nothing of it may be in what goes out.
"""

import json
import re
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.candidate import short_reference
from proviso.domain.contacts import Address, Channel, Reach, Standing, State
from proviso.domain.notice import GSM7
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.wording import LANGUAGES
from proviso.stages import contacts, people
from tests.safeguards.house import House
from tests.samples import CATEGORY, contact, policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
PARTICULARS = {
    "label": "Zebedee Quux",
    "reason": "because of the zither",
    "source": "museum of zinc",
    "lawful_holding": "LH-zeta-77",
    "reference_no": "REF-zulu-9",
    "consent_reference": "CONSENT-zappa",
}


@pytest.fixture
def confirmed(house: House) -> House:
    list_id = house.watchlist()
    entry = house.add(list_id, **PARTICULARS)
    house.enrol(list_id, entry.id, b"people 3")
    house.entry = entry
    house.active = house.running(list_id)
    house.see(3)
    house.candidate = house.candidates[0]
    house.alert_all()
    house.decide(house.candidate["id"])
    house.alert_all()
    return house


def said(house: House) -> list[tuple[str, str]]:
    """(audience, text) of every text that went out, in every form."""
    return [(audience, text) for audience, _, t in house.publisher.sent for text in (t.sms, t.subject, t.email)]


def test_nothing_of_the_list_goes_out(confirmed: House):
    assert confirmed.told == [("reviewers", "raised"), ("recipients", "confirmed")]
    hidden = [
        *PARTICULARS.values(),
        *(word for value in PARTICULARS.values() for word in re.split(r"\W+", value) if word.lower().startswith("z")),
        confirmed.entry.id,
        confirmed.active.watchlist_id,
        "reviewer-",
        "alike",
        "evidence/",
        "enrolment/",
    ]
    texts = "\n".join(text for _, text in said(confirmed))
    everything = "\n".join([texts, *confirmed.outbox.objects.values()])
    assert [word for word in hidden if word in everything] == []
    assert CATEGORY not in texts
    for _, text in said(confirmed):
        assert "%" not in text
        assert "similarity" not in text.lower()
        assert not re.search(r"\b0\.\d", text)


def test_the_category_is_in_recipients_documents_alone_to_choose_who_is_told(confirmed: House):
    with_it = [key for key, body in confirmed.outbox.objects.items() if CATEGORY in body]
    assert with_it == [
        key for key in confirmed.outbox.objects if key.endswith("2-confirmed.json") and "notices/" in key
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_every_language_each_sms_is_one_part_and_names_nothing_of_the_list(house: House, language):
    for sub in ("reviewer", "second", "recipient"):
        house.desk.cards[sub] = replace(house.desk.cards[sub], language=language)
    list_id = house.watchlist()
    entry = house.add(list_id, **PARTICULARS)
    house.enrol(list_id, entry.id, b"people 3")
    house.running(list_id, place="Ä" * 30)
    house.see(3)
    house.alert_all()
    house.decide(house.candidates[0]["id"])
    house.alert_all()
    assert house.told == [("reviewers", "raised"), ("recipients", "confirmed")]
    for _, _, words in house.publisher.sent:
        assert len(words.sms) <= 160
        assert set(words.sms) <= GSM7
        for hidden in (*PARTICULARS.values(), CATEGORY):
            assert hidden not in words.sms + words.subject + words.email
    assert ("Edrychwch" in house.publisher.sent[0][2].sms) is (language == "cy")


# --- who is told -----------------------------------------------------------------------------------------------------


def raised_and_confirmed(house: House) -> None:
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    house.alert_all()
    house.decide(house.candidates[0]["id"])
    house.alert_all()


def test_only_who_is_named_for_the_deployment_in_that_role_is_told(house: House):
    house.desk.cards["stranger"] = contact("stranger", Role.REVIEWER, Role.RECIPIENT)
    raised_and_confirmed(house)
    assert house.publisher.to == [("reviewer", "second"), ("recipient",)]


@pytest.mark.parametrize("rule", [{"places": ("Gate 2",)}, {"categories": ("missing",)}])
def test_nobody_is_told_of_what_their_record_leaves_out(house: House, rule):
    house.desk.cards["recipient"] = replace(house.desk.cards["recipient"], **rule)
    raised_and_confirmed(house)
    assert house.told == [("reviewers", "raised")]
    assert [o for key, o in house.outbox.objects.items() if key.startswith("receipts/")] == ["sent", "nobody"]


def test_who_is_taken_off_hears_nothing_more(house: House):
    list_id, _ = house.listed(3)
    house.active = house.running(list_id)
    given = {"principal": house.person("requester"), "deployment_id": house.active.id, "store": house.govern}
    assert people.remove_member(**given, sub="second", role=Role.REVIEWER, board=house.desk, clock=house.now) is True
    house.see(3)
    house.alert_all()
    assert house.publisher.to == [("reviewer",)]


def test_who_loses_the_role_hears_nothing_more(house: House):
    list_id, _ = house.listed(3)
    house.running(list_id)
    without = Person("second", frozenset({Role.AUDITOR}))
    by = house.person("authoriser")
    people.register(principal=by, person=without, store=house.govern, board=house.desk, clock=house.now)
    house.see(3)
    house.alert_all()
    assert house.publisher.to == [("reviewer",)]
    assert "second" not in house.desk.cards


# --- nobody is told who cannot be ------------------------------------------------------------------------------------


def set_contact(house: House, sub: str, by: str = "requester", **changed):
    wanted = contact(sub, **{"email": None, "phone": Address("+447700900123"), **changed})
    return contacts.set_contact(
        principal=house.person(by),
        wanted=wanted,
        categories=frozenset({CATEGORY}),
        store=house.govern,
        board=house.desk,
        clock=house.now,
    )


def looked(house: House, sub: str, state: State, ago: timedelta = timedelta(0)) -> None:
    at = house.now() - ago
    lines = {(audience, Channel.PHONE): Standing(state, at, "arn") for audience in ("reviewers", "recipients")}
    house.desk.put_reach(sub, Reach(at, lines))


@pytest.fixture
def authorised(house: House) -> House:
    list_id, _ = house.listed(3)
    house.active = house.requested(list_id)
    house.authorise(house.active.id)
    return house


@pytest.mark.parametrize("sub", ["reviewer", "recipient"])
@pytest.mark.parametrize("state", [State.PENDING, State.SETTLING, State.VANISHED, None])
def test_no_start_while_an_address_is_not_confirmed(authorised: House, sub, state):
    set_contact(authorised, sub)
    if state is not None:
        looked(authorised, sub, state)
    refused = authorised.start(authorised.active.id)
    assert (refused.reason, refused.detail) == (Reason.NOT_REACHABLE, sub)
    assert "+44" not in refused.sentence
    assert authorised.permits.objects == {}
    assert authorised.deployment(authorised.active.id).state == "authorised"
    looked(authorised, sub, State.CONFIRMED)
    assert not isinstance(authorised.start(authorised.active.id), Refused)


def test_no_start_on_an_old_look(authorised: House):
    set_contact(authorised, "recipient")
    authorised.skew = timedelta(minutes=20)
    looked(authorised, "recipient", State.CONFIRMED, ago=timedelta(minutes=16))
    assert authorised.start(authorised.active.id).reason is Reason.NOT_REACHABLE


def test_a_contact_that_was_removed_keeps_nothing_from_starting(authorised: House):
    set_contact(authorised, "recipient")
    by = authorised.person("requester")
    given = {"principal": by, "store": authorised.govern, "board": authorised.desk, "clock": authorised.now}
    assert contacts.remove_contact(sub="recipient", **given) is True
    assert not isinstance(authorised.start(authorised.active.id), Refused)


def test_what_is_missing_is_shown_before_and_who_is_told_nothing(authorised: House):
    def shown():
        return authorised.shown(authorised.active.id)

    assert shown().missing is None
    assert [warning.split(" ")[0] for warning in shown().warnings] == ["recipient"]
    set_contact(authorised, "recipient", places=("Gate 2",))
    set_contact(authorised, "reviewer", phone=Address("+447700900124"))
    assert shown().missing.reason is Reason.NOT_REACHABLE
    assert [warning.split(" ")[0] for warning in shown().warnings] == ["recipient"]
    assert "other places" in shown().warnings[0]


def test_no_address_is_in_the_audit(authorised: House):
    set_contact(authorised, "recipient", email=Address("somebody@example.com"))
    by = authorised.person("requester")
    given = {"principal": by, "store": authorised.govern, "board": authorised.desk, "clock": authorised.now}
    (found,) = contacts.contacts(purpose="to see who is told", **given)
    assert found.kept.contact.email.value == "somebody@example.com"
    contacts.remove_contact(sub="recipient", **given)
    bodies = [bytes(row["body"]).decode() for row in authorised.sql("master", "SELECT body FROM audit_event")]
    actions = [json.loads(body)["action"] for body in bodies if "contact" in body]
    assert actions == ["contact_set", "contacts_consulted", "contact_removed"]
    assert not [body for body in bodies if "example.com" in body or "+4477" in body]
    assert authorised.one("SELECT count(*) FROM contact WHERE email IS NOT NULL OR phone IS NOT NULL") == 0
    assert authorised.desk.cards.keys() == {"reviewer", "second"}


def test_nobody_but_a_requester_or_authoriser_says_or_sees_where_people_are_told(authorised: House):
    for sub in ("officer", "reviewer", "recipient", "auditor", "protector"):
        assert set_contact(authorised, "recipient", by=sub).reason is Reason.ROLE_MISSING
        given = {"principal": authorised.person(sub), "store": authorised.govern, "board": authorised.desk}
        assert contacts.contacts(purpose="x", clock=authorised.now, **given).reason is Reason.ROLE_MISSING
        assert contacts.remove_contact(sub="recipient", clock=authorised.now, **given).reason is Reason.ROLE_MISSING


@pytest.mark.parametrize("role", ["match", "enrol", "review", "retain", "report"])
def test_no_other_functions_role_reads_an_address(authorised: House, role):
    set_contact(authorised, "recipient")
    for column in ("email", "phone"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            authorised.sql(role, f"SELECT {column} FROM contact")


def test_it_says_what_it_must(confirmed: House):
    reference = short_reference(confirmed.candidate["id"])
    (look, _, look_mail), (match, _, match_mail) = ((t.sms, t.subject, t.email) for _, _, t in confirmed.publisher.sent)
    assert "Look now" in look
    assert "Only reviewers have been told" in look_mail
    for text in (match, match_mail):
        assert "checked by a reviewer; not proof of identity: verify first" in text
        assert reference in text
        assert "Gate 1" in text
        assert re.search(r"\d\d:\d\d:\d\d", text)


def test_each_begins_with_the_policys_word_and_says_that_it_is_not_calibrated(confirmed: House):
    for _, text in said(confirmed):
        assert text.startswith("DEMONSTRATION")
    for _, _, texts in confirmed.publisher.sent:
        assert "Not calibrated" in texts.sms
        assert "not calibrated" in texts.email


def test_each_sms_is_one_part(confirmed: House):
    for _, _, texts in confirmed.publisher.sent:
        assert len(texts.sms) <= 160
        assert set(texts.sms) <= GSM7


def test_a_place_that_would_make_it_two_parts_is_refused_with_the_request(house: House):
    list_id, _ = house.listed(3)
    assert "30 characters" in house.requested(list_id, place="x" * 31).detail
    assert "GSM" in house.requested(list_id, place="Gate €").detail


def test_neither_is_sent_after_its_useful_time(house: House):
    house.permitted = policy(notice_useful_s=60)
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    house.decide(house.candidates[0]["id"])
    house.skew = timedelta(seconds=61)
    confirmed = next(key for key in house.outbox.objects if "confirmed" in key)
    assert house.alert(confirmed) == "stale"
    raised = next(key for key in house.outbox.objects if "raised" in key)
    house.skew = timedelta(seconds=301)
    house.notices.items.clear()
    assert house.alert(raised) == "stale"
    assert house.told == []


def test_it_is_of_no_use_after_the_end_of_its_deployment(house: House):
    house.permitted = policy(notice_useful_s=3600)
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    house.see(3)
    house.decide(house.candidates[0]["id"])
    (notice,) = [n for n in house.outbox.notices if n.kind == "confirmed"]
    assert notice.expires_at == active.ends_at


def test_the_claims_of_the_documents_are_all_that_the_texts_need(confirmed: House):
    """What lies in the outbox is a closed set of fields: nothing can slip in."""
    bodies = [body for key, body in confirmed.outbox.objects.items() if key.startswith("notices/")]
    for body in bodies:
        assert set(json.loads(body)) == {
            "version",
            "candidate_id",
            "revision",
            "kind",
            "deployment_id",
            "camera",
            "place",
            "occurred_at",
            "expires_at",
            "message_prefix",
            "calibrated",
            "correlation_id",
            "category",
        }
