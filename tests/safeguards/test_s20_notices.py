"""S20: to reviewers: look now. To recipients: reference, local time, place, "possible match, checked by a reviewer;
not proof of identity: verify first". No name, no image, no category; one SMS part; not sent after its useful time.

Data minimisation. Here over the whole way: whatever is on the list, nothing of it may be in what goes out.
"""

import re
from datetime import timedelta

import pytest

from proviso.domain.candidate import short_reference
from proviso.domain.notice import GSM7
from tests.safeguards.house import House
from tests.samples import policy

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
        "public_domain_photograph",
        confirmed.entry.id,
        confirmed.active.watchlist_id,
        "reviewer-",
        "alike",
        "evidence/",
        "enrolment/",
    ]
    everything = "\n".join([*(text for _, text in said(confirmed)), *confirmed.outbox.objects.values()])
    assert [word for word in hidden if word in everything] == []
    for _, text in said(confirmed):
        assert "%" not in text
        assert "similarity" not in text.lower()
        assert not re.search(r"\b0\.\d", text)


def test_it_says_what_it_must(confirmed: House):
    reference = short_reference(confirmed.candidate["id"])
    (look, _, look_mail), (match, _, match_mail) = ((t.sms, t.subject, t.email) for _, _, t in confirmed.publisher.sent)
    assert "Look now" in look
    assert "Nobody else has been told" in look_mail
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
    import json

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
