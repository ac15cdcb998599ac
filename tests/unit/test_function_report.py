"""report over HTTP: what was published and nothing else, for anybody, with headers by which it may be kept (S32)."""

import json
from typing import Any

import pytest

from functions.report import app as report
from proviso.domain.record import record_bytes
from proviso.domain.record_schema import INDEX_FORMAT, PUBLISHED_SCHEMA
from proviso.stages.report import entry_of
from proviso.wiring import records as wiring
from tests import record_samples as samples
from tests.fakes.cloud import FakeRecords
from tests.unit.test_edge_batch import CONTEXT
from tests.unit.test_edge_http import event

ID = samples.closed().id


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> FakeRecords:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report")
    made = FakeRecords()
    monkeypatch.setattr(wiring, "shelf", lambda: made)
    for record in (samples.record(), samples.final()):
        made.put_record(ID, record["revision"], record_bytes(record))
    groups = samples.groups()
    made.put_groups(groups["batch"], record_bytes(groups))
    entries = [entry_of(samples.final(), record_bytes(samples.final())) for _ in range(3)]
    made.put_index(record_bytes({"format": INDEX_FORMAT, "records": entries, "groups": [groups["batch"]]}))
    return made


def get(path: str, **query: str) -> dict[str, Any]:
    asked = event("GET", path)
    asked["queryStringParameters"] = query or None
    asked["rawQueryString"] = "&".join(f"{name}={value}" for name, value in query.items())
    return report.handler(asked, CONTEXT)


def header(answer: dict[str, Any], name: str) -> str:
    found = {**answer.get("headers", {}), **{k: v[0] for k, v in answer.get("multiValueHeaders", {}).items()}}
    return str({key.lower(): value for key, value in found.items()}.get(name.lower(), ""))


def test_the_list_is_paged(shelf: FakeRecords) -> None:
    first = json.loads(get("/records", limit="2")["body"])
    assert (len(first["records"]), first["total"], first["next_after"]) == (2, 3, 2)
    rest = json.loads(get("/records", after="2", limit="2")["body"])
    assert (len(rest["records"]), rest["next_after"]) == (1, None)
    assert get("/records", limit="1000")["statusCode"] == 400


def test_before_the_first_publication_the_list_is_empty(shelf: FakeRecords) -> None:
    shelf.objects.clear()
    assert json.loads(get("/records")["body"]) == {"records": [], "total": 0, "next_after": None}
    assert "No deployment has been closed" in get("/records/index.html")["body"]
    assert json.loads(get("/records/groups")["body"]) == {"groups": []}
    assert get(f"/records/{ID}")["statusCode"] == 404


def test_a_revision_is_served_byte_for_byte_and_kept_for_good(shelf: FakeRecords) -> None:
    for revision in (1, 2):
        answer = get(f"/records/{ID}/{revision}.json")
        assert answer["body"].encode() == shelf.objects[f"records/{ID}/{revision}.json"]
        assert "immutable" in header(answer, "Cache-Control")
    latest = get(f"/records/{ID}")
    assert json.loads(latest["body"])["revision"] == 2
    assert header(latest, "Cache-Control") == "public, max-age=300"
    assert get(f"/records/{ID}/latest.json")["body"] == latest["body"]


@pytest.mark.parametrize("path", [f"/records/{ID}/latest.html", f"/records/{ID}/1.html", "/records/index.html"])
def test_pages_have_a_policy_under_which_nothing_runs(shelf: FakeRecords, path: str) -> None:
    answer = get(path)
    assert answer["statusCode"] == 200
    assert header(answer, "Content-Type") == "text/html; charset=utf-8"
    policy = header(answer, "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in policy
    assert header(answer, "X-Content-Type-Options") == "nosniff"


def test_csv_groups_and_schema(shelf: FakeRecords) -> None:
    assert get(f"/records/{ID}/2.csv")["body"].startswith("deployment,revision,figure,count,of,low,high,unit\r\n")
    assert json.loads(get("/records/groups")["body"])["groups"] == [samples.groups()]
    assert json.loads(get("/records/schema.json")["body"]) == PUBLISHED_SCHEMA


@pytest.mark.parametrize(
    "path",
    [
        f"/records/{ID}/3.json",
        f"/records/{ID}/0.json",
        f"/records/{ID}/01.json",
        f"/records/{ID}/-1.json",
        f"/records/{ID}/1.xml",
        f"/records/{ID}/1",
        f"/records/{ID}/.json",
        f"/records/{ID}/..%2F1.json",
        f"/records/{ID}/\u0661.json",
        f"/records/{ID}/99999999999999999999.json",
        "/records/another",
        "/records/..",
        "/records/index.json",
        "/records/..%2Findex.json/1.json",
        "/records/groups/0123456789abcdef-1.json",
        "/records/%2e%2e/index.json",
    ],
)
def test_nothing_but_published_files_is_reached(shelf: FakeRecords, path: str) -> None:
    shelf.objects["secret.json"] = b"secret"
    answer = get(path)
    assert answer["statusCode"] in (400, 404), answer["body"]
    assert "secret" not in answer["body"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        record_bytes({**samples.record(), "names": ["somebody"]}),
        record_bytes({**samples.record(), "deployment": "another"}),
    ],
)
def test_what_is_not_as_described_is_not_shown(shelf: FakeRecords, body: bytes) -> None:
    """Somebody who can write into the bucket can still not make this function say more than the schema allows."""
    shelf.objects[f"records/{ID}/2.json"] = body
    for form in ("json", "html", "csv"):
        answer = get(f"/records/{ID}/latest.{form}")
        assert answer["statusCode"] == 503
        assert "somebody" not in answer["body"]
    assert get(f"/records/{ID}/1.json")["statusCode"] == 200
