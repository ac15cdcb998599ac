"""The route on retention: what is held, why, and until when. Here because retain alone may look into every store."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.retain.answers import Purpose, Retention
from proviso.edge.answers import gives
from proviso.edge.http import act, plain, routes
from proviso.stages.holdings import Checked
from proviso.wiring import retention as wiring

router = routes()


@router.get("/retention", responses=gives(Retention))
def retention(purpose: Purpose) -> Response[Any]:
    """Show what is held in every store, why, and until when.

    For auditors, authorisers and the data protection officer. The look is recorded.
    """
    return act(router.current_event, wiring.retain_principal, lambda p: wiring.check_retention(p, purpose), _view)


def _view(checked: Checked) -> dict[str, Any]:
    return {**plain(checked), "overdue": checked.overdue}
