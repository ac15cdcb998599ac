"""Model cards and shipped calibrations: current, of the pack's own pipeline, and silent about nothing that matters."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proviso.cli.main import app
from proviso.evaluation.calibrate import calibrate
from proviso.evaluation.card import card
from proviso.vision.calibrations import shipped_calibration, shipped_calibrations
from proviso.vision.pack import PACKS, load_manifest, pipeline_digest
from scripts import cards
from tests.evaluations import evaluation

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ("mobilefacenet", "dlib")
"""The packs whose files can be had where calibrations are made; sface's cannot."""
OWN = load_manifest("mobilefacenet")
PIPELINE = pipeline_digest(OWN)
FIGURES = evaluation({"mixed": 900, "gender=female": 450, "race=black": 60}, pipeline=PIPELINE)
FOUND = {
    "list_size": 50, "list": "mixed", "fpir_wanted": 0.01, "threshold": 0.41, "tpir": 0.93, "tpir_low": 0.91,
    "tpir_high": 0.95, "mated_people": 500, "mark": "", "refused": False,
}  # fmt: skip
WORSE = {"by": "face_size", "from": 24, "to": 32, "n": 100, "tpir": 0.5, "tpir_low": 0.4, "tpir_high": 0.6}


# --- what is shipped --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", shipped_calibrations(), ids=lambda found: found.pack)
def test_a_shipped_calibration_is_of_its_packs_pipeline(found):
    """Where this fails the pack's pipeline has changed since it was measured: make calibrations PACK=..."""
    assert found.pipeline == pipeline_digest(load_manifest(found.pack))
    assert (found.kind, found.site, found.trial, found.recorded_by) == ("laboratory", "", None, "pack")
    assert "press photographs, not camera" in found.remark
    assert {point.passage_fpir_high for point in found.points} == {None}


def test_the_default_pack_ships_one_that_covers_what_volunteers_may_list():
    """So that the default policy starts with the default pack: up to 50 entries, single frames."""
    found = shipped_calibration("mobilefacenet")
    assert found is not None
    assert found.point(50) is not None
    assert found.fpir_wanted == 0.01


def test_what_could_not_be_measured_ships_none_and_says_so():
    assert {one.pack for one in shipped_calibrations()} <= set(MEASURED)
    assert shipped_calibration("sface") is None
    assert "This pack ships no calibration" in cards.text("sface")


@pytest.mark.parametrize("pack", PACKS)
def test_the_cards_are_current(pack):
    written = ROOT / "docs/models" / f"{pack}.md"
    assert written.read_text("utf-8") == cards.text(pack), "make cards"


# --- what a card says -------------------------------------------------------------------------------------------------


def test_it_says_what_was_and_what_was_not_measured():
    text = card(OWN, calibrate([FIGURES], 0.01), {**FIGURES, "identification": [FOUND], "conditions": [WORSE]})
    for said in (OWN.training_data, OWN.terms, OWN.weights_licence, "Cleared for operational use: unknown"):
        assert said in text
    assert "93.0 % (91.0 % to 95.0 %)" in text
    assert "face size" in text
    assert "| race=black | up to 50 | 60 | not measured (at most" in text
    assert "only a site trial shows that" in text
    assert "smaller than 32 pixels" in text
    assert all(each.sha256 in text for each in OWN.files)
    assert "{" not in text


def test_it_says_what_is_found_at_the_lowest_thresholds():
    figures = {**FIGURES, "identification": [FOUND], "conditions": [WORSE]}
    calibration = calibrate([FIGURES], 0.01)
    assert "how many is not measured" in card(OWN, calibration, figures)
    floors = {
        **FIGURES,
        "identification": [{**FOUND, "threshold": 0.777, "tpir": 0.5, "tpir_low": 0.4, "tpir_high": 0.6}],
    }
    text = card(OWN, calibration, figures, floors)
    assert "how many is not measured" not in text
    assert "0.777 | 50.0 % (40.0 % to 60.0 %)" in text
    with pytest.raises(ValueError, match="another pipeline"):
        card(OWN, calibration, figures, {**floors, "pipeline": "b" * 64})


def test_without_figures_it_claims_nothing():
    text = card(OWN, None, None)
    assert text.count("**Not measured") >= 3
    assert "%" not in text.split("## Lowest thresholds")[1].split("## Where it fails")[0]


@pytest.mark.parametrize("cleared", ["yes", "no", "unknown"])
def test_every_clearance_has_words(cleared):
    assert "Cleared for operational use" in card(replace(OWN, cleared_for_operational_use=cleared), None, None)


def test_figures_of_another_pipeline_are_refused():
    with pytest.raises(ValueError, match="another pipeline"):
        card(OWN, None, {**FIGURES, "pipeline": "b" * 64})
    with pytest.raises(ValueError, match="another pipeline"):
        card(OWN, calibrate([{**FIGURES, "pipeline": "b" * 64}], 0.01), None)


def test_the_command_prints_it_or_writes_it(tmp_path):
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({**FIGURES, "pipeline": pipeline_digest(load_manifest("sface"))}))
    assert "# Model card: sface" in CliRunner().invoke(app, ["card", "sface"]).output
    done = CliRunner().invoke(app, ["card", "sface", "--evaluation", str(figures), "--out", str(tmp_path / "c.md")])
    assert done.exit_code == 0, done.output
    assert "# Model card: sface" in (tmp_path / "c.md").read_text()
    assert CliRunner().invoke(app, ["card", "unknown"]).exit_code == 1
