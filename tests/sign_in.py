"""A sign-in by browser that is played: the local sign-in over real sockets, and a person who uses it."""

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import pytest
from typer.testing import CliRunner

from proviso.cli import browser
from proviso.cli.main import app
from proviso.local.pages import LocalPages
from proviso.local.sign_in import SignIn

CLIENT = "command-line"


class Cloud:
    """The sign-in and an API behind it that lets in whoever has a token of it."""

    def __init__(self) -> None:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            owner: ClassVar[Cloud] = cloud

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, headers, body = cloud.answer(
                    self.command, self.path, list(self.headers.items()), self.rfile.read(length)
                )
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.now = 1000.0
        self.sign_in = SignIn(f"{self.url}/local", ["pages", CLIENT])
        callbacks = {CLIENT: [browser.CALLBACK]}
        self.pages = LocalPages(self.url, self.sign_in, Any, list, callbacks, clock=lambda: self.now)  # type: ignore[arg-type]
        self.settings: dict[str, str] = {"sign_in_url": f"{self.url}/local", "command_line_client_id": CLIENT}
        self.refuse: list[str] = []
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Any:
        if path == "/console/settings.json":
            return 200, [], json.dumps(self.settings).encode()
        if path.startswith("/local/"):
            return self.pages.answer(method, path, headers, body)
        token = dict(headers).get("Authorization", "").removeprefix("Bearer ")
        claims = self.sign_in.claims(token, [CLIENT])
        if claims is None or token in self.refuse:
            return 401, [], b"{}"
        return 200, [], json.dumps({"people": [], "sub": claims["sub"]}).encode()


def running_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The sign-in, and nothing kept on this machine. For a fixture."""
    monkeypatch.setenv("PROVISO_DATA", str(tmp_path / "data"))
    for name in ("PROVISO_API", "PROVISO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # Tests run beside each other, and the one port is the user pool's.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(browser, "PORT", port)
    monkeypatch.setattr(browser, "CALLBACK", f"http://localhost:{port}/")
    running = Cloud()
    yield running
    running.server.shutdown()
    running.server.server_close()


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address.replace("//localhost", "//127.0.0.1"), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def signed(address: str, account: str) -> str:
    """What a person does: open the page, choose an account; the address to which the browser is sent."""
    page = get(address)[1]
    action = unescape(re.findall(r'action="([^"]*)"', page)[0])
    url = urlsplit(address)._replace(path="", query="").geturl() + action
    request = urllib.request.Request(url, urlencode({"account": account}).encode(), method="POST")
    request.add_header("Content-Type", "application/x-www-form-urlencoded")
    with pytest.raises(urllib.error.HTTPError) as sent:
        urllib.request.build_opener(NoRedirect).open(request, timeout=5)
    assert sent.value.code == 303
    return str(sent.value.headers["Location"])


def person(account: str, *before: str) -> Any:
    """A browser in which that person signs in; `before` are queries that come to the port first."""

    def open_browser(address: str) -> None:
        def go() -> None:
            for query in before:
                get(f"{browser.CALLBACK}{query}")
            get(signed(address, account))

        threading.Thread(target=go, daemon=True).start()

    return open_browser


def login(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, account: str, *more: str) -> str:
    monkeypatch.setattr("webbrowser.open", person(account))
    result = CliRunner().invoke(app, ["login", "--api", cloud.url, *more])
    assert result.exit_code == 0, result.output
    return result.output


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sign-in.json"
