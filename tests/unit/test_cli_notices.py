"""`proviso notices` and `proviso candidates withdraw` as somebody types them: words, pictures, exit codes."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proviso.cli import session
from proviso.cli.api import ApiFault
from proviso.cli.main import app

runner = CliRunner()
NOTICE: dict[str, Any] = {
    "reference": "ABC234",
    "id": "c-1",
    "deployment_id": "d-1",
    "place": "Gate 1",
    "camera": "north",
    "captured_at": "2026-11-22T20:15:30Z",
    "confirmed_at": "2026-11-22T20:16:00Z",
    "useful_until": "2026-11-22T20:26:00Z",
    "state": "confirmed",
    "message_prefix": "DEMONSTRATION",
    "outcome": None,
}
SAID = {"result": "engaged_wrong", "action": "help", "recorded_at": "2026-11-22T20:20:00Z"}
WHOLE = {
    **NOTICE,
    "now": "2026-11-22T20:17:00Z",
    "evidence": "/notices/c-1/evidence",
    "face": {"x": 1, "y": 2, "width": 3, "height": 4},
    "references": [{"path": "/notices/c-1/references/r-1", "face": None}],
    "calibrated": False,
}
SLIP = {
    "reference": "ABC234",
    "place": "Gate 1",
    "captured_at": "2026-11-22T20:15:30Z",
    "controller": "Example",
    "complaints": "complaints@example.org",
    "use": "demonstration",
    "legal_basis": "for the test",
    "policy": "demo 1",
    "deployment_id": "d-1",
    "evidence_until": "2026-11-23T08:15:30Z",
    "held_until": None,
}


class Answering:
    """The API, answering one thing and keeping what it was asked."""

    def __init__(self) -> None:
        self.answer: Any = WHOLE
        self.asked: list[tuple[str, str, Any]] = []

    def get(self, path: str) -> Any:
        return self._told("GET", path, None)

    def post(self, path: str, body: Any = None) -> Any:
        return self._told("POST", path, body)

    def picture(self, path: str) -> bytes:
        return bytes(self._told("PICTURE", path, None) and b"jpeg")

    def _told(self, method: str, path: str, body: Any) -> Any:
        self.asked.append((method, path, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Answering:
    made = Answering()
    monkeypatch.setattr(session, "api", lambda *_: made)
    return made


def run(*command: str) -> tuple[int, str]:
    done = runner.invoke(app, list(command))
    assert "Traceback" not in done.output
    return done.exit_code, re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", done.output))


def test_the_list_says_until_when_each_is_of_use_and_what_came_of_it(api: Answering) -> None:
    api.answer = {"now": "2026-11-22T20:17:00Z", "notices": [{**NOTICE, "outcome": SAID}, NOTICE]}
    code, told = run("notices", "list")
    assert code == 0
    for part in ("c-1", "ABC234", "Gate 1", "20:26:00 UTC", "engaged wrong, help"):
        assert part in told
    assert api.asked == [("GET", "/notices", None)]


def test_one_begins_with_what_to_do(api: Answering) -> None:
    code, told = run("notices", "show", "c/1")
    assert code == 0
    assert told.startswith("Possible match, checked by a reviewer; not proof of identity: verify first.")
    assert "references" not in told
    assert api.asked == [("GET", "/notices/c%2F1", None)]
    api.answer = {**WHOLE, "state": "withdrawn"}
    assert run("notices", "show", "c-1")[1].startswith("WITHDRAWN: do not act on it.")


@pytest.mark.parametrize("group", ["notices", "candidates"])
def test_pictures_are_written_for_this_account_alone(api: Answering, tmp_path: Path, group: str) -> None:
    code, told = run(group, "show", "c-1", "--pictures", str(tmp_path / "look"))
    assert code == 0, told
    written = sorted((tmp_path / "look").iterdir())
    assert [path.name for path in written] == ["ABC234-evidence.jpg", "ABC234-reference-1.jpg"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    assert "delete them" in told
    assert [path for method, path, _ in api.asked if method == "PICTURE"] == [
        "/notices/c-1/evidence",
        "/notices/c-1/references/r-1",
    ]


def test_where_no_picture_is_shown_any_more_the_notice_still_is(api: Answering, tmp_path: Path) -> None:
    def refused(path: str) -> bytes:
        raise ApiFault("the notice is withdrawn: no picture of it is shown any more", status=409)

    api.answer = {**WHOLE, "state": "withdrawn"}
    api.picture = refused  # type: ignore[method-assign]
    code, told = run("notices", "show", "c-1", "--pictures", str(tmp_path))
    assert code == 1
    assert told.startswith("WITHDRAWN: do not act on it.")
    assert "no picture of it is shown any more" in told
    assert list(tmp_path.iterdir()) == []


def test_an_outcome_is_sent_as_it_is_said(api: Answering) -> None:
    api.answer = {**WHOLE, "outcome": SAID}
    code, told = run("notices", "outcome", "c-1", "engaged_wrong", "--action", "help")
    assert (code, "engaged wrong, help" in told) == (0, True)
    assert api.asked == [("POST", "/notices/c-1/outcome", {"result": "engaged_wrong", "action": "help"})]
    run("notices", "outcome", "c-1", "not_engaged")
    assert api.asked[-1][2] == {"result": "not_engaged", "action": "none"}
    assert run("notices", "outcome", "c-1", "perhaps")[0] == 2


def test_a_hold_and_the_slip(api: Answering) -> None:
    api.answer = {"held_until": "2026-12-22T20:20:00Z"}
    code, told = run("notices", "hold", "c-1", "--reason", "asked for it")
    assert (code, told) == (0, "the picture is kept until 2026-12-22 20:20:00 UTC ")
    assert api.asked == [("POST", "/notices/c-1/hold", {"reason": "asked for it"})]
    api.answer = SLIP
    code, told = run("notices", "slip", "c-1")
    assert code == 0
    for part in ("Example", "complaints@example.org", "2026-11-23 08:15:30 UTC"):
        assert part in told
    api.answer = {**SLIP, "evidence_until": None}
    assert "the picture is deleted" in run("notices", "slip", "c-1")[1]


def test_a_confirmation_is_taken_back(api: Answering) -> None:
    code, _ = run("candidates", "withdraw", "c-1", "--reason", "another nose")
    assert code == 0
    assert api.asked == [("POST", "/candidates/c-1/withdrawal", {"reason": "another nose"})]


@pytest.mark.parametrize(
    "command",
    [
        ["notices", "list"],
        ["notices", "show", "x"],
        ["notices", "outcome", "x", "not_engaged"],
        ["notices", "slip", "x"],
    ],
)
def test_a_refusal_is_a_sentence(api: Answering, command: list[str]) -> None:
    api.answer = ApiFault("you are not named for this deployment", status=403)
    code, told = run(*command)
    assert (code, told.strip()) == (1, "you are not named for this deployment")
