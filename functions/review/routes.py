"""Routes of the review: what waits, one candidate, its pictures, a decision and what may follow it."""

from collections.abc import Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from functions.review import answers
from proviso import wiring
from proviso.domain.candidate import Age, Decision, Ethnicity, Sex, short_reference
from proviso.domain.frame import Region
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import Shown, ShownReference
from proviso.edge.answers import gives
from proviso.edge.http import act, answer, plain, refusal, routes, subject
from proviso.edge.metrics import Metric
from proviso.edge.telemetry import count, follow
from proviso.stages import review

router = routes()
REVIEWING = (Reason.NOT_FOUND, Reason.NOT_TRAINED, Reason.NOT_A_MEMBER, Reason.SAME_PERSON, Reason.ERRS_TOO_OFTEN)
"""Why somebody with the role may still not review this candidate (S17, S19)."""
DECIDED = {
    Decision.CONFIRM: Metric.DECISION_CONFIRM,
    Decision.REJECT: Metric.DECISION_REJECT,
    Decision.CANNOT_TELL: Metric.DECISION_CANNOT_TELL,
}
LOOK = "The candidate: less of it before one's own decision than after"


class CandidateDecisionBody(BaseModel):
    """A reviewer's decision and why."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    decision: Decision
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class WithdrawalBody(BaseModel):
    """Why a confirmation is taken back."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class DemographicsBody(BaseModel):
    """Which groups the reviewer saw. Each may be left unsaid."""

    model_config = ConfigDict(extra="forbid")
    sex: Sex = Sex.NOT_STATED
    age: Age = Age.NOT_STATED
    ethnicity: Ethnicity = Ethnicity.NOT_STATED


@router.get("/changes", responses=gives(answers.Token, roles=False))
def changes() -> Response[Any]:
    """Give a token that changes when there is something new.

    It asks no database, so that an open page keeps none awake; and it says nothing else.
    """
    if subject(router.current_event) is None:
        return refusal(Refused(Reason.NOT_SIGNED_IN))
    room = wiring.review()
    return answer(200, {"token": room.changes.token(room.clock())})


@router.get("/candidates", responses=gives(answers.Pending, Reason.NOT_TRAINED, Reason.ERRS_TOO_OFTEN))
def pending() -> Response[Any]:
    """Show the candidates that wait for this reviewer, newest first."""
    room = wiring.review()
    return _act(
        lambda p: review.pending(principal=p, store=room.store, clock=room.clock),
        lambda found: {
            "now": plain(found.now),
            "cap": {"per_hour": found.per_hour, "decided": found.decided},
            "candidates": [_brief(shown) for shown in found.candidates],
            "decided": [{**_brief(shown), "own_decision": decision.value} for shown, decision in found.own],
            "confirmed": [_brief(shown) for shown in found.confirmed],
            "suspended": plain(found.suspended),
        },
    )


@router.get("/candidates/<candidate_id>", responses=gives(answers.Undecided | answers.Decided, *REVIEWING, what=LOOK))
def look(candidate_id: str) -> Response[Any]:
    """Look at one candidate.

    The look is recorded. Similarity and category are shown after one's own decision.
    """
    room = wiring.review()
    return _act(
        lambda p: review.look(
            principal=p, candidate_id=candidate_id, store=room.store, clock=room.clock, follow=follow
        ),
        _view,
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
    responses=gives(
        answers.Decided, *REVIEWING, Reason.WRONG_STATE, Reason.NOT_ACTIVE, Reason.TOO_LATE, Reason.REVIEWER_CAP
    ),
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
            changes=room.changes,
            clock=room.clock,
            new_id=room.new_id,
            chance=room.chance,
            follow=follow,
        ),
        _counted,
    )


