"""Routes about listed people: what the audit holds of one, and "was I on it?" (S30, S31). None takes a picture."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import requests
from functions.govern.acting import acting
from functions.govern.subject_answers import SubjectAccess, SubjectAudit
from proviso import wiring
from proviso.domain.people import Principal
from proviso.domain.reasons import Reason, Refused
from proviso.domain.subjects import Answer, Listing, ListUse, Raised
from proviso.edge.answers import gives
from proviso.edge.http import plain, routes
from proviso.stages import subject_access
from proviso.stages.subjects import SubjectRecord, SubjectRecords, audit_of

router = routes()


@router.get("/subjects/<watchlist_id>/<entry_id>/audit", responses=gives(SubjectAudit, Reason.NOT_FOUND))
def audit(watchlist_id: str, entry_id: str, purpose: requests.Purpose) -> Response[Any]:
    """Show what the audit holds of one listed person.

    For auditors and the data protection officer. The look is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: audit_of(
            principal=p,
            watchlist_id=watchlist_id,
            entry_id=entry_id,
            purpose=purpose,
            store=room.store,
            subjects=room.subjects,
            clock=room.clock,
        ),
        _records,
    )


@router.post("/subject-access", responses=gives(SubjectAccess))
def access(body: requests.SubjectAccessBody) -> Response[Any]:
    """Answer somebody who asks "was I on it?": what is kept of them.

    For the data protection officer, by reference number, or by place, time and slip. No picture is taken.
    """
    room = wiring.govern()

    def ask(principal: Principal) -> Answer | Refused:
        given: dict[str, Any] = {"principal": principal, "purpose": body.purpose, "store": room.store}
        if body.place and body.time and body.slip:
            return subject_access.by_slip(place=body.place, when=body.time, slip=body.slip, clock=room.clock, **given)
        return subject_access.by_reference(
            reference_no=body.reference_no or "", subjects=room.subjects, clock=room.clock, **given
        )

    return acting(router.current_event, ask, _answer)


def _records(found: SubjectRecords) -> dict[str, Any]:
    return {"linked": found.linked, "records": [_record(one) for one in found.records]}


def _record(one: SubjectRecord) -> dict[str, Any]:
    body = {name: one.body[name] for name in ("at", "actor", "action", "purpose", "subject", "details")}
    return {"sequence": one.record.sequence, **body, "opened": one.opened}


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "kept": answer.kept,
        "listings": [_listing(one) for one in answer.listings],
        "candidates": [{**_raised(raised), "deployment": _use(use)} for raised, use in answer.candidates],
    }


def _listing(one: Listing) -> dict[str, Any]:
    names = ("watchlist_id", "category", "added_at", "removed_at", "erased_at")
    listed: dict[str, Any] = {name: plain(getattr(one.listed, name)) for name in names}
    return {**listed, "deployments": [_use(use) for use in one.uses], "candidates": [_raised(r) for r in one.raised]}


def _use(use: ListUse) -> dict[str, Any]:
    shown: dict[str, Any] = plain(use)
    return shown


def _raised(raised: Raised) -> dict[str, Any]:
    """Without the candidate's id and entry: who asks by a slip may be somebody else than who was listed."""
    names = ("deployment_id", "place", "captured_at", "raised_at", "state", "decided_at", "evidence")
    return {"slip": raised.slip, **{name: plain(getattr(raised, name)) for name in names}}
