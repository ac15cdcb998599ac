"""The pages' routes: a closed list of files, strict headers, and no database behind them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.review import app, pages
from proviso import wiring
from proviso.wiring import pages as page_wiring

PAGE = Path(pages.FOLDER)
CONTEXT = SimpleNamespace(aws_request_id="r", function_name="review", memory_limit_in_mb=512, invoked_function_arn="a")
EVENT = json.loads((Path(__file__).parents[2] / "events" / "govern-not-signed-in.json").read_text())


@pytest.fixture(autouse=True)
def wired(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def nothing() -> Any:
        raise AssertionError("a page asks for no database")

    monkeypatch.setattr(wiring, "review", nothing)
    place = page_wiring.SignInPlace("https://sign.example/a", "client", "command-line")
    monkeypatch.setattr(page_wiring, "sign_in_place", lambda: place)
    pages._headers.cache_clear()
    yield
    pages._headers.cache_clear()


def asked(path: str) -> tuple[int, dict[str, str], str]:
    http = {**EVENT["requestContext"]["http"], "method": "GET", "path": path}
    context = {**EVENT["requestContext"], "http": http}
    answer = app.handler({**EVENT, "rawPath": path, "requestContext": context}, CONTEXT)
    headers = answer.get("headers") or {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    return answer["statusCode"], headers, answer["body"]


def addresses() -> list[str]:
    return ["/console", "/console/settings.json", *(f"/console/{name}" for name in pages.FILES)]


@pytest.mark.parametrize("path", addresses())
def test_each_answer_is_of_its_type_and_under_a_strict_policy(path: str) -> None:
    status, headers, body = asked(path)
    assert (status, bool(body)) == (200, True)
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json"}
    assert headers["Content-Type"].split(";")[0] == kinds.get(Path(path).suffix, "text/html")
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://sign.example"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] in ("no-cache", "no-store")


def test_the_settings_say_where_to_sign_in_and_no_more() -> None:
    assert json.loads(asked("/console/settings.json")[2]) == {
        "sign_in_url": "https://sign.example/a",
        "client_id": "client",
        "command_line_client_id": "command-line",
    }


@pytest.mark.parametrize(
    "name", ["index.html", "notices.html", "pages.py", "..%2Fpages.py", "..", "%2Fetc%2Fpasswd", "PAGE.JS", "page.js/"]
)
def test_what_is_not_on_the_list_is_not_there(name: str) -> None:
    assert asked(f"/console/{name}")[0] == 404


def test_every_file_of_the_folder_is_served_and_every_file_that_a_page_names_is_there() -> None:
    served = {file for file, _ in pages.FILES.values()} | {pages.HOME}
    assert served == {path.name for path in PAGE.iterdir()}
    for path in PAGE.iterdir():
        for name in re.findall(r'"/console/([A-Za-z.]+\.[a-z]+)"', path.read_text(encoding="utf-8")):
            assert name in pages.FILES or name == "settings.json", f"{path.name} names {name}"


@pytest.mark.parametrize("path", sorted(PAGE.iterdir()), ids=lambda path: path.name)
def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 470
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"", text)
    hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", text))
    assert hosts <= {"www.w3.org"}, "the name of SVG's language alone, which nobody asks for"
