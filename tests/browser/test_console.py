"""The reviewers' console in a real browser: what is on the page when, by which keys, and what is sent how often."""

import json
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from proviso.domain.reasons import SENTENCES, Reason
from tests.browser.conftest import PHONE, WIDE, Open
from tests.browser.pretend import FACE, ORIGIN, Pretended

SECRET = re.compile(
    r"0\.512|0\.42\b|stranger|public domain photograph|to be looked for|searches against", re.IGNORECASE
)
DECISIONS = ("Confirm", "Reject", "Cannot tell")


def open_candidate(page: Page, reference: str) -> None:
    page.get_by_role("link", name=re.compile(reference)).click()
    expect(page.get_by_role("heading", name=f"Candidate {reference}")).to_be_focused()
    expect(page.get_by_text("Decide by what you see")).to_be_visible()


def decide(page: Page, key: str, reason: str = "1") -> None:
    page.keyboard.press(key)
    page.keyboard.press(reason)
    page.keyboard.press("Control+Enter")


# --- signing in -------------------------------------------------------------------------------------------------------


def test_signing_in_proves_itself_and_comes_back_to_the_wanted_page(opened: Open, api: Pretended) -> None:
    """The pretended sign-in checks the proof (PKCE, S256) as Cognito does."""
    waiting = api.candidate()
    page = opened(f"/console#c/{waiting['id']}", signed_in=False)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert api.asked == [], "nothing is asked before somebody signed in"
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Sign in as reviewer-1").click()
    expect(page.get_by_role("heading", name="Candidate K7M2XA")).to_be_visible()
    assert page.url == f"{ORIGIN}/console#c/{waiting['id']}", "neither code nor state stays in the address"
    assert api.sent("GET", waiting["id"])[0].access == "access-1"


def test_a_code_that_this_window_did_not_ask_for_is_not_taken(opened: Open, api: Pretended) -> None:
    page = opened("/console?code=the-code&state=somebody.elses", signed_in=False)
    expect(page.locator("#signed-out-why")).to_contain_text("not begun in this window")
    assert page.evaluate("localStorage.getItem('proviso.session')") is None


def test_a_token_that_ran_out_is_renewed_once_and_the_page_goes_on(opened: Open, api: Pretended) -> None:
    api.candidate()
    api.expires_in = 1
    page = opened()
    expect(page.get_by_role("link", name=re.compile("K7M2XA"))).to_be_visible()
    assert api.asked[0].access != "access-1"
    api.expires_in = 3600


def test_signing_out_takes_everything_away(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/local/logout**")
    assert api.revoked == ["refresh"]
    page.goto(f"{ORIGIN}/console")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("localStorage.getItem('proviso.session')") is None


def test_a_session_that_ended_elsewhere_clears_the_page(opened: Open, api: Pretended) -> None:
    waiting = api.candidate()
    page = opened(f"/console#c/{waiting['id']}", expected=("401", "400"))
    expect(page.get_by_text("Decide by what you see")).to_be_visible()
    page.evaluate("""() => { const held = JSON.parse(localStorage.getItem("proviso.session"));
                     localStorage.setItem("proviso.session", JSON.stringify({ ...held, refresh: "not-good" })); }""")
    api.access += 1
    expect(page.get_by_text("Your sign-in has ended.").first).to_be_visible()
    expect(page.locator("canvas")).to_have_count(0)
    expect(page.get_by_text("K7M2XA")).to_have_count(0)


# --- before and after the own decision --------------------------------------------------------------------------------


def test_similarity_category_and_others_are_not_there_before_the_own_decision(opened: Open, api: Pretended) -> None:
    waiting = api.candidate(reviewers_required=2)
    waiting["secret"]["others"] = [
        {"decision": "reject", "reason": "SECRET-REASON", "decided_at": waiting["raised_at"]}
    ]
    page = opened()
    open_candidate(page, "K7M2XA")
    page.keyboard.press("c")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    for text in (page.content(), kept):
        assert not SECRET.search(text)
        assert "SECRET-REASON" not in text
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("SECRET-REASON")).to_be_visible()


