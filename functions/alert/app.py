"""alert: notices from the outbox to SNS, none that is not to go out. Each once; twice only where a call died between
SNS's answer and its own note of it, since SNS knows no message again and silence would be the worse."""

from typing import Any

from proviso import wiring
from proviso.edge.batch import Event, each_message, s3_keys
from proviso.edge.telemetry import correlated, count, logger


def handler(event: Event, context: Any) -> Event:
    """SQS batch of S3 notifications → partial batch response."""
    alert = wiring.alert_invocation()

    def message(body: str) -> None:
        for key in s3_keys(body):
            with correlated(key.split("/")[1] if key.count("/") >= 2 else key[:80]):
                outcome = alert(key)
                logger().info("notice", extra={"notice": key, "outcome": outcome})
                count(f"Notice.{outcome}")

    return each_message(event, context, message)
