"""How sweep wakes retain: an asynchronous call, so that nobody waits while the database resumes."""

import json
from typing import TYPE_CHECKING

from proviso.cloud.faults import faults
from proviso.domain.errors import StorageFault

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_ACCEPTED = 202


class LambdaWaker:
    """Waker by lambda:InvokeFunction, type Event. The payload is `{"reason": "..."}`."""

    def __init__(self, client: "LambdaClient", function_name: str) -> None:
        self._client = client
        self._function_name = function_name

    def wake(self, reason: str) -> None:
        with faults("lambda:InvokeFunction", self._function_name):
            answer = self._client.invoke(
                FunctionName=self._function_name,
                InvocationType="Event",
                Payload=json.dumps({"reason": reason}).encode(),
            )
        if answer["StatusCode"] != _ACCEPTED:
            raise StorageFault(f"lambda:InvokeFunction {self._function_name}: answered {answer['StatusCode']}")