def test_the_order_after_it_is_pictures_own_decision_similarity_category_reason_others(
    opened: Open, api: Pretended
) -> None:
    waiting = api.candidate(reviewers_required=2)
    waiting["secret"]["others"] = [{"decision": "reject", "reason": "ears", "decided_at": waiting["raised_at"]}]
    page = opened()
    open_candidate(page, "K7M2XA")
    decide(page, "c")
    expect(page.get_by_role("heading", name="Your decision: Confirm")).to_be_focused()
    text = page.locator("#candidate").inner_text()
    order = [
        "From the camera",
        "Your decision: Confirm",
        "It waits for another reviewer.",
        "0.512; candidates begin at 0.42",
        "once in about 1,200 to 4,500 searches",
        "Category: public domain photograph",
        "Reason for listing: to be looked for",
        "Reject,",
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert "%" not in text
    assert page.locator("canvas.face").first.get_attribute("data-drawn") == "yes"


@pytest.mark.parametrize("found", [None, {"low": None, "high": None}])
def test_what_was_not_measured_is_said_to_be_so(opened: Open, api: Pretended, found: Any) -> None:
    waiting = api.candidate()
    waiting["secret"] |= {"stranger_once_in": found, "calibrated": False}
    page = opened()
    open_candidate(page, "K7M2XA")
    decide(page, "r")
    expect(page.get_by_text("How often a stranger reaches this similarity: not measured.")).to_be_visible()


@pytest.mark.parametrize(
    ("right", "words"), [(True, "was right"), (False, "was wrong"), (None, "neither right nor wrong")]
)
def test_a_test_says_afterwards_that_it_was_one(opened: Open, api: Pretended, right: bool | None, words: str) -> None:
    waiting = api.candidate()
    waiting["secret"]["test"] = {"mated": False, "right": right}
    page = opened()
    open_candidate(page, "K7M2XA")
    assert "test" not in page.locator("#candidate").inner_text().lower()
    decide(page, "c")
    expect(page.locator(".test")).to_contain_text("two different people")
    expect(page.locator(".test")).to_contain_text(words)
    expect(page.get_by_text("A notice goes to the recipients")).to_have_count(0)
    expect(page.get_by_role("button", name="Withdraw")).to_have_count(0)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_decision_by_keys_alone(opened: Open, api: Pretended) -> None:
    api.candidate("a")
    second = api.candidate("b")
    page = opened()
    expect(page.get_by_role("heading", name="Waiting (2)")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name=re.compile("K7M2XB"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decide by what you see")).to_be_visible()
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(page.locator("output")).to_have_text("1.5 times")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Reject: why?")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Reject", exact=False).first).to_be_focused()
    page.keyboard.press("t")
    page.keyboard.press("3")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Your decision: Cannot tell")).to_be_visible()
    (sent,) = api.sent("POST", "/decision")
    assert sent.path == f"/candidates/{second['id']}/decision"
    assert sent.body == {"decision": "cannot_tell", "reason": "Too dark, too bright or in shadow"}
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="Candidate K7M2XA")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name=re.compile("K7M2XA"))).to_be_focused()


def test_nothing_is_chosen_beforehand_and_enter_decides_nothing(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    for _ in range(3):
        page.keyboard.press("Enter")
        page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    buttons = [page.locator(f'[data-decision="{name}"]') for name in ("confirm", "reject", "cannot_tell")]
    boxes = [one.bounding_box() for one in buttons]
    assert len({(round(box["width"]), round(box["height"])) for box in boxes if box}) == 1, "equal in size"
    looks = "e => ['color', 'backgroundColor', 'borderColor', 'fontWeight'].map((n) => getComputedStyle(e)[n]).join()"
    assert len({one.evaluate(looks) for one in buttons}) == 1, "and in looks"
    page.keyboard.press("r")
    for _ in range(3):
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Reject: why?")).to_be_visible()
    assert api.sent("POST", "/decision") == []


def test_a_reason_is_required_and_may_be_edited(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    page.keyboard.press("c")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Write a reason first")).to_be_visible()
    page.get_by_label("Reason (required)").fill("")
    page.keyboard.type("crt 1234 both scars")
    page.keyboard.press("Enter")
    assert api.sent("POST", "/decision") == []
    page.get_by_role("button", name="Record: confirm").click()
    expect(page.get_by_role("heading", name="Your decision: Confirm")).to_be_visible()
    assert api.sent("POST", "/decision")[0].body["reason"] == "crt 1234 both scars"


def test_a_key_that_is_held_down_decides_nothing(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'c', repeat: true, bubbles: true}))")
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()


