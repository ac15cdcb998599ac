"""What stands in front of the local S3 for callers from outside: the checks that S3 makes and moto does not.

moto takes any signature, any date and any form. So cameras are given the address of this server instead: it asks who
signed, whether the signature, expiry and POST policy hold, and whether the role of that access key may do it, and only
then hands the request on to moto, which stores it and sends its event. In AWS there is no such part: S3 does this.
The bucket's own policy (nothing without TLS) is not asked: it means nothing on one machine.
"""

import http.client
import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Protocol
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from proviso.local.keys import ANYBODY, Keys
from proviso.local.post_policy import check_policy, read_form
from proviso.local.rights import rights_of
from proviso.local.runtime_api import QuietHandler, QuietServer
from proviso.local.signed import Caller, Request, S3Refusal, Signatures, denied
from proviso.local.template import REGION, Resource

SIGNS_FOR_CAMERAS = "GrantFunction"
BODY_LIMIT = 16 * 1024 * 1024
Answer = tuple[int, dict[str, str], bytes]
_MOTO_S = 30.0
# What of a request means one of these actions and nothing else; any other query or copy is another action, so denied.
_OBJECT_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_LISTING = frozenset(
    {"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "marker"}
)
_HANDED_ON = ("content-type", "cache-control", "content-md5", "if-none-match", "if-match", "range")
_NOT_BACK = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")


class Clock(Protocol):
    def __call__(self) -> datetime: ...


class S3Front:
    """The server, on 127.0.0.1. `behind` is moto's address; `callers` are the access keys that exist."""

    def __init__(self, behind: str, callers: Sequence[Caller], region: str, clock: Clock, keys: Keys = ANYBODY) -> None:
        self._behind = urlsplit(behind).netloc
        self._region = region
        self._clock = clock
        self._keys = keys
        self._signatures = Signatures(callers, region, clock)
        front = self

        class Handler(_FrontHandler):
            owner: ClassVar[S3Front] = front

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Answer:
        """Check it, and hand it on when it may pass."""
        try:
            bucket, _, key = request.path.removeprefix("/").partition("/")
            if "/" in unquote(bucket):
                raise S3Refusal(400, "InvalidBucketName", "The specified bucket is not valid.")
            if request.method == "POST" and bucket and not key:
                return self._form(request, unquote(bucket))
            caller = self._signatures.caller(request)
            action = _action(request, bucket, key)
            allow_listing = caller.rights.allow("s3:ListBucket", _arn(unquote(bucket)))
            resource = _arn(unquote(bucket), unquote(key)) if key else _arn(unquote(bucket))
            if not caller.rights.allow(action, resource):
                raise denied()
            status, headers, body = self._hand_on(
                request.method, _without_signature(request), _headers(request), request.body
            )
            if status == 404 and action == "s3:GetObject" and not allow_listing:
                raise denied()  # S3 does not say "gone" to somebody who may not list
            return status, headers, body
        except S3Refusal as refused:
            return _refusal(refused)

    def _form(self, request: Request, bucket: str) -> Answer:
        """POST Object: a form with a policy."""
        if request.target.partition("?")[2]:
            raise denied()
        form = read_form(request.headers.get("content-type", ""), request.body)
        caller = self._signatures.caller_of_form(form.fields)
        check_policy(form, bucket, self._clock())
        needed = ["s3:PutObject"]
        needed += ["s3:PutObjectAcl"] if "acl" in form.fields else []
        needed += ["s3:PutObjectTagging"] if "tagging" in form.fields else []
        if not all(caller.rights.allow(action, _arn(bucket, form.key)) for action in needed):
            raise denied()
        kind = form.fields.get("content-type", "binary/octet-stream")
        target = f"/{quote(bucket, safe='')}/{quote(form.key, safe='/~')}"
        status, headers, body = self._hand_on("PUT", target, {"content-type": kind}, form.file)
        if status != 200:
            return status, headers, body
        return 204, {name: value for name, value in headers.items() if name.lower() == "etag"}, b""

    def _signed(self, method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """For moto, which learns from the signature that S3 is meant, and holds it against the keys where it enforces
        rights."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(method=method, url=f"http://{self._behind}{target}", data=body, headers=headers)
        keys = Credentials(self._keys.access_key, self._keys.secret_key, self._keys.token)
        S3SigV4Auth(keys, "s3", self._region).add_auth(request)
        return dict(request.headers.items())

    def _hand_on(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """To moto, byte for byte: no client in between that would tidy up a key."""
        connection = http.client.HTTPConnection(self._behind, timeout=_MOTO_S)
        sent = self._signed(method, target, headers, body)
        try:
            connection.request(method, target, body=body or (b"" if method == "PUT" else None), headers=sent)
            answer = connection.getresponse()
            back = {name: value for name, value in answer.getheaders() if name.lower() not in _NOT_BACK}
            return answer.status, back, answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise S3Refusal(503, "ServiceUnavailable", type(fault).__name__) from None
        finally:
            connection.close()


def in_front_of(behind: str, function: Resource, role: Keys | None = None) -> tuple[S3Front, dict[str, str]]:
    """A front for the access key of one function, and the function's environment for it. The key is that of its role
    where moto enforces rights, and else made for this start alone."""
    keys = role or Keys("ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
    caller = Caller(keys.access_key, keys.secret_key, rights_of(function), keys.token)
    front = S3Front(behind, [caller], REGION, lambda: datetime.now(UTC), role or ANYBODY)
    return front, {"AWS_ENDPOINT_URL_S3": front.url, **keys.environment()}


def _action(request: Request, bucket: str, key: str) -> str:
    """The one action that a request means; AccessDenied for all that this server does not know."""
    query = {name for name, _ in request.query if not name.lower().startswith("x-amz-")} - {"x-id"}
    odd = [name for name in request.headers if name.startswith("x-amz-copy-source")]
    odd += [name for name in request.headers if name in ("x-amz-acl", "x-amz-tagging") or "-grant-" in name]
    if bucket and key and not query and not odd and request.method in _OBJECT_ACTIONS:
        return _OBJECT_ACTIONS[request.method]
    if bucket and not key and query <= _LISTING and not odd and request.method in ("GET", "HEAD"):
        return "s3:ListBucket"
    raise denied()


def _arn(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}" + ("" if key is None else f"/{key}")


def _without_signature(request: Request) -> str:
    path, _, query = request.target.partition("?")
    rest = "&".join(part for part in query.split("&") if part and not part.lower().startswith("x-amz-"))
    return f"{path}?{rest}" if rest else path


def _headers(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name in _HANDED_ON}


def _refusal(refused: S3Refusal) -> Answer:
    text = f"<Error><Code>{escape(refused.code)}</Code><Message>{escape(refused.message)}</Message></Error>"
    body = ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()
    return refused.status, {"Content-Type": "application/xml"}, body


class _FrontHandler(QuietHandler):
    owner: ClassVar[S3Front]

    def _serve(self) -> None:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
        length = self.headers.get("Content-Length")
        status: int
        fields: dict[str, str]
        if "transfer-encoding" in headers or (self.command in ("PUT", "POST") and length is None):
            status, fields, body = self._unread(S3Refusal(411, "MissingContentLength", "state the Content-Length"))
        elif not (length or "0").isdigit() or int(length or 0) > BODY_LIMIT:
            status, fields, body = self._unread(
                S3Refusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            )
        else:
            status, fields, body = self.owner.answer(Request(self.command, self.path, headers, self.body()))
        self.reply(status, body, fields)

    def _unread(self, refused: S3Refusal) -> Answer:
        self.close_connection = True  # the body is not read
        return _refusal(refused)

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        super().reply(status, b"" if status in (204, 304) else body, headers)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _serve  # noqa: N815
