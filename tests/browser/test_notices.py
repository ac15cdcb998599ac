"""The recipients' page and the slip in a real browser (S20, S22)."""

import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open
from tests.browser.pretend import ORIGIN, Pretended, moment

RULE = "Possible match, checked by a reviewer. Not proof of identity: verify first."
RESULTS = ("Not spoken to", "Spoken to: right person", "Spoken to: wrong person")


def open_notice(page: Page, reference: str) -> None:
    page.get_by_role("link", name=re.compile(reference)).click()
    expect(page.get_by_role("heading", name=f"Notice {reference}")).to_be_focused()
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)


def test_signing_in_from_the_notices_comes_back_to_the_notice(opened: Open, api: Pretended) -> None:
    """One address is registered to come back to; the wanted page travels in `state`."""
    notice = api.notice()
    page = opened(f"/console/notices#n/{notice['id']}", signed_in=False)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Sign in as reviewer-1").click()
    expect(page.get_by_role("heading", name="Notice N4T5XA")).to_be_visible()
    assert page.url == f"{ORIGIN}/console/notices#n/{notice['id']}"


def test_a_notice_says_what_to_do_and_what_not(opened: Open, api: Pretended) -> None:
    api.notice()
    page = opened("/console/notices", size=PHONE)
    open_notice(page, "N4T5XA")
    rule = page.locator(".rule")
    expect(rule).to_contain_text(RULE)
    expect(rule).to_contain_text(re.compile(r"Do not act on it after \d\d:\d\d:\d\d\. 9 min \d\d s left"))
    expect(rule).to_contain_text("Nobody has measured how often this system errs here.")
    expect(page.locator(".facts")).to_contain_text(re.compile(r"Seen1 min 3\d s ago"))
    expect(page.get_by_text("DEMONSTRATION").last).to_be_visible()
    assert not re.search(r"similarity|category|%", page.locator("main").inner_text(), re.IGNORECASE)


def test_the_list_tells_confirmed_withdrawn_and_outcomes_apart_in_words(opened: Open, api: Pretended) -> None:
    api.notice("a")
    api.notice("b", state="withdrawn")
    api.notice("c", useful=-1)
    done = {"result": "engaged_right", "action": "help", "recorded_at": api.notice("d")["captured_at"]}
    api.notices[list(api.notices)[-1]]["outcome"] = done
    page = opened("/console/notices")
    rows = page.locator("#notices li")
    expect(rows.nth(0)).to_contain_text("outcome: Spoken to: right person; help")
    expect(rows.nth(1)).to_contain_text("Too late to act")
    expect(rows.nth(2)).to_contain_text("WITHDRAWN: do not act")
    expect(rows.nth(3)).to_contain_text("no outcome yet")
    expect(page.get_by_role("heading", name="Notices (1 open)")).to_be_visible()


def test_a_withdrawal_reaches_an_open_notice_by_itself_in_large_letters(opened: Open, api: Pretended) -> None:
    notice = api.notice()
    page = opened("/console/notices", size=PHONE)
    open_notice(page, "N4T5XA")
    notice["state"] = "withdrawn"
    api.changed()
    large = page.get_by_text("WITHDRAWN. Do not act on it.", exact=True)
    expect(large).to_be_visible()
    expect(page.locator(".rule")).not_to_contain_text("verify first")
    expect(page.locator("canvas")).to_have_count(0)
    assert float(large.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) >= 24
    expect(page.locator("#urgent")).to_contain_text("Notice N4T5XA is withdrawn. Do not act on it.")
    expect(page.get_by_role("button", name="Spoken to: wrong person")).to_be_visible()


def test_after_its_useful_time_it_says_not_to_act(opened: Open, api: Pretended) -> None:
    api.notice(useful=3)
    page = opened("/console/notices")
    open_notice(page, "N4T5XA")
    expect(page.locator(".rule")).to_contain_text(RULE)
    expect(page.locator(".rule")).to_contain_text("Too late. Do not act on it any more.")
    expect(page.locator(".rule")).to_contain_text("or the person was taken off the list.")
    expect(page.locator(".rule")).not_to_contain_text("verify first")
    expect(page.locator("canvas")).to_have_count(0)


@pytest.mark.parametrize("more", [{"state": "withdrawn"}, {"useful": -5}])
def test_no_picture_is_asked_for_of_what_nobody_may_act_on(opened: Open, api: Pretended, more: Any) -> None:
    notice = api.notice(**more)
    page = opened(f"/console/notices#n/{notice['id']}")
    expect(page.get_by_text("Pictures are shown only while")).to_be_visible()
    assert not [one.path for one in api.asked if "/evidence" in one.path or "/references" in one.path]
    expect(page.get_by_role("button", name="Not spoken to")).to_be_visible()


