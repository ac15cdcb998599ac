"""The registry of cameras: one DynamoDB item a camera, with the digest of its key (S35).

It is a table and not a row of the database, because `grant` reads it and has no database: a camera asks every few
minutes, and must not wake a cluster that sleeps.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from proviso.cloud.faults import Unmet, faults
from proviso.domain.camera import RegisteredCamera

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoCameras:
    """CameraRegistry on a table (key `camera`). `page` is the scan's page size."""

    def __init__(self, client: "DynamoDBClient", table: str, page: int = 1000) -> None:
        self._client = client
        self._table = table
        self._page = page

    def put(self, registered: RegisteredCamera) -> None:
        with faults("dynamodb:PutItem", f"{self._table}/{registered.camera}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    "camera": {"S": registered.camera},
                    "key_digest": {"S": registered.key_digest},
                    "registered_by": {"S": registered.registered_by},
                    "registered_at": {"S": registered.registered_at.astimezone(UTC).isoformat()},
                },
            )

    def remove(self, camera: str) -> bool:
        try:
            with faults("dynamodb:DeleteItem", f"{self._table}/{camera}"):
                self._client.delete_item(
                    TableName=self._table,
                    Key={"camera": {"S": camera}},
                    ConditionExpression="attribute_exists(camera)",
                )
        except Unmet:
            return False
        return True

    def key_digest(self, camera: str) -> str | None:
        with faults("dynamodb:GetItem", f"{self._table}/{camera}"):
            # A consistent read: a key that was taken away is gone at once.
            answer = self._client.get_item(TableName=self._table, Key={"camera": {"S": camera}}, ConsistentRead=True)
        item: Any = answer.get("Item")
        return str(item["key_digest"]["S"]) if item else None

    def cameras(self) -> list[RegisteredCamera]:
        found: list[RegisteredCamera] = []
        asked: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True, "Limit": self._page}
        while True:
            with faults("dynamodb:Scan", self._table):
                answer: Any = self._client.scan(**asked)
            found += [_registered(item) for item in answer["Items"]]
            if not answer.get("LastEvaluatedKey"):
                return sorted(found, key=lambda one: one.camera)
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _registered(item: Any) -> RegisteredCamera:
    return RegisteredCamera(
        item["camera"]["S"],
        item["key_digest"]["S"],
        item["registered_by"]["S"],
        datetime.fromisoformat(item["registered_at"]["S"]),
    )
