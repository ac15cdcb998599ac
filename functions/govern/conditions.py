"""Routes between a request and its start: who is named for a deployment, what is attested, what was decided
elsewhere."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import answers, requests, views
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.people import Role
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import routes
from proviso.stages import conditions, people

router = routes()


@router.post(
    "/deployments/<deployment_id>/members",
    responses=gives(
        answers.Member, Reason.NOT_FOUND, Reason.WRONG_STATE, Reason.SAME_PERSON, Reason.NOT_TRAINED, status=201
    ),
)
def name_member(deployment_id: str, body: requests.MemberBody) -> Response[Any]:
    """Name somebody who reviews or receives for a deployment.

    A requester or an authoriser does this. Without it they see nothing of the deployment.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: people.name_member(
            principal=p,
            deployment_id=deployment_id,
            sub=body.sub,
            role=body.role,
            store=room.store,
            board=room.board,
            clock=room.clock,
        ),
        status=201,
    )


@router.delete("/deployments/<deployment_id>/members/<role>/<sub>", responses=gives(answers.Removed, Reason.NOT_FOUND))
def remove_member(deployment_id: str, role: Role, sub: str) -> Response[Any]:
    """Take somebody off a deployment, from their next request on."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: people.remove_member(
            principal=p,
            deployment_id=deployment_id,
            sub=sub,
            role=role,
            store=room.store,
            board=room.board,
            clock=room.clock,
        ),
        lambda removed: {"removed": removed},
    )


@router.post(
    "/deployments/<deployment_id>/attestations",
    responses=gives(answers.Attestation, Reason.NOT_FOUND, Reason.WRONG_STATE, Reason.POLICY_FORBIDS, status=201),
)
def attest(deployment_id: str, body: requests.AttestationBody) -> Response[Any]:
    """Stand in for the public notice or the signage, by name.

    Each once. Waiving the notice is an authoriser's, and only where the policy knows it.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: conditions.attest(
            principal=p,
            deployment_id=deployment_id,
            kind=body.kind,
            statement=body.statement,
            published_at=body.published_at,
            store=room.store,
            clock=room.clock,
        ),
        status=201,
    )


@router.post(
    "/deployments/<deployment_id>/decisions",
    responses=gives(
        answers.Deployment, Reason.NOT_FOUND, Reason.WRONG_STATE, Reason.POLICY_FORBIDS, Reason.SAME_PERSON, status=201
    ),
)
def record_decision(deployment_id: str, body: requests.DecisionBody) -> Response[Any]:
    """Record what a court or an independent authority decided.

    An authoriser does this, who is not its requester. A refusal stops the deployment at once.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: conditions.record_decision(
            principal=p,
            decision=body.decision(deployment_id, room.new_id(), p.sub, room.clock()),
            store=room.store,
            permits=room.permits,
            due=room.due,
            spool=room.spool,
            clock=room.clock,
            new_id=room.new_id,
        ),
        views.deployment,
        status=201,
    )
