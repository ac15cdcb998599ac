"""One byte form for what is hashed: JSON with sorted keys and no spaces, UTF-8, without floats.

Floats are refused because their text differs between languages; thresholds and the like are decimal strings.
"""

import hashlib
import json
from typing import Any


def canonical_bytes(value: Any) -> bytes:
    """Encode str, int, bool, None, lists and string-keyed dicts. TypeError for anything else (floats included)."""
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def _check(value: Any) -> None:
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, list | tuple):
        for item in value:
            _check(item)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys must be str, not {type(key).__name__}")
            _check(item)
        return
    raise TypeError(f"{type(value).__name__} has no canonical form here")
