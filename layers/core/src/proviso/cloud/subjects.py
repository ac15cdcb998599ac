"""A key a listed person, in a table of its own: without point-in-time recovery, streams or backups (S30).

The pseudonym is HMAC-SHA256 under the key, the sealed details are AES-256-GCM under it (another key derived for each
of the two). A key that is deleted is gone, and with it all that was ever said about its subject in the audit.
The list is the table's partition: its keys are destroyed and counted by a consistent read, never by an index that may
lag behind and let a certificate say zero too early.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from proviso.cloud.faults import Unmet, faults
from proviso.domain.canonical import canonical_bytes
from proviso.domain.subjects import Sealed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "1."
_PADDED_TO = 128  # bytes: the length of what is sealed tells little about it


class DynamoSubjects:
    """SubjectKeys on a table (keys `list` and `subject`). `random` gives that many bytes, for keys and nonces.

    `page`: items to a request of a query.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        random: Callable[[int], bytes],
        page: int = 1000,
    ) -> None:
        self._client = client
        self._table = table
        self._random = random
        self._page = page

    def make(self, watchlist_id: str, entry_id: str, at: datetime) -> None:
        item: dict[str, Any] = {
            **_key(watchlist_id, entry_id),
            "key": {"B": self._random(KEY_BYTES)},
            "created_at": {"S": at.astimezone(UTC).isoformat()},
        }
        try:
            with faults("dynamodb:PutItem", self._table):
                self._client.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(subject)"
                )
        except Unmet:
            return  # made already: a key is never replaced, or what it sealed could not be opened

    def pseudonym(self, watchlist_id: str, entry_id: str) -> str | None:
        key = self._read(watchlist_id, entry_id)
        return pseudonym(key, entry_id) if key else None

    def seal(self, watchlist_id: str, entry_id: str, details: Mapping[str, Any]) -> Sealed | None:
        key = self._read(watchlist_id, entry_id)
        return seal(key, entry_id, details, self._random(_NONCE_BYTES)) if key else None

    def open(self, watchlist_id: str, entry_id: str, texts: Sequence[str]) -> list[dict[str, Any] | None]:
        key = self._read(watchlist_id, entry_id)
        return [unseal(key, entry_id, text) if key else None for text in texts]

    def destroy_list(self, watchlist_id: str) -> int:
        count = 0
        for item in self._of_list(watchlist_id):
            with faults("dynamodb:DeleteItem", self._table):
                self._client.delete_item(TableName=self._table, Key=_key(watchlist_id, item["subject"]["S"]))
            count += 1
        return count

    def count_list(self, watchlist_id: str) -> int:
        return sum(1 for _ in self._of_list(watchlist_id))

    def _read(self, watchlist_id: str, entry_id: str) -> bytes | None:
        with faults("dynamodb:GetItem", self._table):
            # Consistent, and never kept for the next call: a key that was destroyed opens nothing from then on.
            answer = self._client.get_item(TableName=self._table, Key=_key(watchlist_id, entry_id), ConsistentRead=True)
        item: Any = answer.get("Item")
        return bytes(item["key"]["B"]) if item else None

    def _of_list(self, watchlist_id: str) -> Iterator[Any]:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#list = :list",
            "ExpressionAttributeNames": {"#list": "list"},
            "ExpressionAttributeValues": {":list": {"S": watchlist_id}},
            "ProjectionExpression": "subject",
            "ConsistentRead": True,
            "Limit": self._page,
        }
        while True:
            with faults("dynamodb:Query", self._table):
                answer: Any = self._client.query(**asked)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def pseudonym(key: bytes, entry_id: str) -> str:
    """`subject:` and 32 hexadecimal digits (128 bits of an HMAC-SHA256)."""
    return "subject:" + _hmac(key, "pseudonym", entry_id.encode()).hex()[:32]


def seal(key: bytes, entry_id: str, details: Mapping[str, Any], nonce: bytes) -> Sealed:
    """AES-256-GCM over the canonical bytes, the pseudonym being the associated data: what was sealed for one subject
    does not open as another's. `nonce`: 12 random bytes, new for each call."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    subject, plain = pseudonym(key, entry_id), canonical_bytes(dict(details))
    padded = plain + b" " * (-len(plain) % _PADDED_TO)
    hidden = AESGCM(_hmac(key, "seal", b"")).encrypt(nonce, padded, subject.encode())
    text = _VERSION + base64.urlsafe_b64encode(nonce + hidden).decode()
    return Sealed(subject, text, _hmac(key, "mark", plain).hex()[:32])


def unseal(key: bytes, entry_id: str, text: str) -> dict[str, Any] | None:
    """What was sealed; None when it was not sealed for this subject with this key, or was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        kind, raw = text[: len(_VERSION)], base64.urlsafe_b64decode(text[len(_VERSION) :])
        if kind != _VERSION:
            return None
        nonce, hidden = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        plain = AESGCM(_hmac(key, "seal", b"")).decrypt(nonce, hidden, pseudonym(key, entry_id).encode())
        found = json.loads(plain)
    except (InvalidTag, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _hmac(key: bytes, use: str, content: bytes) -> bytes:
    """One key, several uses: each has a name of its own in what is hashed, so that none gives another away."""
    return hmac.new(key, f"proviso subject {use}\0".encode() + content, hashlib.sha256).digest()


def _key(watchlist_id: str, entry_id: str) -> dict[str, Any]:
    return {"list": {"S": watchlist_id}, "subject": {"S": entry_id}}
