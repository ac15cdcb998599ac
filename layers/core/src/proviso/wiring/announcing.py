"""What the notice sheet and the sign name, from govern's settings (S33)."""

from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from proviso import settings
from proviso.wiring import _read


@dataclass(frozen=True, slots=True)
class Desk:
    """Where people turn, and the time zone in which they are told times."""

    complaints: str
    data_protection: str
    zone: ZoneInfo


@cache
def desk() -> Desk:
    """Those of this installation."""
    read = _read(settings.Announcing)
    return Desk(read.complaints_contact, read.data_protection_contact, read.time_zone)
