"""Retention: what has to be gone by when, counted to zero, and certified (S23, S24)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from proviso.domain.deployment import Deployment
from proviso.domain.policy import Policy

CLOSE_WITHIN = timedelta(hours=24)
"""By when everything of a deployment must be gone (S23)."""
CLOSE_AFTER = timedelta(hours=12)
"""When retain closes a deployment that nobody closed: well within the 24 hours of S23."""
LOOK_EVERY = timedelta(minutes=1)
"""How often retain looks at an active deployment: a lost notice is of use for minutes only. It also keeps the database
awake while a deployment is active, which a frame that may be searched for a minute needs: waking takes up to 45 s."""
STRAY_EVIDENCE_AFTER = timedelta(minutes=15)
"""When an evidence picture without a committed row is deleted (rule 5)."""
LIST_DUE = "list-"
"""How a list that is to be erased by itself is named among what is due."""
HOLD_DUE = "hold-"
"""How a hold that was released is named there. Like every name that is no deployment and no list, it only wakes."""
OUTCOMES_DUE = "outcomes"
"""How the next outcome that nobody may come to record is named there (S22); it wakes as well, and is put anew."""
GROUPS_DUE = "groups"
"""How what was said of single candidates' groups is named there, until all of it is counted and gone (S28)."""
RESTORED_DUE = "restored-"
"""How a database that was made of a snapshot is named there: retain erases again what came back in it (S23)."""
RESTORED_AFTER = (timedelta(minutes=5), timedelta(hours=1))
"""When retain is woken for it. Not at once: migrate is done before CloudFormation gives retain the new database's
address, and a run that still asks the one before would take away what was due. Twice, because nobody knows how long
that takes."""
LIST_UNUSED_AFTER = timedelta(days=30)
"""How long a list waits for a deployment. Its pictures' backstop is a day later."""
QUEUES = ("frames", "faces", "notices", "dead frames", "dead faces", "dead notices")
"""The queues that could hold a message of a deployment; `dead` ones hold dead letters."""
QUEUES_KEEP = timedelta(hours=12)
"""The longest that any of them keeps a message, dead letters included; a template test holds that none keeps longer."""
LATE_AFTER = timedelta(minutes=15)
"""retain comes by within a minute or two of what is due, and a database has to wake: later than this is overdue."""
BACKUPS_KEPT = timedelta(days=1)
"""Aurora cannot keep fewer than one day of backups; a certificate names when the last of them has expired."""


@dataclass(frozen=True, slots=True)
class StoreCount:
    """How many items of a deployment or its list are left in one store. Zero is what a certificate needs."""

    store: str
    left: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was deleted, when, and the zero count of each live store. Backups follow at `backups_expire_at`; when that
    was certified too, `backups_expired_at` says so.

    `held`: how many evidence pictures stay because a hold stands (S24). The counts do not hold them.
    """

    deployment_id: str
    watchlist_id: str
    counts: tuple[StoreCount, ...]
    verified_at: datetime
    backups_expire_at: datetime
    held: int = 0
    backups_expired_at: datetime | None = None

    @property
    def complete(self) -> bool:
        return all(count.left == 0 for count in self.counts)


@dataclass(frozen=True, slots=True)
class Erasure:
    """That something was erased, kept outside the database and its backups: after a restore it is erased again.

    Identifiers only; it says nothing about a person.
    """

    kind: Literal["list", "entry", "candidate_evidence"]
    id: str
    at: datetime
    deployment_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueuesSeen:
    """How many messages each queue held at a moment: visible, in flight and delayed ones together."""

    at: datetime
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ListStanding:
    """What decides whether a list goes by itself. `used`: a deployment on it is not closed, and takes it along."""

    id: str
    created_at: datetime
    delete_requested_at: datetime | None
    erased_at: datetime | None
    used: bool

    @property
    def erase_at(self) -> datetime | None:
        """When it goes by itself: when somebody asked for it, or when no deployment did for so long. None: never."""
        if self.used or self.erased_at is not None:
            return None
        return self.delete_requested_at or self.created_at + LIST_UNUSED_AFTER


def close_after(policy: Policy) -> timedelta:
    """How long after its end a deployment is closed when nobody closes it: no evidence outlives its hours by that."""
    return min(CLOSE_AFTER, timedelta(hours=policy.evidence_hours))


def over_since(deployment: Deployment) -> datetime:
    """Since when nothing is searched any more: the stop or the end of its window, whenever that was written down.

    A court's refusal (S37) ends the search before it began, as the row says it: then it is the stop that counts.
    """
    ends = [deployment.ends_at, deployment.finished_at or deployment.ends_at]
    began = deployment.started_at or deployment.requested_at
    if deployment.search_until is not None and deployment.search_until > began:
        ends.append(deployment.search_until)
    return min(ends)


def look_again(over: datetime, now: datetime) -> datetime:
    """When to look next for a deployment that waits for a queue: the longer it waits, the more seldom, so that one dead
    letter does not keep the database awake; and when no queue can hold anything of it any more."""
    return min(now + min((now - over) / 4, timedelta(minutes=30)), over + QUEUES_KEEP)


def queue_counts(over: datetime, now: datetime, seen: QueuesSeen | None) -> tuple[StoreCount, ...] | str:
    """The zero count of each queue for a deployment that is over since then; or, in words, why there is none yet.

    Zero is what a look after its end counted, or what follows from how long a queue keeps anything at all.
    """
    zero = tuple(StoreCount(f"queue {name}", 0) for name in QUEUES)
    if now - over >= QUEUES_KEEP:
        return zero
    if seen is None or seen.at <= over:
        return "nobody has looked into the queues since it was over"
    counts = dict(seen.counts)
    if missing := [name for name in QUEUES if name not in counts]:
        return f"the look into the queues lacks {', '.join(missing)}"
    waiting = [f"queue {name} holds {counts[name]}" for name in QUEUES if counts[name] != 0]
    return ", ".join(waiting) if waiting else zero
