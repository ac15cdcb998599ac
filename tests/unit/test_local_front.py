"""What stands in front of the local S3, part by part: forms, their policies, signatures, and a role's rights."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from proviso.local.iam import Statement, statements_of
from proviso.local.post_policy import MOST_FIELDS_BYTES, Form, check_policy, read_form
from proviso.local.rights import Rights
from proviso.local.signed import Caller, Request, S3Refusal, Signatures

NOW = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
REGION = "eu-west-2"
CALLER = Caller("AKIDEXAMPLE", "secret", Rights(()))


def refused(call: Any, *args: Any) -> str:
    """The code of the refusal."""
    with pytest.raises(S3Refusal) as raised:
        call(*args)
    assert "secret" not in str(raised.value)
    return raised.value.code


# --- forms ------------------------------------------------------------------------------------------------------------


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


FILE = part("file", b"jpeg", '; filename="../a/frame.jpg"')
END = b"--b--\r\n"


def test_a_form_is_its_fields_by_small_letters_and_its_file() -> None:
    form = read_form("multipart/form-data; boundary=b", part("Key", b"cam/${filename}") + FILE + END)
    assert (form.key, form.file) == ("cam/frame.jpg", b"jpeg")
    assert "jpeg" not in repr(form)


def test_what_follows_the_file_counts_for_nothing() -> None:
    form = read_form('multipart/form-data; boundary="b"', part("key", b"k") + FILE + part("key", b"other") + END)
    assert form.fields == {"key": "k"}


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/json", b"{}", "PreconditionFailed"),
        ("multipart/form-data", b"", "PreconditionFailed"),
        ("multipart/form-data; boundary=b", b"", "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=b", b"x" + part("key", b"k") + FILE + END, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=b", part("key", b"k")[:-2], "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: y\r\n\r\nz\r\n" + END, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=b", part("key", b"\xff") + FILE + END, "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=b", part("key", b"k") + END, "IncorrectNumberOfFilesInPostRequest"),
        ("multipart/form-data; boundary=b", FILE + END, "InvalidArgument"),
        ("multipart/form-data; boundary=b", part("key", b"") + FILE + END, "InvalidArgument"),
        ("multipart/form-data; boundary=b", part("key", b"k") + part("KEY", b"l") + FILE + END, "InvalidArgument"),
        (
            "multipart/form-data; boundary=b",
            part("x", b"y" * MOST_FIELDS_BYTES) + part("key", b"k") + FILE + END,
            "MaxPostPreDataLengthExceededError",
        ),
    ],
)
def test_a_form_that_is_none_is_refused(kind: str, body: bytes, code: str) -> None:
    assert refused(read_form, kind, body) == code


# --- policies ---------------------------------------------------------------------------------------------------------


def policy(conditions: Any, expiration: Any = "2026-11-22T20:20:00Z") -> str:
    return base64.b64encode(json.dumps({"expiration": expiration, "conditions": conditions}).encode()).decode()


def held(conditions: Any, fields: dict[str, str] | None = None, file: bytes = b"jpeg", **given: Any) -> None:
    document = policy(conditions, **given)
    fields = {"key": "cam/1.jpg", "policy": document, "x-amz-signature": "s", **(fields or {})}
    check_policy(Form(fields, file), "frames", NOW)


GOOD: list[Any] = [{"bucket": "frames"}, ["starts-with", "$key", "cam/"], ["content-length-range", 1, 4]]


def test_a_form_that_keeps_to_its_policy_passes() -> None:
    held(GOOD)
    held([*GOOD, {"Content-Type": "image/jpeg"}], {"content-type": "image/jpeg"})
    held([*GOOD, ["eq", "$Content-Type", "image/jpeg"]], {"content-type": "image/jpeg", "x-ignore-me": "anything"})
    held([*GOOD, ["starts-with", "$x-amz-meta-a", ""]], {"x-amz-meta-a": "anything"})


@pytest.mark.parametrize(
    ("conditions", "fields", "file", "code"),
    [
        ([*GOOD, {"bucket": "other"}], {}, b"jpeg", "AccessDenied"),
        ([*GOOD, ["starts-with", "$key", "yard/"]], {}, b"jpeg", "AccessDenied"),
        ([*GOOD, {"content-type": "image/jpeg"}], {}, b"jpeg", "AccessDenied"),
        ([*GOOD, {"content-type": "image/jpeg"}], {"content-type": "image/JPEG"}, b"jpeg", "AccessDenied"),
        (GOOD, {"content-type": "image/jpeg"}, b"jpeg", "AccessDenied"),
        (GOOD, {"acl": "public-read"}, b"jpeg", "AccessDenied"),
        ([{"bucket": "frames"}], {}, b"jpeg", "AccessDenied"),  # the key is not covered
        ([], {}, b"jpeg", "AccessDenied"),
        (GOOD, {}, b"", "EntityTooSmall"),
        (GOOD, {}, b"jpeg2", "EntityTooLarge"),
        ([*GOOD, ["ends-with", "$key", "jpg"]], {}, b"jpeg", "InvalidPolicyDocument"),
        ([*GOOD, ["starts-with", "key", "cam/"]], {}, b"jpeg", "InvalidPolicyDocument"),
        ([*GOOD, ["content-length-range", "a", 4]], {}, b"jpeg", "InvalidPolicyDocument"),
        ([*GOOD, ["content-length-range", -1, True]], {}, b"jpeg", "InvalidPolicyDocument"),
        ([*GOOD, {"key": 3}], {}, b"jpeg", "InvalidPolicyDocument"),
        ([*GOOD, "key"], {}, b"jpeg", "InvalidPolicyDocument"),
        ([*GOOD, {}], {}, b"jpeg", "InvalidPolicyDocument"),
        ({"key": "cam/1.jpg"}, {}, b"jpeg", "InvalidPolicyDocument"),
    ],
)
def test_a_condition_that_does_not_hold_is_named(
    conditions: Any, fields: dict[str, str], file: bytes, code: str
) -> None:
    assert refused(held, conditions, fields, file) == code


@pytest.mark.parametrize("expiration", ["2026-11-22T20:15:00Z", "2026-11-22T20:14:59.999Z", "2020-01-01T00:00:00Z"])
def test_an_expired_policy_is_refused_to_the_second(expiration: str) -> None:
    with pytest.raises(S3Refusal, match="Policy expired"):
        held(GOOD, expiration=expiration)
    held(GOOD, expiration="2026-11-22T20:15:01Z")


@pytest.mark.parametrize("expiration", ["soon", None, 3, "2026-11-22T20:20:00"])
def test_an_expiry_that_says_nothing_is_none(expiration: Any) -> None:
    with pytest.raises(S3Refusal, match="InvalidPolicyDocument"):
        held(GOOD, expiration=expiration)


@pytest.mark.parametrize("document", ["", "%%%", base64.b64encode(b"[]").decode(), base64.b64encode(b"{").decode()])
def test_a_policy_that_is_none_is_refused(document: str) -> None:
    form = Form({"key": "cam/1.jpg", "policy": document}, b"jpeg")
    assert refused(check_policy, form, "frames", NOW) == "InvalidPolicyDocument"


# --- signatures -------------------------------------------------------------------------------------------------------


class Signed:
    """Requests signed by botocore with its clock held at NOW, as a client would send them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(auth, "get_current_datetime", lambda *_: NOW)
        self.now = NOW
        self.signatures = Signatures([CALLER], REGION, lambda: self.now)

    def query(self, method: str = "GET", path: str = "/frames/cam/1%20a.jpg", expires: int = 60) -> Request:
        made = AWSRequest(method=method, url=f"http://127.0.0.1:9{path}")
        auth.S3SigV4QueryAuth(Credentials("AKIDEXAMPLE", "secret"), "s3", REGION, expires=expires).add_auth(made)
        return Request(method, made.url.removeprefix("http://127.0.0.1:9"), {"host": "127.0.0.1:9"})

    def header(
        self, method: str = "GET", path: str = "/frames?list-type=2&prefix=a%2Fb", body: bytes = b"", **more: str
    ) -> Request:
        made = AWSRequest(method=method, url=f"http://127.0.0.1:9{path}", data=body, headers=more)
        auth.S3SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "s3", REGION).add_auth(made)
        headers = {name.lower(): value for name, value in made.headers.items()}
        return Request(method, path, {"host": "127.0.0.1:9", **headers}, body)

    def refused(self, request: Request) -> str:
        return refused(self.signatures.caller, request)


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Signed:
    return Signed(monkeypatch)


