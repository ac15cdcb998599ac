"""HTTP in and out: the authorizer has verified the token; who that is and what they may is read here, each time.

A refusal becomes a status and a sentence, the same everywhere. The database being away is 503 with Retry-After, so
that a client waits for it to resume instead of reporting a fault.
"""

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from inspect import signature
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from proviso.domain.errors import DatabaseAway, Fault, TransientFault
from proviso.domain.frame import Jpeg
from proviso.domain.people import Principal
from proviso.domain.reasons import Reason, Refused
from proviso.edge.readable import path_of, unreadable_input, unreadable_path
from proviso.edge.telemetry import count_fault, fault_text, invocation, logger

RETRY_AFTER_S = 5
STATUS = {
    Reason.NOT_SIGNED_IN: 401,
    Reason.CAMERA_KEY: 401,
    Reason.ROLE_MISSING: 403,
    Reason.SAME_PERSON: 403,
    Reason.NOT_FOUND: 404,
    Reason.WRONG_STATE: 409,
    Reason.NOT_ACTIVE: 409,
    Reason.TERMS_CHANGED: 409,
    Reason.CAMERA_BUSY: 409,
    Reason.DIGEST_DIFFERS: 409,
    Reason.NOT_CALIBRATED: 409,
    Reason.THRESHOLD_TOO_LOW: 409,
    Reason.TRIAL_TOO_SMALL: 409,
    Reason.NOT_AS_RECORDED: 409,
    Reason.NOT_ANNOUNCED: 409,
    Reason.NO_DECISION: 409,
    Reason.NOT_APPROVED: 409,
    Reason.NOT_REACHABLE: 409,
    Reason.TAKEN: 409,
    Reason.NOT_TRAINED: 403,
    Reason.NOT_A_MEMBER: 403,
    Reason.ERRS_TOO_OFTEN: 403,
    Reason.REVIEWER_CAP: 429,
    Reason.NO_TEST_PAIRS: 409,
    Reason.SUSPENDED: 409,
    Reason.BUILD_TOO_OLD: 409,
    Reason.BUILD_EMPTY: 409,
    Reason.SCHEMA_NEWER: 409,
    Reason.REFERENCES_DIFFER: 409,
    Reason.OUTSIDE_WINDOW: 409,
    Reason.NO_PERMIT: 409,
    Reason.TOO_LATE: 410,
    Reason.NOT_OFFERED_YET: 501,
    Reason.INVALID: 400,
    Reason.POLICY_FORBIDS: 400,
}
"""Reasons that are not here concern a picture: 422."""

ASKED_ALL_THE_TIME = frozenset({"GET /changes"})
"""Open pages ask it twice a second. Answered well, it is in the API's own log and not in the function's."""
_A_CANDIDATE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REASONS = frozenset({*(reason.value for reason in Reason), "fault", "database_away", "storage_fault"})

PrincipalOf = Callable[[str], Principal | Refused]


def routes() -> APIGatewayHttpRouter:
    """An empty set of routes for a module to fill; it reads nothing of the environment."""
    return APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


def api(*routers: APIGatewayHttpRouter) -> APIGatewayHttpResolver:
    """The function's routes with one mapping of faults. Made at first use: Powertools reads the environment."""
    app = APIGatewayHttpResolver(enable_validation=True)
    for router in routers:
        app.include_router(router)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(DatabaseAway)(_away)
    app.exception_handler(TransientFault)(_transient)
    app.exception_handler(Fault)(_fault)
    app.not_found(_no_route)
    return app


def _invalid(error: RequestValidationError) -> Response[str]:
    faults = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
    return refusal(Refused(Reason.INVALID, "; ".join(faults)[:1000]))


def _away(error: DatabaseAway) -> Response[str]:
    """Said in the log as well: a wrong certificate or a shut network looks like a database that wakes for ever."""
    logger().warning("the database is away", extra={"fault": type(error).__name__, "detail": fault_text(error)})
    count_fault(error)
    return _later("database_away", "the database is resuming; try again in a few seconds")


def _transient(error: TransientFault) -> Response[str]:
    _report(error)
    return _later("storage_fault", "a storage service failed; try again in a few seconds")


def _fault(error: Fault) -> Response[str]:
    _report(error)
    return answer(
        500, {"reason": "fault", "message": "look again before you rely on it; the fault is in the function's log"}
    )


def _no_route(_: NotFoundError) -> Response[str]:
    return refusal(Refused(Reason.NOT_FOUND, "route"))


