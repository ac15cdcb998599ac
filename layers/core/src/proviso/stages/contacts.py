"""Contacts in govern: who is told where, and what of. The row counts; the outbox bucket mirrors it, as permits do.

The mirror is written after the commit and compared with the rows once more, so that of two changes at the same moment
the last one stands there, whoever wrote it. An address is in no audit record, only whether there is one.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from proviso.domain.audit import purpose_fault, system_act
from proviso.domain.contact_ports import ContactBoard
from proviso.domain.contacts import AUDIENCES, RESPONSIBLE, Contact, Kept, Members, Reach, contact_fault
from proviso.domain.errors import StorageFault
from proviso.domain.govern_ports import GovernStore, GovernWork
from proviso.domain.people import Member, Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused

_T = TypeVar("_T")
_TRIES = 5
_FOR = "notices"


@dataclass(frozen=True, slots=True)
class ShownContact:
    """A contact, who recorded it, and how its subscriptions stand as alert last saw them; None when it never looked."""

    kept: Kept
    reach: Reach | None


def set_contact(
    *,
    principal: Principal,
    wanted: Contact,
    categories: Collection[str],
    store: GovernStore,
    board: ContactBoard,
    clock: Clock,
) -> ShownContact | Refused:
    """Record where an account is told, in place of what was there. `categories`: of this installation's policies.

    Another account's address is refused: a subscription has one filter, for one account.
    """
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    if fault := contact_fault(wanted, categories):
        return Refused(Reason.INVALID, fault)
    now = clock()
    with store.work() as work:
        person = work.person(wanted.sub)
        if person is None or not person.roles & AUDIENCES.keys():
            told = ", ".join(AUDIENCES)
            return Refused(Reason.INVALID, f"{wanted.sub} is not registered with a role that is told: {told}")
        if taken := _taken(wanted, work.contacts()):
            return Refused(Reason.INVALID, taken)
        work.set_contact(Kept(_at(wanted, person.roles, now), principal.sub))
        details = {
            "language": wanted.language,
            "channels": sorted(channel.field for channel in wanted.addresses),
            "places": list(wanted.places),
            "categories": list(wanted.categories),
        }
        work.audit(system_act(now, principal.sub, "contact_set", wanted.sub, details, purpose=_FOR))
    mirror_contact(wanted.sub, store, board)
    with store.work() as work:
        kept = work.contact(wanted.sub)
    return ShownContact(kept, board.reach(wanted.sub)) if kept else Refused(Reason.NOT_FOUND, "contact")


def remove_contact(
    *, principal: Principal, sub: str, store: GovernStore, board: ContactBoard, clock: Clock
) -> bool | Refused:
    """Take the addresses away; alert ends their subscriptions. Done again, it takes away what a crash left."""
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        removed = work.remove_contact(sub, now)
        if removed:
            work.audit(system_act(now, principal.sub, "contact_removed", sub, {}, purpose=_FOR))
    mirror_contact(sub, store, board)
    return True if removed else Refused(Reason.NOT_FOUND, "contact")


def contacts(
    *, principal: Principal, purpose: str, store: GovernStore, board: ContactBoard, clock: Clock
) -> list[ShownContact] | Refused:
    """All of them, with addresses. The look is recorded."""
    if refused := principal.needs(Role.REQUESTER, Role.AUTHORISER):
        return refused
    if refused := purpose_fault(purpose):
        return refused
    with store.work() as work:
        found = work.contacts()
        details = {"contacts": len(found)}
        work.audit(system_act(clock(), principal.sub, "contacts_consulted", "contacts", details, purpose=purpose))
    return [ShownContact(kept, board.reach(kept.contact.sub)) for kept in found]


# --- the mirror ------------------------------------------------------------------------------------------------------


def mirror_contact(sub: str, store: GovernStore, board: ContactBoard) -> None:
    """Bring the object to the row."""

    def row(work: GovernWork) -> Contact | None:
        kept = work.contact(sub)
        return kept.contact if kept and kept.contact.roles else None

    def write(contact: Contact | None) -> None:
        board.remove_contact(sub) if contact is None else board.put_contact(contact)

    _mirror(store, row, write)


def mirror_members(deployment_id: str, store: GovernStore, board: ContactBoard) -> None:
    """Bring the object to the rows."""
    _mirror(store, lambda work: members_of(work, deployment_id), lambda found: board.put_members(deployment_id, found))


def mirror_person(sub: str, store: GovernStore, board: ContactBoard) -> None:
    """After somebody's roles changed: their contact, and every deployment that names them."""
    mirror_contact(sub, store, board)
    with store.work() as work:
        deployments = work.deployments_naming(sub)
    for deployment_id in deployments:
        mirror_members(deployment_id, store, board)


