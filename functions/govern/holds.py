"""Routes on holds: what keeps a candidate's evidence beyond its hours (S24)."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import hold_answers as answers
from functions.govern import requests
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import routes
from proviso.stages import holds

router = routes()


@router.post(
    "/candidates/<candidate_id>/holds", responses=gives(answers.Hold, Reason.NOT_FOUND, Reason.WRONG_STATE, status=201)
)
def hold(candidate_id: str, body: requests.HoldBody) -> Response[Any]:
    """Keep a candidate's evidence beyond its hours, with a reason.

    An authoriser or the data protection officer does this.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: holds.hold(
            principal=p,
            candidate_id=candidate_id,
            kind=body.kind,
            reason=body.reason,
            days=body.days,
            store=room.store,
            clock=room.clock,
            new_id=room.new_id,
        ),
        status=201,
    )


@router.get("/candidates/<candidate_id>/holds", responses=gives(answers.Holds, Reason.NOT_FOUND))
def list_holds(candidate_id: str) -> Response[Any]:
    """Show what keeps a candidate's evidence."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: holds.holds(principal=p, candidate_id=candidate_id, store=room.store, clock=room.clock),
        lambda found: {"holds": found},
    )


@router.delete("/candidates/<candidate_id>/holds/<hold_id>", responses=gives(answers.Released, Reason.NOT_FOUND))
def release(candidate_id: str, hold_id: str) -> Response[Any]:
    """End a hold on a candidate's evidence.

    An authoriser does this. The evidence is deleted when nothing else keeps it.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: holds.release(
            principal=p,
            candidate_id=candidate_id,
            hold_id=hold_id,
            store=room.store,
            due=room.due,
            clock=room.clock,
        ),
        lambda released: {"released": released},
    )
