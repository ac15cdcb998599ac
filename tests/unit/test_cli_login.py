"""`proviso login` at an API elsewhere: the browser is played, the sign-in is the local one, over real sockets."""

import json
import socket
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from typer.testing import CliRunner

from proviso.cli import browser, session
from proviso.cli.api import Api, ApiFault
from proviso.cli.main import app
from tests.sign_in import Cloud, file_of, get, login, person, running_cloud, signed


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from running_cloud(tmp_path, monkeypatch)


def test_a_person_signs_in_by_browser_and_acts(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = login(cloud, monkeypatch, "sub-1", "--as", "first")
    assert "your account's sub, as roles are given to it: sub-1" in said
    kept = file_of(tmp_path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    values = json.loads(kept.read_text())
    assert values["tokens"]["first"]["tokens"]["access"] not in said
    assert values["tokens"]["first"]["tokens"]["refresh"] not in said
    assert session.api().get("/people")["sub"] == "sub-1"
    assert session.running_api(tmp_path / "data") == cloud.url, "a camera's or report's command finds it too"


def test_two_people_are_signed_in_and_each_command_says_who_acts(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    login(cloud, monkeypatch, "sub-1", "--as", "first")
    login(cloud, monkeypatch, "sub-2")
    assert session.api().get("/people")["sub"] == "sub-2", "without a name of one's own, the account's"
    assert session.api("first").get("/people")["sub"] == "sub-1"


def test_a_token_is_renewed_before_it_ends_and_when_it_is_refused(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login(cloud, monkeypatch, "sub-1")
    data = tmp_path / "data"
    first = session.current(data)
    assert session.current(data).token == first.token
    assert first.renewable is not None
    later = first.renewable.tokens.expires_at - 30
    renewed = session.current(data, clock=lambda: later)
    assert renewed.token != first.token
    cloud.refuse = [session.current(data).token]
    assert session.api().get("/people")["sub"] == "sub-1", "one refusal is answered by a new token"


def test_a_shift_ends(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login(cloud, monkeypatch, "sub-1")
    cloud.now += 12 * 3600 + 1
    with pytest.raises(ApiFault, match="sign in again"):
        session.current(tmp_path / "data", clock=lambda: 1e12)


def test_a_401_without_a_renewal_is_told_once(cloud: Cloud) -> None:
    asked: list[int] = []

    def renew() -> str:
        asked.append(1)
        return "no token either"

    with pytest.raises(ApiFault, match="sign in first"):
        Api(cloud.url, "x", renew=renew).get("/people")
    assert asked == [1]


def test_signing_out_takes_the_sign_in_back(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login(cloud, monkeypatch, "sub-1", "--as", "first")
    kept = session.current(tmp_path / "data").renewable
    assert kept is not None
    assert "first" in CliRunner().invoke(app, ["logout"]).output
    assert not file_of(tmp_path).exists()
    with pytest.raises(ApiFault, match="sign in again"):
        browser.renewed(kept.place, kept.tokens)
    assert "nobody was signed in" in CliRunner().invoke(app, ["logout"]).output


def test_a_code_of_somebody_else_s_sign_in_is_not_taken(cloud: Cloud) -> None:
    begun = browser.begin(browser.place_of(cloud.url))
    foreign = ("?code=stolen", "?code=stolen&state=guessed", "favicon.ico")
    code = browser.received(begun, person("sub-1", *foreign), wait_s=20)
    assert browser.exchange(begun, code).subject == "sub-1"


def test_a_page_elsewhere_cannot_reach_the_port_by_another_name(cloud: Cloud) -> None:
    begun = browser.begin(browser.place_of(cloud.url))
    seen: list[int] = []

    def open_browser(address: str) -> None:
        def go() -> None:
            request = urllib.request.Request(f"http://127.0.0.1:{browser.PORT}/?code=x&state={begun.state}")
            request.add_header("Host", f"elsewhere.example:{browser.PORT}")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=5)
            seen.append(refused.value.code)
            get(signed(address, "sub-1"))

        threading.Thread(target=go, daemon=True).start()

    assert browser.exchange(begun, browser.received(begun, open_browser, wait_s=20)).subject == "sub-1"
    assert seen == [404]


def test_a_sign_in_that_was_refused_or_never_came_is_told(cloud: Cloud) -> None:
    begun = browser.begin(browser.place_of(cloud.url))

    def cancel(address: str) -> None:
        query = urlencode({"error": "access_denied", "state": begun.state})
        threading.Thread(target=get, args=(f"{browser.CALLBACK}?{query}",), daemon=True).start()

    with pytest.raises(ApiFault, match="access_denied"):
        browser.received(begun, cancel, wait_s=20)
    with pytest.raises(ApiFault, match="in time"):
        browser.received(begun, lambda _: None, wait_s=0.1)


def test_a_code_without_its_verifier_is_worth_nothing(cloud: Cloud) -> None:
    begun = browser.begin(browser.place_of(cloud.url))
    code = browser.pasted(begun, signed(begun.address, "sub-1"))
    with pytest.raises(ApiFault, match="not accepted"):
        browser.exchange(browser.Begun(begun.place, begun.state, "another-verifier-of-at-least-43-characters-aa"), code)


def test_the_address_may_be_pasted_from_a_browser_elsewhere(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[browser.Begun] = []
    real = browser.begin

    def begin(place: browser.Place) -> browser.Begun:
        begun.append(real(place))
        return begun[-1]

    monkeypatch.setattr(browser, "begin", begin)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: signed(begun[-1].address, "sub-9"))
    result = CliRunner().invoke(app, ["login", "--api", cloud.url, "--paste"])
    assert result.exit_code == 0, result.output
    assert session.api().get("/people")["sub"] == "sub-9"
    with pytest.raises(ApiFault, match="not where this sign-in ended"):
        browser.pasted(begun[-1], "https://elsewhere.example/?code=x&state=y")


def test_tokens_travel_over_https_or_on_this_machine_alone(cloud: Cloud) -> None:
    cloud.settings["sign_in_url"] = "http://sign.example"
    with pytest.raises(ApiFault, match="https"):
        browser.place_of(cloud.url)
    cloud.settings = {"sign_in_url": "https://sign.example"}
    with pytest.raises(ApiFault, match="does not say"):
        browser.place_of(cloud.url)
    result = CliRunner().invoke(app, ["login", "--api", "http://api.example"])
    assert result.exit_code == 1
    assert "https" in result.output


def test_a_token_does_not_follow_an_answer_to_another_server(cloud: Cloud) -> None:
    """urllib takes all headers along, the token too."""
    seen: list[str] = []

    def elsewhere(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Any:
        seen.append(dict(headers).get("Authorization", ""))
        return 200, [], b"{}"

    other = Cloud()
    other.answer = elsewhere  # type: ignore[method-assign]
    cloud.answer = lambda *_: (302, [("Location", f"{other.url}/people")], b"")  # type: ignore[method-assign]
    with pytest.raises(ApiFault, match="302"):
        Api(cloud.url, "a-token").get("/people")
    assert seen == []
    other.server.shutdown()
    other.server.server_close()


def test_a_token_goes_over_https_also_where_the_environment_names_the_api() -> None:
    with pytest.raises(ApiFault, match="not an address of https"):
        Api("http://api.example", "a-token").get("/people")


def test_an_api_that_names_somebody_else_s_sign_in_is_refused(tmp_path: Path) -> None:
    """The page would be the real one, and the token would go to the wrong server."""
    place = browser.Place("https://people.example", "client-1")
    session.belongs(tmp_path, place, "https://evil.example")  # nobody signed in: nothing is noted
    session.belongs(tmp_path, place, "https://api.example", note=True)
    session.belongs(tmp_path, place, "https://api.example")
    by_another_name = browser.Place("https://PEOPLE.example:443", "client-1")
    with pytest.raises(ApiFault, match="names the sign-in of https://api"):
        session.belongs(tmp_path, by_another_name, "https://evil.example")
    session.belongs(tmp_path, place, "https://new.example", sure=True, note=True)
    with pytest.raises(ApiFault, match="--stack"):
        session.belongs(tmp_path, place, "https://api.example")
    (tmp_path / "sign-in-places.json").write_text("x")
    with pytest.raises(ApiFault, match="cannot be read"):
        session.belongs(tmp_path, place, "https://api.example")


def test_who_signs_in_is_told_where_the_token_goes(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"is sent to {cloud.url}" in " ".join(login(cloud, monkeypatch, "sub-1").split())


def test_a_taken_port_is_told(cloud: Cloud) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", browser.PORT))
        taken.listen()
        with pytest.raises(ApiFault, match="--paste"):
            browser.received(browser.begin(browser.place_of(cloud.url)), lambda _: None)


def test_whoever_is_signed_in_elsewhere_does_not_act_at_another_api_by_mistake(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login(cloud, monkeypatch, "sub-1")
    monkeypatch.setenv("PROVISO_API", "https://other.example")
    with pytest.raises(ApiFault, match="which is meant"):
        session.current(tmp_path / "data")


def test_what_is_kept_shows_no_token(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login(cloud, monkeypatch, "sub-1")
    kept = session.current(tmp_path / "data")
    assert kept.token not in repr(kept)
    begun = browser.begin(browser.place_of(cloud.url))
    assert begun.verifier not in repr(begun)
    assert dict(parse_qsl(urlsplit(begun.address).query))["code_challenge_method"] == "S256"
    assert begun.verifier not in begun.address
