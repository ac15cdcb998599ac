"""`proviso audit` as somebody types it: show, export and verify, on what the API gives and on files."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from proviso.cli import session
from proviso.cli.api import ApiFault
from proviso.cli.main import app
from proviso.domain.audit import AuditRecord, Head
from proviso.domain.audit_export import ExportHeader, heads_json, lines, record_values
from tests.samples import NOW
from tests.unit.test_domain_audit import chain, head_of

runner = CliRunner()


class Api:
    """The audit's routes over some chains, two records a page; the system chain grows with each look, as it does."""

    def __init__(self, *records: AuditRecord) -> None:
        self.chains: dict[str, list[AuditRecord]] = {}
        for record in records:
            self.chains.setdefault(record.chain, []).append(record)
        self.purposes: list[str] = []

    def get(self, path: str) -> Any:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        self.purposes.append(asked["purpose"])
        listed = {
            name: {"chain": name, "sequence": len(own), "hash": own[-1].hash.hex()} for name, own in self.chains.items()
        }
        if path.startswith("/audit/chains"):
            answer: Any = {"at": NOW.isoformat(), "chains": list(listed.values())}
        else:
            own, after = self.chains.get(asked["chain"], []), int(asked["after"])
            if not own:
                raise ApiFault("there is nothing of that name (chain)", status=404)
            shown = own[after : after + 2]
            answer = {
                "chain": asked["chain"],
                "records": [record_values(record) for record in shown],
                "next_after": shown[-1].sequence if len(shown) == 2 else None,
            }
        if "system" in self.chains:
            self.chains["system"] = chain(len(self.chains["system"]) + 1, "system")
        return answer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api(*chain(5), *chain(3, "d-2"), *chain(3, "system"))
    monkeypatch.setattr(session, "api", lambda *_: made)
    return made


def run(*command: str | Path, code: int = 0) -> str:
    result = runner.invoke(app, ["audit", *map(str, command)])
    assert result.exit_code == code, result.output
    return re.sub(r"\s+", " ", result.output)


def test_show_computes_the_chain_again_and_says_why_it_looked(api: Api) -> None:
    shown = run("show", "--deployment", "d-1", "--purpose", "case 7")
    assert "thing-5" in shown
    assert "the chain holds: 5 records" in shown
    assert set(api.purposes) == {"case 7"}
    api.chains["d-1"][1] = replace(api.chains["d-1"][1], body=b"{}")
    assert "d-1 #2 was changed after it was written" in run("show", "--deployment", "d-1", code=1)


def test_show_raw_gives_each_record_as_it_is_kept(api: Api) -> None:
    result = runner.invoke(app, ["audit", "show", "--deployment", "d-1", "--raw"])
    assert [json.loads(line) for line in result.output.splitlines()] == [record_values(one) for one in chain(5)]


def test_the_former_name_still_works(api: Api) -> None:
    result = runner.invoke(app, ["deployment", "audit", "d-1"])
    assert "the chain holds: 5 records" in result.output
    assert "audit" not in runner.invoke(app, ["deployment", "--help"]).output.replace("proviso audit", "")


def test_what_was_written_into_a_record_does_not_move_the_cursor(api: Api) -> None:
    api.chains["d-1"] = chain(2, who="\x1b[2Jnobody")
    assert "\x1b" not in run("show", "--deployment", "d-1")


