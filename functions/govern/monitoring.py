"""Routes on monitoring: what is measured, and the review of what suspended itself (S26, S27)."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import monitoring_answers as answers
from functions.govern import requests
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.monitoring import Monitoring, Suspension
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import plain, routes
from proviso.stages import monitoring

router = routes()


@router.get("/deployments/<deployment_id>/monitoring", responses=gives(answers.Monitoring, Reason.NOT_FOUND))
def show(deployment_id: str) -> Response[Any]:
    """Show what is measured of a deployment's false candidates, what is not measurable and why.

    For everybody with a role but those who only receive notices. The look is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: monitoring.monitoring(principal=p, deployment_id=deployment_id, store=room.store, clock=room.clock),
        shown,
    )


@router.get("/suspensions", responses=gives(answers.Suspensions))
def list_all() -> Response[Any]:
    """Show all suspensions, newest first.

    For everybody with a role but those who only receive notices.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: monitoring.suspensions(principal=p, store=room.store),
        lambda found: {"suspensions": [suspension(one) for one in found]},
    )


@router.post(
    "/suspensions/<suspension_id>/review",
    responses=gives(answers.Suspension, Reason.NOT_FOUND, Reason.SAME_PERSON, Reason.WRONG_STATE),
)
def review(suspension_id: str, body: requests.FindingBody) -> Response[Any]:
    """Record what was found about a suspension.

    An authoriser does this, who neither asked for that deployment nor authorised it, where there is another. Nothing is
    resumed; from then on another deployment of the operator and pipeline may be authorised.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: monitoring.review(
            principal=p, suspension_id=suspension_id, finding=body.finding, store=room.store, clock=room.clock
        ),
        suspension,
    )


def suspension(shown: Suspension) -> dict[str, Any]:
    """A suspension with its safeguard and its sentence."""
    return {**plain(shown), "safeguard": shown.kind.safeguard, "sentence": shown.kind.sentence}


def shown(found: Monitoring) -> dict[str, Any]:
    """All figures, and the sentences for people."""
    return {
        **plain(found),
        "suspensions": [suspension(one) for one in found.suspensions],
        "sentences": list(found.sentences),
    }
