"""review: a person looks and decides (S16). Nothing goes to recipients before that, and only `confirm` sends anything.

The order is part of the safeguard: pictures first, then the reviewer's own decision, and only then the similarity, the
category and what others decided. Each look at a picture is an act, and is recorded before the picture is given (S29).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from proviso.domain.audit import Act
from proviso.domain.candidate import Candidate, ConfirmingReview, Decision, Review
from proviso.domain.frame import Jpeg
from proviso.domain.notice import confirmed_notice
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, Outbox, PictureStore, ReviewStore, ReviewWork
from proviso.domain.reasons import Reason, Refused


@dataclass(frozen=True, slots=True)
class CandidateView:
    """What a reviewer may see now. `own` is None before their decision, and then so are the last two."""

    candidate: Candidate
    references: tuple[str, ...]
    own: Review | None
    category: str | None
    similarity: float | None


def pending(*, principal: Principal, store: ReviewStore, clock: Clock) -> list[Candidate] | Refused:
    """Candidates that wait for a decision and that this reviewer may decide, newest first."""
    if refused := principal.needs(Role.REVIEWER) or principal.needs_training(clock()):
        return refused
    with store.work() as work:
        waiting = work.pending(clock(), principal.sub)
        return [c for c in waiting if principal.sub not in work.involved(c.deployment_id)]


def look(*, principal: Principal, candidate_id: str, store: ReviewStore, clock: Clock) -> CandidateView | Refused:
    """One candidate."""
    with store.work() as work:
        candidate = _reviewable(work, principal, candidate_id, clock())
        if isinstance(candidate, Refused):
            return candidate
        own = work.own_review(candidate_id, principal.sub)
        work.audit(_act(clock, principal, candidate, "candidate_consulted", {}))
        return CandidateView(
            candidate=candidate,
            references=tuple(reference for reference, _ in work.reference_keys(candidate_id)),
            own=own,
            category=work.category(candidate_id) if own else None,
            similarity=candidate.similarity if own else None,
        )


def picture(
    *,
    principal: Principal,
    candidate_id: str,
    reference_id: str | None,
    store: ReviewStore,
    evidence: PictureStore,
    enrolment: PictureStore,
    clock: Clock,
) -> Jpeg | Refused:
    """The evidence picture (reference_id None) or one reference's enrolment picture. The look is committed first."""
    with store.work() as work:
        candidate = _reviewable(work, principal, candidate_id, clock())
        if isinstance(candidate, Refused):
            return candidate
        if reference_id is None:
            source, key, shown = evidence, candidate.evidence_key, "evidence"
        else:
            keys = dict(work.reference_keys(candidate_id))
            if reference_id not in keys:
                return Refused(Reason.NOT_FOUND, "reference of this candidate")
            # Recorded by its place among the candidate's references: its id would name a listed person (S30).
            source, key, shown = enrolment, keys[reference_id], f"reference {list(keys).index(reference_id) + 1}"
        work.audit(_act(clock, principal, candidate, "picture_consulted", {"picture": shown}))
    if not key:
        return Refused(Reason.NOT_FOUND, "picture: it is deleted")
    return source.get(key) or Refused(Reason.NOT_FOUND, "picture")


def decide(
    *,
    principal: Principal,
    candidate_id: str,
    decision: Decision,
    reason: str,
    store: ReviewStore,
    outbox: Outbox,
    clock: Clock,
    new_id: Callable[[], str],
) -> CandidateView | Refused:
    """Record a decision, and after a confirmation put the recipients' notice. A lost notice is put again by retain."""
    if not reason.strip():
        return Refused(Reason.INVALID, "a decision needs a reason")
    now = clock()
    review = Review(new_id(), candidate_id, principal.sub, decision, reason.strip(), now)
    with store.work() as work:
        candidate = _reviewable(work, principal, candidate_id, clock())
        if isinstance(candidate, Refused):
            return candidate
        decided = work.decide(review, now)
        if isinstance(decided, Refused):
            return decided
        work.audit(_act(clock, principal, candidate, f"candidate_{decision.value}", {"review": review.id}))
        after = work.candidate(candidate_id) or candidate
        view = CandidateView(
            candidate=after,
            references=tuple(reference for reference, _ in work.reference_keys(candidate_id)),
            own=review,
            category=work.category(candidate_id),
            similarity=after.similarity,
        )
    if isinstance(decided, ConfirmingReview):
        outbox.put(confirmed_notice(decided))
    return view


def _reviewable(work: ReviewWork, principal: Principal, candidate_id: str, now: datetime) -> Candidate | Refused:
    """The candidate, if this person may review it: a trained reviewer (S19) whom the deployment names, and who neither
    requested, authorised nor listed (S17)."""
    if refused := principal.needs(Role.REVIEWER) or principal.needs_training(now):
        return refused
    candidate = work.candidate(candidate_id)
    if candidate is None:
        return Refused(Reason.NOT_FOUND, "candidate")
    if principal.sub in work.involved(candidate.deployment_id):
        return Refused(Reason.SAME_PERSON, "who requested, authorised or listed does not review")
    if not work.reviews_for(candidate.deployment_id, principal.sub):
        return Refused(Reason.NOT_A_MEMBER)
    return candidate


def _act(clock: Clock, principal: Principal, candidate: Candidate, action: str, details: dict[str, str]) -> Act:
    return Act(
        chain=candidate.deployment_id,
        at=clock(),
        actor=principal.sub,
        action=action,
        subject=candidate.id,
        purpose="review",
        details=dict(details),
    )
