"""The moto server in this process, and the few places where it must behave better than it does.

Changes to moto, all taken back on stop. Receiving from SQS computes every attribute of the queue for each message,
which takes 0.5 s for ten messages at a depth of 1,000; only the retention period is needed. What SNS would send by SMS
or e-mail is recorded with the address and the time, because moto keeps neither. E-mail addresses wait until they are
confirmed (`subscriptions.py`). Filter policies are moto's own, but where it finds a value that SNS would not.

Left as it is: a topic of moto's sends to its first 100 subscriptions only.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proviso.local.keys import ANYBODY, Keys
from proviso.local.subscriptions import Patch, Subscribed, Subscriptions, waits
from proviso.local.template import ACCOUNT, REGION

_PEOPLE = ("sms", "email", "email-json")
_SENDER_ID = "AWS.SNS.SMS.SenderID"
_CONFIRM = "AWS Notification - Subscription Confirmation"


@dataclass(frozen=True)
class Message:
    """What SNS would have sent to a person: to `address`, a number or an e-mail address, as `protocol` (sms, email)
    says.

    `topic` is empty for a direct SMS, `sender` the sender ID of an SMS where one was asked for. `confirms` is empty but
    in SNS's own request to confirm an address: there it is the ARN of the subscription that waits.
    """

    protocol: str
    address: str
    subject: str | None
    text: str
    topic: str
    published_at: datetime
    sender: str = ""
    confirms: str = ""


class Simulator:
    """The running moto server. Its state is the process's own: one at a time."""

    def __init__(self, port: int = 0) -> None:
        from moto.server import ThreadedMotoServer

        # moto's and werkzeug's lines about each request would drown everything else.
        for name in ("werkzeug", "moto"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self._server.start()
        self.endpoint = f"http://127.0.0.1:{self._server.get_host_and_port()[1]}"
        self.keys = ANYBODY
        self._messages: list[Message] = []
        self._lock = threading.RLock()
        self.subscriptions = Subscriptions(self._ask, self._lock)

    def stop(self) -> None:
        self._server.stop()

    def client(self, service: str, keys: Keys | None = None) -> Any:
        """A boto3 client for this server, with credentials that are good for nothing else."""
        import boto3
        from botocore.config import Config

        keys = keys or self.keys

        make: Any = boto3.Session(
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            region_name=REGION,
        ).client
        config = Config(max_pool_connections=20, retries={"total_max_attempts": 2, "mode": "standard"})
        return make(service, endpoint_url=self.endpoint, config=config)

    def messages(self) -> list[Message]:
        with self._lock:
            return list(self._messages)

    def count_as_confirmed(self) -> None:
        """All addresses so far count as confirmed long ago: nothing waits, and no request for it was ever sent."""
        with self._lock:
            self.subscriptions.confirm_all()
            self._messages = [one for one in self._messages if not one.confirms]

    def _record(
        self, protocol: str, address: str, subject: str | None, text: str, topic: str, sender: str = ""
    ) -> None:
        name = "email" if protocol.startswith("email") else protocol
        with self._lock:
            self._messages.append(Message(name, address, subject, text, topic, datetime.now(UTC), sender))

    def _ask(self, subscribed: Subscribed) -> None:
        """SNS's request to confirm an address. The words are ours: its own are longer, and hold a link."""
        text = (
            f"Somebody asked that messages of this topic be sent to this address:\n{subscribed.topic}\n\n"
            "Nothing is sent until you confirm it. If you did not expect this, do nothing: it lapses after 48 hours.\n"
        )
        with self._lock:
            self._messages.append(
                Message(
                    "email",
                    subscribed.address,
                    _CONFIRM,
                    text,
                    subscribed.topic,
                    datetime.now(UTC),
                    confirms=subscribed.arn,
                )
            )

    def queue_depths(self) -> Mapping[str, tuple[int, int]]:
        """Messages by queue: (waiting, received and neither deleted nor visible again)."""
        from moto.backends import get_backend

        queues: Any = get_backend("sqs")[ACCOUNT][REGION].queues
        depths = {}
        for name, found in list(queues.items()):
            waiting = sum(1 for one in list(found._messages) if one.visible)
            depths[name] = (waiting, len(found._messages) - waiting)
        return depths


@contextlib.contextmanager
def simulator(port: int = 0) -> Iterator[Simulator]:
    """Start a moto server with empty state; leave none behind."""
    from moto.backends import get_backend
    from moto.sns.models import SNSBackend, Subscription
    from moto.sns.utils import FilterPolicyMatcher
    from moto.sqs.models import SQSBackend

    def reset() -> None:
        for service in ("s3", "sqs", "sns", "dynamodb", "sts", "iam"):
            accounts: Any = get_backend(service)
            for account in list(accounts.values()):
                for backend in list(account.values()):
                    backend.reset()

    subscription_publish = Subscription.publish
    backend_publish = SNSBackend.publish
    policy_matches = FilterPolicyMatcher.matches
    retention = SQSBackend.is_message_valid_based_on_retention_period
    reset()
    running = Simulator(port)

    def publish(self: Any, message: str, message_id: str, subject: str | None = None, **rest: Any) -> None:
        if waits(self):
            return
        matcher, attributes = self._filter_policy_matcher, rest.get("message_attributes")
        if self.protocol in _PEOPLE and (matcher is None or matcher.matches(attributes, message)):
            text = message
            if rest.get("message_structure") == "json":
                text = self._parse_message_structure(message, self.protocol)
            sender = _sender(attributes) if self.protocol == "sms" else ""
            running._record(self.protocol, self.endpoint, subject, text, self.topic.arn, sender)
        subscription_publish(self, message, message_id, subject=subject, **rest)

    def publish_direct(self: Any, message: str, *args: Any, **rest: Any) -> Any:
        with running._lock:
            answer = backend_publish(self, message, *args, **rest)
            if rest.get("phone_number"):
                sender = _sender(rest.get("message_attributes"))
                running._record("sms", rest["phone_number"], None, message, "", sender)
        return answer

    def matches(self: Any, message_attributes: dict[str, Any] | None, message: str) -> bool:
        return bool(policy_matches(self, _as_sns_reads(message_attributes or {}), message))

    def valid(self: Any, queue_name: str, message: Any) -> bool:
        import time

        period = int(self.get_queue(queue_name).message_retention_period)
        return bool(message.sent_timestamp is None or time.time() * 1000 - message.sent_timestamp < period * 1000)

    patched: list[Patch] = [
        *running.subscriptions.patches(),
        (Subscription, "publish", publish, subscription_publish),
        (SNSBackend, "publish", publish_direct, backend_publish),
        (FilterPolicyMatcher, "matches", matches, policy_matches),
        (SQSBackend, "is_message_valid_based_on_retention_period", valid, retention),
    ]
    try:
        for owner, name, new, _old in patched:
            setattr(owner, name, new)
        yield running
    finally:
        for owner, name, _new, old in patched:
            setattr(owner, name, old)
        running.stop()
        reset()


def _sender(attributes: Mapping[str, Any] | None) -> str:
    return str((attributes or {}).get(_SENDER_ID, {}).get("Value", ""))


def _as_sns_reads(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes, so that moto's filters find in them what SNS finds, and no more.

    moto takes any value for JSON and looks inside, even for a part of a text. SNS does so for a String.Array alone, and
    compares whole elements: a list that is sent as a String reaches nobody.
    """
    read = {}
    for name, attribute in attributes.items():
        value, found = attribute.get("Value"), None
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                found = json.loads(value)
        if attribute["Type"].startswith("String.Array"):
            read[name] = {**attribute, "Value": value if isinstance(found, list) else []}
        elif isinstance(found, str | list | dict):
            read[name] = {**attribute, "Value": [value]}
        else:
            read[name] = attribute
    return read
