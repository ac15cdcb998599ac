"""`proviso contacts`: what is asked of the API, what is shown, and what is said plainly about delivery."""

import re
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from proviso.cli import output, session
from proviso.cli.main import app

runner = CliRunner()
STATE = {"state": "confirmed", "since": "2026-11-22T20:15:30Z"}
CONTACT = {
    "sub": "rec-1",
    "email": "rec-1@example.com",
    "phone": "+447700900001",
    "language": "cy",
    "places": ["Gate 1"],
    "categories": [],
    "roles": ["recipient"],
    "set_by": "requester",
    "set_at": "2026-11-22T20:15:30Z",
    "reach": {"checked_at": "2026-11-22T20:20:00Z", "email": {**STATE, "state": "pending"}, "phone": STATE},
}


class Asked:
    def __init__(self, answer: Any = None) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.answer = answer

    def __getattr__(self, method: str) -> Any:
        def call(*given: Any) -> Any:
            self.calls.append((method, *given))
            return self.answer

        return call


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(session, "api", lambda *_: made)
    if hasattr(output, "console"):
        monkeypatch.setattr(output, "console", Console(width=200))
    return made


def shown(*command: str) -> str:
    result = runner.invoke(app, ["contacts", *command])
    assert result.exit_code == 0, result.output
    return re.sub(r"\s+", " ", result.output)


def test_what_is_set(asked: Asked) -> None:
    shown("set", "a/b", "--phone", "+447700900001", "--language", "cy", "--place", "Gate 1", "--place", "Gate 2")
    body = {
        "email": None,
        "phone": "+447700900001",
        "language": "cy",
        "places": ["Gate 1", "Gate 2"],
        "categories": [],
    }
    assert asked.calls == [("put", "/contacts/a%2Fb", body)]


def test_a_list_says_how_each_stands_and_what_delivery_means(asked: Asked) -> None:
    asked.answer = {"contacts": [CONTACT, {**CONTACT, "sub": "rec-2", "email": None, "reach": None}]}
    text = shown("list", "--purpose", "before the start")
    assert asked.calls == [("get", "/contacts?purpose=before%20the%20start")]
    assert "rec-1" in text
    assert "pending" in text
    assert "SNS says that it accepted it, and nothing more" in text
    assert "SNS delivery logs" in text


def test_what_is_removed(asked: Asked) -> None:
    shown("remove", "rec-1")
    assert asked.calls == [("delete", "/contacts/rec-1")]
