"""Recipients: what a reviewer confirmed, shown to those whom the deployment names for it; and what came of it (S22).

Who may is asked at each request: the role, the deployment's members, and what the person's own contact takes. A notice
is there from its confirmation until the day is over in which its outcome is asked for, whether or not its deployment
has ended or been closed meanwhile: else an early close would swallow the answer. No view holds a name, a category, a
similarity, or what a reviewer wrote (S20). Each look is recorded before anything is given (S29).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from proviso.domain.audit import Act
from proviso.domain.errors import TransientFault
from proviso.domain.frame import Jpeg
from proviso.domain.holds import MOST_DAYS, Hold, HoldKind
from proviso.domain.journey import Follow, unfollowed
from proviso.domain.outcome import ASKED_FOR, Action, Outcome, Result, outcome_fault
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, PictureStore
from proviso.domain.reasons import Reason, Refused
from proviso.domain.recipient_ports import Noticed, Particulars, RecipientStore, RecipientWork
from proviso.domain.review_ports import Changes, ShownReference
from proviso.stages.pictures import choose

HOLD_FOR = timedelta(days=MOST_DAYS)
"""A person who asks that their picture be kept gets the longest hold there is, without having to know of it."""


@dataclass(frozen=True, slots=True)
class Notices:
    """What this recipient was told of and may still answer, newest first."""

    now: datetime
    notices: tuple[Noticed, ...]


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One of them, and the pictures that there are; whether they are still shown is asked when one is opened."""

    now: datetime
    notice: Noticed
    references: tuple[ShownReference, ...]


@dataclass(frozen=True, slots=True)
class Slip:
    """What the person who was spoken to is given: no picture, and nothing of whom they were taken for."""

    notice: Noticed
    particulars: Particulars
    held_until: datetime | None


def notices(*, principal: Principal, store: RecipientStore, clock: Clock) -> Notices | Refused:
    """The notices of the last day that name this person among their recipients and that their contact takes."""
    if refused := principal.needs(Role.RECIPIENT):
        return refused
    now = clock()
    with store.work() as work:
        takes = work.takes(principal.sub)
        found = work.noticed_by(principal.sub, now - ASKED_FOR, now)
    return Notices(now, tuple(one for one in found if takes.takes(one.place, one.category) and _asked_for(one)))


def look(
    *, principal: Principal, candidate_id: str, store: RecipientStore, clock: Clock, follow: Follow = unfollowed
) -> NoticeView | Refused:
    """One notice."""
    with store.work() as work:
        found = _noticed(work, principal, candidate_id, clock(), follow)
        if isinstance(found, Refused):
            return found
        work.audit(_act(clock, principal, found, "notice_consulted", {}))
        return _view(work, found, clock())


def picture(
    *,
    principal: Principal,
    candidate_id: str,
    reference_id: str | None,
    store: RecipientStore,
    evidence: PictureStore,
    enrolment: PictureStore,
    clock: Clock,
    follow: Follow = unfollowed,
) -> Jpeg | Refused:
    """The evidence picture (reference_id None) or one reference's enrolment picture. The look is committed first.

    Shown while the notice is of use and not a minute longer. A picture is for finding somebody and comparing on the
    spot; after that time nobody may act on the notice, so there is nothing left to compare, and a grace would only
    lengthen the time in which a listed person's picture is on telephones. Of what is withdrawn none is shown: it was
    the wrong person, or may have been.
    """
    with store.work() as work:
        found = _noticed(work, principal, candidate_id, clock(), follow)
        if isinstance(found, Refused):
            return found
        if found.withdrawn:
            return Refused(Reason.WRONG_STATE, "the notice is withdrawn: no picture of it is shown any more")
        if found.asked_at >= found.useful_until:
            return Refused(Reason.TOO_LATE, "pictures are shown while the notice is of use, and no longer")
        chosen = choose(
            reference_id,
            evidence=evidence,
            evidence_key=found.evidence_key,
            enrolment=enrolment,
            references=work.references(candidate_id),
        )
        if isinstance(chosen, Refused):
            return chosen
        work.audit(_act(clock, principal, found, "picture_consulted", {"picture": chosen.name}))
    return chosen.get()


