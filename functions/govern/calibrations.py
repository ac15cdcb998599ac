"""Routes on calibrations and site trials (S08, S12, S13)."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import calibration_answers as answers
from functions.govern import trial_requests, views
from functions.govern.acting import acting
from functions.govern.requests import Purpose
from proviso import wiring
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import routes
from proviso.stages import calibration

router = routes()


@router.get("/calibrations", responses=gives(answers.Calibrations))
def list_all() -> Response[Any]:
    """Show what was measured of the pipelines, newest first.

    For everybody with a role but those who only receive notices.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: calibration.list_all(principal=p, store=room.store),
        lambda found: {"calibrations": [views.calibration(one) for one in found]},
    )


@router.post(
    "/calibrations",
    responses=gives(
        answers.Calibration,
        Reason.NOT_FOUND,
        Reason.SAME_PERSON,
        Reason.WRONG_STATE,
        Reason.POLICY_FORBIDS,
        Reason.NOT_AS_RECORDED,
        Reason.TRIAL_TOO_SMALL,
        status=201,
    ),
)
def record(body: trial_requests.TrialBody) -> Response[Any]:
    """Record a site trial.

    An authoriser does this, who is another person than the deployment's requester. Everything is counted again from
    what the deployment recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: calibration.record_trial(
            principal=p,
            deployment_id=body.deployment_id,
            plan=body.passages(),
            claimed=body.claimed.model_dump(),
            store=room.store,
            clock=room.clock,
            new_id=room.new_id,
        ),
        views.calibration,
        status=201,
    )


@router.get(
    "/deployments/<deployment_id>/trial",
    responses=gives(answers.Readings, Reason.NOT_FOUND, Reason.WRONG_STATE, Reason.POLICY_FORBIDS),
)
def readings(deployment_id: str, camera: trial_requests.Camera, purpose: Purpose) -> Response[Any]:
    """Show when which reference number was seen, and which frames were searched, of one camera.

    Only of a deployment that was a trial of volunteers and is over. For requesters, authorisers and auditors; the look
    is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: calibration.readings(
            principal=p, deployment_id=deployment_id, purpose=purpose, store=room.store, clock=room.clock
        ),
        lambda found: views.readings(found, camera),
    )
