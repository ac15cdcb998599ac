"""govern's routes act in one way, so that none forgets to have anchored what it recorded (S29)."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.govern import acting
from proviso.domain.reasons import Reason, Refused
from tests.samples import principal

GOVERN = Path(acting.__file__).parent


def event(method: str, sub: str = "somebody") -> SimpleNamespace:
    authorizer = SimpleNamespace(jwt_claim={"sub": sub})
    return SimpleNamespace(http_method=method, request_context=SimpleNamespace(authorizer=authorizer))


@pytest.fixture
def anchored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    room = SimpleNamespace(
        principal=principal, anchor_now=lambda name: done.append(name), anchor_soon=lambda: done.append("soon")
    )
    monkeypatch.setattr(acting.wiring, "govern", lambda: room)
    return done


@pytest.mark.parametrize(
    ("method", "answer", "transition", "expected"),
    [
        ("GET", {}, None, []),
        ("POST", {}, None, ["soon"]),
        ("DELETE", {}, None, ["soon"]),
        ("POST", {}, "d-1", ["d-1"]),
        ("POST", Refused(Reason.WRONG_STATE), "d-1", ["soon"]),
    ],
)
def test_what_was_recorded_is_anchored(anchored, method, answer, transition, expected):
    acting.acting(event(method), lambda by: answer, transition=transition)
    assert anchored == expected


@pytest.mark.parametrize("path", sorted(GOVERN.glob("*.py")), ids=lambda path: path.stem)
def test_no_route_acts_past_it(path: Path):
    if path.stem != "acting":
        assert "edge.http import act" not in path.read_text(encoding="utf-8")
