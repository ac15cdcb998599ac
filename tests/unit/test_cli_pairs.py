"""`proviso tests` and `proviso reviewers`: what they send, and what they say."""

import base64
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from proviso.cli import session
from proviso.cli.main import app
from proviso.cli.pairs import _LARGEST

runner = CliRunner()
PAIR = {"id": "p-1", "mated": False, "similarity": 0.31, "consent": "form 1", "added_by": "o", "removed_at": None,
        "added_at": "2026-11-27T03:00:00+00:00", "expires_at": "2026-12-27T03:00:00+00:00",
        "state": "usable"}  # fmt: skip
FINE = {"sub": "r-1", "trained_until": "2027-01-01T00:00:00+00:00", "rated_from": None, "tests": 12, "non_mates": 7,
        "confirmed_non_mates": 1, "mates": 4, "rejected_mates": 0, "cannot_tell": 1, "unanswered": 2,
        "error_rate": 0.0909, "low": 0.0023, "high": 0.4128, "limit": 0.2, "denied": False}  # fmt: skip


class Asked:
    """An API that answers by path, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, []

    def get(self, path: str) -> Any:
        return self.answers[path.split("/")[1]]

    def post(self, path: str, body: Any) -> Any:
        self.asked.append((path, body))
        return PAIR

    def delete(self, path: str) -> None:
        self.asked.append((path, None))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked(tests={"pairs": [PAIR, {**PAIR, "id": "p-2", "mated": True, "state": "expired"}]},
                 reviewers={"reviewers": [FINE, {**FINE, "sub": "r-2", "error_rate": None,
                                                 "denied": True}]})  # fmt: skip
    monkeypatch.setattr(session, "api", lambda *_: made)
    return made


def text(output: str) -> str:
    return " ".join(output.split())


def picture(path: Path, side: int = 64) -> Path:
    noise = np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)
    return path


def test_both_pictures_go_in_one_request_as_jpeg_and_small_enough(api: Asked, tmp_path: Path) -> None:
    large = picture(tmp_path / "large.png", 2600)
    small = picture(tmp_path / "small.jpg")
    result = runner.invoke(app, ["tests", "add", str(large), str(small), "--different", "--consent", "form 1"])
    assert result.exit_code == 0, result.output
    ((path, body),) = api.asked
    assert (path, body["mated"], body["consent"]) == ("/tests/pairs", False, "form 1")
    sent = [base64.b64decode(body[name]) for name in ("probe", "reference")]
    assert all(one.startswith(b"\xff\xd8\xff") for one in sent)
    assert sent[1] == small.read_bytes()
    assert "similarity 0.310, drawn until 2026-12-27" in text(result.output)
    assert _LARGEST * 2 * 4 / 3 < 6e6


@pytest.mark.parametrize("missing", ["--different", "--consent"])
def test_neither_kind_nor_consent_is_guessed(api: Asked, tmp_path: Path, missing: str) -> None:
    command = ["tests", "add", str(picture(tmp_path / "a.jpg")), str(picture(tmp_path / "b.jpg"))]
    given = {"--different": ["--consent", "form 1"], "--consent": ["--different"]}[missing]
    assert runner.invoke(app, [*command, *given]).exit_code == 2
    assert api.asked == []


def test_what_is_no_picture_is_told_and_not_sent(api: Asked, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("x")
    command = ["tests", "add", str(tmp_path / "a.jpg"), str(tmp_path / "none.jpg"), "--same", "--consent", "c"]
    result = runner.invoke(app, command)
    assert (result.exit_code, api.asked) == (1, [])
    assert "a.jpg: is not a picture" in text(result.output)


def test_pairs_are_listed_with_how_many_can_be_drawn(api: Asked) -> None:
    result = runner.invoke(app, ["tests", "list"])
    assert "1 usable: 1 of different people, 0 of one person" in text(result.output)
    api.answers["tests"] = {"pairs": []}
    assert "starts nothing without a pair of different people" in text(runner.invoke(app, ["tests", "list"]).output)


def test_one_is_removed(api: Asked) -> None:
    assert runner.invoke(app, ["tests", "remove", "p-1"]).exit_code == 0
    assert api.asked == [("/tests/pairs/p-1", None)]


def test_a_rate_comes_with_its_interval_and_who_was_not_tested_is_not_measured(api: Asked) -> None:
    output = text(runner.invoke(app, ["reviewers"]).output)
    assert "9.1% (0.2% to 41.3%)" in output
    assert "1 of 7" in output
    assert re.search(r"r-2.*not measured.*DENIED", output)
    assert "above 20%" in output
