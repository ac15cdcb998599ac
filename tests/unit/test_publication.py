"""S32: what is published, as pages and tables: complete, escaped, without a script, and the same for the same
record."""

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from proviso.domain.record import record_bytes
from proviso.domain.record_schema import GROUPS_SCHEMA, PUBLISHED_SCHEMA, RECORD_SCHEMA, schema_fault
from proviso.publication.figures import interval, value
from proviso.publication.gallery import gallery_page
from proviso.publication.markup import content_security_policy, html, style
from proviso.publication.record_page import record_page
from proviso.publication.tables import COLUMNS, record_csv
from proviso.stages.report import entry_of
from tests import record_samples as samples

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(1)</script>\"'&{}"


class Read(HTMLParser):
    """Tags, their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def gallery(**changed: Any) -> str:
    entries = [{**entry_of(samples.final(), b"x"), **changed}]
    return gallery_page(entries, [samples.groups()], address=lambda one: f"{one['deployment']}.html")


def pages() -> dict[str, str]:
    return {"record": record_page(samples.final()), "gallery": gallery()}


@pytest.mark.parametrize("name", ["record", "gallery"])
def test_a_page_runs_nothing_and_fetches_nothing(name: str) -> None:
    read = Read(pages()[name])
    assert {tag for tag, _ in read.tags} & {"script", "img", "iframe", "form", "object", "embed", "base"} == set()
    for tag, attributes in read.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("style", "src")}, tag
        for address in (attributes.get("href") or "").split():
            assert ":" not in address or address == "data:,"


def test_the_policy_allows_the_style_that_is_there_and_no_other() -> None:
    (found,) = re.findall(r"<style>(.*?)</style>", record_page(samples.record()), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
    policy = content_security_policy(style("record.css"))
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_free_text_is_text_wherever_it_stands() -> None:
    record = samples.record()
    record |= {"place": HOSTILE, "legal_basis": HOSTILE, "operator": {"kind": "police", "name": HOSTILE}}
    record["policy"] = {**record["policy"], "differences": [HOSTILE], "title": HOSTILE}
    record["frames"]["not_searched"] = [{"outcome": HOSTILE, "reason": HOSTILE, "frames": 1}]
    record["list"]["by_category"] = [{"category": HOSTILE, "entries": 1}]
    for page in (record_page(record), gallery(place=HOSTILE, operator=HOSTILE)):
        assert "<script" not in page
        assert HOSTILE in Read(page).text
    assert str(html("<p>{}</p>", "<b>{}")) == "<p>&lt;b&gt;{}</p>"


def test_every_number_of_the_record_is_on_its_page() -> None:
    record = samples.final()
    text = Read(record_page(record)).text
    for part in ("faces", "candidates", "truth", "actions"):
        for count in record[part].values():
            assert (f"{count:,}" if isinstance(count, int) else count) in text
    for rate in record["rates"]:
        assert f"{rate['count']:,} of {rate['of']:,} {rate['unit']}" in text
        assert value(rate) in text
        assert interval(rate) in text
    assert record["audit"]["hash"] in text
    assert "accura" not in text.lower()


def test_a_rate_of_nothing_is_no_figure() -> None:
    none = {"frames": 0, "detected": 0, "refused": 0, "searched": 0, "not_searched": 0}
    record = samples.record(faces=none, candidates={}, outcomes={}, actions={})
    assert {(rate["of"], rate["low"], rate["high"]) for rate in record["rates"]} == {(0, "0", "1")}
    assert Read(record_page(record)).text.count("nothing counted") == len(record["rates"])


def test_one_that_never_started_says_so() -> None:
    record = samples.record()
    record["times"] = {**record["times"], "started_at": None}
    record["list"] = {**record["list"], "age_at_start_minutes": None}
    assert schema_fault(record, RECORD_SCHEMA) is None
    assert "never started" in Read(record_page(record)).text


def test_a_demonstration_says_it_first() -> None:
    text = Read(record_page({**samples.record(), "demonstration": "DEMONSTRATION"})).text
    assert text.index("DEMONSTRATION") < text.index("In short")
    assert "DEMONSTRATION" in Read(gallery(demonstration="DEMONSTRATION")).text


def test_others_figures_stand_beside_with_what_is_not_known_of_them() -> None:
    for page in pages().values():
        text = Read(page).text
        assert "3,147,436 faces seen" in text
        assert "unit of 'faces seen' not stated" in text


def test_the_chart_says_in_words_what_it_draws() -> None:
    drawn = [attributes for tag, attributes in Read(gallery()).tags if tag == "svg" and "role" in attributes]
    assert "all candidates 0.0571 %, between 0.03042 % to 0.09767 %" in (drawn[0]["aria-label"] or "")
    assert gallery(candidates=0, false_candidates=0).count("<circle") == 1, "the key's alone: none was counted"


def test_csv_has_a_row_a_figure_and_spreadsheets_take_none_for_a_formula() -> None:
    record = samples.final()
    record["list"]["by_category"] = [{"category": "=1+1", "entries": 3}]
    rows = list(csv.reader(io.StringIO(record_csv([record, samples.record()]))))
    assert tuple(rows[0]) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    found = {(row[1], row[2]): row for row in rows[1:]}
    assert len(found) == len(rows) - 1
    rate = found["2", "rate: false candidates"]
    assert rate[3:] == ["3", "22757", "0.00002718", "0.0003853", "faces searched"]
    assert found["2", "list: =1+1"][3] == "3"
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]


def test_the_same_record_is_the_same_bytes_and_differs_from_the_next() -> None:
    assert record_bytes(samples.record()) == record_bytes(samples.record())
    first, second = samples.record(), samples.final()
    assert "truth, not recorded: 0 before, 1 now" in second["changes"]
    assert (first["figures"], second["figures"]) == ("outcomes may still come in", "final")


def test_samples_and_schemas_agree_with_json_schema() -> None:
    for schema, found in ((RECORD_SCHEMA, samples.record()), (GROUPS_SCHEMA, samples.groups())):
        Draft202012Validator(schema).validate(found)
        assert schema_fault(found, schema) is None
    committed = json.loads((ROOT / "docs/record.schema.json").read_text("utf-8"))
    assert committed == PUBLISHED_SCHEMA, "run make openapi"
