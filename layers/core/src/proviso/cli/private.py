"""Files that only their owner may read: keys, tokens, and what names somebody."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write the file, whole or not at all, readable by its owner alone; its folder is made, if need be, as private."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    part.replace(path)
