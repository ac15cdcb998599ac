"""review: a person looks and decides (S16). Nothing goes to recipients before that, and only `confirm` sends anything.

The order is part of the safeguard: pictures first, then the reviewer's own decision, and only then the similarity, the
category and what others decided. Each look at a picture is an act, and is recorded before the picture is given (S29).
A seeded test goes the same way and looks the same (S19); only its acts are recorded under names of their own.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from proviso.domain.audit import Act
from proviso.domain.candidate import (
    Age,
    CandidateState,
    ConfirmingReview,
    Decision,
    Demographics,
    Ethnicity,
    Review,
    Sex,
    Withdrawal,
)
from proviso.domain.errors import TransientFault
from proviso.domain.frame import Jpeg
from proviso.domain.journey import Follow, unfollowed
from proviso.domain.notice import confirmed_notice, withdrawn_notice
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, Outbox, PictureStore
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import (
    Changes,
    Revealed,
    ReviewStore,
    ReviewWork,
    Shown,
    ShownReference,
    StoppedByItself,
)
from proviso.stages.pictures import choose
from proviso.stages.seeding import top_up

OWN_DECISIONS_SHOWN = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for this reviewer, what they decided lately, what others confirmed lately and they may take back,
    which of their deployments a safeguard stopped, and how much of the hour's cap is used."""

    now: datetime
    candidates: tuple[Shown, ...]
    own: tuple[tuple[Shown, Decision], ...]
    confirmed: tuple[Shown, ...]
    suspended: tuple[StoppedByItself, ...]
    per_hour: int | None
    decided: int


@dataclass(frozen=True, slots=True)
class CandidateView:
    """What a reviewer may see now. `own` is None before their decision, and then so is `revealed`."""

    now: datetime
    candidate: Shown
    references: tuple[ShownReference, ...]
    own: Review | None
    revealed: Revealed | None


def pending(*, principal: Principal, store: ReviewStore, clock: Clock) -> Waiting | Refused:
    """Candidates that wait for a decision and that this reviewer may decide, newest first.

    Who may not decide any more, being untrained or wrong too often, is refused, unless there is a confirmation that
    they may still take back: then nothing waits for them, and that is listed.
    """
    now = clock()
    if refused := principal.needs(Role.REVIEWER):
        return refused
    with store.work() as work:
        found = work.pending(now, principal.sub)
        # Once a deployment, not once a candidate: each asks the database three times.
        of_each = {one.deployment_id: one for one in found}
        barred = {deployment_id: _barred(work, principal, one) for deployment_id, one in of_each.items()}
        untrained = principal.needs_training(now)
        waiting = () if untrained else tuple(one for one in found if barred[one.deployment_id] is None)
        own = tuple(work.decided(now - OWN_DECISIONS_SHOWN, principal.sub))
        confirmed = tuple(work.confirmed_by_others(now - OWN_DECISIONS_SHOWN, principal.sub))
        refused = untrained or next((one for one in barred.values() if _about_the_person(one)), None)
        to_take_back = confirmed or [one for one, _ in own if one.state is CandidateState.CONFIRMED and not one.seeded]
        if refused and not waiting and not to_take_back:
            return refused
        return Waiting(
            now=now,
            candidates=waiting,
            own=own,
            confirmed=confirmed,
            suspended=tuple(work.suspended(now - OWN_DECISIONS_SHOWN, principal.sub)),
            per_hour=work.per_hour(principal.sub, now),
            decided=work.decided_within_the_hour(principal.sub, now),
        )


def look(
    *, principal: Principal, candidate_id: str, store: ReviewStore, clock: Clock, follow: Follow = unfollowed
) -> CandidateView | Refused:
    """One candidate. What is confirmed is shown, without pictures, to a reviewer who may not decide any more too: they
    can still take it back."""
    with store.work() as work:
        shown = _reviewable(work, principal, candidate_id, clock(), follow)
        if isinstance(shown, Refused) and _about_the_person(shown):
            standing = work.shown(candidate_id, principal.sub)
            member = standing is not None and work.reviews_for(standing.deployment_id, principal.sub)
            if standing and member and standing.state is CandidateState.CONFIRMED and not standing.seeded:
                shown = standing
        if isinstance(shown, Refused):
            return shown
        work.audit(_act(clock, principal, shown, "consulted", {}))
        return _view(work, principal, shown, clock())