def test_pressing_twice_sends_once(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    page.keyboard.press("c")
    page.keyboard.press("1")
    page.evaluate(
        """() => {
          const record = document.querySelector("#candidate button.primary");
          record.click();
          record.click();
          const key = new KeyboardEvent("keydown", {key: "Enter", ctrlKey: true, bubbles: true});
          document.dispatchEvent(key);
        }"""
    )
    expect(page.get_by_role("heading", name="Your decision: Confirm")).to_be_visible()
    page.keyboard.press("Control+Enter")
    assert len(api.sent("POST", "/decision")) == 1


def test_the_keys_are_shown_and_can_be_turned_off(opened: Open, api: Pretended) -> None:
    """WCAG 2.1.4: keys of one letter can be turned off."""
    api.candidate()
    page = opened()
    expect(page.locator(".legend")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.get_by_label(re.compile("Keys of one letter")).uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    open_candidate(page, "K7M2XA")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


# --- time, change and trouble -----------------------------------------------------------------------------------------


def test_what_expires_while_somebody_looks_says_so_and_nothing_is_sent(opened: Open, api: Pretended) -> None:
    api.candidate(seconds=3)
    page = opened()
    open_candidate(page, "K7M2XA")
    page.keyboard.press("c")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Too late to decide")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text(
        "The time for this candidate is over. Your decision was not recorded."
    )
    page.keyboard.press("Control+Enter")
    page.keyboard.press("c")
    expect(page.locator("#list .row.expired")).to_contain_text("Expired")
    assert api.sent("POST", "/decision") == []


def test_what_others_decided_or_a_stop_froze_takes_the_buttons_away(opened: Open, api: Pretended) -> None:
    waiting = api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    waiting["state"] = "frozen"
    api.changed()
    expect(page.get_by_text("It no longer waits for you").first).to_be_visible()
    expect(page.get_by_text("You recorded no decision.").first).to_be_visible()
    expect(page.locator("[data-decision]")).to_have_count(0)
    expect(page.locator("canvas.face")).to_have_count(0)  # nobody may decide on them any more


def test_a_decision_of_which_nobody_knows_is_not_said_to_be_missing(opened: Open, api: Pretended) -> None:
    """No answer came, and then the time is over: it may have been recorded all the same."""
    waiting = api.candidate(seconds=3)
    api.fault("POST", f"/candidates/{waiting['id']}/decision", "away")
    page = opened(expected=("ERR_",))
    open_candidate(page, "K7M2XA")
    decide(page, "c")
    expect(page.get_by_text("It is not known whether your decision was recorded")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("Time is over")
    expect(page.get_by_role("button", name="Look again")).to_be_visible()
    expect(page.get_by_text("Your decision was not recorded")).to_have_count(0)


def test_the_time_left_stands_beside_the_decision_too(opened: Open, api: Pretended) -> None:
    api.candidate(seconds=50)
    page = opened(size=PHONE)
    open_candidate(page, "K7M2XA")
    card = page.locator(".decide")
    expect(card.locator("time.soon")).to_have_text(re.compile(r"^4\d s left$"))
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Confirm: why?")).to_be_visible()
    expect(card.locator("time.soon")).to_have_text(re.compile(r"^4\d s left$"))


@pytest.mark.parametrize("height", [740, 600])
@pytest.mark.parametrize("decision", ["confirm", "reject", "cannot_tell"])
def test_record_is_in_sight_when_a_reason_is_chosen_on_a_phone(
    opened: Open, api: Pretended, decision: str, height: int
) -> None:
    api.candidate()
    page = opened(size={"width": 360, "height": height}, has_touch=True, is_mobile=True)
    open_candidate(page, "K7M2XA")
    page.locator(f'[data-decision="{decision}"]').tap()
    page.locator(".chips button").first.tap()
    for part in (page.get_by_role("button", name="Record:"), page.locator(".decide h3"), page.locator(".decide time")):
        expect(part).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Back", exact=True).tap()
    expect(page.locator("canvas.scene")).to_be_visible()


def test_both_faces_stay_in_sight_while_a_reason_is_written(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Record:")).to_be_in_viewport(ratio=1)
    for face in page.locator("canvas.face").all():
        expect(face).to_be_in_viewport(ratio=0.9)
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Your decision: Reject")).to_be_visible()
    expect(page.locator("canvas.scene")).to_be_visible()


def test_a_new_candidate_comes_by_itself_is_announced_and_takes_no_focus(opened: Open, api: Pretended) -> None:
    api.candidate("a")
    page = opened()
    expect(page.get_by_role("heading", name="Waiting (1)")).to_be_visible()
    page.keyboard.press("j")
    here = page.get_by_role("link", name=re.compile("K7M2XA"))
    expect(here).to_be_focused()
    api.candidate("b")
    api.changed()
    expect(page.locator("#polite")).to_contain_text("New candidate K7M2XB, Hall, north door. 2 waiting.")
    expect(here).to_be_focused()
    expect(page).to_have_title("(2) Candidates · Proviso")
    assert page.locator("#waiting .reference").all_inner_texts() == ["K7M2XB", "K7M2XA"]
    expect(page.locator("#waiting .badge", has_text="New")).to_have_count(1)


def test_the_page_asks_twice_a_second_and_the_list_only_after_a_change(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    api.asked.clear()
    began = time.monotonic()
    for _ in range(5):
        with page.expect_request("**/changes"):
            pass
    assert 1.5 <= time.monotonic() - began <= 8, "four pauses of half a second, on a machine however busy"
    assert api.sent("GET", "/candidates") == [], "an open page lets the database sleep"


def test_a_database_that_wakes_up_is_waited_for(opened: Open, api: Pretended) -> None:
    away = (503, {"reason": "database_away", "message": "the database is resuming"}, {"Retry-After": "1"})
    api.candidate()
    api.fault("GET", "/candidates", away)
    page = opened(expected=("503",))
    expect(page.locator("#connection")).to_have_text("The database is waking up")
    expect(page.get_by_role("link", name=re.compile("K7M2XA"))).to_be_visible()
    expect(page.locator("#connection")).to_have_text("Live")


def test_who_is_refused_the_list_does_not_ask_for_it_again_and_again(opened: Open, api: Pretended) -> None:
    """Each time would keep the database awake, as long as the page is open."""
    refused = (403, {"reason": "not_trained", "message": "the training has run out"}, {})
    api.fault("GET", "/candidates", refused)
    page = opened(expected=("403",))
    expect(page.get_by_text("The training has run out.")).to_be_visible()
    api.asked.clear()
    for _ in range(4):  # each is asked when the one before has been dealt with
        with page.expect_request("**/changes"):
            page.evaluate("dispatchEvent(new Event('online'))")
    assert api.sent("GET", "/candidates") == []
    api.mark += 1  # as any act of an authoriser makes it
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_text("The training has run out.")).to_be_hidden()
    assert len(api.sent("GET", "/candidates")) == 1
    expect(page.locator("#connection")).to_have_text("Live")


def test_a_decision_waits_for_the_database_and_is_recorded_once(opened: Open, api: Pretended) -> None:
    waiting = api.candidate()
    away = (503, {"reason": "database_away", "message": "the database is resuming"}, {"Retry-After": "1"})
    api.fault("POST", f"/candidates/{waiting['id']}/decision", away)
    page = opened(expected=("503",))
    open_candidate(page, "K7M2XA")
    decide(page, "r")
    expect(page.get_by_text("Nothing is recorded yet")).to_be_visible()
    expect(page.get_by_role("heading", name="Your decision: Reject")).to_be_visible()
    assert len(api.sent("POST", "/decision")) == 2


def test_without_a_network_it_says_so_and_goes_on(opened: Open, api: Pretended) -> None:
    page = opened(expected=("ERR_",))
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    api.fault("GET", "/changes", "away", "away")
    expect(page.locator("#connection")).to_have_text("No connection, trying again")
    expect(page.locator("#connection")).to_have_text("Live")


@pytest.mark.parametrize("broken", ["away", (500, {"reason": "fault", "message": "look again"}, {})])
def test_when_nobody_knows_whether_it_was_recorded_it_is_looked_at_again(
    opened: Open, api: Pretended, broken: Any
) -> None:
    waiting = api.candidate()
    api.fault("POST", f"/candidates/{waiting['id']}/decision", broken)
    page = opened(expected=("ERR_", "500"))
    open_candidate(page, "K7M2XA")
    decide(page, "c")
    expect(page.get_by_text("It is not known whether your decision was recorded")).to_be_visible()
    assert len(api.sent("POST", "/decision")) == 1, "it is not sent again by itself"
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_text("Decide by what you see")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (429, "reviewer_cap", "rest, and others go on."),
        (403, "not_a_member", "its requester or an authoriser can do that."),
        (403, "errs_too_often", "train, and have it recorded."),
        (410, "too_late", "Nothing was recorded."),
        (409, "not_active", "The deployment is over or was stopped. Nothing was recorded."),
        (403, "not_trained", "Ask an authoriser."),
    ],
)
def test_a_refusal_says_what_to_do_once(opened: Open, api: Pretended, status: int, reason: str, words: str) -> None:
    """The API's own sentence, and after it only what that does not say."""
    waiting = api.candidate()
    refused = (status, {"reason": reason, "message": SENTENCES[Reason(reason)]}, {})
    api.fault("POST", f"/candidates/{waiting['id']}/decision", refused)
    page = opened(expected=(str(status),))
    open_candidate(page, "K7M2XA")
    decide(page, "c")
    expect(page.locator(".decide p", has_text=words).first).to_have_text(re.compile(f"{re.escape(words)}$"))
    assert len(api.sent("POST", "/decision")) == 1


# --- pictures ---------------------------------------------------------------------------------------------------------

COLOURED = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  let left = width, right = 0, top = height, bottom = 0;
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const i = 4 * (y * width + x);
    if (Math.abs(data[i] - data[i + 1]) > 60) {
      left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  return [left / width, right / width, top / height, bottom / height];
}"""


@pytest.mark.parametrize("size", [WIDE, PHONE, {"width": 320, "height": 640}])
def test_both_faces_are_side_by_side_and_equally_large(opened: Open, api: Pretended, size: dict[str, int]) -> None:
    """60 and 180 pixels wide in their pictures, the same on the page."""
    api.candidate()
    page = opened(size=size)
    open_candidate(page, "K7M2XA")
    probe, reference = page.locator("canvas.face").all()
    one, other = probe.bounding_box(), reference.bounding_box()
    assert one
    assert other
    assert (one["width"], one["height"], one["y"]) == (other["width"], other["height"], other["y"])
    assert other["x"] > one["x"] + one["width"] - 1
    for steps in range(3):
        first, second = probe.evaluate(COLOURED), reference.evaluate(COLOURED)
        assert first == pytest.approx(second, abs=0.02)
        if steps == 0:
            assert first[3] - first[2] == pytest.approx(1 / 1.24, abs=0.03), "the longer side with its margin"
        page.keyboard.press("+")


def test_without_a_face_the_whole_picture_is_shown_and_said_to_be_so(opened: Open, api: Pretended) -> None:
    api.probe_face = None
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    expect(page.locator("figcaption").first).to_contain_text("whole picture")
    left, right, *_ = page.locator("canvas.face").first.evaluate(COLOURED)
    assert right - left == pytest.approx(FACE["width"] / 640, abs=0.02)


def test_pictures_have_alternative_texts_without_anybodys_name(opened: Open, api: Pretended) -> None:
    api.candidate(references=2)
    page = opened()
    open_candidate(page, "K7M2XA")
    labels = [one.get_attribute("aria-label") for one in page.locator("canvas").all()]
    assert labels == [
        "Face of somebody before the camera north, Hall, north door, face 60 pixels wide",
        "Face of the person on the list, picture 1 of 2, face 180 pixels wide",
        "The camera's picture, north, Hall, north door. The face is at the middle.",
    ]
    page.keyboard.press("]")
    expect(page.locator("canvas.face").nth(1)).to_have_attribute("aria-label", re.compile("picture 2 of 2, face 180"))


def test_the_page_draws_nothing_into_the_cameras_picture(opened: Open, api: Pretended) -> None:
    """The evidence picture has its own box round the face; a second one would only confuse."""
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    greys = page.locator("canvas.scene").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const found = new Set();
          for (let i = 0; i < data.length; i += 4) if (Math.abs(data[i] - data[i + 1]) < 10) found.add(data[i]);
          return [Math.min(...found), Math.max(...found)];
        }"""
    )
    assert 60 < greys[0] <= greys[1] < 120, "the ground is 90; a drawn line would be black and white"
    expect(page.locator(".where figcaption")).to_contain_text("the box marks the face above")
    expect(page.locator(".pair figcaption").nth(1)).to_contain_text("one picture, face 180 pixels wide")


