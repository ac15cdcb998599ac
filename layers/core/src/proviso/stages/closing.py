"""Closing: deployments that are over, and lists that nobody needs, are deleted in every store, counted to zero, and
certified (S23). A second certificate follows when the last backup has expired.

Rows go first and under locks, pictures after them: what a crash leaves is a picture that no row names, and it is found
by its name. The certificate comes last, and only of what was counted after it was deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from proviso.domain.audit import deployment_act, system_act
from proviso.domain.deployment import OVER, Deployment, DeploymentState
from proviso.domain.ports import PictureStore
from proviso.domain.retention import (
    BACKUPS_KEPT,
    CLOSE_AFTER,
    LIST_DUE,
    LIST_UNUSED_AFTER,
    LOOK_EVERY,
    Certificate,
    Erasure,
    StoreCount,
    look_again,
    over_since,
    queue_counts,
)
from proviso.stages.retain_room import ACTOR, Faults, RetainRoom, take_permits_back


@dataclass(slots=True)
class Closed:
    """What a run closed. `not_closed`: deployments and lists with something left; `waiting`: why, where all that is
    left is a queue that may still hold a message; `backups`: whose second certificate was written."""

    deployments: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)
    not_closed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def close_due(room: RetainRoom, faults: Faults) -> Closed:
    """Close what is due, and what is over for so long that somebody must have forgotten to say that it is due."""
    done = Closed()
    now = room.clock()
    with room.store.work() as work:
        deployments = {*work.to_close(now - CLOSE_AFTER), *work.backups_due(now)}
        lists = set(work.lists_due(now - LIST_UNUSED_AFTER))
    with faults.kept():
        for name in room.due.due(now):
            (lists if name.startswith(LIST_DUE) else deployments).add(name.removeprefix(LIST_DUE))
    for deployment_id in sorted(deployments):
        with faults.kept():
            _look_at(room, deployment_id, done)
    for watchlist_id in sorted(lists):
        with faults.kept():
            _look_at_list(room, watchlist_id, done)
    return done


def _look_at(room: RetainRoom, deployment_id: str, done: Closed) -> None:
    now = room.clock()
    with room.store.work() as work:
        deployment = work.deployment(deployment_id)
    if deployment is None:
        room.due.delete(deployment_id)
    elif deployment.state is DeploymentState.CLOSED:
        _after_closing(room, deployment_id, done)
    elif deployment.state not in OVER:
        room.due.put(deployment_id, min(deployment.over_at, now + LOOK_EVERY))
    else:
        left = _close(room, deployment)
        if left is None:
            done.deployments.append(deployment_id)
            _after_closing(room, deployment_id, done)
        elif isinstance(left, str):
            done.waiting.append(f"{deployment_id}: {left}")
            room.due.put(deployment_id, look_again(over_since(deployment), room.clock()))
        else:
            done.not_closed.append(deployment_id)


def _after_closing(room: RetainRoom, deployment_id: str, done: Closed) -> None:
    """The second certificate when it is time; and when to come back, for it or for a hold that ends."""
    now = room.clock()
    with room.store.work() as work:
        if work.certify_backups(deployment_id, now):
            work.audit(deployment_act(deployment_id, now, ACTOR, "backups_expired", {}))
            done.backups.append(deployment_id)
    with room.store.work() as work:
        certificate = work.certificate(deployment_id)
        ends = [work.hold_ends(deployment_id)]
    if certificate is not None and certificate.backups_expired_at is None:
        ends.append(certificate.backups_expire_at)
    if later := [end for end in ends if end is not None]:
        room.due.put(deployment_id, min(later))
    else:
        room.due.delete(deployment_id)


def _close(room: RetainRoom, deployment: Deployment) -> Certificate | str | None:
    """Delete in every store, count each, certify. None when it is closed; why it waits; or what is left."""
    deployment_id, watchlist_id = deployment.id, deployment.watchlist_id
    permits = take_permits_back(room, deployment)
    with room.store.work() as work:
        candidates = [*work.candidates_of(deployment_id), *work.suspensions_of(deployment_id)]
        full = any(count.left for count in work.left(deployment_id))
        # What the erasure found under its locks, and no look before them: pictures follow their rows.
        shared = work.erase(deployment_id) is None
        if full:  # not once more each time that it is looked at until the queues are empty
            work.audit(deployment_act(deployment_id, room.clock(), ACTOR, "erased", {"list_still_used": shared}))
    with room.store.work() as work:
        held = set(work.pointers(deployment_id))
    counts = [StoreCount("permits", permits), _emptied(room.evidence, "evidence", f"evidence/{deployment_id}/", held)]
    if not shared:
        room.anchors.put_erasure(Erasure("list", watchlist_id, room.clock(), deployment_id))
        counts.append(_emptied(room.enrolment, "enrolment pictures", f"enrolment/{watchlist_id}/"))
        counts.append(_keys_destroyed(room, watchlist_id))
        room.due.delete(f"{LIST_DUE}{watchlist_id}")
    for candidate in candidates:
        room.outbox.delete_candidate(candidate)
        room.notices.delete(candidate)
    room.outbox.delete_members(deployment_id)
    counts.append(StoreCount("outbox", _counted(candidates, room.outbox.count_candidate)))
    counts.append(StoreCount("notices", _counted(candidates, room.notices.has)))
    now = room.clock()
    queues = queue_counts(over_since(deployment), now, room.queues.last())
    with room.store.work() as work:
        certificate = Certificate(
            deployment_id=deployment_id,
            watchlist_id=watchlist_id,
            counts=(*work.left(deployment_id), *counts, *(() if isinstance(queues, str) else queues)),
            verified_at=now,
            backups_expire_at=now + BACKUPS_KEPT,
            held=len(held),
        )
        if not certificate.complete:
            return certificate
        if isinstance(queues, str):
            return queues
        work.close(certificate, ACTOR)
        details = {"left": _by_store(certificate.counts), "held": certificate.held}
        work.audit(deployment_act(deployment_id, now, ACTOR, "deployment_closed", details))
    room.told("deployment closed", candidates)
    return None


def _look_at_list(room: RetainRoom, watchlist_id: str, done: Closed) -> None:
    """A list by itself: asked to go, or never used. One that a deployment uses goes with that."""
    now, name = room.clock(), f"{LIST_DUE}{watchlist_id}"
    with room.store.work() as work:
        standing = work.list_standing(watchlist_id)
    if standing is None or (standing.used and standing.erased_at is None):
        room.due.delete(name)
        return
    if standing.erase_at is not None and now < standing.erase_at:
        room.due.put(name, standing.erase_at)
        return
    room.due.put(name, now)  # from here on it is found again, should this run not get to its end
    with room.store.work() as work:
        if not work.erase_list(watchlist_id, replay=standing.erased_at is not None):
            return
        why = "asked for" if standing.delete_requested_at else "never used"
        work.audit(system_act(now, ACTOR, "watchlist_erased", watchlist_id, {"why": why}))
    room.anchors.put_erasure(Erasure("list", watchlist_id, now))
    pictures = _emptied(room.enrolment, "enrolment pictures", f"enrolment/{watchlist_id}/")
    keys = _keys_destroyed(room, watchlist_id)
    with room.store.work() as work:
        counts = (*work.list_left(watchlist_id), pictures, keys)
        if any(count.left for count in counts):
            done.not_closed.append(name)
            return
        work.audit(system_act(room.clock(), ACTOR, "watchlist_gone", watchlist_id, {"left": _by_store(counts)}))
    room.due.delete(name)
    done.lists.append(watchlist_id)


def _emptied(pictures: PictureStore, name: str, prefix: str, but: set[str] | None = None) -> StoreCount:
    """Delete what lies under a prefix, but for some; and count what does then."""
    stay = but or set()
    for key in pictures.keys(prefix):
        if key not in stay:
            pictures.delete(key)
    return StoreCount(name, sum(key not in stay for key in pictures.keys(prefix)))


def _keys_destroyed(room: RetainRoom, watchlist_id: str) -> StoreCount:
    """S30. After the list's erasure, since when nobody is added and no key is made."""
    room.subjects.destroy_list(watchlist_id)
    return StoreCount("subject keys", room.subjects.count_list(watchlist_id))


def _counted(candidates: list[str], count: Callable[[str], int]) -> int:
    return sum(count(candidate) for candidate in candidates)


def _by_store(counts: tuple[StoreCount, ...]) -> dict[str, int]:
    return {count.store: count.left for count in counts}
