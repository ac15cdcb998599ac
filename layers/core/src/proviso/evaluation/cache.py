"""What was measured before, by pipeline, file and alteration. It holds templates, which are biometric data.

So it lies in a folder that only its user may open (0700), holds no name of a file or a person, and is deleted by
`proviso evaluate --clear-cache`. Another pipeline has another file: templates of two pipelines never meet.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proviso.evaluation.faces import Measured

_FORMAT = 3
"""Raise it when what is measured of a picture, or an alteration's recipe, changes."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS measured (file TEXT, alteration TEXT, failure TEXT, faces INTEGER, face_px REAL, "
    "search TEXT, enrolment TEXT, vector BLOB, PRIMARY KEY (file, alteration)) WITHOUT ROWID"
)
_GET = "SELECT failure, faces, face_px, search, enrolment, vector FROM measured WHERE file = ? AND alteration = ?"

Row = tuple[str, int, float, str, str, bytes]


class Cache:
    """One pipeline's cache. Close it, or use it in a `with`."""

    def __init__(self, folder: Path, pipeline: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        path = folder / f"{pipeline[:32]}-{_FORMAT}.sqlite"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        try:
            self._base = self._open(path)
        except sqlite3.DatabaseError:  # damaged, as by a full disk: it is only a cache
            path.unlink()
            self._base = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        base = sqlite3.connect(path, timeout=30)
        base.execute("PRAGMA secure_delete = ON")
        base.execute(_TABLE)
        return base

    def get(self, file: str, alteration: str) -> Row | None:
        """What is known of the file with this SHA-256."""
        return self._base.execute(_GET, (file, alteration)).fetchone()  # type: ignore[no-any-return]

    def put_all(self, rows: Iterable[tuple[str, str, "Measured"]]) -> None:
        """Keep results, in one transaction."""
        with self._base:
            self._base.executemany(
                "INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (file, alteration, m.failure, m.faces, m.face_px, m.search, m.enrolment, m.vector)
                    for file, alteration, m in rows
                ),
            )

    def close(self) -> None:
        self._base.close()

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clear(folder: Path) -> int:
    """Delete the cache of every pipeline. Returns how many there were."""
    files = list(folder.glob("*.sqlite")) if folder.is_dir() else []
    shutil.rmtree(folder, ignore_errors=True)
    return len(files)