def test_who_has_not_seen_both_pictures_cannot_confirm_or_reject(opened: Open, api: Pretended) -> None:
    waiting = api.candidate()
    gone = (404, {"reason": "not_found", "message": "there is nothing of that name"}, {})
    api.fault("GET", f"/candidates/{waiting['id']}/references/0", gone)
    page = opened(expected=("404",))
    page.get_by_role("link", name=re.compile("K7M2XA")).click()
    expect(page.get_by_text("A picture could not be shown")).to_be_visible()
    page.keyboard.press("c")
    page.locator('[data-decision="reject"]').click(force=True)
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    page.get_by_role("button", name="Load the pictures again").click()
    expect(page.get_by_text("Decide by what you see")).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Confirm: why?")).to_be_visible()


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_demographics_are_offered_after_the_decision_alone_and_may_be_skipped(opened: Open, api: Pretended) -> None:
    """S28: by the reviewer, after the decision, optional."""
    waiting = api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    expect(page.locator("select")).to_have_count(0)
    decide(page, "c")
    expect(page.get_by_text("never worked out by a machine")).to_be_visible()
    page.get_by_label("Sex").select_option("female")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Recorded by you.")).to_be_visible()
    (sent,) = api.sent("POST", f"/candidates/{waiting['id']}/demographics")
    assert sent.body == {"sex": "female", "age": "not_stated", "ethnicity": "not_stated"}


