"""What the gateway serves under /local/: sign-in, inbox and confirmations. All of it exists on this machine only."""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from proviso.local import inbox, oauth, sign_in_page
from proviso.local.markup import Answer, html_answer
from proviso.local.sign_in import SignIn, account_fault
from proviso.local.simulator import Simulator

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]


def _json(status: int, value: Any) -> Answer:
    return status, list(_JSON), json.dumps(value).encode()


def _fault(refusal: oauth.Refusal) -> Answer:
    return _json(400, {"error": refusal.error, "error_description": refusal.description})


def _to(address: str) -> Answer:
    return 303, [("Location", address), ("Cache-Control", "no-store")], b""


class LocalPages:
    """`origin` is the gateway's own address; `people` gives the accounts that the system knows of; `callbacks` are the
    addresses that each client may come back to, the console where a client is not named."""

    def __init__(
        self,
        origin: str,
        sign_in: SignIn,
        simulated: Simulator,
        people: Callable[[], Sequence[sign_in_page.Account]],
        callbacks: Mapping[str, Sequence[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        fresh: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._origin = origin
        self._console = f"{origin}/console"
        self._sign_in = sign_in
        self._simulated = simulated
        self._people = people
        self._callbacks = dict(callbacks or {})
        self._grants = oauth.Grants(sign_in.audiences, sign_in, clock, fresh)
        self._routes: Mapping[tuple[str, str], Callable[[str, str, bytes], Answer]] = {
            ("GET", "/local/oauth2/authorize"): self._choose,
            ("POST", "/local/oauth2/authorize"): self._chosen,
            ("POST", "/local/oauth2/token"): self._token,
            ("POST", "/local/oauth2/revoke"): self._revoke,
            ("GET", "/local/logout"): self._logout,
            ("POST", "/local/sign-in"): self._named,
            ("GET", "/local/inbox"): self._inbox,
            ("GET", "/local/inbox.json"): self._inbox_json,
            ("POST", "/local/subscriptions/confirm"): self._confirm,
            ("POST", "/local/subscriptions/unconfirm"): self._unconfirm,
        }

    def answer(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
        """Status, headers and body for one request under /local/."""
        given = {name.lower(): value for name, value in headers}
        if _host(given.get("host", urlsplit(self._origin).netloc)) not in _LOOPBACK:
            # A stranger's page whose name was made to point here would otherwise read tokens as its own.
            return _json(403, {"message": f"this exists on this machine only, at {self._origin}"})
        url = urlsplit(target)
        serve = self._routes.get((method, url.path))
        if serve is None:
            return _json(404, {"message": "Not Found"})
        return serve(url.query, given.get("content-type", ""), body)

    def _choose(self, query: str, _kind: str, _body: bytes) -> Answer:
        wanted = self._wanted(query)
        return self._refused(wanted) if isinstance(wanted, oauth.Refusal) else self._page(query)

    def _chosen(self, query: str, kind: str, body: bytes) -> Answer:
        wanted = self._wanted(query)
        if isinstance(wanted, oauth.Refusal):
            return self._refused(wanted)
        name = _form(kind, body).get("account", "").strip()
        fault = account_fault(name)
        if fault is not None:
            return self._page(query, 400, name, fault)
        return _to(self._grants.allow(wanted, name))

    def _wanted(self, query: str) -> oauth.Wanted | oauth.Refusal:
        client = dict(parse_qsl(query)).get("client_id", "")
        return oauth.wanted_of(query, self._sign_in.audiences, self._callbacks.get(client, [self._console]))

    def _refused(self, refusal: oauth.Refusal) -> Answer:
        if refusal.location is not None:
            return _to(refusal.location)
        text = sign_in_page.refused(refusal.description, self._console)
        return html_answer(400, text, styles=sign_in_page.STYLES)

    def _page(self, query: str, status: int = 200, typed: str = "", fault: str = "") -> Answer:
        accounts = sign_in_page.accounts_of(self._sign_in.known(), self._people())
        text = sign_in_page.choose(f"/local/oauth2/authorize?{query}", accounts, typed, fault)
        # A browser lets a form lead to no other origin than these, not even by the answer's redirection.
        wanted = self._wanted(query)
        back = "" if isinstance(wanted, oauth.Refusal) else urlsplit(wanted.redirect_uri)._replace(path="").geturl()
        return html_answer(status, text, styles=sign_in_page.STYLES, forms="" if back == self._origin else back)

    def _token(self, _query: str, kind: str, body: bytes) -> Answer:
        given = self._grants.token(kind, body)
        return _fault(given) if isinstance(given, oauth.Refusal) else _json(200, given)

    def _revoke(self, _query: str, kind: str, body: bytes) -> Answer:
        refusal = self._grants.revoke(kind, body)
        return (200, list(_JSON), b"") if refusal is None else _fault(refusal)

    def _logout(self, query: str, _kind: str, _body: bytes) -> Answer:
        where = oauth.after_logout(query, self._sign_in.audiences, [self._console])
        return self._refused(where) if isinstance(where, oauth.Refusal) else _to(where)

    def _named(self, _query: str, _kind: str, body: bytes) -> Answer:
        """The sign-in of the command line: a subject, a token."""
        try:
            wanted = json.loads(body)
            token = self._sign_in.sign(str(wanted["subject"]), lifetime_s=float(wanted.get("lifetime_s", 3600)))
        except (ValueError, KeyError, TypeError):
            return _json(400, {"message": 'send {"subject": "..."}'})
        return _json(200, {"token": token})

    def _waiting(self) -> set[str]:
        return {one.arn for one in self._simulated.subscriptions.all() if one.waits}

    def _inbox(self, query: str, _kind: str, _body: bytes) -> Answer:
        text = inbox.page(self._simulated.messages(), self._waiting(), dict(parse_qsl(query)))
        return html_answer(200, text, styles=inbox.STYLES, script=inbox.SCRIPT)

    def _inbox_json(self, _query: str, _kind: str, _body: bytes) -> Answer:
        messages, waiting = self._simulated.messages(), self._waiting()
        state = inbox.state_of(messages, waiting)
        return 200, [*_JSON, ("ETag", f'"{state}"')], inbox.as_json(messages, waiting)

    def _confirm(self, _query: str, kind: str, body: bytes) -> Answer:
        return self._answered(kind, body, self._simulated.subscriptions.confirm, "waits for a confirmation")

    def _unconfirm(self, _query: str, kind: str, body: bytes) -> Answer:
        return self._answered(kind, body, self._simulated.subscriptions.unconfirm, "is confirmed")

    def _answered(self, kind: str, body: bytes, act: Callable[[str, str], int], state: str) -> Answer:
        """From the inbox's button a form, and back to the inbox; from programs JSON, and how many changed."""
        form = _form(kind, body)
        pressed = "address" in form
        try:
            wanted = form if pressed else json.loads(body)  # curl -d says form, whatever it sends
            address, topic = str(wanted["address"]), str(wanted.get("topic", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return _json(400, {"message": 'send {"address": "..."}'})
        changed = act(address, topic)
        if pressed:
            return _to(inbox.link(box=form.get("box", ""), mail=form.get("mail", "")) + "#reading")
        if not changed:
            return _json(404, {"message": f"no e-mail subscription of {address} {state}"})
        return _json(200, {"address": address, "changed": changed})


def _host(named: str) -> str | None:
    try:
        return urlsplit(f"//{named}").hostname
    except ValueError:
        return None


def _form(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form; none where it is not one."""
    if kind.split(";")[0].strip().lower() != oauth.FORM:
        return {}
    return dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))
