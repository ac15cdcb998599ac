"""Routes on holds: what keeps a candidate's evidence beyond its hours (S24)."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import requests
from proviso import wiring
from proviso.edge.http import act, routes
from proviso.stages import holds

router = routes()


@router.post("/candidates/<candidate_id>/holds")
def hold(candidate_id: str, body: requests.HoldBody) -> Response[Any]:
    room = wiring.govern()
    return _act(
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


@router.get("/candidates/<candidate_id>/holds")
def list_holds(candidate_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: holds.holds(principal=p, candidate_id=candidate_id, store=room.store, clock=room.clock),
        lambda found: {"holds": found},
    )


@router.delete("/candidates/<candidate_id>/holds/<hold_id>")
def release(candidate_id: str, hold_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
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


def _act(stage: Any, view: Any = None, status: int = 200) -> Response[Any]:
    room = wiring.govern()
    answered = act(router.current_event, room.principal, stage, view, status)
    if router.current_event.http_method != "GET":
        room.anchor_soon()
    return answered