def members_of(work: GovernWork, deployment_id: str) -> Members:
    """Who is told: the members who still hold the role that they are named in; of a suspension also who asked for the
    deployment and who authorised it, for as long as they hold either role."""
    roles = {person.sub: person.roles for person in work.people()}
    deployment = work.deployment(deployment_id)
    responsible = (deployment.requested_by, deployment.authorised_by) if deployment else ()
    return Members.of(
        (member for member in work.members(deployment_id) if member.role in roles.get(member.sub, ())),
        (sub for sub in responsible if sub is not None and roles.get(sub, frozenset()) & set(RESPONSIBLE)),
    )


def _mirror(store: GovernStore, read: Callable[[GovernWork], _T], write: Callable[[_T], None]) -> None:
    """Write, and look whether it is still so: whoever writes last has then written what is there."""
    with store.work() as work:
        found = read(work)
    for _ in range(_TRIES):
        write(found)
        with store.work() as work:
            now = read(work)
        if now == found:
            return
        found = now
    raise StorageFault("what is mirrored changes faster than it can be written; try again")


# --- the start -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reachability:
    """Whether a deployment's people can be told. `refused`: why it does not start, or None; `warnings`: what its
    requester should know, by account and never by address."""

    refused: Refused | None
    warnings: tuple[str, ...]


def reachability(
    *, deployment_id: str, place: str, store: GovernStore, board: ContactBoard, now: datetime
) -> Reachability:
    """Each member with a contact must be reachable at every address. Who has none is not told: reviewers look at the
    console; of recipients it is said, since they may be waiting for a message."""
    with store.work() as work:
        members = [m for m in work.members(deployment_id) if m.role in AUDIENCES]
        known = {kept.contact.sub: kept.contact for kept in work.contacts()}
    reaches = {sub: board.reach(sub) for sub in sorted({m.sub for m in members} & known.keys())}
    unready = sorted({m.sub for m in members if m.sub in known and not _ready(m, known[m.sub], reaches, now)})
    refused = None
    if unready:
        refused = Refused(Reason.NOT_REACHABLE, ", ".join(unready))
    return Reachability(refused, tuple(_warnings(members, known, place)))


def _ready(member: Member, contact: Contact, reaches: dict[str, Reach | None], now: datetime) -> bool:
    reach = reaches[member.sub]
    return reach is not None and reach.ready(contact, member.role, now)


def _warnings(members: Iterable[Member], known: dict[str, Contact], place: str) -> Iterable[str]:
    recipients = [member.sub for member in members if member.role is Role.RECIPIENT]
    if not recipients:
        yield "no recipient is named: a confirmation is told to nobody"
    for sub in recipients:
        if sub not in known:
            yield f"{sub} has no contact: told nothing by SMS or e-mail, only on the page for recipients"
    for member in members:
        if member.sub in known and not known[member.sub].takes_place(place):
            yield f"{member.sub} takes notices of other places only: told nothing of this deployment"


def _taken(wanted: Contact, others: Iterable[Kept]) -> str | None:
    """Which account has one of these addresses already."""
    mine = {(channel, address.value.casefold()) for channel, address in wanted.addresses.items()}
    for kept in others:
        other = kept.contact
        theirs = {(channel, address.value.casefold()) for channel, address in other.addresses.items()}
        if other.sub != wanted.sub and (same := mine & theirs):
            fields = ", ".join(sorted(channel.field for channel, _ in same))
            return f"{fields}: this address is {other.sub}'s already; each account needs its own"
    return None


def _at(wanted: Contact, roles: frozenset[Role], now: datetime) -> Contact:
    return Contact(
        sub=wanted.sub,
        language=wanted.language,
        email=wanted.email,
        phone=wanted.phone,
        places=tuple(dict.fromkeys(wanted.places)),
        categories=tuple(dict.fromkeys(wanted.categories)),
        roles=roles & AUDIENCES.keys(),
        set_at=now,
    )
