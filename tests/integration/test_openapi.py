"""The HTTP API against its own description: what it says and what it does, with schemathesis, on the local cloud.

Every operation is taken from the committed document, so a new route is tested by being described. Each is called with
input as described and with input that is wrong on purpose, with identifiers that lead nowhere and with those of real
records, by somebody with every role. What stops or deletes comes last.
"""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from proviso.cli import places
from proviso.cli.api import Api, ApiFault, quoted
from proviso.cli.demo.photographs import enrolment_picture
from proviso.domain.errors import ConfigurationFault
from proviso.domain.people import Role
from proviso.local.cloud import LocalCloud, LocalCloudOptions, local_cloud

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "layers/core/src/proviso/edge/openapi.json").read_text(encoding="utf-8"))
FIRST, EVERYTHING, NOBODY = "first-authoriser", "every-role", "no-role"
EXAMPLES = 8
CONFORMS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ANY_ACCOUNT = {("post", "/stop-all"), ("post", "/deployments/{deployment_id}/stop"), ("get", "/changes")}
"""Stopping asks for an account and for no role: docs/decisions/2026-11-22-stop-without-role.md."""
NOT_BUILT = 501
BEHIND = {"RetainFunction", "SweepFunction", "DetectFunction", "AlertFunction"}
"""What a closing needs beside the routes: the queues have to be empty, and S3 puts a test event into each."""

CONFIG = schemathesis.Config.from_dict(
    {"generation": {"with-security-parameters": False, "deterministic": True}, "checks": {"enabled": True}}
)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _ends_something(operation: tuple[str, str]) -> tuple[bool, bool]:
    """Harmless first, then what ends one thing, then what ends all."""
    method, path = operation
    return path == "/stop-all", method == "delete" or path.endswith(("/stop", "/close"))


OPERATIONS = sorted(
    ((method, path) for path, methods in DOCUMENT["paths"].items() for method in methods),
    key=lambda one: (*_ends_something(one), one[1], one[0]),
)
PUBLIC = [one for one in OPERATIONS if DOCUMENT["paths"][one[1]][one[0]].get("security") == []]


@dataclass
class World:
    """A running cloud, tokens, and the identifiers of records that there are, by the name of the path's parameter."""

    cloud: LocalCloud
    pixels: bool
    tokens: dict[str, str]
    known: dict[str, str] = field(default_factory=dict)
    seen: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def headers(self, subject: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[subject]}"} if subject else {}

    def told(self, subject: str, method: str, path: str, body: Any = None, query: str = "", **named: str) -> Any:
        """A call that must succeed, its answer held to the description."""
        found = SCHEMA[path][method]
        address = self.cloud.api_url + path.format(**{**self.known, **named}) + query
        sent = {"data": body, "headers": {"Content-Type": "image/jpeg"}} if isinstance(body, bytes) else {"json": body}
        headers = self.headers(subject) | sent.pop("headers", {})
        answer = requests.request(method, address, headers=headers, timeout=30, **sent)
        assert answer.ok, f"{method} {path}: {answer.text}"
        self.seen.setdefault((method, path), set()).add(answer.status_code)
        found.validate_response(answer)
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text


def _functions() -> frozenset[str]:
    """The functions that answer routes; what the local cloud needs beside them it starts by itself."""
    from samtranslator.yaml_helper import yaml_parse

    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    return frozenset(
        name
        for name, resource in resources.items()
        if any(event["Type"] == "HttpApi" for event in resource.get("Properties", {}).get("Events", {}).values())
    )


def _models() -> dict[str, str] | None:
    for pack in ("", "dlib"):
        try:
            return places.find_models(ROOT, pack=pack).environment
        except ConfigurationFault:
            continue
    return None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    models = _models()
    options = LocalCloudOptions(
        root=ROOT,
        data=tmp_path_factory.mktemp("cloud"),
        parameters={"FirstAuthoriser": FIRST, "SoftwareBuild": "test", "ComplaintsContact": "complaints@example.org"},
        environment={**(models or {}), **places.database()},
        functions=_functions() | BEHIND,
    )
    try:
        running = local_cloud(options)
        cloud = running.__enter__()
    except ConfigurationFault as fault:
        pytest.skip(str(fault))
    try:
        made = World(cloud, models is not None, {who: cloud.sign_in(who) for who in (FIRST, EVERYTHING, NOBODY)})
        _furnish(made)
        yield made
    finally:
        running.__exit__(None, None, None)


