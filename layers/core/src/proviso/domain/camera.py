"""Cameras as callers: who may ask for an upload right, and what such a right is (S35).

A camera is no person: it has no role and no token, but a random key of its own, of which only the digest is kept. With
it a camera asks for an `UploadGrant`, which lets it write under its own prefix for some minutes, and read nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from proviso.domain.frame import BURST, CAMERA_PATTERN, FRAME

GRANT_LASTS = timedelta(minutes=10)
"""How long an upload right lasts at most. It cannot be taken back before that, so it is short."""

FRAME_TYPE = "image/jpeg"
BURST_TYPE = "video/x-motion-jpeg"
TYPES = {FRAME: FRAME_TYPE, BURST: BURST_TYPE}
"""The media type under which each kind of upload is stored."""


def is_camera_name(name: str) -> bool:
    """Small letters, digits and hyphens, at most 63: what may stand at the beginning of a frame's key."""
    return re.fullmatch(CAMERA_PATTERN, name, re.ASCII) is not None


def key_digest(key: str) -> str:
    """SHA-256 (hex) of a camera's key as it was given out. The key is 32 random bytes, so no salt is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class RegisteredCamera:
    """A camera that may ask for upload rights. Only the digest of its key is kept, and it is not shown."""

    camera: str
    key_digest: str = field(repr=False)
    registered_by: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """A presigned form: `fields` and one file, posted to `url`, under a key that begins with `key_prefix`, until
    `expires_at`. The fields are as good as a key until then, hence not in the repr.

    Each form is bound to one media type. `burst_fields` is the form for an upload of several frames, at most
    `burst_frames`; there is none where the permit allows single frames only.
    """

    url: str
    fields: Mapping[str, str] = field(repr=False)
    key_prefix: str
    expires_at: datetime
    burst_frames: int = 1
    burst_fields: Mapping[str, str] | None = field(default=None, repr=False)
