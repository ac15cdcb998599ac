"""What is held, why, and until when: a line a store and owner, and whether it should be gone already (S23, S24, S25).

The facts come from every store; the rules are here, so that a line and its verdict can be tested without one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from proviso.domain.folding import LEDGER_KEPT
from proviso.domain.pairs import PAIRS_KEPT
from proviso.domain.retention import (
    CLOSE_WITHIN,
    LATE_AFTER,
    LIST_UNUSED_AFTER,
    QUEUES,
    QUEUES_KEEP,
    QueuesSeen,
)

PAIRS_GO_WITHIN = timedelta(days=3)
"""After the last test can be drawn from a pair: a bucket's rule comes a day later, at midnight, and may lag."""


@dataclass(frozen=True, slots=True)
class Holding:
    """So many items of something in one store. `until` None: for good. `why` begins with the rule's id."""

    store: str
    what: str
    why: str
    count: int
    until: datetime | None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class DeploymentHeld:
    """A deployment that is not closed, or of which evidence is left, as the database has it.

    `over_at`: when it was or will be over. `evidence` counts pictures without a hold, the oldest raised at `oldest`;
    `held` those with one, the last of which ends at `held_until`.
    """

    id: str
    state: str
    watchlist_id: str
    over_at: datetime
    evidence_hours: int
    candidates: int
    evidence: int
    oldest: datetime | None
    held: int
    held_until: datetime | None

    @property
    def gone_by(self) -> datetime:
        """By when all of it must be gone (S23)."""
        return self.over_at + CLOSE_WITHIN


@dataclass(frozen=True, slots=True)
class ListHeld:
    """A list that is not erased. `gone_by`: when the last deployment on it takes it along; None where none is open."""

    id: str
    created_at: datetime
    delete_requested_at: datetime | None
    gone_by: datetime | None
    entries: int
    references: int

    @property
    def until(self) -> datetime:
        if self.gone_by is not None:
            return self.gone_by
        if self.delete_requested_at is not None:
            return self.delete_requested_at + CLOSE_WITHIN
        return self.created_at + LIST_UNUSED_AFTER + LATE_AFTER

    @property
    def why(self) -> str:
        if self.gone_by is not None:
            return "S23: a deployment needs it"
        return "S23: asked to be deleted" if self.delete_requested_at else "S23: waits for a deployment"


def of_deployment(one: DeploymentHeld, now: datetime, outbox: int) -> Iterator[Holding]:
    """What a deployment holds of its own."""
    name = f"deployment {one.id}"
    if one.state != "closed":
        late = now > one.gone_by
        yield Holding("database", name, f"S23: {one.state}, not closed", 1, one.gone_by, late)
        if one.candidates:
            why = "S21: what was sent of each candidate, at most a row each"
            yield Holding("notices", name, why, one.candidates, one.gone_by, late)
    if outbox:
        yield Holding("outbox", name, "S20: notices and receipts", outbox, one.gone_by, now > one.gone_by)
    if one.evidence and one.oldest is not None:
        until = min(one.oldest + timedelta(hours=one.evidence_hours), one.gone_by)
        why = "S24: for a decision; the oldest goes first"
        yield Holding("evidence", name, why, one.evidence, until, now > until + LATE_AFTER)
    if one.held:
        yield Holding("evidence", name, "S24: held", one.held, one.held_until, overdue=False)


def of_list(one: ListHeld, now: datetime, pictures: int) -> Iterator[Holding]:
    """What a list holds."""
    late = now > one.until
    for store, what, count in (
        ("database", "entries", one.entries),
        ("database", "references", one.references),
        ("enrolment", "pictures", pictures),
    ):
        if count or what == "entries":
            yield Holding(store, f"list {one.id}: {what}", one.why, count, one.until, late)


def of_backups(deployment_id: str, expire_at: datetime, now: datetime) -> Holding:
    """A certificate whose backups are still there, or not yet certified as expired."""
    why = "S23: the database's last backup of it"
    return Holding("backups", f"deployment {deployment_id}", why, 1, expire_at, now > expire_at + LATE_AFTER)


