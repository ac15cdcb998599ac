"""The permits bucket: permits for detect, due times for sweep, stops that wait for the database, and sweep's look into
the queues for retain.

All of them let a function without a database know what it must do. None of them is the gate: that is the row.
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING

from proviso.cloud import objects
from proviso.domain.errors import PermitUnreadable
from proviso.domain.permit import Permit
from proviso.domain.ports import StopRecord

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from proviso.domain.retention import QueuesSeen

_JSON = "application/json"
_MOST = 64 * 1024  # bytes; all that is written here is far below one kilobyte
UNREADABLE_ACTOR = "unreadable"


class S3Permits:
    """PermitStore: `permits/<camera>.json`."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def read(self, camera: str) -> Permit | None:
        body = objects.read(self._client, self._bucket, _key("permits", camera), _MOST)
        if body is None:
            return None
        if isinstance(body, objects.TooLarge):
            raise PermitUnreadable(f"the permit of camera {camera} has {body.size} bytes")
        try:
            permit = Permit.from_json(body)
        except (RecursionError, OverflowError) as error:
            raise PermitUnreadable(f"the permit of camera {camera} cannot be read: {type(error).__name__}") from error
        if permit.camera != camera:
            raise PermitUnreadable(f"the permit of camera {camera} names another camera")
        return permit

    def write(self, permit: Permit) -> None:
        body = permit.to_json().encode()
        objects.write(self._client, self._bucket, _key("permits", permit.camera), body, _JSON)

    def delete(self, camera: str) -> None:
        objects.delete(self._client, self._bucket, _key("permits", camera))

    def cameras(self) -> list[str]:
        return _names(self._client, self._bucket, "permits", self._page)


class S3Due:
    """DueStore: `due/<deployment>.json`."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def put(self, deployment_id: str, due_at: datetime) -> None:
        body = json.dumps({"version": 1, "due_at": due_at.isoformat()}).encode()
        objects.write(self._client, self._bucket, _key("due", deployment_id), body, _JSON)

    def due(self, now: datetime) -> list[str]:
        found = []
        for deployment_id in _names(self._client, self._bucket, "due", self._page):
            body = objects.read(self._client, self._bucket, _key("due", deployment_id), _MOST)
            if body is not None and _is_due(body, now):
                found.append(deployment_id)
        return found

    def delete(self, deployment_id: str) -> None:
        objects.delete(self._client, self._bucket, _key("due", deployment_id))


class S3Stops:
    """StopSpool: `stops/<id>.json`."""

    def __init__(self, client: "S3Client", bucket: str, page: int = objects.PAGE) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page

    def put(self, record: StopRecord) -> None:
        values = {
            "version": 1,
            "id": record.id,
            "at": record.at.isoformat(),
            "actor": record.actor,
            "deployment_id": record.deployment_id,
        }
        objects.write(self._client, self._bucket, _key("stops", record.id), json.dumps(values).encode(), _JSON)

    def waiting(self) -> list[StopRecord]:
        """Oldest first. A stop that cannot be read is read as "all": somebody wanted a stop, and nobody knows of what
        (S36: when anything is unclear, stopping still works)."""
        found = []
        for item in objects.listed(self._client, self._bucket, "stops/", self._page):
            if (name := _name(item.key, "stops")) is None:
                continue
            body = objects.read(self._client, self._bucket, item.key, _MOST)
            if body is not None:
                found.append(_stop(body, name) or StopRecord(name, item.stored_at, UNREADABLE_ACTOR, None))
        return sorted(found, key=lambda record: (record.at, record.id))

    def delete(self, record_id: str) -> None:
        objects.delete(self._client, self._bucket, _key("stops", record_id))


class S3QueueLook:
    """QueueLook: `state/queues.json`."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, seen: "QueuesSeen") -> None:
        values = {"version": 1, "at": seen.at.isoformat(), "counts": dict(seen.counts)}
        objects.write(self._client, self._bucket, _key("state", "queues"), json.dumps(values).encode(), _JSON)

    def last(self) -> "QueuesSeen | None":
        """What cannot be understood is no look: then nothing counts as zero."""
        body = objects.read(self._client, self._bucket, _key("state", "queues"), _MOST)
        return _seen(body) if isinstance(body, bytes) else None


def _key(folder: str, name: str) -> str:
    return f"{folder}/{name}.json"


def _name(key: str, folder: str) -> str | None:
    name = key.removeprefix(f"{folder}/").removesuffix(".json")
    return name if name and key == _key(folder, name) else None


def _names(client: "S3Client", bucket: str, folder: str, page: int) -> list[str]:
    names = (_name(item.key, folder) for item in objects.listed(client, bucket, f"{folder}/", page))
    return [name for name in names if name is not None]


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _is_due(body: bytes | objects.TooLarge, now: datetime) -> bool:
    if isinstance(body, objects.TooLarge):
        return True
    try:
        return _aware(json.loads(body)["due_at"]) <= now
    except (ValueError, KeyError, TypeError, RecursionError):
        return True


def _stop(body: bytes | objects.TooLarge, name: str) -> StopRecord | None:
    if isinstance(body, objects.TooLarge):
        return None
    try:
        values = json.loads(body)
        deployment_id = values["deployment_id"]
        if deployment_id is not None and not (isinstance(deployment_id, str) and deployment_id):
            return None
        return StopRecord(name, _aware(values["at"]), str(values["actor"]), deployment_id)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _seen(body: bytes) -> "QueuesSeen | None":
    from proviso.domain.retention import QueuesSeen  # detect reads permits, and needs none of that

    try:
        values = json.loads(body)
        counts = tuple(sorted(values["counts"].items()))
        if values["version"] != 1 or any(type(count) is not int or count < 0 for _, count in counts):
            return None
        return QueuesSeen(_aware(values["at"]), counts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
