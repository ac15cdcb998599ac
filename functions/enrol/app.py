"""enrol: one JPEG becomes one reference of an entry, or is rejected with the reason. Pairs for tests: pairs.py."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.enrol import pairs
from functions.enrol.answers import PICTURE_REFUSED, Enrolled
from proviso import wiring
from proviso.domain.frame import Jpeg
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.batch import Event
from proviso.edge.http import act, answer_request, api, body_bytes, routes
from proviso.edge.snapshot import with_snapshots
from proviso.stages.enrol import enrol
from proviso.wiring import snapshot

router = routes()
A_PICTURE = {
    "requestBody": {
        "required": True,
        "description": "one JPEG with one face in it",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/watchlists/<watchlist_id>/entries/<entry_id>/references",
    responses=gives(Enrolled, Reason.NOT_FOUND, *PICTURE_REFUSED, status=(200, 201)),
    openapi_extensions=A_PICTURE,
)
def reference(watchlist_id: str, entry_id: str) -> Response[Any]:
    """Enrol one picture of a listed person.

    A watchlist officer does this. Sent again, the same picture is answered with its reference (200). A picture that
    is refused is recorded with its reason, and not kept.
    """
    room = wiring.enrol()
    picture = Jpeg(body_bytes(router.current_event))
    return act(
        router.current_event,
        room.principal,
        lambda p: enrol(
            principal=p,
            watchlist_id=watchlist_id,
            entry_id=entry_id,
            picture=picture,
            pipeline=room.pipeline,
            pictures=room.pictures,
            store=room.store,
            subjects=room.subjects,
            clock=room.clock,
            new_id=room.new_id,
        ),
        lambda enrolled: {
            "id": enrolled.reference_id,
            "quality": enrolled.quality,
            "already": enrolled.already,
            "pipeline": room.pipeline.digest,
        },
        status=lambda enrolled: 200 if enrolled.already else 201,
    )


@cache
def app() -> APIGatewayHttpResolver:
    """The function's routes."""
    return api(router, pairs.router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)


with_snapshots(snapshot.enrol, snapshot.forget, wiring.now)
