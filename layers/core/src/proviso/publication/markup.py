"""What all published pages share: text that is always escaped, tables with their headers, one style, and the rule that
nothing else is fetched or run."""

import base64
import functools
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any


class Markup(str):
    """Text that is HTML already. Everything else is escaped."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """A value as HTML: markup as it is, all else escaped; a number with its thousands apart."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup("not recorded")
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    return Markup(escape(f"{value:,}" if isinstance(value, int) else str(value)))


def html(pattern: str, *values: Any) -> Markup:
    """A pattern of ours with `{}` for each value, which is escaped."""
    return Markup(pattern.format(*(text(value) for value in values)))


def joined(parts: Iterable[Any], between: str = "") -> Markup:
    """Parts one after the other."""
    return Markup(between.join(text(part) for part in parts))


def facts(values: Iterable[tuple[str, Any]]) -> Markup:
    """Name and value, a row each."""
    rows = (html("<dt>{}</dt><dd>{}</dd>", name, value) for name, value in values)
    return html('<dl class="facts">{}</dl>', joined(rows))


def numbers(values: Iterable[tuple[str, Any]]) -> Markup:
    """Large figures with what they count."""
    cells = (
        html("<div><dt>{}</dt><dd{}>{}</dd></div>", name, Markup("" if _is_number(value) else ' class="words"'), value)
        for name, value in values
    )
    return html('<dl class="numbers">{}</dl>', joined(cells))


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> Markup:
    """A table whose rows stand one below the other on a narrow screen. The first cell of a row is its header; `right`:
    the columns of figures."""

    def kind(column: int) -> Markup:
        return Markup(' class="n"' if column in right else "")

    head = joined(html('<th scope="col"{}>{}</th>', kind(place), column) for place, column in enumerate(columns))
    body = []
    for first, *cells in rows:
        named = (
            html('<td{} data-label="{}">{}</td>', kind(place), columns[place], cell)
            for place, cell in enumerate(cells, 1)
        )
        body.append(html('<tr><th scope="row">{}</th>{}</tr>', first, joined(named)))
    return html(
        '<table class="stack"><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        caption,
        head,
        joined(body),
    )


def section(title: str, *parts: Any, long: bool = False) -> Markup:
    """A part of a page. `long`: may break over pages when printed."""
    return html("<section{}><h2>{}</h2>{}</section>", Markup(' class="long"' if long else ""), title, joined(parts))


def links(found: Iterable[tuple[str, str]]) -> Markup:
    """(words, address), addresses of our own making."""
    return html(
        '<ul class="links screen">{}</ul>',
        joined(html('<li><a href="{}">{}</a></li>', address, words) for words, address in found),
    )


def page(title: str, header: Any, main: Any, footer: Any = "", *, sheet: str = "record.css") -> str:
    """A whole page in English."""
    foot = html("<footer>{}</footer>", footer) if footer else Markup("")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{text(title)}</title><link rel="icon" href="data:,"><style>{style(sheet)}</style></head>'
        f"<body><header>{text(header)}</header><main>{text(main)}</main>{foot}</body></html>\n"
    )


@functools.cache
def style(sheet: str) -> str:
    """One of the style sheets beside this module."""
    return (files(__package__) / sheet).read_text(encoding="utf-8")


def content_security_policy(*styles: str) -> str:
    """The page's own styles and nothing else: no script, no picture, no frame, no form, no other address."""
    own = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in styles)
    return (
        f"default-src 'none'; style-src {own}; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


def headers(kind: str, kept: str, *styles: str) -> dict[str, Any]:
    """Headers of a published file. `kept`: its Cache-Control; `styles`: those of a page."""
    made = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    if kind == "text/html":
        made |= {"Content-Security-Policy": content_security_policy(*styles), "X-Frame-Options": "DENY"}
    return made
