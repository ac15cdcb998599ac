"""Is the notices table's item as good a record as the one of Powertools' idempotency utility? Both go through the same.

docs/decisions/2026-11-27-idempotent-notices.md says why the utility is not used, and this is what that stands on. Each
case is one notice, and how often SNS was called.
"""

import itertools
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

from proviso.cloud.notices import DynamoNotices
from proviso.domain.errors import TransientFault
from proviso.domain.notice import Kind
from proviso.notices import all_wordings
from proviso.stages.alert import LEASE_S, AlertRoom, alert
from tests.contract.conftest import Cloud
from tests.fakes.cloud import FakeContacts, FakeOutbox, FakePermits, FakePublisher
from tests.samples import CAMERA, DEPLOYMENT, NOW, contacts, members, notice, permit

CALL_S = 10
"""How long a call of alert may take (the function's timeout)."""
VISIBILITY_S = 61
"""After how long the queue gives a message again that failed, or whose call died."""
_numbers = itertools.count(1)


class Died(BaseException):
    """The process is gone: nothing that the code does about errors happens."""


class Ours:
    """alert as it is, on the notices table."""

    busy = TransientFault

    def __init__(self, cloud: Cloud) -> None:
        self.now = NOW
        self.publisher = FakePublisher()
        self.dies = False
        self.made = notice(Kind.RAISED, expires_at=NOW + timedelta(days=40))
        publisher, outbox, desk, permits = self.publisher, FakeOutbox(), FakeContacts(), FakePermits()
        permits.objects[CAMERA] = permit(ends_at=NOW + timedelta(days=40))
        desk.named[DEPLOYMENT] = members()
        desk.cards = dict(contacts())
        outbox.put(self.made)
        this = self

        class Publisher:
            def publish(self, *given: Any) -> None:
                if this.dies:
                    raise Died
                publisher.publish(*given)

        self.room = AlertRoom(
            clock=lambda: self.now,
            outbox=outbox,
            permits=permits,
            notices=DynamoNotices(cloud.client("dynamodb"), cloud.notices_table()),
            publisher=Publisher(),
            desk=desk,
            words=all_wordings(),
            zone=ZoneInfo("Europe/London"),
        )

    def call(self) -> None:
        alert(key=self.made.key, room=self.room)

    @property
    def sent(self) -> int:
        return len(self.publisher.sent)


class Theirs:
    """The utility around a function that only sends, on a table with the same key."""

    busy = IdempotencyAlreadyInProgressError

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.sent, self.dies = NOW, 0, False
        this = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return this.now.astimezone(tz) if tz else this.now.astimezone().replace(tzinfo=None)

        package = "aws_lambda_powertools.utilities.idempotency"
        for module in ("base", "persistence.base", "persistence.dynamodb", "persistence.datarecord"):
            monkeypatch.setattr(f"{package}.{module}.dt", SimpleNamespace(datetime=Clock, timedelta=timedelta))
        layer = DynamoDBPersistenceLayer(
            cloud.notices_table(), key_attr="candidate_id", boto3_client=cloud.client("dynamodb")
        )
        self.config = IdempotencyConfig(expires_after_seconds=15 * 86400)
        self.name = f"notice-{next(_numbers)}"

        @idempotent_function(data_keyword_argument="key", persistence_store=layer, config=self.config)
        def send(*, key: str) -> None:
            if this.dies:
                raise Died
            this.sent += 1

        self.send = send

    def call(self) -> None:
        self.config.register_lambda_context(SimpleNamespace(get_remaining_time_in_millis=lambda: CALL_S * 1000))
        self.send(key=self.name)


@pytest.fixture(params=["ours", "theirs"])
def record(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "alert")
    return Ours(cloud) if request.param == "ours" else Theirs(cloud, monkeypatch)


def die(record: Any) -> None:
    record.dies = True
    with pytest.raises(Died):
        record.call()
    record.dies = False


def test_completed_it_is_not_sent_again(record: Any) -> None:
    record.call()
    for later in (timedelta(0), timedelta(seconds=VISIBILITY_S), timedelta(days=14)):
        record.now = NOW + later
        record.call()
    assert record.sent == 1


def test_in_progress_the_second_call_fails_and_its_message_comes_back(record: Any) -> None:
    die(record)  # or goes on: whoever comes while its time runs cannot know
    record.now = NOW + timedelta(seconds=CALL_S - 1)
    with pytest.raises(record.busy):
        record.call()
    assert record.sent == 0


def test_a_call_that_died_swallows_nothing_it_is_sent_when_the_message_comes_back(record: Any) -> None:
    die(record)
    record.now = NOW + timedelta(seconds=VISIBILITY_S)
    record.call()
    record.call()
    assert record.sent == 1


def test_the_lease_is_longer_than_a_call_and_shorter_than_the_queue_waits() -> None:
    assert CALL_S < LEASE_S < VISIBILITY_S


def test_ours_is_never_ignored_while_it_is_there(cloud: Cloud) -> None:
    """DynamoDB removes what has expired within days, not at once. The utility takes it for gone from its expiry on."""
    ours = Ours(cloud)
    ours.call()
    ours.now = NOW + timedelta(days=16)
    ours.call()
    assert ours.sent == 1


def test_theirs_is(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Theirs(cloud, monkeypatch)
    theirs.call()
    theirs.now = NOW + timedelta(days=16)
    theirs.call()
    assert theirs.sent == 2
