"""A frame's way through the functions, as the log tells it: under one name, the frame's correlation id.

Stages know who a line is about, and the edge writes lines; these are the calls between the two. What is told is an
identifier and never a person, an entry or an account: who looked and who decided is the audit's.
"""

from collections.abc import Callable
from typing import Protocol

Follow = Callable[[str], None]
"""Is told the correlation id of what a call is about, as soon as it is known: "" where there is none (a test)."""


class Step(Protocol):
    """Is told that something was done with a candidate, after it was committed."""

    def __call__(self, what: str, candidate_id: str, correlation_id: str, /) -> None: ...


def unfollowed(_: str, /) -> None:
    """Nobody follows."""


def untold(_what: str, _candidate_id: str, _correlation_id: str, /) -> None:
    """Nobody is told."""
