"""HTTP in and out: the authorizer has verified the token; who that is and what they may is read here, each time.

A refusal becomes a status and a sentence, the same everywhere. The database being away is 503 with Retry-After, so
that a client waits for it to resume instead of reporting a fault.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
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
from proviso.edge.telemetry import count, count_fault, invocation, logger

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
    Reason.REFERENCES_DIFFER: 409,
    Reason.OUTSIDE_WINDOW: 409,
    Reason.NO_PERMIT: 409,
    Reason.TOO_LATE: 410,
    Reason.NOT_OFFERED_YET: 501,
    Reason.INVALID: 400,
    Reason.POLICY_FORBIDS: 400,
}
"""Reasons that are not here concern a picture: 422."""

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
    logger().warning("the database is away", extra={"fault": type(error).__name__, "detail": str(error)})
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
    with invocation(context.aws_request_id):
        refused = unreadable_path(event)
        event = {**event, "rawPath": path_of(event)}
        if refused is None and (fault := unreadable_input(event)) and _reads_input(app, event):
            refused = fault
        return as_event(refusal(refused)) if refused else app.resolve(event, context)


def _reads_input(app: APIGatewayHttpResolver, event: dict[str, Any]) -> bool:
    """Does the route that serves this take more than its path gives?"""
    method, path = event["requestContext"].get("http", {}).get("method"), event["rawPath"]
    for route in (*app._static_routes, *app._dynamic_routes):
        found = route.rule.match(path)
        if route.method == method and found:
            return bool(set(signature(route.func).parameters) - set(found.groupdict()))
    return False


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
    count(f"Refused.{refused.reason.value}")
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
    logger().error("request failed", extra={"fault": type(error).__name__, "detail": str(error)})
    count_fault(error)