def test_a_confirmation_is_withdrawn_with_a_reason(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    decide(page, "c")
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_role("button", name="Record: withdraw").click()
    expect(page.get_by_text("Write a reason first.")).to_be_visible()
    page.get_by_label("Why is it withdrawn?").fill("another scar")
    page.get_by_role("button", name="Record: withdraw").click()
    expect(page.get_by_text("The confirmation is withdrawn.").first).to_be_visible()
    assert [one.body for one in api.sent("POST", "/withdrawal")] == [{"reason": "another scar"}]
    expect(page.get_by_role("button", name="Withdraw")).to_have_count(0)


def test_a_confirmation_of_others_can_be_withdrawn_and_shows_nothing_else(opened: Open, api: Pretended) -> None:
    confirmed = api.candidate(state="confirmed")
    page = opened(f"/console#c/{confirmed['id']}")
    expect(page.get_by_text("You did not decide on this candidate.")).to_be_visible()
    expect(page.get_by_role("button", name="Withdraw")).to_be_visible()
    expect(page.locator("[data-decision]")).to_have_count(0)
    assert not SECRET.search(page.content())


def test_the_hourly_cap_is_shown(opened: Open, api: Pretended) -> None:
    page = opened()
    expect(page.get_by_text("Decided by you: 4 of 30 this hour")).to_be_visible()
    api.decided = 30
    api.changed()
    expect(page.locator("#cap.reached")).to_have_text("Decided by you: 30 of 30 this hour")
    api.cap = None
    api.changed()
    expect(page.locator("#cap")).to_have_text("Decided by you: 30 this hour")


# --- the stop ---------------------------------------------------------------------------------------------------------

DEPLOYMENT = "3f2a91c0-1111-4222-8333-444455556666"
OTHER = "77777777-1111-4222-8333-444455556666"
WHAT_IT_DOES = (
    "Stop this deployment: no face is searched any more, what waits is frozen, unsent notices are withheld. "
    "Anybody signed in may."
)


def test_a_stop_from_the_open_candidate_takes_two_steps_by_keys(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    open_candidate(page, "K7M2XA")
    expect(page.get_by_role("button", name="Stop deployment")).to_have_count(1)
    page.get_by_role("button", name="Stop deployment 3f2a91c0 …").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(WHAT_IT_DOES)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stop deployment 3f2a91c0 …")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Do not stop").click()
    assert api.sent("POST", "/stop") == [], "neither one press nor two of Enter stop anything"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stopped: no face is searched any more").first).to_be_focused()
    expect(page.get_by_text("It no longer waits for you").first).to_be_visible()
    (sent,) = api.sent("POST", "/stop")
    assert (sent.path, sent.body) == (f"/deployments/{DEPLOYMENT}/stop", None)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Waiting (0)")).to_be_visible()


def test_the_list_has_one_stop_for_each_deployment(opened: Open, api: Pretended) -> None:
    api.candidate("a")
    api.candidate("b")
    api.candidate("c", deployment_id=OTHER, place="Yard")
    page = opened(size=PHONE)
    expect(page.locator("#stops li")).to_have_count(2)
    expect(page.locator("#stops li", has_text="77777777")).to_contain_text("Yard")
    page.get_by_role("button", name="Stop deployment 77777777 …").click()
    api.candidate("d")
    api.changed()
    expect(page.get_by_role("heading", name="Waiting (4)")).to_be_visible()
    expect(page.get_by_text(WHAT_IT_DOES), "a new candidate interrupts nobody in it").to_be_focused()
    page.get_by_role("button", name="Stop deployment 77777777", exact=True).click()
    expect(page.get_by_text("Stopped: no face is searched any more").first).to_be_visible()
    expect(page.get_by_role("heading", name="Waiting (3)")).to_be_visible()
    assert [one.path for one in api.sent("POST", "/stop")] == [f"/deployments/{OTHER}/stop"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("away", "It is not known whether it was stopped. Stop it again: twice does no harm."),
        ((404, {"reason": "not_found", "message": "there is nothing of that name"}, {}), "Not stopped."),
        ((200, {"stopped": [], "permits_deleted": ["north"], "database": "away: spooled"}, {}), "the rest follows"),
        ((200, {"stopped": [], "permits_deleted": [], "database": "done"}, {}), "There was nothing to stop."),
    ],
)
def test_a_stop_says_what_it_did_and_what_it_did_not(opened: Open, api: Pretended, answer: Any, words: str) -> None:
    api.candidate()
    api.fault("POST", f"/deployments/{DEPLOYMENT}/stop", answer)
    page = opened(expected=("ERR_", "404"))
    page.get_by_role("button", name="Stop deployment 3f2a91c0 …").click()
    page.evaluate("() => { const stop = document.querySelector('.stop-asked button'); stop.click(); stop.click(); }")
    expect(page.locator("#stops")).to_contain_text(words)
    assert len(api.sent("POST", "/stop")) == 1


