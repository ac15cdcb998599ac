"""What `make safeguards` prints: how an attempt gets its id, words and result, and when a run is no evidence."""

from types import SimpleNamespace

import pytest

from proviso.stages import match
from tests.safeguards.attempts import NEED_TWO, Attempt, Tried, ids_of, kind_of, place_of, rule_of, sentence_of


def attempt(*ids: str, **changed: object) -> Attempt:
    given = {
        "ids": ids,
        "tried": "a thing is tried",
        "kind": "attempt",
        "used": ("SQL as proviso_match",),
        "stopped": "constraint s04_x",
        "mistakes": "",
        "result": "passed",
    }
    return Attempt(**{**given, **changed})  # type: ignore[arg-type]


def test_ids_come_from_the_files_name_and_from_markers():
    assert ids_of("test_s04_stop.py", ()) == ("S04",)
    assert ids_of("test_s04_stop.py", ("S36",)) == ("S04", "S36")
    assert ids_of("test_crash_points.py", ("S21", "S14")) == ("S14", "S21")
    assert ids_of("test_crash_points.py", ()) == ()


def test_a_tests_name_is_a_sentence():
    assert sentence_of("test_no_role_thaws_a_candidate[raised]") == "no role thaws a candidate [raised]"


def test_controls_and_what_is_said_plainly_are_told_apart():
    assert kind_of("test_said_plainly_govern_can", None) == "plainly"
    assert kind_of("test_in_time_it_can", "The control: 60 s before.") == "control"
    assert kind_of("test_in_time_it_can", None) == "attempt"


def error(state: str, message: str = "", **told: str) -> SimpleNamespace:
    diag = {"message_primary": message, "context": None, "constraint_name": None, "table_name": "t", "column_name": "c"}
    return SimpleNamespace(sqlstate=state, diag=SimpleNamespace(**{**diag, **told}))


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (error("42501", "permission denied for table review"), "grant: table review"),
        (error("23514", constraint_name="s03_another_person"), "constraint s03_another_person"),
        (error("23502"), "constraint NOT NULL t.c"),
        (error("PV016", context="PL/pgSQL function candidate_changes() line 9"), "trigger candidate_changes PV016"),
    ],
)
def test_the_rule_is_named_as_the_database_names_it(given, rule):
    assert rule_of(given) == rule


def test_a_place_is_named_by_module_and_function():
    assert place_of(match.match.__code__) == "stages/match.match"
    assert place_of(test_a_place_is_named_by_module_and_function.__code__) is None


def test_a_line_fits_and_is_sorted_by_id():
    tried = Tried([attempt("S36", tried="x" * 200), attempt("S01", "S04")])
    lines = tried.lines(120)
    assert max(len(line) for line in lines) == 120
    assert [line[:3] for line in lines[2:]] == ["S01", "S04", "S36"]
    assert "constraint s04_x" in lines[2]


def enough() -> list[Attempt]:
    return [attempt(*NEED_TWO), attempt(*NEED_TWO, used=())]


def test_two_attempts_and_one_below_the_api_are_enough():
    assert Tried(enough()).faults(whole=True) == []
    assert Tried(enough()).counts()["S29"] == (2, 1)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (attempt("S04", result="FAILED"), "failed"),
        (attempt(), "names no safeguard"),
        (attempt("S04", mistakes="UndefinedColumn: no such column"), "A MISTAKE OF THE TEST'S OWN"),
    ],
)
def test_what_is_no_evidence_is_a_fault(more, fault):
    (said,) = Tried([*enough(), more]).faults(whole=True)
    assert fault in said


@pytest.mark.parametrize("changed", [{"kind": "control"}, {"kind": "plainly"}, {"result": "skipped: no models"}])
def test_what_was_not_tried_does_not_count(changed):
    faults = Tried([attempt(*NEED_TWO), attempt(*NEED_TWO, **changed)]).faults(whole=True)
    assert faults == [f"{i}: tried 1 times, and it must be at least twice" for i in NEED_TWO]
    assert Tried([attempt("S04")]).faults(whole=False) == []
