"""What /local/ answers: the way through the sign-in as a browser goes it, and who is let in at all."""

import json
import re
from html import unescape
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from proviso.local.oauth import FORM, challenge_of
from proviso.local.pages import LocalPages
from proviso.local.sign_in import SignIn, account_fault
from proviso.local.sign_in_page import Account, accounts_of

ORIGIN = "http://127.0.0.1:1234"
CONSOLE = f"{ORIGIN}/console"
VERIFIER = "v" * 64
ASKED = {
    "response_type": "code",
    "client_id": "client",
    "redirect_uri": CONSOLE,
    "scope": "openid",
    "state": "s-1",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}
PEOPLE = [Account("officer", ("watchlist_officer",)), Account("<b>bold</b>", ("reviewer",))]


class Simulated:
    """The simulator's part of it: nothing was sent, and one address waits."""

    def __init__(self):
        self.asked = []
        self.subscriptions = SimpleNamespace(all=list, confirm=self._confirm, unconfirm=self._confirm)

    def _confirm(self, address, topic):
        self.asked.append((address, topic))
        return int(address == "desk@example.org")

    def messages(self):
        return []


@pytest.fixture(scope="module")
def sign_in():
    return SignIn(f"{ORIGIN}/local", ["client"])


@pytest.fixture
def simulated():
    return Simulated()


@pytest.fixture
def pages(sign_in, simulated):
    return LocalPages(ORIGIN, sign_in, simulated, lambda: PEOPLE)


def get(pages, target, **headers):
    return pages.answer("GET", target, list(headers.items()), b"")


def post(pages, target, fields, kind=FORM):
    body = urlencode(fields).encode() if isinstance(fields, dict) else fields
    return pages.answer("POST", target, [("Content-Type", kind)], body)


def authorize(**changed):
    return f"/local/oauth2/authorize?{urlencode(ASKED | changed)}"


def actions(page):
    return {unescape(found) for found in re.findall(r'action="([^"]*)"', page)}


