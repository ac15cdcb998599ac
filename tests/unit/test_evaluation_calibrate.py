"""Calibrations from evaluations: the floor bounds what it says it bounds, and what cannot be shown is not claimed (S12,
S27)."""

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from proviso.cli.main import app
from proviso.domain.calibration import Calibration
from proviso.domain.calibration_json import from_json, to_json
from proviso.domain.errors import ConfigurationFault
from proviso.domain.rates import rate
from proviso.evaluation.calibrate import calibrate
from tests.evaluations import curve, evaluation, row

LISTS = {"mixed": 900, "gender=female": 450, "gender=male": 500}


def reaching(reached: list[list[float]], people: int, floor: Decimal) -> int:
    """How many people reach a similarity, rounded up: read off the curve in another way than the code does."""
    below = [number for step, number in reached if Decimal(str(step)) <= floor]
    return math.ceil(below[-1]) if below else people


def floors(found: Calibration) -> dict[int, Decimal]:
    return {point.list_size: point.threshold_floor for point in found.points}


# --- the floor --------------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 0.9), min_size=400, max_size=400), min_size=1, max_size=2),
    st.lists(st.floats(0, 0.9), min_size=400, max_size=400),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_at_the_floor_the_upper_end_is_at_most_what_is_wanted_on_every_list(mixed, women, wanted):
    rows = [row("mixed", 10, 1, 400, curve(mixed)), row("gender=female", 10, 1, 400, curve([women]))]
    found = calibrate([evaluation({}, strangers=rows)], wanted)
    (point,) = found.points
    ends = [rate(reaching(one["reached"], 400, point.threshold_floor), 400).high for one in rows]
    assert max(ends) <= wanted
    assert point.face_fpir_high >= max(ends)
    below = [rate(reaching(one["reached"], 400, point.threshold_floor - Decimal("0.001")), 400).high for one in rows]
    assert point.threshold_floor == 0 or max(below) > wanted  # and it is the lowest that does


def test_the_worst_list_sets_it_and_is_named():
    alone = calibrate([evaluation({"mixed": 900})], 0.01)
    found = calibrate([evaluation(LISTS)], 0.01)
    assert all(floors(found)[size] > floors(alone)[size] for size in (10, 50))
    assert {point.worst_list for point in found.points} <= {"gender=female", "gender=male"}


