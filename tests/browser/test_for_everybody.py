"""Every view for everybody: axe-core's rules (WCAG 2.2 AA) in light and dark, narrow and wide, by finger and by key."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, Open
from tests.browser.pretend import Pretended, moment
from tests.browser.test_console import DENIED, REVIEWER, UNTESTED, decide

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def furnish(api: Pretended) -> None:
    api.reviewers = [REVIEWER, UNTESTED, DENIED]
    api.candidate("a", references=2)
    api.candidate(
        "b", seconds=50, place="A place whose name is as long as a name of a place may well be, second entrance"
    )
    own = api.candidate("c", own_decision="reject", own_reason="ears", state="rejected")
    own["secret"]["others"] = [{"decision": "confirm", "reason": "eyes", "decided_at": moment(-5)}]
    api.notice("a")
    api.notice("b", state="withdrawn")
    api.notice("c", outcome={"result": "engaged_wrong", "action": "none", "recorded_at": moment(-1)})
    api.notice("d", useful=-5)


def candidate(number: int, api: Pretended) -> str:
    return f"/console#c/{list(api.candidates)[number]}"


def notice(number: int, api: Pretended, page: str = "notices") -> str:
    return f"/console/{page}#n/{list(api.notices)[number]}"


def ready(page: Page) -> None:
    expect(page.locator("canvas.face[data-drawn]")).to_have_count(2)


def reason(page: Page) -> None:
    ready(page)
    page.locator('[data-decision="reject"]').click()
    page.keyboard.press("Control+Enter")


def after(page: Page) -> None:
    ready(page)
    decide(page, "c")
    page.get_by_role("button", name="Withdraw").click()


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop deployment").first.click()


def candidate_stop(page: Page) -> None:
    ready(page)
    stop(page)


def keys(page: Page) -> None:
    page.get_by_role("button", name="Keys").click()


def shown(text: str) -> Callable[[Page], None]:
    return lambda page: expect(page.get_by_text(text).first).to_be_visible()


VIEWS: dict[str, tuple[Callable[[Pretended], str], Callable[[Page], None], bool]] = {
    "signed out": (lambda _: "/console", shown("Sign in"), False),
    "list": (lambda _: "/console", shown("K7M2XB"), True),
    "keys": (lambda _: "/console", keys, True),
    "stop": (lambda _: "/console", stop, True),
    "candidate's stop": (lambda api: candidate(0, api), candidate_stop, True),
    "candidate": (lambda api: candidate(0, api), ready, True),
    "reason": (lambda api: candidate(1, api), reason, True),
    "after": (lambda api: candidate(0, api), after, True),
    "decided": (lambda api: candidate(2, api), ready, True),
    "not there": (lambda _: "/console#c/none", shown("cannot be shown"), True),
    "reviewers": (lambda _: "/console#reviewers", shown("Not measured"), True),
    "notices": (lambda _: "/console/notices", shown("WITHDRAWN"), True),
    "notice": (lambda api: notice(0, api), ready, True),
    "withdrawn": (lambda api: notice(1, api), shown("WITHDRAWN. Do not act on it."), True),
    "outcome": (lambda api: notice(2, api), ready, True),
    "late": (lambda api: notice(3, api), shown("Too late. Do not act on it"), True),
    "slip": (lambda api: notice(0, api, "slip"), shown("What you can do"), True),
    "slip withdrawn": (lambda api: notice(1, api, "slip"), shown("has been taken back"), True),
}


@pytest.fixture
def view(opened: Open, api: Pretended, request: pytest.FixtureRequest) -> Callable[..., Page]:
    def show(name: str, size: dict[str, int], scheme: str = "light", **more: Any) -> Page:
        furnish(api)
        path, then, signed_in = VIEWS[name]
        page = opened(path(api), size=size, scheme=scheme, signed_in=signed_in, expected=("404",), **more)
        then(page)
        return page

    return show


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_no_violation(view: Any, name: str) -> None:
    """On a phone and wide, light and dark."""
    page = view(name, PHONE)
    for size in (PHONE, WIDE):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            # Colours alone differ in the dark.
            assert violations(page, None if scheme == "light" else "color-contrast") == [], (size, scheme)


def violations(page: Page, rule: str | None = None) -> list[Any]:
    only = {"type": "rule", "values": [rule]} if rule else {"type": "tag", "values": TAGS}
    found = Axe().run(page, options={"runOnly": only})
    assert found.response["passes"], "axe looked at something"
    return [
        (one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"]])
        for one in found.response["violations"]
    ]


def test_axe_would_find_something(view: Any) -> None:
    page = view("list", WIDE)
    page.evaluate(
        "() => { document.getElementById('cap').style.color = '#ccc'; document.querySelector('h1').remove(); }"
    )
    assert {name for name, _ in violations(page)} >= {"color-contrast", "page-has-heading-one"}


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_scrolls_sideways(view: Any, name: str) -> None:
    page = view(name, WIDE)
    for width in (320, 360, 640, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, textarea")]
  .filter((e) => e.checkVisibility() && !e.classList.contains("skip"))
  .map((e) => {
    const box = (e.type === "checkbox" ? e.closest("label") : e).getBoundingClientRect();
    return [e.outerHTML.slice(0, 90), box.width, box.height];
  })
  .filter(([, width, height]) => width < 44 || height < 44)"""


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_tapped_is_large_enough_for_cold_fingers(view: Any, name: str) -> None:
    """44 px; WCAG 2.5.8 asks for 24."""
    assert view(name, PHONE).evaluate(SMALL) == []


HIDDEN = """() => {
  const focused = document.activeElement;
  if (focused === document.body || focused.classList.contains("skip")) return null;
  const box = focused.getBoundingClientRect();
  const seen = [0.1, 0.5, 0.9].filter((share) => {
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height * share);
    return top && (focused.contains(top) || top.contains(focused));
  });
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  const ring = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  return { name: focused.outerHTML.slice(0, 80), seen: seen.length, ring };
}"""


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 256}, WIDE], ids=["phone", "zoomed", "wide"])
@pytest.mark.parametrize("name", ["list", "candidate", "candidate's stop", "after", "notice", "outcome"])
def test_focus_is_seen_and_not_covered(view: Any, name: str, size: dict[str, int]) -> None:
    """WCAG 2.4.7 and 2.4.11; 320 by 256 is a screen of 1280 by 1024 at 400 %."""
    page = view(name, size)
    page.locator("main").focus()
    names = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        found = page.evaluate(HIDDEN)
        if found is None:
            break
        names.add(found["name"])
        assert found["ring"], found
        assert found["seen"] > 0, found
    assert len(names) >= 3


def test_no_view_moves_when_motion_is_not_wanted(view: Any) -> None:
    page = view("list", WIDE)
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("name", VIEWS)
def test_headings_and_landmarks_are_in_order(view: Any, name: str) -> None:
    page = view(name, WIDE)
    levels = [
        int(one[1])
        for one in page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].filter((e) => e.checkVisibility()).map((e) => e.tagName)"
        )
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("banner", "main"):
        expect(page.get_by_role(landmark, include_hidden=True)).to_have_count(1)
