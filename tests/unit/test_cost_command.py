"""`proviso cost` as its user has it."""

import json
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from proviso.cli.cost import command
from proviso.cli.main import app
from tests.unit.test_cost_model import PLANT

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(command, "read_plant", lambda root, parameters=None: PLANT)
    return lambda *arguments: CliRunner().invoke(app, ["cost", *map(str, arguments)])


def test_the_standard_trial(run: Any) -> None:
    shown = run()
    assert shown.exit_code == 0, shown.output
    for said in (
        "2 cameras, 40 hours a month, 2 frames a second: 576,000 frames",
        "a million frames",
        "Amazon Rekognition for the same frames",
        "an idle month under $5",
        "The same in other uses: --burst 5",
        "here over 14,400 frames",
        "awslambdaric",
        "assumed",
        "Price in doubt: sns_sms",
    ):
        assert said in shown.output, said


def test_the_last_line_is_the_same_whether_or_not_the_table_takes_off_what_is_free(run: Any) -> None:
    lines = [run(*arguments).output.splitlines()[-1] for arguments in ([], ["--free-tier"])]
    assert lines[0] == lines[1]
    least, most = (json.loads(run("--json", *one).output)["month"]["total"] for one in (["--free-tier"], []))
    assert f"In short: ${least:.2f} to ${most:.2f} in such a month" in lines[0]


@pytest.mark.parametrize("columns", [80, 40])
def test_no_figure_is_cut_in_a_narrow_window(run: Any, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(command, "console", Console(width=columns, force_terminal=False))
    shown = run().output
    table = shown[shown.index("CloudWatch") : shown.index("together")]
    assert "…" not in table
    assert all(len(line.rstrip()) <= 80 for line in table.splitlines())


def test_only_prices_that_count_are_in_doubt(run: Any) -> None:
    shown = run().output
    assert "Price in doubt: sns_sms" in shown
    assert "snapstart" not in shown


def test_the_largest_lines_are_those_of_the_table(run: Any) -> None:
    """A line of the table can have several prices; the sentence below it adds them as the table does."""
    shown = run().output
    (idle,) = [line for line in shown.splitlines() if "an idle month under" in line]
    (row,) = [line.split() for line in shown.splitlines() if line.strip().startswith("alert, each contact")]
    assert f"S3 alert, each contact {row[-2].removeprefix('$')}" in idle


def test_a_target_that_is_missed_is_an_answer(run: Any) -> None:
    shown = run("--price", "s3_put=1")
    assert shown.exit_code == 0
    assert "MISSED: a million frames at most $12" in shown.output
    assert "most of it: S3" in shown.output


def test_json_has_every_line_and_both_targets(run: Any) -> None:
    shown = run("--json", "--free-tier", "--burst", 5, "--fps", 5)
    values = json.loads(shown.output)
    assert values["scenario"]["frames"] == 2 * 40 * 3600 * 5
    assert values["free_tier"] is True
    assert len(values["targets"]) == 2
    total = sum(line["amount"] for line in values["month"]["lines"])
    assert values["month"]["total"] == pytest.approx(total)
    assert values["per_million_frames"]["total"] == pytest.approx(
        sum(values["per_million_frames"]["by_service"].values())
    )


@pytest.mark.parametrize("name", ["cost-durations.json", "cost-durations.csv"])
def test_ones_own_durations(run: Any, name: str) -> None:
    values = json.loads(run("--json", "--durations", EXAMPLES / name).output)
    assert values["billed_ms_given"]["DetectFunction"] == 131.4
    assert 131.4 in {one["milliseconds"] for one in values["calls"] if one["function"] == "DetectFunction"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hours", 800], "--hours must lie between 0 and 730, not 800.0"),
        (["--faces-share", 2], "--faces-share must lie between 0 and 1"),
        (["--list", 2_000_000], "--list must lie between 1 and 1,000,000, not 2,000,000"),
        (["--region", "mars-1"], "mars-1"),
        (["--price", "sms=1"], "KEY=DOLLARS"),
        (["--prices", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--durations", "nowhere.json"], "nowhere.json cannot be read"),
        (["--speed", 0], "--speed"),
        (["--parameter", "SnapStart"], "NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_said(run: Any, arguments: list[Any], said: str) -> None:
    shown = run(*arguments)
    assert shown.exit_code == 2
    assert said in shown.output.replace("\n", " ")


def test_a_picture(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cost.png"
    shown = run("--picture", path)
    assert shown.exit_code == 0, shown.output
    assert path.read_bytes().startswith(b"\x89PNG")
    for unfit, why in {tmp_path / "cost.txt": ".png", tmp_path / "folder.png": "is a folder"}.items():
        (tmp_path / "folder.png").mkdir(exist_ok=True)
        refused = run("--picture", unfit)
        assert refused.exit_code == 2
        assert why in refused.output.replace("\n", " ")
        assert "a month" not in refused.output, "before anything is worked out"


def test_what_is_taken_off_is_a_line_too(run: Any) -> None:
    """Else the lines of a service would not add up to it."""
    shown = run("--cameras", 20, "--fps", 5).output
    lines = shown[shown.index("\nS3 ") :].splitlines()[1:]
    service, *rest = lines
    parts = list(takewhile(lambda line: line.startswith("  "), rest))
    amounts = [float(line.split("$")[1].split()[0].replace(",", "")) for line in parts]
    signs = [-1 if "-$" in line else 1 for line in parts]
    assert any("permits read once a batch" in line for line in parts)
    total = float(service.split("$")[1].split()[0])
    added = sum(sign * amount for sign, amount in zip(signs, amounts, strict=True))
    assert added == pytest.approx(total, abs=0.03)


def test_bursts_are_named(run: Any) -> None:
    assert "3 faces, a list of 500, 5 frames an upload" in run("--burst", 5).output.replace("\n", " ")
    assert "an upload" not in run().output
