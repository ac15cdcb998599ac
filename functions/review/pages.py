"""The pages for people: the reviewers' console, the recipients' page, and what they are made of.

Served by the API itself, so that page and API are one origin and no other host is ever asked for anything. A page holds
nothing about anybody: what it shows it asks the API for, with the token of whoever signed in. So these routes are open.
"""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import Response

from functions.review import answers
from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.http import answer, refusal, routes
from proviso.wiring import pages as wiring

router = routes()
FOLDER = Path(__file__).parent / "page"
HTML, CSS, SCRIPT, DRAWING = "text/html", "text/css", "text/javascript", "image/svg+xml"
HOME = "index.html"
FILES = {
    "notices": ("notices.html", HTML),
    "slip": ("notices.html", HTML),
    "proviso.css": ("proviso.css", CSS),
    "icon.svg": ("icon.svg", DRAWING),
    **{name: (name, SCRIPT) for name in ("page.js", "session.js", "api.js", "pictures.js")},
    **{name: (name, SCRIPT) for name in ("console.js", "candidate.js", "decided.js", "reviewers.js")},
    **{name: (name, SCRIPT) for name in ("notices.js", "slip.js")},
}
"""What may be asked for, and nothing else: the name in the address, the file, its type."""


@router.get("/console", responses=gives(HTML, public=True, what="The page"))
def console() -> Response[Any]:
    """Show the reviewers' console."""
    return _file(HOME, HTML)


@router.get("/console/settings.json", responses=gives(answers.PageSettings, public=True))
def page_settings() -> Response[Any]:
    """Show where the pages and the command line sign people in."""
    place = wiring.sign_in_place()
    shown = {
        "sign_in_url": place.url,
        "client_id": place.client_id,
        "command_line_client_id": place.command_line_client_id,
    }
    return answer(200, shown, _headers())


@router.get(
    "/console/<file>",
    responses=gives((HTML, CSS, SCRIPT, DRAWING), Reason.NOT_FOUND, public=True, what="The page, or a part of it"),
)
def part(file: str) -> Response[Any]:
    """Show the recipients' page (`notices`), a slip (`slip`), or a file that a page is made of.

    The names are a closed list.
    """
    found = FILES.get(file)
    return _file(*found) if found else refusal(Refused(Reason.NOT_FOUND, "page"))


def _file(name: str, kind: str) -> Response[Any]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return Response(200, f"{kind}; charset=utf-8", text, headers=_headers())


@cache
def _headers() -> dict[str, Any]:
    return {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": content_security_policy(wiring.sign_in_place().url),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
    }


def content_security_policy(sign_in_url: str) -> str:
    """Own files only, nothing inline, no frame around it; beside itself the page may call the sign-in alone."""
    sign_in = urlsplit(sign_in_url)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            f"connect-src 'self' {sign_in.scheme}://{sign_in.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
