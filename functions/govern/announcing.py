"""The notice sheet and the sign of a deployment, to be published and put up before it starts (S33)."""

from enum import StrEnum
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from proviso import wiring
from proviso.domain.people import Principal
from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.http import refusal, routes, subject
from proviso.publication.markup import headers, style
from proviso.publication.notice_sheet import SHEET, Contacts, notice_sheet, signage, style_of
from proviso.stages import announcing
from proviso.wiring import announcing as desks

router = routes()


class Form(StrEnum):
    """What is printed: the notice on A4, or the sign on A3 or A4."""

    SHEET = "sheet"
    SIGN_A3 = "sign-a3"
    SIGN_A4 = "sign-a4"


Wanted = Annotated[Form, Query(description="the notice sheet (A4), or the sign at the place")]
_PAPER = {Form.SHEET: ("A4", "14mm"), Form.SIGN_A3: ("A3", "10mm"), Form.SIGN_A4: ("A4", "10mm")}


@router.get(
    "/deployments/<deployment_id>/notice",
    responses=gives("text/html", Reason.NOT_FOUND, what="The page, to be printed"),
)
def notice(deployment_id: str, form: Wanted = Form.SHEET) -> Response[Any]:
    """Show the notice sheet or the sign of a deployment, to be printed.

    It is made of what is authorised, and says what the machine will hold to.
    """
    room = wiring.govern()
    sub = subject(router.current_event)
    principal = room.principal(sub) if sub else Refused(Reason.NOT_SIGNED_IN)
    if not isinstance(principal, Principal):
        return refusal(principal)
    found = announcing.announced(principal=principal, deployment_id=deployment_id, store=room.store)
    if isinstance(found, Refused):
        return refusal(found)
    desk = desks.desk()
    contacts = Contacts(desk.complaints, desk.data_protection, f"{_here()}/records/{found.id}/latest.html")
    size, margin = _PAPER[form]
    sheet = form is Form.SHEET
    made = notice_sheet(found, contacts, desk.zone) if sheet else signage(found, contacts, desk.zone, size)
    kept = headers("text/html", "no-store", style_of(size, margin), style(SHEET))
    return Response(200, "text/html; charset=utf-8", made, headers=kept)


def _here() -> str:
    """The address by which this was asked for."""
    event = router.current_event
    host = str(event.request_context.domain_name)
    local = host.split(":")[0] in ("localhost", "127.0.0.1", "local")
    return f"{'http' if local else 'https'}://{host}"
