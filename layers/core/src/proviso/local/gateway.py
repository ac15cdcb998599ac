"""The HTTP API in front of the functions: routes, JWT authorizer and payload format 2.0, as API Gateway has them.

Beside the template's routes it serves /local/ (`pages.py`), which exists on this machine only.
"""

import base64
import binascii
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from proviso.domain.errors import ConfigurationFault
from proviso.local.pages import LocalPages
from proviso.local.runtime_api import QuietHandler, QuietServer
from proviso.local.sign_in import SignIn, as_api_gateway_gives_them
from proviso.local.template import ACCOUNT, Resource
from proviso.local.worker import Invocation

REQUEST_LIMIT = 10 * 1024 * 1024
EVENT_LIMIT = 6 * 1024 * 1024
_INTEGRATION_S = 30.0
_TEXT = re.compile(r"^(text/.*|application/(json|xml|javascript|.*\+json|.*\+xml))$")


@dataclass(frozen=True)
class Route:
    """One route. `audiences` is None for an open one, else the token must be for one of them."""

    method: str
    path: str
    function_arn: str
    audiences: tuple[str, ...] | None
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}" if self.path != "$default" else "$default"

    @property
    def rank(self) -> tuple[int, int, int]:
        """Most specific first: fixed parts before {parts} before {rest+}, a named method before ANY."""
        greedy = self.path.endswith("+}") or self.path == "$default"
        return (greedy, self.path.count("{"), self.method == "ANY")

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path's parameters when this route serves it, else None."""
        if self.method not in (method, "ANY"):
            return None
        if self.path == "$default":
            return {}
        pattern = ""
        for part in re.split(r"(\{[^}]+\})", self.path):
            if part.startswith("{"):
                name = part[1:-1]
                pattern += f"(?P<{_group(name)}>{'.+' if name.endswith('+') else '[^/]+'})"
            else:
                pattern += re.escape(part)
        found = re.fullmatch(pattern, path)
        if found is None:
            return None
        names = [name.rstrip("+") for name in re.findall(r"\{([^}]+)\}", self.path)]
        return {name: unquote(found[_group(name)]) for name in names}


def _group(name: str) -> str:
    return "p_" + re.sub(r"\W", "_", name.rstrip("+"))


def routes_of(api: Resource) -> list[Route]:
    """The routes in the body (OpenAPI) that the SAM translator writes."""
    properties = api.resolved()
    document = properties.get("Body") or {}
    schemes = document.get("components", {}).get("securitySchemes", {})
    routes = []
    for path, methods in document.get("paths", {}).items():
        for method, operation in methods.items():
            integration = operation.get("x-amazon-apigateway-integration")
            if integration is None:
                continue
            arn = re.search(r"functions/(arn:[^/]+)/invocations", integration["uri"])
            if arn is None:
                continue
            audiences, scopes = None, ()
            for requirement in operation.get("security", []):
                for name, wanted in requirement.items():
                    if name == "NONE":  # as SAM writes a route that needs no token
                        continue
                    if name not in schemes:
                        raise ConfigurationFault(f"{path}: the API has no authorizer {name}")
                    jwt = schemes[name]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
                    audiences, scopes = tuple(jwt["audience"]), tuple(wanted)
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            routes.append(Route(verb, path, arn[1], audiences, scopes))
    return sorted(routes, key=lambda route: route.rank)


def _error(status: int, message: str) -> tuple[int, list[tuple[str, str]], bytes]:
    return status, [("Content-Type", "application/json")], json.dumps({"message": message}).encode()