def _furnish(world: World) -> None:
    """Somebody with every role, a list with an entry and, where there are models, a deployment that is authorised."""
    trained = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    everything = {"sub": EVERYTHING, "roles": [role.value for role in Role], "trained_until": trained}
    world.told(FIRST, "post", "/people", everything)
    world.known = {"sub": EVERYTHING, "role": "recipient", "file": "proviso.css"} | _list_with_an_entry(world)
    if world.pixels:
        world.known |= _authorised(world, world.known)


def _list_with_an_entry(world: World) -> dict[str, str]:
    listed = world.told(EVERYTHING, "post", "/watchlists", {"name": "Described", "policy": "demo"})
    entry = world.told(EVERYTHING, "post", "/watchlists/{watchlist_id}/entries", ENTRY, watchlist_id=listed["id"])
    return {"watchlist_id": listed["id"], "entry_id": entry["id"]}


def _authorised(world: World, ids: dict[str, str], camera: str = "north") -> dict[str, str]:
    path = "/watchlists/{watchlist_id}/entries/{entry_id}/references"
    picture = world.told(EVERYTHING, "post", path, enrolment_picture(), **ids)
    build = world.told(EVERYTHING, "post", "/watchlists/{watchlist_id}/builds", **ids)
    made = world.told(EVERYTHING, "post", "/deployments", _deployment(ids["watchlist_id"], build["id"], camera))
    found = {"reference_id": picture["id"], "deployment_id": made["id"]}
    world.told(FIRST, "post", "/deployments/{deployment_id}/authorise", {"digest": made["digest"]}, **found)
    return found


ENTRY = {
    "label": "Somebody",
    "category": "public_domain_photograph",
    "reason": "to be described",
    "source": "public domain",
    "lawful_holding": "public domain",
    "image_date": "1984-01-20",
}


def _deployment(watchlist: str, build: str, camera: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    grounds = DOCUMENT["components"]["schemas"]["GroundsBody"]["required"]
    return {
        "use": "demonstration",
        "place": "Hall",
        "premises": "closed_premises",
        "cameras": [camera],
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(minutes=30)).isoformat(),
        "passages_expected": 100,
        "watchlist_id": watchlist,
        "build_id": build,
        "threshold": "0.5",
        "policy": "demo",
        "grounds": dict.fromkeys(grounds, "for a test") | {"operator_kind": "demonstration"},
    }


def _call(world: World, case: Any, subject: str | None) -> Any:
    return case.call(base_url=world.cloud.api_url, headers=world.headers(subject), timeout=30)


def _needs_pixels(world: World, path: str) -> None:
    if path.endswith("/references") and not world.pixels:
        pytest.skip("no model files on this machine: a picture cannot be looked at")


def _can_be_wrong(operation: tuple[str, str]) -> bool:
    described = DOCUMENT["paths"][operation[1]][operation[0]]
    free = [one["in"] == "path" and one["schema"] == {"type": "string"} for one in described.get("parameters", [])]
    return "application/json" in described.get("requestBody", {}).get("content", {}) or not all(free)


def _named(operation: tuple[str, str]) -> str:
    return f"{operation[0].upper()} {operation[1]}"


# --- denied by default: before anything is there that could be harmed -------------------------------------------------


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in PUBLIC], ids=_named)
def test_without_a_token_nothing_but_the_public_routes_answers(world: World, operation: tuple[str, str]) -> None:
    method, path = operation

    @settings(BOUNDED, max_examples=2)
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case: Any) -> None:
        answer = _call(world, case, None)
        assert answer.status_code == 401
        case.validate_response(answer, checks=CONFORMS)

    check()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in PUBLIC], ids=_named)
def test_without_a_role_nothing_is_done_for_anybody(world: World, operation: tuple[str, str]) -> None:
    """With real identifiers, so that it is the role that is missing and not the record."""
    if operation in ANY_ACCOUNT:
        pytest.skip("any account may stop, and ask whether something changed")
    method, path = operation
    known = {name: value for name, value in world.known.items() if f"{{{name}}}" in path}

    @settings(BOUNDED, max_examples=3)
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known))
    def check(case: Any) -> None:
        answer = _call(world, case, NOBODY)
        assert answer.status_code in (400, 401, 403, 404), answer.text
        case.validate_response(answer, checks=CONFORMS)

    check()


def test_a_token_that_nobody_signed_is_no_token(world: World) -> None:
    header, body, _ = world.tokens[EVERYTHING].split(".")
    with pytest.raises(ApiFault) as fault:
        Api(world.cloud.api_url, f"{header}.{body}.AAAA").get("/people")
    assert fault.value.status == 401


