"""Queue batches: each message on its own, failures reported one by one, nothing that crashes the rest.

This is the batch boundary: what a message raises makes that message come back, and is logged by its class and our own
fault's text. Messages of foreign exceptions are not logged, since nobody knows what they carry. A loop of our own and
not Powertools' processor: that imports all that it could ever parse, a tenth of what a start of detect takes.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus

from proviso.domain.errors import Fault
from proviso.edge.telemetry import count, invocation, logger

Event = dict[str, Any]


def each_message(
    event: Event, context: Any, handle: Callable[[str], None], *, last_receive: int | None = None
) -> Event:
    """Call `handle` with each message's body. Returns the partial batch response that SQS expects.

    `last_receive`: a message that meets one of our own faults once more at this receive is ended here and not handed to
    the dead letters. For messages with more in them than a reference; their correlation id stays in the log.
    """

    def one(record: Event) -> bool:
        logger().set_correlation_id(None)
        try:
            handle(record["body"])
        except Exception as error:  # noqa: BLE001 - the batch boundary: the message comes back, the others go on
            name = type(error).__name__
            receives = int(record["attributes"]["ApproximateReceiveCount"])
            ended = last_receive is not None and receives >= last_receive and isinstance(error, Fault)
            logger().warning(
                "message ended without an outcome" if ended else "message failed and will come back",
                extra={
                    "message_id": record["messageId"],
                    "fault": name,
                    "detail": str(error) if isinstance(error, Fault) else "",
                    "receive_count": str(receives),
                },
            )
            count(f"Fault.{name}")
            if ended:
                count("MessageEnded")
            return ended
        return True

    if not isinstance(event, dict) or not isinstance(event.get("Records"), list):
        raise ValueError("not an SQS event: it has no Records; see events/ for samples")
    with invocation(context.aws_request_id):
        failed = [record["messageId"] for record in event["Records"] if not one(record)]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def s3_keys(body: str) -> Iterator[str]:
    """The unquoted object keys of an S3 notification in a message; none for S3's own test event.

    ValueError when the body is no S3 notification: such a message ends among the dead letters.
    """
    notification = json.loads(body)
    if not isinstance(notification, dict):
        raise ValueError("not an S3 notification")
    if notification.get("Event") == "s3:TestEvent":
        return
    if not isinstance(notification.get("Records"), list):
        raise ValueError("not an S3 notification: it has no Records")
    for record in notification["Records"]:
        yield unquote_plus(record["s3"]["object"]["key"])  # as S3 quoted it
