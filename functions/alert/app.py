"""alert: notices from the outbox to SNS, none that is not to go out. Each once; twice only where a call died between
SNS's answer and its own note of it, since SNS knows no message again and silence would be the worse.

The same queue brings word of contacts that were written or removed; by the clock all subscriptions are looked at."""

from typing import Any

from proviso.domain.notice import named_in
from proviso.edge.batch import Event, each_message, s3_keys
from proviso.edge.metrics import Metric
from proviso.edge.telemetry import correlated, count, follow, invocation, logger
from proviso.wiring import alerting as wiring


def handler(event: Event, context: Any) -> Event:
    """SQS batch of S3 notifications → partial batch response; schedule → counts."""
    if isinstance(event, dict) and event.get("source") == "aws.events":
        return _check(context)
    alert = wiring.alert_invocation(follow)

    def message(body: str) -> None:
        for key in s3_keys(body):
            with correlated(""):  # alert says it, once it has read the notice
                outcome = alert(key)
                found = named_in(key)
                # Of a contact's key nothing: it names an account. Of another key nothing either: it may name anything.
                about = {"candidate_id": found[0], "kind": found[1]} if found else {}
                logger().info("notice" if found else "contact", extra={**about, "outcome": outcome})

    return each_message(event, context, message)


def _check(context: Any) -> Event:
    with invocation(context.aws_request_id):
        counts = wiring.alert_check()
        logger().info("subscriptions looked at", extra=dict(counts))
        count(Metric.CONTACTS_UNREACHABLE, counts["unreachable"])
        return dict(counts)
