"""An import's input is checked as a whole, and what is wrong is named with its line; nothing half-read is sent."""

import csv
from datetime import date
from pathlib import Path

import pytest

from proviso.cli.imports.plan import COLUMNS, Plan, read_plan
from proviso.stages.watchlist import EntryRequest

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 22)
ALL = {
    "category": "volunteer",
    "reason": "takes part",
    "source": "taken here",
    "lawful_holding": "consent form",
    "image_date": "2026-11-01",
}
ROW = {"file": "a.jpg", "reference_no": "R-1", "label": "volunteer 1", **ALL}


def written(folder: Path, *rows: dict[str, str], columns=None, delimiter=",") -> Path:
    """A CSV, and a file of its own content for each name in it."""
    names = columns or list(rows[0])
    path = folder / "list.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerow(names)
        writer.writerows([row.get(name, "") for name in names] for row in rows)
    for row in rows:
        if row.get("file"):
            (folder / row["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / row["file"]).write_text(f"picture {row['file']}")
    return path


def read(source: Path, given=None, **more) -> tuple[Plan, list[str]]:
    return read_plan(source, given or {}, TODAY, **more)


def test_a_csv_is_read_with_all_that_it_says(tmp_path):
    rows = [
        {**ROW, "consent_reference": "C-1", "under_18": "no", "harm_reason": ""},
        {**ROW, "file": "more/b.jpg", "consent_reference": "C-1", "under_18": "no", "harm_reason": ""},
        {**ROW, "file": "c.jpg", "reference_no": "R-2", "under_18": "yes", "harm_reason": "missing child"},
    ]
    plan, faults = read(written(tmp_path, *rows))
    assert faults == []
    assert [(one.name, one.line, one.entry.reference_no) for one in plan.pictures] == [
        ("a.jpg", 2, "R-1"),
        ("more/b.jpg", 3, "R-1"),
        ("c.jpg", 4, "R-2"),
    ]
    assert plan.entries == 2
    assert plan.pictures[0].entry is plan.pictures[1].entry
    assert plan.pictures[0].entry.body() == {
        **{name: value for name, value in ROW.items() if name != "file"},
        "consent_reference": "C-1",
        "under_18": False,
    }
    assert plan.pictures[2].entry.body()["harm_reason"] == "missing child"
    assert plan.pictures[2].entry.body()["under_18"] is True


def test_what_the_api_may_not_know_yet_is_sent_only_where_it_is_given(tmp_path):
    plan, _ = read(written(tmp_path, {**ROW, "under_18": "", "harm_reason": ""}))
    assert set(plan.pictures[0].entry.body()) <= set(EntryRequest.__dataclass_fields__)
    assert not {"under_18", "harm_reason", "consent_reference"} & set(plan.pictures[0].entry.body())


def test_a_folder_is_read_with_a_sub_folder_a_person(tmp_path):
    for name in ("R-2/x.jpg", "R-1/b.png", "R-1/a.jpg", "R-1/.hidden", "R-1/Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    plan, faults = read(tmp_path, ALL, consent_prefix="C-")
    assert faults == []
    assert [one.name for one in plan.pictures] == ["R-1/a.jpg", "R-1/b.png", "R-2/x.jpg"]
    first = plan.pictures[0].entry
    assert (first.reference_no, first.label, first.labelled, first.consent_reference) == ("R-1", "R-1", False, "C-R-1")
    assert first.category == "volunteer"


def test_a_folder_whose_shape_is_unclear_is_refused(tmp_path):
    (tmp_path / "stray.jpg").write_text("x")
    (tmp_path / "R-1").mkdir()
    (tmp_path / "R-2" / "deep").mkdir(parents=True)
    plan, faults = read(tmp_path, ALL)
    assert plan.pictures == ()
    assert len(faults) == 3
    assert any("stray.jpg: lies beside the sub-folders" in fault for fault in faults)
    assert any("R-1: this folder is empty" in fault for fault in faults)
    assert any("R-2/deep: is a folder" in fault for fault in faults)


def test_what_is_missing_for_all_is_named_once_with_its_option(tmp_path):
    (tmp_path / "R-1").mkdir()
    for number in range(5):
        (tmp_path / "R-1" / f"{number}.jpg").write_text(str(number))
    _, faults = read(tmp_path, {"category": "volunteer", "image_date": "2026-11-01"})
    assert faults == [
        "reason is missing: give --reason",
        "source is missing: give --source",
        "lawful_holding is missing: give --lawful-holding",
    ]


def test_options_stand_in_for_columns_that_are_missing_and_for_no_others(tmp_path):
    short = {name: ROW[name] for name in ("file", "reference_no")}
    plan, faults = read(written(tmp_path, short), ALL)
    assert faults == []
    assert plan.pictures[0].entry.body() == {"reference_no": "R-1", "label": "R-1", **ALL}
    _, faults = read(written(tmp_path, {**short, "category": "volunteer"}), ALL)
    assert faults == ["line 1: category is a column and --category was given too; keep one of them"]
    _, faults = read(written(tmp_path, {**short, "category": ""}), {**ALL, "category": ""})
    assert faults == ["line 2: category is empty"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"reference_no": " "}, "line 3: reference_no is empty"),
        ({"label": ""}, "line 3: label is empty"),
        ({"reason": "  "}, "line 3: reason is empty"),
        ({"image_date": "22/11/2026"}, "line 3: image_date '22/11/2026' is not a date; write it as YYYY-MM-DD"),
        ({"image_date": "2026-02-30"}, "line 3: image_date '2026-02-30' is not a date"),
        ({"image_date": "20261101"}, "line 3: image_date '20261101': write it as 2026-11-01"),
        ({"image_date": "2026-11-23"}, "line 3: image_date 2026-11-23 lies in the future"),
        ({"under_18": "maybe"}, "line 3: under_18 is neither yes nor no"),
        ({"source": "x" * 201}, "line 3: source has 201 characters, and at most 200 are taken"),
        ({"reason": "x" * 4001}, "line 3: reason has 4001 characters"),
    ],
)
def test_a_bad_value_is_named_with_its_line(tmp_path, changed, sentence):
    good = {**ROW, "under_18": ""}
    plan, faults = read(written(tmp_path, good, {**good, "file": "b.jpg", "reference_no": "R-2", **changed}))
    assert len(faults) == 1
    assert sentence in faults[0]
    assert len(plan.pictures) == 2


