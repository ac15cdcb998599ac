"""The document in the outbox: it counts for its key only (S16), and a place in it fits into an SMS (S20)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.notice import (
    PLACE_LENGTH,
    Kind,
    Notice,
    confirmed_notice,
    lost_notice,
    place_fault,
    raised_notice,
    receipt_key,
    suspended_notice,
    withdrawn_notice,
)
from tests.samples import NOW, SUSPENSION, candidate, confirmation, deployment, notice, suspension


@pytest.mark.parametrize(
    "place", ["", "  ", "x" * (PLACE_LENGTH + 1), "Gate €", "Gate [1]", "門", "Gate\n1", "Gate\r1"]
)
def test_a_place_that_no_sms_can_carry_is_refused(place):
    assert place_fault(place)


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


@pytest.mark.parametrize("category", ["suspects", None, 3, ["suspects"]])
def test_a_reviewers_notice_with_a_category_is_none(category):
    with pytest.raises(ValueError, match="category"):
        Notice.from_json(notice().key, json.dumps({**BODY, "category": category}))


def test_a_document_of_another_version_is_no_notice():
    """Of version 1 nobody knows whom it is for."""
    with pytest.raises(ValueError):
        Notice.from_json(notice().key, json.dumps({**BODY, "version": 1}))


def test_the_category_goes_with_recipients_notices_and_with_no_other():
    assert confirmed_notice(replace(confirmation(), category="missing")).category == "missing"
    assert withdrawn_notice(replace(confirmation(), category="missing")).category == "missing"
    assert raised_notice(candidate(), "").category == ""
    until = candidate().decide_by
    of_candidates = (Kind.RAISED, Kind.CONFIRMED, Kind.WITHDRAWN)
    made = {kind: lost_notice(candidate(), kind, "", until, "missing").category for kind in of_candidates}
    assert made == {Kind.RAISED: "", Kind.CONFIRMED: "missing", Kind.WITHDRAWN: "missing"}
    assert suspended_notice(suspension(), deployment()).category == ""


def test_a_suspension_names_its_safeguard_and_nothing_else_does():
    made = suspended_notice(suspension(), deployment())
    assert (made.candidate_id, made.safeguard, made.place) == (SUSPENSION, "S26", "Gate 1")
    assert made.expires_at == NOW + timedelta(hours=24)
    for kind, name in ((Kind.SUSPENDED, ""), (Kind.SUSPENDED, "S99"), (Kind.RAISED, "S26"), (Kind.CONFIRMED, "S27")):
        wrong = notice(kind, safeguard=name, category="")
        with pytest.raises(ValueError, match="names its safeguard"):
            Notice.from_json(wrong.key, wrong.to_json())


def test_each_kind_has_its_time_of_use():
    proof = confirmation()
    assert raised_notice(candidate(), "").expires_at == candidate().decide_by
    assert confirmed_notice(proof).expires_at == proof.useful_until == NOW + timedelta(minutes=10)