def answer_request(app: APIGatewayHttpResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API event."""
    if not isinstance(event, dict) or "requestContext" not in event or "rawPath" not in event:
        raise ValueError("not an HTTP API event (payload format 2.0); see events/ for samples")
    began = time.perf_counter()
    with invocation(context.aws_request_id):
        refused = unreadable_path(event)
        event = {**event, "rawPath": path_of(event)}
        asked = _asked(app, event)
        if refused is None and (fault := unreadable_input(event)) and asked and asked.reads_input():
            refused = fault
        answered = as_event(refusal(refused)) if refused else app.resolve(event, context)
        _request_line(event, asked, answered, (time.perf_counter() - began) * 1000)
        return answered


@dataclass(frozen=True, slots=True)
class Asked:
    """The route that serves a request: as it is written, what its path gives, and what answers it."""

    route: str
    given: dict[str, str]
    answers: Callable[..., Any]

    def reads_input(self) -> bool:
        """Does it take more than its path gives?"""
        return bool(set(signature(self.answers).parameters) - set(self.given))


def _asked(app: APIGatewayHttpResolver, event: dict[str, Any]) -> Asked | None:
    method, path = event["requestContext"].get("http", {}).get("method"), event["rawPath"]
    for route in (*app._static_routes, *app._dynamic_routes):
        found = route.rule.match(path)
        if route.method == method and found:
            return Asked(f"{method} {route.path}", found.groupdict(), route.func)
    return None


def _request_line(event: dict[str, Any], asked: Asked | None, answered: dict[str, Any], ms: float) -> None:
    """One line a request: the route as it is written, never the path, and the candidate that was acted on. A
    correlation id is on it where the route's stage said which frame that came from."""
    status = answered.get("statusCode", 500)
    if asked is not None and asked.route in ASKED_ALL_THE_TIME and status == 200:
        return
    given = asked.given if asked else {}
    candidate = given.get("candidate_id") or given.get("notice_id") or ""
    logger().info(
        "request",
        extra={
            "route": asked.route if asked else "no route",
            "status": status,
            "ms": round(ms, 1),
            "api_request": str(event["requestContext"].get("requestId", "")),
            # What is no candidate's name may be anything that somebody wrote into an address.
            **({"candidate_id": candidate} if _A_CANDIDATE.fullmatch(candidate) else {}),
            **({"reason": reason} if status >= 400 and (reason := _reason_of(answered)) else {}),
        },
    )


def _reason_of(answered: dict[str, Any]) -> str:
    try:
        said = json.loads(answered.get("body") or "")
    except ValueError:
        return ""
    reason = said.get("reason") if isinstance(said, dict) else None
    return reason if isinstance(reason, str) and reason in _REASONS else ""


def act(
    event: APIGatewayProxyEventV2,
    principal_of: PrincipalOf,
    stage: Callable[[Principal], Any],
    view: Callable[[Any], Any] | None = None,
    status: int | Callable[[Any], int] = 200,
) -> Response[Any]:
    """Find out who is asking, call the stage, and answer with the view of what it gave, or with its refusal.

    `status` may depend on what the stage gave.
    """
    sub = subject(event)
    principal = principal_of(sub) if sub else Refused(Reason.NOT_SIGNED_IN)
    result = principal if isinstance(principal, Refused) else stage(principal)
    if isinstance(result, Refused):
        return refusal(result)
    if isinstance(result, Jpeg):
        return _picture(result)
    code = status(result) if callable(status) else status
    return answer(code, plain(view(result) if view else result))


def body_bytes(event: APIGatewayProxyEventV2) -> bytes:
    """The request's body as bytes, however the gateway passed it on."""
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def subject(event: APIGatewayProxyEventV2) -> str | None:
    """The verified token's `sub`. The authorizer put it there; a request without one is nobody's."""
    authorizer = event.request_context.authorizer
    claims = (authorizer.jwt_claim if authorizer else None) or {}
    sub = claims.get("sub")
    return sub if isinstance(sub, str) and sub else None


def bearer(event: APIGatewayProxyEventV2) -> str:
    """What `Authorization: Bearer ...` holds, unverified; "" when there is no such header."""
    given = str(event.headers.get("authorization") or "")
    return given[7:].strip() if given[:7].lower() == "bearer " else ""


def refusal(refused: Refused) -> Response[str]:
    """A refusal as an HTTP answer."""
    return answer(STATUS.get(refused.reason, 422), {"reason": refused.reason.value, "message": refused.sentence})


def not_offered_yet(what: str) -> dict[str, Any]:
    """The whole answer of a function whose work does not exist yet."""
    return as_event(refusal(Refused(Reason.NOT_OFFERED_YET, what)))


def as_event(answer: Response[str]) -> dict[str, Any]:
    """An answer as the gateway takes it, where no route was asked."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": answer.status_code, "headers": headers, "body": answer.body}


def plain(value: Any) -> Any:
    """Dataclasses, dates, decimals and enumerations as JSON knows them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value


def answer(status: int, body: Any, headers: dict[str, Any] | None = None) -> Response[str]:
    """JSON, which nobody on the way may keep."""
    kept_by_nobody = {"Cache-Control": "no-store", **(headers or {})}
    return Response(status, "application/json", json.dumps(body), headers=kept_by_nobody)


def _picture(jpeg: Jpeg) -> Response[str]:
    """A picture that nobody may keep. Encoded here, because Powertools' validation takes bytes for UTF-8 text."""
    encoded = base64.b64encode(jpeg.data).decode("ascii")
    response = Response(200, "image/jpeg", encoded, headers={"Cache-Control": "no-store"})
    response.base64_encoded = True
    return response


def _later(reason: str, message: str) -> Response[str]:
    return answer(503, {"reason": reason, "message": message}, {"Retry-After": str(RETRY_AFTER_S)})


def _report(error: Exception) -> None:
    logger().error("request failed", extra={"fault": type(error).__name__, "detail": fault_text(error)})
    count_fault(error)
