"""retain: ends what is over, expires what nobody decided, puts notices that were lost, and closes to zero (S18, S23).

Each step is its own transaction and may run again: after a crash, or after days without a run, another run does what
is left. Deleting comes before the certificate, and the certificate only after every live store counted to zero.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from proviso.domain.audit import ANCHOR_EVERY, deployment_act, system_act
from proviso.domain.canonical import digest
from proviso.domain.deployment import OVER, Deployment, DeploymentState
from proviso.domain.errors import AuditUnwritable, PermitUnreadable, StorageFault
from proviso.domain.notice import Kind as NoticeKind
from proviso.domain.notice import Notice, raised_notice
from proviso.domain.ports import (
    Anchors,
    Clock,
    DueStore,
    Ledger,
    Outbox,
    PermitStore,
    PictureStore,
    RetainStore,
    StopRecord,
    StopSpool,
)
from proviso.domain.reasons import Reason
from proviso.domain.retention import (
    BACKUPS_KEPT,
    CLOSE_AFTER,
    LOOK_EVERY,
    STRAY_EVIDENCE_AFTER,
    Certificate,
    LedgerFold,
    StoreCount,
)
from proviso.stages.anchor import anchor, anchor_soon

ACTOR = "function:retain"


@dataclass(frozen=True, slots=True)
class RetainRoom:
    """What retain works on."""

    clock: Clock
    store: RetainStore
    permits: PermitStore
    due: DueStore
    spool: StopSpool
    evidence: PictureStore
    enrolment: PictureStore
    outbox: Outbox
    ledger: Ledger
    anchors: Anchors


@dataclass(frozen=True, slots=True)
class Retained:
    """What one run did. `not_closed` names deployments whose counts were not zero; they stay due."""

    stopped: int
    ended: int
    expired: int
    notices_put: int
    folded: int
    stray_evidence: int
    closed: tuple[str, ...]
    not_closed: tuple[str, ...]
    anchored: int


def retain(*, room: RetainRoom) -> Retained:
    """Do all that is due. Safe to run at any time, and as often as one likes."""
    stopped = _carry_out_stops(room)
    ended = _end(room)
    expired = _expire(room)
    put = _put_lost_notices(room)
    folded = _fold_ledger(room)
    stray = _delete_stray_evidence(room)
    closed, not_closed = _close_due(room)
    anchored = _anchor(room, at_once=bool(stopped or ended or closed))
    return Retained(stopped, ended, expired, put, folded, stray, tuple(closed), tuple(not_closed), anchored)


def _anchor(room: RetainRoom, at_once: bool) -> int:
    """The audit's heads (S29): every ten minutes of activity, and after a transition at once. Last, so that all that
    this run did is in them."""
    every = timedelta(0) if at_once else ANCHOR_EVERY
    try:
        return len(anchor(store=room.store, anchors=room.anchors, clock=room.clock, at_least_every=every))
    except StorageFault:
        anchor_soon(due=room.due, clock=room.clock)
        raise


def _carry_out_stops(room: RetainRoom) -> int:
    """What a stop could not do or record itself. The spooled record stays until it stands in the audit."""
    stops = room.spool.waiting()
    for record in stops:
        now = room.clock()
        recorded = True
        try:
            stopped = _stop_recorded(room, record, now)
        except AuditUnwritable:
            recorded = False
            with room.store.work() as work:  # stopping works when the audit does not (S36)
                stopped = work.carry_out_stop(record, now)
        for deployment in stopped:
            _take_permits_back(room, deployment)
            room.due.put(deployment.id, now + CLOSE_AFTER)
        if recorded:
            room.spool.delete(record.id)
    return len(stops)


def _stop_recorded(room: RetainRoom, record: StopRecord, now: datetime) -> list[Deployment]:
    details = {"stop": record.id, "said_at": _text(record.at)}
    with room.store.work() as work:
        stopped = work.carry_out_stop(record, now)
        for deployment in stopped:
            work.audit(deployment_act(deployment.id, now, record.actor, "deployment_stopped", details))
        found = {**details, "stopped_now": len(stopped)}
        work.audit(system_act(now, record.actor, "stop_carried_out", record.deployment_id or "all", found))
    return stopped


def _take_permits_back(room: RetainRoom, deployment: Deployment) -> None:
    """Its cameras' permits, and any of theirs that says nothing: doubt closes (S36)."""
    for camera in deployment.cameras:
        try:
            permit = room.permits.read(camera)
        except PermitUnreadable:
            room.permits.delete(camera)
            continue
        if permit is not None and permit.deployment_id == deployment.id:
            room.permits.delete(camera)


def _end(room: RetainRoom) -> int:
    now = room.clock()
    with room.store.work() as work:
        ended = work.end_due(now)
        for deployment in ended:
            work.audit(deployment_act(deployment.id, now, ACTOR, "deployment_ended", {}))
    for deployment in ended:
        _take_permits_back(room, deployment)
        room.due.put(deployment.id, now + CLOSE_AFTER)
    return len(ended)


def _expire(room: RetainRoom) -> int:
    """An undecided candidate expires; it never confirms by itself (S18)."""
    now = room.clock()
    with room.store.work() as work:
        expired = work.expire_candidates(now)
        if expired:
            work.audit(system_act(now, ACTOR, "candidates_expired", "candidates", {"candidates": sorted(expired)}))
    return len(expired)