@router.post(
    "/candidates/<candidate_id>/withdrawal",
    responses=gives(answers.Undecided | answers.Decided, *REVIEWING, Reason.WRONG_STATE, what=LOOK),
)
def withdraw(candidate_id: str, body: WithdrawalBody) -> Response[Any]:
    """Take a confirmation back.

    Any reviewer of the deployment may, at any time, also after a stop. The recipients are told not to act on it.
    """
    room = wiring.review()
    return _act(
        lambda p: review.withdraw(
            principal=p,
            candidate_id=candidate_id,
            reason=body.reason,
            store=room.store,
            outbox=room.outbox,
            changes=room.changes,
            clock=room.clock,
            follow=follow,
        ),
        _view,
    )


@router.post(
    "/candidates/<candidate_id>/demographics",
    responses=gives(answers.Nothing, *REVIEWING, Reason.WRONG_STATE, status=201),
)
def demographics(candidate_id: str, body: DemographicsBody) -> Response[Any]:
    """Say which groups one saw, after one's own decision.

    It is optional and said by a person; no function works it out.
    """
    room = wiring.review()
    return _act(
        lambda p: review.record_demographics(
            principal=p,
            candidate_id=candidate_id,
            sex=body.sex,
            age=body.age,
            ethnicity=body.ethnicity,
            store=room.store,
            clock=room.clock,
            follow=follow,
        ),
        lambda _: {},
        status=201,
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
            follow=follow,
        )
    )


def _brief(shown: Shown) -> dict[str, Any]:
    """Before a reviewer's own decision: no similarity, no category, nothing that leans on them."""
    names = (
        "id",
        "deployment_id",
        "camera",
        "place",
        "captured_at",
        "raised_at",
        "decide_by",
        "state",
        "message_prefix",
    )
    return {"reference": short_reference(shown.id), **{name: plain(getattr(shown, name)) for name in names}}


def pictures(base: str, face: Region | None, references: Sequence[ShownReference]) -> dict[str, Any]:
    """Where the pictures of a candidate or notice are, below its own path, and the faces in them."""
    return {
        "evidence": f"{base}/evidence",
        "face": box(face),
        "references": [{"path": f"{base}/references/{one.id}", "face": box(one.face)} for one in references],
    }


def box(face: Region | None) -> dict[str, int] | None:
    """Where a face is, as the API gives it."""
    return dict(zip(("x", "y", "width", "height"), face, strict=True)) if face else None


def _counted(view: review.CandidateView) -> dict[str, Any]:
    """S26: what the alarm on false candidates goes by. An answer to a test is none of them."""
    if view.own is not None and not view.candidate.seeded:
        count(DECIDED[view.own.decision])
    return _view(view)


def _view(view: review.CandidateView) -> dict[str, Any]:
    shown = {
        **_brief(view.candidate),
        "now": plain(view.now),
        **pictures(f"/candidates/{view.candidate.id}", view.candidate.face, view.references),
        "reviewers_required": view.candidate.reviewers_required,
        "own_decision": view.own.decision.value if view.own else None,
    }
    if view.own is None or view.revealed is None:
        return shown
    after = view.revealed
    return {
        **shown,
        "own_reason": view.own.reason,
        "similarity": round(after.similarity, 3),
        "stranger_once_in": plain(after.stranger_once_in) if after.stranger_once_in else None,
        "threshold": plain(after.threshold),
        "calibrated": after.calibrated,
        "policy": after.policy,
        "category": after.category,
        "listing_reason": after.listing_reason,
        "others": [
            {"decision": other.decision.value, "reason": other.reason, "decided_at": plain(other.decided_at)}
            for other in after.others
        ],
        "demographics_recorded": after.demographics_recorded,
        "test": None if after.test_mated is None else _test(after.test_mated, view.own.decision),
    }


def _test(mated: bool, decision: Decision) -> dict[str, bool | None]:
    right = None if decision is Decision.CANNOT_TELL else mated == (decision is Decision.CONFIRM)
    return {"mated": mated, "right": right}


def _act(stage: Any, view: Any = None, status: int = 200) -> Response[Any]:
    return act(router.current_event, wiring.review().principal, stage, view, status)
