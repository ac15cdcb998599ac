"""retain and what suspends itself (S26, S27): the row does it, in the database; here is what must follow outside.

The permits are taken back, as after any other end; the people are told; and it is written into the audit, last, so that
whatever fails before is done again by the next run. None of it has a part in the suspension itself, which stands.
"""

from contextlib import suppress

from proviso.domain.audit import deployment_act
from proviso.domain.canonical import digest
from proviso.domain.deployment import OVER, DeploymentState
from proviso.domain.errors import StorageFault
from proviso.domain.monitoring import Suspension
from proviso.domain.notice import suspended_notice
from proviso.stages.retain_room import ACTOR, Faults, RetainRoom, after_the_end


def look_for_suspensions(room: RetainRoom, faults: Faults) -> int:
    """Look at what is active, since a deadline passes without anybody writing, and at what was stopped since; then
    finish what was suspended, by this look or by anybody's act. How many. One at a time: who looks holds others up."""
    with room.store.work() as work:
        looked_at = work.to_look_at()
    for deployment_id in looked_at:
        with faults.kept(), room.store.work() as work:
            work.look_at(deployment_id)
    with room.store.work() as work:
        unstopped = work.to_stop()
    for deployment_id in unstopped:
        with faults.kept(), room.store.work() as work:
            work.stop_suspended(deployment_id)
    with room.store.work() as work:
        found = work.unaudited_suspensions()
    count = 0
    for suspension in found:
        with faults.kept():
            count += _finish(room, suspension, faults)
    if count:
        with suppress(StorageFault):  # open pages show within a minute that nothing waits any more
            room.changes.mark()
    return count


def _finish(room: RetainRoom, suspension: Suspension, faults: Faults) -> bool:
    with room.store.work() as work:
        deployment = work.deployment(suspension.deployment_id)
    if deployment is not None:
        if deployment.state in OVER and suspension.stopped:
            after_the_end(room, [deployment], faults)
        if deployment.state is not DeploymentState.CLOSED:  # after that nothing is left of who would be told
            room.outbox.put(suspended_notice(suspension, deployment))
    now = room.clock()
    with room.store.work() as work:
        if not work.suspension_audited(suspension.id, now):
            return False
        figures = {name: _plain(one) for name, one in suspension.figures.items()}
        details = {
            "suspension": suspension.id,
            "kind": suspension.kind.value,
            "safeguard": suspension.kind.safeguard,
            "suspended_at": suspension.suspended_at.isoformat(),
            # Counts by group stay in the row, which nobody can change: a digest is enough here (S28).
            "figures": {name: one for name, one in figures.items() if not isinstance(one, list)},
            "figures_digest": digest(figures),
        }
        action = "deployment_suspended" if suspension.stopped else "review_asked_for"
        work.audit(deployment_act(suspension.deployment_id, now, ACTOR, action, details))
    return True


def _plain(value: object) -> object:
    """Figures as the audit takes them: a number with a fraction is text there."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return repr(value) if isinstance(value, float) else value
