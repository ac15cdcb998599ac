"""Deployments as people are shown them: for everybody with a role but those who only receive notices."""

from dataclasses import dataclass, replace
from decimal import Decimal

from proviso.domain.calibration import FalseCandidates, GroupRate, expected_false_candidates, floor_of
from proviso.domain.conditions import Conditions
from proviso.domain.contact_ports import ContactBoard
from proviso.domain.deployment import LIVE, Deployment, DeploymentState
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import STAFF, Member, Principal
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import Certificate
from proviso.stages.contacts import reachability


@dataclass(frozen=True, slots=True)
class Shown:
    """A deployment as people are shown it: with what stands of its conditions, who is named for it, the false
    candidates to be expected (S08), the lowest threshold and what set it (S12) and how groups fare at it (S27), what
    its start would be refused for now, and who would be told nothing."""

    deployment: Deployment
    conditions: Conditions | None
    members: tuple[Member, ...]
    expected: FalseCandidates
    missing: Refused | None
    warnings: tuple[str, ...] = ()
    floor: Decimal | None = None
    floor_set_by: str = ""
    groups: tuple[GroupRate, ...] = ()


def show(
    *,
    principal: Principal,
    deployment_id: str,
    pipeline: str,
    software_build: str,
    store: GovernStore,
    board: ContactBoard,
    clock: Clock,
) -> Shown | Refused:
    """One deployment with all that its authoriser must see, for anybody with a role."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        deployment = work.deployment(deployment_id)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        conditions = work.conditions(deployment)
        members = work.members(deployment_id)
        suspended = work.suspended(deployment_id)
    missing: Refused | None = None
    warnings: tuple[str, ...] = ()
    if conditions is not None and deployment.state in LIVE:
        now = clock()
        told = reachability(deployment_id=deployment_id, place=deployment.place, store=store, board=board, now=now)
        ready = replace(deployment, state=DeploymentState.AUTHORISED, authorised_digest=deployment.digest)
        starting = max(now, deployment.starts_at)
        missing = suspended or ready.may_start(starting, pipeline, software_build, conditions) or told.refused
        warnings = told.warnings
    measured = conditions or Conditions(built_at=deployment.requested_at, entries=0)
    given = (measured.entries, measured.burst_frames)
    point = measured.calibration.point(*given) if measured.calibration else None
    floor = floor_of(measured.calibration, measured.trial, *given)
    set_by = ""
    if point is not None:
        set_by = point.set_by if point.threshold_floor == floor else "the site trial at this place"
    return Shown(
        deployment=deployment,
        conditions=conditions,
        members=tuple(members),
        expected=expected_false_candidates(
            deployment.passages_expected,
            measured.entries,
            measured.calibration,
            trial=measured.trial,
            burst_frames=measured.burst_frames,
        ),
        missing=missing,
        warnings=warnings,
        floor=floor,
        floor_set_by=set_by,
        groups=measured.calibration.groups_at(point) if measured.calibration and point else (),
    )


def list_all(*, principal: Principal, store: GovernStore) -> list[Deployment] | Refused:
    """All deployments, newest first."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        return work.deployments()


def certificate(*, principal: Principal, deployment_id: str, store: GovernStore) -> Certificate | Refused:
    """The certificate of a closed deployment: what was deleted, and the zero counts."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        return work.certificate(deployment_id) or Refused(Reason.NOT_FOUND, "it is not closed yet")
