"""retain: erases again what a restore brought back, ends what is over, expires what nobody decided, closes outcomes
that nobody recorded, puts notices that were lost, deletes evidence by its age, closes to zero, and publishes (S18,
S22, S23, S24, S32).

Each step is its own transaction and may run again: after a crash, or after days without a run, another run does what
is left. Deleting comes before the certificate, and the certificate only after every live store counted to zero.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from proviso.domain.audit import ANCHOR_EVERY, deployment_act, system_act
from proviso.domain.deployment import Deployment
from proviso.domain.errors import AuditUnwritable, StorageFault
from proviso.domain.notice import lost_notice
from proviso.domain.ports import StopRecord
from proviso.domain.retention import GROUPS_DUE, LOOK_EVERY, OUTCOMES_DUE
from proviso.stages.anchor import anchor, anchor_soon
from proviso.stages.closing import Closed, close_due
from proviso.stages.erasing import (
    delete_old_evidence,
    delete_stray_evidence,
    delete_stray_test_pictures,
    replay,
    stop_after_restore,
)
from proviso.stages.folding import fold_ledger
from proviso.stages.report import Reported, publish_due
from proviso.stages.retain_room import ACTOR, Faults, RetainRoom, after_the_end
from proviso.stages.suspending import look_for_suspensions

__all__ = ["RetainRoom", "Retained", "retain"]


@dataclass(frozen=True, slots=True)
class Retained:
    """What one run did. `not_closed` names deployments and lists whose counts were not zero, `waiting` those for which
    a queue may still hold a message, and why; both stay due."""

    replayed: int
    stopped: int
    ended: int
    expired: int
    suspended: int
    not_recorded: int
    notices_put: int
    folded: int
    groups_counted: int
    evidence_deleted: int
    stray_evidence: int
    stray_test_pictures: int
    closed: tuple[str, ...]
    lists_erased: tuple[str, ...]
    backups_expired: tuple[str, ...]
    not_closed: tuple[str, ...]
    waiting: tuple[str, ...]
    published: tuple[str, ...]
    anchored: int


def retain(*, room: RetainRoom) -> Retained:
    """Do all that is due. Safe to run at any time, and as often as one likes.

    A step that fails keeps no other from being done; the first fault is raised at the end.
    """
    faults = Faults()

    def done(step: Callable[[], int]) -> int:
        with faults.kept():
            return step()
        return 0

    stopped = done(lambda: stop_after_restore(room, faults))
    replayed = done(lambda: replay(room, faults))
    stopped += done(lambda: _carry_out_stops(room, faults))
    ended = done(lambda: _end(room, faults))
    expired = done(lambda: _expire(room))
    suspended = done(lambda: look_for_suspensions(room, faults))
    not_recorded = done(lambda: _close_outcomes(room))
    put = done(lambda: _put_lost_notices(room))
    folded = done(lambda: fold_ledger(room))
    evidence = done(lambda: delete_old_evidence(room, faults))
    stray = done(lambda: delete_stray_evidence(room))
    stray_tests = done(lambda: delete_stray_test_pictures(room))
    closed = Closed()
    with faults.kept():
        closed = close_due(room, faults)
    done(lambda: _empty_reasons(room))
    groups = done(lambda: _count_groups(room))
    reported = Reported()
    with faults.kept():
        reported = publish_due(room, faults)
    published = (*reported.records, *reported.batches)
    at_once = bool(replayed or stopped or ended or suspended or closed.deployments or published)
    anchored = done(lambda: _anchor(room, at_once=at_once))
    faults.raise_first()
    return Retained(
        replayed=replayed,
        stopped=stopped,
        ended=ended,
        expired=expired,
        suspended=suspended,
        not_recorded=not_recorded,
        notices_put=put,
        folded=folded,
        groups_counted=groups,
        evidence_deleted=evidence,
        stray_evidence=stray,
        stray_test_pictures=stray_tests,
        closed=tuple(closed.deployments),
        lists_erased=tuple(closed.lists),
        backups_expired=tuple(closed.backups),
        not_closed=tuple(closed.not_closed),
        waiting=tuple(closed.waiting),
        published=published,
        anchored=anchored,
    )


def _anchor(room: RetainRoom, at_once: bool) -> int:
    """The audit's heads (S29): every ten minutes of activity, and after a transition at once. Last, so that all that
    this run did is in them."""
    every = timedelta(0) if at_once else ANCHOR_EVERY
    try:
        return len(anchor(store=room.store, anchors=room.anchors, clock=room.clock, at_least_every=every))
    except StorageFault:
        anchor_soon(due=room.due, clock=room.clock)
        raise


def _carry_out_stops(room: RetainRoom, faults: Faults) -> int:
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
        after_the_end(room, stopped, faults)
        if recorded:
            with faults.kept():
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


def _end(room: RetainRoom, faults: Faults) -> int:
    now = room.clock()
    with room.store.work() as work:
        ended = work.end_due(now)
        for deployment in ended:
            work.audit(deployment_act(deployment.id, now, ACTOR, "deployment_ended", {}))
    after_the_end(room, ended, faults)
    return len(ended)


def _expire(room: RetainRoom) -> int:
    """An undecided candidate expires; it never confirms by itself (S18)."""
    now = room.clock()
    with room.store.work() as work:
        expired = work.expire_candidates(now)
        if expired:
            work.audit(system_act(now, ACTOR, "candidates_expired", "candidates", {"candidates": sorted(expired)}))
    if expired:
        with suppress(StorageFault):  # open pages see by their own clock that its time is over
            room.changes.mark()
    return len(expired)


def _close_outcomes(room: RetainRoom) -> int:
    """What nobody recorded in a day is closed as that (S22), whatever became of its deployment; no closing waits.

    While a deployment is active, and once more when it closes, retain comes by anyway. So it sees each confirmation in
    time, and puts down by itself when to be woken for the first outcome that is missing; then for the next.
    """
    now = room.clock()
    with room.store.work() as work:
        closed = work.close_outcomes(now)
        for deployment_id, candidates in sorted(closed.items()):
            details = {"candidates": sorted(candidates)}
            work.audit(deployment_act(deployment_id, now, ACTOR, "outcomes_not_recorded", details))
        following = work.next_outcome()
    if following is not None:  # never at once: what is due in this run is taken away at its end
        room.due.put(OUTCOMES_DUE, max(following, now + LOOK_EVERY))
    return sum(len(candidates) for candidates in closed.values())


def _empty_reasons(room: RetainRoom) -> int:
    """What was said for a hold goes when the hold has ended and its deployment is closed. After the closing, so that a
    hold which ended before it needs no run of its own; the end of any other wakes retain for its picture."""
    with room.store.work() as work:
        return work.empty_reasons()


def _count_groups(room: RetainRoom) -> int:
    """What was said of single candidates' groups becomes counts once it is known what became of them (S28). After the
    closing, which never waits for it: an outcome may come for a day after.

    What is left of deployments that are over wakes retain again, also when this run could not do it.
    """
    now = room.clock()
    try:
        with room.store.work() as work:
            counted = work.count_groups()
            for deployment_id, count in sorted(counted.items()):
                work.audit(deployment_act(deployment_id, now, ACTOR, "groups_counted", {"counted": count}))
            following = work.next_groups(now)
    except Exception:
        room.due.put(GROUPS_DUE, now + LOOK_EVERY)
        raise
    if following is not None:
        room.due.put(GROUPS_DUE, max(following, now + LOOK_EVERY))
    return sum(counted.values())


def _put_lost_notices(room: RetainRoom) -> int:
    """What was committed and not put, because a function died between the two."""
    with room.store.work() as work:
        wanted = work.unput_notices(room.clock())
    count = 0
    for candidate, message_prefix, kind, useful_until, category in wanted:
        if room.outbox.has(candidate.id, kind) or room.outbox.has_receipt(candidate.id, kind):
            continue
        room.outbox.put(lost_notice(candidate, kind, message_prefix, useful_until, category))
        count += 1
    return count


def _text(moment: datetime) -> str:
    return moment.isoformat()
