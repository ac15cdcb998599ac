"""Holds on evidence (S24): on a complaint or for a stated reason, by name, for at most 30 days, and released by name.

What was said as the reason stays with the hold: the audit tells that there is one, of which kind and until when.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from proviso.domain.audit import Act
from proviso.domain.govern_ports import GovernStore
from proviso.domain.holds import BY_PEOPLE, MOST_DAYS, HeldCandidate, Hold, HoldKind
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, DueStore
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import HOLD_DUE


def hold(
    *,
    principal: Principal,
    candidate_id: str,
    kind: HoldKind,
    reason: str,
    days: int,
    store: GovernStore,
    clock: Clock,
    new_id: Callable[[], str],
) -> Hold | Refused:
    """Keep a candidate's evidence for so many days from now. Refused when the evidence is gone already."""
    if refused := principal.needs(Role.AUTHORISER, Role.DATA_PROTECTION_OFFICER):
        return refused
    if kind not in BY_PEOPLE:
        return Refused(Reason.INVALID, f"kind: {kind.value} follows from an outcome, nobody sets it by hand")
    if not reason.strip():
        return Refused(Reason.INVALID, "reason: say why the evidence must be kept")
    if not 1 <= days <= MOST_DAYS:
        return Refused(Reason.INVALID, f"days: 1 to {MOST_DAYS}")
    now = clock()
    made = Hold(new_id(), candidate_id, kind, reason.strip(), principal.sub, now, now + timedelta(days=days))
    with store.work() as work:
        candidate = work.held_candidate(candidate_id)
        if candidate is None:
            return Refused(Reason.NOT_FOUND, "candidate")
        if not candidate.has_evidence or not work.add_hold(made):
            return Refused(Reason.WRONG_STATE, "its evidence is deleted already")
        work.audit(_act(candidate, clock, principal, "evidence_held", _details(made)))
    return made


def release(
    *,
    principal: Principal,
    candidate_id: str,
    hold_id: str,
    store: GovernStore,
    due: DueStore,
    clock: Clock,
) -> bool | Refused:
    """End a hold before its time. retain is woken, and deletes what is past its hours and not held any more."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    now = clock()
    with store.work() as work:
        candidate = work.held_candidate(candidate_id)
        if candidate is None:
            return Refused(Reason.NOT_FOUND, "candidate")
        if not work.release_hold(candidate_id, hold_id, principal.sub, now):
            return Refused(Reason.NOT_FOUND, "a hold of that name that stands")
        due.put(f"{HOLD_DUE}{hold_id}", now)
        work.audit(_act(candidate, clock, principal, "hold_released", {"hold": hold_id}))
    return True


def holds(*, principal: Principal, candidate_id: str, store: GovernStore, clock: Clock) -> list[Hold] | Refused:
    """All holds there ever were on a candidate. Looking is recorded (S29)."""
    if refused := principal.needs(Role.AUTHORISER, Role.DATA_PROTECTION_OFFICER, Role.AUDITOR):
        return refused
    with store.work() as work:
        candidate = work.held_candidate(candidate_id)
        if candidate is None:
            return Refused(Reason.NOT_FOUND, "candidate")
        found = work.holds(candidate_id)
        work.audit(_act(candidate, clock, principal, "holds_consulted", {"holds": len(found)}))
    return found


def _details(made: Hold) -> dict[str, Any]:
    return {"hold": made.id, "kind": made.kind.value, "until": made.until.isoformat()}


def _act(candidate: HeldCandidate, clock: Clock, principal: Principal, action: str, details: dict[str, Any]) -> Act:
    return Act(candidate.deployment_id, clock(), principal.sub, action, candidate.id, details=details)
