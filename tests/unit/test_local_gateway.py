"""The local gateway's rules: which route serves a path, what a token must hold, how answers become responses."""

import base64
from typing import Any

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.gateway import Route, event_of, response_of
from proviso.local.poller import Mapping, failed_ids, record
from proviso.local.schedule import period_of
from proviso.local.sign_in import SignIn, as_api_gateway_gives_them
from proviso.local.worker import Invocation

ROUTES = [
    Route(method, path, "arn", None)
    for method, path in (
        ("GET", "/lists/{list}"),
        ("GET", "/lists/all"),
        ("ANY", "/lists/{list}"),
        ("POST", "/lists/{list}/entries/{entry-id}"),
        ("GET", "/files/{rest+}"),
    )
]


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/lists/all", "GET /lists/all", {}),
        ("GET", "/lists/a%20b", "GET /lists/{list}", {"list": "a b"}),
        ("PUT", "/lists/a", "ANY /lists/{list}", {"list": "a"}),
        ("POST", "/lists/a/entries/b", "POST /lists/{list}/entries/{entry-id}", {"list": "a", "entry-id": "b"}),
        ("GET", "/files/a/b", "GET /files/{rest+}", {"rest": "a/b"}),
        ("GET", "/lists", None, None),
        ("GET", "/lists/a/b", None, None),
        ("POST", "/files/a", None, None),
    ],
)
def test_the_most_specific_route_serves(method: str, path: str, key: str | None, parameters: Any) -> None:
    found = [(one, one.match(method, path)) for one in sorted(ROUTES, key=lambda one: one.rank)]
    first = next(((one.key, match) for one, match in found if match is not None), (None, None))
    assert first == (key, parameters)


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("application/json; charset=utf-8", b"{}", False),
        ("text/plain", "ä".encode(), False),
        ("application/problem+json", b"{}", False),
        ("image/jpeg", b"plain ascii", True),
        ("application/octet-stream", b"\xff\xd8", True),
        ("text/plain", b"\xff\xd8", True),
    ],
)
def test_what_is_not_text_travels_as_base64(kind: str, body: bytes, encoded: bool) -> None:
    event = event_of(ROUTES[0], {}, "POST", "/x", [("Content-Type", kind), ("Cookie", "a=1; b=2")], body, None)
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


@pytest.mark.parametrize(
    ("payload", "status", "body"),
    [
        ({"statusCode": 201, "body": "made"}, 201, b"made"),
        ({"statusCode": 204}, 204, b""),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "/9g="}, 200, b"\xff\xd8"),
        ({"a": 1}, 200, b'{"a": 1}'),
        ("text", 200, b'"text"'),
        ({"statusCode": "many"}, 500, b'{"message": "Internal Server Error"}'),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "%%%"}, 500, b'{"message": "Internal Server Error"}'),
        ({"statusCode": 200, "body": {"not": "text"}}, 500, b'{"message": "Internal Server Error"}'),
    ],
)
def test_an_answer_becomes_a_response(payload: Any, status: int, body: bytes) -> None:
    found = response_of(payload)
    assert (found[0], found[2]) == (status, body)


def test_a_token_is_good_for_its_audience_its_time_and_its_start_only() -> None:
    here, elsewhere = SignIn("http://here/local", ["client"]), SignIn("http://here/local", ["client"])
    claims = here.claims(here.sign("someone"), ["client"])
    assert claims is not None
    assert (claims["sub"], claims["token_use"], claims["iss"]) == ("someone", "id", "http://here/local")
    assert here.claims(here.sign("someone"), ["other"]) is None
    assert here.claims(here.sign("someone", lifetime_s=-1), ["client"]) is None
    assert here.claims(elsewhere.sign("someone"), ["client"]) is None
    assert here.claims("", ["client"]) is None


def test_an_unsigned_token_and_one_signed_by_the_public_key_are_refused() -> None:
    import jwt

    here = SignIn("http://here/local", ["client"])
    good = here.sign("someone")
    header, body = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    for algorithm, key in (("none", None), ("HS256", "x" * 64)):
        forged = jwt.encode(body, key, algorithm=algorithm, headers={"kid": header["kid"]})
        assert here.claims(forged, ["client"]) is None


def test_claims_arrive_as_text() -> None:
    assert as_api_gateway_gives_them({"exp": 1, "groups": ["a", "b"], "sub": "s", "ok": True}) == {
        "exp": "1",
        "groups": "[a b]",
        "sub": "s",
        "ok": "true",
    }


def invocation(payload: Any, error: dict[str, Any] | None = None) -> Invocation:
    return Invocation("F", "id", payload, error, (), 1.0, False)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (invocation({"batchItemFailures": []}), set()),
        (invocation({"batchItemFailures": None}), set()),
        (invocation({}), set()),
        (invocation(None), set()),
        (invocation({"batchItemFailures": [{"itemIdentifier": "a"}]}), {"a"}),
        (invocation({"batchItemFailures": [{"itemIdentifier": "stranger"}]}), {"a", "b"}),
        (invocation({"batchItemFailures": [{"itemIdentifier": ""}]}), {"a", "b"}),
        (invocation({"batchItemFailures": [{"wrong": "a"}]}), {"a", "b"}),
        (invocation("text"), {"a", "b"}),
        (invocation(None, {"errorType": "X"}), {"a", "b"}),
    ],
)
def test_which_messages_of_a_batch_failed(answer: Invocation, failed: set[str]) -> None:
    assert failed_ids(Mapping("q", "u", "f", partial=True), answer, {"a", "b"}) == failed


def test_without_partial_failures_only_an_error_fails_the_batch() -> None:
    whole = Mapping("q", "u", "f", partial=False)
    assert failed_ids(whole, invocation({"batchItemFailures": [{"itemIdentifier": "a"}]}), {"a"}) == set()
    assert failed_ids(whole, invocation(None, {"errorType": "X"}), {"a"}) == {"a"}


def test_a_record_has_the_shape_of_an_sqs_event() -> None:
    made = record(
        {
            "MessageId": "m",
            "ReceiptHandle": "r",
            "Body": "b",
            "MD5OfBody": "5",
            "Attributes": {"ApproximateReceiveCount": "1"},
            "MessageAttributes": {"k": {"DataType": "String", "StringValue": "v"}},
        },
        "arn:q",
    )
    assert made == {
        "messageId": "m",
        "receiptHandle": "r",
        "body": "b",
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {
            "k": {"dataType": "String", "stringValue": "v", "stringListValues": [], "binaryListValues": []}
        },
        "md5OfBody": "5",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:q",
        "awsRegion": "eu-west-2",
    }


def test_schedules_are_rates() -> None:
    assert period_of("rate(1 minute)", "x") == 60
    assert period_of("rate(2 hours)", "x") == 7200
    with pytest.raises(ConfigurationFault, match=r"cron\(0 0"):
        period_of("cron(0 0 * * ? *)", "x")
