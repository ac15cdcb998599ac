"""Route of how reviewers answer tests (S19)."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.review.answers import Reviewers
from proviso import wiring
from proviso.domain.rates import Rate
from proviso.domain.reviewers import ReviewerAnswers
from proviso.edge.answers import gives
from proviso.edge.http import act, plain, routes
from proviso.stages.reviewers import reviewers

router = routes()
_DIGITS = 4


@router.get("/reviewers", responses=gives(Reviewers))
def listed() -> Response[Any]:
    """Show how each reviewer answered their tests since they were trained.

    For an authoriser; the look is recorded. Each rate comes with its counts and a 95 % interval.
    """
    room = wiring.review()
    return act(
        router.current_event,
        room.principal,
        lambda p: reviewers(principal=p, store=room.store, clock=room.clock),
        lambda found: {"reviewers": [_view(one) for one in found]},
    )


def _view(one: ReviewerAnswers) -> dict[str, Any]:
    counts = ("tests", "non_mates", "confirmed_non_mates", "mates", "rejected_mates", "cannot_tell", "unanswered")
    wrong = _rate(one.wrong)
    return {
        "sub": one.sub,
        "trained_until": plain(one.trained_until),
        "rated_from": plain(one.rated_from),
        **{name: getattr(one, name) for name in counts},
        "error_rate": wrong["rate"] if wrong else None,
        "low": wrong["low"] if wrong else None,
        "high": wrong["high"] if wrong else None,
        "strangers_confirmed": _rate(one.strangers_confirmed),
        "mates_rejected": _rate(one.mates_rejected),
        "limit": one.limit_percent / 100,
        "denied": one.denied,
    }


def _rate(found: Rate | None) -> dict[str, float] | None:
    if found is None or found.value is None:
        return None
    return {"rate": round(found.value, _DIGITS), "low": round(found.low, _DIGITS), "high": round(found.high, _DIGITS)}
