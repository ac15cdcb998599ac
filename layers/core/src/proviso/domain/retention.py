"""Retention: what has to be gone by when, counted to zero, and certified (S23)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

CLOSE_AFTER = timedelta(hours=12)
"""When retain closes a deployment that nobody closed: well within the 24 hours of S23."""
LOOK_EVERY = timedelta(minutes=1)
"""How often retain looks at an active deployment: a lost notice is of use for minutes only. It also keeps the database
awake while a deployment is active, which a frame that may be searched for a minute needs: waking takes up to 45 s."""
STRAY_EVIDENCE_AFTER = timedelta(minutes=15)
"""When an evidence picture without a committed row is deleted (rule 5)."""
LIST_DUE = "list-"
"""How a list that is to be erased by itself is named among what is due; everything else there is a deployment."""
BACKUPS_KEPT = timedelta(days=1)
"""Aurora cannot keep fewer than one day of backups; a certificate names when the last of them has expired."""


@dataclass(frozen=True, slots=True)
class StoreCount:
    """How many items of a deployment or its list are left in one store. Zero is what a certificate needs."""

    store: str
    left: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was deleted, when, and the zero count of each live store. Backups follow `backups_expire_at`."""

    deployment_id: str
    watchlist_id: str
    counts: tuple[StoreCount, ...]
    verified_at: datetime
    backups_expire_at: datetime

    @property
    def complete(self) -> bool:
        return all(count.left == 0 for count in self.counts)


@dataclass(frozen=True, slots=True)
class LedgerFold:
    """How many frames of one camera and hour ended in one way: what retain writes into the audit (rule 3).

    `frames_digest` is the SHA-256 of their keys' canonical form: the same frames folded twice show the same digest.
    """

    camera: str
    hour: str
    outcome: str
    reason: str
    frames: int
    frames_digest: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """That something was erased, kept outside the database and its backups: after a restore it is erased again.

    Identifiers only; it says nothing about a person.
    """

    kind: Literal["list", "entry", "candidate_evidence"]
    id: str
    at: datetime
    deployment_id: str | None = None
