"""The functions' real handlers, wiring and waits in this process: a real database behind a gate that wakes slowly,
fakes for AWS, and a clock that can run fast.

At `speed` 10 a wait of 20 seconds takes two, and every time that anybody reads, or waits for, is as if it had been 20:
the clock, sleep, and the connect timeouts that the wiring gives. What the database itself measures (its statement
and lock timeouts) is not made shorter; nothing here comes near them.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import psycopg.connection
import pytest

from proviso import wiring
from proviso.edge import telemetry
from proviso.wiring import alerting, records, retention, schema
from tests.embedded_database import Database
from tests.fakes.cloud import FakeCameras, FakeGrants, FakeSubscriptions
from tests.safeguards.house import House
from tests.samples import SOFTWARE
from tests.waking import WakingDatabase, Way

GATEWAY_S = 30
"""The HTTP API waits no longer for a function."""
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-2",
    "SOFTWARE_BUILD": SOFTWARE,
    "DATABASE_HOST": "behind-the-gate",
    "DATABASE_USER": "by-role",
    "DATABASE_CA": "none",
    "POWERTOOLS_METRICS_NAMESPACE": "Proviso",
    "SIGN_IN_URL": "https://sign-in.example",
    "SIGN_IN_CLIENT_ID": "client",
    "SIGN_IN_COMMAND_LINE_CLIENT_ID": "command-line",
    "COMPLAINTS_CONTACT": "somebody",
    **{
        name: name.lower()
        for name in (
            *(
                f"{kind}_BUCKET"
                for kind in ("FRAMES", "PERMITS", "EVIDENCE", "ENROLMENT", "OUTBOX", "ANCHORS", "RECORDS")
            ),
            *(f"{kind}_TABLE" for kind in ("LEDGER", "SUBJECTS", "CAMERAS", "NOTICES")),
            *(f"{kind}_QUEUE_URL" for kind in ("FRAMES", "FACES", "NOTICES")),
            *(f"{kind}_DEAD_LETTER_QUEUE_URL" for kind in ("FRAMES", "FACES", "NOTICES")),
            *(f"{kind}_TOPIC_ARN" for kind in ("REVIEWERS", "RECIPIENTS")),
            "RETAIN_FUNCTION_NAME",
        )
    },
}
_numbers = itertools.count(1)
_ROOMS = (
    *(wiring.govern, wiring.enrol, wiring.review, wiring.grant, wiring._match_room, wiring._read),
    *(retention._retain_room, alerting._alert_rooms, records.shelf),
)


class FastHouse(House):
    """A house whose clock runs `speed` times as fast from when it is wound up."""

    def __init__(self, database: Database) -> None:
        self.speed = 1.0
        self._from: tuple[datetime, float] | None = None
        super().__init__(database)

    def wind_up(self, speed: float) -> None:
        self._from = (super().now() - self.skew, time.monotonic())
        self.speed = speed

    def now(self) -> datetime:
        if self._from is None:
            return super().now()
        began, at = self._from
        return began + timedelta(seconds=(time.monotonic() - at) * self.speed) + self.skew

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)


class Functions:
    """The functions as Lambda runs them: each call tells how long it took, in seconds of the fast clock."""

    def __init__(self, house: FastHouse, gate: WakingDatabase) -> None:
        self.house, self.gate = house, gate
        self.took_s = 0.0

    def call(self, handler: Callable[[Any, Any], Any], event: Any, timeout_s: float) -> Any:
        ends = time.monotonic() + timeout_s / self.house.speed
        context = SimpleNamespace(
            aws_request_id="r",
            function_name="f",
            memory_limit_in_mb=512,
            invoked_function_arn="arn",
            get_remaining_time_in_millis=lambda: int((ends - time.monotonic()) * self.house.speed * 1000),
        )
        began = time.monotonic()
        try:
            return handler(event, context)
        finally:
            self.took_s = (time.monotonic() - began) * self.house.speed

    def ask(self, handler: Any, method: str, path: str, sub: str | None, body: Any = None) -> Any:
        """An HTTP request: what the gateway gets, with the body read where it is JSON."""
        answer = self.call(handler, http_event(method, path, sub, body), 29)
        kind = answer.get("headers", {}).get("Content-Type", "application/json")
        return SimpleNamespace(
            status=answer["statusCode"],
            headers=answer.get("headers", {}),
            body=json.loads(answer["body"]) if kind == "application/json" else answer["body"],
        )

    def ask_again(
        self, handler: Any, method: str, path: str, sub: str, body: Any = None, patience_s: float = 90
    ) -> Any:
        """As every client does: come again after Retry-After. The last answer, and all of them with their times."""
        answers: list[tuple[float, int]] = []
        began = time.monotonic()
        while True:
            answer = self.ask(handler, method, path, sub, body)
            since = (time.monotonic() - began) * self.house.speed
            answers.append((since, answer.status))
            assert self.took_s < GATEWAY_S - 1, "the gateway would have given up, and told nobody when to come again"
            if answer.status != 503 or since > patience_s:
                return answer, answers
            self.house.sleep(float(answer.headers["Retry-After"]))


def http_event(method: str, path: str, sub: str | None, body: Any = None) -> dict[str, Any]:
    """An event of the HTTP API; without `sub`, of a request that no authorizer has let through."""
    picture = isinstance(body, bytes)
    path, _, asked = path.partition("?")
    query = dict(parse_qsl(asked))
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        **({"queryStringParameters": query} if query else {}),
        "headers": {"content-type": "image/jpeg" if picture else "application/json"},
        "requestContext": {
            "accountId": "1",
            "apiId": "a",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"},
            "requestId": "r",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            **({"authorizer": {"jwt": {"claims": {"sub": sub}, "scopes": []}}} if sub else {}),
        },
        "isBase64Encoded": False,
        **({"body": body.decode() if picture else json.dumps(body)} if body is not None else {}),
    }


@contextmanager
def joined(
    house: FastHouse,
    patch: pytest.MonkeyPatch,
    *,
    wakes_after_s: float,
    way: Way = "silent",
    speed: float = 1.0,
) -> Iterator[Functions]:
    """The house's database sleeps behind the gate, its clock runs at `speed`, and the functions work on it."""
    _forget()
    # Powertools keeps one logger a service name, with the stdout of its first use.
    patch.setenv("POWERTOOLS_SERVICE_NAME", f"joined-{next(_numbers)}")
    for name, value in _ENVIRONMENT.items():
        patch.setenv(name, value)
    with WakingDatabase(house.database.master_url, wakes_after_s / speed, way) as gate:
        patch.setattr(wiring, "_conninfo", lambda read: lambda: gate.url(_role(read)))
        _fakes(house, patch)
        house.wind_up(speed)
        clock = SimpleNamespace(sleep=house.sleep, perf_counter=time.perf_counter)
        for module in (wiring, retention, alerting):
            patch.setattr(module, "now", house.now)
        for module in (wiring, retention, schema):
            patch.setattr(module, "time", clock)
        patch.setattr(psycopg.connection, "timeout_from_conninfo", lambda given: _timeout_s(given) / speed)
        yield Functions(house, gate)
    _forget()


