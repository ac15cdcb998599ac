"""The state objects of the review in the permits bucket: an open page asks them, not the database, what is new.

They hold a mark and moments, nothing about anybody: whoever may ask sees only that something changed.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from proviso.cloud import objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CANDIDATES = "state/candidates.json"
TESTS = "state/tests.json"
_JSON = "application/json"
_MOST = 64 * 1024
_KEPT = timedelta(hours=1)


class S3Changes:
    """Changes: `state/candidates.json` and `state/tests.json`."""

    def __init__(self, client: "S3Client", bucket: str, new_mark: Callable[[], str]) -> None:
        self._client = client
        self._bucket = bucket
        self._new_mark = new_mark

    def mark(self) -> None:
        body = json.dumps({"version": 1, "mark": self._new_mark()}).encode()
        objects.write(self._client, self._bucket, CANDIDATES, body, _JSON)

    def again_at(self, moments: Sequence[datetime], now: datetime) -> None:
        """Where two calls write at once one list may be lost: its moments then show at the next mark."""
        kept = [moment for moment in self._moments() if moment > now - _KEPT]
        texts = [moment.isoformat() for moment in sorted({*kept, *moments})]
        body = json.dumps({"version": 1, "moments": texts}).encode()
        objects.write(self._client, self._bucket, TESTS, body, _JSON)

    def token(self, now: datetime) -> str:
        """Nothing yet is a token too."""
        body = objects.read(self._client, self._bucket, CANDIDATES, _MOST)
        past = [moment.isoformat() for moment in self._moments() if moment <= now]
        mark = body if isinstance(body, bytes) else b""
        return hashlib.sha256(mark + "/".join(past).encode()).hexdigest()[:16]

    def _moments(self) -> list[datetime]:
        """What cannot be understood holds no moment: a page then asks at the next mark."""
        body = objects.read(self._client, self._bucket, TESTS, _MOST)
        try:
            found = [datetime.fromisoformat(text) for text in json.loads(body)["moments"]] if body else []  # type: ignore[arg-type]
        except (ValueError, KeyError, TypeError, RecursionError):
            return []
        return [moment for moment in found if moment.tzinfo is not None]
