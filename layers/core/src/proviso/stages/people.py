"""Who is asking, and who may do what: roles are records, read at each request and never taken from a token."""

from proviso.domain.audit import SYSTEM_CHAIN, Act
from proviso.domain.people import Person, Principal, Role
from proviso.domain.ports import Clock, GovernStore, GovernWork, ReviewWork
from proviso.domain.reasons import Reason, Refused


def principal_of(work: GovernWork | ReviewWork, sub: str) -> Principal | Refused:
    """The person behind a verified token's `sub`, or a refusal when nobody registered them."""
    person = work.person(sub)
    if person is None or not person.roles:
        return Refused(Reason.ROLE_MISSING, "this account is not registered for anything")
    return Principal(person)


def register(*, principal: Principal, person: Person, store: GovernStore, clock: Clock) -> Person | Refused:
    """Give somebody roles. An authoriser does this, and never for themselves."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    if person.sub == principal.sub:
        return Refused(Reason.SAME_PERSON, "nobody changes their own roles")
    with store.work() as work:
        work.register(person)
        work.audit(
            Act(
                chain=SYSTEM_CHAIN,
                at=clock(),
                actor=principal.sub,
                action="person_registered",
                subject=person.sub,
                details={"roles": sorted(person.roles)},
            )
        )
    return person


def people(*, principal: Principal, store: GovernStore) -> list[Person] | Refused:
    """Everybody with a role."""
    if refused := principal.needs(Role.AUTHORISER, Role.AUDITOR):
        return refused
    with store.work() as work:
        return work.people()
