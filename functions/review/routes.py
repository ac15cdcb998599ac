"""Routes of the review: what waits, one candidate, its pictures, a decision."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from functions.review import answers
from proviso import wiring
from proviso.domain.candidate import Candidate, Decision, short_reference
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import act, plain, routes
from proviso.stages import review

router = routes()
REVIEWING = (Reason.NOT_FOUND, Reason.NOT_TRAINED, Reason.NOT_A_MEMBER, Reason.SAME_PERSON)
"""Why somebody with the role may still not review this candidate (S17, S19)."""
LOOK = "The candidate: less of it before one's own decision than after"


class CandidateDecisionBody(BaseModel):
    """A reviewer's decision and why."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    decision: Decision
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.get("/candidates", responses=gives(answers.Pending, Reason.NOT_TRAINED))
def pending() -> Response[Any]:
    """Show the candidates that wait for this reviewer, newest first."""
    room = wiring.review()
    return _act(
        lambda p: review.pending(principal=p, store=room.store, clock=room.clock),
        lambda found: {"candidates": [_brief(candidate) for candidate in found]},
    )


@router.get("/candidates/<candidate_id>", responses=gives(answers.Undecided | answers.Decided, *REVIEWING, what=LOOK))
def look(candidate_id: str) -> Response[Any]:
    """Look at one candidate.

    The look is recorded. Similarity and category are shown after one's own decision.
    """
    room = wiring.review()
    return _act(
        lambda p: review.look(principal=p, candidate_id=candidate_id, store=room.store, clock=room.clock), _view
    )


@router.get("/candidates/<candidate_id>/evidence", responses=gives("image/jpeg", *REVIEWING))
def evidence(candidate_id: str) -> Response[Any]:
    """Look at the evidence picture.

    The look is recorded before the picture is given.
    """
    return _picture(candidate_id, None)


@router.get("/candidates/<candidate_id>/references/<reference_id>", responses=gives("image/jpeg", *REVIEWING))
def reference(candidate_id: str, reference_id: str) -> Response[Any]:
    """Look at one enrolment picture of the entry.

    The look is recorded before the picture is given.
    """
    return _picture(candidate_id, reference_id)


@router.post(
    "/candidates/<candidate_id>/decision",
    responses=gives(answers.Decided, *REVIEWING, Reason.WRONG_STATE, Reason.NOT_ACTIVE, Reason.TOO_LATE),
)
def decide(candidate_id: str, body: CandidateDecisionBody) -> Response[Any]:
    """Decide: confirm, reject, or cannot tell.

    Recipients are told after a confirmation, and never without one. Each reviewer decides once.
    """
    room = wiring.review()
    return _act(
        lambda p: review.decide(
            principal=p,
            candidate_id=candidate_id,
            decision=body.decision,
            reason=body.reason,
            store=room.store,
            outbox=room.outbox,
            clock=room.clock,
            new_id=room.new_id,
        ),
        _view,
    )


def _picture(candidate_id: str, reference_id: str | None) -> Response[Any]:
    room = wiring.review()
    return _act(
        lambda p: review.picture(
            principal=p,
            candidate_id=candidate_id,
            reference_id=reference_id,
            store=room.store,
            evidence=room.evidence,
            enrolment=room.enrolment,
            clock=room.clock,
        )
    )


def _brief(candidate: Candidate) -> dict[str, Any]:
    """Before a reviewer's own decision: no similarity, no category, nothing that leans on them."""
    names = ("id", "deployment_id", "camera", "place", "captured_at", "decide_by", "state")
    return {"reference": short_reference(candidate.id), **{name: plain(getattr(candidate, name)) for name in names}}


def _view(view: review.CandidateView) -> dict[str, Any]:
    base = f"/candidates/{view.candidate.id}"
    shown = {
        **_brief(view.candidate),
        "evidence": f"{base}/evidence",
        "references": [f"{base}/references/{reference}" for reference in view.references],
        "own_decision": view.own.decision.value if view.own else None,
    }
    if view.own is None:
        return shown
    return {
        **shown,
        "similarity": round(view.similarity, 3) if view.similarity is not None else None,
        "threshold": plain(view.candidate.threshold),
        "calibrated": view.candidate.calibrated,
        "policy": view.candidate.policy,
        "category": view.category,
    }


def _act(stage: Any, view: Any = None) -> Response[Any]:
    return act(router.current_event, wiring.review().principal, stage, view)
