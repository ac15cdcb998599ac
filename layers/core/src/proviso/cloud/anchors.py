"""The anchors bucket: heads of the audit's chains, and erasures, out of reach of the database's owner (S29).

The bucket locks each object for as long as its default retention says. Nothing here overwrites or deletes. An object
that cannot be understood is a fault and not skipped: what is missing here would look as if it had never been anchored.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from proviso.cloud import objects
from proviso.domain.audit import Head
from proviso.domain.audit_export import heads_json, heads_of
from proviso.domain.errors import StorageFault
from proviso.domain.retention import Erasure

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_JSON = "application/json"
_MOST = 8 * 1024 * 1024  # bytes; a head has about 150
_KINDS = ("list", "entry", "candidate_evidence")


class S3Anchors:
    """Anchors: `heads/<YYYY-MM-DD>/<HHMMSS.mmm>Z_<digest of the content>.json`, `erasures/<kind>-<id>.json`."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def put(self, heads: Sequence[Head], at: datetime) -> str:
        body = heads_json(heads, at).encode()
        moment = at.astimezone(UTC)
        time = f"{moment:%H%M%S}.{moment.microsecond // 1000:03d}Z"
        key = f"heads/{moment:%Y-%m-%d}/{time}_{hashlib.sha256(body).hexdigest()[:16]}.json"
        objects.write(self._client, self._bucket, key, body, _JSON, only_if_absent=True)
        return key

    def heads(self) -> Iterator[Head]:
        for key, body in self._bodies("heads/"):
            try:
                found = heads_of(body)
            except ValueError as error:
                raise StorageFault(f"{self._bucket}/{key} cannot be understood: {error}") from None
            yield from found

    def latest(self) -> list[Head]:
        days = objects.folders(self._client, self._bucket, "heads/", self._page)
        written = list(objects.listed(self._client, self._bucket, days[-1], self._page)) if days else []
        if not written:
            return []
        last = written[-1]  # names begin with the time: the newest
        body = objects.read(self._client, self._bucket, last.key, _MOST)
        try:
            return list(heads_of(body if isinstance(body, bytes) else b""))
        except ValueError as error:
            raise StorageFault(f"{self._bucket}/{last.key} cannot be understood: {error}") from None

    def put_erasure(self, erasure: Erasure) -> None:
        values = {
            "version": 1,
            "kind": erasure.kind,
            "id": erasure.id,
            "at": erasure.at.isoformat(),
            "deployment_id": erasure.deployment_id,
        }
        key = f"erasures/{erasure.kind}-{erasure.id}.json"
        objects.write(self._client, self._bucket, key, json.dumps(values).encode(), _JSON, only_if_absent=True)

    def erasures(self) -> Iterator[Erasure]:
        for key, body in self._bodies("erasures/"):
            found = _erasure(body)
            if found is None:
                raise StorageFault(f"{self._bucket}/{key} cannot be understood")
            yield found

    def erased_names(self) -> set[tuple[str, str]]:
        found = set()
        for item in objects.listed(self._client, self._bucket, "erasures/", self._page):
            kind, _, name = item.key.removeprefix("erasures/").removesuffix(".json").partition("-")
            if kind not in _KINDS or not name or item.key != f"erasures/{kind}-{name}.json":
                raise StorageFault(f"{self._bucket}/{item.key} cannot be understood")
            found.add((kind, name))
        return found

    def _bodies(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for item in objects.listed(self._client, self._bucket, prefix, self._page):
            body = objects.read(self._client, self._bucket, item.key, _MOST)
            if not isinstance(body, bytes):
                raise StorageFault(f"{self._bucket}/{item.key} is listed and cannot be read")
            yield item.key, body


def _erasure(body: bytes) -> Erasure | None:
    try:
        values: Any = json.loads(body)
        kind, at, deployment_id = values["kind"], datetime.fromisoformat(values["at"]), values["deployment_id"]
        known = kind in _KINDS and isinstance(values["id"], str) and values["id"] and at.tzinfo is not None
        if known and (deployment_id is None or isinstance(deployment_id, str)):
            return Erasure(kind, values["id"], at, deployment_id)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None
