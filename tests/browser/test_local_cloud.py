"""The pages against the real local cloud: sign in, a face comes by, decide by keys, and somebody is told."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import CANDIDATE, NORTH, scenes
from proviso.cli.demo.script import PLACE, RECIPIENT, RECIPIENTS, REVIEWER, Demonstration
from proviso.local.cloud import local_cloud
from tests.browser.conftest import PHONE, WIDE
from tests.e2e.conftest import ROOT, models_or_skip

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
SEEN_WITHIN_S = 15.0
"""Generous: two cores run the whole cloud and the browser beside it."""


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Demonstration]:
    """A local cloud with a deployment that is running; after the browser, so that without one nothing is started."""
    folder = tmp_path_factory.mktemp("cloud")
    options = DemoOptions(ROOT, folder / "data", folder / "out", models_or_skip())
    with ExitStack() as running:
        cloud = running.enter_context(local_cloud(cloud_options(options)))
        made = Demonstration(cloud, demo_policy(), options.models.manifest.demo_threshold, options.out)
        made.prepare()
        yield made


@pytest.fixture(scope="module", params=[WIDE, PHONE], ids=["wide", "phone"])
def size(request: pytest.FixtureRequest) -> dict[str, int]:
    """All tests at one size, then all at the other: each begins with nothing waiting and nothing confirmed."""
    return dict(request.param)


@pytest.fixture
def page(play: Demonstration, browser: Browser, size: dict[str, int]) -> Iterator[Page]:
    context = browser.new_context(viewport=size, timezone_id="Europe/London", reduced_motion="reduce")
    context.set_default_timeout(15_000)
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    yield made
    context.close()
    assert faults == []


def sign_in(page: Page, address: str, subject: str) -> None:
    """As a person does it: on the page, and at the sign-in."""
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/local/oauth2/authorize**")
    page.get_by_role("textbox", name="Account").fill(subject)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#connection")).to_have_text("Live", timeout=15_000)


def film(play: Demonstration, smallest_face_px: int) -> float:
    """One frame with the listed person; when it was sent."""
    wanted = [scene for scene in scenes(smallest_face_px) if scene.camera == NORTH and scene.expected == CANDIDATE]
    play.cameras().run(NORTH, wanted[:1], float(play.policy.frame_age_limit_s))
    return time.monotonic()


def test_a_reviewer_decides_by_keys_and_the_recipients_are_told(play: Demonstration, page: Page) -> None:
    sign_in(page, f"{play.cloud.api_url}/console", REVIEWER)
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    sent = film(play, models_or_skip().smallest_face_px)
    row = page.locator("#waiting a.row")
    expect(row).to_contain_text(PLACE, timeout=1000 * SEEN_WITHIN_S)
    print(f"seen on the page {time.monotonic() - sent:.2f} s after its upload had ended")  # noqa: T201
    expect(row).to_contain_text("DEMONSTRATION")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decide by what you see")).to_be_visible()
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)
    expect(page.locator("figcaption").first).to_contain_text(re.compile(r"\d+ pixels wide"))
    assert not re.search("similarity|category", page.locator("#candidate").inner_text(), re.IGNORECASE)
    before = play.messages(RECIPIENTS)
    page.keyboard.press("c")
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Your decision: Confirm")).to_be_visible()
    expect(page.get_by_text("It is confirmed. A notice goes to the recipients.")).to_be_visible()
    expect(page.get_by_text("not measured")).to_be_visible()
    play.until(lambda: len(play.messages(RECIPIENTS)) == len(before) + 2 or None, 15.0, "both messages")
    told = play.messages(RECIPIENTS)[len(before) :]
    assert {message.address for message in told} == set(RECIPIENTS.values())
    page.goto(play.cloud.inbox_url)
    expect(page.get_by_text("Possible match, checked by a reviewer").first).to_be_visible()


def test_a_recipient_says_what_came_of_it_and_a_withdrawal_reaches_their_open_page(
    play: Demonstration, page: Page
) -> None:
    confirmed = play.as_person(REVIEWER).get("/candidates")["decided"]
    if not confirmed:
        pytest.skip("nothing was confirmed: the test before this one did not come so far")
    sign_in(page, f"{play.cloud.api_url}/console/notices", RECIPIENT)
    page.locator("#notices a.row").first.click()
    expect(page.get_by_text("Not proof of identity: verify first.")).to_be_visible()
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)
    page.get_by_role("button", name="Spoken to: wrong person").click()
    expect(page.get_by_role("button", name="Spoken to: wrong person")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Conversation").click()
    expect(page.get_by_role("button", name="Conversation")).to_have_attribute("aria-pressed", "true")
    play.as_person(REVIEWER).post(f"/candidates/{confirmed[0]['id']}/withdrawal", {"reason": "another scar"})
    expect(page.get_by_text("WITHDRAWN. Do not act on it.", exact=True)).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)
    page.get_by_role("link", name="Slip for the person").click()
    expect(page.locator(".slip")).to_contain_text(confirmed[0]["reference"])
    expect(page.locator(".slip")).to_contain_text("is kept until")  # somebody was engaged
    expect(page.locator(".slip")).to_contain_text("The confirmation has been taken back")


def test_signing_out_ends_the_session_here_and_at_the_sign_in(play: Demonstration, page: Page) -> None:
    sign_in(page, f"{play.cloud.api_url}/console", REVIEWER)
    held = page.evaluate("JSON.parse(localStorage.getItem('proviso.session')).refresh")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("localStorage.getItem('proviso.session')") is None
    client = page.request.get(f"{play.cloud.api_url}/console/settings.json").json()["client_id"]
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": held}
    assert page.request.post(f"{play.cloud.api_url}/local/oauth2/token", form=form).status == 400
