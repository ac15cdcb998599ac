"""Routes on cameras: who may ask for upload rights."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import camera_answers as answers
from functions.govern import requests, views
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import routes
from proviso.stages import cameras

router = routes()


@router.post("/cameras", responses=gives(answers.CameraKey, status=201))
def register(body: requests.CameraBody) -> Response[Any]:
    """Register a camera; its key is shown once, here.

    A requester or an authoriser does this. Registered again, it gets a new key and the former is void.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: cameras.register(
            principal=p,
            camera=body.camera,
            cameras=room.cameras,
            store=room.store,
            clock=room.clock,
            new_key=room.new_key,
        ),
        lambda key: {"camera": body.camera, "key": key},
        status=201,
    )


@router.delete("/cameras/<camera>", responses=gives(answers.Revoked, Reason.NOT_FOUND))
def revoke(camera: str) -> Response[Any]:
    """Take a camera's key away: it gets no upload right any more."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: cameras.revoke(principal=p, camera=camera, cameras=room.cameras, store=room.store, clock=room.clock),
        lambda revoked: {"revoked": revoked},
    )


@router.get("/cameras", responses=gives(answers.Cameras))
def list_all() -> Response[Any]:
    """Show the cameras that may ask for upload rights."""
    room = wiring.govern()
    return acting(router.current_event, lambda p: cameras.list_all(principal=p, cameras=room.cameras), views.cameras)
