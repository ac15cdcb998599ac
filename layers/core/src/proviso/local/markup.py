"""What the two local pages share: a page that is whole in itself, and the headers that keep it so."""

import base64
import functools
import hashlib
from pathlib import Path

Answer = tuple[int, list[tuple[str, str]], bytes]
_STATIC = Path(__file__).parent / "static"


@functools.cache
def static(name: str) -> str:
    """A style or script of these pages."""
    return (_STATIC / name).read_text(encoding="utf-8")


def page(title: str, body: str, *, styles: tuple[str, ...], script: str = "", state: str = "") -> str:
    """One HTML page with its styles and script in it. `title` and `body` are markup already, `state` a plain word."""
    style = "".join(static(name) for name in styles)
    run = f"<script>{static(script)}</script>" if script else ""
    mark = f' data-state="{state}"' if state else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
        f"<style>{style}</style></head><body{mark}>{body}{run}</body></html>"
    )


def html_answer(status: int, text: str, *, styles: tuple[str, ...], script: str = "", forms: str = "") -> Answer:
    """The page with headers by which nothing runs in it, and nothing is fetched, but what is its own. `forms`: an
    origin to which its forms may lead besides."""
    style = _digest("".join(static(name) for name in styles))
    run = f"script-src '{_digest(static(script))}'; connect-src 'self'; " if script else ""
    to = f"'self' {forms}".strip()
    rules = f"default-src 'none'; style-src '{style}'; {run}form-action {to}; base-uri 'none'; frame-ancestors 'none'"
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", rules),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return status, headers, text.encode()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
