"""A bucket of pictures: evidence for reviewers, or enrolment pictures. Keys come from the domain."""

from datetime import datetime
from typing import TYPE_CHECKING

from proviso.cloud import objects
from proviso.domain.errors import StorageFault
from proviso.domain.frame import MAX_FRAME_BYTES, Jpeg

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Pictures:
    """PictureStore on a bucket."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def put(self, key: str, jpeg: Jpeg) -> None:
        objects.write(self._client, self._bucket, key, jpeg.data, "image/jpeg")

    def get(self, key: str) -> Jpeg | None:
        found = objects.read(self._client, self._bucket, key, MAX_FRAME_BYTES)
        if isinstance(found, objects.TooLarge):
            # Only our own pictures lie here, all made or checked by us: one of this size is not ours.
            raise StorageFault(f"s3:GetObject {self._bucket}/{key}: {found.size} bytes are too many for a picture")
        return None if found is None else Jpeg(found)

    def delete(self, key: str) -> None:
        objects.delete(self._client, self._bucket, key)

    def keys(self, prefix: str, stored_before: datetime | None = None) -> list[str]:
        return [
            item.key
            for item in objects.listed(self._client, self._bucket, prefix, self._page)
            if stored_before is None or item.stored_at < stored_before
        ]
