"""Who is asking, and who may do what: roles are records, read at each request and never taken from a token."""

from proviso.domain.audit import SYSTEM_CHAIN, Act, deployment_act, system_act
from proviso.domain.contact_ports import ContactBoard
from proviso.domain.contacts import AUDIENCES
from proviso.domain.deployment import LIVE
from proviso.domain.govern_ports import GovernStore, GovernWork
from proviso.domain.people import Member, Person, Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retain_ports import RetainWork
from proviso.domain.review_ports import ReviewWork
from proviso.stages.contacts import mirror_members, mirror_person


def principal_of(work: GovernWork | ReviewWork | RetainWork, sub: str) -> Principal | Refused:
    """The person behind a verified token's `sub`, or a refusal when nobody registered them."""
    person = work.person(sub)
    if person is None or not person.roles:
        return Refused(Reason.ROLE_MISSING, "this account is not registered for anything")
    return Principal(person)


def register(
    *, principal: Principal, person: Person, store: GovernStore, board: ContactBoard, clock: Clock
) -> Person | Refused:
    """Give somebody roles. An authoriser does this, and never for themselves. A role taken away ends its notices."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    if person.sub == principal.sub:
        return Refused(Reason.SAME_PERSON, "nobody changes their own roles")
    with store.work() as work:
        work.register(person)
        if not person.roles & AUDIENCES.keys() and work.remove_contact(person.sub, clock()):
            # Who neither reviews nor receives is told nothing: their addresses have no use left.
            details: dict[str, object] = {"because": "no role is left that is told anything"}
            work.audit(system_act(clock(), principal.sub, "contact_removed", person.sub, details, purpose="notices"))
        work.audit(
            Act(
                chain=SYSTEM_CHAIN,
                at=clock(),
                actor=principal.sub,
                action="person_registered",
                subject=person.sub,
                details={
                    "roles": sorted(person.roles),
                    "rank": person.rank or "",
                    # On record, because answers to tests count anew from a new training on (S19).
                    "trained_until": person.trained_until.isoformat() if person.trained_until else "",
                },
            )
        )
    mirror_person(person.sub, store, board)
    return person


def people(*, principal: Principal, store: GovernStore) -> list[Person] | Refused:
    """Everybody with a role."""
    if refused := principal.needs(Role.AUTHORISER, Role.AUDITOR):
        return refused
    with store.work() as work:
        return work.people()


def name_member(
    *,
    principal: Principal,
    deployment_id: str,
    sub: str,
    role: Role,
    store: GovernStore,
    board: ContactBoard,
    clock: Clock,
) -> Member | Refused:
    """Name somebody as a reviewer or recipient of one deployment: without that they see nothing of it.

    Who requested or authorised is never its reviewer (S17), and a reviewer's training must be current (S19). Who listed
    somebody may be named, and is refused at each look.
    """
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    if role not in (Role.REVIEWER, Role.RECIPIENT):
        return Refused(Reason.INVALID, "a deployment names reviewers and recipients")
    now = clock()
    with store.work() as work:
        deployment = work.deployment(deployment_id)
        if deployment is None:
            return Refused(Reason.NOT_FOUND, "deployment")
        if deployment.state not in LIVE:
            return Refused(Reason.WRONG_STATE, deployment.state)
        person = work.person(sub)
        if person is None or role not in person.roles:
            return Refused(Reason.INVALID, f"{sub} is not registered as a {role.value}")
        if role is Role.REVIEWER:
            if sub in (deployment.requested_by, deployment.authorised_by):
                return Refused(Reason.SAME_PERSON, "who requested or authorised does not review")
            if Principal(person).needs_training(now):
                return Refused(Reason.NOT_TRAINED, sub)
        member = Member(deployment_id, sub, role, principal.sub, now)
        work.add_member(member)
        details = {"member": sub, "role": role.value}
        work.audit(deployment_act(deployment_id, now, principal.sub, "member_named", details))
    mirror_members(deployment_id, store, board)
    return member


def remove_member(
    *,
    principal: Principal,
    deployment_id: str,
    sub: str,
    role: Role,
    store: GovernStore,
    board: ContactBoard,
    clock: Clock,
) -> bool | Refused:
    """Take somebody off a deployment, effective at their next request and at the next notice."""
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        removed = work.remove_member(deployment_id, sub, role, now)
        if removed:
            details = {"member": sub, "role": role.value}
            work.audit(deployment_act(deployment_id, now, principal.sub, "member_removed", details))
        known = removed or work.deployment(deployment_id) is not None
    if known:  # again too, should a call have died before it
        mirror_members(deployment_id, store, board)
    return True if removed else Refused(Reason.NOT_FOUND, "member")
