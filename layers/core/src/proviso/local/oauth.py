"""OAuth 2.0 for the local sign-in: authorization code with PKCE, as the managed login of Cognito offers it.

So the pages have one sign-in, here and in AWS. What is checked and how it is refused follows RFC 6749 and RFC 7636; a
code is good for a minute, for one client and one address, and is used up by the first attempt, right or wrong.
"""

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

CODE_S = 60.0
# As the template's PeopleClient has them.
ACCESS_S = 3600.0
REFRESH_S = 12 * 3600.0
SCOPES = frozenset({"openid"})
FORM = "application/x-www-form-urlencoded"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of 32 bytes, without padding
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Tokens(Protocol):
    """Who signs: the local sign-in."""

    def access_token(self, subject: str, client_id: str, *, lifetime_s: float, scope: str) -> str: ...

    def id_token(self, subject: str, client_id: str, *, lifetime_s: float, nonce: str | None) -> str: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error code of RFC 6749 and a sentence for people. `location` is where the browser takes it; None where there
    is no address that may be trusted, so that it is shown instead (RFC 6749, 4.1.2.1)."""

    error: str
    description: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An authorization request that holds."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str | None
    challenge: str
    nonce: str | None


def challenge_of(verifier: str) -> str:
    """The code challenge of a verifier by S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def wanted_of(query: str, clients: Collection[str], callbacks: Collection[str]) -> Wanted | Refusal:
    """Check an authorization request. `callbacks` are the registered addresses, compared letter by letter."""
    fields, repeated = _fields(query)
    if repeated & {"client_id", "redirect_uri"}:
        return Refusal("invalid_request", "client_id and redirect_uri may be given once only.")
    client, address = fields.get("client_id", ""), fields.get("redirect_uri", "")
    if client not in clients:
        return Refusal("invalid_client", "No client goes by this client_id here.")
    if address not in callbacks:
        known = " or ".join(sorted(callbacks))
        return Refusal("invalid_request", f"The redirect_uri must be {known}, and nothing else.")

    def refuse(error: str, description: str) -> Refusal:
        return Refusal(error, description, _with(address, _error(error, description, fields.get("state"))))

    if repeated:
        return refuse("invalid_request", f"{min(repeated)} may be given once only.")
    if "response_type" not in fields:
        return refuse("invalid_request", "response_type is missing; it is code.")
    if fields["response_type"] != "code":
        return refuse("unsupported_response_type", "response_type must be code.")
    scopes = fields.get("scope", "openid").split()
    if not set(scopes) <= SCOPES:
        return refuse("invalid_scope", f"The only scope here is {' '.join(sorted(SCOPES))}.")
    if "code_challenge" not in fields:
        return refuse("invalid_request", "code_challenge is missing (PKCE).")
    if fields.get("code_challenge_method") != "S256":
        return refuse("invalid_request", "code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(fields["code_challenge"]):
        return refuse("invalid_request", "code_challenge must be 43 characters of base64url.")
    return Wanted(
        client_id=client,
        redirect_uri=address,
        scope=" ".join(scopes),
        state=fields.get("state"),
        challenge=fields["code_challenge"],
        nonce=fields.get("nonce"),
    )


def after_logout(query: str, clients: Collection[str], callbacks: Collection[str]) -> str | Refusal:
    """Where the browser goes after signing out: `logout_uri`, which must be registered."""
    fields, repeated = _fields(query)
    if repeated:
        return Refusal("invalid_request", f"{min(repeated)} may be given once only.")
    if fields.get("client_id") not in clients:
        return Refusal("invalid_client", "No client goes by this client_id here.")
    address = fields.get("logout_uri", "")
    if address not in callbacks:
        return Refusal("invalid_request", f"The logout_uri must be {' or '.join(sorted(callbacks))}, and nothing else.")
    return address


@dataclass(slots=True)
class _Code:
    wanted: Wanted
    subject: str
    expires_at: float
    refresh: str | None = None
    spent: bool = False


@dataclass(frozen=True, slots=True)
class _Refresh:
    client_id: str
    subject: str
    scope: str
    expires_at: float


class Grants:
    """The codes and refresh tokens that are out. `clock` gives seconds, `fresh` a string that nobody can guess."""

    def __init__(
        self, clients: Collection[str], tokens: Tokens, clock: Callable[[], float], fresh: Callable[[], str]
    ) -> None:
        self._clients = clients
        self._tokens = tokens
        self._clock = clock
        self._fresh = fresh
        self._codes: dict[str, _Code] = {}
        self._refreshes: dict[str, _Refresh] = {}
        self._lock = threading.Lock()

    def allow(self, wanted: Wanted, subject: str) -> str:
        """A code for that account: the address to which the browser carries it."""
        now = self._clock()
        code = self._fresh()
        with self._lock:
            # A spent code is remembered for as long as what was given for it: shown again, it takes that back.
            self._codes = {key: one for key, one in self._codes.items() if now < one.expires_at + REFRESH_S}
            self._refreshes = {key: one for key, one in self._refreshes.items() if now < one.expires_at}
            self._codes[code] = _Code(wanted, subject, now + CODE_S)
        state = {} if wanted.state is None else {"state": wanted.state}
        return _with(wanted.redirect_uri, {"code": code, **state})

    def token(self, content_type: str, body: bytes) -> dict[str, Any] | Refusal:
        """The answer of the token endpoint (RFC 6749, 5): tokens, or why not."""
        fields = self._asked(content_type, body)
        if isinstance(fields, Refusal):
            return fields
        match fields.get("grant_type"):
            case "authorization_code":
                return self._exchanged(fields)
            case "refresh_token":
                return self._refreshed(fields)
            case None:
                return Refusal("invalid_request", "grant_type is missing.")
        return Refusal("unsupported_grant_type", "grant_type is authorization_code or refresh_token.")

    def revoke(self, content_type: str, body: bytes) -> Refusal | None:
        """Take a refresh token back (RFC 7009). One that is not known is no fault: it is worth nothing already."""
        fields = self._asked(content_type, body)
        if isinstance(fields, Refusal):
            return fields
        if "token" not in fields:
            return Refusal("invalid_request", "token is missing.")
        with self._lock:
            found = self._refreshes.get(fields["token"])
            if found is not None and found.client_id == fields["client_id"]:
                del self._refreshes[fields["token"]]
        return None

    def _asked(self, content_type: str, body: bytes) -> dict[str, str] | Refusal:
        """The parameters of a request by a client that is known."""
        if content_type.split(";")[0].strip().lower() != FORM:
            return Refusal("invalid_request", f"Send the parameters as {FORM}.")
        try:
            fields, repeated = _fields(body.decode("ascii"))
        except UnicodeDecodeError:
            return Refusal("invalid_request", f"The body is not {FORM}.")
        if repeated:
            return Refusal("invalid_request", f"{min(repeated)} may be given once only.")
        if "client_id" not in fields:
            return Refusal("invalid_request", "client_id is missing.")
        if fields["client_id"] not in self._clients:
            return Refusal("invalid_client", "No client goes by this client_id here.")
        return fields

    def _exchanged(self, fields: Mapping[str, str]) -> dict[str, Any] | Refusal:
        missing = [name for name in ("code", "redirect_uri", "code_verifier") if name not in fields]
        if missing:
            return Refusal("invalid_request", f"{' and '.join(missing)} missing.")
        now = self._clock()
        refresh = self._fresh()
        with self._lock:
            code = self._codes.get(fields["code"])
            if code is None:
                return Refusal("invalid_grant", "Nobody was given this code.")
            if code.spent:
                self._refreshes.pop(code.refresh or "", None)
                return Refusal("invalid_grant", "This code was used before. What was given for it is taken back.")
            code.spent = True
            refusal = _mismatch(code, fields, now)
            if refusal is not None:
                return refusal
            code.refresh = refresh
            wanted = code.wanted
            self._refreshes[refresh] = _Refresh(wanted.client_id, code.subject, wanted.scope, now + REFRESH_S)
        given = self._signed(code.subject, wanted.client_id, wanted.scope, wanted.nonce)
        return {**given, "refresh_token": refresh}

    def _refreshed(self, fields: Mapping[str, str]) -> dict[str, Any] | Refusal:
        if "refresh_token" not in fields:
            return Refusal("invalid_request", "refresh_token is missing.")
        with self._lock:
            found = self._refreshes.get(fields["refresh_token"])
        if found is None or found.client_id != fields["client_id"] or self._clock() >= found.expires_at:
            return Refusal("invalid_grant", "This refresh token is not, or no longer, good. Sign in again.")
        if not set(fields.get("scope", found.scope).split()) <= set(found.scope.split()):
            return Refusal("invalid_scope", "A refresh cannot give more than the sign-in did.")
        return self._signed(found.subject, found.client_id, found.scope, None)

    def _signed(self, subject: str, client_id: str, scope: str, nonce: str | None) -> dict[str, Any]:
        return {
            "access_token": self._tokens.access_token(subject, client_id, lifetime_s=ACCESS_S, scope=scope),
            "id_token": self._tokens.id_token(subject, client_id, lifetime_s=ACCESS_S, nonce=nonce),
            "expires_in": int(ACCESS_S),
            "token_type": "Bearer",
        }


def _mismatch(code: _Code, fields: Mapping[str, str], now: float) -> Refusal | None:
    """What of a token request does not fit its code."""
    if now >= code.expires_at:
        return Refusal("invalid_grant", f"This code is older than {CODE_S:.0f} seconds.")
    if fields["client_id"] != code.wanted.client_id:
        return Refusal("invalid_grant", "This code was given to another client.")
    if fields["redirect_uri"] != code.wanted.redirect_uri:
        return Refusal("invalid_grant", "The redirect_uri is not the one that the code was asked for with.")
    verifier = fields["code_verifier"]
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge_of(verifier), code.wanted.challenge):
        return Refusal("invalid_grant", "The code_verifier does not fit the code_challenge.")
    return None


def _fields(text: str) -> tuple[dict[str, str], set[str]]:
    """Parameters by name, and the names that came more than once. One without a value counts as left out (RFC 6749,
    3.1)."""
    fields: dict[str, str] = {}
    repeated = set()
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in fields:
            repeated.add(name)
        fields[name] = value
    return {name: value for name, value in fields.items() if value}, repeated


def _error(error: str, description: str, state: str | None) -> dict[str, str]:
    return {"error": error, "error_description": description} | ({} if state is None else {"state": state})


def _with(address: str, parameters: Mapping[str, str]) -> str:
    """The address with these parameters added to its query."""
    parts = urlsplit(address)
    query = "&".join(part for part in (parts.query, urlencode(parameters)) if part)
    return urlunsplit(parts._replace(query=query))