# --- what it says and what it does ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as-described", "wrong"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=_named)
def test_answers_are_as_they_are_described(world: World, operation: tuple[str, str], mode: GenerationMode) -> None:
    method, path = operation
    _needs_pixels(world, path)
    known = {name: value for name, value in world.known.items() if f"{{{name}}}" in path}
    found = SCHEMA[path][method]
    if mode is GenerationMode.NEGATIVE and not _can_be_wrong(operation):
        pytest.skip("it takes nothing but text, and any text is as described")
    kinds = [{}, known] if known and mode is GenerationMode.POSITIVE else [{}]

    for parameters in kinds:

        @settings(BOUNDED)
        @given(case=found.as_strategy(generation_mode=mode, path_parameters=parameters or None))
        def check(case: Any) -> None:
            answer = _call(world, case, EVERYTHING)
            world.seen.setdefault(operation, set()).add(answer.status_code)
            checks = CONFORMS if answer.status_code == NOT_BUILT else [not_a_server_error, *CONFORMS]
            case.validate_response(answer, checks=checks, headers=world.headers(EVERYTHING))

        check()


ODD = ["%00", "%ED%A0%80", "%FF", "%22", "%F0%9F%98%80", "%0A", "a%2Fb", "%25", "'", "x" * 4000, "%E2%80%AE", "%20"]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "{" in one[1]], ids=_named)
def test_odd_names_in_a_path_are_refused_or_name_nothing(world: World, operation: tuple[str, str]) -> None:
    method, path = operation
    _needs_pixels(world, path)
    for odd in ODD:
        address = world.cloud.api_url + re.sub(r"\{[^}]+\}", odd, path)
        answer = requests.request(method, address, headers=world.headers(EVERYTHING), json={}, timeout=30)
        described = DOCUMENT["paths"][path][method]["responses"]
        assert str(answer.status_code) in described, (odd, answer.text)
        assert answer.status_code < 500 or answer.status_code == NOT_BUILT, (odd, answer.text)


WRONG_BODIES = [
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"\xff\xfe", "application/json"),
    (b'{"sub": "\\u0000"}', "application/json"),
    (b'{"sub": "\\ud800"}', "application/json"),
    (b'{"passages_expected": ' + b"9" * 5000 + b"}", "application/json"),
    (b'{"passages_expected": 1e999, "threshold": NaN}', "application/json"),
    (b"[" * 100_000, "application/json"),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, "application/json"),
    (b"null", "application/json"),
    (b"{}", "multipart/form-data"),
    (b"sub=x&roles=y", "application/x-www-form-urlencoded"),
    (b"{}", "text/xml"),
]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one[0] == "post"], ids=_named)
def test_what_is_no_body_is_refused_where_one_is_asked_for(world: World, operation: tuple[str, str]) -> None:
    """Where none is asked for, a stop above all, what is sent along changes nothing."""
    method, path = operation
    _needs_pixels(world, path)
    described = DOCUMENT["paths"][path][method]
    takes_json = "application/json" in described.get("requestBody", {}).get("content", {})
    address = world.cloud.api_url + re.sub(r"\{[^}]+\}", "nothing", path)
    for body, kind in WRONG_BODIES:
        headers = world.headers(EVERYTHING) | {"Content-Type": kind}
        answer = requests.request(method, address, headers=headers, data=body, timeout=30)
        assert answer.status_code < 500, (body[:40], answer.text)
        assert str(answer.status_code) in described["responses"], (body[:40], answer.text)
        if takes_json:
            assert answer.status_code == 400, (body[:40], answer.text)
            assert set(answer.json()) == {"reason", "message"}