# --- people without the role, and reviewers ---------------------------------------------------------------------------


@pytest.mark.parametrize("authoriser", [False, True])
def test_who_is_no_reviewer_is_told_where_to_go(opened: Open, api: Pretended, authoriser: bool) -> None:
    api.reviewing = False
    api.reviewers = [REVIEWER] if authoriser else None
    page = opened(expected=("403",))
    expect(page.get_by_text("This list is for reviewers.")).to_be_visible()
    expect(page.get_by_role("link", name="Notices (recipients)")).to_have_attribute("href", "/console/notices")
    expect(page.locator("#list-fault")).to_be_empty()
    expect(page.locator("#connection")).to_have_text("Live")
    there = page.get_by_role("link", name="Reviewers (authorisers)")
    expect(there).to_have_count(1 if authoriser else 0)
    if authoriser:
        there.click()
        expect(page.get_by_role("heading", name="Reviewers")).to_be_focused()
        expect(page.get_by_text("Answers to tests.")).to_be_visible()


def test_on_a_phone_without_keys_they_are_not_offered(opened: Open, api: Pretended) -> None:
    page = opened(size=PHONE, has_touch=True, is_mobile=True)
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    expect(page.get_by_role("button", name="Keys")).to_have_count(0)


def test_who_is_no_authoriser_has_no_section_of_reviewers(opened: Open, api: Pretended) -> None:
    page = opened(expected=("403",))
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    page.wait_for_function("sessionStorage.getItem('proviso.no-reviewers')")
    expect(page.get_by_role("link", name="Reviewers")).to_have_count(0)
    page.evaluate("location.hash = '#reviewers'")
    expect(page.locator("body")).to_have_attribute("data-view", "list")


