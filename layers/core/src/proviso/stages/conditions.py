"""What is recorded between a request and its start, and what a decision changes at once: the public notice and the
signage (S33), the decision of a court or an independent authority (S37).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from proviso.domain.audit import deployment_act
from proviso.domain.conditions import Attestation, Attested, PriorAuthorisation
from proviso.domain.deployment import LIVE, OVER, Deployment, DeploymentState
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, DueStore, PermitStore, StopSpool
from proviso.domain.reasons import Reason, Refused
from proviso.stages import deployment as deployments


def attest(
    *,
    principal: Principal,
    deployment_id: str,
    kind: Attested,
    statement: str,
    published_at: datetime | None,
    store: GovernStore,
    clock: Clock,
) -> Attestation | Refused:
    """Stand in for the public notice or the signage, by name (S33). Each once: a mistake needs another deployment.

    Waiving the notice is an authoriser's, and only where the policy knows a critical threat; signage is never waived.
    """
    waives = kind is Attested.NOTICE_WAIVED
    if refused := principal.needs(Role.AUTHORISER) if waives else principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    now = clock()
    if not statement.strip():
        return Refused(Reason.INVALID, "say what was put up or published, and where")
    if (kind is Attested.PUBLIC_NOTICE) != (published_at is not None):
        return Refused(Reason.INVALID, "published_at goes with public_notice, and with nothing else")
    if published_at is not None and published_at > now:
        return Refused(Reason.INVALID, "published_at lies in the future; record the notice once it is published")
    made = Attestation(deployment_id, kind, statement.strip(), principal.sub, now, published_at)
    with store.work() as work:
        deployment = work.deployment(deployment_id, lock=True)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if deployment.state not in LIVE:
            return Refused(Reason.WRONG_STATE, deployment.state)
        if waives and not deployment.policy.public_notice_waivable:
            return Refused(Reason.POLICY_FORBIDS, f"{deployment.policy.name} knows no waiver of the public notice")
        if not work.attest(made):
            return Refused(Reason.WRONG_STATE, f"{kind.value} is attested already")
        details = {"kind": kind.value, "statement": made.statement}
        work.audit(deployment_act(deployment_id, now, principal.sub, "attested", details))
    return made


def record_decision(
    *,
    principal: Principal,
    decision: PriorAuthorisation,
    store: GovernStore,
    permits: PermitStore,
    due: DueStore,
    spool: StopSpool,
    clock: Clock,
    new_id: Callable[[], str],
) -> Deployment | Refused:
    """What a court or authority decided (S37). Granted: an urgent start goes on as long as it says, and is stopped
    where it does not say this place, now, and everybody listed. Refused: stopped at once, and inputs and results are
    deleted without waiting (AI Act 5(3)), also when it was over by then."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        deployment = work.deployment(decision.deployment_id, lock=True)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if refused := _cannot_be_recorded(principal, decision, deployment, now):
            return refused
        if any(one.reference == decision.reference for one in work.decisions(deployment.id)):
            return Refused(Reason.WRONG_STATE, f"{decision.reference} is recorded already")
        work.record_decision(decision)
        details = {
            "body": decision.body,
            "reference": decision.reference,
            "granted": decision.granted,
            "document": decision.document_sha256,
        }
        work.audit(deployment_act(deployment.id, now, principal.sub, "decision_recorded", details))
        after = work.deployment(deployment.id) or deployment
    lapsed = after.state is DeploymentState.ACTIVE and after.over_at <= clock()
    if after.state in LIVE and (lapsed or not decision.granted):
        deployments.stop(
            sub=principal.sub,
            deployment_id=deployment.id,
            store=store,
            permits=permits,
            due=due,
            spool=spool,
            clock=clock,
            new_id=new_id,
        )
        with store.work() as work:
            after = work.deployment(deployment.id) or after
    if not decision.granted:
        due.put(deployment.id, clock())
    if after.state is DeploymentState.ACTIVE:
        deployments.write_permits(after, permits)
    return after


def _cannot_be_recorded(
    principal: Principal, decision: PriorAuthorisation, deployment: Deployment, now: datetime
) -> Refused | None:
    blank = [name for name in ("body", "reference") if not getattr(decision, name).strip()]
    if blank:
        return Refused(Reason.INVALID, f"missing: {', '.join(blank)}")
    if decision.valid_from >= decision.valid_until:
        return Refused(Reason.INVALID, "valid_from must lie before valid_until")
    if decision.decided_on > (now + timedelta(days=1)).date():  # it is tomorrow somewhere
        return Refused(Reason.INVALID, "decided_on lies in the future; record the decision once it is made")
    if deployment.state not in (LIVE if decision.granted else (*LIVE, *OVER)):
        return Refused(Reason.WRONG_STATE, deployment.state)
    if not deployment.policy.decision_required:
        return Refused(Reason.POLICY_FORBIDS, f"{deployment.policy.name} asks for no such decision")
    if principal.sub == deployment.requested_by:
        return Refused(Reason.SAME_PERSON, "who requested it does not record the decision on it")
    if decision.granted and decision.place != deployment.place:
        return Refused(Reason.INVALID, f"the decision is for another place than {deployment.place}")
    if decision.granted and not decision.persons:
        return Refused(Reason.INVALID, "persons: the reference numbers that the decision names")
    return None
