"""enrol's route: a new reference is 201, one that is there already 200 with the same id, a poor picture 422 (S10)."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.enrol import app as enrol_app
from proviso import wiring
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages.enrol import Enrolled
from tests.samples import face, principal

EVENT = Path(__file__).resolve().parents[2] / "events" / "enrol-reference.json"


@pytest.fixture
def answered(monkeypatch):
    """What the route answers when the stage gives this."""
    room = SimpleNamespace(
        principal=lambda sub: principal("officer", Role.WATCHLIST_OFFICER),
        pipeline=SimpleNamespace(digest="p" * 64),
        pictures=None,
        subjects=None,
        store=None,
        clock=None,
        new_id=None,
    )
    monkeypatch.setattr(wiring, "enrol", lambda: room)

    def answer(given):
        monkeypatch.setattr(enrol_app, "enrol", lambda **_: given)
        found = enrol_app.handler(json.loads(EVENT.read_text()), SimpleNamespace(aws_request_id="r"))
        body = found["body"]
        return found["statusCode"], json.loads(base64.b64decode(body) if found.get("isBase64Encoded") else body)

    return answer


def test_a_new_reference_is_created_with_its_measures(answered):
    status, body = answered(Enrolled("r-1", face().quality))
    assert (status, body["id"], body["already"], body["pipeline"]) == (201, "r-1", False, "p" * 64)
    assert body["quality"]["sharpness"] == face().quality.sharpness


def test_one_that_is_there_is_the_same_and_not_created(answered):
    assert answered(Enrolled("r-1", None)) == (
        200,
        {"id": "r-1", "quality": None, "already": True, "pipeline": "p" * 64},
    )


def test_a_poor_picture_is_refused_with_its_reason(answered):
    status, body = answered(Refused(Reason.NOT_SHARP))
    assert (status, body["reason"]) == (422, "not_sharp")