class Gateway:
    """The server. `invoke` takes a function's ARN, an event and a time limit."""

    def __init__(self, port: int = 0) -> None:
        self._routes: Sequence[Route] = ()
        self._invoke: Callable[[str, bytes, float], Invocation] | None = None
        self._pages: LocalPages | None = None
        self.sign_in: SignIn | None = None
        gateway = self

        class Handler(_GatewayHandler):
            owner: ClassVar[Gateway] = gateway

        self._server = QuietServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def open(
        self,
        routes: Sequence[Route],
        sign_in: SignIn,
        invoke: Callable[[str, bytes, float], Invocation],
        pages: LocalPages,
    ) -> None:
        """Begin to serve. Until then every path answers 503."""
        self._routes, self.sign_in, self._pages, self._invoke = routes, sign_in, pages, invoke

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body for one request."""
        url = urlsplit(target)
        if self._invoke is None or self._pages is None:
            return _error(503, "Service Unavailable")
        if url.path.startswith("/local/"):
            return self._pages.answer(method, target, headers, body)
        if len(body) > REQUEST_LIMIT:
            return _error(413, "Request Entity Too Large")
        for route in self._routes:
            parameters = route.match(method, url.path)
            if parameters is not None:
                return self._through(route, parameters, method, target, headers, body)
        return _error(404, "Not Found")

    def _through(
        self,
        route: Route,
        parameters: Mapping[str, str],
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        if self._invoke is None or self.sign_in is None:
            return _error(503, "Service Unavailable")
        claims = None
        if route.audiences is not None:
            given = next((value for name, value in headers if name.lower() == "authorization"), "")
            token = given[7:] if given[:7].lower() == "bearer " else given
            claims = self.sign_in.claims(token.strip(), route.audiences)
            if claims is None:
                status, fields, text = _error(401, "Unauthorized")
                return status, [*fields, ("WWW-Authenticate", "Bearer")], text
            if route.scopes and not set(route.scopes) & set(str(claims.get("scope", "")).split()):
                return _error(403, "Forbidden")
        event = json.dumps(event_of(route, parameters, method, target, headers, body, claims)).encode()
        if len(event) > EVENT_LIMIT:
            return _error(413, "Request Entity Too Large")
        invocation = self._invoke(route.function_arn, event, _INTEGRATION_S)
        if invocation.error is not None:
            late = invocation.error.get("errorType") in ("Sandbox.Timedout", "Runtime.InitTimeout", "Local.Closed")
            return _error(503, "Service Unavailable") if late else _error(500, "Internal Server Error")
        return response_of(invocation.payload)


def event_of(
    route: Route,
    parameters: Mapping[str, str],
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    claims: dict[str, Any] | None,
) -> dict[str, Any]:
    """The event in payload format 2.0. Binary bodies are base64; which ones, follows from Content-Type."""
    url = urlsplit(target)
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in headers:
        if name.lower() == "cookie":
            cookies += [part.strip() for part in value.split(";")]
        else:
            joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    query: dict[str, str] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    now = datetime.now(UTC)
    context: dict[str, Any] = {
        "accountId": ACCOUNT,
        "apiId": "local",
        "domainName": joined.get("host", "local"),
        "domainPrefix": "local",
        "http": {
            "method": method,
            "path": url.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": joined.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route.key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(time.time() * 1000),
    }
    if claims is not None:
        scopes = list(route.scopes) or None
        context["authorizer"] = {"jwt": {"claims": as_api_gateway_gives_them(claims), "scopes": scopes}}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": url.path,
        "rawQueryString": url.query,
        "headers": joined,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = query
    if parameters:
        event["pathParameters"] = dict(parameters)
    if body:
        kind = joined.get("content-type", "text/plain").split(";")[0].strip().lower()
        try:
            if not _TEXT.match(kind):
                raise ValueError(kind)
            event["body"] = body.decode("utf-8")
        except ValueError:
            event["body"] = base64.b64encode(body).decode()
            event["isBase64Encoded"] = True
    return event


def response_of(payload: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    """A function's answer as an HTTP response: format 2.0, or anything else as JSON with status 200."""
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return 200, [("Content-Type", "application/json")], json.dumps(payload).encode()
    try:
        status = int(payload["statusCode"])
        body = payload.get("body") or ""
        if not isinstance(body, str):
            raise TypeError("body")
        content = base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") else body.encode()
        headers = [(str(name), str(value)) for name, value in (payload.get("headers") or {}).items()]
        headers += [("Set-Cookie", str(cookie)) for cookie in payload.get("cookies") or []]
    except (ValueError, TypeError, binascii.Error):
        return _error(500, "Internal Server Error")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "text/plain; charset=utf-8"))
    return status, [one for one in headers if one[0].lower() not in ("content-length", "connection")], content


class _GatewayHandler(QuietHandler):
    owner: ClassVar[Gateway]

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > REQUEST_LIMIT:
            self.close_connection = True  # the body is not read
            status, headers, content = _error(413, "Request Entity Too Large")
        else:
            status, headers, content = self.owner.answer(self.command, self.path, self.headers.items(), self.body())
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815