def test_an_outcome_is_one_tap_and_another_tap_mends_it(opened: Open, api: Pretended) -> None:
    notice = api.notice()
    page = opened("/console/notices", size=PHONE, has_touch=True)
    open_notice(page, "N4T5XA")
    assert [one.get_attribute("aria-pressed") for one in page.locator(".decision").all()] == ["false"] * 3
    page.get_by_role("button", name="Spoken to: right person").tap()
    expect(page.get_by_role("button", name="Spoken to: right person")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#polite")).to_contain_text("Recorded: Spoken to: right person.")
    page.get_by_role("button", name="Spoken to: wrong person").tap()
    expect(page.get_by_role("button", name="Spoken to: wrong person")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Conversation").tap()
    expect(page.get_by_role("button", name="Conversation")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Not spoken to").tap()
    expect(page.get_by_text("And then?")).to_have_count(0)
    assert [one.body for one in api.sent("POST", f"/notices/{notice['id']}/outcome")] == [
        {"result": "engaged_right", "action": "none"},
        {"result": "engaged_wrong", "action": "none"},
        {"result": "engaged_wrong", "action": "conversation"},
        {"result": "not_engaged", "action": "none"},
    ]


def test_on_a_phone_the_question_stands_above_its_answers(opened: Open, api: Pretended) -> None:
    api.notice()
    page = opened("/console/notices", size=PHONE, has_touch=True, is_mobile=True)
    open_notice(page, "N4T5XA")
    question = page.get_by_role("heading", name="What came of it? One tap records it.")
    expect(question).to_be_in_viewport(ratio=1)
    box = question.bounding_box()
    assert box
    assert box["height"] > 10, "seen, not only read out"
    for name in RESULTS:
        expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)


def test_keys_that_do_nothing_here_are_not_shown(opened: Open, api: Pretended) -> None:
    """A page with keys of one letter has to have a way to turn them off (WCAG 2.1.4); this one has neither."""
    api.notice()
    page = opened("/console/notices")
    open_notice(page, "N4T5XA")
    expect(page.locator("kbd")).to_have_count(0)
    expect(page.locator("[aria-keyshortcuts]")).to_have_count(0)
    page.get_by_role("button", name="Larger").click()
    expect(page.locator("output")).to_have_text("1.25 times")


def test_two_taps_at_once_send_once(opened: Open, api: Pretended) -> None:
    api.notice()
    page = opened("/console/notices")
    open_notice(page, "N4T5XA")
    page.evaluate("() => { const [one] = document.querySelectorAll('.decision'); one.click(); one.click(); }")
    expect(page.get_by_role("button", name="Not spoken to")).to_have_attribute("aria-pressed", "true")
    assert len(api.sent("POST", "/outcome")) == 1


@pytest.mark.parametrize("broken", ["away", (410, {"reason": "too_late", "message": "the time has passed"}, {})])
def test_an_outcome_that_was_not_recorded_says_so(opened: Open, api: Pretended, broken: Any) -> None:
    notice = api.notice()
    api.fault("POST", f"/notices/{notice['id']}/outcome", broken)
    page = opened("/console/notices", expected=("ERR_", "410"))
    open_notice(page, "N4T5XA")
    page.get_by_role("button", name="Not spoken to").click()
    expect(page.locator(".decide .fault")).to_contain_text("Not recorded.")
    expect(page.get_by_role("button", name="Not spoken to")).to_have_attribute("aria-pressed", "false")


def open_slip(page: Page) -> None:
    page.get_by_role("link", name="Slip for the person").click()
    expect(page.get_by_role("heading", name=re.compile("Live facial recognition"))).to_be_visible()


def test_a_slip_says_who_answers_for_it_and_what_can_be_done(opened: Open, api: Pretended) -> None:
    api.notice()
    page = opened("/console/notices")
    open_notice(page, "N4T5XA")
    open_slip(page)
    slip = page.locator(".slip")
    for words in ("N4T5XA", "Hall, north door", "Example Trials Limited", "privacy@example.org", "recorded consent"):
        expect(slip).to_contain_text(words)
    expect(slip).to_contain_text(
        re.compile(r"is deleted by .* at the latest, perhaps sooner\. If you want it kept, say so now")
    )
    assert page.locator("main").locator("img, canvas").count() == 0, "no picture of anybody"


def test_the_person_can_ask_that_the_picture_is_kept(opened: Open, api: Pretended) -> None:
    notice = api.notice()
    page = opened(f"/console/slip#n/{notice['id']}")
    page.get_by_role("button", name="Person asks: keep the picture").click()
    expect(page.locator(".slip")).to_contain_text("is kept until")
    (sent,) = api.sent("POST", "/hold")
    assert sent.body == {"reason": "The person asked that the picture be kept."}


def test_a_withdrawal_reaches_an_open_slip(opened: Open, api: Pretended) -> None:
    notice = api.notice()
    taken_back = "The confirmation has been taken back: it was a mistake or may have been."
    page = opened(f"/console/slip#n/{notice['id']}")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.get_by_text("What you can do")).to_be_visible()
    expect(page.get_by_text(taken_back)).to_be_hidden()
    page.get_by_role("button", name="Print").focus()
    notice["state"] = "withdrawn"
    api.changed()
    expect(page.locator(".slip").get_by_text(taken_back)).to_be_visible()
    expect(page.locator("#urgent")).to_contain_text("Notice N4T5XA is withdrawn. Do not act on it.")
    expect(page.get_by_role("button", name="Print")).to_be_focused()
    assert len(api.sent("GET", "/slip")) == 1, "each look is recorded, and this is one look"
    page.reload()
    expect(page.locator(".slip").get_by_text(taken_back)).to_be_visible()


def test_a_slip_counts_by_the_servers_clock(opened: Open, api: Pretended) -> None:
    notice = api.notice()
    page = opened(f"/console/slip#n/{notice['id']}", signed_in=False)
    # This machine is two days ahead: by its own clock the picture would be gone.
    page.add_init_script("const real = Date.now; Date.now = () => real() + 2 * 86400000;")
    tokens = api.tokens()
    held = {"access": tokens["access_token"], "refresh": "refresh", "account": "r"}
    held |= {"expires": time.time() * 1000 + 9e8, "ends": time.time() * 1000 + 9e8}
    page.evaluate(f"localStorage.setItem('proviso.session', JSON.stringify({json.dumps(held)}))")
    page.reload()
    expect(page.locator(".slip")).to_contain_text("at the latest, perhaps sooner")
    expect(page.get_by_role("button", name="Person asks: keep the picture")).to_be_visible()


@pytest.mark.parametrize("paper", ["A4", "A5"])
@pytest.mark.parametrize("state", ["confirmed", "withdrawn"])
def test_a_slip_is_one_page_black_on_white(opened: Open, api: Pretended, paper: str, state: str) -> None:
    notice = api.notice(state=state)
    page = opened(f"/console/slip#n/{notice['id']}", scheme="dark")
    expect(page.locator(".slip")).to_be_visible()
    expect(page.get_by_text("The confirmation has been taken back")).to_be_visible(visible=state == "withdrawn")
    printed = page.pdf(format=paper)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_have_count(0)
    expect(page.locator("header")).to_be_hidden()
    style = page.locator(".slip").evaluate(
        "e => { const s = getComputedStyle(e); return [s.color, s.backgroundColor] }"
    )
    assert style == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    size = page.locator(".slip").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 16, "12 points"


def test_nothing_but_the_slip_can_be_printed(opened: Open, api: Pretended) -> None:
    """A picture of somebody on paper would stay when everything else is deleted."""
    api.notice()
    page = opened("/console/notices")
    open_notice(page, "N4T5XA")
    page.emulate_media(media="print")
    expect(page.locator("main")).to_be_hidden()


def test_a_stop_or_a_removal_reaches_an_open_notice_at_once(opened: Open, api: Pretended) -> None:
    """Its time of use ends, and nothing goes on saying "possible match" beside two faces."""
    notice = api.notice()
    page = opened(f"/console/notices#n/{notice['id']}")
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)
    notice["useful_until"] = moment(-1)
    api.changed()
    expect(page.get_by_text("Pictures are shown only while the notice may be acted on.")).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)


def test_a_notice_that_is_not_ones_own_any_more_leaves_the_page(opened: Open, api: Pretended) -> None:
    notice = api.notice()
    page = opened(f"/console/notices#n/{notice['id']}")
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)
    del api.notices[notice["id"]]
    api.changed()
    expect(page.get_by_role("heading", name="This notice is not there any more")).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)


def test_the_end_of_a_shift_is_said_and_takes_everything_away(opened: Open, api: Pretended) -> None:
    """A page that went on looking live would learn of no withdrawal any more."""
    notice = api.notice()
    page = opened(f"/console/notices#n/{notice['id']}")
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)
    page.evaluate("""() => { const held = JSON.parse(localStorage.getItem("proviso.session"));
                     localStorage.setItem("proviso.session", JSON.stringify({ ...held, ends: Date.now() - 1 })); }""")
    expect(page.get_by_text("Your shift is over.").first).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)
