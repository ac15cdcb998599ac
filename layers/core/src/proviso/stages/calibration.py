"""Calibrations as people see them, and site trials as they are recorded (S08, S12, S13).

A trial is handed in as its plan and what was counted by it. The counts are not believed: they are counted again here
from what the deployment recorded, and looked at once more by the database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal

from proviso.domain.audit import deployment_act, purpose_fault, system_act
from proviso.domain.calibration import Calibration
from proviso.domain.deployment import OVER, Deployment, DeploymentState
from proviso.domain.govern_ports import GovernStore, GovernWork
from proviso.domain.people import STAFF, Principal, Role
from proviso.domain.policy import Policy
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused
from proviso.domain.trial import Passage, Ran, Readings, calibration, count, plan_faults, too_small

_READERS = (Role.REQUESTER, Role.AUTHORISER, Role.AUDITOR)


def list_all(*, principal: Principal, store: GovernStore) -> list[Calibration] | Refused:
    """All calibrations, newest first."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        return work.calibrations()


def readings(
    *, principal: Principal, deployment_id: str, purpose: str, store: GovernStore, clock: Clock
) -> Readings | Refused:
    """When which reference number was seen, and which frames were searched: of a deployment that was a trial of
    volunteers and is over, and of no other. The look is recorded (S29)."""
    if refused := principal.needs(*_READERS):
        return refused
    if refused := purpose_fault(purpose):
        return refused
    with store.work() as work:
        deployment = work.deployment(deployment_id)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        found = _read(work, deployment)
        if isinstance(found, Refused):
            return found
        details = {"sightings": len(found.sightings), "frames": len(found.frames)}
        act = system_act(clock(), principal.sub, "trial_consulted", deployment_id, details, purpose=purpose)
        work.audit(replace(act, chain=deployment_id))
    return found


def record_trial(
    *,
    principal: Principal,
    deployment_id: str,
    plan: Sequence[Passage],
    claimed: Mapping[str, int],
    store: GovernStore,
    clock: Clock,
    new_id: Callable[[], str],
) -> Calibration | Refused:
    """Record a site trial. An authoriser does it, who is not the one that asked for the deployment. NOT_AS_RECORDED
    where a claimed count is not what the deployment's own records give, TRIAL_TOO_SMALL, WRONG_STATE."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        deployment = work.deployment(deployment_id)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if principal.sub == deployment.requested_by:
            return Refused(Reason.SAME_PERSON, "who requested the deployment does not record its trial")
        found = _read(work, deployment)
        if isinstance(found, Refused):
            return found
        ran = _ran(work, deployment)
        if isinstance(ran, Refused):
            return ran
        if refused := plan_faults(plan, ran):
            return refused
        counts = count(plan, found, deployment_id)
        own = asdict(counts)
        if differs := sorted(name for name, value in claimed.items() if own.get(name) != value):
            return Refused(
                Reason.NOT_AS_RECORDED,
                ", ".join(f"{name}: {claimed[name]} and not {own.get(name)}" for name in differs),
            )
        if refused := too_small(counts):
            return refused
        trial = calibration(counts, ran, identifier=new_id(), made_at=now, recorded_by=principal.sub)
        if refused := work.record_trial(trial):
            return refused
        details = {"calibration": trial.id, "pipeline": trial.pipeline, "plan": counts.plan_sha256,
                   "mated_passages": counts.mated_passages, "non_mated_passages": counts.non_mated_passages,
                   "false_passages": counts.false_passages}  # fmt: skip
        work.audit(deployment_act(deployment_id, now, principal.sub, "site_trial_recorded", details))
    return trial


def below_the_floor(threshold: Decimal, policy: Policy, floor: Decimal | None, entries: int) -> Refused | None:
    """S12, at once where it is known: a calibration that is missing only keeps it from being started (S13)."""
    if policy.calibration_required and floor is not None and threshold < floor:
        return Refused(Reason.THRESHOLD_TOO_LOW, f"at least {floor} for {entries} entries")
    return None


def named(known: Calibration | None, threshold: Decimal, policy: Policy, floor: Decimal | None) -> Calibration | None:
    """The calibration that the deployment is asked for with. A policy that asks for none may run below every floor, and
    then its notices say "not calibrated", whatever was measured above (S13)."""
    fits = floor is not None and threshold >= floor
    return known if policy.calibration_required or fits else None


def _read(work: GovernWork, deployment: Deployment) -> Readings | Refused:
    """POLICY_FORBIDS, WRONG_STATE or NOT_FOUND where it is no trial."""
    rules = deployment.policy
    if not (rules.consent_required and rules.calibration_required):
        return Refused(Reason.POLICY_FORBIDS, f"a trial runs under a policy of volunteers, and this is {rules.name}")
    if deployment.state not in (*OVER, DeploymentState.CLOSED):
        return Refused(Reason.WRONG_STATE, f"{deployment.state.value}: it must be over")
    return work.readings(deployment.id) or Refused(Reason.NOT_FOUND, "no face was searched in it")


def _ran(work: GovernWork, deployment: Deployment) -> Ran | Refused:
    conditions = work.conditions(deployment)
    if conditions is None:
        return Refused(Reason.NOT_FOUND, "build")
    return Ran(
        deployment_id=deployment.id,
        pipeline=deployment.pipeline,
        place=deployment.place,
        cameras=deployment.cameras,
        threshold=deployment.threshold,
        burst_frames=conditions.burst_frames,
        entries=conditions.entries,
        began_at=deployment.started_at or deployment.starts_at,
        over_at=deployment.finished_at or deployment.ends_at,
    )
