"""Signing in at an API that runs elsewhere: the browser signs in, and the code comes back to a port of this machine.

Authorization code with PKCE and a loopback address (RFC 6749, 7636, 8252). No password is ever typed into a terminal; a
code that another program catches is worth nothing without the verifier, which stays in this process.
"""

import base64
import errno
import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from proviso.cli.api import LOOPBACK, Api, ApiFault

PORT = 8976
"""Registered with the user pool (template.yaml, CommandLineClient), which compares addresses letter by letter."""
CALLBACK = f"http://localhost:{PORT}/"
_WAIT_S = 300.0
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where people sign in, and as which client."""

    url: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gave; no token is ever shown. `expires_at`: seconds since 1970."""

    subject: str
    account: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float


def place_of(api_url: str, client_id: str = "") -> Place:
    """The sign-in of that API, as it says itself. ApiFault when it says none, one that is not over https, or another
    client than `client_id`, where that is known from elsewhere."""
    found = Api(api_url, patience_s=0).get("/console/settings.json")
    url, client = str(found.get("sign_in_url", "")), str(found.get("command_line_client_id", ""))
    if not url or not client:
        raise ApiFault(f"{api_url} does not say where the command line signs in; is it a Proviso of this version?")
    if client_id and client != client_id:
        raise ApiFault(
            f"{api_url} names the sign-in client {client[:60]!r}, and not {client_id!r}: it is not the API that you"
            " mean, or the id is of another stack; nothing was opened"
        )
    return Place(safe(url), client)


def safe(url: str) -> str:
    """The address, when tokens may travel to it: https, or this machine. ApiFault."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return url.rstrip("/")
    raise ApiFault(f"{url!r} is not an address of https")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun here: what is compared with what comes back."""

    place: Place
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def address(self) -> str:
        """Where the browser goes."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        fields = {
            "response_type": "code",
            "client_id": self.place.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            # Who signed in last in this browser is not silently signed in again: people act in turn.
            "prompt": "login",
        }
        return f"{self.place.url}/oauth2/authorize?{urllib.parse.urlencode(fields)}"

    def code_in(self, query: str) -> str | None:
        """The code of an answer to this sign-in; None where it answers another one. ApiFault when it was refused."""
        given = dict(urllib.parse.parse_qsl(query))
        if not hmac.compare_digest(given.get("state", "").encode(), self.state.encode()):
            return None
        if "error" in given:
            raise ApiFault(f"the sign-in was not finished ({given['error'][:60]}); try again")
        return given.get("code") or None


def begin(place: Place, fresh: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> Begun:
    """Begin a sign-in; `fresh` gives 43 to 128 characters that nobody can guess."""
    return Begun(place, fresh(), fresh())


def received(begun: Begun, open_browser: Callable[[str], Any], wait_s: float = _WAIT_S) -> str:
    """Open the browser and wait for the code on the port of this machine. ApiFault when none comes in time."""
    found: list[str] = []
    refused: list[ApiFault] = []
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            status, text = 404, "There is nothing here."
            if path == "/" and (self.headers.get("Host") or "") in (f"localhost:{PORT}", f"127.0.0.1:{PORT}"):
                try:
                    code = begun.code_in(query)
                    status, text = (400, "This is not the sign-in that was begun.") if code is None else (200, _DONE)
                    found.extend([code] if code else [])
                except ApiFault as fault:
                    status, text = 400, "The sign-in was not finished. Go back to the terminal."
                    refused.append(fault)
            try:
                self._say(status, text.encode())
            finally:
                if found or refused:
                    done.set()

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the code stands in the request line
            return

    with ExitStack() as servers:
        for server in _listening(Handler):
            servers.enter_context(_served(server))
        open_browser(begun.address)
        if not done.wait(wait_s):
            raise ApiFault("nobody signed in in time; try again, or use --paste where the browser is elsewhere")
    if refused:
        raise refused[0]
    return found[0]


class _Listener(ThreadingHTTPServer):
    """A thread for each who connects: who is slow keeps nobody else waiting, and who goes away is no news here."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


class _Listener6(_Listener):
    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


_WITHOUT_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT)


def _listening(handler: type[BaseHTTPRequestHandler]) -> list[_Listener]:
    """The port at both addresses that `localhost` means: whoever had the other one could be sent the code. ApiFault."""
    servers: list[_Listener] = []
    for kind, address in ((_Listener, "127.0.0.1"), (_Listener6, "::1")):
        try:
            servers.append(kind((address, PORT), handler))
        except OSError as error:
            if kind is _Listener6 and error.errno in _WITHOUT_IPV6:
                continue
            for one in servers:
                one.server_close()
            raise ApiFault(
                f"port {PORT} of this machine is taken ({address}), and the sign-in may come back to no other; end what"
                " uses it, or use --paste"
            ) from None
    return servers


@contextmanager
def _served(server: _Listener) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


_DONE = "Signed in. You can close this window and go back to the terminal."
_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


def pasted(begun: Begun, address: str) -> str:
    """The code in the address at which a browser elsewhere ended. ApiFault."""
    code = begun.code_in(urllib.parse.urlsplit(address.strip()).query)
    if code is None:
        raise ApiFault(f"that is not where this sign-in ended: an address that begins with {CALLBACK}?code=")
    return code


def exchange(begun: Begun, code: str, clock: Callable[[], float] = time.time) -> Tokens:
    """Tokens for a code."""
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    answer = _ask(begun.place, "token", {**fields, "code_verifier": begun.verifier})
    claims = _claims(str(answer.get("id_token", "")))
    subject = str(claims.get("sub", ""))
    if not subject or not answer.get("access_token"):
        raise ApiFault("the sign-in gave no token")
    account = str(claims.get("cognito:username", subject))
    return _tokens(answer, subject, account, str(answer.get("refresh_token", "")), clock)


def renewed(place: Place, before: Tokens, clock: Callable[[], float] = time.time) -> Tokens:
    """New tokens while the shift lasts. ApiFault, with what to do, when it is over."""
    answer = _ask(place, "token", {"grant_type": "refresh_token", "refresh_token": before.refresh})
    refresh = str(answer.get("refresh_token") or before.refresh)
    return _tokens(answer, before.subject, before.account, refresh, clock)


def revoke(place: Place, tokens: Tokens) -> None:
    """Take the refresh token back at the sign-in, so that a copy of it is worth nothing."""
    _ask(place, "revoke", {"token": tokens.refresh})


def _tokens(answer: Mapping[str, Any], subject: str, account: str, refresh: str, clock: Callable[[], float]) -> Tokens:
    return Tokens(
        subject, account, str(answer["access_token"]), refresh, clock() + float(answer.get("expires_in") or 300)
    )


def _ask(place: Place, what: str, fields: Mapping[str, str]) -> dict[str, Any]:
    body = urllib.parse.urlencode({"client_id": place.client_id, **fields}).encode()
    request = urllib.request.Request(f"{safe(place.url)}/oauth2/{what}", data=body, method="POST")  # noqa: S310
    request.add_header("Content-Type", "application/x-www-form-urlencoded")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read()
        values = json.loads(text) if text else {}
    except urllib.error.HTTPError as error:
        raise ApiFault("the sign-in is over, or was not accepted; sign in again with `proviso login`") from error
    except (OSError, ValueError) as error:
        raise ApiFault("the sign-in does not answer; try again", unreachable=True) from error
    return values if isinstance(values, dict) else {}


def _claims(token: str) -> dict[str, Any]:
    """Who it says it is. Not verified: it came from the sign-in itself over TLS, and the API verifies on its own."""
    try:
        part = token.split(".")[1]
        values = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
