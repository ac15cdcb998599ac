"""The outbox bucket: how a function in the VPC, which cannot reach SNS, gets a notice out (design, rule 6)."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from proviso.cloud import objects
from proviso.cloud.contacts import members_key
from proviso.domain.notice import Kind, Notice, notice_key, receipt_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_JSON = "application/json"
_MOST = 64 * 1024  # bytes; a notice has about 600


class S3Outbox:
    """Outbox on a bucket. A first put sends the event that calls alert; a second put writes and sends nothing."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def put(self, notice: Notice) -> None:
        body = notice.to_json().encode()
        objects.write(self._client, self._bucket, notice.key, body, _JSON, only_if_absent=True)

    def get(self, key: str) -> Notice | None:
        body = objects.read(self._client, self._bucket, key, _MOST)
        if body is None:
            return None
        if isinstance(body, objects.TooLarge):
            raise ValueError(f"a notice does not have {body.size} bytes")
        try:
            return Notice.from_json(key, body)
        except RecursionError as error:
            raise ValueError("not a notice: nested too deeply") from error

    def has(self, candidate_id: str, kind: Kind) -> bool:
        return objects.exists(self._client, self._bucket, notice_key(candidate_id, kind))

    def put_receipt(self, candidate_id: str, kind: Kind, outcome: str, at: datetime) -> None:
        values = {"version": 1, "outcome": outcome, "at": at.astimezone(UTC).isoformat()}
        body = json.dumps(values, sort_keys=True).encode()
        # The first stays: a duplicate that comes later does not make "duplicate" of what was sent.
        key = receipt_key(candidate_id, kind)
        objects.write(self._client, self._bucket, key, body, _JSON, only_if_absent=True)

    def has_receipt(self, candidate_id: str, kind: Kind) -> bool:
        return objects.exists(self._client, self._bucket, receipt_key(candidate_id, kind))

    def delete_candidate(self, candidate_id: str) -> None:
        for key in self._keys(candidate_id):
            objects.delete(self._client, self._bucket, key)

    def count_candidate(self, candidate_id: str) -> int:
        return len(self._keys(candidate_id))

    def delete_members(self, deployment_id: str) -> None:
        objects.delete(self._client, self._bucket, members_key(deployment_id))

    def count_all(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for folder in ("notices", "receipts"):
            for item in objects.listed(self._client, self._bucket, f"{folder}/", self._page):
                found[item.key.split("/")[1]] += 1
        return dict(found)

    def _keys(self, candidate_id: str) -> list[str]:
        return [
            item.key
            for folder in ("notices", "receipts")
            for item in objects.listed(self._client, self._bucket, f"{folder}/{candidate_id}/", self._page)
        ]
