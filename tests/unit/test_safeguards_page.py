"""The pages of the safeguards are generated: what is found, what is asked for, and that they are current."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> Any:
    spec = importlib.util.spec_from_file_location("safeguards_page", ROOT / "scripts" / "safeguards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_every_safeguard_has_its_test_its_row_and_the_pages_are_current(page: Any):
    assert page.checked(ROOT) == []


# --- finding ----------------------------------------------------------------------------------------------------------


def test_ids_are_whole_words_and_short_ranges(page: Any):
    assert page.ids_in("holds S01 and S36, not XS02 or S99") == ["S01", "S36"]
    assert page.ids_in("S02 to S04; S31-S32") == ["S02", "S03", "S04", "S31", "S32"]
    assert page.ids_in("S01 to S37") == ["S01", "S37"]  # speaks of all, and says nothing of any


def test_in_python_comments_and_docstrings_count_and_code_does_not(page: Any):
    source = (
        '"""Why (S01)."""\nS02 = 1\n\n\nclass A:\n    def b(self):\n        # so that S03 holds\n        return S02\n'
    )
    assert list(page.named_in_python(source)) == [("S01", ""), ("S03", "b")]


SQL = """-- A file about S09.

CREATE TABLE person (
    sub text CONSTRAINT s31_reference CHECK (sub <> '')
);
-- Stays (S29).
CREATE FUNCTION stays() RETURNS trigger AS $$
    RAISE 'no' USING ERRCODE = 'PV023';
$$;
ALTER TABLE person DROP CONSTRAINT s31_reference;
"""


def test_in_sql_names_codes_and_comments_above_a_statement_count(page: Any):
    found = list(page.named_in_sql(SQL))
    assert found == [("S31", "s31_reference"), ("S29", "stays"), ("S23", "stays (PV023)")]


def test_what_a_later_migration_replaces_or_drops_does_not_count(page: Any, tmp_path: Path):
    folder = tmp_path / "layers/core/src/proviso/store/migrations"
    folder.mkdir(parents=True)
    (folder / "0001_a.sql").write_text(SQL.replace("ALTER TABLE person DROP CONSTRAINT s31_reference;\n", ""))
    (folder / "0002_b.sql").write_text(
        "CREATE OR REPLACE FUNCTION stays() RETURNS trigger AS $$\n RAISE 'no' USING ERRCODE = 'PV006';\n$$;\n"
        "ALTER TABLE person DROP CONSTRAINT s31_reference;\n"
    )
    found = {one: page.Found() for one in page.IDS}
    page._scan_migrations(tmp_path, found)
    assert {one: list(there.held) for one, there in found.items() if there.held} == {"S06": ["0002 stays (PV006)"]}


def test_in_a_template_the_resource_counts_that_a_line_stands_in_or_follows(page: Any):
    source = (
        "Resources:\n  # Gone after a day (S25).\n  Frames:\n    Type: x\n    # and S14 holds\n  Other:\n    Type: y\n"
    )
    assert list(page.named_in_template(source)) == [("S25", "Frames"), ("S14", "Frames")]


def test_a_file_of_attempts_is_about_its_name_and_its_markers(page: Any):
    source = '@pytest.mark.safeguard("S17", below="x")\ndef test_a(): ...\n'
    assert page.ids_of_attempts("test_s16_human_decision.py", source) == ["S16", "S17"]
    assert page.ids_of_attempts("test_crash_points.py", "") == []


# --- asking -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(page: Any) -> dict[str, Any]:
    row = {
        "name": "x",
        "law": "y",
        "status": "holds",
        "sql": "none needed: z",
        **dict.fromkeys(page.AGAINST, "prevented"),
    }
    return {one: dict(row) for one in page.IDS}


@pytest.fixture
def found(page: Any) -> dict[str, Any]:
    return {one: page.Found(code={"stages/x": None}, attempts={"test_x": None}) for one in page.IDS}


def test_nothing_is_wrong_where_all_is_there(page: Any, told: Any, found: Any, tmp_path: Path):
    assert page.faults(tmp_path, told, found) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told, found: told.pop("S07"), "[S07] is missing"),
        (lambda told, found: told.update(S38=told["S01"]), "[S38] is no safeguard"),
        (lambda told, found: found["S07"].attempts.clear(), "S07 has no test: add tests/safeguards/test_s07_"),
        (lambda told, found: found["S07"].code.clear(), "S07 is said to hold, and no code names it"),
        (lambda told, found: told["S07"].pop("sql"), "S07 is said to hold, and no SQL or template names it"),
        (lambda told, found: told["S07"].update(status="good"), "[S07]: status is one of"),
        (lambda told, found: told["S07"].update(status="partly"), "[S07]: a note says what holds"),
        (lambda told, found: told["S07"].update(user="maybe"), "[S07]: user begins with one of prevented"),
        (lambda told, found: told["S07"].update(law=" "), "[S07] has no law"),
        (lambda told, found: told["S07"].update(lwa="x"), "[S07] has lwa, which means nothing here"),
    ],
)
def test_what_is_missing_is_named(page: Any, told: Any, found: Any, tmp_path: Path, change: Any, said: str):
    change(told, found)
    (wrong,) = page.faults(tmp_path, told, found)
    assert said in wrong


def test_a_test_without_an_id_is_named_and_so_is_an_id_that_is_not_known(
    page: Any, told: Any, found: Any, tmp_path: Path
):
    folder = tmp_path / "tests" / "safeguards"
    folder.mkdir(parents=True)
    (folder / "test_whatever.py").write_text("def test_a(): ...\n")
    (folder / "test_s38_new.py").write_text("def test_a(): ...\n")
    assert sorted(page.faults(tmp_path, told, found)) == [
        "test_s38_new.py: S38 is not in docs/safeguards.toml",
        "test_whatever.py names no safeguard: call it test_sNN_..., or mark its tests for one",
    ]


def test_a_page_that_was_edited_by_hand_is_out_of_date(page: Any, told: Any, found: Any, monkeypatch, tmp_path: Path):
    texts = {"page": {"before": "a", "after": "b"}, "threats": {"before": "c", "after": "d"}}
    monkeypatch.setattr(page, "told_by_people", lambda root: told | texts)
    monkeypatch.setattr(page, "scan", lambda root: found)
    (tmp_path / "docs").mkdir()
    assert page.written(tmp_path) == []
    assert page.checked(tmp_path) == []
    threats = tmp_path / "docs" / "threat-model.md"
    threats.write_text(threats.read_text().replace("prevented", "prevented, surely", 1))
    (said,) = page.checked(tmp_path)
    assert said.startswith("docs/threat-model.md is not what `make docs` writes now")
