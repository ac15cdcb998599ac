"""One frame's way into the bucket: tried again while it is young enough to be of use, then dropped and counted.

A frame older than the age limit would be refused as stale; uploading it would cost and help nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from proviso.cli.camera.sources import Wait
from proviso.domain.frame import FrameKey

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 8.0

Put = Callable[[str, bytes], None]
"""Store one object: key, bytes. Raises UploadFault."""


class UploadFault(Exception):
    """The upload failed. `passing` tells whether time may mend it."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Delivery(StrEnum):
    UPLOADED = "uploaded"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one frame, after how many tries, and the last thing that went wrong."""

    key: str
    delivery: Delivery
    tries: int
    fault: str = ""


def deliver(
    key: FrameKey,
    jpeg: bytes,
    *,
    put: Put,
    age_limit_s: float,
    clock: Callable[[], datetime],
    wait: Wait,
    random: Callable[[], float],
) -> Delivered:
    """Upload with exponential waits and full jitter until it is done, hopeless, too old, or the agent is to end."""
    too_old = key.captured_at + timedelta(seconds=age_limit_s)
    name, tries, pause, fault = str(key), 0, FIRST_WAIT_S, ""
    while clock() < too_old:
        tries += 1
        try:
            put(name, jpeg)
            return Delivered(name, Delivery.UPLOADED, tries)
        except UploadFault as error:
            fault = str(error)
            if not error.passing:
                return Delivered(name, Delivery.FAILED, tries, fault)
        if wait(pause * random()):
            return Delivered(name, Delivery.DROPPED, tries, fault)
        pause = min(2 * pause, LONGEST_WAIT_S)
    return Delivered(name, Delivery.DROPPED, tries, fault or f"older than {age_limit_s:g} s")