@given(st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_a_longer_list_never_has_a_lower_floor(seed):
    found = calibrate([evaluation(LISTS, sizes=(10, 25, 50, 100), seed=seed)], 0.02)
    ordered = [floors(found)[size] for size in (10, 25, 50, 100)]
    assert ordered == sorted(ordered)


def test_nor_where_no_list_of_a_group_is_so_long():
    """A union of as many lists as were searched is reached at most so many times as often."""
    rows = evaluation({"mixed": 5000}, sizes=(10, 20))["strangers"]
    rows += evaluation({"gender=female": 5000}, sizes=(10,))["strangers"]
    found = calibrate([evaluation({}, strangers=rows)], 0.01)
    women = rows[2]["reached"]
    floor = floors(found)[20]
    assert 2 * rate(reaching(women, 5000, floor), 5000).high <= 0.01
    (group,) = [one for one in found.groups if one.list_size == 20]
    assert group.fpir_high <= 0.01
    assert group.remark == "worked out from lists of 10"


# --- too few people ---------------------------------------------------------------------------------------------------


@given(st.integers(1, 367))
@settings(max_examples=6, deadline=None)
def test_no_people_show_a_rate_that_they_are_too_few_for(people):
    with pytest.raises(ConfigurationFault, match="take more people"):
        calibrate([evaluation({"mixed": people})], 0.01)


def test_368_people_do():
    assert rate(0, 368).high <= 0.01 < rate(0, 367).high
    assert calibrate([evaluation({"mixed": 368})], 0.01).points


@given(st.integers(30, 367), st.integers(0, 99))
@settings(max_examples=6, deadline=None)
def test_a_small_group_is_not_left_out_and_not_called_measured(people, seed):
    found = calibrate([evaluation({"mixed": 900, "race=black": people}, seed=seed)], 0.01)
    given_rows = evaluation({"mixed": 900, "race=black": people}, seed=seed)["strangers"]
    for point in found.points:
        (group,) = found.groups_at(point)
        (own,) = [one for one in given_rows if one["list"] == "race=black" and one["list_size"] == point.list_size]
        assert (group.group, group.people, group.fpir_low) == ("race=black", people, None)
        assert group.fpir_high > 0.01
        assert "too few" in group.remark
        assert reaching(own["reached"], people, point.threshold_floor) == 0
        assert group.lower_limit <= point.threshold_floor
    assert "race=black" in found.remark


@given(st.integers(30, 367), st.integers(0, 99))
@settings(max_examples=6, deadline=None)
def test_beside_a_floor_of_too_few_people_stands_what_measured_lists_alone_would_give(people, seed):
    """So that who authorises sees what it costs. The floor itself is not touched by it."""
    without = calibrate([evaluation({"mixed": 900}, seed=seed)], 0.01)
    mixed, small = evaluation({"mixed": 900}, seed=seed), evaluation({"race=black": people}, seed=seed + 1)
    found = calibrate([{**mixed, "strangers": mixed["strangers"] + small["strangers"]}], 0.01)
    assert any(point.worst_list == "race=black" for point in found.points)
    for point in found.points:
        if point.worst_list == "race=black":
            assert (point.worst_people, point.measured_floor) == (people, floors(without)[point.list_size])
            assert point.measured_floor <= point.threshold_floor
            assert f"race=black: {people} people, too few to be measured; {point.measured_floor:.3f} if" in point.set_by
        else:
            assert (point.worst_people, point.measured_floor, point.set_by) == (None, None, "mixed")
    assert from_json(json.loads(json.dumps(to_json(found))), "x") == found


def test_a_longer_list_keeps_the_former_floor_and_says_who_set_it():
    rows = [
        row("mixed", 10, 1, 900, curve([[0.2] * 900])),
        row("race=black", 10, 1, 60, curve([[0.5] * 60])),
        row("mixed", 50, 1, 900, curve([[0.3] * 900])),
        row("race=black", 50, 1, 60, curve([[0.4] * 60])),
    ]
    found = calibrate([evaluation({}, strangers=rows)], 0.01)
    assert [(p.threshold_floor, p.worst_people, p.measured_floor) for p in found.points] == [
        (Decimal("0.501"), 60, Decimal("0.201")),
        (Decimal("0.501"), 60, Decimal("0.301")),
    ]


def test_a_measured_list_that_sets_the_floor_costs_nothing_more():
    assert {(p.worst_people, p.measured_floor) for p in calibrate([evaluation(LISTS)], 0.01).points} == {(None, None)}


def test_a_group_of_which_no_list_could_be_made_is_named():
    found = calibrate([evaluation({"mixed": 900}, groups=[{"column": "race", "value": "other"}])], 0.01)
    assert {(group.group, group.people, group.fpir_high) for group in found.groups} == {("race=other", 0, None)}
    assert "race=other" in found.remark


def test_sizes_without_people_enough_are_no_points_and_are_said():
    rows = evaluation({"mixed": 900}, sizes=(10,))["strangers"] + evaluation({"mixed": 100}, sizes=(500,))["strangers"]
    found = calibrate([evaluation({}, strangers=rows)], 0.01)
    assert [point.list_size for point in found.points] == [10]
    assert "lists of 500" in found.remark


# --- what else it says ------------------------------------------------------------------------------------------------


def test_passages_are_never_measured_in_a_laboratory():
    assert {point.passage_fpir_high for point in calibrate([evaluation(LISTS)], 0.01).points} == {None}


def test_strangers_grow_rarer_and_end_with_nobody():
    found = calibrate([evaluation(LISTS, frames=(1, 2))], 0.01)
    for size in (10, 50):
        for frames in (1, 2):
            ones = [one for one in found.strangers if (one.list_size, one.frames_per_probe) == (size, frames)]
            assert [one.once_in_low for one in ones] == sorted(one.once_in_low for one in ones)
            assert all(one.once_in_high is None or one.once_in_low <= one.once_in_high for one in ones)
            assert ones[-1].once_in_high is None
            assert ones[-1].reached == 0


def test_several_evaluations_must_each_hold_and_be_of_one_pipeline():
    one, two = evaluation({"mixed": 900}), evaluation({"mixed": 700}, seed=9)
    both = calibrate([one, two], 0.01)
    alone = [floors(calibrate([each], 0.01)) for each in (one, two)]
    assert floors(both) == {size: max(each[size] for each in alone) for size in (10, 50)}
    with pytest.raises(ConfigurationFault, match="2 pipelines"):
        calibrate([one, {**two, "pipeline": "b" * 64}], 0.01)


def test_it_comes_back_from_its_file_as_it_was_and_its_id_is_its_content():
    found = calibrate([evaluation(LISTS)], 0.01)
    assert from_json(json.loads(json.dumps(to_json(found))), "x") == found
    assert calibrate([evaluation(LISTS)], 0.01).id == found.id
    assert calibrate([evaluation(LISTS)], 0.02).id != found.id


@pytest.mark.parametrize(
    "broken",
    [{"format": "x"}, {"points": [{"list_size": 1}]}, {"made_at": "yesterday"}, {"pipeline": ""}, {"kind": "guess"},
     {"points": [{"list_size": 1, "threshold_floor": float("nan"), "face_fpir_low": 0, "face_fpir_high": 1}]}],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_by_name(broken):
    values = to_json(calibrate([evaluation(LISTS)], 0.01))
    with pytest.raises(ConfigurationFault, match="the calibration of x"):
        from_json({**values, **broken}, "the calibration of x")


def test_numbers_only():
    text = json.dumps(to_json(calibrate([evaluation(LISTS)], 0.01)))
    assert not any(word in text for word in (".jpg", "/lfw/", 'reached": [['))


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_it_and_shows_it(tmp_path):
    given_file, out = tmp_path / "evaluation.json", tmp_path / "out.json"
    given_file.write_text(json.dumps(evaluation(LISTS)))
    done = CliRunner().invoke(app, ["calibrate", str(given_file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "gender=" in done.output
    assert from_json(json.loads(out.read_text()), "x").kind == "laboratory"


def test_the_command_says_what_a_group_that_is_too_small_costs(tmp_path):
    given_file, out = tmp_path / "evaluation.json", tmp_path / "out.json"
    rows = [row("mixed", 10, 1, 900, curve([[0.2] * 900])), row("race=black", 10, 1, 60, curve([[0.5] * 60]))]
    given_file.write_text(json.dumps(evaluation({}, strangers=rows)))
    done = CliRunner().invoke(app, ["calibrate", str(given_file), "--out", str(out)], env={"COLUMNS": "200"})
    said = "".join(character for character in done.output if character.isascii())
    for words in ("0.501", "60 people", "0.201"):
        assert words in said
    (point,) = json.loads(out.read_text())["points"]
    assert (point["threshold_floor"], point["worst_people"], point["measured_floor"]) == (0.501, 60, 0.201)


@pytest.mark.parametrize(
    ("content", "said"), [("{", "cannot be read"), ('{"format": "x"}', "is no evaluation"), (None, "cannot be read")]
)
def test_the_command_names_what_is_wrong(tmp_path, content, said):
    file = tmp_path / "evaluation.json"
    if content is not None:
        file.write_text(content)
    done = CliRunner().invoke(app, ["calibrate", str(file), "--out", str(tmp_path / "out.json")])
    assert done.exit_code == 1
    assert said in done.output
