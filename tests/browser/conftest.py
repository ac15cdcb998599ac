"""A browser, a pretended API, and somebody who is signed in. Skips with a reason where there is no Chromium."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from functions.review import pages
from proviso.wiring import pages as wiring
from tests.browser.pretend import CLIENT, ORIGIN, SIGN_IN, Pretended

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("chromium is not installed; `make system-deps` installs it")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not start for root.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    monkeypatch.setattr(wiring, "sign_in_place", lambda: wiring.SignInPlace(SIGN_IN, CLIENT, "command-line"))
    pages._headers.cache_clear()
    return Pretended()


Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, api: Pretended) -> Iterator[Open]:
    """opened(path, signed_in=, size=, ...): a page of the pretended API; it may log no error and break no policy."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(
        path: str = "/console",
        *,
        signed_in: bool = True,
        size: dict[str, int] = WIDE,
        scheme: str = "light",
        choices: dict[str, str] | None = None,
        expected: tuple[str, ...] = (),
        **more: Any,
    ) -> Page:
        context = browser.new_context(
            viewport=size,
            color_scheme=scheme,
            timezone_id="Europe/London",
            locale="en-GB",
            service_workers="block",
            reduced_motion="reduce",
            **more,
        )
        contexts.append(context)
        context.set_default_timeout(5000)
        stored = {f"proviso.choice.{name}": value for name, value in (choices or {}).items()}
        if signed_in:
            tokens = api.tokens()
            now = time.time() * 1000
            stored["proviso.session"] = json.dumps(
                {
                    "access": tokens["access_token"],
                    "refresh": "refresh",
                    "expires": now + api.expires_in * 1000,
                    "ends": now + 12 * 3600 * 1000,
                    "account": "reviewer-1",
                }
            )
        if stored:
            # Once a context: what the page itself takes away stays away.
            context.add_init_script(
                f"""if (location.origin === {json.dumps(ORIGIN)} && !sessionStorage.getItem("begun")) {{
                  for (const [name, value] of Object.entries({json.dumps(stored)})) localStorage.setItem(name, value);
                  sessionStorage.setItem("begun", "yes");
                }}"""
            )
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"{path}: {error}"))

        def listen(message: Any) -> None:
            if message.type != "error" or (message.location["url"].endswith("/reviewers") and "403" in message.text):
                return  # who is no authoriser is told so
            if not any(one in message.text for one in expected):
                faults.append(f"{path}: {message.text} {message.location}")

        page.on("console", listen)
        api.on(page)
        page.goto(ORIGIN + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
