"""A browser's form to S3: read within limits, and held against the policy that came with it, condition by condition.

The rules are those of S3's POST Object: the policy must not have expired, each of its conditions must hold, and every
field of the form must be covered by a condition, but for the few that S3 exempts.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from proviso.local.signed import S3Refusal, denied

MOST_FIELDS_BYTES = 20_000
_EXEMPT = frozenset({"policy", "x-amz-signature", "file", "awsaccesskeyid"})
_NAME = re.compile(r'(?:^|;)\s*name="([^"]*)"')
_FILE_NAME = re.compile(r'(?:^|;)\s*filename="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields by their names in small letters, and the bytes of its file."""

    fields: Mapping[str, str] = field(repr=False)
    file: bytes = field(repr=False)

    @property
    def key(self) -> str:
        return self.fields["key"]


def read_form(content_type: str, body: bytes) -> Form:
    """A multipart form as S3 takes it: each field once, the file last (what follows it counts for nothing)."""
    boundary = re.search(r'^multipart/form-data\s*;.*?boundary="?([^";,]{1,70})"?', content_type, re.IGNORECASE)
    if boundary is None:
        raise S3Refusal(412, "PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data")
    mark = b"--" + boundary[1].encode("latin-1", "replace")
    if not body.startswith(mark + b"\r\n"):
        raise _malformed()
    fields: dict[str, str] = {}
    at = len(mark) + 2
    while True:
        head_end, end = body.find(b"\r\n\r\n", at), -1
        if head_end >= 0:
            end = body.find(b"\r\n" + mark, head_end + 2)
        if head_end < 0 or end < 0:
            raise _malformed()
        name, file_name = _part(body[at:head_end])
        value = body[head_end + 4 : end]
        if name == "file":
            return Form(_with_file_name(fields, file_name), value)
        if end > MOST_FIELDS_BYTES:
            raise S3Refusal(400, "MaxPostPreDataLengthExceededError", "Your POST request fields preceding the upload"
                            " file were too large.")  # fmt: skip
        if name in fields:
            raise S3Refusal(400, "InvalidArgument", f"the field {name} is there twice")
        try:
            fields[name] = value.decode("utf-8")
        except UnicodeDecodeError:
            raise _malformed() from None
        at = end + len(mark) + 2
        if body[at : at + 2] != b"\r\n":
            raise S3Refusal(400, "IncorrectNumberOfFilesInPostRequest", "POST requires exactly one file upload.")
        at += 2


def _part(head: bytes) -> tuple[str, str]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        kind, _, value = line.partition(":")
        if kind.strip().lower() == "content-disposition" and value.strip().lower().startswith("form-data"):
            name, file_name = _NAME.search(value), _FILE_NAME.search(value)
            if name is not None:
                return name[1].lower(), file_name[1] if file_name else ""
    raise _malformed()


def _with_file_name(fields: dict[str, str], file_name: str) -> dict[str, str]:
    if not fields.get("key"):
        raise S3Refusal(400, "InvalidArgument", "Bucket POST must contain a field named 'key'.")
    plain = re.split(r"[/\\]", file_name)[-1]
    return {**fields, "key": fields["key"].replace("${filename}", plain)}


def check_policy(form: Form, bucket: str, now: datetime) -> None:
    """Hold the form against its own policy. S3Refusal names what does not hold."""
    expires_at, conditions = _policy(form.fields["policy"])
    if expires_at <= now:
        raise denied("Invalid according to Policy: Policy expired.")
    values = {**form.fields, "bucket": bucket}
    covered = {"bucket"}
    for condition in conditions:
        for operator, name, wanted in _conditions(condition):
            if operator == "content-length-range":
                _size(len(form.file), name, wanted)
                continue
            covered.add(name)
            held = values.get(name)
            good = held is not None and (held == wanted if operator == "eq" else held.startswith(wanted))
            if not good:
                shown = json.dumps([operator, f"${name}", wanted])
                raise denied(f"Invalid according to Policy: Policy Condition failed: {shown}")
    extra = [name for name in form.fields if name not in covered | _EXEMPT and not name.startswith("x-ignore-")]
    if extra:
        raise denied(f"Invalid according to Policy: Extra input fields: {', '.join(sorted(extra))}")


def _policy(encoded: str) -> tuple[datetime, list[Any]]:
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
        expires_at = datetime.fromisoformat(document["expiration"])
        conditions = document["conditions"]
        if expires_at.tzinfo is None or not isinstance(conditions, list):
            raise ValueError
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise _invalid("it is no JSON with an expiration and conditions") from None
    return expires_at.astimezone(UTC), conditions


def _conditions(condition: Any) -> list[tuple[str, Any, Any]]:
    """One condition as (operator, field, value); a range as (operator, least, most)."""
    if isinstance(condition, dict) and condition:
        found = [("eq", name, value) for name, value in condition.items()]
    elif isinstance(condition, list) and len(condition) == 3 and isinstance(condition[0], str):
        operator, name, value = condition[0].lower(), condition[1], condition[2]
        if operator == "content-length-range":
            return [(operator, _whole(name), _whole(value))]
        if operator not in ("eq", "starts-with") or not isinstance(name, str) or not name.startswith("$"):
            raise _invalid("a condition is unknown")
        found = [(operator, name[1:], value)]
    else:
        raise _invalid("a condition is neither a pair nor a triple")
    if not all(isinstance(value, str) for _, _, value in found):
        raise _invalid("a condition's value is no text")
    return [(operator, name.lower(), value) for operator, name, value in found]


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}", str(value)):
        raise _invalid("a range is not of whole numbers")
    return int(value)


def _size(size: int, least: int, most: int) -> None:
    if size < least:
        raise S3Refusal(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    if size > most:
        raise S3Refusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")


def _malformed() -> S3Refusal:
    return S3Refusal(400, "MalformedPOSTRequest", "The body of your POST request is not well-formed"
                     " multipart/form-data.")  # fmt: skip


def _invalid(why: str) -> S3Refusal:
    return S3Refusal(400, "InvalidPolicyDocument", f"The content of the form does not meet the conditions specified in"
                     f" the policy document: {why}.")  # fmt: skip