def _timeout_s(given: dict[str, Any]) -> float:
    return float(given.get("connect_timeout", 130))  # psycopg's own where none is given


def _forget() -> None:
    for made in (*_ROOMS, telemetry.logger, telemetry.metrics):
        made.cache_clear()


def _role(read: Any) -> str:
    name = type(read).__name__.lower()
    return "postgres" if name == "migrate" else name


def _fakes(house: FastHouse, patch: pytest.MonkeyPatch) -> None:
    """Where the wiring makes adapters of AWS it gets the house's fakes, which pass the same contract tests."""
    patch.setattr("proviso.cloud.clients.client", lambda *_, **__: None)
    patch.setattr(wiring, "_pipeline", lambda *_: house.pipeline)
    patch.setattr("proviso.vision.pack.pipeline_digest", lambda _: house.pipeline.digest)

    def pictures(_: Any, bucket: str) -> Any:
        return house.enrolment if bucket == "enrolment_bucket" else house.evidence

    patch.setattr("proviso.cloud.pictures.S3Pictures", pictures)
    patch.setattr("proviso.cloud.grants.signing_credentials", lambda: None)
    for where, fake in {
        "frames.S3Frames": house.frames,
        "permits.S3Permits": house.permits,
        "permits.S3Due": house.due,
        "permits.S3Stops": house.spool,
        "permits.S3QueueLook": house.look,
        "ledger.DynamoLedger": house.ledger,
        "outbox.S3Outbox": house.outbox,
        "notices.DynamoNotices": house.notices,
        "subjects.DynamoSubjects": house.subjects,
        "anchors.S3Anchors": house.anchors,
        "contacts.S3Contacts": house.desk,
        "changes.S3Changes": house.changes,
        "records.S3RecordShelf": house.records,
        "queues.SqsGauge": house.gauge,
        "cameras.DynamoCameras": FakeCameras(),
        "grants.S3UploadGrants": FakeGrants(),
        "contacts.SnsSubscriptions": FakeSubscriptions(),
        "notices.SnsPublisher": house.publisher,
    }.items():
        patch.setattr(f"proviso.cloud.{where}", lambda *_, made=fake, **__: made)
