"""`proviso retention`: the table can be read, and what is overdue ends with code 1 and says for how long."""

import pytest
from typer.testing import CliRunner

from proviso.cli import output, retention, session
from proviso.cli.api import ApiFault
from proviso.cli.main import app

LINES = [
    {"store": "database", "what": "list 0d2f7c1a-6a3e-4f5b-9c8d-7e6f5a4b3c2d: references", "why": "S23: not closed",
     "count": 1, "until": "2026-11-23T20:15:30+00:00", "overdue": False},
    {"store": "frames", "what": "frames past their age", "why": "S14, S25: no footage", "count": 3,
     "until": "2026-11-22T17:15:30+00:00", "overdue": True},
    {"store": "database", "what": "audit records", "why": "S29: what was done", "count": 42, "until": None,
     "overdue": False},
]  # fmt: skip


class FakeApi:
    def __init__(self):
        self.calls = []
        self.answers = {}

    def _call(self, method, path, body=None):
        self.calls.append((method, path, body))
        answer = self.answers.get(method, {})
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get(self, path):
        return self._call("GET", path)

    def post(self, path, body=None):
        return self._call("POST", path, body)

    def delete(self, path):
        return self._call("DELETE", path)


@pytest.fixture
def api(monkeypatch):
    made = FakeApi()
    monkeypatch.setattr(session, "api", lambda acting, notify: made)
    return made


def run(*words):
    return CliRunner().invoke(app, ["retention", *words])


@pytest.mark.parametrize("width", [80, 120])
def test_overdue_lines_end_with_code_1_and_say_for_how_long(api, monkeypatch, width):
    from rich.console import Console

    monkeypatch.setattr(output, "console", Console(highlight=False, width=width))
    api.answers["GET"] = {"at": "2026-11-22T20:15:30+00:00", "holdings": LINES, "overdue": 1}
    done = run("check", "--purpose", "quarterly & more")
    assert done.exit_code == 1
    assert api.calls == [("GET", "/retention?purpose=quarterly+%26+more", None)]
    assert "OVERDUE: frames: frames past their age: 3, late by 3 h" in done.output
    assert "1 of 3 lines are overdue" in done.output
    assert "0d2f7c1a-6a3e-4f5b-9c8d-7e6f5a4b3c2d" in done.output  # whole, to be copied
    assert "for good" in done.output
    assert "S14, S25: no footage" in done.output
    if width == 120:
        assert "store" in done.output.splitlines()[1], "it did not fit, and was not drawn as a table"
    assert all(len(line) <= 200 for line in done.output.splitlines())


def test_nothing_overdue_ends_well(api):
    api.answers["GET"] = {"at": "2026-11-22T20:15:30+00:00", "holdings": [LINES[0], LINES[2]], "overdue": 0}
    done = run("check")
    assert done.exit_code == 0
    assert "nothing is overdue" in done.output


def test_a_refusal_is_a_sentence(api):
    api.answers["GET"] = ApiFault("your account does not have the role that this needs", status=403)
    done = run("check")
    assert done.exit_code == 1
    assert "role" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(("words", "kind"), [((), "reason"), (("--complaint",), "complaint")])
def test_a_hold_says_until_when_and_how_to_end_it(api, words, kind):
    api.answers["POST"] = {"id": "h-1", "until": "2026-11-29T20:15:30+00:00"}
    done = run("hold", "c/1", "--reason", "a letter", "--days", "7", *words)
    assert done.exit_code == 0, done.output
    assert api.calls == [("POST", "/candidates/c%2F1/holds", {"kind": kind, "reason": "a letter", "days": 7})]
    assert "2026-11-29" in done.output
    assert "proviso retention release c/1 h-1" in done.output


def test_a_hold_needs_a_reason_and_its_days(api):
    assert run("hold", "c-1", "--days", "7").exit_code == 2
    assert run("hold", "c-1", "--reason", "x").exit_code == 2
    assert api.calls == []


def test_holds_are_listed_and_released(api):
    api.answers["GET"] = {
        "holds": [
            {"id": "h-1", "kind": "reason", "held_by": "somebody", "until": "2026-11-29T20:15:30+00:00",
             "released_at": None, "reason": "a letter"}
        ]
    }  # fmt: skip
    assert "a letter" in run("holds", "c-1").output
    done = run("release", "c-1", "h-1")
    assert api.calls[-1] == ("DELETE", "/candidates/c-1/holds/h-1", None)
    assert "released h-1" in done.output


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-11-22T20:15:00+00:00", "a moment"),
        ("2026-11-22T19:15:30+00:00", "60 min"),
        ("2026-11-21T20:15:30+00:00", "24 h"),
        ("2026-11-12T20:15:30+00:00", "10 days"),
        (None, "a moment"),
    ],
)
def test_how_long_is_said_as_people_say_it(until, said):
    from datetime import datetime

    assert retention._late({"until": until}, datetime.fromisoformat("2026-11-22T20:15:30+00:00")) == said