def test_an_export_of_everything_verifies_although_the_system_chain_grows_meanwhile(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    assert "11 records of 3 chains" in run("export", file)
    shown = run("verify", file)
    assert "d-1: holds: 5 records, head " in shown
    assert "system: holds: 3 records" in shown
    assert "3 chains: all hold" in shown
    assert "without --heads it cannot be known" in shown
    assert set(api.purposes) == {"export"}
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_of_one_deployment_says_that_it_is_no_more(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    run("export", file, "--deployment", "d-2")
    shown = run("verify", file, "--heads", anchors(tmp_path, head_of(chain(5)[4]), head_of(chain(3, "d-2")[2])))
    assert "d-2: holds: 3 records" in shown
    assert "of these chains only: d-2; not looked at: 1 chain with anchored heads" in shown
    assert "there is no chain of d-9" in run("export", tmp_path / "x", "--deployment", "d-9", code=1)


def test_an_export_never_takes_the_place_of_a_file(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text("evidence")
    assert "is there already" in run("export", file, code=1)
    assert file.read_text() == "evidence"
    assert "cannot be written" in run("export", tmp_path / "none" / "x", code=1)


def test_an_export_that_breaks_off_leaves_nothing_behind(api: Api, tmp_path: Path) -> None:
    def get(path: str) -> Any:
        if path.startswith("/audit?"):
            raise ApiFault("gone")
        return Api.get(api, path)

    api.get = get  # type: ignore[method-assign]
    run("export", tmp_path / "audit.jsonl", code=1)
    assert list(tmp_path.iterdir()) == []


def anchors(place: Path, *heads: Head, minutes: int = 0) -> Path:
    """A folder as downloaded from the bucket, its erasures included."""
    folder = place / "heads"
    (folder / "2026-11-22").mkdir(parents=True, exist_ok=True)
    (folder / "erasures").mkdir(exist_ok=True)
    (folder / "erasures" / "list-1.json").write_text("{}")
    at = NOW + timedelta(minutes=minutes)
    (folder / "2026-11-22" / f"{at:%H%M%S}Z_x.json").write_text(heads_json(heads, at))
    return folder


def exported(place: Path, *records: AuditRecord, minutes: int = 60) -> Path:
    file = place / "export.jsonl"
    file.write_text("".join(lines(ExportHeader(NOW + timedelta(minutes=minutes)), records)))
    return file


def test_with_heads_it_is_said_up_to_where_a_chain_is_anchored(tmp_path: Path) -> None:
    file = exported(tmp_path, *chain(5), *chain(2, "d-2"))
    shown = run("verify", file, "--heads", anchors(tmp_path, head_of(chain(5)[2])))
    assert "anchored up to #3 at 2026-11-22 20:15:30 UTC" in shown or "anchored up to #3 at 20:15:30 UTC" in shown
    assert "1 chain without an anchored head: of their end nothing is known" in shown
    assert "without --heads" not in shown


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        (chain(5)[:3], "d-1 is cut off after #3"),
        (chain(5, who="somebody else"), "d-1 #5 was rewritten after it was anchored at 2026-11-22 20:15:30 UTC"),
        (chain(2, "d-2"), "d-1 is not there at all"),
        ([*chain(5)[:2], *chain(5)[3:]], "record 3 of d-1 is missing"),
    ],
)
def test_the_first_fault_of_a_chain_is_named_with_code_1(
    tmp_path: Path, records: list[AuditRecord], sentence: str
) -> None:
    file = exported(tmp_path, *records)
    heads = anchors(tmp_path, head_of(chain(5)[4]))
    assert sentence in run("verify", file, "--heads", heads, code=1)
    single = next(heads.rglob("2026-11-22/*.json"))
    assert sentence in run("verify", file, "--heads", single, code=1)


def test_heads_that_are_younger_than_the_export_are_counted_and_not_held_against_its_end(tmp_path: Path) -> None:
    file = exported(tmp_path, *chain(3), minutes=-1)
    shown = run("verify", file, "--heads", anchors(tmp_path, head_of(chain(5)[4])))
    assert "anchored after the export, and beyond it: 1;" in shown


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "audit.jsonl, line 1: it is not JSON"),
        (b"\xff\xfe", "is not text in UTF-8"),
        ("".join(lines(ExportHeader(NOW), chain(2))).encode()[:-20], "audit.jsonl, line 4: it is not JSON"),
        ("".join(lines(ExportHeader(NOW), [])).encode(), "there is no record to verify"),
    ],
)
def test_a_file_that_is_no_whole_export_is_told_by_its_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(content)
    assert sentence in run("verify", file, code=1)


def test_a_line_taken_out_of_an_export_is_named_as_the_record_that_is_missing(tmp_path: Path) -> None:
    file = exported(tmp_path, *chain(5))
    kept = file.read_text().splitlines(keepends=True)
    file.write_text("".join(kept[:2] + kept[3:]))
    shown = run("verify", file, code=1)
    assert "record 2 of d-1 is missing: after #1 comes #3" in shown
    assert "line 6: the last line says 5 records, and there are 4" in shown
    assert "hold" not in shown.replace("BROKEN", "")


def test_heads_that_are_none_are_told(tmp_path: Path) -> None:
    file = exported(tmp_path, *chain(1))
    assert "is not there; download" in run("verify", file, "--heads", tmp_path / "none", code=1)
    (tmp_path / "empty").mkdir()
    assert "there is no anchored head in" in run("verify", file, "--heads", tmp_path / "empty", code=1)
    (tmp_path / "empty" / "x.json").write_text("{}")
    assert "x.json: this is not a file of anchored heads" in run("verify", file, "--heads", tmp_path / "empty", code=1)


def test_what_to_verify_must_be_said_and_only_once(tmp_path: Path) -> None:
    assert "say what to verify" in run("verify", code=1)
    assert "say what to verify" in run("verify", "x", "--database", "postgresql://x", code=1)
    assert "cannot be read: No such file" in run("verify", tmp_path / "x", code=1)
    shown = run("verify", "--database", "my-secret", code=1)
    assert "takes the address of a PostgreSQL database" in shown
    assert "my-secret" not in shown
