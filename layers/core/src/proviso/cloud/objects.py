"""The few S3 calls that every bucket's adapter is made of: read, write, delete, list.

Reads go by GetObject and not by HeadObject: a HEAD has no body, so a missing bucket and a missing key would look the
same, and only the second is "gone".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from proviso.cloud.faults import Gone, Unmet, faults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, PutObjectRequestTypeDef

PAGE = 1000


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The object was not read, being larger than the caller takes."""

    size: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing shows it; `size` in bytes."""

    key: str
    stored_at: datetime
    size: int


def read(client: "S3Client", bucket: str, key: str, most: int, *, shown: str | None = None) -> bytes | TooLarge | None:
    """The object's bytes, None when gone, TooLarge (its body unread) when it has more than `most` bytes.

    A connection that breaks within the body is a fault: half a picture must not pass for a truncated one. `shown`: what
    a fault says in the place of a key that is not to be in a log.
    """
    try:
        with faults("s3:GetObject", f"{bucket}/{shown or key}"):
            answer = client.get_object(Bucket=bucket, Key=key)
            size, body = answer["ContentLength"], answer["Body"]
            if size > most:
                body.close()
                return TooLarge(size)
            return body.read()
    except Gone:
        return None


def exists(client: "S3Client", bucket: str, key: str) -> bool:
    """Is there such an object? Its body is not read."""
    return read(client, bucket, key, -1) is not None


def write(
    client: "S3Client", bucket: str, key: str, body: bytes, content_type: str, *, only_if_absent: bool = False
) -> bool:
    """Put an object that no cache keeps. False when `only_if_absent` and it is there already: then nothing changes,
    and the bucket sends no second event."""
    request: PutObjectRequestTypeDef = {
        "Bucket": bucket,
        "Key": key,
        "Body": body,
        "ContentType": content_type,
        "CacheControl": "no-store",
        # A bucket with an object lock takes nothing without one, and a runtime's client may be too old to add it.
        "ChecksumAlgorithm": "CRC32",
    }
    if only_if_absent:
        request["IfNoneMatch"] = "*"
    try:
        with faults("s3:PutObject", f"{bucket}/{key}"):
            client.put_object(**request)
    except Unmet:
        return False
    return True


def delete(client: "S3Client", bucket: str, key: str, *, shown: str | None = None) -> None:
    """Delete; S3 answers the same when there is nothing to delete. `shown` as for `read`."""
    with faults("s3:DeleteObject", f"{bucket}/{shown or key}"):
        client.delete_object(Bucket=bucket, Key=key)


def listed(client: "S3Client", bucket: str, prefix: str = "", page: int = PAGE) -> Iterator[Listed]:
    """Every object under the prefix, `page` (1..1000) to a request, in key order."""
    for answer in _pages(client, bucket, prefix, page):
        for item in answer.get("Contents", []):
            yield Listed(item["Key"], item["LastModified"], item["Size"])


def folders(client: "S3Client", bucket: str, prefix: str, page: int = PAGE) -> list[str]:
    """What lies one level below the prefix and has something below itself, each ending with a slash, in order."""
    answers = _pages(client, bucket, prefix, page, Delimiter="/")
    return sorted(item["Prefix"] for answer in answers for item in answer.get("CommonPrefixes", []))


def _pages(
    client: "S3Client", bucket: str, prefix: str, page: int, **level: Any
) -> "Iterator[ListObjectsV2OutputTypeDef]":
    asked = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": page}, **level
    )
    pages = iter(asked)
    while True:
        with faults("s3:ListObjectsV2", f"{bucket}/{prefix}"):
            answer = next(pages, None)
        if answer is None:
            return
        yield answer