def picture(
    *,
    principal: Principal,
    candidate_id: str,
    reference_id: str | None,
    store: ReviewStore,
    evidence: PictureStore,
    enrolment: PictureStore,
    clock: Clock,
    follow: Follow = unfollowed,
) -> Jpeg | Refused:
    """The evidence picture (reference_id None) or one reference's enrolment picture. The look is committed first."""
    with store.work() as work:
        shown = _reviewable(work, principal, candidate_id, clock(), follow)
        if isinstance(shown, Refused):
            return shown
        if not shown.open_to_view:
            return Refused(Reason.TOO_LATE, "pictures are shown for twelve hours, and while the person is listed")
        chosen = choose(
            reference_id,
            # The pictures of tests lie together: they are nobody's evidence.
            evidence=enrolment if shown.seeded else evidence,
            evidence_key=shown.evidence_key,
            enrolment=enrolment,
            references=work.references(candidate_id, principal.sub),
        )
        if isinstance(chosen, Refused):
            return chosen
        work.audit(_act(clock, principal, shown, "picture_consulted", {"picture": chosen.name}))
    return chosen.get()


def decide(
    *,
    principal: Principal,
    candidate_id: str,
    decision: Decision,
    reason: str,
    store: ReviewStore,
    outbox: Outbox,
    changes: Changes,
    clock: Clock,
    new_id: Callable[[], str],
    chance: Callable[[], float],
    follow: Follow = unfollowed,
) -> CandidateView | Refused:
    """Record a decision, and after a confirmation put the recipients' notice. A lost notice is put again by retain."""
    if not reason.strip():
        return Refused(Reason.INVALID, "a decision needs a reason")
    now = clock()
    review = Review(new_id(), candidate_id, principal.sub, decision, reason.strip(), now)
    with store.work() as work:
        shown = _reviewable(work, principal, candidate_id, clock(), follow)
        if isinstance(shown, Refused):
            return shown
        decided = work.decide(review, now)
        if isinstance(decided, Refused):
            return decided
        due = top_up(
            work, deployment_id=shown.deployment_id, reviewer=principal.sub, now=now, chance=chance, new_id=new_id
        )
        # Of a test the audit keeps that it was answered: how, stands with the test, and in no count of candidates.
        details = {} if shown.seeded else {"review": review.id}
        work.audit(_act(clock, principal, shown, "answered" if shown.seeded else decision.value, details))
        view = _view(work, principal, work.shown(candidate_id, principal.sub) or shown, now)
    if isinstance(decided, ConfirmingReview):
        outbox.put(confirmed_notice(decided))
    _tell(changes, due, now)
    return view


def withdraw(
    *,
    principal: Principal,
    candidate_id: str,
    reason: str,
    store: ReviewStore,
    outbox: Outbox,
    changes: Changes,
    clock: Clock,
    follow: Follow = unfollowed,
) -> CandidateView | Refused:
    """Take a confirmation back and tell the recipients: by any reviewer of the deployment, also after a stop, and also
    when their training has run out."""
    if not reason.strip():
        return Refused(Reason.INVALID, "a withdrawal needs a reason")
    if refused := principal.needs(Role.REVIEWER):
        return refused
    now = clock()
    with store.work() as work:
        shown = work.shown(candidate_id, principal.sub)
        if shown is None:
            return Refused(Reason.NOT_FOUND, "candidate")
        follow(shown.correlation_id)
        if not work.reviews_for(shown.deployment_id, principal.sub):
            return Refused(Reason.NOT_A_MEMBER)
        if shown.seeded:  # answered as a candidate that nobody confirmed: or asking would tell a test before its answer
            told = shown.state is CandidateState.CONFIRMED
            return Refused(Reason.WRONG_STATE, "it was a test: nobody was told" if told else shown.state.value)
        proof = work.withdraw(Withdrawal(candidate_id, principal.sub, reason.strip(), now))
        if isinstance(proof, Refused):
            return proof
        work.audit(_act(clock, principal, shown, "withdrawn", {"review": proof.review.id}))
        view = _view(work, principal, work.shown(candidate_id, principal.sub) or shown, now)
    if not proof.closed:  # after that nothing is left of who was told; recipients' pages show it for a day
        outbox.put(withdrawn_notice(proof))
    _tell(changes, [], now)
    return view