def test_a_browser_signs_in_and_its_token_is_let_in(pages, sign_in):
    status, headers, body = get(pages, authorize())
    page = body.decode()
    assert (status, dict(headers)["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "This sign-in exists on this machine only." in page
    assert "no password" in page
    assert ">officer<" in page
    assert "watchlist officer" in page
    assert "<b>bold</b>" not in page
    assert unescape(re.search(r'value="(&lt;b[^"]*)"', page)[1]) == "<b>bold</b>"

    (action,) = actions(page)
    status, headers, _ = post(pages, action, {"account": " someone new "})
    back = urlsplit(dict(headers)["Location"])
    query = dict(parse_qsl(back.query))
    assert (status, back._replace(query="").geturl(), query["state"]) == (303, CONSOLE, "s-1")

    fields = {"grant_type": "authorization_code", "client_id": "client", "code": query["code"]}
    status, headers, body = post(
        pages, "/local/oauth2/token", fields | {"redirect_uri": CONSOLE, "code_verifier": VERIFIER}
    )
    given = json.loads(body)
    assert (status, dict(headers)["Cache-Control"]) == (200, "no-store")
    claims = sign_in.claims(given["access_token"], ["client"])
    assert claims is not None
    assert (claims["sub"], claims["token_use"], claims["client_id"]) == ("someone new", "access", "client")
    assert "aud" not in claims
    assert sign_in.claims(given["access_token"], ["other"]) is None
    identity = sign_in.claims(given["id_token"], ["client"])
    assert identity is not None
    assert (identity["sub"], identity["token_use"], identity["aud"]) == ("someone new", "id", "client")
    assert ">someone new<" in get(pages, authorize())[2].decode()


def test_a_refusal_of_the_token_endpoint_is_json_with_a_code(pages):
    status, headers, body = post(pages, "/local/oauth2/token", {"grant_type": "password", "client_id": "client"})
    assert (status, json.loads(body)["error"]) == (400, "unsupported_grant_type")
    assert dict(headers)["Content-Type"] == "application/json"


@pytest.mark.parametrize("name", ["", "   ", "x" * 129, "a\x00b", "a\nb"])
def test_a_name_that_is_none_is_asked_for_again_on_the_same_page(pages, name):
    status, _, body = post(pages, authorize(), {"account": name})
    page = body.decode()
    assert status == 400
    assert 'aria-invalid="true"' in page
    assert account_fault(name.strip()) in unescape(page)
    assert actions(page) == {authorize()}


def test_a_wrong_request_is_redirected_only_where_that_is_safe(pages):
    for method in (get, lambda pages, target: post(pages, target, {"account": "a"})):
        status, headers, body = method(pages, authorize(redirect_uri="https://elsewhere.example/<x>"))
        assert (status, "Location" in dict(headers)) == (400, False)
        assert f'href="{CONSOLE}"' in body.decode()
        status, headers, _ = method(pages, authorize(response_type="token"))
        assert status == 303
        assert dict(headers)["Location"].startswith(f"{CONSOLE}?error=unsupported_response_type&")


def test_signing_out_goes_back_to_the_console(pages):
    status, headers, _ = get(pages, f"/local/logout?client_id=client&logout_uri={CONSOLE}")
    assert (status, dict(headers)["Location"]) == (303, CONSOLE)
    assert get(pages, "/local/logout?client_id=client&logout_uri=https://elsewhere.example")[0] == 400


def test_signing_out_takes_the_refresh_token_back(pages):
    assert post(pages, "/local/oauth2/revoke", {"client_id": "client", "token": "x"})[0] == 200
    status, _, body = post(pages, "/local/oauth2/revoke", {"client_id": "other", "token": "x"})
    assert (status, json.loads(body)["error"]) == (400, "invalid_client")


def test_the_command_line_signs_in_as_before(pages, sign_in):
    status, _, body = post(pages, "/local/sign-in", b'{"subject": "a"}', "application/json")
    claims = sign_in.claims(json.loads(body)["token"], ["client"])
    assert claims is not None
    assert (status, claims["sub"], claims["aud"]) == (200, "a", "client")
    assert post(pages, "/local/sign-in", b"{}", "application/json")[0] == 400


@pytest.mark.parametrize("path", ["/local/oauth2/authorize", "/local/inbox.json", "/local/sign-in"])
def test_a_stranger_s_name_for_this_machine_is_refused(pages, path):
    """A page whose own name was made to point to 127.0.0.1 would be of the same origin, and could read tokens."""
    for host in ("rebound.example:1234", "rebound.example", "127.0.0.1.rebound.example", "[", ""):
        assert get(pages, path, Host=host)[0] == 403
    assert get(pages, "/local/inbox.json", Host="localhost:9")[0] == 200


def test_an_address_is_confirmed_by_a_program_or_by_the_inbox_s_button(pages, simulated):
    answer = post(pages, "/local/subscriptions/confirm", b'{"address": "desk@example.org"}', "application/json")
    assert (answer[0], json.loads(answer[2])) == (200, {"address": "desk@example.org", "changed": 1})
    assert post(pages, "/local/subscriptions/confirm", b'{"address": "x"}', FORM)[0] == 404
    for wrong in (b"{}", b"[]", b"x", b""):
        assert post(pages, "/local/subscriptions/unconfirm", wrong, "application/json")[0] == 400
    form = {"address": "desk@example.org", "topic": "arn", "mail": "m3", "box": "a b"}
    status, headers, _ = post(pages, "/local/subscriptions/confirm", form)
    assert (status, dict(headers)["Location"]) == (303, "/local/inbox?box=a+b&mail=m3#reading")
    assert simulated.asked == [("desk@example.org", ""), ("x", ""), ("desk@example.org", "arn")]


def test_nothing_else_is_there(pages):
    for method, path in (("GET", "/local/"), ("POST", "/local/inbox"), ("GET", "/local/oauth2/token")):
        assert pages.answer(method, path, [], b"")[0] == 404


def test_who_signed_in_last_comes_first_and_nobody_twice():
    people = [Account("b", ("reviewer",)), Account("a"), Account("c")]
    assert accounts_of(["c", "new"], people) == [Account("c"), Account("new"), Account("a"), people[0]]