def _put_lost_notices(room: RetainRoom) -> int:
    """What was committed and not put, because a function died between the two."""
    with room.store.work() as work:
        wanted = work.unput_notices(room.clock())
    count = 0
    for candidate, message_prefix, kind, useful_until in wanted:
        if room.outbox.has(candidate.id, kind) or room.outbox.has_receipt(candidate.id, kind):
            continue
        room.outbox.put(_lost(raised_notice(candidate, message_prefix), kind, useful_until))
        count += 1
    return count


def _lost(notice: Notice, kind: NoticeKind, useful_until: datetime) -> Notice:
    return replace(notice, kind=kind, expires_at=useful_until)


def _fold_ledger(room: RetainRoom) -> int:
    """What was never searched is not in the audit yet: one event a camera, hour, outcome and reason (rule 3).

    The ledger is marked after the audit is committed, so a crash between the two folds the same frames twice. The
    event names them by a digest of their keys: two events with one digest count once.
    """
    now = room.clock()
    rows = room.ledger.unfolded(now.strftime("%Y-%m-%dT%H"))
    if not rows:
        return 0
    folds: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    with room.store.work() as work:
        # A search that was committed is in the audit already, even where a crash left the ledger to say stale.
        searched = work.searched([row.key for row in rows])
    for row in rows:
        if row.key in searched:
            continue
        hour = (row.finished_at or now).strftime("%Y-%m-%dT%H")
        folds[(row.camera or "unknown", hour, row.outcome.value, _reason(row.reason))].append(row.key)
    with room.store.work() as work:
        for (camera, hour, outcome, reason), keys in sorted(folds.items()):
            fold = LedgerFold(camera, hour, outcome, reason, len(keys), digest(sorted(keys)))
            work.audit(system_act(now, ACTOR, "frames_not_searched", camera, asdict(fold)))
    room.ledger.mark_folded([row.key for row in rows])
    return len(rows)


def _delete_stray_evidence(room: RetainRoom) -> int:
    """A picture that was put by a transaction that never committed belongs to no candidate and goes (rule 5)."""
    old = room.evidence.keys("evidence/", stored_before=room.clock() - STRAY_EVIDENCE_AFTER)
    if not old:
        return 0
    with room.store.work() as work:
        stray = work.without_row(old)
    for key in stray:
        room.evidence.delete(key)
    return len(stray)


def _close_due(room: RetainRoom) -> tuple[list[str], list[str]]:
    """What is due, and what is over for so long that somebody must have forgotten to say that it is due."""
    closed, left = [], []
    now = room.clock()
    with room.store.work() as work:
        forgotten = work.to_close(now - CLOSE_AFTER)
    for deployment_id in sorted({*room.due.due(now), *forgotten}):
        with room.store.work() as work:
            deployment = work.deployment(deployment_id)
        if deployment is None or deployment.state is DeploymentState.CLOSED:
            room.due.delete(deployment_id)
        elif deployment.state not in OVER:
            room.due.put(deployment_id, min(deployment.ends_at, now + LOOK_EVERY))
        elif _close(room, deployment).complete:
            room.due.delete(deployment_id)
            closed.append(deployment_id)
        else:
            left.append(deployment_id)
    return closed, left


def _close(room: RetainRoom, deployment: Deployment) -> Certificate:
    """Delete in every store, count each, certify. Nothing is certified that was not counted after it was deleted."""
    deployment_id, watchlist_id = deployment.id, deployment.watchlist_id
    _take_permits_back(room, deployment)
    with room.store.work() as work:
        candidates = work.candidates_of(deployment_id)
        # What the erasure found under its locks, and no look before them: pictures follow their rows.
        shared = work.erase(deployment_id) is None
        work.audit(deployment_act(deployment_id, room.clock(), ACTOR, "erased", {"list_still_used": shared}))
    prefixes = [(room.evidence, "evidence", f"evidence/{deployment_id}/")]
    if not shared:
        prefixes.append((room.enrolment, "enrolment pictures", f"enrolment/{watchlist_id}/"))
    for pictures, _, prefix in prefixes:
        for key in pictures.keys(prefix):
            pictures.delete(key)
    for candidate in candidates:
        room.outbox.delete_candidate(candidate)
    counts = [StoreCount(name, len(pictures.keys(prefix))) for pictures, name, prefix in prefixes]
    counts.append(StoreCount("outbox", sum(room.outbox.count_candidate(candidate) for candidate in candidates)))
    now = room.clock()
    with room.store.work() as work:
        certificate = Certificate(
            deployment_id=deployment_id,
            watchlist_id=watchlist_id,
            counts=(*work.left(deployment_id), *counts),
            verified_at=now,
            backups_expire_at=now + BACKUPS_KEPT,
        )
        if certificate.complete:
            work.close(certificate, ACTOR)
            zero = {count.store: count.left for count in certificate.counts}
            work.audit(deployment_act(deployment_id, now, ACTOR, "deployment_closed", {"left": zero}))
    return certificate


def _reason(reason: Reason | None) -> str:
    return reason.value if reason else ""


def _text(moment: datetime) -> str:
    return moment.isoformat()
