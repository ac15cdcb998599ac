"""Routes on deployments, from the request to the certificate, and the stop that needs nothing."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import answers, requests, views
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.http import answer, refusal, routes, subject
from proviso.stages import audit as audits
from proviso.stages import deployment, deployments_shown

router = routes()
STARTING = (
    Reason.NOT_FOUND,
    Reason.WRONG_STATE,
    Reason.DIGEST_DIFFERS,
    Reason.OUTSIDE_WINDOW,
    Reason.BUILD_TOO_OLD,
    Reason.BUILD_EMPTY,
    Reason.SCHEMA_NEWER,
    Reason.NOT_CALIBRATED,
    Reason.THRESHOLD_TOO_LOW,
    Reason.NOT_ANNOUNCED,
    Reason.NO_DECISION,
    Reason.NOT_APPROVED,
    Reason.CAMERA_BUSY,
    Reason.NOT_REACHABLE,
    Reason.SUSPENDED,
)
"""What a start may be refused for, beside the role."""


@router.post(
    "/deployments",
    responses=gives(
        answers.Deployment,
        Reason.NOT_FOUND,
        Reason.POLICY_FORBIDS,
        Reason.THRESHOLD_TOO_LOW,
        Reason.SCHEMA_NEWER,
        status=201,
    ),
)
def request(body: requests.DeploymentBody) -> Response[Any]:
    """Ask for a deployment.

    A requester does this. What cannot be authorised is refused already here.
    """
    room = wiring.govern()
    policy = room.policy_of(body.policy)
    if isinstance(policy, Refused):
        return refusal(policy)
    return acting(
        router.current_event,
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


@router.get("/deployments", responses=gives(answers.Deployments))
def list_all() -> Response[Any]:
    """Show all deployments, newest first.

    For everybody with a role but those who only receive notices.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: deployments_shown.list_all(principal=p, store=room.store),
        lambda found: {"deployments": [views.deployment(one) for one in found]},
    )


@router.get("/deployments/<deployment_id>", responses=gives(answers.ShownDeployment, Reason.NOT_FOUND))
def show(deployment_id: str) -> Response[Any]:
    """Show one deployment with all that its authoriser must see, and what its start would be refused for."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: deployments_shown.show(
            principal=p,
            deployment_id=deployment_id,
            pipeline=room.pipeline,
            software_build=room.software_build,
            store=room.store,
            board=room.board,
            clock=room.clock,
        ),
        views.shown_deployment,
    )


@router.post(
    "/deployments/<deployment_id>/authorise",
    responses=gives(
        answers.Deployment,
        Reason.NOT_FOUND,
        Reason.SAME_PERSON,
        Reason.WRONG_STATE,
        Reason.TERMS_CHANGED,
        Reason.TOO_LATE,
        Reason.SUSPENDED,
        Reason.SCHEMA_NEWER,
    ),
)
def authorise(deployment_id: str, body: requests.AuthoriseBody) -> Response[Any]:
    """Authorise exactly what was shown, by its digest.

    An authoriser does this, who is another person than its requester.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: deployment.authorise(
            principal=p,
            deployment_id=deployment_id,
            shown_digest=body.digest,
            store=room.store,
            board=room.board,
            clock=room.clock,
        ),
        views.deployment,
        transition=deployment_id,
    )


@router.post("/deployments/<deployment_id>/start", responses=gives(answers.Deployment, *STARTING))
def start(deployment_id: str) -> Response[Any]:
    """Start it, when every condition is met.

    Done again, it goes on where it ended; while it is active it writes the permits again.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: deployment.start(
            principal=p,
            deployment_id=deployment_id,
            pipeline=room.pipeline,
            software_build=room.software_build,
            store=room.store,
            permits=room.permits,
            due=room.due,
            board=room.board,
            clock=room.clock,
        ),
        views.deployment,
        transition=deployment_id,
    )


@router.post("/deployments/<deployment_id>/stop", responses=gives(answers.Stopped, Reason.NOT_FOUND, roles=False))
def stop(deployment_id: str) -> Response[Any]:
    """Stop one deployment, at once.

    Any signed-in account may, and no reason is asked for. One that does not run is no error.
    """
    return _stop(deployment_id)


@router.post("/stop-all", responses=gives(answers.Stopped, roles=False))
def stop_all() -> Response[Any]:
    """Stop everything, at once.

    Any signed-in account may, and no reason is asked for.
    """
    return _stop(None)


@router.post(
    "/deployments/<deployment_id>/close",
    responses=gives(answers.Accepted, Reason.NOT_FOUND, Reason.WRONG_STATE, status=202),
)
def close(deployment_id: str) -> Response[Any]:
    """Have one that is over closed now: deleted, counted to zero, certified.

    Without this it is closed by itself within hours. Done again, it changes nothing.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: deployment.close(
            principal=p, deployment_id=deployment_id, store=room.store, due=room.due, clock=room.clock
        ),
        lambda _: {"state": "closing"},
        status=202,
        transition=deployment_id,
    )


@router.get("/deployments/<deployment_id>/certificate", responses=gives(answers.Certificate, Reason.NOT_FOUND))
def certificate(deployment_id: str) -> Response[Any]:
    """Show the certificate of a closed deployment."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: deployments_shown.certificate(principal=p, deployment_id=deployment_id, store=room.store),
        views.certificate,
    )


@router.get("/deployments/<deployment_id>/audit", responses=gives(answers.Audit, Reason.NOT_FOUND))
def audit(deployment_id: str, purpose: requests.Purpose) -> Response[Any]:
    """Show a deployment's chain of records, and the first fault in it.

    For auditors and authorisers. The look is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: audits.of_deployment(
            principal=p, deployment_id=deployment_id, purpose=purpose, store=room.store, clock=room.clock
        ),
        views.audit,
    )


@router.get("/audit", responses=gives(answers.AuditPage, Reason.NOT_FOUND))
def audit_page(
    chain: requests.Chain,
    purpose: requests.Purpose,
    after: requests.After = 0,
    limit: requests.Limit = audits.MOST_RECORDS,
) -> Response[Any]:
    """Show records of one chain, page by page.

    For auditors and authorisers. The look is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
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


@router.get("/audit/chains", responses=gives(answers.AuditChains))
def audit_chains(purpose: requests.Purpose) -> Response[Any]:
    """Show all chains, each with its last record.

    For auditors and authorisers. The look is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: audits.chains(principal=p, purpose=purpose, store=room.store, clock=room.clock),
        views.audit_chains,
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
