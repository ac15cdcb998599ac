"""Watchlists: create, add, remove, build. Adding needs grounds (S06); removing is always allowed, at once (rule 9)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from proviso.domain.audit import system_act
from proviso.domain.errors import AuditUnwritable
from proviso.domain.people import Principal, Role
from proviso.domain.policy import Policy
from proviso.domain.ports import Clock, GovernStore
from proviso.domain.reasons import Reason, Refused
from proviso.domain.watchlist import Build, Entry, Watchlist

NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """What the watchlist officer says about a person to be listed."""

    label: str
    category: str
    reason: str
    source: str
    lawful_holding: str
    image_date: date
    reference_no: str | None = None
    consent_reference: str | None = None

    def __repr__(self) -> str:
        return f"<EntryRequest {self.category}>"


def create(
    *, principal: Principal, name: str, policy: Policy, store: GovernStore, clock: Clock, new_id: NewId
) -> Watchlist | Refused:
    """A new, empty list under a policy."""
    if refused := principal.needs(Role.WATCHLIST_OFFICER):
        return refused
    if not name.strip():
        return Refused(Reason.INVALID, "a watchlist needs a name")
    watchlist = Watchlist(
        id=new_id(),
        name=name.strip(),
        policy=policy.name,
        categories=policy.categories,
        max_entries=policy.max_entries,
        created_by=principal.sub,
        created_at=clock(),
    )
    with store.work() as work:
        work.add_watchlist(watchlist)
        work.audit(system_act(clock(), principal.sub, "watchlist_created", watchlist.id, {"policy": policy.name}))
    return watchlist


def show(
    *, principal: Principal, watchlist_id: str, store: GovernStore, clock: Clock
) -> tuple[Watchlist, list[Entry]] | Refused:
    """The list with its entries. Looking is an act, and is recorded (S29)."""
    if refused := principal.needs(Role.WATCHLIST_OFFICER, Role.AUDITOR):
        return refused
    with store.work() as work:
        watchlist = work.watchlist(watchlist_id)
        if watchlist is None:
            return Refused(Reason.NOT_FOUND, "watchlist")
        entries = work.entries(watchlist_id)
        work.audit(system_act(clock(), principal.sub, "watchlist_consulted", watchlist_id, {"entries": len(entries)}))
    return watchlist, entries


def list_all(*, principal: Principal, store: GovernStore) -> list[Watchlist] | Refused:
    """All lists, without their entries."""
    roles = (Role.WATCHLIST_OFFICER, Role.REQUESTER, Role.AUTHORISER, Role.AUDITOR)
    if refused := principal.needs(*roles):
        return refused
    with store.work() as work:
        return work.watchlists()


def add_entry(
    *,
    principal: Principal,
    watchlist_id: str,
    request: EntryRequest,
    policy_of: Callable[[str], Policy | Refused],
    store: GovernStore,
    clock: Clock,
    new_id: NewId,
) -> Entry | Refused:
    """List a person: category from the closed list, reason, source, lawful holding, image date (S06)."""
    if refused := principal.needs(Role.WATCHLIST_OFFICER):
        return refused
    now = clock()
    blank = [
        name
        for name in ("label", "category", "reason", "source", "lawful_holding")
        if not str(getattr(request, name)).strip()
    ]
    if blank:
        return Refused(Reason.INVALID, f"missing: {', '.join(blank)}")
    if request.image_date > now.date():
        return Refused(Reason.INVALID, "image_date lies in the future")
    with store.work() as work:
        watchlist = work.watchlist(watchlist_id, lock=True)
        if watchlist is None:
            return Refused(Reason.NOT_FOUND, "watchlist")
        policy = policy_of(watchlist.policy)
        if isinstance(policy, Refused):
            return policy
        if refused := policy.allows_entry(request.category, watchlist.entries, request.consent_reference):
            return refused
        age_years = (now.date() - request.image_date).days / 365.25
        if age_years > policy.image_refuse_age_years:
            return Refused(Reason.POLICY_FORBIDS, f"the picture is older than {policy.image_refuse_age_years} years")
        identifier = new_id()
        number = (request.reference_no or "").strip() or f"R-{identifier[:8]}"
        if work.number_taken(watchlist_id, number):  # the list is held: nobody takes it meanwhile
            return Refused(Reason.TAKEN, f"reference number {number}")
        entry = Entry(
            id=identifier,
            watchlist_id=watchlist_id,
            reference_no=number,
            label=request.label.strip(),
            category=request.category,
            reason=request.reason.strip(),
            source=request.source.strip(),
            lawful_holding=request.lawful_holding.strip(),
            image_date=request.image_date,
            consent_reference=request.consent_reference,
            added_by=principal.sub,
            added_at=now,
        )
        work.add_entry(entry)
        details = {"watchlist": watchlist_id, "category": entry.category, "reference_no": entry.reference_no}
        work.audit(system_act(clock(), principal.sub, "entry_added", entry.id, details))
    return entry


def remove_entry(
    *, principal: Principal, watchlist_id: str, entry_id: str, store: GovernStore, clock: Clock
) -> bool | Refused:
    """Take a person off the list: a tombstone that every search honours from now on. Never refused for its state.

    AuditUnwritable when it could not be recorded: the entry is removed all the same (S36), and the fault says so.
    """
    if refused := principal.needs(Role.WATCHLIST_OFFICER, Role.AUTHORISER, Role.REQUESTER):
        return refused
    try:
        with store.work() as work:
            if not work.remove_entry(watchlist_id, entry_id, clock()):
                return Refused(Reason.NOT_FOUND, "entry")
            work.audit(system_act(clock(), principal.sub, "entry_removed", entry_id, {"watchlist": watchlist_id}))
    except AuditUnwritable as fault:
        with store.work() as work:
            work.remove_entry(watchlist_id, entry_id, clock())
        raise AuditUnwritable(f"entry {entry_id} was removed by {principal.sub}, unrecorded: {fault}") from fault
    return True


def build(
    *,
    principal: Principal,
    watchlist_id: str,
    pipeline: str,
    store: GovernStore,
    clock: Clock,
    new_id: NewId,
) -> Build | Refused:
    """An immutable snapshot of the list's usable references for this pipeline: what a deployment is bound to."""
    if refused := principal.needs(Role.WATCHLIST_OFFICER):
        return refused
    with store.work() as work:
        if work.watchlist(watchlist_id, lock=True) is None:
            return Refused(Reason.NOT_FOUND, "watchlist")
        built = work.add_build(new_id(), watchlist_id, pipeline, principal.sub, clock())
        if isinstance(built, Refused):
            return built
        details = {"watchlist": watchlist_id, "digest": built.digest, "entries": built.entries}
        work.audit(
            system_act(clock(), principal.sub, "build_made", built.id, {**details, "references": built.references})
        )
    return built
