"""The API as the contract has it, pretended in this process: pages are tested against it without a cloud.

The pages themselves, with their headers, come from the real routes of functions/review/pages.py. What is pretended is
what they ask: sign-in with PKCE, the list, pictures, decisions, notices. Every request is kept, so that a test can say
what was sent and how often.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
from playwright.sync_api import Page, Route

from functions.review.app import handler

ORIGIN = "https://proviso.example"
SIGN_IN = f"{ORIGIN}/local"
CLIENT = "client"
FACE = {"x": 300, "y": 120, "width": 60, "height": 80}
REFERENCE_FACE = {"x": 40, "y": 60, "width": 180, "height": 240}
CONTEXT = SimpleNamespace(aws_request_id="r", function_name="review", memory_limit_in_mb=512, invoked_function_arn="a")
BEFORE = ("reference", "id", "deployment_id", "camera", "place", "captured_at", "raised_at", "decide_by", "state")

ROLE_MISSING = {"reason": "role_missing", "message": "your account does not have the role that this needs"}


def moment(seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def drawn(width: int, height: int, face: dict[str, int], colour: tuple[int, int, int]) -> bytes:
    """A grey picture with a patch of one colour (BGR) where its face is."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    x, y, w, h = (face[name] for name in ("x", "y", "width", "height"))
    pixels[y : y + h, x : x + w] = colour
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


@dataclass
class Asked:
    method: str
    path: str
    body: Any
    access: str