def test_a_deployment_from_its_list_to_its_certificate_is_as_described(world: World) -> None:
    """Answers of calls that succeed, which generated input seldom reaches."""
    if not world.pixels:
        pytest.skip("no model files on this machine: nobody can be enrolled")
    ids = _list_with_an_entry(world)
    ids |= _authorised(world, ids, "south")
    deployment = "/deployments/{deployment_id}"

    def told(method: str, path: str, body: Any = None, who: str = EVERYTHING, **named: str) -> Any:
        return world.told(who, method, path, body, **{**ids, **named})

    reviewer = {
        "sub": "re.viewer@example.org",
        "roles": ["reviewer", "recipient"],
        "trained_until": "2100-01-01T00:00:00Z",
    }

    def again(method: str, path: str, body: Any = None, who: str = EVERYTHING, **named: str) -> Any:
        """Sent twice, as docs/api.md says may be done after an answer was lost."""
        told(method, path, body, who, **named)
        return told(method, path, body, who, **named)

    again("post", "/people", reviewer, FIRST)
    assert told("get", "/calibrations")["calibrations"] is not None
    world.tokens["camera"] = again("post", "/cameras", {"camera": "south"})["key"]
    contact = {"email": None, "phone": "+447700900123", "language": "en", "places": [], "categories": []}
    told("put", "/contacts/{sub}", contact, sub=quoted(str(reviewer["sub"])))
    told("get", "/contacts", query="?purpose=test")
    told("delete", "/contacts/{sub}", sub=quoted(str(reviewer["sub"])))
    for role in ("reviewer", "recipient"):
        told("post", f"{deployment}/members", {"sub": reviewer["sub"], "role": role})
    told("delete", f"{deployment}/members/{{role}}/{{sub}}", role="recipient", sub=quoted(str(reviewer["sub"])))
    told("post", f"{deployment}/attestations", {"kind": "signage", "statement": "at the door"})
    noticed = {"kind": "public_notice", "statement": "at the door", "published_at": datetime.now(UTC).isoformat()}
    told("post", f"{deployment}/attestations", noticed)
    assert told("get", deployment)["missing"] is None
    assert again("post", f"{deployment}/start")["state"] == "active"
    told("get", "/subjects/{watchlist_id}/{entry_id}/audit", query="?purpose=test")
    told("post", "/subject-access", {"reference_no": "R-1"})
    told("get", "/retention", query="?purpose=test")
    told("get", f"{deployment}/monitoring")
    told("get", "/suspensions")
    picture = base64.b64encode(enrolment_picture()).decode()
    pair = {"mated": True, "consent": "public domain", "probe": picture, "reference": picture}
    made = told("post", "/tests/pairs", pair)
    told("get", "/tests/pairs")
    again("delete", "/tests/pairs/{pair_id}", pair_id=made["id"])
    told("get", "/reviewers")
    told("get", "/watchlists/{watchlist_id}")
    told("get", "/audit", query=f"?chain={ids['deployment_id']}&purpose=test&limit=2")
    told("get", "/audit/chains", query="?purpose=test")
    again("delete", "/watchlists/{watchlist_id}/entries/{entry_id}")
    assert told("post", "/cameras/{camera}/grants", who="camera", camera="south")["key_prefix"] == "south/"
    told("delete", "/cameras/{camera}", camera="south")
    assert told("post", f"{deployment}/stop")["stopped"] == [ids["deployment_id"]]
    told("post", f"{deployment}/stop")
    again("post", f"{deployment}/close")
    for _ in range(10):
        world.cloud.run_schedule("SweepFunction")
        if told("get", deployment)["state"] == "closed":
            break
        time.sleep(1)
    assert told("get", f"{deployment}/certificate")["complete"] is True
    assert "Notice" in told("get", f"{deployment}/notice")
    _published(told, ids["deployment_id"])
    spare = _list_with_an_entry(world)
    again("delete", "/watchlists/{watchlist_id}", **spare)


def _published(told: Any, deployment: str) -> None:
    """S32: what closed is published, for anybody."""
    assert [one["deployment"] for one in told("get", "/records")["records"]] == [deployment]
    assert told("get", "/records/{deployment_id}")["revision"] == 1
    for document in ("latest.html", "1.csv", "1.json"):
        assert told("get", "/records/{deployment_id}/{document}", document=document)
    assert told("get", "/records/groups") == {"groups": []}
    assert "DEMONSTRATION" in told("get", "/records/index.html")
    assert told("get", "/records/schema.json")["title"]


NOT_REACHED = {
    "/notices/": "a notice needs a confirmed candidate, as tests/browser has; held to its models in tests/unit",
    "/candidates/": "a candidate needs a camera, as tests/e2e has; held to its models in tests/unit",
    "/decisions": "its policy asks for months of conditions; held to its model in tests/unit",
    "/approve": "the demonstration's policy lists nobody under 18",
    "/suspensions/": "nothing suspends under the demonstration's policy; held to its model in tests/unit",
    "/calibrations": "a trial takes an afternoon with volunteers; held to its models in tests/unit",
    "/trial": "only of such a trial; held to its model in tests/unit",
}


def test_every_operation_was_seen_to_succeed(world: World) -> None:
    """Last: what was only ever refused is not tested."""
    if not world.pixels:
        pytest.skip("no model files on this machine")
    if not set(OPERATIONS) <= set(world.seen):
        pytest.skip("only part of the tests of this file were run")
    succeeded = {operation for operation, codes in world.seen.items() if min(codes) < 300}
    never = [one for one in OPERATIONS if one not in succeeded and not any(part in one[1] for part in NOT_REACHED)]
    assert never == []


def test_the_description_is_what_is_served(world: World) -> None:
    assert Api(world.cloud.api_url).get("/openapi.json") == DOCUMENT