def record_demographics(
    *,
    principal: Principal,
    candidate_id: str,
    sex: Sex,
    age: Age,
    ethnicity: Ethnicity,
    store: ReviewStore,
    clock: Clock,
    follow: Follow = unfollowed,
) -> bool | Refused:
    """What groups the reviewer saw (S28): optional, after their own decision, once. Of a test nothing is kept."""
    with store.work() as work:
        shown = _reviewable(work, principal, candidate_id, clock(), follow)
        if isinstance(shown, Refused):
            return shown
        if work.own_review(candidate_id, principal.sub) is None:
            return Refused(Reason.WRONG_STATE, "decide first; then say what you saw")
        if shown.seeded:
            return True
        said = Demographics(candidate_id, principal.sub, sex, age, ethnicity, clock())
        if refused := work.record_demographics(said):
            return refused
        work.audit(_act(clock, principal, shown, "demographics_recorded", {}))
    return True


def _view(work: ReviewWork, principal: Principal, shown: Shown, now: datetime) -> CandidateView:
    own = work.own_review(shown.id, principal.sub)
    return CandidateView(
        now=now,
        candidate=shown,
        references=tuple(work.references(shown.id, principal.sub)),
        own=own,
        revealed=work.revealed(shown.id, principal.sub) if own else None,
    )


def _reviewable(
    work: ReviewWork, principal: Principal, candidate_id: str, now: datetime, follow: Follow
) -> Shown | Refused:
    """The candidate, if this person may review it: a trained reviewer (S19) whom the deployment names, and who neither
    requested, authorised nor listed (S17)."""
    if refused := principal.needs(Role.REVIEWER) or principal.needs_training(now):
        return refused
    shown = work.shown(candidate_id, principal.sub)
    if shown is None:
        return Refused(Reason.NOT_FOUND, "candidate")
    follow(shown.correlation_id)
    return _barred(work, principal, shown) or shown


def _barred(work: ReviewWork, principal: Principal, shown: Shown) -> Refused | None:
    if principal.sub in work.involved(shown.deployment_id):
        return Refused(Reason.SAME_PERSON, "who requested, authorised or listed does not review")
    if not work.reviews_for(shown.deployment_id, principal.sub):
        return Refused(Reason.NOT_A_MEMBER)
    if work.errs_too_often(principal.sub, shown.error_limit_percent):
        return Refused(Reason.ERRS_TOO_OFTEN)
    return None


def _tell(changes: Changes, due: list[datetime], now: datetime) -> None:
    """Open pages ask again. A page that was not told asks by itself later: what is recorded is no failure for that."""
    with suppress(TransientFault):
        if due:
            changes.again_at(due, now)
        changes.mark()


def _about_the_person(refused: Refused | None) -> bool:
    return refused is not None and refused.reason in (Reason.NOT_TRAINED, Reason.ERRS_TOO_OFTEN)


def _act(clock: Clock, principal: Principal, shown: Shown, what: str, details: dict[str, str]) -> Act:
    subject = "test" if shown.seeded else "candidate"
    return Act(
        chain=shown.deployment_id,
        at=clock(),
        actor=principal.sub,
        action=what if what == "picture_consulted" else f"{subject}_{what}",
        subject=shown.id,
        purpose="test of a reviewer" if shown.seeded else "review",
        details=dict(details),
    )