@dataclass
class Pretended:
    """What the API would hold. Change it, then call `changed()`."""

    probe: bytes = field(default_factory=lambda: drawn(640, 360, FACE, (60, 60, 220)))
    reference: bytes = field(default_factory=lambda: drawn(260, 360, REFERENCE_FACE, (60, 200, 60)))
    probe_face: dict[str, int] | None = field(default_factory=lambda: dict(FACE))
    reference_face: dict[str, int] | None = field(default_factory=lambda: dict(REFERENCE_FACE))
    candidates: dict[str, dict[str, Any]] = field(default_factory=dict)
    notices: dict[str, dict[str, Any]] = field(default_factory=dict)
    reviewers: list[dict[str, Any]] | None = None  # None: 403
    cap: int | None = 30
    decided: int = 4
    reviewing: bool = True  # False: 403, the account has no such role
    mark: int = 1
    asked: list[Asked] = field(default_factory=list)
    faults: dict[tuple[str, str], list[tuple[int, dict[str, Any], dict[str, str]] | str]] = field(default_factory=dict)
    before_answer: Callable[[Asked], None] = lambda _: None
    challenge: str = ""
    access: int = 0
    expires_in: int = 3600
    revoked: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    # --- what it holds --------------------------------------------------------------------------------------------

    def changed(self) -> None:
        self.mark += 1

    def candidate(self, name: str = "a", *, seconds: float = 300, references: int = 1, **more: Any) -> dict[str, Any]:
        """A candidate that waits; the secret part is what the API gives after the own decision alone."""
        made = {
            "reference": f"K7M2{name.upper():X>2}",
            "id": f"c0ffee00-0000-5000-8000-{name.encode().hex():0>12}",
            "deployment_id": "3f2a91c0-1111-4222-8333-444455556666",
            "camera": "north",
            "place": "Hall, north door",
            "captured_at": moment(-20),
            "raised_at": moment(-18),
            "decide_by": moment(seconds),
            "state": "raised",
            "message_prefix": "DEMONSTRATION: ",
            "references": references,
            "reviewers_required": 1,
            "own_decision": None,
            "secret": {
                "similarity": 0.5123,
                "threshold": "0.42",
                "calibrated": True,
                "policy": "demo 1",
                "category": "public_domain_photograph",
                "listing_reason": "to be looked for",
                "stranger_once_in": {"low": 1200, "high": 4500},
                "others": [],
                "test": None,
                "demographics_recorded": False,
            },
        } | more
        self.candidates[made["id"]] = made
        return made

    def notice(self, name: str = "a", *, useful: float = 600, **more: Any) -> dict[str, Any]:
        made = {
            "reference": f"N4T5{name.upper():X>2}",
            "id": f"0badcafe-0000-5000-8000-{name.encode().hex():0>12}",
            "deployment_id": "3f2a91c0-1111-4222-8333-444455556666",
            "camera": "north",
            "place": "Hall, north door",
            "captured_at": moment(-90),
            "confirmed_at": moment(-30),
            "useful_until": moment(useful),
            "state": "confirmed",
            "message_prefix": "DEMONSTRATION: ",
            "outcome": None,
            "calibrated": False,
            "held_until": None,
        } | more
        self.notices[made["id"]] = made
        return made

    def fault(self, method: str, path: str, *answers: tuple[int, dict[str, Any], dict[str, str]] | str) -> None:
        """The next answers of that path: (status, body, headers), or "away" for none at all."""
        self.faults.setdefault((method, path), []).extend(answers)

    def sent(self, method: str, ending: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.endswith(ending)]

    # --- answering ------------------------------------------------------------------------------------------------

    def on(self, page: Page) -> None:
        """Answer everything that this page asks; nothing goes out."""
        page.route("**/*", self._route)

    def _route(self, route: Route) -> None:
        request = route.request
        url = urlsplit(request.url)
        if f"{url.scheme}://{url.netloc}" != ORIGIN:
            route.abort()
            return
        if url.path.startswith("/local/"):
            self._sign_in(route, url.path, {k: v[0] for k, v in parse_qs(url.query).items()})
            return
        if url.path == "/console" or url.path.startswith("/console/"):
            answer = handler(page_event(url.path), CONTEXT)
            headers = answer.get("headers") or {name: v[0] for name, v in answer["multiValueHeaders"].items()}
            route.fulfill(status=answer["statusCode"], headers=headers, body=answer["body"])
            return
        access = (request.headers.get("authorization") or "").removeprefix("Bearer ")
        text = request.post_data
        asked = Asked(request.method, url.path, json.loads(text) if text else None, access)
        self.asked.append(asked)
        self.before_answer(asked)
        waiting = self.faults.get((asked.method, asked.path))
        if waiting:
            planned = waiting.pop(0)
            if isinstance(planned, str):
                route.abort("connectionfailed")
            else:
                status, body, headers = planned
                route.fulfill(status=status, json=body, headers=headers)
        elif access != f"access-{self.access}":
            route.fulfill(status=401, json={"message": "Unauthorized"})
        else:
            self._answer(route, asked)

    def _answer(self, route: Route, asked: Asked) -> None:
        found = self._find(asked)
        if found is None:
            route.fulfill(status=404, json={"reason": "not_found", "message": "there is nothing of that name"})
        elif isinstance(found, bytes):
            route.fulfill(status=200, body=found, headers={"Content-Type": "image/jpeg", "Cache-Control": "no-store"})
        elif isinstance(found, tuple):
            route.fulfill(status=found[0], json=found[1])
        else:
            route.fulfill(status=200, json=found)

    def _find(self, asked: Asked) -> Any:
        match asked.path.strip("/").split("/"):
            case ["changes"]:
                return {"token": str(self.mark)}
            case ["candidates"]:
                return self._list() if self.reviewing else (403, ROLE_MISSING)
            case ["candidates", id, *rest] if id in self.candidates:
                return self._candidate(self.candidates[id], rest, asked)
            case ["notices"]:
                return {"now": moment(), "notices": [self._brief(one) for one in reversed(self.notices.values())]}
            case ["notices", id, *rest] if id in self.notices:
                return self._notice(self.notices[id], rest, asked)
            case ["reviewers"]:
                return (403, ROLE_MISSING) if self.reviewers is None else {"reviewers": self.reviewers}
            case ["deployments", id, "stop"] if asked.method == "POST":
                return self._stop(id)
        return None

    def _stop(self, deployment: str) -> dict[str, Any]:
        """As functions/govern answers it: done again, it finds nothing and is no fault."""
        running = [] if deployment in self.stopped else [deployment]
        self.stopped.append(deployment)
        for one in self.candidates.values():
            if one["deployment_id"] == deployment and one["state"] == "raised":
                one["state"] = "frozen"
        return {"stopped": running, "permits_deleted": ["north"] if running else [], "database": "done"}

    def _list(self) -> dict[str, Any]:
        waiting = [c for c in reversed(self.candidates.values()) if c["state"] == "raised" and not c["own_decision"]]
        own = [c for c in reversed(self.candidates.values()) if c["own_decision"]]
        others = [c for c in self.candidates.values() if c["state"] == "confirmed" and not c["own_decision"]]
        names = (*BEFORE, "message_prefix")
        return {
            "now": moment(),
            "cap": {"per_hour": self.cap, "decided": self.decided},
            "candidates": [{name: c[name] for name in names} for c in waiting],
            "decided": [{name: c[name] for name in (*names, "own_decision")} for c in own],
            "confirmed": [{name: c[name] for name in names} for c in others],
            "suspended": [],
        }

    def _candidate(self, one: dict[str, Any], rest: list[str], asked: Asked) -> Any:
        match asked.method, rest:
            case "GET", []:
                return self._view(one)
            case "GET", ["evidence"]:
                return self.probe
            case "GET", ["references", _]:
                return self.reference
            case "POST", ["decision"]:
                one["own_decision"], one["own_reason"] = asked.body["decision"], asked.body["reason"]
                state = {"confirm": "confirmed", "reject": "rejected", "cannot_tell": "raised"}[one["own_decision"]]
                one["state"] = "raised" if one["reviewers_required"] == 2 and state == "confirmed" else state
                self.decided += 1
                self.changed()
                return self._view(one)
            case "POST", ["withdrawal"]:
                one["state"] = "withdrawn"
                self.changed()
                return self._view(one)
            case "POST", ["demographics"]:
                one["secret"]["demographics_recorded"] = True
                return (201, {})
        return None

    def _view(self, one: dict[str, Any]) -> dict[str, Any]:
        base = f"/candidates/{one['id']}"
        references = [{"path": f"{base}/references/{n}", "face": self.reference_face} for n in range(one["references"])]
        shown = {name: one[name] for name in (*BEFORE, "message_prefix", "reviewers_required", "own_decision")}
        shown |= {
            "now": moment(),
            "evidence": f"{base}/evidence",
            "face": self.probe_face,
            "references": references,
        }
        return shown | ({"own_reason": one["own_reason"], **one["secret"]} if one["own_decision"] else {})

    def _brief(self, one: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in one.items() if name not in ("calibrated", "held_until")}

    def _notice(self, one: dict[str, Any], rest: list[str], asked: Asked) -> Any:
        base = f"/notices/{one['id']}"
        whole = self._brief(one) | {
            "now": moment(),
            "calibrated": one["calibrated"],
            "evidence": f"{base}/evidence",
            "face": self.probe_face,
            "references": [{"path": f"{base}/references/0", "face": self.reference_face}],
        }
        match asked.method, rest:
            case "GET", []:
                return whole
            case "GET", ["evidence" | "references", *_] if one["state"] == "withdrawn":
                return (409, {"reason": "wrong_state", "message": "it is withdrawn"})
            case "GET", ["evidence" | "references", *_] if one["useful_until"] < moment():
                return (410, {"reason": "too_late", "message": "the time for this has passed"})
            case "GET", ["evidence"]:
                return self.probe
            case "GET", ["references", _]:
                return self.reference
            case "POST", ["outcome"]:
                one["outcome"] = {**asked.body, "recorded_at": moment()}
                return whole | {"outcome": one["outcome"]}
            case "POST", ["hold"]:
                one["held_until"] = moment(30 * 86400)
                return {"held_until": one["held_until"]}
            case "GET", ["slip"]:
                return {
                    "reference": one["reference"],
                    "place": one["place"],
                    "captured_at": one["captured_at"],
                    "controller": "Example Trials Limited, 1 Example Street, Exampletown",
                    "complaints": "privacy@example.org, or by post to the address above",
                    "use": "demonstration",
                    "legal_basis": "recorded consent of everybody before the camera",
                    "policy": "demo 1",
                    "deployment_id": one["deployment_id"],
                    "evidence_until": moment(80_000),
                    "held_until": one["held_until"],
                }
        return None

    # --- the sign-in ----------------------------------------------------------------------------------------------

    def _sign_in(self, route: Route, path: str, query: dict[str, str]) -> None:
        match path:
            case "/local/oauth2/authorize":
                assert query["response_type"] == "code"
                assert query["client_id"] == CLIENT
                assert query["redirect_uri"] == f"{ORIGIN}/console"
                assert query["code_challenge_method"] == "S256"
                self.challenge = query["code_challenge"]
                back = f"{query['redirect_uri']}?code=the-code&state={query['state']}"
                link = f'<a id="go" href="{back}">Sign in as reviewer-1</a>'
                route.fulfill(status=200, content_type="text/html", body=f"<title>Sign in</title>{link}")
            case "/local/oauth2/token":
                self._token(route, {k: v[0] for k, v in parse_qs(route.request.post_data or "").items()})
            case "/local/oauth2/revoke":
                self.revoked.append(parse_qs(route.request.post_data or "")["token"][0])
                route.fulfill(status=200, body="")
            case "/local/logout":
                assert query["logout_uri"] == f"{ORIGIN}/console"
                route.fulfill(status=200, content_type="text/html", body="<title>Signed out</title>")
            case _:
                route.fulfill(status=404, body="")

    def _token(self, route: Route, fields: dict[str, str]) -> None:
        if fields["grant_type"] == "authorization_code":
            digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
            proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == self.challenge
            good = proven and fields["code"] == "the-code" and fields["client_id"] == CLIENT
        else:
            good = fields["refresh_token"] == "refresh"
        if not good:
            route.fulfill(status=400, json={"error": "invalid_grant"})
            return
        route.fulfill(status=200, json=self.tokens())

    def tokens(self) -> dict[str, Any]:
        self.access += 1
        name = base64.urlsafe_b64encode(json.dumps({"sub": "reviewer-1"}).encode()).decode().rstrip("=")
        return {
            "access_token": f"access-{self.access}",
            "id_token": f"e30.{name}.x",
            "refresh_token": "refresh",
            "expires_in": self.expires_in,
            "token_type": "Bearer",
        }


def page_event(path: str) -> dict[str, Any]:
    """The event of a request for a page, as the gateway makes it."""
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"}
    return {
        "version": "2.0",
        "routeKey": "GET /console",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "proviso.example"},
        "requestContext": {"http": http, "requestId": "r", "stage": "$default", "timeEpoch": 0},
        "isBase64Encoded": False,
    }
