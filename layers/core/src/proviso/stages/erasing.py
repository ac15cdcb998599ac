"""Erasing beside a closing: evidence past its hours (S24), and erasures that a restored backup has undone (S23).

Which lists were erased and which entries removed stands outside the database, where no restore reaches it. Each run
compares both sides first: what the database does not know of any more is erased again before anything else is done.
"""

from datetime import datetime

from proviso.domain.audit import behind, deployment_act, system_act
from proviso.domain.candidate import evidence_key
from proviso.domain.errors import StorageFault
from proviso.domain.pairs import PAIR_PICTURES
from proviso.domain.ports import StopRecord
from proviso.domain.retention import LIST_DUE, STRAY_EVIDENCE_AFTER, Erasure
from proviso.domain.subjects import UNAVAILABLE, UNLINKED
from proviso.stages.retain_room import ACTOR, Faults, RetainRoom, take_permits_back


def stop_after_restore(room: RetainRoom, faults: Faults) -> int:
    """Stop everything when the audit ends before what was anchored of it: then this is an older database, in which a
    stop that was given since has never happened (S04, S29). How many deployments were stopped.

    The run anchors what is there now, and so the next one finds nothing missing; older anchors keep the evidence.
    """
    latest = room.anchors.latest()
    if not latest:
        return 0
    now = room.clock()
    with room.store.work() as work:
        lost = behind(latest, work.heads([head.chain for head in latest]))
        if not lost:
            return 0
        stopped = work.carry_out_stop(StopRecord("restore", now, ACTOR, None), now)
        for deployment in stopped:
            why = {"why": "records of the audit are missing"}
            work.audit(deployment_act(deployment.id, now, ACTOR, "deployment_stopped", why))
        work.audit(system_act(now, ACTOR, "records_missing", "audit", {"chains": lost, "stopped": len(stopped)}))
    for deployment in stopped:
        with faults.kept():  # one permit that cannot be deleted keeps no other from it
            take_permits_back(room, deployment)
            room.due.put(deployment.id, now)
    return len(stopped)


def replay(room: RetainRoom, faults: Faults) -> int:
    """Erase again what a restore brought back, and write down outside what is not there yet. How many were erased."""
    outside = room.anchors.erased_names()
    with room.store.work() as work:
        undone = work.contradicted(outside)
    for kind, name in undone:
        with faults.kept():
            _list_again(room, name) if kind == "list" else _entry_again(room, name)
    with room.store.work() as work:
        inside = work.erased()
    for kind, name in sorted(inside - outside):
        with faults.kept():
            room.anchors.put_erasure(Erasure("list" if kind == "list" else "entry", name, room.clock()))
    return len(undone)


def _list_again(room: RetainRoom, watchlist_id: str) -> None:
    """Nothing is searched on an erased list, so what came back active is stopped; then the list goes. Closing what is
    over deletes what is left in the other stores."""
    now = room.clock()
    with room.store.work() as work:
        stopped = work.stop_users(watchlist_id, ACTOR, now)
        users = work.users(watchlist_id)
        for deployment in stopped:
            details = {"erased_list": watchlist_id}
            work.audit(deployment_act(deployment.id, now, ACTOR, "deployment_stopped", details))
        work.erase_list(watchlist_id, replay=True)
        work.audit(system_act(now, ACTOR, "erasure_replayed", watchlist_id, {"kind": "list", "deployments": users}))
    for deployment in stopped:
        take_permits_back(room, deployment)
    for name in (*users, f"{LIST_DUE}{watchlist_id}"):
        room.due.put(name, now)


def _entry_again(room: RetainRoom, entry_id: str) -> None:
    now = room.clock()
    with room.store.work() as work:
        watchlist_id = work.remove_again(entry_id, now)
        if watchlist_id is None:
            return
        subject = _pseudonym(room, watchlist_id, entry_id)
        work.audit(system_act(now, ACTOR, "erasure_replayed", subject, {"kind": "entry", "watchlist": watchlist_id}))


def _pseudonym(room: RetainRoom, watchlist_id: str, entry_id: str) -> str:
    """As in a removal (S30, S36): it is done, and recorded, whether or not the keys can be read."""
    try:
        return room.subjects.pseudonym(watchlist_id, entry_id) or UNLINKED
    except StorageFault:
        return UNAVAILABLE


def delete_old_evidence(room: RetainRoom, faults: Faults) -> int:
    """S24. How many pictures went.

    The row first, because it honours holds; the picture after it. What a crash leaves in between is a picture that no
    row names, and it goes as a stray one.
    """
    count = 0
    with room.store.work() as work:
        due = work.evidence_due(room.clock())
    for deployment_id, candidates in sorted(due.items()):
        with faults.kept():
            count += _delete_evidence(room, deployment_id, candidates, room.clock())
    return count


def _delete_evidence(room: RetainRoom, deployment_id: str, candidates: list[str], now: datetime) -> int:
    with room.store.work() as work:
        keys = work.free_evidence(candidates)
        if keys:
            work.audit(deployment_act(deployment_id, now, ACTOR, "evidence_deleted", {"pictures": sorted(keys)}))
    for key in keys:
        room.evidence.delete(key)
    if left := set(keys) & set(room.evidence.keys(f"evidence/{deployment_id}/")):
        raise StorageFault(
            f"{len(left)} evidence pictures of deployment {deployment_id} are there after their deletion"
        )
    room.told("evidence deleted", [one for one in candidates if evidence_key(deployment_id, one) in keys])
    return len(keys)


def delete_stray_evidence(room: RetainRoom) -> int:
    """A picture that was put by a transaction that never committed belongs to no candidate and goes (rule 5)."""
    old = room.evidence.keys("evidence/", stored_before=room.clock() - STRAY_EVIDENCE_AFTER)
    if not old:
        return 0
    with room.store.work() as work:
        stray = work.without_row(old)
    for key in stray:
        room.evidence.delete(key)
    return len(stray)


def delete_stray_test_pictures(room: RetainRoom) -> int:
    """A picture for tests of reviewers (S19) that no pair names: its call ended before the commit, or a removal before
    the deletion. Whoever is shown in it may have withdrawn their consent."""
    old = room.enrolment.keys(PAIR_PICTURES, stored_before=room.clock() - STRAY_EVIDENCE_AFTER)
    if not old:
        return 0
    with room.store.work() as work:
        stray = sorted(set(old) - set(work.pair_pictures()))
    for key in stray:
        room.enrolment.delete(key)
    return len(stray)
