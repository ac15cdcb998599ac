"""`proviso trial`: a plan is filled in, counted against what the API gives, and handed in."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proviso.cli import session
from proviso.cli.main import app
from proviso.domain.calibration_json import FORMAT
from proviso.domain.errors import ConfigurationFault
from proviso.evaluation.trial import body, empty_plan, read_plan

NOW = datetime(2026, 11, 27, 10, tzinfo=UTC)
runner = CliRunner()


def moment(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


class Served:
    """The API of a trial: a listed person walked 30 times and was found 28 times, 100 others once each, one raised."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sent: list[tuple[str, Any]] = []

    def get(self, path: str) -> Any:
        self.asked.append(path)
        if path == "/calibrations":
            return {"calibrations": [{"id": "c", "kind": "laboratory", "site": "", "pipeline": "p" * 64,
                                      "made_at": moment(0), "data": "drawn"}]}  # fmt: skip
        if "/trial" in path:
            if "gate-2" in path:
                return {"listed": ["R-1"], "sightings": [], "frames": []}
            frames = [{"camera": "gate-1", "captured_at": moment(10 * n + 1), "faces": 1} for n in range(130)]
            seen = [n for n in range(130) if n < 28 or n == 50]
            sightings = [{"camera": "gate-1", "captured_at": moment(10 * n + 1), "reference_no": "R-1"} for n in seen]
            return {"listed": ["R-1"], "sightings": sightings, "frames": frames}
        return {
            "id": "d-1", "pipeline": "p" * 64, "place": "Hall", "cameras": ["gate-1", "gate-2"], "threshold": "0.46",
            "entries": 1, "burst_frames": 1, "starts_at": moment(0), "ends_at": moment(7200), "started_at": moment(0),
            "finished_at": moment(3600),
        }  # fmt: skip

    def post(self, path: str, body: Any = None) -> Any:
        self.sent.append((path, body))
        return {"id": "c-9", "site": "Hall", "pipeline": "p" * 64}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    made = Served()
    monkeypatch.setattr(session, "api", lambda acting, notify: made)
    return made


def filled(path: Path, walks: int = 130) -> Path:
    lines = [f"{n},{'R-1' if n < 30 else ''},gate-1,{moment(10 * n)},{moment(10 * n + 4)}" for n in range(walks)]
    path.write_text(empty_plan(["gate-1", "gate-2"]) + "\n".join(lines) + "\n")
    return path


def test_from_the_plan_to_the_record(served: Served, tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.csv", tmp_path / "trial.json"
    assert runner.invoke(app, ["trial", "plan", str(plan), "--deployment", "d-1"]).exit_code == 0
    assert "Cameras of this deployment: gate-1, gate-2" in plan.read_text()
    done = runner.invoke(app, ["trial", "result", "d-1", str(filled(plan)), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "28 of 30 passages of 1 listed people" in done.output
    assert "1 of 100 passages of 100 others" in done.output
    assert "4.0 s, 1.0 frames with a face, 1.0 faces searched" in done.output
    assert "{" not in done.output
    values = json.loads(out.read_text())
    assert (values["format"], values["kind"], values["site"]) == (FORMAT, "site_trial", "Hall")
    assert values["points"][0]["threshold_floor"] == 0.46
    assert runner.invoke(app, ["trial", "record", str(out)]).exit_code == 0
    ((path, sent),) = served.sent
    assert path == "/calibrations"
    assert sent["deployment_id"] == "d-1"
    assert len(sent["plan"]) == 130
    assert sent["claimed"] == {
        "mated_passages": 30, "found_passages": 28, "non_mated_passages": 100, "false_passages": 1,
        "faces_searched": 100,
    }  # fmt: skip


def test_what_is_sent_is_what_the_server_takes(served: Served, tmp_path: Path) -> None:
    from functions.govern.trial_requests import TrialBody

    plan, out = tmp_path / "plan.csv", tmp_path / "trial.json"
    runner.invoke(app, ["trial", "result", "d-1", str(filled(plan)), "--out", str(out)])
    taken = TrialBody.model_validate(body(json.loads(out.read_text())))
    assert list(taken.passages()) == read_plan(plan.read_text(), "plan")


def test_too_few_passages_are_counted_and_are_no_trial(served: Served, tmp_path: Path) -> None:
    done = runner.invoke(
        app, ["trial", "result", "d-1", str(filled(tmp_path / "p.csv", 60)), "--out", str(tmp_path / "o.json")]
    )
    assert done.exit_code == 1
    assert "too few passages" in " ".join(done.output.split())


def test_nothing_that_is_there_is_overwritten(served: Served, tmp_path: Path) -> None:
    plan = filled(tmp_path / "plan.csv")
    before = plan.read_text()
    assert runner.invoke(app, ["trial", "plan", str(plan)]).exit_code == 1
    assert plan.read_text() == before


def test_the_list_shows_what_there_is(served: Served) -> None:
    assert "laboratory" in runner.invoke(app, ["trial", "list"]).output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,R-1,gate-1,2026-11-27T10:00:00Z", "4 cells"),
        (",R-1,gate-1,2026-11-27T10:00:00Z,2026-11-27T10:00:04Z", "cannot be empty"),
        ("1,R-1,gate-1,ten,2026-11-27T10:00:04Z", "no time"),
        ("1,R-1,gate-1,2026-11-27T10:00:00,2026-11-27T10:00:04Z", "lacks its zone"),
    ],
)
def test_a_line_that_is_wrong_is_named(line: str, said: str) -> None:
    with pytest.raises(ConfigurationFault, match=rf"plan, line \d+.*{said}"):
        read_plan(empty_plan() + line, "plan")


@pytest.mark.parametrize(("text", "said"), [(empty_plan(), "no passage"), ("a,b\n1,2", "does not begin with")])
def test_nor_is_an_empty_one_or_another_table_taken(text: str, said: str) -> None:
    with pytest.raises(ConfigurationFault, match=said):
        read_plan(text, "plan")


def test_a_file_that_is_no_trial_is_not_sent(served: Served, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert runner.invoke(app, ["trial", "record", str(tmp_path / "x.json")]).exit_code == 1
    assert served.sent == []
    with pytest.raises(ConfigurationFault, match="missing"):
        body({})