REVIEWER = {
    "sub": "reviewer-2",
    "trained_until": "2100-01-01T00:00:00Z",
    "tests": 40,
    "non_mates": 30,
    "confirmed_non_mates": 2,
    "mates": 10,
    "rejected_mates": 1,
    "cannot_tell": 4,
    "unanswered": 1,
    "strangers_confirmed": {"rate": 0.0667, "low": 0.0082, "high": 0.2207},
    "mates_rejected": {"rate": 0.1, "low": 0.0025, "high": 0.445},
    "error_rate": 0.075,
    "low": 0.016,
    "high": 0.204,
    "limit": 0.1,
    "denied": False,
}
UNMEASURED = dict.fromkeys(("error_rate", "low", "high", "strangers_confirmed", "mates_rejected"))
UNTESTED = REVIEWER | {"sub": "reviewer-3", "tests": 0} | UNMEASURED
DENIED = REVIEWER | {"sub": "reviewer-4", "error_rate": 0.4, "low": 0.25, "high": 0.57, "denied": True}


def test_an_authoriser_sees_reviewers_with_their_intervals(opened: Open, api: Pretended) -> None:
    api.reviewers = [REVIEWER, UNTESTED, DENIED]
    page = opened()
    page.get_by_role("link", name="Reviewers").click()
    rows = page.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("2 of 300.8\u00a0% to 22\u00a0%")
    expect(rows.nth(1)).to_contain_text("7.5\u00a0% (between 1.6\u00a0% and 20\u00a0%); limit 10\u00a0%")
    expect(rows.nth(2)).to_contain_text("Not measured")
    expect(rows.nth(3)).to_contain_text("No: too many errors")
    expect(page.get_by_role("img", name=re.compile("Error rate 7.5"))).to_be_visible()