def of_strays(store: str, what: str, count: int, now: datetime, stored_by: datetime | None) -> Iterator[Holding]:
    """Items that belong to nothing that is there. `stored_by`: those counted are all older; None: age unknown."""
    if count:
        late = stored_by is not None and now > stored_by + LATE_AFTER
        until = stored_by + LATE_AFTER if stored_by else None
        yield Holding(store, what, "S23: belongs to nothing that is there", count, until, late)


def of_pairs(count: int, oldest: datetime | None, now: datetime) -> Iterator[Holding]:
    """Pictures for tests of reviewers. They show consenting people, so no deployment's end takes them along and no
    certificate counts them. They go with their pair, or by the bucket's own rule."""
    if count and oldest is not None:
        until = oldest + PAIRS_KEPT + PAIRS_GO_WITHIN
        why = "S19: of consenting people, for tests of reviewers; of no deployment and no list"
        yield Holding("enrolment", "pictures for tests", why, count, until, now > until)


def of_frames(count: int, past_age: int, age_limit_s: int, now: datetime) -> Iterator[Holding]:
    """Frames in the bucket: searched within seconds, and gone past their age whatever became of them (S14, S25)."""
    if count - past_age:
        why = "S14: being searched, then deleted"
        yield Holding("frames", "frames", why, count - past_age, now + timedelta(seconds=age_limit_s))
    if past_age:
        yield Holding("frames", "frames past their age", "S14, S25: no footage", past_age, now, overdue=True)


def of_ledger(count: int, oldest: datetime | None) -> Iterator[Holding]:
    """Rows that are not folded into the audit. DynamoDB deletes them at their time, folded or not."""
    if count and oldest is not None:
        yield Holding("ledger", "frames not in the audit yet", "S01: one record a frame", count, oldest + LEDGER_KEPT)


def of_queues(seen: QueuesSeen | None, now: datetime) -> Iterator[Holding]:
    """What the queues held at the last look. A queue deletes its messages itself."""
    for name, count in seen.counts if seen else ():
        if count and name in QUEUES:
            yield Holding("queues", name, "S23: references to frames or notices", count, now + QUEUES_KEEP)


def of_groups(count: int, first: datetime | None, last: datetime | None, now: datetime) -> Iterator[Holding]:
    """What reviewers said of single candidates' groups: made into counts at the end of the deployment, or once there is
    an outcome, which is recorded or missed within a day. `first`, `last`: by when the first and last must be gone."""
    if count and first is not None:
        why = "S28: said by reviewers of single candidates, until it is known what became of them"
        yield Holding("database", "groups of single candidates", why, count, last, now > first + LATE_AFTER)


def of_kept(kept: Mapping[str, int]) -> Iterator[Holding]:
    """What stays for good. No face can be found by it, and nobody is named in it who was seen or listed; who decided,
    recorded and held is, by account."""
    whys = {
        "audit records": "S29: what was done",
        "reference numbers of erased lists": "S31: was I on it?",
        "candidates of closed deployments": "S32: counts and states, no picture",
        "searched frames": "S32: counts, no picture and no template",
        "certificates": "S23: proof of deletion",
        "pairs for tests": "S19: where the consent is recorded; pictures have a line of their own",
        "tests of reviewers": "S19: what each reviewer answered and when; no picture, after the close no reason",
        "reviews": "S16: who decided what and when, the record that a person did; after the close no reason",
        "withdrawals": "S16: who took a confirmation back and when; after the close no reason",
        "outcomes": "S22: what a confirmation came to, who said so and when; a closed list of words, no text",
        "holds of evidence": "S24: who held a picture, of what kind and how long; no reason once ended and closed",
        "groups in counts": "S28: by deployment, state, outcome; no candidate. A count of one may be about one person",
        "groups in sums": "S32: one axis at a time, for tables of whole batches; read by nobody one by one",
        "published records": "S32: what everybody can read, byte for byte",
        "published tables of groups": "S32: what everybody can read, byte for byte",
        "groups of false candidates in counts": "S27: by deployment; no candidate. As above",
        "suspensions": "S26, S27: figures, who reviewed it and what they found; no candidate",
    }
    for what, why in whys.items():
        yield Holding("database", what, why, kept.get(what, 0), None)
