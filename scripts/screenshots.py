# ruff: noqa: T201 - prints for people
"""Pictures of the pages for the documentation, taken from the local cloud with the demonstration's two photographs.

usage: python scripts/screenshots.py [FOLDER]      (make screenshots; docs/images without FOLDER)

What is shown really happened: a frame is uploaded, a reviewer signs in and decides, a recipient is told. Nothing is
drawn or filled in by hand, and nobody is in the pictures but the people of two public-domain photographs.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from proviso.cli import places
from proviso.cli.api import ApiFault
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import CANDIDATE, NORTH, scenes
from proviso.cli.demo.script import AUTHORISER, RECIPIENT, RECIPIENTS, REVIEWER, Demonstration
from proviso.domain.errors import ConfigurationFault
from proviso.local.cloud import local_cloud

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images"
SIZES = {360: 740, 1280: 800}
NARROW = 600
"""Narrower is a telephone: used by finger."""

PATIENCE_MS = 15_000


def take(folder: Path) -> list[Path]:
    """All pictures; the files that were written. ConfigurationFault when models or the browser are missing."""
    path = shutil.which("chromium")
    if path is None:
        raise ConfigurationFault("chromium is not installed; `make system-deps` installs it")
    models = places.find_models(ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with ExitStack() as open_now:
        data = Path(open_now.enter_context(tempfile.TemporaryDirectory()))
        options = DemoOptions(ROOT, data / "data", data / "out", models)
        cloud = open_now.enter_context(local_cloud(cloud_options(options)))
        play = Demonstration(cloud, demo_policy(), models.manifest.demo_threshold, options.out)
        play.prepare()
        playwright = open_now.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pages = {width: signed_in(browser, cloud.api_url, "/console", REVIEWER, width) for width in SIZES}

        def shoot(name: str, of: dict[int, Page], *, whole: bool = False) -> None:
            for width, page in of.items():
                target = folder / f"{name}-{width}.png"
                if whole and width < NARROW:
                    # A picture of the full page would end the emulation of a finger; a long screen does not.
                    page.set_viewport_size(
                        {"width": width, "height": page.evaluate("document.documentElement.scrollHeight")}
                    )
                page.screenshot(path=target, full_page=whole and width >= NARROW)
                page.set_viewport_size({"width": width, "height": SIZES[width]})
                written.append(target)

        film(play, models.smallest_face_px)
        for page in pages.values():
            expect(page.locator("#waiting a.row")).to_be_visible(timeout=PATIENCE_MS)
        shoot("console-list", pages)
        with each(pages) as step:
            step(lambda page: page.locator("#waiting a.row").click())
            step(lambda page: expect(page.get_by_text("Decide by what you see")).to_be_visible())
        shoot("console-before", pages)
        with each(pages) as step:
            step(lambda page: page.keyboard.press("c"))
            step(lambda page: page.keyboard.press("1"))
        shoot("console-reason", pages)
        pages[1280].keyboard.press("Control+Enter")
        expect(pages[1280].get_by_text("It is confirmed.")).to_be_visible()
        pages[360].reload()
        expect(pages[360].get_by_role("heading", name="Your decision: Confirm")).to_be_visible()
        with each(pages) as step:
            step(lambda page: expect(page.locator("canvas.face[data-drawn]")).to_have_count(2))
        shoot("console-after", pages, whole=True)
        play.wait_for_messages(RECIPIENTS)
        inboxes = {width: opened(browser, cloud.inbox_url, width) for width in SIZES}
        shoot("inbox", inboxes)
        recipients = {width: signed_in(browser, cloud.api_url, "/console/notices", RECIPIENT, width) for width in SIZES}
        with each(recipients) as step:
            step(lambda page: expect(page.locator("#notices a.row")).to_be_visible(timeout=PATIENCE_MS))
        shoot("notices-list", recipients)
        with each(recipients) as step:
            step(lambda page: page.locator("#notices a.row").click())
            step(lambda page: expect(page.locator("canvas.face[data-drawn]")).to_have_count(2))
        shoot("notice", recipients)
        recipients[360].get_by_role("button", name="Spoken to: right person").click()
        with each(recipients) as step:
            right = "Spoken to: right person"
            step(lambda p: expect(p.get_by_role("button", name=right)).to_have_attribute("aria-pressed", "true"))
            step(lambda page: page.get_by_role("button", name=right).scroll_into_view_if_needed())
        shoot("notice-outcome", recipients)
        with each(recipients) as step:
            step(lambda page: page.get_by_role("link", name="Slip for the person").click())
            step(lambda page: expect(page.locator(".slip")).to_be_visible())
        shoot("slip", recipients, whole=True)
        authorisers = {
            width: signed_in(browser, cloud.api_url, "/console#reviewers", AUTHORISER, width) for width in SIZES
        }
        with each(authorisers) as step:
            step(lambda page: expect(page.get_by_text("Answers to tests.")).to_be_visible())
        shoot("reviewers", authorisers)
        browser.close()
    return written


def film(play: Demonstration, smallest_face_px: int) -> None:
    """One frame with the listed person."""
    wanted = [scene for scene in scenes(smallest_face_px) if scene.camera == NORTH and scene.expected == CANDIDATE]
    play.cameras().run(NORTH, wanted[:1], float(play.policy.frame_age_limit_s))


def opened(browser: Browser, address: str, width: int) -> Page:
    """A page of that width, without movement."""
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        timezone_id="Europe/London",
        locale="en-GB",
        color_scheme="light",
        reduced_motion="reduce",
        is_mobile=width < NARROW,
        has_touch=width < NARROW,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    return page


def signed_in(browser: Browser, api: str, path: str, subject: str, width: int) -> Page:
    """As a person does it: on the page, and at the sign-in."""
    page = opened(browser, api + path, width)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/local/oauth2/authorize**")
    page.get_by_role("textbox", name="Account").fill(subject)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#connection")).to_have_text("Live", timeout=PATIENCE_MS)
    return page


@contextmanager
def each(pages: dict[int, Page]) -> Iterator[Callable[[Callable[[Page], object]], None]]:
    """The same step on every page."""

    def step(act: Callable[[Page], object]) -> None:
        for page in pages.values():
            act(page)

    yield step


def main(arguments: list[str]) -> int:
    """0 when all pictures were taken."""
    try:
        for path in take(Path(arguments[0]) if arguments else FOLDER):
            print(path)
    except (ConfigurationFault, ApiFault) as fault:
        print(f"no pictures: {fault}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
