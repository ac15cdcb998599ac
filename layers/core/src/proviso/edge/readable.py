"""What no route can use is refused here, before any route is asked: bodies that are no JSON, text that no store keeps.

A NUL character is an error in PostgreSQL, half a surrogate pair in UTF-8, a number of 5,000 digits in Python, and each
would end as a fault that looks like ours. One check for all routes: a new one need not remember it.
"""

import base64
import json
import re
from typing import Any
from urllib.parse import unquote, unquote_plus

from proviso.domain.reasons import Reason, Refused

_UNKEPT = re.compile("[\x00\ud800-\udfff]")
_PARAMETER = re.compile(r"\{(\w+)\}")


def unreadable_path(event: dict[str, Any]) -> Refused | None:
    """INVALID when the path names something with a character that no text may hold."""
    return _kept("path", unquote(str(event.get("rawPath") or "")))


def unreadable_input(event: dict[str, Any]) -> Refused | None:
    """INVALID with what was wrong in the query or the body, or None. For routes that read them, and for no others: a
    stop must not fail for what was sent along with it."""
    if refused := _kept("query", unquote_plus(str(event.get("rawQueryString") or ""))):
        return refused
    if not event.get("body"):
        return None
    kind = str((event.get("headers") or {}).get("content-type") or "").split(";")[0].strip().lower()
    if kind not in ("", "application/json"):
        return Refused(Reason.INVALID, "the body: send JSON, as application/json")
    return _not_json(event)


def path_of(event: dict[str, Any]) -> str:
    """The path with its parameters decoded once. Gateways differ in whether rawPath is decoded; pathParameters are."""
    path, given = str(event["rawPath"]), event.get("pathParameters") or {}
    route = str(event.get("routeKey") or "").partition(" ")[2]
    names = _PARAMETER.findall(route)
    if not names or not set(names) <= set(given):
        return path
    return _PARAMETER.sub(lambda found: str(given[found[1]]), route)


def _kept(name: str, text: str) -> Refused | None:
    return Refused(Reason.INVALID, f"{name}: a character that no text here may hold") if _UNKEPT.search(text) else None


def _not_json(event: dict[str, Any]) -> Refused | None:
    body = event["body"]
    try:
        text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else body
        parsed = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return Refused(Reason.INVALID, "the body is not JSON that can be read")
    return (
        Refused(Reason.INVALID, "the body has text with a character that none here may hold") if _odd(parsed) else None
    )


def _no_number(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity: Python reads them, JSON does not have them


def _odd(parsed: Any) -> bool:
    """Without recursion: what could be parsed may be nested deeper than a function may call itself."""
    left = [parsed]
    while left:
        one = left.pop()
        if isinstance(one, str) and _UNKEPT.search(one):
            return True
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
    return False