def changed(
    request: Request, target: tuple[str, str] | None = None, body: bytes | None = None, **headers: Any
) -> Request:
    """The same request after it was signed, altered."""
    new = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    new = {name: value for name, value in new.items() if value is not None}
    altered = request.target.replace(*target) if target else request.target
    assert (altered, new, body) != (request.target, request.headers, None)
    return Request(request.method, altered, new, request.body if body is None else body)


def test_what_botocore_signs_is_believed(signed: Signed) -> None:
    assert signed.signatures.caller(signed.query()) is CALLER
    assert signed.signatures.caller(signed.header()) is CALLER
    assert signed.signatures.caller(signed.header("PUT", "/frames/cam/1%2B.jpg", b"jpeg")) is CALLER


def test_a_presigned_address_is_good_until_it_expires_and_not_before_it_was_made(signed: Signed) -> None:
    request = signed.query(expires=60)
    signed.now = NOW + timedelta(seconds=59)
    assert signed.signatures.caller(request) is CALLER
    signed.now = NOW + timedelta(seconds=60)
    assert signed.refused(request) == "AccessDenied"
    signed.now = NOW - timedelta(minutes=16)
    assert signed.refused(request) == "AccessDenied"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("X-Amz-Expires=60", "X-Amz-Expires=6000", "SignatureDoesNotMatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=700000", "AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "AuthorizationQueryParametersError"),
        ("X-Amz-Expires=60&", "", "AuthorizationQueryParametersError"),
        ("cam/1", "yard/1", "SignatureDoesNotMatch"),
        ("AKIDEXAMPLE", "AKIDOTHER", "InvalidAccessKeyId"),
        ("20261122%2F", "20261121%2F", "AuthorizationQueryParametersError"),
        ("eu-west-2", "us-east-1", "AuthorizationQueryParametersError"),
        ("20261122T201500Z", "20261122T201501Z", "SignatureDoesNotMatch"),
        ("20261122T201500Z", "yesterday", "AccessDenied"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", "SignatureDoesNotMatch"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none", "AuthorizationQueryParametersError"),
        ("?X-Amz-Algorithm", "?uploads=&X-Amz-Algorithm", "SignatureDoesNotMatch"),
        ("&X-Amz-Expires=60", "&X-Amz-Expires=60&X-Amz-Expires=600", "AuthorizationQueryParametersError"),
        ("SignedHeaders=host", "SignedHeaders=range", "AccessDenied"),
    ],
)
def test_a_presigned_address_that_was_altered_is_refused(signed: Signed, old: str, new: str, code: str) -> None:
    assert signed.refused(changed(signed.query(), (old, new))) == code


