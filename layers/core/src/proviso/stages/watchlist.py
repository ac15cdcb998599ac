"""Watchlists: create, add, remove, build. Adding needs grounds (S06); removing is always allowed, at once (rule 9)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from proviso.domain.audit import Act, system_act
from proviso.domain.errors import AuditUnwritable, StorageFault
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import Principal, Role
from proviso.domain.policy import Policy
from proviso.domain.ports import Anchors, Clock, DueStore
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import LIST_DUE, LIST_UNUSED_AFTER, Erasure
from proviso.domain.subject_ports import SubjectKeys
from proviso.domain.subjects import UNAVAILABLE, subject_act
from proviso.domain.watchlist import Build, Entry, Watchlist
from proviso.stages.subjects import sealed

NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Added:
    """An entry as added, and what its officer should know of it (S11): `warnings` are sentences."""

    entry: Entry
    warnings: tuple[str, ...] = ()


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
    under_18: bool = False
    harm_reason: str | None = None

    def __repr__(self) -> str:
        return f"<EntryRequest {self.category}>"


def create(
    *, principal: Principal, name: str, policy: Policy, store: GovernStore, due: DueStore, clock: Clock, new_id: NewId
) -> Watchlist | Refused:
    """A new, empty list under a policy. When no deployment is asked for on it, it goes by itself (S23)."""
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
        consent_required=policy.consent_required,
        under_18_allowed=policy.under_18_allowed,
        image_refuse_age_years=policy.image_refuse_age_years,
        created_by=principal.sub,
        created_at=clock(),
    )
    with store.work() as work:
        work.add_watchlist(watchlist)
        due.put(f"{LIST_DUE}{watchlist.id}", watchlist.created_at + LIST_UNUSED_AFTER)
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
    subjects: SubjectKeys,
    clock: Clock,
    new_id: NewId,
) -> Added | Refused:
    """List a person: category from the closed list, reason, source, lawful holding, image date (S06).

    Somebody under 18 needs a stated harm reason, and is in no build before a second person approved it (S09).
    """
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
        if refused := _refused_for_age(request, policy):
            return refused
        if request.reference_no and work.reference_taken(watchlist_id, request.reference_no.strip()):
            return Refused(Reason.TAKEN, request.reference_no)
        age_years = (now.date() - request.image_date).days / 365.25
        if age_years > policy.image_refuse_age_years:
            return Refused(Reason.POLICY_FORBIDS, f"the picture is older than {policy.image_refuse_age_years} years")
        identifier = new_id()
        entry = Entry(
            id=identifier,
            watchlist_id=watchlist_id,
            reference_no=(request.reference_no or f"R-{identifier[:8]}").strip(),
            label=request.label.strip(),
            category=request.category,
            reason=request.reason.strip(),
            source=request.source.strip(),
            lawful_holding=request.lawful_holding.strip(),
            image_date=request.image_date,
            consent_reference=request.consent_reference,
            added_by=principal.sub,
            added_at=now,
            under_18=request.under_18,
            harm_reason=(request.harm_reason or "").strip() or None,
        )
        # While the list is held: its erasure, which destroys the keys, comes after. No key, no entry.
        subjects.make(watchlist_id, entry.id, now)
        details = {"entry": entry.id, "category": entry.category, "reference_no": entry.reference_no}
        said = sealed(subjects, watchlist_id, entry.id, details)
        work.add_entry(entry)
        work.audit(subject_act(clock(), principal.sub, "entry_added", said, {"watchlist": watchlist_id}))
    warnings = []
    if age_years > policy.image_warn_age_years:
        warnings.append(
            f"the picture is {age_years:.0f} years old; faces change, so use a later one where there is one"
        )
    if entry.waits_for_approval:
        warnings.append("under 18: in no build before a second person has approved it")
    return Added(entry, tuple(warnings))


def _refused_for_age(request: EntryRequest, policy: Policy) -> Refused | None:
    """S09: only where the policy allows it, and with the harm that is to be averted."""
    if not request.under_18:
        return None
    if not policy.under_18_allowed:
        return Refused(Reason.POLICY_FORBIDS, f"{policy.name} lists nobody under 18")
    if not (request.harm_reason or "").strip():
        return Refused(Reason.INVALID, "harm_reason: which harm is to be averted by listing somebody under 18")
    return None


def approve_entry(
    *,
    principal: Principal,
    watchlist_id: str,
    entry_id: str,
    store: GovernStore,
    subjects: SubjectKeys,
    clock: Clock,
) -> Entry | Refused:
    """A second person's approval of an entry under 18 (S09)."""
    if refused := principal.needs(Role.WATCHLIST_OFFICER, Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        entry = work.entry(watchlist_id, entry_id)
        if entry is None or entry.removed_at is not None:
            return Refused(Reason.NOT_FOUND, "entry")
        if not entry.waits_for_approval:
            return Refused(Reason.WRONG_STATE, "it waits for no approval")
        if entry.added_by == principal.sub:
            return Refused(Reason.SAME_PERSON, "who added it does not approve it")
        said = sealed(subjects, watchlist_id, entry_id, {"entry": entry_id})
        if not work.approve_entry(watchlist_id, entry_id, principal.sub, now):
            return Refused(Reason.WRONG_STATE)
        work.audit(subject_act(now, principal.sub, "entry_approved", said, {"watchlist": watchlist_id}))
        return work.entry(watchlist_id, entry_id) or entry


def delete(
    *, principal: Principal, watchlist_id: str, store: GovernStore, due: DueStore, clock: Clock
) -> bool | Refused:
    """Have a list erased that no deployment needs any more, or never did (S23). retain does it within a minute or
    two."""
    if refused := principal.needs(Role.WATCHLIST_OFFICER, Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        if work.watchlist(watchlist_id, lock=True) is None:
            return Refused(Reason.NOT_FOUND, "watchlist")
        if needed := work.in_use(watchlist_id):
            return Refused(Reason.WRONG_STATE, f"needed by deployment {', '.join(needed)}; close that, and it goes too")
        due.put(f"{LIST_DUE}{watchlist_id}", now)  # before the record: no head stays locked while S3 is asked
        if work.request_deletion(watchlist_id, principal.sub, now):
            work.audit(system_act(now, principal.sub, "watchlist_deletion_requested", watchlist_id, {}))
    return True


def remove_entry(
    *,
    principal: Principal,
    watchlist_id: str,
    entry_id: str,
    store: GovernStore,
    subjects: SubjectKeys,
    anchors: Anchors,
    clock: Clock,
) -> bool | Refused:
    """Take a person off the list: a tombstone that every search honours from now on. Never refused for its state.

    That it was removed is then written outside the database, so that a restored backup does not list the person again.
    Where that fails, retain does it later: it keeps no removal waiting.

    AuditUnwritable when it could not be recorded: the entry is removed all the same (S36), and the fault says so.
    Where the subjects' keys are away, the removal is recorded without saying whose.
    """
    if refused := principal.needs(Role.WATCHLIST_OFFICER, Role.AUTHORISER, Role.REQUESTER):
        return refused
    record = _removal(subjects, principal, watchlist_id, entry_id, clock)
    try:
        with store.work() as work:
            if not work.remove_entry(watchlist_id, entry_id, clock()):
                return Refused(Reason.NOT_FOUND, "entry")
            work.audit(record)
    except AuditUnwritable as fault:
        with store.work() as work:
            work.remove_entry(watchlist_id, entry_id, clock())
        raise AuditUnwritable(f"entry {entry_id} was removed by {principal.sub}, unrecorded: {fault}") from fault
    with suppress(StorageFault):
        anchors.put_erasure(Erasure("entry", entry_id, clock()))
    return True


def _removal(subjects: SubjectKeys, principal: Principal, watchlist_id: str, entry_id: str, clock: Clock) -> Act:
    details = {"watchlist": watchlist_id}
    try:
        said = sealed(subjects, watchlist_id, entry_id, {"entry": entry_id})
    except StorageFault:
        return system_act(clock(), principal.sub, "entry_removed", UNAVAILABLE, details)
    return subject_act(clock(), principal.sub, "entry_removed", said, details)


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
