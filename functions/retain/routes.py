"""The route on retention: what is held, why, and until when. Here because retain alone may look into every store."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from proviso import wiring
from proviso.edge.http import act, plain, routes
from proviso.stages.holdings import Checked, check

router = routes()


@router.get("/retention")
def retention(purpose: str = "") -> Response[Any]:
    place = wiring.retention()
    return act(
        router.current_event,
        place.principal,
        lambda p: check(
            principal=p,
            purpose=purpose,
            room=place.room,
            frames=place.frames,
            age_limit_s=place.age_limit_s,
            give_up_at=place.give_up_at(),
        ),
        _view,
    )


def _view(checked: Checked) -> dict[str, Any]:
    return {**plain(checked), "overdue": checked.overdue}
