"""The moto server in this process, and the few places where it must behave better than it does.

Two changes to moto, both taken back on stop. Receiving from SQS computes every attribute of the queue for each message,
which takes 0.5 s for ten messages at a depth of 1,000; only the retention period is needed. And what SNS would send by
SMS or e-mail is recorded with the address and the time, because moto keeps neither.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proviso.local.template import ACCOUNT, REGION

_PEOPLE = ("sms", "email", "email-json")


@dataclass(frozen=True)
class Message:
    """What SNS would have sent to a person. `protocol` is sms or email; `topic` is empty for a direct SMS."""

    protocol: str
    address: str
    subject: str | None
    text: str
    topic: str
    published_at: datetime


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
        self._messages: list[Message] = []
        self._lock = threading.Lock()

    def stop(self) -> None:
        self._server.stop()

    def client(self, service: str) -> Any:
        """A boto3 client for this server, with credentials that are good for nothing else."""
        import boto3
        from botocore.config import Config

        make: Any = boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - no secret
            region_name=REGION,
        ).client
        config = Config(max_pool_connections=20, retries={"total_max_attempts": 2, "mode": "standard"})
        return make(service, endpoint_url=self.endpoint, config=config)

    def messages(self) -> list[Message]:
        with self._lock:
            return list(self._messages)

    def _record(self, protocol: str, address: str, subject: str | None, text: str, topic: str) -> None:
        name = "email" if protocol.startswith("email") else protocol
        with self._lock:
            self._messages.append(Message(name, address, subject, text, topic, datetime.now(UTC)))

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
    from moto.sqs.models import SQSBackend

    def reset() -> None:
        for service in ("s3", "sqs", "sns", "dynamodb", "sts"):
            accounts: Any = get_backend(service)
            for account in list(accounts.values()):
                for backend in list(account.values()):
                    backend.reset()

    subscription_publish = Subscription.publish
    backend_publish = SNSBackend.publish
    retention = SQSBackend.is_message_valid_based_on_retention_period
    reset()
    running = Simulator(port)

    def publish(self: Any, message: str, message_id: str, subject: str | None = None, **rest: Any) -> None:
        matcher = self._filter_policy_matcher
        if self.protocol in _PEOPLE and (matcher is None or matcher.matches(rest.get("message_attributes"), message)):
            text = message
            if rest.get("message_structure") == "json":
                text = self._parse_message_structure(message, self.protocol)
            running._record(self.protocol, self.endpoint, subject, text, self.topic.arn)
        subscription_publish(self, message, message_id, subject=subject, **rest)

    def publish_direct(self: Any, message: str, *args: Any, **rest: Any) -> Any:
        answer = backend_publish(self, message, *args, **rest)
        if rest.get("phone_number"):
            running._record("sms", rest["phone_number"], None, message, "")
        return answer

    def valid(self: Any, queue_name: str, message: Any) -> bool:
        import time

        period = int(self.get_queue(queue_name).message_retention_period)
        return bool(message.sent_timestamp is None or time.time() * 1000 - message.sent_timestamp < period * 1000)

    patched: list[tuple[Any, str, Any, Any]] = [
        (Subscription, "publish", publish, subscription_publish),
        (SNSBackend, "publish", publish_direct, backend_publish),
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
