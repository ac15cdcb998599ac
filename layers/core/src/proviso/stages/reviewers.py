"""How well reviewers decide, as far as tests say (S19): for the authoriser, who answers for who decides."""

from collections.abc import Sequence

from proviso.domain.audit import system_act
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Refused
from proviso.domain.review_ports import ReviewStore
from proviso.domain.reviewers import ReviewerAnswers

PURPOSE = "tests of reviewers"


def reviewers(*, principal: Principal, store: ReviewStore, clock: Clock) -> Sequence[ReviewerAnswers] | Refused:
    """Everybody with the role of a reviewer, by account. It is about how people work, so the look is recorded."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        found = work.reviewers(now)
        details = {"reviewers": len(found)}
        work.audit(system_act(now, principal.sub, "reviewers_consulted", "reviewers", details, purpose=PURPOSE))
    return found