def test_the_method_and_the_host_are_part_of_what_was_signed(signed: Signed) -> None:
    request = signed.query()
    assert signed.refused(Request("PUT", request.target, request.headers)) == "SignatureDoesNotMatch"
    assert signed.refused(changed(request, host="127.0.0.1:10")) == "SignatureDoesNotMatch"


def test_a_signed_header_holds_for_a_quarter_of_an_hour(signed: Signed) -> None:
    request = signed.header()
    signed.now = NOW + timedelta(minutes=15)
    assert signed.signatures.caller(request) is CALLER
    for away in (timedelta(minutes=15, seconds=1), timedelta(minutes=-15, seconds=-1)):
        signed.now = NOW + away
        assert signed.refused(request) == "RequestTimeTooSkewed"


def test_a_request_that_was_altered_after_it_was_signed_is_refused(signed: Signed) -> None:
    request = signed.header("PUT", "/frames/cam/1.jpg", b"jpeg")
    assert signed.refused(changed(request, body=b"other")) == "XAmzContentSHA256Mismatch"
    digest = hashlib.sha256(b"other").hexdigest()
    assert signed.refused(changed(request, body=b"other", x_amz_content_sha256=digest)) == "SignatureDoesNotMatch"
    assert signed.refused(changed(request, ("cam", "yard"))) == "SignatureDoesNotMatch"
    assert signed.refused(changed(request, x_amz_acl="public-read")) == "AccessDenied"
    assert signed.refused(changed(request, x_amz_content_sha256=None)) == "MissingSecurityHeader"
    assert signed.refused(changed(request, x_amz_date=None)) == "AccessDenied"
    assert signed.refused(changed(request, authorization="AWS AKIDEXAMPLE:x")) == "AuthorizationHeaderMalformed"
    assert signed.refused(changed(request, x_amz_security_token="t")) == "InvalidToken"


