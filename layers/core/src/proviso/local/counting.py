"""A counter in front of the moto server: which function asked which service for what, how long the answer took.

What a frame costs is mostly what it asks for, so `proviso cost` counts requests, and a test holds its counts against
these. Bodies are looked at only for what a table's index is charged for; nothing of them is kept.
"""

import contextlib
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from proviso.local.simulator import Simulator

_PLAIN = {"PUT": "PutObject", "DELETE": "DeleteObject", "POST": "PostObject", "HEAD": "HeadObject"}
_MOST = 512 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `caller` is the function's logical id, empty for anybody else; `sent` the body's bytes; `index` says
    that a row came into a table's index, changed there or left it, which is a write of its own."""

    service: str
    operation: str
    caller: str
    milliseconds: float
    sent: int = 0
    index: bool = False


class RequestCounter:
    """Holds what was asked since it was made, in order of the answers. Made by `counting`."""

    def __init__(self) -> None:
        self._requests: list[Request] = []
        self._lock = threading.Lock()

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def mark(self) -> int:
        """Where we are: give it to `since`."""
        with self._lock:
            return len(self._requests)

    def since(self, mark: int, caller: str = "") -> list[Request]:
        """What was answered after the mark, of one function or of all."""
        with self._lock:
            return [one for one in self._requests[mark:] if not caller or one.caller == caller]


@contextlib.contextmanager
def counting(simulated: Simulator) -> Iterator[RequestCounter]:
    """Count all requests to the simulator until the block ends."""
    counter = RequestCounter()
    server: Any = simulated._server._server
    inner = server.app

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begin = time.perf_counter()
        service, operation = named(environ)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        index = False
        if service == "dynamodb" and 0 < length <= _MOST:
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = io.BytesIO(body)
            index = _touches_index(body)
        answer: Iterable[bytes] = inner(environ, start_response)
        took = (time.perf_counter() - begin) * 1000
        counter.add(Request(service, operation, _caller(environ), took, length, index))
        return answer

    server.app = app
    try:
        yield counter
    finally:
        server.app = inner


def tally(requests: Iterable[Request]) -> Mapping[str, int]:
    """`{"s3:GetObject": 2, ...}`; writes into an index as `dynamodb:index`, deletions left out where they are free."""
    counts: Counter[str] = Counter()
    for one in requests:
        counts[f"{one.service}:{one.operation}"] += 1
        counts["dynamodb:index"] += one.index
    return {name: count for name, count in sorted(counts.items()) if count}


def named(environ: Mapping[str, Any]) -> tuple[str, str]:
    """Service and operation of a request, from its signature's scope, its headers and its address."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        prefix, _, operation = target.partition(".")
        return (
            "dynamodb" if prefix.startswith("DynamoDB") else "sqs" if "SQS" in prefix else prefix.lower()
        ), operation
    scope = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].split(",")[0].split("/")
    service = scope[3] if len(scope) > 3 else "s3"
    if service != "s3":
        return service, "request"
    method, query = str(environ.get("REQUEST_METHOD", "")), parse_qs(str(environ.get("QUERY_STRING", "")), True)
    if method == "GET":
        return "s3", "ListObjectsV2" if "list-type" in query else "GetObject"
    return "s3", _PLAIN.get(method, method)


def _caller(environ: Mapping[str, Any]) -> str:
    """Functions name themselves in the user agent (AWS_SDK_UA_APP_ID)."""
    agent = str(environ.get("HTTP_USER_AGENT", ""))
    return next((part.removeprefix("app/") for part in agent.split() if part.startswith("app/")), "")


def _touches_index(body: bytes) -> bool:
    """Does an update write or remove the attribute that the ledger's index is made of?"""
    try:
        asked = json.loads(body)
        return "#fold" in str(asked.get("UpdateExpression", ""))
    except (ValueError, AttributeError):
        return False
