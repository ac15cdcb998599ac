"""grant over HTTP: a key in the header, an answer that nobody keeps, and one 401 for every wrong key (S35)."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.grant import app
from proviso import wiring
from proviso.domain.camera import UploadGrant
from proviso.domain.errors import PermitUnreadable, StorageFault
from proviso.domain.reasons import Reason, Refused
from tests.samples import NOW

EVENT = json.loads((Path(__file__).parents[2] / "events" / "grant-camera.json").read_text())
CONTEXT = SimpleNamespace(aws_request_id="request-1")
GRANT = UploadGrant("https://frames", {"policy": "p"}, "hall-north/", NOW)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What grant is asked, in order; its answers are taken from the end of the list."""
    seen: list[Any] = []
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "grant")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Proviso")
    app.app.cache_clear()
    return seen


def answer(
    monkeypatch: pytest.MonkeyPatch, asked: list[Any], found: Any, **headers: str
) -> tuple[int, dict[str, Any], Any]:
    def one(camera: str, key: str) -> Any:
        asked.append((camera, key))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(wiring, "grant", lambda: one)
    event = {**EVENT, "headers": {**EVENT["headers"], **headers}}
    got = app.handler(event, CONTEXT)
    return got["statusCode"], got["headers"], json.loads(got["body"])


def test_the_answer_is_a_form_that_nobody_keeps(monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> None:
    status, headers, body = answer(monkeypatch, asked, GRANT, authorization="bearer the-key")
    assert asked == [("hall-north", "the-key")]
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert body == {
        "url": "https://frames",
        "fields": {"policy": "p"},
        "key_prefix": "hall-north/",
        "expires_at": NOW.isoformat(),
        "burst_frames": 1,
        "burst_fields": None,
    }


@pytest.mark.parametrize("header", ["", "Basic the-key", "the-key", "Bearer", "Bearer "])
def test_what_is_no_bearer_key_is_no_key(monkeypatch: pytest.MonkeyPatch, asked: list[Any], header: str) -> None:
    status, headers, body = answer(monkeypatch, asked, Refused(Reason.CAMERA_KEY), authorization=header)
    assert asked == [("hall-north", "")]
    assert (status, headers["Cache-Control"], body["reason"]) == (401, "no-store", "camera_key")
    assert "hall-north" not in body["message"]


@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        (Refused(Reason.NO_PERMIT, "hall-north"), 409, "no_permit"),
        (Refused(Reason.OUTSIDE_WINDOW, "now"), 409, "outside_window"),
        (PermitUnreadable("x"), 500, "fault"),
        (StorageFault("x"), 503, "storage_fault"),
    ],
)
def test_refusals_and_faults_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, asked: list[Any], found: Any, status: int, reason: str
) -> None:
    got, headers, body = answer(monkeypatch, asked, found)
    assert (got, headers["Cache-Control"], body["reason"]) == (status, "no-store", reason)
