"""Deployments: requested by one person, authorised by another, started, stopped by anybody, closed (S02-S05, rule 9).

Starting is last to open: every condition is asked for and the row becomes `warming`; then one query of the search's
shape succeeds, which also wakes what sleeps; then the row becomes active, and only then the permits are written,
because frames begin to be opened with them. Stopping is the other way round: the permits go first, and need
neither the database nor a reason.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from proviso.domain.audit import deployment_act, system_act
from proviso.domain.burst import MOST_FRAMES
from proviso.domain.calibration import floor_of
from proviso.domain.contact_ports import ContactBoard
from proviso.domain.deployment import OVER, Deployment, DeploymentState, Grounds, RealTimeGrounds
from proviso.domain.errors import AuditUnwritable, DatabaseAway
from proviso.domain.frame import CAMERA_PATTERN
from proviso.domain.govern_ports import GovernStore
from proviso.domain.monitoring import Exposure, exposure_fault
from proviso.domain.notice import place_fault
from proviso.domain.people import Principal, Role
from proviso.domain.permit import Permit
from proviso.domain.policy import Policy
from proviso.domain.ports import Clock, DueStore, PermitStore, StopRecord, StopSpool
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import LOOK_EVERY, close_after
from proviso.stages.calibration import below_the_floor, named
from proviso.stages.contacts import mirror_members, reachability
from proviso.stages.permits import delete_permits
from proviso.stages.schema import newer_schema


@dataclass(frozen=True, slots=True)
class DeploymentRequest:
    """What the requester asks for."""

    use: str
    place: str
    premises: str
    cameras: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    passages_expected: int
    watchlist_id: str
    build_id: str
    threshold: Decimal
    grounds: Grounds
    real_time: RealTimeGrounds | None = None
    exposure: tuple[Exposure, ...] = ()
    burst_frames: int = 1


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop did. `spooled`: the database was away or could not record it; retain does what is left."""

    deployments: tuple[str, ...]
    permits_deleted: tuple[str, ...]
    spooled: bool


def request(
    *,
    principal: Principal,
    wanted: DeploymentRequest,
    policy: Policy,
    software_build: str,
    store: GovernStore,
    due: DueStore,
    clock: Clock,
    new_id: Callable[[], str],
) -> Deployment | Refused:
    """Ask for a deployment. Everything S02 names must be there; what cannot be authorised is refused already here.

    Its end is put down as due before it is committed: a list must go (S23) even if nobody ever starts what it was for.
    """
    if refused := principal.needs(Role.REQUESTER):
        return refused
    now = clock()
    if refused := _faults(wanted, policy, now):
        return refused
    with store.work() as work:
        if refused := newer_schema(work):
            return refused
        build = work.build(wanted.build_id)
        if build is None or build.watchlist_id != wanted.watchlist_id:
            return Refused(Reason.NOT_FOUND, "build of this watchlist")
        watchlist = work.watchlist(wanted.watchlist_id)
        if watchlist is None or not watchlist.made_under(policy):
            return Refused(Reason.POLICY_FORBIDS, "the watchlist was made under another policy, or a looser version")
        if build.entries > policy.max_entries:
            return Refused(Reason.POLICY_FORBIDS, f"at most {policy.max_entries} entries under {policy.name}")
        burst = wanted.burst_frames
        known = work.calibration_for(build.pipeline)
        floor = floor_of(known, work.trial_at(build.pipeline, wanted.place.strip()), build.entries, burst)
        if refused := below_the_floor(wanted.threshold, policy, floor, build.entries):
            return refused
        calibration = named(known, wanted.threshold, policy, floor)
        deployment = Deployment(
            id=new_id(),
            state=DeploymentState.REQUESTED,
            use=wanted.use,
            place=wanted.place.strip(),
            premises=wanted.premises,
            cameras=tuple(sorted(set(wanted.cameras))),
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            passages_expected=wanted.passages_expected,
            watchlist_id=wanted.watchlist_id,
            build_id=build.id,
            build_digest=build.digest,
            pipeline=build.pipeline,
            threshold=wanted.threshold,
            policy=policy,
            software_build=software_build,
            grounds=wanted.grounds,
            real_time=wanted.real_time,
            exposure=wanted.exposure,
            burst_frames=wanted.burst_frames,
            calibration_id=calibration.id if calibration else None,
            requested_by=principal.sub,
            requested_at=now,
        )
        work.add_deployment(deployment)
        due.put(deployment.id, deployment.ends_at)
        work.audit(  # last: a chain's head is never locked across a call to S3
            deployment_act(deployment.id, now, principal.sub, "deployment_requested", {"digest": deployment.digest})
        )
    return deployment


