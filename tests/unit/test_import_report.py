"""The reject report tells files, numbers and reasons, never a label or a picture; and the command's words and codes."""

import csv
import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proviso.cli import session
from proviso.cli.api import Api, ApiFault
from proviso.cli.imports import report
from proviso.cli.imports.command import _Lines
from proviso.cli.imports.plan import Picture, WantedEntry
from proviso.cli.imports.sending import Outcome, Result, Sent, Tally
from proviso.cli.main import app
from proviso.domain.reasons import SENTENCES, Reason
from tests.fakes.enrolment_api import EnrolmentApi

NOW = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
LABEL = "Hidden Name"
runner = CliRunner()


def result(name="R-1/a.jpg", outcome=Outcome.REJECTED, reason="not_sharp", *, line=0, number="R-1", judged=True):
    entry = WantedEntry(number, LABEL, "volunteer", "x", "x", "x", "2026-11-01")
    sentence = "the face is not sharp enough" if reason else ""
    return Result(Picture(Path("/nowhere"), name, line, entry, "0" * 64, 9), outcome, reason, sentence, judged)


def good(name="R-1/g.jpg"):
    return result(name, Outcome.ACCEPTED, "")


def sent(*results, **changed) -> Sent:
    return Sent(results, changed.pop("total", len(results)), **changed)


