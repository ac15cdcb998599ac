"""What a notice sheet is made of (S33): the terms of a deployment, for everybody with a role in it."""

from proviso.domain.deployment import Deployment
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import STAFF, Principal
from proviso.domain.reasons import Reason, Refused


def announced(*, principal: Principal, deployment_id: str, store: GovernStore) -> Deployment | Refused:
    """The deployment, in whatever state it is: a notice stands after its end too."""
    if refused := principal.needs(*STAFF):
        return refused
    with store.work() as work:
        found = work.deployment(deployment_id)
    return found or Refused(Reason.NOT_FOUND, "deployment")
