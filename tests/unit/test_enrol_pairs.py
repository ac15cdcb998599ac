"""enrol's routes for pairs (S19): what is wrong with a request is said by name, and nothing of a picture is in it."""

import base64
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from functions.enrol import app as enrol_app
from proviso import wiring
from proviso.domain.pairs import Pair, picture_keys, similarity
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import pairs
from tests.samples import NOW, axis, principal

JPEG = base64.b64encode(b"picture").decode()
BODY = {"mated": False, "consent": "form 1", "probe": JPEG, "reference": JPEG}
MADE = Pair("p-1", False, 0.12345, "form 1", *(("k", (0, 0, 1, 1)) * 2), "officer", NOW)


def event(method: str, path: str, body=None):
    return {
        "version": "2.0", "routeKey": f"{method} {path}", "rawPath": path, "rawQueryString": "",
        "headers": {"content-type": "application/json"}, "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default", "requestId": "r",
                           "authorizer": {"jwt": {"claims": {"sub": "officer"}}}},
    }  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What the routes answer; `given`: what the stage was called with."""
    room = SimpleNamespace(
        principal=lambda sub: principal(sub, Role.WATCHLIST_OFFICER), pipeline=None, pictures=None, pairs=None,
        clock=None, new_id=None,
    )  # fmt: skip
    monkeypatch.setattr(wiring, "enrol", lambda: room)

    def ask(method, path, body=None, *, stage="add", gives=MADE):
        given = {}
        monkeypatch.setattr(pairs, stage, lambda **all_of_it: given.update(all_of_it) or gives)
        found = enrol_app.handler(event(method, path, body), SimpleNamespace(aws_request_id="r"))
        return found["statusCode"], json.loads(found["body"]), given

    return ask


def test_a_pair_is_added_with_its_similarity_and_no_more(asked):
    status, body, given = asked("POST", "/tests/pairs", BODY)
    assert (status, body) == (
        201,
        {"id": "p-1", "similarity": 0.123, "expires_at": (NOW + timedelta(days=30)).isoformat()},
    )
    assert (given["probe"].data, given["reference"].data, given["mated"]) == (b"picture", b"picture", False)


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"probe": "not base64!"}, "probe"), ({"reference": "YQ"}, "reference"), ({"probe": ""}, "probe"),
     ({"mated": "yes"}, "mated"), ({"consent": " "}, "consent"), ({"name": "x"}, "name")],
)  # fmt: skip
def test_what_is_wrong_is_said_by_name_and_without_the_picture(asked, changed, named):
    status, body, given = asked("POST", "/tests/pairs", {**BODY, **changed})
    assert (status, body["reason"], given) == (400, "invalid", {})
    assert named in body["message"]
    assert JPEG not in body["message"]


def test_a_refused_picture_says_which(asked):
    status, body, _ = asked("POST", "/tests/pairs", BODY, gives=Refused(Reason.NOT_SHARP, "the probe"))
    assert (status, body["reason"], "(the probe)" in body["message"]) == (422, "not_sharp", True)


def test_they_are_listed_with_what_they_are_good_for(asked):
    status, body, _ = asked("GET", "/tests/pairs", stage="listed", gives=(NOW + timedelta(days=30), [MADE]))
    assert status == 200
    (one,) = body["pairs"]
    assert (one["state"], one["consent"], "k" in one.values()) == ("expired", "form 1", False)


def test_one_is_removed_by_its_id(asked):
    removed = Pair(**{**{name: getattr(MADE, name) for name in MADE.__dataclass_fields__}, "removed_at": NOW})
    status, body, given = asked("DELETE", "/tests/pairs/p-1", stage="remove", gives=removed)
    assert (status, body, given["pair_id"]) == (200, {"id": "p-1", "removed_at": NOW.isoformat()}, "p-1")


def test_the_similarity_is_a_cosine_and_pipelines_never_meet():
    from proviso.domain.errors import PipelineMismatch

    assert similarity(axis(1), axis(1)) == 1.0
    assert similarity(axis(1), axis(2)) == 0.0
    with pytest.raises(PipelineMismatch):
        similarity(axis(1), axis(1, "other"))


def test_pictures_lie_apart_from_those_of_entries():
    assert picture_keys("p") == ("tests/p-probe.jpg", "tests/p-reference.jpg")