def test_a_file_that_is_not_there_is_named_with_its_line(tmp_path):
    path = written(tmp_path, ROW, {**ROW, "file": "gone.jpg"}, {**ROW, "file": ""}, {**ROW, "file": "d.jpg"})
    (tmp_path / "gone.jpg").unlink()
    (tmp_path / "d.jpg").unlink()
    (tmp_path / "d.jpg").mkdir()
    assert read(path)[1] == ["line 3: there is no file gone.jpg", "line 4: file is empty", "line 5: d.jpg is a folder"]


@pytest.mark.parametrize(
    "name", ["label", "category", "reason", "source", "lawful_holding", "image_date", "consent_reference", "under_18"]
)
def test_two_lines_of_one_entry_that_contradict_each_other_are_named(tmp_path, name):
    good = {**ROW, "consent_reference": "C-1", "under_18": "no"}
    other = {"image_date": "2026-11-02", "under_18": "yes"}.get(name, "something else")
    _, faults = read(written(tmp_path, good, {**good, "file": "b.jpg", name: other}))
    assert len(faults) == 1
    assert faults[0].startswith(f"line 3: {name} of R-1 is not what line 2 says")


def test_one_picture_cannot_be_of_two_people(tmp_path):
    path = written(tmp_path, ROW, {**ROW, "file": "b.jpg", "reference_no": "R-2"}, {**ROW, "file": "c.jpg"})
    for name in ("b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes((tmp_path / "a.jpg").read_bytes())
    assert read(path)[1] == ["line 3: is the same picture as line 2, which is of R-1; a picture shows one person"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (["file", "label"], "line 1: the column reference_no is missing"),
        (["reference_no"], "line 1: the column file is missing"),
        (["file", "reference_no", "name"], "line 1: there is no column 'name'; known are file, reference_no"),
        (["file", "reference_no", ""], "line 1: a column has no name"),
        (["file", "reference_no", "label", "label"], "line 1: the column label stands there twice"),
    ],
)
def test_columns_are_those_that_are_known(tmp_path, columns, sentence):
    _, faults = read(written(tmp_path, ROW, columns=columns), ALL)
    assert any(sentence in fault for fault in faults)


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    """A quoted cell may hold a line break, and empty lines count."""
    path = written(tmp_path, {**ROW, "reason": "two\nlines"}, {**ROW, "file": "b.jpg", "reference_no": "R-2"})
    text = path.read_text().replace("\r\n", "\n")
    path.write_text(text.replace("b.jpg", "\ngone.jpg"))
    assert read(path)[1] == ["line 5: there is no file gone.jpg"]


def test_a_csv_as_spreadsheets_write_it(tmp_path):
    path = written(tmp_path, ROW, delimiter=";")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    plan, faults = read(path)
    assert faults == []
    assert plan.pictures[0].entry.label == "volunteer 1"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "list.csv is empty"),
        (b"\xff\xfe\x00a", "is not UTF-8"),
        (b"file,reference_no\n", "names no picture"),
        (b'file,reference_no\na.jpg,"R-1\n', "there is no file"),
        (b"file,reference_no\na.jpg,R-1,x,y\n", "line 2: has 4 cells, but the header has 2"),
    ],
)
def test_what_is_no_such_csv_is_told_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "list.csv").write_bytes(content)
    _, faults = read(tmp_path / "list.csv", ALL)
    assert any(sentence in fault for fault in faults), faults


def test_a_source_that_is_nowhere_is_told(tmp_path):
    assert "there is no folder or CSV file" in read(tmp_path / "none")[1][0]


def test_no_fault_and_no_repr_tells_a_label(tmp_path):
    hidden = "Hidden Name"
    rows = [{**ROW, "label": hidden}, {**ROW, "file": "b.jpg", "label": f"{hidden} the other"}]
    plan, faults = read(written(tmp_path, *rows))
    assert faults
    assert hidden not in repr(plan) + "".join(faults)
    _, faults = read(written(tmp_path, {**ROW, "label": hidden * 99}))
    assert faults
    assert hidden not in "".join(faults)


def test_the_example_is_what_the_command_reads(tmp_path):
    with (ROOT / "docs" / "examples" / "watchlist.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert set(rows[0]) <= set(COLUMNS)
    plan, faults = read(written(tmp_path, *rows))
    assert faults == []
    assert plan.entries == 2
