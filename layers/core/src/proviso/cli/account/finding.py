"""What a check found, and running many of them so that one which fails breaks no other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    ATTENTION = "attention"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: how it is, and what to do about it where it is not well."""

    level: Level
    name: str
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Finding:
    return Finding(Level.OK, name, found)


def attention(name: str, found: str, mend: str) -> Finding:
    return Finding(Level.ATTENTION, name, found, mend)


def wrong(name: str, found: str, mend: str) -> Finding:
    return Finding(Level.WRONG, name, found, mend)


Check = Callable[[], Finding | Iterable[Finding]]


def run(checks: Iterable[tuple[str, Check]], explain: Callable[[BaseException], str]) -> Iterator[Finding]:
    """All findings, in order. A check that cannot be made is a line of its own that says why."""
    for name, check in checks:
        try:
            found = check()
            yield from [found] if isinstance(found, Finding) else list(found)
        except Exception as error:  # noqa: BLE001  the boundary: whatever it was, the next check is made
            yield Finding(Level.ATTENTION, name, f"not known: {explain(error)}", "see why, and look again")
