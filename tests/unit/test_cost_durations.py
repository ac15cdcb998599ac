"""Times: those that ship are whole, and a user's own export of CloudWatch is read in both forms."""

from pathlib import Path

import pytest

from proviso.cli.cost.durations import Case, Clock, DurationsFault, Measured, measured, read_export, shipped

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def test_the_shipped_measurement_says_when_and_where_and_has_every_case() -> None:
    found = shipped()
    assert found.about.startswith("measured 20")
    assert "awslambdaric" in found.about
    for faces in (None, 1, 3, 6, 40):
        assert found.detect(faces).cpu_ms > 1
    assert found.match(6, 1).cpu_ms > found.match(1, 1).cpu_ms
    assert found.match(3, 10_000).database_ms > found.match(3, 1).database_ms
    assert found.match(3, 10_000).database_ms < found.match(6, 20_000).database_ms
    assert 0 < found.detect_each().cpu_ms < found.detect(None).cpu_ms * 1.2
    assert found.cold["DetectFunction"] > 100
    assert found.memory_mb["DetectFunction"] < 1769


@pytest.mark.parametrize("name", ["cost-durations.json", "cost-durations.csv"])
def test_an_export_of_cloudwatch(name: str) -> None:
    expected = {"DetectFunction": 131.4, "MatchFunction": 208.9, "SweepFunction": 212.0}
    assert read_export(EXAMPLES / name) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"results": []}',
        '{"results": [[{"field": "@log", "value": "1:/proviso/trial/detect"}]]}',
        "@log,billed\n1:/aws/lambda/somebody-else,12\n",
        "@log,billed\n1:/proviso/trial/detect,much\n",
        "@log,billed\n1:/proviso/trial/detect,0\n",
        "",
    ],
)
def test_an_export_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(DurationsFault, match=r"export\.txt"):
        read_export(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DurationsFault, match="cannot be read"):
        read_export(tmp_path / "none.json")


def test_a_call_is_rounded_up_to_a_millisecond() -> None:
    clock = Clock(Measured({}, {}, {}, ""), speed=1.0)
    assert clock.call_ms("SweepFunction", Case(1.2, 0.0, 0), {}, 1769) == 2
    assert clock.call_ms("MatchFunction", Case(1.2, 3.0, 0), {}, 1769) == 1 + 3 + 14 + 1
    assert Clock(clock.measured, speed=0.5).call_ms("MatchFunction", Case(1.0, 3.0, 0), {}, 1769) == 2 + 6 + 14


def test_another_form_is_refused() -> None:
    with pytest.raises(DurationsFault, match="bench/durations"):
        measured({"cases": {}})
    with pytest.raises(DurationsFault, match="sweep"):
        Measured({}, {}, {}, "").case("sweep")
