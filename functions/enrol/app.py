"""enrol: one JPEG becomes one reference of an entry, or is rejected with the reason."""

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from proviso import wiring
from proviso.domain.frame import Jpeg
from proviso.edge.batch import Event
from proviso.edge.http import act, answer_request, api, body_bytes, routes
from proviso.stages.enrol import enrol

router = routes()


@router.post("/watchlists/<watchlist_id>/entries/<entry_id>/references")
def reference(watchlist_id: str, entry_id: str) -> Response[Any]:
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
    """The function's one route."""
    return api(router)


def handler(event: Event, context: Any) -> Event:
    """HTTP API → answer."""
    return answer_request(app(), event, context)
