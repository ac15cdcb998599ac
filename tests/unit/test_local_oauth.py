"""The local sign-in speaks OAuth as RFC 6749 and RFC 7636 say: what it gives, and what it refuses in which words."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from proviso.local.oauth import (
    CODE_S,
    FORM,
    REFRESH_S,
    Grants,
    Refusal,
    Wanted,
    after_logout,
    challenge_of,
    wanted_of,
)

CONSOLE = "http://127.0.0.1:1234/console"
CLIENT = "client"
# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": CONSOLE,
    "scope": "openid",
    "state": "a b&c",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Signs:
    """Tokens that say what they were asked for."""

    def access_token(self, subject, client_id, *, lifetime_s, scope):
        return f"access {subject} {client_id} {lifetime_s:.0f} {scope}"

    def id_token(self, subject, client_id, *, lifetime_s, nonce):
        return f"id {subject} {client_id} {lifetime_s:.0f} {nonce}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def grants(clock):
    numbers = iter(range(100))
    return Grants([CLIENT], Signs(), clock, lambda: f"fresh-{next(numbers)}")


def asked(**changed):
    fields = ASKED | changed
    return wanted_of(
        urlencode({name: value for name, value in fields.items() if value is not None}), [CLIENT], [CONSOLE]
    )


def code_from(grants, subject="reviewer-1", **changed):
    wanted = asked(**changed)
    assert isinstance(wanted, Wanted), wanted
    return dict(parse_qsl(urlsplit(grants.allow(wanted, subject)).query))["code"]


def exchange(grants, code, /, kind=FORM, **changed):
    fields = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": code,
        "redirect_uri": CONSOLE,
        "code_verifier": VERIFIER,
    } | changed
    body = urlencode({name: value for name, value in fields.items() if value is not None}).encode()
    return grants.token(kind, body)


def refresh(grants, token, **changed):
    fields = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": token} | changed
    return grants.token(FORM, urlencode(fields).encode())


def refused_as(answer):
    assert isinstance(answer, Refusal), answer
    return answer.error


def test_the_challenge_is_that_of_the_rfc():
    assert challenge_of(VERIFIER) == CHALLENGE


def test_a_code_comes_back_with_the_state_and_becomes_tokens(grants):
    wanted = asked(nonce="n-1")
    assert isinstance(wanted, Wanted)
    back = urlsplit(grants.allow(wanted, "reviewer-1"))
    assert back._replace(query="").geturl() == CONSOLE
    query = dict(parse_qsl(back.query))
    assert query["state"] == "a b&c"
    assert exchange(grants, query["code"], kind=f"{FORM};charset=UTF-8") == {
        "access_token": "access reviewer-1 client 3600 openid",
        "id_token": "id reviewer-1 client 3600 n-1",
        "refresh_token": "fresh-1",
        "expires_in": 3600,
        "token_type": "Bearer",
    }


def test_without_a_state_none_comes_back(grants):
    wanted = asked(state=None)
    assert isinstance(wanted, Wanted)
    assert "state" not in grants.allow(wanted, "a")


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/console",
        "http://127.0.0.1:1234/console/",
        "http://127.0.0.1:1234/console?x=1",
        "http://127.0.0.1:1234/other",
        "http://127.0.0.1:1235/console",
        "http://localhost:1234/console",
        "http://127.0.0.1:1234@elsewhere.example/console",
        "//elsewhere.example/console",
        "javascript:alert(1)",
        "",
        None,
    ],
)
def test_a_foreign_address_is_told_to_the_person_and_never_redirected_to(address):
    answer = asked(redirect_uri=address)
    assert refused_as(answer) == "invalid_request"
    assert answer.location is None
    assert CONSOLE in answer.description


def test_an_unknown_client_is_told_to_the_person():
    assert asked(client_id="other") == Refusal("invalid_client", "No client goes by this client_id here.")
    assert refused_as(asked(client_id=None)) == "invalid_client"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
    ],
)
def test_any_other_fault_goes_back_with_the_state(changed, error):
    answer = asked(**changed)
    assert refused_as(answer) == error
    query = dict(parse_qsl(urlsplit(answer.location).query))
    assert answer.location.startswith(f"{CONSOLE}?")
    assert (query["error"], query["state"]) == (error, "a b&c")
    assert query["error_description"] == answer.description


def test_no_parameter_may_come_twice():
    query = urlencode(ASKED)
    twice = wanted_of(f"{query}&scope=openid", [CLIENT], [CONSOLE])
    assert refused_as(twice) == "invalid_request"
    assert twice.location is not None
    for name in ("redirect_uri", "client_id"):
        twice = wanted_of(f"{query}&{name}=x", [CLIENT], [CONSOLE])
        assert (refused_as(twice), twice.location) == ("invalid_request", None)


@pytest.mark.parametrize("verifier", ["x" * 43, VERIFIER + "a", "short", CHALLENGE, "ä" * 43])
def test_another_verifier_does_not_fit_and_uses_the_code_up(grants, verifier):
    code = code_from(grants)
    assert refused_as(exchange(grants, code, code_verifier=verifier)) == "invalid_grant"
    assert refused_as(exchange(grants, code)) == "invalid_grant"


def test_a_code_works_once_and_shown_again_takes_back_what_it_gave(grants):
    code = code_from(grants)
    given = exchange(grants, code)
    assert refresh(grants, given["refresh_token"])["access_token"].startswith("access reviewer-1")
    assert refused_as(exchange(grants, code)) == "invalid_grant"
    assert refused_as(refresh(grants, given["refresh_token"])) == "invalid_grant"


def test_a_code_is_good_for_a_minute(grants, clock):
    code, late = code_from(grants), code_from(grants)
    clock.now += CODE_S - 0.1
    assert "access_token" in exchange(grants, code)
    clock.now += 0.1
    assert refused_as(exchange(grants, late)) == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code": "other"}, "invalid_grant"),
        ({"redirect_uri": CONSOLE + "/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"kind": "application/json"}, "invalid_request"),
    ],
)
def test_a_token_request_that_does_not_fit_gives_nothing(grants, changed, error):
    assert refused_as(exchange(grants, code_from(grants), **changed)) == error


def test_a_code_is_no_good_for_another_client(clock):
    grants = Grants(["client", "second"], Signs(), clock, iter("abcdef").__next__)
    assert refused_as(exchange(grants, code_from(grants), client_id="second")) == "invalid_grant"


def test_a_body_that_is_no_form_is_refused(grants):
    code = code_from(grants)
    body = urlencode({"grant_type": "authorization_code", "code": code}).encode()
    assert refused_as(grants.token(FORM, body + b"&code=again")) == "invalid_request"
    assert refused_as(grants.token(FORM, b"\xff\xfe")) == "invalid_request"
    assert refused_as(grants.token("", body)) == "invalid_request"


def test_a_refresh_token_gives_new_tokens_for_a_working_day_to_its_client_only(clock):
    numbers = iter(range(100))
    grants = Grants([CLIENT, "second"], Signs(), clock, lambda: f"fresh-{next(numbers)}")
    token = exchange(grants, code_from(grants))["refresh_token"]
    again = refresh(grants, token)
    assert set(again) == {"access_token", "id_token", "expires_in", "token_type"}
    assert refused_as(refresh(grants, token, client_id="second")) == "invalid_grant"
    assert refused_as(refresh(grants, token, scope="openid admin")) == "invalid_scope"
    assert refused_as(refresh(grants, "made up")) == "invalid_grant"
    assert refused_as(refresh(grants, "")) == "invalid_request"
    clock.now += REFRESH_S - 1
    assert "access_token" in refresh(grants, token)
    clock.now += 1
    assert refused_as(refresh(grants, token)) == "invalid_grant"


def test_a_refresh_token_can_be_taken_back_by_its_client(grants):
    token = exchange(grants, code_from(grants))["refresh_token"]
    assert (
        refused_as(grants.revoke(FORM, urlencode({"token": token, "client_id": "other"}).encode())) == "invalid_client"
    )
    assert refused_as(grants.revoke(FORM, urlencode({"client_id": CLIENT}).encode())) == "invalid_request"
    assert "access_token" in refresh(grants, token)
    for _ in range(2):  # what is worth nothing already is no fault
        assert grants.revoke(FORM, urlencode({"token": token, "client_id": CLIENT}).encode()) is None
    assert refused_as(refresh(grants, token)) == "invalid_grant"


def test_signing_out_leads_to_the_console_and_nowhere_else():
    query = urlencode({"client_id": CLIENT, "logout_uri": CONSOLE})
    assert after_logout(query, [CLIENT], [CONSOLE]) == CONSOLE
    for changed in ({"logout_uri": "https://elsewhere.example/"}, {"client_id": "other"}, {"logout_uri": ""}):
        fields = {"client_id": CLIENT, "logout_uri": CONSOLE} | changed
        assert isinstance(after_logout(urlencode(fields), [CLIENT], [CONSOLE]), Refusal)
    assert isinstance(after_logout(f"{query}&logout_uri={CONSOLE}", [CLIENT], [CONSOLE]), Refusal)
