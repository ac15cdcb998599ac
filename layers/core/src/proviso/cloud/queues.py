"""From detect to match: one message a frame, with boxes and landmarks, without pixels or templates (rule 4)."""

from typing import TYPE_CHECKING

from proviso.cloud.faults import faults
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
