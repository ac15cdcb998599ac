"""The frames bucket: cameras upload, detect and match read, and a frame is deleted once it has its outcome."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from proviso.cloud import objects
from proviso.domain.frame import MAX_FRAME_BYTES, Jpeg, shown
from proviso.domain.ports import StoredFrame
from proviso.domain.reasons import Reason, Refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Frames:
    """FrameStore on a bucket. `page` is the listing's page size."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def get(self, key: str) -> Jpeg | Refused | None:
        found = objects.read(self._client, self._bucket, key, MAX_FRAME_BYTES, shown=shown(key))
        if isinstance(found, objects.TooLarge):
            return Refused(Reason.TOO_MANY_BYTES, f"{found.size} bytes")
        return None if found is None else Jpeg(found)

    def delete(self, key: str) -> None:
        objects.delete(self._client, self._bucket, key, shown=shown(key))

    def stored_before(self, moment: datetime) -> Iterator[StoredFrame]:
        for item in objects.listed(self._client, self._bucket, page=self._page):
            if item.stored_at < moment:
                yield StoredFrame(item.key, item.stored_at, item.size)
