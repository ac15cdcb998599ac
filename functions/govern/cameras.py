"""Routes on cameras: who may ask for upload rights."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import requests, views
from proviso import wiring
from proviso.edge.http import act, routes
from proviso.stages import cameras

router = routes()


@router.post("/cameras")
def register(body: requests.CameraBody) -> Response[Any]:
    room = wiring.govern()
    return _act(
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


@router.delete("/cameras/<camera>")
def revoke(camera: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: cameras.revoke(principal=p, camera=camera, cameras=room.cameras, store=room.store, clock=room.clock),
        lambda revoked: {"revoked": revoked},
    )


@router.get("/cameras")
def list_all() -> Response[Any]:
    room = wiring.govern()
    return _act(lambda p: cameras.list_all(principal=p, cameras=room.cameras), views.cameras)


def _act(stage: Any, view: Any = None, status: int = 200) -> Response[Any]:
    return act(router.current_event, wiring.govern().principal, stage, view, status)
