"""Who signed a request to S3, and whether the signature, its date and its expiry hold (Signature Version 4).

moto takes whatever it is given. Here the signature is computed again by botocore's own signers, from what came over the
wire and the secret of the access key that is named, and compared. What botocore does not check is checked here: dates,
scope, that the host and every x-amz header are signed, and the hash of the body.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from proviso.local.rights import Rights

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)
_LONGEST_S = 7 * 24 * 3600
_STAMP = "%Y%m%dT%H%M%SZ"
_HEADER = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^, ]+), *SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})")


class S3Refusal(Exception):
    """A refusal as S3 answers it: a status, a code from S3's list, a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message = status, code, message


def denied(message: str = "Access Denied") -> S3Refusal:
    return S3Refusal(403, "AccessDenied", message)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an access key belongs to: its secret, the rights of its role, and the token of its session if it has one."""

    access_key: str
    secret_key: str = field(repr=False)
    rights: Rights = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `target` is the raw path with its query; header names in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)


class Signatures:
    """The access keys that exist, and the time."""

    def __init__(self, callers: Sequence[Caller], region: str, clock: Any) -> None:
        self._callers = {caller.access_key: caller for caller in callers}
        self._region = region
        self.clock = clock

    def caller(self, request: Request) -> Caller:
        """Who signed this request, by its query or by its header. S3Refusal."""
        names = {name.lower() for name, _ in request.query}
        by_query = bool(names & {"x-amz-signature", "x-amz-algorithm", "x-amz-credential"})
        if by_query and "authorization" in request.headers:
            raise S3Refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
        if by_query:
            return self._by_query(request)
        if "authorization" in request.headers:
            return self._by_header(request)
        raise denied()

    def caller_of_form(self, fields: Mapping[str, str]) -> Caller:
        """Who signed this form's policy. S3Refusal."""
        if "policy" not in fields or "x-amz-signature" not in fields:
            raise denied()
        if fields.get("x-amz-algorithm") != ALGORITHM:
            raise S3Refusal(400, "InvalidArgument", "X-Amz-Algorithm only supports AWS4-HMAC-SHA256")
        stamp = fields.get("x-amz-date", "")
        caller = self._named(fields.get("x-amz-credential", ""), _moment(stamp))
        _same_session(caller, fields.get("x-amz-security-token"))
        self._same(self._signer("post", caller), stamp, fields["policy"], fields["x-amz-signature"])
        return caller

    def _by_query(self, request: Request) -> Caller:
        given: dict[str, str] = {}
        for name, value in request.query:
            if name.startswith("X-Amz-"):
                if name in given:
                    raise _malformed(f"{name} is there twice")
                given[name] = value
        needed = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders")
        if missing := [name for name in (*needed, "X-Amz-Signature") if name not in given]:
            raise _malformed(f"Query-string authentication requires {', '.join(missing)}")
        if given["X-Amz-Algorithm"] != ALGORITHM:
            raise _malformed("X-Amz-Algorithm only supports AWS4-HMAC-SHA256")
        signed_at = _moment(given["X-Amz-Date"])
        caller = self._named(given["X-Amz-Credential"], signed_at)
        _same_session(caller, given.get("X-Amz-Security-Token"))
        lasts = given["X-Amz-Expires"]
        if not re.fullmatch(r"[0-9]{1,6}", lasts) or not 1 <= int(lasts) <= _LONGEST_S:
            raise _malformed("X-Amz-Expires must be between 1 and 604800 seconds")
        if signed_at > self.clock() + SKEW:
            raise denied("Request is not yet valid")
        if signed_at + timedelta(seconds=int(lasts)) <= self.clock():
            raise denied("Request has expired")
        path, _, query = request.target.partition("?")
        rest = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
        self._check("query", caller, request, given["X-Amz-SignedHeaders"], f"{path}?{rest}", given["X-Amz-Date"],
                    given["X-Amz-Signature"])  # fmt: skip
        return caller

    def _by_header(self, request: Request) -> Caller:
        found = _HEADER.fullmatch(request.headers["authorization"].strip())
        if found is None:
            raise S3Refusal(400, "AuthorizationHeaderMalformed", "The authorization header is malformed")
        stamp = request.headers.get("x-amz-date", "")
        signed_at = _moment(stamp)
        caller = self._named(found[1], signed_at)
        _same_session(caller, request.headers.get("x-amz-security-token"))
        if abs(signed_at - self.clock()) > SKEW:
            raise S3Refusal(403, "RequestTimeTooSkewed", "The difference between the request time and the current time"
                            " is too large.")  # fmt: skip
        digest = request.headers.get("x-amz-content-sha256")
        if digest is None:
            raise S3Refusal(400, "MissingSecurityHeader", "Missing required header: x-amz-content-sha256")
        if digest.startswith("STREAMING-"):
            raise S3Refusal(501, "NotImplemented", "signatures of chunks are not known to this check")
        self._check("header", caller, request, found[2], request.target, stamp, found[3])
        if digest != "UNSIGNED-PAYLOAD" and digest != hashlib.sha256(request.body).hexdigest():
            raise S3Refusal(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not"
                            " match what was computed.")  # fmt: skip
        return caller

    def _named(self, credential: str, signed_at: datetime) -> Caller:
        """The caller whose access key a credential names, for this day, region and service only."""
        parts = credential.split("/")
        caller = self._callers.get(parts[0])
        if caller is None:
            raise S3Refusal(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
            )
        if parts[1:] != [signed_at.strftime("%Y%m%d"), self._region, "s3", "aws4_request"]:
            raise _malformed("the credential is for another day, region or service")
        return caller

    def _check(
        self, kind: str, caller: Caller, request: Request, names: str, target: str, stamp: str, signature: str
    ) -> None:
        from botocore.awsrequest import AWSRequest

        signed = names.split(";")
        unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in signed]
        if "host" not in signed or unsigned:
            raise denied("There were headers present in the request which were not signed")
        if missing := [name for name in signed if name not in request.headers]:
            raise denied(f"signed headers are missing: {', '.join(missing)}")
        again = AWSRequest(
            method=request.method,
            url=f"http://{request.headers['host']}{target}",
            headers={name: request.headers[name] for name in signed},
        )
        signer = self._signer(kind, caller)
        again.context["timestamp"] = stamp
        if urlsplit(again.url).path != request.path:
            raise S3Refusal(400, "InvalidURI", "Couldn't parse the specified URI.")
        self._same(signer, stamp, signer.string_to_sign(again, signer.canonical_request(again)), signature)

    def _signer(self, kind: str, caller: Caller) -> Any:
        from botocore import auth
        from botocore.credentials import Credentials

        made = {"query": auth.S3SigV4QueryAuth, "header": auth.S3SigV4Auth, "post": auth.S3SigV4PostAuth}[kind]
        return made(Credentials(caller.access_key, caller.secret_key), "s3", self._region)

    def _same(self, signer: Any, stamp: str, text: str, signature: str) -> None:
        from botocore.awsrequest import AWSRequest

        request = AWSRequest()
        request.context["timestamp"] = stamp
        if not hmac.compare_digest(signer.signature(text, request).encode(), signature.encode()):
            raise S3Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the"
                            " signature you provided. Check your key and signing method.")  # fmt: skip


def _same_session(caller: Caller, token: str | None) -> None:
    if token != caller.token:
        raise S3Refusal(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")


def _moment(stamp: str) -> datetime:
    try:
        if not re.fullmatch(r"\d{8}T\d{6}Z", stamp, re.ASCII):
            raise ValueError(stamp)
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise denied("AWS authentication requires a valid Date or x-amz-date header") from None


def _malformed(message: str) -> S3Refusal:
    return S3Refusal(400, "AuthorizationQueryParametersError", message)