def test_a_session_s_key_counts_with_its_token_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_: NOW)
    caller = Caller("AKIDEXAMPLE", "secret", Rights(()), "token")
    signatures = Signatures([caller], REGION, lambda: NOW)
    assert "token" not in repr(caller)

    def signed_with(token: str | None) -> list[Request]:
        keys, url = Credentials("AKIDEXAMPLE", "secret", token), "http://127.0.0.1:9/frames/1.jpg"
        by_query, by_header = AWSRequest(method="GET", url=url), AWSRequest(method="GET", url=url)
        auth.S3SigV4QueryAuth(keys, "s3", REGION, expires=60).add_auth(by_query)
        auth.S3SigV4Auth(keys, "s3", REGION).add_auth(by_header)
        headers = {name.lower(): str(value) for name, value in by_header.headers.items()}
        host = {"host": "127.0.0.1:9"}
        return [
            Request("GET", by_query.url.removeprefix("http://127.0.0.1:9"), host),
            Request("GET", "/frames/1.jpg", {**headers, **host}),
        ]

    for request in signed_with("token"):
        assert signatures.caller(request) is caller
    for request in signed_with(None) + signed_with("another"):
        assert refused(signatures.caller, request) == "InvalidToken"


def test_who_does_not_sign_is_nobody(signed: Signed) -> None:
    assert signed.refused(Request("GET", "/frames/a", {"host": "h"})) == "AccessDenied"
    assert signed.refused(Request("GET", "/frames/a?AWSAccessKeyId=AKIDEXAMPLE&Signature=x", {"host": "h"})) == (
        "AccessDenied"
    )
    both = signed.query()
    assert signed.refused(changed(both, authorization=signed.header().headers["authorization"])) == "InvalidArgument"


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "resource", "may"),
    [
        ("s3:PutObject", "arn:aws:s3:::frames/cam/1.jpg", True),
        ("S3:putobject", "arn:aws:s3:::frames/x", True),
        ("s3:PutObject", "arn:aws:s3:::frames", False),
        ("s3:PutObject", "arn:aws:s3:::frames-2/x", False),
        ("s3:PutObjectAcl", "arn:aws:s3:::frames/x", False),
        ("s3:GetObject", "arn:aws:s3:::frames/x", False),
        ("s3:GetObject", "arn:aws:s3:::permits/permits/a.json", True),
        ("s3:GetObject", "arn:aws:s3:::permits/stops/a.json", False),
        ("s3:GetObject", "arn:aws:s3:::PERMITS/permits/a.json", False),
    ],
)
def test_what_no_statement_allows_is_denied(action: str, resource: str, may: bool) -> None:
    rights = Rights(
        (
            Statement(("s3:PutObject",), ("arn:aws:s3:::frames/*",)),
            Statement(("s3:Get*",), ("arn:aws:s3:::permits/permits/*",)),
        )
    )
    assert rights.allow(action, resource) is may


def test_a_condition_allows_nothing_here_and_a_deny_is_not_overlooked() -> None:
    plain = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    tls = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    document = {"Version": "2012-10-17", "Statement": [plain]}
    assert Rights(statements_of(document)).allow("s3:PutObject", "x")
    assert not Rights(statements_of({**document, "Statement": [{**plain, **tls}]})).allow("s3:PutObject", "x")
    with_deny = {**document, "Statement": [plain, {**plain, **tls, "Effect": "Deny"}]}
    assert not Rights(statements_of(with_deny)).allow("s3:PutObject", "x")
