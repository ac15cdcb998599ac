"""`proviso deployment show`: what was measured of the pipeline, by group, and what was not (S12, S13, S27)."""

from typing import Any

import pytest
from rich.console import Console

from proviso.cli import output
from proviso.cli.deployments import _show

MEASURED: dict[str, Any] = {
    "id": "d-1",
    "policy_title": "volunteers",
    "expected_false_candidates": {"sentence": "0.1 to 3 of 100 passages, worked out from FPIR per face"},
    "threshold_floor": "0.456",
    "floor_set_by": "race=black: 60 people, too few to be measured; 0.412 if measured lists alone counted",
    "calibration": {"id": "c-1", "data": "press", "remark": "laboratory: press photographs", "made_at": "x"},
    "site_trial": None,
    "groups": [
        {"group": "gender=female", "people": 633, "fpir_low": 0.0001, "fpir_high": 0.009, "remark": ""},
        {"group": "race=black", "people": 60, "fpir_low": None, "fpir_high": 0.06, "remark": "too few"},
        {"group": "race=other", "people": 0, "fpir_low": None, "fpir_high": None, "remark": "no list"},
    ],
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(record=True, width=200)
    monkeypatch.setattr(output, "console", console)
    return console


def test_the_authoriser_sees_floor_groups_and_that_there_was_no_trial(told: Console) -> None:
    _show(MEASURED)
    said = told.export_text()
    for words in (
        "0.456",
        "60 people, too few to be measured; 0.412",
        "laboratory: press photographs",
        "none at this place",
        "worked out from FPIR per face",
        "0.01% to 0.90%",
        "not measured (at most 6.00%)",
    ):
        assert words in said
    assert said.count("not measured") == 2


def test_where_nothing_was_measured_that_is_what_it_says(told: Console) -> None:
    _show({**MEASURED, "calibration": None, "threshold_floor": None, "groups": []})
    assert told.export_text().count("not measured") == 2


def test_a_trial_is_named(told: Console) -> None:
    _show({**MEASURED, "site_trial": {"data": "30 passages", "made_at": "2026-11-27T10:00:00Z"}})
    assert "30 passages" in told.export_text()
