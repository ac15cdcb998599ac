"""Monitoring in govern: what is measured is shown, and somebody reviews what suspended itself (S26, S27).

There is no resuming. A review records what was found, and from then on another deployment of the same operator and
pipeline may be authorised: by people, with all that it needs.
"""

from proviso.domain.audit import deployment_act
from proviso.domain.govern_ports import GovernStore
from proviso.domain.monitoring import Monitoring, Suspension, may_review, monitoring_from
from proviso.domain.people import STAFF, Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused


def monitoring(*, principal: Principal, deployment_id: str, store: GovernStore, clock: Clock) -> Monitoring | Refused:
    """Every series of a deployment with what is measurable, what is not and why. For everybody with a role but those
    who only receive notices. It holds counts by group, so the look is recorded."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        found = work.monitoring(deployment_id)
        if found is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        suspensions = tuple(work.suspensions(deployment_id))
        work.audit(deployment_act(deployment_id, clock(), principal.sub, "monitoring_consulted", {}))
    return monitoring_from(found, suspensions)


def suspensions(*, principal: Principal, store: GovernStore) -> list[Suspension] | Refused:
    """All there ever were, newest first; each stays."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        return work.suspensions()


def review(
    *, principal: Principal, suspension_id: str, finding: str, store: GovernStore, clock: Clock
) -> Suspension | Refused:
    """Record what was found about a suspension: what caused it, and what is different from now on."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    if not finding.strip():
        return Refused(Reason.INVALID, "a review needs a finding")
    now = clock()
    with store.work() as work:
        suspension = work.suspension(suspension_id)
        deployment = work.deployment(suspension.deployment_id) if suspension else None
        if suspension is None or deployment is None:
            return Refused(Reason.NOT_FOUND, "suspension")
        involved = deployment.requested_by, deployment.authorised_by
        if refused := may_review(principal, *involved, work.authorisers()):
            return refused
        if refused := work.review_suspension(suspension_id, principal.sub, now, finding.strip()):
            return refused
        details = {"suspension": suspension_id, "kind": suspension.kind.value}
        work.audit(deployment_act(deployment.id, now, principal.sub, "suspension_reviewed", details))
        return work.suspension(suspension_id) or Refused(Reason.NOT_FOUND, "suspension")
