"""What goes out: one SMS part, no name, no category, no similarity (S20). A document counts for its key only (S16)."""

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.notice import (
    GSM7,
    PLACE_LENGTH,
    SMS_SEPTETS,
    Kind,
    Notice,
    confirmed_notice,
    place_fault,
    raised_notice,
    receipt_key,
    texts,
    withdrawn_notice,
)
from tests.samples import NOW, candidate, confirmation, notice

LONDON = ZoneInfo("Europe/London")
LONGEST_PREFIX = "W" * 14  # policies/: at most 14 of A to Z and space


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("prefix", ["", "TRIAL", "DEMONSTRATION", LONGEST_PREFIX])
def test_the_longest_notice_is_one_sms_part(kind, calibrated, prefix):
    place = "ÄÖ" + "W" * (PLACE_LENGTH - 2)
    assert place_fault(place) is None
    made = texts(notice(kind, place=place, message_prefix=prefix, calibrated=calibrated), LONDON)
    assert len(made.sms) <= SMS_SEPTETS
    assert set(made.sms) <= GSM7
    assert made.subject.isascii()
    assert 0 < len(made.subject) < 100
    assert "\n" not in made.subject
    assert "\r" not in made.subject
    assert ("Not calibrated." in made.sms) is not calibrated
    assert ("not calibrated" in made.email) is not calibrated
    if prefix:
        assert made.sms.startswith(prefix)
        assert made.subject.startswith(prefix)
        assert made.email.startswith(prefix)


@given(st.text(st.sampled_from(sorted(GSM7 - {"\n", "\r"})), min_size=1, max_size=PLACE_LENGTH))
def test_every_place_that_is_accepted_can_be_sent(place):
    if place_fault(place) is None:
        for kind in Kind:
            assert place in texts(notice(kind, place=place, message_prefix=LONGEST_PREFIX), LONDON).sms


@pytest.mark.parametrize(
    "place", ["", "  ", "x" * (PLACE_LENGTH + 1), "Gate €", "Gate [1]", "門", "Gate\n1", "Gate\r1"]
)
def test_a_place_that_no_sms_can_carry_is_refused(place):
    assert place_fault(place)


def test_what_would_not_fit_is_not_sent():
    with pytest.raises(ValueError, match="not one GSM-7 part"):
        texts(notice(place="x" * 200), LONDON)
    with pytest.raises(ValueError, match="not one GSM-7 part"):
        texts(notice(place="門"), LONDON)


def test_recipients_are_told_to_verify_first():
    made = texts(notice(Kind.CONFIRMED), LONDON)
    for text in (made.sms, made.email):
        assert "possible match, checked by a reviewer; not proof of identity: verify first" in text.lower()


def test_times_are_local():
    summer = NOW.replace(month=7)
    assert "21:15:30" in texts(notice(occurred_at=summer, expires_at=summer), LONDON).sms
    assert "20:15:30" in texts(notice(), LONDON).sms


@pytest.mark.parametrize("kind", Kind)
def test_no_name_category_or_similarity_is_in_the_document_or_the_texts(kind):
    proof = confirmation(similarity=0.7171, entry_id="entry-of-somebody", policy="secret-policy 1")
    made = {
        Kind.RAISED: lambda: raised_notice(candidate(similarity=0.7171, entry_id="entry-of-somebody"), "DEMONSTRATION"),
        Kind.CONFIRMED: lambda: confirmed_notice(proof),
        Kind.WITHDRAWN: lambda: withdrawn_notice(proof),
    }[kind]()
    sent = texts(made, LONDON)
    everything = made.to_json() + sent.sms + sent.subject + sent.email
    for hidden in ("entry-of-somebody", "0.7171", "71 %", "0.5", "evidence", "secret-policy", "reviewer-1", "alike"):
        assert hidden not in everything
    assert "%" not in sent.sms + sent.email


@pytest.mark.parametrize("kind", Kind)
def test_it_comes_back_under_its_own_key(kind):
    assert Notice.from_json(notice(kind).key, notice(kind).to_json()) == notice(kind)
    assert receipt_key(notice(kind).candidate_id, kind).startswith("receipts/")


OTHER = "00000000-0000-5000-8000-000000000000"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("claimed", Kind)
def test_a_document_under_a_foreign_key_is_no_notice(kind, claimed):
    """Who may put which kind is decided by the key, so a key may not carry another kind."""
    foreign = notice(claimed, candidate_id=OTHER).key
    with pytest.raises(ValueError, match="does not belong"):
        Notice.from_json(foreign, notice(kind).to_json())
    if kind is not claimed:
        with pytest.raises(ValueError, match="does not belong"):
            Notice.from_json(notice(claimed).key, notice(kind).to_json())


@pytest.mark.parametrize(
    "key",
    [
        "notices/{id}/2-confirmed.json/1-raised.json",
        "notices/{id}//1-raised.json",
        "notices/{id}/1-raised.json ",
        "notices/{id}/01-raised.json",
        "notices/{id}/2-raised.json",
        "receipts/{id}/1-raised.json",
        "notices/x/../{id}/1-raised.json",
        "",
    ],
)
def test_a_key_that_only_looks_like_it_is_foreign(key):
    with pytest.raises(ValueError, match="does not belong"):
        Notice.from_json(key.format(id=notice().candidate_id), notice().to_json())


BODY = json.loads(notice().to_json())


@pytest.mark.parametrize("name", [name for name in BODY if name != "revision"])
@pytest.mark.parametrize("odd", [None, [], {}, "missing"])
def test_a_damaged_document_is_no_notice(name, odd):
    body = {key: value for key, value in BODY.items() if key != name}
    if odd != "missing":
        body[name] = odd
    try:
        read = Notice.from_json(notice().key, json.dumps(body))
    except ValueError:
        return
    # What is only shown may be odd; what decides may not.
    assert name in ("place", "message_prefix", "correlation_id", "deployment_id", "camera", "calibrated")
    assert odd != "missing"
    assert read.calibrated is False


@pytest.mark.parametrize("body", ["", "[]", "null", '"x"', b"\xff", "[" * 200_000, "{}"])
def test_what_is_no_document_is_no_notice(body):
    with pytest.raises(ValueError):
        Notice.from_json(notice().key, body)


@pytest.mark.parametrize("name", ["occurred_at", "expires_at"])
def test_a_time_without_its_zone_is_no_notice(name):
    with pytest.raises(ValueError, match="zone"):
        Notice.from_json(notice().key, json.dumps({**BODY, name: "2026-11-22T20:15:30"}))


def test_each_kind_has_its_time_of_use():
    proof = confirmation()
    assert raised_notice(candidate(), "").expires_at == candidate().decide_by
    assert confirmed_notice(proof).expires_at == proof.useful_until == NOW + timedelta(minutes=10)