def test_the_sound_is_off_until_asked_for_and_remembered(opened: Open, api: Pretended) -> None:
    page = opened()
    page.evaluate(
        """() => { window.tones = 0; const plain = OscillatorNode.prototype.start;
                   OscillatorNode.prototype.start = function () { window.tones++; return plain.call(this); }; }"""
    )
    api.candidate("a")
    api.changed()
    expect(page.get_by_role("heading", name="Waiting (1)")).to_be_visible()
    assert page.evaluate("window.tones") == 0
    page.get_by_role("button", name="Sound: off").click()
    api.candidate("b")
    api.changed()
    expect(page.get_by_role("heading", name="Waiting (2)")).to_be_visible()
    assert page.evaluate("window.tones") == 2, "once to try it, once for the candidate"
    page.reload()
    expect(page.get_by_role("button", name="Sound: on")).to_be_visible()


def test_nothing_is_kept_of_candidates_and_nothing_leaves_for_another_host(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    open_candidate(page, "K7M2XA")
    decide(page, "c")
    expect(page.get_by_role("heading", name="Your decision: Confirm")).to_be_visible()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "K7M2XA" not in stored
    names = {name for kept in json.loads(stored) for name in kept}
    assert names <= {"proviso.session", "proviso.no-reviewers", "begun"}
    assert hosts == {"proviso.example"}


def test_an_age_is_counted_by_the_servers_clock(opened: Open, api: Pretended) -> None:
    api.candidate()
    page = opened(signed_in=False)
    # This machine is ten minutes slow; tokens are counted by it alone, everything shown by the server's clock.
    page.add_init_script("const real = Date.now; Date.now = () => real() - 600000;")
    tokens = api.tokens()
    held = {"access": tokens["access_token"], "refresh": "refresh", "account": "r"}
    held |= {"expires": time.time() * 1000 + 3e6, "ends": time.time() * 1000 + 3e7}
    page.evaluate(f"localStorage.setItem('proviso.session', JSON.stringify({json.dumps(held)}))")
    page.reload()
    expect(page.locator("#waiting")).to_contain_text(re.compile(r"seen 2\d s ago"))
    expect(page.locator("#waiting")).to_contain_text(re.compile(r"4 min 5\d s left"))
