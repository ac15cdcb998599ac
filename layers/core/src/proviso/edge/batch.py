"""Queue batches: each message on its own, failures reported one by one, nothing that crashes the rest.

This is the batch boundary: what a message raises makes that message come back, and is logged by its class and our own
fault's text. Messages of foreign exceptions are not logged, since nobody knows what they carry.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

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

    def one(record: SQSRecord) -> None:  # Powertools passes it by that name
        logger().set_correlation_id(None)
        try:
            handle(record.body)
        except Exception as error:
            name = type(error).__name__
            receives = int(record.attributes.approximate_receive_count)
            ended = last_receive is not None and receives >= last_receive and isinstance(error, Fault)
            logger().warning(
                "message ended without an outcome" if ended else "message failed and will come back",
                extra={
                    "message_id": record.message_id,
                    "fault": name,
                    "detail": str(error) if isinstance(error, Fault) else "",
                    "receive_count": record.attributes.approximate_receive_count,
                },
            )
            count(f"Fault.{name}")
            if not ended:
                raise
            count("MessageEnded")

    if not isinstance(event, dict) or not isinstance(event.get("Records"), list):
        raise ValueError("not an SQS event: it has no Records; see events/ for samples")
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with invocation(context.aws_request_id):
        return dict(process_partial_response(event=event, record_handler=one, processor=processor, context=context))


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
    for record in S3Event(notification).records:
        yield unquote_plus(record.s3.get_object.key)  # as S3 quoted it; only S3Event.object_key unquotes
