"""Subjects: how the audit speaks of a listed person, and what is answered to somebody who asks "was I on it?".

The audit can never be changed, and a listed person's particulars must go (S30). So it names them by a pseudonym and
holds what would identify them sealed, both made with a key of their own, which lies outside the database and its
backups. With the key gone the records stay, and the chain with them, and say nothing about anybody any more.
What S31 keeps (reference numbers, times, states) is answered from, to the data protection officer alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from proviso.domain.audit import SYSTEM_CHAIN, Act
from proviso.domain.candidate import short_reference

UNAVAILABLE = "subject:unavailable"
"""In place of a pseudonym where the keys cannot be read and the act must happen all the same: a removal (S36)."""
UNLINKED = "subject:unlinked"
"""In place of the pseudonym of somebody whose key is destroyed."""
SLIP_WITHIN = timedelta(hours=12)
"""How far the time that somebody remembers may lie from the time on the record."""

_SLIP = re.compile("[A-Z2-7]{6}")
_BELOW_SLIP = 98  # bits of a UUID after the 30 that a slip shows


@dataclass(frozen=True, slots=True)
class Sealed:
    """Details of an act, sealed with the subject's key: `subject` is the pseudonym, `text` what only the key opens.

    `mark` is a keyed hash of the details: equal for equal ones, so that repetitions can be counted without the key.
    """

    subject: str
    text: str
    mark: str


def subject_act(at: datetime, actor: str, action: str, sealed: Sealed, details: Mapping[str, Any]) -> Act:
    """An act on a listed person, for the system chain. `details` name nobody: what would is in `sealed`."""
    return Act(SYSTEM_CHAIN, at, actor, action, sealed.subject, details={**details, "sealed": sealed.text})


@dataclass(frozen=True, slots=True)
class Listed:
    """What stays of an entry for good (S31). `erased_at` is when its particulars went."""

    entry_id: str
    watchlist_id: str
    reference_no: str
    category: str
    added_at: datetime
    removed_at: datetime | None
    erased_at: datetime | None

    def __repr__(self) -> str:
        return f"<Listed {self.entry_id} of {self.watchlist_id}>"


@dataclass(frozen=True, slots=True)
class ListUse:
    """A deployment of a list: by whom, for what, where and when."""

    deployment_id: str
    watchlist_id: str
    operator: str
    use: str
    place: str
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    state: str


class EvidenceState(StrEnum):
    """What is left of a candidate's evidence picture."""

    KEPT = "kept"
    HELD = "held"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Raised:
    """A candidate that was raised. Not whom the machine took the person for, and not how similar they were."""

    candidate_id: str
    entry_id: str
    deployment_id: str
    place: str
    captured_at: datetime
    raised_at: datetime
    state: str
    decided_at: datetime | None
    evidence: EvidenceState

    @property
    def slip(self) -> str:
        """The short reference that stood in the messages about it."""
        return short_reference(self.candidate_id)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list on which a reference number stood, what the list was used for, and the candidates raised for it."""

    listed: Listed
    uses: tuple[ListUse, ...]
    raised: tuple[Raised, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept. An answer to a wrong question looks like an answer to one about nobody."""

    listings: tuple[Listing, ...] = ()
    candidates: tuple[tuple[Raised, ListUse], ...] = ()

    @property
    def kept(self) -> bool:
        return bool(self.listings or self.candidates)


def slip_of(text: str) -> str | None:
    """A slip as somebody may have written it down, in its own letters; None when it is none."""
    slip = text.strip().upper()
    return slip if _SLIP.fullmatch(slip) else None


def candidates_of_slip(slip: str) -> tuple[str, str]:
    """The lowest and the highest candidate id with this slip. ValueError when it is none."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    if slip_of(slip) != slip:
        raise ValueError("not a slip")
    value = 0
    for letter in slip:
        value = value << 5 | letters.index(letter)
    low = value << _BELOW_SLIP
    return str(UUID(int=low)), str(UUID(int=low | (1 << _BELOW_SLIP) - 1))
