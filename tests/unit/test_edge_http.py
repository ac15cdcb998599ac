"""HTTP: who is asking is in the verified token alone; a refusal has one status everywhere; nobody keeps an answer."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from proviso.domain.errors import (
    AuditUnwritable,
    ConfigurationFault,
    DatabaseAway,
    PipelineMismatch,
    StorageFault,
    TransientFault,
)
from proviso.domain.frame import Jpeg
from proviso.domain.people import Person, Principal, Role
from proviso.domain.reasons import Reason, Refused
from proviso.edge import http
from tests.unit.test_edge_batch import CONTEXT, fresh  # noqa: F401


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=5)]
    at: date


def event(method="GET", path="/x", body=None, sub: Any = "somebody", encoded=False):
    claims = {} if sub is None else {"sub": sub}
    made = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "accountId": "1",
            "apiId": "a",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"},
            "requestId": "r",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "authorizer": {"jwt": {"claims": claims, "scopes": []}},
        },
        "isBase64Encoded": encoded,
    }
    if body is not None:
        made["body"] = body
    return made


def principal_of(sub):
    return Principal(Person(sub, frozenset({Role.REVIEWER})))


def answered(result=None, principal=principal_of, made=None):
    """The answer of an API whose stage gives, or raises, this."""
    router = http.routes()

    def stage(asking):
        if isinstance(result, Exception):
            raise result
        return result(asking) if callable(result) else result

    @router.get("/x")
    def get() -> Response[Any]:
        return http.act(router.current_event, principal, stage)

    @router.post("/x")
    def post(body: Body) -> Response[Any]:
        return http.act(router.current_event, principal, stage)

    @router.post("/raw")
    def raw() -> Response[Any]:
        return http.answer(200, {"bytes": http.body_bytes(router.current_event).hex()})

    return http.answer_request(http.api(router), made or event(), CONTEXT)


def body_of(answer):
    return json.loads(answer["body"])


def header(answer, name):
    found = {key.lower(): value for key, value in answer.get("headers", {}).items()}
    multi = {key.lower(): value[0] for key, value in answer.get("multiValueHeaders", {}).items()}
    return (found | multi).get(name.lower())


EXPECTED = {
    400: [Reason.INVALID, Reason.POLICY_FORBIDS],
    401: [Reason.NOT_SIGNED_IN],
    403: [Reason.ROLE_MISSING, Reason.SAME_PERSON],
    404: [Reason.NOT_FOUND],
    409: [Reason.WRONG_STATE, Reason.TERMS_CHANGED, Reason.CAMERA_BUSY, Reason.BUILD_TOO_OLD],
    410: [Reason.TOO_LATE],
    422: [Reason.NO_FACE, Reason.SEVERAL_FACES, Reason.NOT_AN_IMAGE],
    501: [Reason.NOT_OFFERED_YET],
}


@pytest.mark.parametrize(("status", "reason"), [(s, r) for s, reasons in EXPECTED.items() for r in reasons])
def test_a_refusal_has_its_status_and_its_sentence(status, reason):
    answer = answered(Refused(reason, "why exactly"))
    assert answer["statusCode"] == status
    assert body_of(answer)["reason"] == reason.value
    assert "why exactly" in body_of(answer)["message"]
    assert header(answer, "Cache-Control") == "no-store"


@pytest.mark.parametrize("reason", Reason)
def test_no_refusal_is_a_success(reason):
    assert answered(Refused(reason))["statusCode"] >= 400


@pytest.mark.parametrize("fault", [DatabaseAway("host db.internal"), StorageFault("key x"), TransientFault("y")])
def test_what_time_may_mend_says_when_to_come_back(fault):
    answer = answered(fault)
    assert answer["statusCode"] == 503
    assert header(answer, "Retry-After") == "5"
    assert "db.internal" not in answer["body"]


@pytest.mark.parametrize("fault", [AuditUnwritable("chain d-1"), PipelineMismatch("p"), ConfigurationFault("FILE /x")])
def test_a_fault_keeps_its_words_for_the_log(fault, capsys):
    answer = answered(fault)
    assert answer["statusCode"] == 500
    assert str(fault) not in answer["body"]
    said = capsys.readouterr().out
    assert type(fault).__name__ in said
    assert str(fault) in said


@pytest.mark.parametrize("sub", [None, "", 5, ["x"]])
def test_a_request_without_a_subject_is_nobodys(sub):
    asked = []
    assert answered(asked.append, made=event(sub=sub))["statusCode"] == 401
    assert asked == []


def test_a_subject_elsewhere_than_in_the_verified_claims_counts_for_nothing():
    made = event(sub=None)
    made["headers"]["sub"] = made["headers"]["x-amzn-oidc-identity"] = "authoriser"
    made["requestContext"]["authorizer"]["sub"] = "authoriser"
    made["queryStringParameters"] = {"sub": "authoriser"}
    assert answered(made=made)["statusCode"] == 401
    del made["requestContext"]["authorizer"]
    assert answered(made=made)["statusCode"] == 401


def test_roles_in_a_token_count_for_nothing():
    """Who may what is asked of principal_of, each time, with the subject alone."""
    made = event()
    made["requestContext"]["authorizer"]["jwt"]["claims"] |= {"roles": "authoriser", "cognito:groups": "authoriser"}
    seen = []

    def principal(sub):
        seen.append(sub)
        return Refused(Reason.ROLE_MISSING)

    assert answered(principal=principal, made=made)["statusCode"] == 403
    assert seen == ["somebody"]


def test_the_database_is_away_when_the_person_is_looked_up():
    def principal(sub):
        raise DatabaseAway("x")

    assert answered(principal=principal)["statusCode"] == 503


def test_a_picture_is_answered_as_bytes_that_nobody_keeps():
    answer = answered(Jpeg(b"\xff\xd8\x00\xff"))
    assert answer["isBase64Encoded"] is True
    assert base64.b64decode(answer["body"]) == b"\xff\xd8\x00\xff"
    assert header(answer, "Content-Type") == "image/jpeg"
    assert header(answer, "Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"name": "toolongSECRET", "at": "2026-01-01"}', "name"),
        ('{"name": "x", "at": "SECRET"}', "at"),
        ('{"name": "x"}', "at"),
        ('{"name": "x", "at": "2026-01-01", "unknown": "SECRET"}', "unknown"),
        ("{SECRET", ""),
        ("[]", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_wrong_input_is_named_and_not_repeated(body, named):
    asked = []
    answer = answered(asked.append, made=event("POST", body=body))
    assert answer["statusCode"] == 400
    assert body_of(answer)["reason"] == "invalid"
    assert named in body_of(answer)["message"]
    assert "SECRET" not in answer["body"]
    assert asked == []


def test_an_unknown_route_is_not_found():
    answer = answered(made=event(path="/nowhere"))
    assert (answer["statusCode"], body_of(answer)["reason"]) == (404, "not_found")


@pytest.mark.parametrize("wrong", [{}, {"Records": []}, {"requestContext": {}}, [], None, {"rawPath": "/x"}])
def test_what_is_no_http_event_is_said_so(wrong):
    with pytest.raises(ValueError, match="not an HTTP API event"):
        http.answer_request(http.api(http.routes()), wrong, CONTEXT)


def test_a_body_is_bytes_however_the_gateway_passed_it_on():
    raw = b"\xff\xd8\x00"
    answer = answered(made=event("POST", "/raw", base64.b64encode(raw).decode(), encoded=True))
    assert body_of(answer)["bytes"] == raw.hex()
    assert body_of(answered(made=event("POST", "/raw", "abc")))["bytes"] == b"abc".hex()


def test_what_is_not_offered_yet_says_so():
    answer = http.not_offered_yet("the public record")
    assert answer["statusCode"] == 501
    assert "the public record" in answer["body"]


@dataclass
class Thing:
    at: datetime
    amount: Decimal
    roles: frozenset[Role]
    inside: tuple[Any, ...]


def test_plain_is_what_json_knows():
    thing = Thing(
        datetime(2026, 1, 1, tzinfo=UTC), Decimal("0.500"), frozenset({Role.REVIEWER}), ({"x": date(2026, 1, 1)},)
    )
    shown = http.plain(thing)
    assert shown == {
        "at": "2026-01-01T00:00:00+00:00",
        "amount": "0.5",
        "roles": ["reviewer"],
        "inside": [{"x": "2026-01-01"}],
    }
    json.dumps(shown)
