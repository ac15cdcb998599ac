"""`proviso login`: the port of this machine, whose sign-in it is, and what is kept of those before."""

import errno
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from proviso.cli import browser, session
from proviso.cli.account.stack import Stack
from proviso.cli.api import ApiFault
from proviso.cli.main import app
from proviso.domain.errors import ConfigurationFault
from tests.sign_in import CLIENT, Cloud, login, person, running_cloud, signed


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from running_cloud(tmp_path, monkeypatch)


def test_whoever_is_slow_at_the_port_keeps_nobody_waiting_and_says_nothing_in_the_terminal(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    begun = browser.begin(browser.place_of(cloud.url))
    slow: list[socket.socket] = []

    def open_browser(address: str) -> None:
        for number in range(4):
            one = socket.create_connection(("127.0.0.1", browser.PORT), timeout=5)
            one.sendall(b"GET /" if number % 2 else b"")
            slow.append(one)
        gone = socket.create_connection(("127.0.0.1", browser.PORT), timeout=5)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # ends with a reset
        gone.sendall(b"GET / HTTP/1.1\r\n")
        gone.close()
        person("sub-1")(address)

    started = time.monotonic()
    code = browser.received(begun, open_browser, wait_s=20)
    took = time.monotonic() - started
    for one in slow:
        one.close()
    assert browser.exchange(begun, code).subject == "sub-1"
    assert took < 4, "one slow client alone is waited for five seconds"
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "Exception" not in said.out + said.err


def ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as found:
            found.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6, so nobody can hold the port at ::1")
def test_the_port_is_held_at_both_addresses_that_localhost_means(cloud: Cloud) -> None:
    begun = browser.begin(browser.place_of(cloud.url))
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", browser.PORT))
        taken.listen()
        with pytest.raises(ApiFault, match=r"taken \(::1\).*--paste"):
            browser.received(begun, person("sub-1"), wait_s=5)

    def by_ipv6(address: str) -> None:
        def go() -> None:
            query = urlsplit(signed(address, "sub-6")).query
            with socket.create_connection(("::1", browser.PORT), timeout=5) as one:
                one.sendall(f"GET /?{query} HTTP/1.1\r\nHost: localhost:{browser.PORT}\r\n\r\n".encode())
                one.recv(100)

        threading.Thread(target=go, daemon=True).start()

    assert browser.exchange(begun, browser.received(begun, by_ipv6, wait_s=20)).subject == "sub-6"


def test_a_machine_without_ipv6_listens_at_the_other_address(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise OSError(errno.EAFNOSUPPORT, "no IPv6")

    monkeypatch.setattr(browser._Listener6, "server_bind", none)
    begun = browser.begin(browser.place_of(cloud.url))
    assert browser.exchange(begun, browser.received(begun, person("sub-1"), wait_s=20)).subject == "sub-1"


def test_an_api_that_names_another_client_than_the_one_that_was_published_is_refused(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    refused = CliRunner().invoke(app, ["login", "--api", cloud.url, "--client-id", "the-published-one"])
    assert refused.exit_code == 1
    assert "not 'the-published-one'" in " ".join(refused.output.split())
    assert opened == []
    login(cloud, monkeypatch, "sub-1", "--client-id", CLIENT)
    assert CliRunner().invoke(app, ["login", "--as", "sub-1", "--client-id", CLIENT]).exit_code == 1
    both = CliRunner().invoke(app, ["login", "--stack", "s", "--api", cloud.url])
    assert both.exit_code == 1
    assert "name one" in both.output


def test_a_stack_s_own_client_is_held_against_what_its_api_names(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"ApiUrl": cloud.url, "CommandLineClientId": "another"}
    found = Stack("proviso", "arn", "CREATE_COMPLETE", outputs, {}, ())
    monkeypatch.setattr("proviso.cli.account.stack.needed_stack", lambda *_: found)
    monkeypatch.setattr("webbrowser.open", person("sub-1"))
    arguments = ["login", "--stack", "proviso", "--region", "eu-west-2"]
    assert "'another'" in CliRunner().invoke(app, arguments).output
    outputs["CommandLineClientId"] = CLIENT
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_where_the_token_goes_is_said_before_the_browser_opens(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("proviso.cli.people.say", said.append)

    def opened(address: str) -> None:
        assert any(f"sent to {cloud.url}" in one and f"at {cloud.url}/local" in one for one in said)
        person("sub-1")(address)

    monkeypatch.setattr("webbrowser.open", opened)
    assert CliRunner().invoke(app, ["login", "--api", cloud.url]).exit_code == 0


def test_a_sign_in_at_another_api_takes_those_before_it_back(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login(cloud, monkeypatch, "sub-1")
    kept = session.current(tmp_path / "data").renewable
    assert kept is not None
    other = Cloud()
    try:
        said = login(other, monkeypatch, "sub-2")
        assert f"signed out of before: sub-1 at {cloud.url}" in " ".join(said.split())
        with pytest.raises(ApiFault, match="sign in again"):
            browser.renewed(kept.place, kept.tokens)
        other.server.shutdown()
        other.server.server_close()
        said = login(cloud, monkeypatch, "sub-1")
        assert "could not be told" in said, "and who signs in is signed in all the same"
        assert session.api().get("/people")["sub"] == "sub-1"
    finally:
        other.server.server_close()


def test_who_signs_in_again_has_one_sign_in(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login(cloud, monkeypatch, "sub-1", "--as", "first")
    login(cloud, monkeypatch, "sub-2", "--as", "second")
    first = session.current(tmp_path / "data", "first").renewable
    second = session.current(tmp_path / "data", "second").renewable
    assert first is not None
    assert second is not None
    assert "signed out" not in login(cloud, monkeypatch, "sub-1", "--as", "first")
    with pytest.raises(ApiFault, match="sign in again"):
        browser.renewed(first.place, first.tokens)
    assert browser.renewed(second.place, second.tokens).access


def test_outside_of_a_checkout_tokens_lie_in_the_user_s_own_folder(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The working folder may be a repository, or shared."""

    def nowhere() -> Path:
        raise ConfigurationFault("no checkout")

    monkeypatch.setattr(session, "checkout", nowhere)
    monkeypatch.delenv("PROVISO_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    login(cloud, monkeypatch, "sub-1")
    kept = tmp_path / "mine" / "proviso" / "sign-in.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert not (tmp_path / ".proviso").exists()
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the rule says to take no notice of
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert session.here() == tmp_path / "home" / ".local" / "share" / "proviso"
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "named"))
    assert session.here() == tmp_path / "named"