class Reader(HTMLParser):
    """What a page is made of: elements, attributes, text; faults where elements do not close in turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def test_the_csv_has_a_line_for_each_picture_that_was_not_enrolled():
    rows = list(csv.DictReader(io.StringIO(report.as_csv(sent(good(), result(line=7), result("b", reason="no_face"))))))
    assert [tuple(row.values()) for row in rows] == [
        ("R-1/a.jpg", "7", "R-1", "not_sharp", "the face is not sharp enough", report.what_to_do("not_sharp")),
        ("b", "", "R-1", "no_face", "the face is not sharp enough", report.what_to_do("no_face")),
    ]


@pytest.mark.parametrize("name", ["=1+1.jpg", "+x", "-x", "@x", "\tx"])
def test_a_file_name_does_not_become_a_formula(name):
    rows = list(csv.reader(io.StringIO(report.as_csv(sent(result(name))))))
    assert rows[1][0] == f"'{name}"


def test_the_page_stands_alone_and_holds_no_picture():
    page = report.as_page("list-1", sent(good(), result(line=3), ended="sign in first", total=9, bare=("R-1",)), NOW)
    found = Reader(page)
    tags = {tag for tag, _ in found.elements}
    assert not {"script", "img", "link", "iframe", "object", "svg", "picture", "video"} & tags
    assert not [attrs for _, attrs in found.elements if {"src", "href", "style", "onclick"} & set(attrs)]
    assert "url(" not in page
    assert "data:image" not in page
    assert ("html", {"lang": "en"}) in found.elements
    assert "width=device-width" in page


def test_the_page_tells_counts_the_rate_with_its_denominator_and_each_file_under_its_reason():
    results = [good(f"g{number}") for number in range(17)]
    results += [result("x.jpg", line=5), result("y.jpg", reason="no_face", number="R-2"), result("z.jpg")]
    results += [result("cap.jpg", reason="policy_forbids", judged=False)]
    text = " ".join(" ".join(Reader(report.as_page("list-1", sent(*results), NOW)).words).split())
    assert "accepted 17" in text
    assert "rejected 4" in text
    assert "3 of 20 judged pictures, 15.0% (95% interval 5.2% to 36.0%)" in text
    assert text.index("not_sharp 2") < text.index("no_face 1")
    assert re.search(r"not_sharp , 2 .* x\.jpg .* z\.jpg .* no_face , 1 .* y\.jpg", text)
    assert "2026-11-22 20:15 UTC" in text


def test_what_a_page_is_told_cannot_become_part_of_it():
    page = report.as_page("<b>", sent(result("<script>alert(1)</script>.jpg", number="<i>R</i>")), NOW)
    assert not {"script", "b", "i"} & {tag for tag, _ in Reader(page).elements}


def test_an_import_that_did_not_end_says_so_and_how_many_are_left():
    text = " ".join(Reader(report.as_page("list-1", sent(good(), total=10, ended="sign in first"), NOW)).words)
    assert "did not come to its end: sign in first" in text
    assert "9 of 10 pictures were not tried" in text


def test_no_report_tells_a_label(tmp_path):
    told = sent(good(), result(line=3), result("b", reason="entry_differs", judged=False), bare=("R-1",))
    for path in report.write(tmp_path / "new", "list-1", told, NOW):
        assert LABEL not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


def test_a_rate_without_a_denominator_is_none():
    assert str(report.failures_to_enrol([])) == "no picture was judged"
    assert str(report.failures_to_enrol([good()])).startswith("0 of 1 judged pictures, 0.0% (95% interval 0.0% to 79")


PICTURE_REASONS = [
    reason
    for reason in Reason
    if reason.value in ("no_face", "several_faces", "inter_eye_distance_too_small", "not_sharp", "under_exposed")
    or reason.value in ("over_exposed", "pose_yaw", "pose_roll", "face_cut_off", "not_an_image", "truncated", "empty")
]


@pytest.mark.parametrize("reason", PICTURE_REASONS)
def test_each_reason_of_a_picture_says_what_to_do(reason):
    assert report.what_to_do(reason.value) != report.what_to_do("something new")
    assert SENTENCES[reason]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def api(monkeypatch, tmp_path) -> EnrolmentApi:
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    made = EnrolmentApi()
    monkeypatch.setattr(session, "api", lambda *_: made)
    monkeypatch.setattr("proviso.cli.imports.command.as_jpeg", lambda data: data)
    return made


OPTIONS = ["--category", "volunteer", "--reason", "x", "--source", "x", "--lawful-holding", "x"]


def run(folder: Path, *more: str):
    command = ["watchlist", "import", "list-1", str(folder), *OPTIONS, "--image-date", "2026-11-01", *more]
    done = runner.invoke(app, command)
    return done.exit_code, re.sub(r"\s+", " ", done.output)


def people(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / "people" / name.replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "people"


def test_code_0_when_all_are_enrolled_and_again_when_they_are_there(api, tmp_path):
    folder = people(tmp_path, R1_a="good 1", R2_a="good 2")
    code, text = run(folder)
    assert code == 0
    assert "checked: 2 pictures of 2 people" in text
    assert "2 of 2: 2 accepted, 0 rejected, 0 already there" in text
    code, text = run(folder)
    assert code == 0
    assert "2 of 2: 0 accepted, 0 rejected, 2 already there" in text


def test_code_1_and_a_report_when_some_were_rejected(api, tmp_path):
    code, text = run(people(tmp_path, R1_a="good 1", R1_b="bad pose_yaw", R1_c="good 3"))
    assert code == 1
    assert "pose_yaw" in text
    assert "1 of 3 judged pictures" in text
    folder = tmp_path / "data" / "imports" / "list-1"
    assert sorted(path.name for path in folder.iterdir()) == ["journal.jsonl", "rejects.csv", "rejects.html"]
    assert "R1/b,,R1,pose_yaw" in (folder / "rejects.csv").read_text()
    assert str(folder / "rejects.html").replace(" ", "") in text.replace(" ", "")


def test_code_2_with_a_sentence_when_it_could_not_go_on(api, tmp_path):
    api.faults = [ApiFault("sign in first", status=401)]
    code, text = run(people(tmp_path, R1_a="good 1"))
    assert code == 2
    assert "sign in first; 1 of 1 pictures are left. The same command goes on" in text
    assert "Traceback" not in text


def test_code_2_and_nothing_sent_when_the_input_is_wrong(api, tmp_path):
    folder = people(tmp_path, R1_a="good 1")
    (folder / "stray.jpg").write_text("x")
    code, text = run(folder)
    assert code == 2
    assert "stray.jpg: lies beside the sub-folders" in text
    assert "1 thing is wrong; nothing was sent" in text
    assert api.calls == []
    assert run(folder / "stray.jpg", "--check")[0] == 2


def test_a_check_sends_nothing_and_needs_no_sign_in(api, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "api", lambda *_: pytest.fail("the API was asked"))
    code, text = run(people(tmp_path, R1_a="good 1"), "--check")
    assert code == 0
    assert "checked: 1 pictures of 1 people" in text


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", ".."])
def test_a_list_whose_name_is_a_path_is_refused(api, tmp_path, name):
    command = [
        "watchlist",
        "import",
        name,
        str(people(tmp_path, R1_a="good 1")),
        *OPTIONS,
        "--image-date",
        "2026-11-01",
    ]
    assert runner.invoke(app, command).exit_code == 2
    assert api.calls == []


def test_without_a_sign_in_there_is_a_sentence_and_code_2(tmp_path, monkeypatch):
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    for name in ("PROVISO_API", "PROVISO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    code, text = run(people(tmp_path, R1_a="good 1"))
    assert code == 2
    assert "nobody is signed in" in text


def test_lines_now_and_then_tell_the_time_left(capsys):
    now = 0.0
    lines = _Lines(lambda: now)
    for done in range(1, 101):
        now = done * 0.5
        lines(Tally(100, accepted=done))
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 5
    assert told[0] == "20 of 100: 20 accepted, 0 rejected, 0 already there, about 40 s left"
    assert told[-1] == "100 of 100: 100 accepted, 0 rejected, 0 already there"


def test_an_api_that_hangs_up_in_the_middle_of_an_answer_is_unreachable_and_no_traceback(monkeypatch):
    import http.client

    def broken(*_, **__):
        raise http.client.IncompleteRead(b"")

    monkeypatch.setattr("urllib.request.urlopen", broken)
    with pytest.raises(ApiFault, match="cannot be reached") as raised:
        Api("http://127.0.0.1:1").get("/people")
    assert raised.value.unreachable
