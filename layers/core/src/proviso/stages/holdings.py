"""What is held in every store, why, and until when (S23, S24, S25): for whoever has to answer for it.

It looks into the stores themselves and not only at what the database believes. A store for which no time is left counts
as overdue: what nobody looked at is not known to be gone.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from proviso.domain.audit import purpose_fault, system_act
from proviso.domain.errors import PermitUnreadable
from proviso.domain.folding import unfolded_hours
from proviso.domain.holdings import (
    DeploymentHeld,
    Holding,
    ListHeld,
    of_backups,
    of_deployment,
    of_frames,
    of_groups,
    of_kept,
    of_ledger,
    of_list,
    of_pairs,
    of_queues,
    of_strays,
)
from proviso.domain.pairs import PAIR_PICTURES
from proviso.domain.people import Principal, Role
from proviso.domain.ports import FrameStore
from proviso.domain.reasons import Refused
from proviso.domain.retention import STRAY_EVIDENCE_AFTER
from proviso.stages.retain_room import RetainRoom

SWEEP_GRACE = timedelta(minutes=3)
"""sweep comes by each minute, and one that fails is not tried again."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything held at a moment, and where and when it was looked at."""

    at: datetime
    holdings: tuple[Holding, ...]

    @property
    def overdue(self) -> int:
        return sum(holding.overdue for holding in self.holdings)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the database says."""

    deployments: list[DeploymentHeld]
    lists: list[ListHeld]
    backups: list[tuple[str, datetime]]
    live: set[str]
    kept: dict[str, int]
    groups: tuple[int, datetime | None, datetime | None]


def check(
    *,
    principal: Principal,
    purpose: str,
    room: RetainRoom,
    frames: FrameStore,
    age_limit_s: int,
    give_up_at: datetime,
) -> Checked | Refused:
    """Look into every store. The look is recorded, with its purpose."""
    if refused := principal.needs(Role.AUDITOR, Role.AUTHORISER, Role.DATA_PROTECTION_OFFICER):
        return refused
    if refused := purpose_fault(purpose):
        return refused
    now = room.clock()
    with room.store.work() as work:
        rows = _Rows(
            work.deployments_held(),
            work.lists_held(),
            work.backups_waiting(),
            work.live(),
            work.kept(),
            work.groups_held(),
        )
    looks: dict[str, Callable[[], Iterable[Holding]]] = {
        "outbox and evidence": lambda: _deployments(room, rows, now),
        "enrolment": lambda: (*_lists(room, rows, now), *_pairs(room, now)),
        "permits": lambda: _permits(room, rows, now),
        "frames": lambda: _frames(frames, age_limit_s, now),
        "ledger": lambda: _ledger(room, now),
        "queues": lambda: of_queues(room.queues.last(), now),
        "stops": lambda: of_strays("permits", "stops not carried out yet", len(room.spool.waiting()), now, None),
        "backups": lambda: [of_backups(name, expire_at, now) for name, expire_at in rows.backups],
        "anchors": lambda: _anchors(room),
        "groups": lambda: of_groups(*rows.groups, now),
        "kept": lambda: of_kept(rows.kept),
    }
    found: list[Holding] = []
    for store, look in looks.items():
        found += look() if room.clock() < give_up_at else [_not_looked_at(store, now)]
    checked = Checked(now, tuple(found))
    details = {"lines": len(found), "overdue": checked.overdue}
    with room.store.work() as work:
        work.audit(system_act(room.clock(), principal.sub, "retention_checked", "all stores", details, purpose=purpose))
    return checked


def _not_looked_at(store: str, now: datetime) -> Holding:
    return Holding(store, "not looked at: no time was left", "S36: unknown", 0, now, overdue=True)


def _deployments(room: RetainRoom, rows: _Rows, now: datetime) -> Iterator[Holding]:
    """By deployment: what the database says, what the outbox holds, and pictures that nobody names."""
    outbox = room.outbox.count_all()
    with room.store.work() as work:
        owners = work.deployments_of(sorted(outbox))
    by_deployment: Counter[str] = Counter()
    for candidate, count in outbox.items():
        by_deployment[owners.get(candidate, "")] += count
    known = {one.id for one in rows.deployments}
    for one in rows.deployments:
        yield from of_deployment(one, now, by_deployment[one.id])
    lost = sum(count for name, count in by_deployment.items() if name not in known)
    yield from of_strays("outbox", "notices of what is closed or unknown", lost, now, now - timedelta(hours=1))
    old = room.evidence.keys("evidence/", stored_before=now - STRAY_EVIDENCE_AFTER)
    with room.store.work() as work:
        strays = work.without_row(old) if old else []
    late = set(strays) & set(room.evidence.keys("evidence/", stored_before=now - timedelta(hours=24)))
    yield from of_strays("evidence", "pictures that no candidate names", len(strays) - len(late), now, None)
    yield from of_strays(
        "evidence", "pictures that no candidate names, a day old", len(late), now, now - timedelta(days=1)
    )


def _lists(room: RetainRoom, rows: _Rows, now: datetime) -> Iterator[Holding]:
    """By list: what the database says, and the pictures in the bucket."""
    pictures = Counter(key.split("/")[1] for key in room.enrolment.keys("enrolment/"))
    for one in rows.lists:
        yield from of_list(one, now, pictures.pop(one.id, 0))
    yield from of_strays("enrolment", "pictures of no list", pictures.total(), now, now - timedelta(hours=1))


def _pairs(room: RetainRoom, now: datetime) -> Iterator[Holding]:
    """Pictures for tests of reviewers, and those of them that no pair names."""
    pictures = set(room.enrolment.keys(PAIR_PICTURES))
    old = set(room.enrolment.keys(PAIR_PICTURES, stored_before=now - STRAY_EVIDENCE_AFTER)) if pictures else set()
    with room.store.work() as work:
        named = work.pair_pictures()
    yield from of_pairs(
        len(pictures & set(named)), min((named[key] for key in pictures & set(named)), default=None), now
    )
    yield from of_strays("enrolment", "pictures for tests that no pair names", len(old - set(named)), now, None)


def _permits(room: RetainRoom, rows: _Rows, now: datetime) -> Iterator[Holding]:
    """Permit objects: of what is active, and any other, which is one too many."""
    ends = {one.id: one.over_at for one in rows.deployments}
    good: Counter[str] = Counter()
    odd = 0
    for camera in room.permits.cameras():
        try:
            permit = room.permits.read(camera)
        except PermitUnreadable:
            odd += 1
            continue
        if permit is not None and permit.deployment_id in rows.live:
            good[permit.deployment_id] += 1
        elif permit is not None:
            odd += 1
    for deployment_id, count in sorted(good.items()):
        why = "S01: its cameras, while it is active"
        yield Holding("permits", f"deployment {deployment_id}", why, count, ends.get(deployment_id))
    yield from of_strays("permits", "permits of nothing that is active", odd, now, now - timedelta(hours=1))


def _frames(frames: FrameStore, age_limit_s: int, now: datetime) -> Iterator[Holding]:
    limit = now - timedelta(seconds=age_limit_s) - SWEEP_GRACE
    stored = [frame.stored_at for frame in frames.stored_before(now)]
    yield from of_frames(len(stored), sum(at < limit for at in stored), age_limit_s, now)


def _ledger(room: RetainRoom, now: datetime) -> Iterator[Holding]:
    with room.store.work() as work:
        hours = unfolded_hours(work.folded_until(), now)
    count, oldest = 0, None
    for row in (row for hour in hours for row in room.ledger.not_searched(hour)):
        ended = row.finished_at or row.received_at
        count, oldest = count + 1, min(ended, oldest or ended)
    yield from of_ledger(count, oldest)


def _anchors(room: RetainRoom) -> Iterator[Holding]:
    count = len(room.anchors.erased_names())
    yield Holding("anchors", "that something was erased", "S23: to erase it again after a restore", count, None)
