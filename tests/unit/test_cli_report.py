"""`proviso report` and `proviso notice-sheet`: what is shown, and what is written into files and a folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from functions.report import app as report
from proviso.cli import report as command
from proviso.cli import session
from proviso.cli.api import Api
from proviso.cli.main import app
from proviso.domain.record import record_bytes
from tests import record_samples as samples
from tests.fakes.cloud import FakeRecords
from tests.unit.test_edge_batch import CONTEXT
from tests.unit.test_edge_http import event
from tests.unit.test_function_report import shelf

ID = samples.closed().id
fixtures = (shelf,)


class Served(Api):
    """report itself, called in place of a socket."""

    def _once(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        asked = event(method, path.partition("?")[0])
        query = dict(pair.split("=") for pair in path.partition("?")[2].split("&") if pair)
        asked["queryStringParameters"] = query or None
        if "/notice" in path:
            return f"page {query['form']}".encode()
        answer = report.handler(asked, CONTEXT)
        assert answer["statusCode"] == 200, answer
        return str(answer["body"]).encode()


@pytest.fixture
def run(shelf: FakeRecords, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(command, "_open", lambda url: Served("http://here"))
    monkeypatch.setattr(session, "api", lambda *_: Served("http://here"))
    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])


def test_a_record_is_shown_with_its_rates(run: Any) -> None:
    shown = run("report", ID)
    assert shown.exit_code == 0, shown.output
    for said in ("High Street, north entrance", "0.0132 %", "0.002718 % to 0.03853 %", "3 of 22757 faces searched"):
        assert said in shown.output


def test_it_is_written_in_every_form(run: Any, tmp_path: Path) -> None:
    done = run(
        *("report", ID, "--revision", "1", "--html", tmp_path / "a.html"),
        *("--csv", tmp_path / "a.csv", "--json", tmp_path / "a.json"),
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.json").read_bytes() == record_bytes(samples.record())
    assert (tmp_path / "a.csv").read_bytes().startswith(b"deployment,revision")
    assert "<h1>" in (tmp_path / "a.html").read_text("utf-8")


def linked(page: str) -> list[str]:
    return [part.split('"')[0] for part in page.split('href="')[1:] if not part.startswith("data:")]


def test_a_gallery_stands_alone_and_leads_nowhere_else(run: Any, tmp_path: Path) -> None:
    assert run("report", "--site", tmp_path / "site").exit_code == 0
    files = {path.name for path in (tmp_path / "site").iterdir()}
    assert files == {
        "index.html",
        "all.csv",
        "groups.json",
        "schema.json",
        *(f"{ID}.{f}" for f in ("html", "csv", "json")),
    }
    for path in (tmp_path / "site").glob("*.html"):
        page = path.read_text("utf-8")
        assert "<script" not in page
        assert set(linked(page)) <= files


def test_a_gallery_is_made_of_a_folder_too_and_takes_the_last_revision(run: Any, tmp_path: Path) -> None:
    source = tmp_path / "records"
    source.mkdir()
    for record in (samples.final(), samples.record()):
        (source / f"{record['revision']}.json").write_bytes(record_bytes(record))
    (source / "g.json").write_text(json.dumps(samples.groups()))
    assert run("report", "--site", tmp_path / "site", "--from", source).exit_code == 0
    assert json.loads((tmp_path / "site" / f"{ID}.json").read_text())["revision"] == 2
    assert "By sex" in (tmp_path / "site" / "index.html").read_text("utf-8")


@pytest.mark.parametrize("body", ["{}", "no", json.dumps({**samples.record(), "names": []})])
def test_what_is_no_record_is_named_and_refused(run: Any, tmp_path: Path, body: str) -> None:
    (tmp_path / "odd.json").write_text(body)
    done = run("report", "--site", tmp_path / "site", "--from", tmp_path)
    assert done.exit_code == 1
    assert "odd.json" in done.output


def test_the_notice_and_the_sign_are_written(run: Any, tmp_path: Path) -> None:
    done = run("notice-sheet", "d", "--html", tmp_path / "n.html", "--sign", tmp_path / "s.html", "--size", "A4")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "n.html").read_text() == "page sheet"
    assert (tmp_path / "s.html").read_text() == "page sign-a4"
    assert "Welsh" in done.output


@pytest.mark.parametrize("arguments", [("report",), ("notice-sheet", "d"), ("notice-sheet", "d", "--size", "a5")])
def test_what_is_missing_is_said(run: Any, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert "name a" in done.output or "--size" in done.output
