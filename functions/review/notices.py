"""Routes of recipients: what was confirmed, its pictures while they are of use, what came of it, and the slip."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from functions.review import notice_answers as answers
from functions.review.routes import pictures
from proviso import wiring
from proviso.domain.candidate import short_reference
from proviso.domain.outcome import Action, Result
from proviso.domain.reasons import Reason
from proviso.domain.recipient_ports import Noticed
from proviso.edge.answers import gives
from proviso.edge.http import act, plain, routes
from proviso.edge.telemetry import follow
from proviso.stages import recipient

router = routes()
RECEIVING = (Reason.NOT_FOUND, Reason.NOT_A_MEMBER, Reason.TOO_LATE)
"""Why somebody with the role may still not have this notice, or no longer."""


class OutcomeBody(BaseModel):
    """What came of it. An action needs that somebody was engaged."""

    model_config = ConfigDict(extra="forbid")
    result: Result = Field(description="anything but `not_recorded`, which nobody says")
    action: Action = Action.NONE


class HoldRequestBody(BaseModel):
    """What the person asked for, in a few words."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.get("/notices", responses=gives(answers.Notices))
def listing() -> Response[Any]:
    """Show what this recipient was told of in the last 24 hours, newest first.

    Only for deployments that name them, and of these only what their contact takes.
    """
    room = wiring.review()
    return _act(
        lambda p: recipient.notices(principal=p, store=room.recipients, clock=room.clock),
        lambda found: {"now": plain(found.now), "notices": [_brief(one) for one in found.notices]},
    )


@router.get("/notices/<notice_id>", responses=gives(answers.ShownNotice, *RECEIVING))
def look(notice_id: str) -> Response[Any]:
    """Look at one notice.

    The look is recorded.
    """
    room = wiring.review()
    return _act(
        lambda p: recipient.look(
            principal=p, candidate_id=notice_id, store=room.recipients, clock=room.clock, follow=follow
        ),
        _view,
    )


@router.get("/notices/<notice_id>/evidence", responses=gives("image/jpeg", *RECEIVING, Reason.WRONG_STATE))
def evidence(notice_id: str) -> Response[Any]:
    """Look at the evidence picture, while the notice is of use.

    The look is recorded before the picture is given. Of what is withdrawn none is given.
    """
    return _picture(notice_id, None)


@router.get(
    "/notices/<notice_id>/references/<reference_id>", responses=gives("image/jpeg", *RECEIVING, Reason.WRONG_STATE)
)
def reference(notice_id: str, reference_id: str) -> Response[Any]:
    """Look at one enrolment picture of the entry, while the notice is of use.

    The look is recorded before the picture is given. Of what is withdrawn none is given.
    """
    return _picture(notice_id, reference_id)


@router.post("/notices/<notice_id>/outcome", responses=gives(answers.ShownNotice, *RECEIVING))
def outcome(notice_id: str, body: OutcomeBody) -> Response[Any]:
    """Say what came of it.

    It may be said again: all are kept, the last one stands. Where somebody was engaged, the picture is held: 30 days.
    """
    room = wiring.review()
    return _act(
        lambda p: recipient.record(
            principal=p,
            candidate_id=notice_id,
            result=body.result,
            action=body.action,
            store=room.recipients,
            changes=room.changes,
            clock=room.clock,
            new_id=room.new_id,
            follow=follow,
        ),
        _view,
    )


@router.get("/notices/<notice_id>/slip", responses=gives(answers.Slip, *RECEIVING))
def slip(notice_id: str) -> Response[Any]:
    """Show the slip for the person who was spoken to.

    What it was, who answers for it, where to complain, and until when the picture is kept. The look is recorded.
    """
    room = wiring.review()
    return _act(
        lambda p: recipient.slip(
            principal=p, candidate_id=notice_id, store=room.recipients, clock=room.clock, follow=follow
        ),
        lambda found: _slip(found, room.complaints),
    )


@router.post("/notices/<notice_id>/hold", responses=gives(answers.Held, *RECEIVING, Reason.WRONG_STATE))
def hold(notice_id: str, body: HoldRequestBody) -> Response[Any]:
    """Record that the person asked for the picture to be kept.

    It is held for 30 days. Asked again, it is the same hold.
    """
    room = wiring.review()
    return _act(
        lambda p: recipient.hold(
            principal=p,
            candidate_id=notice_id,
            reason=body.reason,
            store=room.recipients,
            clock=room.clock,
            new_id=room.new_id,
            follow=follow,
        ),
        lambda until: {"held_until": until},
    )


def _picture(notice_id: str, reference_id: str | None) -> Response[Any]:
    room = wiring.review()
    return _act(
        lambda p: recipient.picture(
            principal=p,
            candidate_id=notice_id,
            reference_id=reference_id,
            store=room.recipients,
            evidence=room.evidence,
            enrolment=room.enrolment,
            clock=room.clock,
            follow=follow,
        )
    )


def _brief(notice: Noticed) -> dict[str, Any]:
    names = (
        "id",
        "deployment_id",
        "place",
        "camera",
        "captured_at",
        "confirmed_at",
        "useful_until",
        "state",
        "message_prefix",
    )
    said = notice.outcome
    return {
        "reference": short_reference(notice.id),
        **{name: plain(getattr(notice, name)) for name in names},
        "outcome": None if said is None else plain({n: getattr(said, n) for n in ("result", "action", "recorded_at")}),
    }


def _view(view: recipient.NoticeView) -> dict[str, Any]:
    return {
        **_brief(view.notice),
        "now": plain(view.now),
        **pictures(f"/notices/{view.notice.id}", view.notice.face, view.references),
        "calibrated": view.notice.calibrated,
    }


def _slip(slip: recipient.Slip, complaints: str) -> dict[str, Any]:
    notice, more = slip.notice, slip.particulars
    return {
        "reference": short_reference(notice.id),
        "place": notice.place,
        "captured_at": plain(notice.captured_at),
        "controller": more.controller,
        "complaints": complaints,
        "use": more.use,
        "legal_basis": more.legal_basis,
        "policy": more.policy,
        "deployment_id": notice.deployment_id,
        "evidence_until": plain(more.evidence_until(notice)),
        "held_until": plain(slip.held_until),
    }


def _act(stage: Any, view: Any = None) -> Response[Any]:
    return act(router.current_event, wiring.review().principal, stage, view)
