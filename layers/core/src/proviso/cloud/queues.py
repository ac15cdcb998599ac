"""From detect to match: one message a frame, with boxes and landmarks, without pixels or templates (rule 4).

And how much waits in all queues, which sweep asks for retain (S23).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from proviso.cloud.faults import faults
from proviso.domain.errors import StorageFault
from proviso.domain.messages import FacesMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsFaces:
    """FacesQueue on SQS."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, message: FacesMessage) -> None:
        with faults("sqs:SendMessage", f"{self._queue_url} for {message.frame_key}"):
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=message.to_json())


class SqsGauge:
    """QueueGauge on SQS queues, `{name: url}`.

    SQS calls its counts approximate: right after a queue was used they can lag for about a minute.
    """

    def __init__(self, client: "SQSClient", queue_urls: Mapping[str, str]) -> None:
        self._client = client
        self._queue_urls = dict(queue_urls)

    def counts(self) -> dict[str, int]:
        return {name: self._count(url) for name, url in self._queue_urls.items()}

    def _count(self, url: str) -> int:
        with faults("sqs:GetQueueAttributes", url):
            answer = self._client.get_queue_attributes(
                QueueUrl=url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )
        try:
            found = answer["Attributes"]
            visible, in_flight = found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]
            return int(visible) + int(in_flight) + int(found["ApproximateNumberOfMessagesDelayed"])
        except (KeyError, ValueError) as error:
            raise StorageFault(f"sqs:GetQueueAttributes {url}: no count in the answer") from error
