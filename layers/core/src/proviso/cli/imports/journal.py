"""The import's journal: one JSON line for each picture that is settled, so that the same command goes on where it was.

A line counts for one entry, one file (SHA-256) and one pipeline: with another model the same picture must be judged
again. Only what the server answered for good is here; what it could not do is tried again. No label, no pixel.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one file. `reason` and `sentence` are empty where it was accepted; `judged`: by its quality."""

    entry: str
    digest: str
    pipeline: str
    accepted: bool
    reason: str = ""
    sentence: str = ""
    judged: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        return self.entry, self.digest, self.pipeline


class Journal:
    """A file that only grows. A line torn by a power cut is passed over: the server is asked again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._out: TextIO | None = None

    def read(self) -> dict[tuple[str, str, str], Settled]:
        """All lines, the last one of a picture counting."""
        found: dict[tuple[str, str, str], Settled] = {}
        try:
            with self.path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    settled = _settled(line)
                    if settled is not None:
                        found[settled.key] = settled
        except FileNotFoundError:
            return {}
        return found

    def add(self, settled: Settled) -> None:
        """One line, handed to the operating system before this returns."""
        if self._out is None:
            self._out = self._open()
        self._out.write(json.dumps(asdict(settled)) + "\n")
        self._out.flush()

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def _open(self) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        torn = self.path.exists() and not _ends_whole(self.path)
        out = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")
        if torn:
            out.write("\n")
        return out


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        if size == 0:
            return True
        opened.seek(size - 1)
        return opened.read(1) == b"\n"


def _settled(line: str) -> Settled | None:
    try:
        settled = Settled(**json.loads(line))
    except (ValueError, TypeError):
        return None
    texts = (settled.entry, settled.digest, settled.pipeline, settled.reason, settled.sentence)
    flags = (settled.accepted, settled.judged)
    whole = all(isinstance(text, str) for text in texts) and all(isinstance(flag, bool) for flag in flags)
    return settled if whole else None
