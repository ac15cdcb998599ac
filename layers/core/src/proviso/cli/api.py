"""A small client of the HTTP API: what the acting commands use, signed in as a person, locally as in AWS.

A refusal becomes `ApiFault` with the server's own sentence. While the database wakes (503 with Retry-After) it waits
and says so.
"""

import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_TIMEOUT_S = 60.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Stays(urllib.request.HTTPRedirectHandler):
    """urllib takes the token along to wherever an answer points: here it follows within the API alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_Stays)


class ApiFault(Exception):
    """The API refused or could not be reached. `reason` is from the closed list where the server gave one.

    `unreachable`: nobody answered, which may pass by itself.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "", unreachable: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.unreachable = unreachable


@dataclass
class Api:
    """The API at one address, as one person. `patience_s` is how long to wait for a database that wakes; `renew` gives
    a new token when the old one has ended, as it does in an import that takes hours."""

    url: str
    token: str = field(default="", repr=False)
    patience_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    notify: Callable[[str], None] = lambda sentence: None
    renew: Callable[[], str] | None = field(default=None, repr=False)

    def get(self, path: str) -> Any:
        return self._json("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self._json("POST", path, json.dumps({} if body is None else body).encode(), "application/json")

    def put(self, path: str, body: Any) -> Any:
        return self._json("PUT", path, json.dumps(body).encode(), "application/json")

    def post_picture(self, path: str, jpeg: bytes) -> Any:
        return self._json("POST", path, jpeg, "image/jpeg")

    def delete(self, path: str) -> Any:
        return self._json("DELETE", path)

    def picture(self, path: str) -> bytes:
        """The bytes of a picture, or of a page."""
        return self._ask("GET", path, None, "")

    def page(self, path: str) -> str:
        """The text of a page or a table."""
        return self.picture(path).decode("utf-8")

    def _json(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:
        answer = self._ask(method, path, body, kind)
        try:
            return json.loads(answer) if answer else {}
        except ValueError as error:
            raise ApiFault(
                f"{method} {path} was not answered in JSON; is {self.url} the address of the API?"
            ) from error

    def _ask(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        waited, fresh = 0.0, False
        while True:
            try:
                return self._once(method, path, body, kind)
            except urllib.error.HTTPError as error:
                if error.code == 401 and self.renew is not None and not fresh:
                    self.token, fresh = self.renew(), True
                    continue
                pause = _retry_after(error)
                if error.code != 503 or waited + pause > self.patience_s:
                    raise _fault(error, method, path) from error
            self.notify(f"the database is away or waking; trying again in {pause:g} s")
            self.sleep(pause)
            waited += pause

    def _once(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        address = self.url.rstrip("/") + path
        if not address.startswith(("http://", "https://")):
            raise ApiFault(f"{self.url!r} is not the address of an API; it begins with https://")
        request = urllib.request.Request(address, data=body, method=method)  # noqa: S310 (http and https only)
        if self.token:
            if request.type != "https" and urllib.parse.urlsplit(address).hostname not in LOOPBACK:
                raise ApiFault(f"{self.url} is not an address of https: your token would be read on the way")
            request.add_header("Authorization", f"Bearer {self.token}")
        if kind:
            request.add_header("Content-Type", kind)
        try:
            with _opener.open(request, timeout=_TIMEOUT_S) as answer:
                data: bytes = answer.read()
                return data
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            raise ApiFault(
                f"the API at {self.url} cannot be reached ({cause}); {_hint(address)}", unreachable=True
            ) from error


def _hint(address: str) -> str:
    here = urllib.parse.urlsplit(address).hostname in LOOPBACK
    return "is the local cloud running?" if here else "is the address right, and the network there?"


def quoted(part: str) -> str:
    """One part of a path."""
    return urllib.parse.quote(part, safe="")


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return min(max(float(error.headers.get("Retry-After", "5")), 0.5), 30.0)
    except ValueError:
        return 5.0


def _fault(error: urllib.error.HTTPError, method: str, path: str) -> ApiFault:
    try:
        values = json.loads(error.read() or b"{}")
    except ValueError:
        values = {}
    values = values if isinstance(values, dict) else {}
    reason, sentence = str(values.get("reason", "")), str(values.get("message", ""))
    sentence = re.sub(r"\bbody\.(\w)", r"\1", sentence)  # where in the request: of no meaning to who typed a command
    if error.code == 413:
        sentence = "what was sent is too large for the API"
    if not sentence:
        sentence = "sign in first" if error.code == 401 else f"{method} {path} was answered with {error.code}"
    return ApiFault(sentence, status=error.code, reason=reason)
