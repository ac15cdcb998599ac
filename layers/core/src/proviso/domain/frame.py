"""Frames: what a camera uploads, how it is named, and the one outcome that each of them has (rule 3).

`Jpeg` and `Image` hold pixels. Neither shows them: not in repr, not in str, not in a pickle, not in JSON. That is
the type's job, so that no caller has to remember it (S14).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn

from proviso.domain.reasons import Reason, Refused

CAMERA_PATTERN = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_KEY = re.compile(
    rf"(?P<camera>{CAMERA_PATTERN})/(?P<date>\d{{4}}-\d{{2}}-\d{{2}})/"
    r"(?P<time>\d{6}\.\d{3})Z_(?P<sequence>\d{6}|[1-9]\d{6,8})\.(?P<kind>[a-z]{1,5})",
    re.ASCII,
)
FRAME, BURST = "jpg", "mjpeg"
"""The kinds of upload: a single JPEG, and whole JPEGs one after the other (domain/burst.py)."""
MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Of an upload of either kind."""
MAX_FRAME_PIXELS = 24_000_000
MAX_BURST_PIXELS = 2 * MAX_FRAME_PIXELS
"""Of all frames of a burst together: one call decodes them all."""


class _Private:
    """Refuses the ways in which Python shows or copies an object without being asked."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds biometric data and is never serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds biometric data and is never serialised")


class Jpeg(_Private):
    """An encoded picture (bytes as uploaded). Its repr tells the size and nothing else."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"<Jpeg {len(self.data)} bytes>"


Region = tuple[int, int, int, int]
"""Where a face is in a picture: x, y, width, height in whole pixels of it."""


@dataclass(frozen=True, slots=True)
class EvidencePicture:
    """The picture that a reviewer sees (S15), and where the candidate's face is in it."""

    jpeg: Jpeg
    face: Region


class Image(_Private):
    """A decoded picture. `pixels` is a uint8 array (height, width, 3) in BGR, known only to the vision wing."""

    __slots__ = ("height", "pixels", "width")

    def __init__(self, pixels: Any, width: int, height: int) -> None:
        self.pixels = pixels
        self.width = width
        self.height = height

    def __repr__(self) -> str:
        return f"<Image {self.width}x{self.height}>"


@dataclass(frozen=True, slots=True)
class FrameKey:
    """The name of an upload: `<camera>/<YYYY-MM-DD>/<HHMMSS.mmm>Z_<sequence>.jpg`, or `.mjpeg` for a burst. Its time is
    the capture in UTC, of a burst that of its first frame."""

    camera: str
    captured_at: datetime
    sequence: int
    kind: str = FRAME

    @property
    def is_burst(self) -> bool:
        return self.kind == BURST

    def __str__(self) -> str:
        moment = self.captured_at.astimezone(UTC)
        return (
            f"{self.camera}/{moment:%Y-%m-%d}/{moment:%H%M%S}.{moment.microsecond // 1000:03d}Z"
            f"_{self.sequence:06d}.{self.kind}"
        )

    @classmethod
    def parse(cls, key: str) -> "FrameKey | Refused":
        """Read a key as S3 names it (already unquoted). Anything else is refused: a frame has one name."""
        found = _KEY.fullmatch(key)
        if found is None:
            return Refused(Reason.BAD_KEY, key[:200])
        if found["kind"] not in (FRAME, BURST):
            return Refused(Reason.WRONG_TYPE, found["kind"])
        try:
            moment = datetime.strptime(f"{found['date']} {found['time']}000+0000", "%Y-%m-%d %H%M%S.%f%z")
        except ValueError:
            return Refused(Reason.BAD_KEY, key[:200])
        return cls(found["camera"], moment, int(found["sequence"]), found["kind"])


def shown(key: str) -> str:
    """An upload's name as logs and faults may say it. One that is not a frame's may be anything, somebody's name
    included: the ledger has it, the log not."""
    return "not a frame's name" if isinstance(FrameKey.parse(key), Refused) else key


class Outcome(StrEnum):
    """What became of a frame. RECEIVED is where each begins; every other one is final and set once (rule 3)."""

    RECEIVED = "received"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    NO_FACE = "no_face"
    SEARCHED = "searched"
    STALE = "stale"
    ORPHANED = "orphaned"
    UNPROCESSED = "unprocessed"


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one upload, never mixed: detected = refused by quality + searched + not searched (over the cap).

    In a burst a face is a track: one person's faces in its frames count once. It is refused when none of them is
    usable. Where match finds that a track is several people, each part counts as a face of its own, in `detected`
    and in `searched`.
    """

    detected: int = 0
    refused: int = 0
    searched: int = 0
    not_searched: int = 0
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One upload's row in the ledger. `stages` are milliseconds by stage name; `detail` is for people."""

    key: str
    outcome: Outcome
    received_at: datetime
    reason: Reason | None = None
    detail: str = ""
    camera: str | None = None
    deployment_id: str | None = None
    counts: Counts = Counts()
    finished_at: datetime | None = None
    stages: tuple[tuple[str, float], ...] = ()
