"""Several frames as one upload: when they are taken, and which of them may go together.

They are taken a tenth of a second apart, so that somebody who walks has hardly moved and is known again by where they
stand. A burst is refused whole when one of its frames is not as the others; so what does not fit goes by itself, as it
would without bursts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from proviso.domain.frame import BURST, FRAME, MAX_BURST_PIXELS, MAX_FRAME_BYTES
from proviso.domain.reasons import Refused
from proviso.vision.motion_jpeg import one_whole

STEP_S = 0.1
"""Between two frames of a burst; less where bursts come so fast that there is no time for it."""


def step_s(fps: float, burst: int) -> float:
    """Seconds from one frame of a burst to the next, at so many bursts a second."""
    return min(STEP_S, 1.0 / (fps * burst))


def due_s(number: int, fps: float, burst: int) -> float:
    """When the picture of this number (from 0) is due, in seconds from the first: `fps` bursts of `burst` a second."""
    return number // burst / fps + number % burst * step_s(fps, burst)


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """A picture as JPEG, when it was taken, and what its source calls it."""

    name: str
    at: datetime
    jpeg: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Upload:
    """What goes under one key: the kind of upload, the time of its first frame, its bytes, the names of its frames."""

    kind: str
    at: datetime
    data: bytes
    names: tuple[str, ...]


def uploads(taken: Sequence[Taken]) -> Iterator[Upload]:
    """The pictures of one burst as uploads: neighbours of one size together, as far as they stay within the limits of
    an upload; whatever stands alone, or is no whole JPEG, as a single frame."""
    if len(taken) == 1:  # handed on as it is: what a camera sends is judged behind the upload
        yield _upload(taken)
        return
    together: list[Taken] = []
    size: tuple[int, int, int] | None = None
    for one in taken:
        header = one_whole(one.jpeg)
        own = None if isinstance(header, Refused) else (header.width, header.height, header.orientation)
        if together and (own is None or own != size or not _fit([*together, one], own)):
            yield _upload(together)
            together = []
        together.append(one)
        size = own
    if together:
        yield _upload(together)


def _fit(taken: Sequence[Taken], size: tuple[int, int, int]) -> bool:
    pixels = len(taken) * size[0] * size[1]
    return sum(len(one.jpeg) for one in taken) <= MAX_FRAME_BYTES and pixels <= MAX_BURST_PIXELS


def _upload(taken: Sequence[Taken]) -> Upload:
    kind = FRAME if len(taken) == 1 else BURST
    return Upload(kind, taken[0].at, b"".join(one.jpeg for one in taken), tuple(one.name for one in taken))
