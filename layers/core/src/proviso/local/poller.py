"""SQS to function, as Lambda's event source mapping does it: batch, window, partial failures; redrive is the queue's.

A failed message is left alone and comes back after the queue's visibility timeout; after `maxReceiveCount` the queue
moves it to its dead-letter queue. Only what succeeded is deleted.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proviso.local.template import REGION
from proviso.local.worker import Invocation

_LOG = logging.getLogger(__name__)
_WAIT_S = 1
_RECEIVE = 10  # SQS hands out ten at a time


@dataclass(frozen=True)
class Mapping:
    """One event source mapping. `partial` is ReportBatchItemFailures."""

    queue_arn: str
    queue_url: str
    function_arn: str
    batch_size: int = 10
    window_s: float = 0.0
    partial: bool = False
    concurrency: int = 1


def record(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    """A received message as it stands in an event."""
    attributes = {}
    for name, value in (message.get("MessageAttributes") or {}).items():
        attributes[name] = {
            "dataType": value["DataType"],
            "stringListValues": [],
            "binaryListValues": [],
            **({"stringValue": value["StringValue"]} if "StringValue" in value else {}),
        }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes") or {}),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def failed_ids(mapping: Mapping, invocation: Invocation, ids: set[str]) -> set[str]:
    """Which messages of a batch failed. A malformed answer fails all of them, as Lambda has it."""
    if invocation.error is not None:
        return ids
    if not mapping.partial or invocation.payload is None or invocation.payload == {}:
        return set()
    try:
        failures = invocation.payload["batchItemFailures"]
        named = {one["itemIdentifier"] for one in failures} if failures else set()
    except (KeyError, TypeError):
        return ids
    return ids if named - ids else named


class Poller:
    """The threads of one mapping, as many as may run at once."""

    def __init__(self, mapping: Mapping, sqs: Any, invoke: Callable[[str, Any], Invocation]) -> None:
        self.mapping = mapping
        self._sqs = sqs
        self._invoke = invoke
        self._stop = threading.Event()
        self._active = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(mapping.concurrency)]

    @property
    def busy(self) -> bool:
        return self._active > 0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                batch = self._receive(_WAIT_S, _RECEIVE)
                if batch:
                    self._busy(1)
                    try:
                        self._handle(self._fill(batch))
                    finally:
                        self._busy(-1)
            except Exception as fault:  # noqa: BLE001 - the worker loop: a broken receive must not end the pump
                if self._stop.wait(0.2):
                    return
                _LOG.warning("pump of %s: %s", self.mapping.queue_arn, type(fault).__name__)

    def _busy(self, change: int) -> None:
        with self._lock:
            self._active += change

    def _receive(self, wait_s: int, most: int) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(
            QueueUrl=self.mapping.queue_url,
            MaxNumberOfMessages=min(most, _RECEIVE, self.mapping.batch_size),
            WaitTimeSeconds=wait_s,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages") or [])

    def _fill(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Until the batch is full or the window, which begins with its first message, has passed."""
        deadline = time.monotonic() + self.mapping.window_s
        full = len(batch) == _RECEIVE  # the queue may hold more than it hands out at a time
        while len(batch) < self.mapping.batch_size and not self._stop.is_set():
            left = deadline - time.monotonic()
            if left <= 0 and not full:
                break
            more = self._receive(0, self.mapping.batch_size - len(batch))
            full = len(more) == _RECEIVE
            batch += more
            if not more:
                self._stop.wait(min(0.1, max(left, 0.0)))
        return batch

    def _handle(self, batch: list[dict[str, Any]]) -> None:
        event = {"Records": [record(message, self.mapping.queue_arn) for message in batch]}
        invocation = self._invoke(self.mapping.function_arn, event)
        failed = failed_ids(self.mapping, invocation, {message["MessageId"] for message in batch})
        done = [message for message in batch if message["MessageId"] not in failed]
        for start in range(0, len(done), _RECEIVE):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(done[start : start + _RECEIVE])
            ]
            self._sqs.delete_message_batch(QueueUrl=self.mapping.queue_url, Entries=entries)