def record(
    *,
    principal: Principal,
    candidate_id: str,
    result: Result,
    action: Action,
    store: RecipientStore,
    changes: Changes,
    clock: Clock,
    new_id: Callable[[], str],
    follow: Follow = unfollowed,
) -> NoticeView | Refused:
    """Say what came of it (S22). It may be said again: all are kept, the latest stands. Where somebody was engaged the
    database itself holds the picture (S24); where that is gone already, the outcome counts all the same."""
    if fault := outcome_fault(result, action):
        return Refused(Reason.INVALID, fault)
    with store.work() as work:
        now = clock()
        found = _noticed(work, principal, candidate_id, now, follow)
        if isinstance(found, Refused):
            return found
        said = Outcome(new_id(), candidate_id, result, action, principal.sub, now)
        if not work.record(said):
            return Refused(Reason.NOT_A_MEMBER)
        held = _held_until(work, candidate_id, now)
        details = {
            "outcome": said.id,
            "result": result.value,
            "action": action.value,
            "held_until": held.isoformat() if held else None,
        }
        work.audit(_act(clock, principal, found, "outcome_recorded", details))
        view = _view(work, work.noticed(candidate_id, now) or found, now)
    with suppress(TransientFault):  # others on the spot see that somebody has answered; else a little later
        changes.mark()
    return view


def slip(
    *, principal: Principal, candidate_id: str, store: RecipientStore, clock: Clock, follow: Follow = unfollowed
) -> Slip | Refused:
    """What the person is given: what it was, who answers for it, until when their picture is kept."""
    with store.work() as work:
        found = _noticed(work, principal, candidate_id, clock(), follow)
        if isinstance(found, Refused):
            return found
        particulars = work.particulars(candidate_id)
        if particulars is None:
            return Refused(Reason.NOT_FOUND, "notice")
        work.audit(_act(clock, principal, found, "slip_consulted", {}))
        return Slip(found, particulars, _held_until(work, candidate_id, found.asked_at))


def hold(
    *,
    principal: Principal,
    candidate_id: str,
    reason: str,
    store: RecipientStore,
    clock: Clock,
    new_id: Callable[[], str],
    follow: Follow = unfollowed,
) -> datetime | Refused:
    """The person asked that the picture be kept: a complaint's hold, recorded by the recipient for them (S24).

    Until when it is held. Asked again, it is the hold that stands; one that was set for less than a person can ask for
    is joined by a longer one. WRONG_STATE when the picture is gone.
    """
    if not reason.strip():
        return Refused(Reason.INVALID, "reason: say what the person asked for")
    with store.work() as work:
        now = clock()
        found = _noticed(work, principal, candidate_id, now, follow)
        if isinstance(found, Refused):
            return found
        standing = [one for one in work.holds(candidate_id) if one.stands(found.asked_at)]
        enough = found.confirmed_at + HOLD_FOR
        if not any(one.kind is HoldKind.COMPLAINT and one.until >= enough for one in standing):
            made = Hold(new_id(), candidate_id, HoldKind.COMPLAINT, reason.strip(), principal.sub, now, now + HOLD_FOR)
            if not found.evidence_key or not work.add_hold(made):
                return Refused(Reason.WRONG_STATE, "its picture is deleted already")
            details = {"hold": made.id, "kind": made.kind.value, "until": made.until.isoformat()}
            work.audit(_act(clock, principal, found, "evidence_held", details))
            standing.append(made)
        return max(one.until for one in standing)


def _noticed(
    work: RecipientWork, principal: Principal, candidate_id: str, now: datetime, follow: Follow
) -> Noticed | Refused:
    """The notice, if this person may have it. What their contact does not take is for them not there: to say why would
    tell its category (S20)."""
    if refused := principal.needs(Role.RECIPIENT):
        return refused
    found = work.noticed(candidate_id, now)
    if found is None:
        return Refused(Reason.NOT_FOUND, "notice")
    follow(found.correlation_id)
    if not work.receives_for(found.deployment_id, principal.sub):
        return Refused(Reason.NOT_A_MEMBER)
    if not work.takes(principal.sub).takes(found.place, found.category):
        return Refused(Reason.NOT_FOUND, "notice")
    if not _asked_for(found):
        return Refused(Reason.TOO_LATE, "a notice is there for 24 hours; what came of it is closed")
    return found


def _asked_for(found: Noticed) -> bool:
    return found.asked_at < found.confirmed_at + ASKED_FOR


def _view(work: RecipientWork, found: Noticed, now: datetime) -> NoticeView:
    return NoticeView(now, found, tuple(work.references(found.id)))


def _held_until(work: RecipientWork, candidate_id: str, now: datetime) -> datetime | None:
    return max((one.until for one in work.holds(candidate_id) if one.stands(now)), default=None)


def _act(clock: Clock, principal: Principal, found: Noticed, action: str, details: dict[str, Any]) -> Act:
    return Act(found.deployment_id, clock(), principal.sub, action, found.id, purpose="notice", details=dict(details))
