"""The records bucket: what was published of each deployment, one object a revision, never put over (S32).

Keys: `records/<deployment>/<revision>.json`, `groups/<batch>.json`, `index.json`. The bucket's policy refuses a put
over
one of the first two by anybody; only the index is made anew.
"""

import re
from typing import TYPE_CHECKING

from proviso.cloud import objects
from proviso.domain.errors import StorageFault

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_JSON = "application/json"
_MOST = 16 * 1024 * 1024  # bytes; a record has about 6,000, a line of the index 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_REVISION = re.compile(r"records/[^/]+/([1-9][0-9]{0,5})\.json")
INDEX = "index.json"


class S3RecordShelf:
    """RecordShelf, and RecordShelfReader. A name that could lead out of its folder is none."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put_record(self, deployment_id: str, revision: int, body: bytes) -> bool:
        return self._put_once(f"records/{_checked(deployment_id)}/{revision}.json", body)

    def put_groups(self, name: str, body: bytes) -> bool:
        return self._put_once(f"groups/{_checked(name)}.json", body)

    def put_index(self, body: bytes) -> None:
        objects.write(self._client, self._bucket, INDEX, body, _JSON)

    def record(self, deployment_id: str, revision: int) -> bytes | None:
        if not _NAME.fullmatch(deployment_id) or revision < 1:
            return None
        return self._read(f"records/{deployment_id}/{revision}.json")

    def revisions(self, deployment_id: str) -> list[int]:
        if not _NAME.fullmatch(deployment_id):
            return []
        listed = objects.listed(self._client, self._bucket, f"records/{deployment_id}/")
        return sorted(int(found[1]) for one in listed if (found := _REVISION.fullmatch(one.key)))

    def groups(self, name: str) -> bytes | None:
        return self._read(f"groups/{name}.json") if _NAME.fullmatch(name) else None

    def index(self) -> bytes | None:
        return self._read(INDEX)

    def _put_once(self, key: str, body: bytes) -> bool:
        if objects.write(self._client, self._bucket, key, body, _JSON, only_if_absent=True):
            return True
        return self._read(key) == body

    def _read(self, key: str) -> bytes | None:
        found = objects.read(self._client, self._bucket, key, _MOST)
        if isinstance(found, objects.TooLarge):
            raise StorageFault(f"{self._bucket}/{key} is larger than any record")
        return found


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StorageFault(f"{name!r} is no name under which something can be published")
    return name
