"""`proviso subject-access` and `proviso subject audit` as somebody types them: input, words, exit codes (S30, S31)."""

import re
from typing import Any

import pytest
from typer.testing import CliRunner

from proviso.cli import session
from proviso.cli.api import ApiFault
from proviso.cli.main import app

runner = CliRunner()
SLIP = ["--place", "Gate 1", "--time", "2026-11-22 20:15 Europe/London", "--slip", "ABC234"]
USE = {
    "deployment_id": "d-1",
    "watchlist_id": "list-1",
    "operator": "Example",
    "use": "demonstration",
    "place": "Gate 1",
    "starts_at": "2026-11-22T20:00:00Z",
    "ends_at": "2026-11-22T21:00:00Z",
    "started_at": "2026-11-22T20:01:00Z",
    "finished_at": None,
    "state": "active",
}
RAISED = {
    "slip": "ABC234",
    "deployment_id": "d-1",
    "place": "Gate 1",
    "captured_at": "2026-11-22T20:15:30Z",
    "raised_at": "2026-11-22T20:15:31Z",
    "state": "rejected",
    "decided_at": "2026-11-22T20:16:00Z",
    "evidence": "deleted",
}
LISTING = {
    "watchlist_id": "list-1",
    "category": "public_domain_photograph",
    "added_at": "2026-11-22T19:00:00Z",
    "removed_at": None,
    "erased_at": "2026-11-23T03:00:00Z",
    "deployments": [USE],
    "candidates": [RAISED],
}
NOTHING = {"kept": False, "listings": [], "candidates": []}


class Answering:
    """The API, answering one thing and keeping what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    def post(self, path: str, body: Any = None) -> Any:
        self.asked.append((path, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def get(self, path: str) -> Any:
        return self.post(path)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Answering:
    made = Answering(NOTHING)
    monkeypatch.setattr(session, "api", lambda *_: made)
    return made


def run(*command: str) -> tuple[int, str]:
    done = runner.invoke(app, list(command))
    assert "Traceback" not in done.output
    return done.exit_code, re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", done.output))


def test_what_is_kept_of_a_number_is_told_and_the_code_is_0(api: Answering) -> None:
    api.answer = {"kept": True, "listings": [LISTING], "candidates": []}
    code, said = run("subject-access", "--reference", "R-7", "--purpose", "request 5")
    assert code == 0
    assert api.asked == [("/subject-access", {"reference_no": "R-7", "purpose": "request 5"})]
    for part in ("On one list", "list-1", "Example", "Gate 1", "ABC234", "rejected", "deleted", "erased"):
        assert part in said
    api.answer = {"kept": True, "listings": [LISTING, {**LISTING, "deployments": []}], "candidates": []}
    _, said = run("subject-access", "--reference", "R-7")
    assert "List 2 of 2" in said
    assert "never deployed" in said


def test_what_is_kept_under_a_slip_is_told(api: Answering) -> None:
    api.answer = {"kept": True, "listings": [], "candidates": [{**RAISED, "deployment": USE}]}
    code, said = run("subject-access", *SLIP)
    assert code == 0
    assert api.asked[0][1]["time"] == "2026-11-22T20:15:00+00:00"
    for part in ("ABC234", "Example", "list-1", "2026-11-22"):
        assert part in said


def test_nothing_kept_is_code_1_and_one_sentence(api: Answering) -> None:
    for command in (["--reference", "R-7"], SLIP):
        assert run("subject-access", *command) == (1, "nothing is kept under this ")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-07-22 20:15 Europe/London", "2026-07-22T20:15:00+01:00"),
        ("2026-11-22T20:15Z", "2026-11-22T20:15:00+00:00"),
        (" 2026-11-22 20:15+01:00 ", "2026-11-22T20:15:00+01:00"),
        ("2026-11-22 20:15 UTC", "2026-11-22T20:15:00+00:00"),
    ],
)
def test_a_time_has_its_zone(api: Answering, written: str, sent: str) -> None:
    run("subject-access", "--place", "x", "--time", written, "--slip", "ABC234")
    assert api.asked[0][1]["time"] == sent


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "give --reference NO alone"),
        (["--place", "x"], "all three"),
        (["--place", "x", "--slip", "ABC234"], "all three"),
        (["--reference", "R-7", "--slip", "ABC234"], "alone"),
        (["--reference", "R-7", *SLIP], "alone"),
        (["--place", "x", "--time", "2026-11-22 20:15", "--slip", "ABC234"], "no time zone"),
        (["--place", "x", "--time", "2026-11-22", "--slip", "ABC234"], "no time zone"),
        (["--place", "x", "--time", "yesterday", "--slip", "ABC234"], "is not a time"),
        (["--place", "x", "--time", "2026-11-22 20:15 Nowhere/Land", "--slip", "ABC234"], "is not a time"),
        (["--place", "x", "--time", "2026-11-22 20:15 ../x", "--slip", "ABC234"], "is not a time"),
        (["--place", "x", "--time", " ", "--slip", "ABC234"], "is not a time"),
    ],
)
def test_wrong_input_is_code_2_and_asks_nothing(api: Answering, command: list[str], words: str) -> None:
    code, said = run("subject-access", *command)
    assert code == 2
    assert words in said
    assert api.asked == []


@pytest.mark.parametrize(("status", "code"), [(400, 2), (403, 3), (503, 3), (0, 3)])
def test_no_answer_never_looks_like_nothing_kept(api: Answering, status: int, code: int) -> None:
    api.answer = ApiFault("why not", status=status)
    assert run("subject-access", "--reference", "R-7") == (code, "why not ")


def test_a_person_s_records_are_shown_with_what_was_sealed(api: Answering) -> None:
    record = {
        "sequence": 7,
        "at": "2026-11-22T19:00:00Z",
        "actor": "officer",
        "action": "entry_added",
        "purpose": "",
        "subject": "subject:1",
        "details": {"watchlist": "list-1", "sealed": "1.x"},
        "opened": {"entry": "e-1", "reference_no": "R-7"},
    }
    api.answer = {"linked": True, "records": [record, {**record, "sequence": 8, "opened": None}]}
    code, said = run("subject", "audit", "list-1", "e/1", "--purpose", "complaint 1")
    assert code == 0
    assert api.asked[0][0] == "/subjects/list-1/e%2F1/audit?purpose=complaint+1"
    assert "reference no: R-7" in said
    api.answer = {"linked": False, "records": []}
    assert "can be linked to them any more" in run("subject", "audit", "list-1", "e-1")[1]
