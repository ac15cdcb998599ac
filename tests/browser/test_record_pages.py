"""The public record, the gallery, the notice sheet and the sign for everybody: axe-core's rules in light and dark,
narrow and
wide, without a script, from a file; and on paper of the size that they say, so large that it can be read."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from proviso.publication.gallery import gallery_page
from proviso.publication.notice_sheet import Contacts, notice_sheet, signage
from proviso.publication.record_page import record_page
from proviso.stages.report import entry_of
from tests import record_samples as samples
from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_for_everybody import TAGS
from tests.samples import policy

ZONE = ZoneInfo("Europe/London")
LONG = "A place whose name is as long as a name of a place may well be, second entrance behind the market hall"
CONTACTS = Contacts(
    "Complaints, 1 High Street, Exampletown; complaints@example.org; " + "a long line " * 19,
    "privacy@example.org",
    f"https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/records/{samples.closed().id}/latest.html",
)
POINTS = {"A4": (595, 842), "A3": (842, 1191)}


def gallery() -> str:
    first = entry_of(samples.final(), b"x")
    entries = [
        first,
        {**first, "place": LONG, "candidates": 0, "false_candidates": 0},
        {**first, "demonstration": "DEMONSTRATION", "faces_searched": 0, "candidates": 0, "false_candidates": 0},
    ]
    return gallery_page(entries, [samples.groups()], address=lambda one: f"{one['deployment']}.html")


PAGES: dict[str, Callable[[], str]] = {
    "record": lambda: record_page(samples.final(), files=[("as JSON", "2.json")]),
    "demonstration": lambda: record_page({**samples.record(), "demonstration": "DEMONSTRATION", "place": LONG}),
    "gallery": gallery,
    "notice": lambda: notice_sheet(samples.closed(place=LONG), CONTACTS, ZONE),
    "sign-A3": lambda: signage(samples.closed(), CONTACTS, ZONE, "A3"),
    "sign-A4": lambda: signage(samples.closed(policy=policy()), CONTACTS, ZONE, "A4"),
}
Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """show(name, size, ...): a page from a file: address, with scripts off but for axe."""
    contexts = []

    def shown(name: str, size: dict[str, int] = WIDE, scheme: str = "light", **more: Any) -> Page:
        context = browser.new_context(viewport=size, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        path = tmp_path / f"{name}.html"
        path.write_text(PAGES[name](), encoding="utf-8")
        page.goto(path.as_uri())
        assert [address for address in asked if not address.startswith(("file:", "data:"))] == []
        return page

    yield shown
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(show: Show, name: str) -> None:
    for size, scheme in ((PHONE, "light"), (PHONE, "dark"), (WIDE, "light"), (WIDE, "dark")):
        found = Axe().run(show(name, size, scheme), options={"runOnly": TAGS})
        assert found.response["violations"] == [], f"{size} {scheme}: {found.generate_report()}"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_a_narrow_screen(show: Show, name: str) -> None:
    page = show(name, PHONE, java_script_enabled=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("name", ["record", "gallery"])
def test_without_scripts_it_is_the_same(show: Show, name: str) -> None:
    assert "22,757" in (show(name, java_script_enabled=False).text_content("main") or "")


def paper(page: Page) -> tuple[set[tuple[int, int]], int]:
    """The sizes of its pages in points, and how many there are."""
    made = page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", made)
    return {(round(float(width)), round(float(height))) for width, height in boxes}, len(
        re.findall(rb"/Type /Page\b", made)
    )


@pytest.mark.parametrize(("name", "size", "most"), [("notice", "A4", 2), ("sign-A3", "A3", 1), ("sign-A4", "A4", 1)])
def test_it_prints_on_the_paper_that_it_is_for(show: Show, name: str, size: str, most: int) -> None:
    sizes, count = paper(show(name))
    assert sizes == {POINTS[size]}
    assert count <= most


def test_a_record_prints_on_a4(show: Show) -> None:
    assert paper(show("record"))[0] == {POINTS["A4"]}


@pytest.mark.parametrize(("name", "millimetres"), [("sign-A3", 277), ("sign-A4", 190)])
def test_a_sign_is_read_from_afar(show: Show, name: str, millimetres: int) -> None:
    """As printed: the title in letters of 20 points a metre of paper's width, and nothing over the edge."""
    across = round(millimetres / 25.4 * 96)
    page = show(name, {"width": across, "height": round(across * 1.43)})
    page.emulate_media(media="print")
    sizes = page.evaluate(
        "['h1', '.cy-title', '.say', '.who'].map(one =>"
        " parseFloat(getComputedStyle(document.querySelector(one)).fontSize))"
    )
    assert sizes[0] == sizes[1] >= across * 0.07
    assert sizes[2] >= across * 0.03
    assert sizes[3] >= across * 0.02
    inside = page.evaluate(
        "(() => { const sign = document.querySelector('.sign'); return sign.scrollHeight <= sign.clientHeight + 1"
        " && sign.scrollWidth <= sign.clientWidth + 1; })()"
    )
    assert inside
    assert page.locator(".screen").is_hidden(), "the warning about the Welsh is for who prints it"