def authorise(
    *,
    principal: Principal,
    deployment_id: str,
    shown_digest: str,
    store: GovernStore,
    board: ContactBoard,
    clock: Clock,
) -> Deployment | Refused:
    """Authorise exactly what was shown: the digest is part of the request, so nothing can be changed underneath."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        if refused := newer_schema(work):
            return refused
        deployment = work.deployment(deployment_id, lock=True)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if refused := deployment.may_authorise(principal.sub, principal.person.rank, shown_digest, now):
            return refused
        if refused := work.authorise(deployment_id, principal.sub, now, shown_digest):
            return refused
        work.audit(deployment_act(deployment_id, now, principal.sub, "deployment_authorised", {"digest": shown_digest}))
        authorised = work.deployment(deployment_id)
    mirror_members(deployment_id, store, board)
    return authorised or Refused(Reason.NOT_FOUND, "deployment")


def start(
    *,
    principal: Principal,
    deployment_id: str,
    pipeline: str,
    software_build: str,
    store: GovernStore,
    permits: PermitStore,
    due: DueStore,
    board: ContactBoard,
    clock: Clock,
) -> Deployment | Refused:
    """Every condition, authorised → warming; a query of the search's shape; warming → active; then the permits.

    Each is a transaction of its own: nothing is locked while a long list is read, and a stop in between wins. Doing it
    again goes on where it ended; while it is active it writes the permits again.
    """
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    now = clock()
    told = reachability(deployment_id=deployment_id, place="", store=store, board=board, now=now)
    with store.work() as work:
        if refused := newer_schema(work):
            return refused
        deployment = work.deployment(deployment_id, lock=True)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if deployment.state is not DeploymentState.ACTIVE:
            conditions = work.conditions(deployment)
            if conditions is None:
                return Refused(Reason.NOT_FOUND, "build")
            if refused := deployment.may_start(now, pipeline, software_build, conditions) or told.refused:
                return refused
        if deployment.state is DeploymentState.AUTHORISED:
            if refused := work.begin_warming(deployment_id, now):
                return refused
            details = {"digest": deployment.digest}
            work.audit(deployment_act(deployment_id, now, principal.sub, "deployment_warming", details))
    if deployment.state is not DeploymentState.ACTIVE:
        activated = _activate(principal, deployment, store, clock)
        if isinstance(activated, Refused):
            return activated
        deployment = activated
    due.put(deployment_id, min(deployment.over_at, clock() + LOOK_EVERY))
    mirror_members(deployment_id, store, board)  # before the first frame: alert must know whom to tell
    write_permits(deployment, permits)
    with store.work() as work:
        active = work.deployment(deployment_id)
    if active is None or active.state is not DeploymentState.ACTIVE:
        _, fault = delete_permits(permits, deployment_id)  # stopped while it was being started: the stop wins
        if fault is not None:
            raise fault
        return Refused(Reason.WRONG_STATE, "stopped while starting")
    return active


def _activate(principal: Principal, deployment: Deployment, store: GovernStore, clock: Clock) -> Deployment | Refused:
    with store.work() as work:
        if work.warm(deployment.build_id) == 0:
            return Refused(Reason.BUILD_EMPTY)
    with store.work() as work:
        now = clock()
        if work.deployment(deployment.id, lock=True) is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if refused := work.activate(deployment.id, now):
            return refused
        details = {"digest": deployment.digest}
        work.audit(deployment_act(deployment.id, now, principal.sub, "deployment_started", details))
        return work.deployment(deployment.id) or Refused(Reason.NOT_FOUND, "deployment")


def write_permits(deployment: Deployment, permits: PermitStore) -> None:
    """One permit object a camera, as the active row stands."""
    for camera in deployment.cameras:
        permits.write(_permit(deployment, camera))


def stop(
    *,
    sub: str,
    deployment_id: str | None,
    store: GovernStore,
    permits: PermitStore,
    due: DueStore,
    spool: StopSpool,
    clock: Clock,
    new_id: Callable[[], str],
) -> Stopped:
    """Stop one deployment, or all (None). Any verified account may: stopping is the safe direction, and it is recorded.

    Takes the verified `sub` and not a Principal, because a Principal needs the database and a stop must not (rule 9).
    Neither a bucket, nor the database, nor an audit that cannot be written keeps it from doing the rest (S36); what was
    not done is raised at the end (StorageFault), so that it is tried again.
    """
    now = clock()
    deleted, _ = delete_permits(permits, deployment_id)
    stopped: list[Deployment] = []
    spooled = False
    try:
        stopped = _stop_rows(sub, deployment_id, store, now, len(deleted))
    except (AuditUnwritable, DatabaseAway) as error:
        try:  # first: another wait for a database that wakes may be the end of this call
            spool.put(StopRecord(new_id(), now, sub, deployment_id))
            spooled = True
        finally:
            if isinstance(error, AuditUnwritable):
                stopped = _stop_unrecorded(sub, deployment_id, store, now)
    again, fault = delete_permits(permits, deployment_id)  # a start may have written some in between
    if fault is not None:
        raise fault
    for deployment in stopped:
        due.put(deployment.id, now + close_after(deployment.policy))
    return Stopped(tuple(d.id for d in stopped), tuple(sorted({*deleted, *again})), spooled)


def close(
    *, principal: Principal, deployment_id: str, store: GovernStore, due: DueStore, clock: Clock
) -> Deployment | Refused:
    """Have it closed now: retain deletes, counts to zero and writes the certificate. An active one is stopped first."""
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER, Role.WATCHLIST_OFFICER):
        return refused
    now = clock()
    with store.work() as work:
        deployment = work.deployment(deployment_id, lock=True)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if deployment.state not in OVER:
            return Refused(Reason.WRONG_STATE, f"{deployment.state.value}: stop it first")
        work.audit(deployment_act(deployment_id, now, principal.sub, "close_requested", {}))
    due.put(deployment_id, now)
    return deployment


def _faults(wanted: DeploymentRequest, policy: Policy, now: datetime) -> Refused | None:
    blank = [f.name for f in fields(Grounds) if not getattr(wanted.grounds, f.name).strip()]
    if blank:
        return Refused(Reason.INVALID, f"missing grounds: {', '.join(blank)}")
    if fault := place_fault(wanted.place):
        return Refused(Reason.INVALID, fault)
    if not wanted.cameras or any(not re.fullmatch(CAMERA_PATTERN, camera) for camera in wanted.cameras):
        return Refused(Reason.INVALID, "cameras: at least one, each of a-z, 0-9 and -")
    if wanted.ends_at <= max(wanted.starts_at, now):
        return Refused(Reason.INVALID, "ends_at must lie after starts_at and after now")
    if not Decimal(0) < wanted.threshold < Decimal(1):
        return Refused(Reason.INVALID, "threshold is a cosine similarity between 0 and 1")
    if wanted.passages_expected < 1:
        return Refused(Reason.INVALID, "passages_expected: how many people are expected to pass, at least 1")
    if fault := exposure_fault(wanted.exposure):
        return Refused(Reason.INVALID, fault)
    if not 1 <= wanted.burst_frames <= MOST_FRAMES:
        return Refused(Reason.INVALID, f"burst_frames: 1 for single frames, or up to {MOST_FRAMES} an upload")
    if policy.decision_required and (refused := _real_time_fault(wanted, policy)):
        return refused
    return policy.allows_operator(wanted.grounds.operator_kind, wanted.premises) or policy.allows_use(
        wanted.use, (wanted.ends_at - wanted.starts_at).total_seconds() / 60
    )


def _real_time_fault(wanted: DeploymentRequest, policy: Policy) -> Refused | None:
    """S37: objective, national law, rights impact assessment and registration; urgency may be blank."""
    given = wanted.real_time
    names = [f.name for f in fields(RealTimeGrounds) if f.name != "urgency"]
    blank = names if given is None else [name for name in names if not getattr(given, name).strip()]
    if blank or given is None:
        return Refused(Reason.INVALID, f"{policy.name} asks for real_time: {', '.join(blank)}")
    if given.objective != wanted.use:
        return Refused(Reason.INVALID, "real_time.objective must be the use")
    if given.urgency.strip() and not policy.urgent_start_hours:
        return Refused(Reason.POLICY_FORBIDS, f"{policy.name} knows no urgent start")
    return None


def _permit(deployment: Deployment, camera: str) -> Permit:
    return Permit(
        deployment_id=deployment.id,
        digest=deployment.digest,
        camera=camera,
        starts_at=deployment.starts_at,
        ends_at=deployment.over_at,
        pipeline=deployment.pipeline,
        frame_age_limit_s=deployment.policy.frame_age_limit_s,
        clock_skew_s=deployment.policy.clock_skew_s,
        burst_frames=deployment.burst_frames,
    )


def _stop_rows(
    sub: str, deployment_id: str | None, store: GovernStore, now: datetime, deleted: int
) -> list[Deployment]:
    with store.work() as work:
        stopped = work.stop(deployment_id, sub, now)
        details = {"permits_deleted": deleted}
        for deployment in stopped:
            work.audit(deployment_act(deployment.id, now, sub, "deployment_stopped", details))
        if not stopped:
            work.audit(system_act(now, sub, "stop_found_nothing", deployment_id or "all", details))
    return stopped


def _stop_unrecorded(sub: str, deployment_id: str | None, store: GovernStore, now: datetime) -> list[Deployment]:
    """Stopping works when the audit does not (S36): the row now, the record from the spool once it can be written."""
    try:
        with store.work() as work:
            return work.stop(deployment_id, sub, now)
    except DatabaseAway:
        return []
