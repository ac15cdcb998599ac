"""Routes on deployments, from the request to the certificate, and the stop that needs nothing."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import requests, views
from proviso import wiring
from proviso.domain.reasons import Reason, Refused
from proviso.edge.http import act, answer, refusal, routes, subject
from proviso.stages import audit as audits
from proviso.stages import deployment

router = routes()


@router.post("/deployments")
def request(body: requests.DeploymentBody) -> Response[Any]:
    room = wiring.govern()
    policy = room.policy_of(body.policy)
    if isinstance(policy, Refused):
        return refusal(policy)
    return _act(
        lambda p: deployment.request(
            principal=p,
            wanted=body.request(),
            policy=policy,
            software_build=room.software_build,
            store=room.store,
            due=room.due,
            clock=room.clock,
            new_id=room.new_id,
        ),
        views.deployment,
        status=201,
    )


@router.get("/deployments")
def list_all() -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: deployment.list_all(principal=p, store=room.store),
        lambda found: {"deployments": [views.deployment(one) for one in found]},
    )


@router.get("/deployments/<deployment_id>")
def show(deployment_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: deployment.show(
            principal=p,
            deployment_id=deployment_id,
            pipeline=room.pipeline,
            software_build=room.software_build,
            store=room.store,
            clock=room.clock,
        ),
        views.shown_deployment,
    )


@router.post("/deployments/<deployment_id>/authorise")
def authorise(deployment_id: str, body: requests.AuthoriseBody) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: deployment.authorise(
            principal=p, deployment_id=deployment_id, shown_digest=body.digest, store=room.store, clock=room.clock
        ),
        views.deployment,
        transition=deployment_id,
    )


@router.post("/deployments/<deployment_id>/start")
def start(deployment_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: deployment.start(
            principal=p,
            deployment_id=deployment_id,
            pipeline=room.pipeline,
            software_build=room.software_build,
            store=room.store,
            permits=room.permits,
            due=room.due,
            clock=room.clock,
        ),
        views.deployment,
        transition=deployment_id,
    )


@router.post("/deployments/<deployment_id>/stop")
def stop(deployment_id: str) -> Response[Any]:
    return _stop(deployment_id)


@router.post("/stop-all")
def stop_all() -> Response[Any]:
    return _stop(None)


@router.post("/deployments/<deployment_id>/close")
def close(deployment_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: deployment.close(
            principal=p, deployment_id=deployment_id, store=room.store, due=room.due, clock=room.clock
        ),
        lambda _: {"state": "closing"},
        status=202,
        transition=deployment_id,
    )


@router.get("/deployments/<deployment_id>/certificate")
def certificate(deployment_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: deployment.certificate(principal=p, deployment_id=deployment_id, store=room.store),
        views.certificate,
    )


@router.get("/deployments/<deployment_id>/audit")
def audit(deployment_id: str, purpose: str = "") -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: audits.of_deployment(
            principal=p, deployment_id=deployment_id, purpose=purpose, store=room.store, clock=room.clock
        ),
        views.audit,
    )


@router.get("/audit")
def audit_page(chain: str, purpose: str = "", after: int = 0, limit: int = audits.MOST_RECORDS) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: audits.page(
            principal=p,
            chain=chain,
            after=after,
            limit=limit,
            purpose=purpose,
            store=room.store,
            clock=room.clock,
        ),
        views.audit_page,
    )


@router.get("/audit/chains")
def audit_chains(purpose: str = "") -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: audits.chains(principal=p, purpose=purpose, store=room.store, clock=room.clock), views.audit_chains
    )


def _stop(deployment_id: str | None) -> Response[Any]:
    """No role is read: that needs the database, and a stop must not (rule 9). The token was verified."""
    room = wiring.govern()
    sub = subject(router.current_event)
    if sub is None:
        return refusal(Refused(Reason.NOT_SIGNED_IN))
    stopped = deployment.stop(
        sub=sub,
        deployment_id=deployment_id,
        store=room.store,
        permits=room.permits,
        due=room.due,
        spool=room.spool,
        clock=room.clock,
        new_id=room.new_id,
    )
    if not stopped.spooled:  # where the database is away, what time is left is not spent on waiting for it again
        room.anchor_now(deployment_id)
    return answer(
        200,
        {
            "stopped": list(stopped.deployments),
            "permits_deleted": list(stopped.permits_deleted),
            "database": "away: spooled" if stopped.spooled else "done",
        },
    )


def _act(stage: Any, view: Any = None, status: int = 200, transition: str | None = None) -> Response[Any]:
    room = wiring.govern()
    answered = act(router.current_event, room.principal, stage, view, status)
    if transition and answered.status_code == status:
        room.anchor_now(transition)
    elif router.current_event.http_method != "GET":
        room.anchor_soon()
    return answered
