"""Routes on contacts: where reviewers and recipients are told."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import contact_answers as answers
from functions.govern import requests
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.contacts import Channel, Contact, Reach, Standing
from proviso.domain.reasons import Reason
from proviso.edge.answers import gives
from proviso.edge.http import plain, routes
from proviso.stages import contacts

router = routes()


def shown(one: contacts.ShownContact) -> dict[str, Any]:
    """A contact with its addresses, for whoever may register it: nowhere else are they shown."""
    contact = one.kept.contact
    return {
        "sub": contact.sub,
        "email": contact.email.value if contact.email else None,
        "phone": contact.phone.value if contact.phone else None,
        "language": contact.language,
        "places": list(contact.places),
        "categories": list(contact.categories),
        "roles": sorted(contact.roles),
        "set_by": one.kept.set_by,
        "set_at": plain(contact.set_at),
        "reach": _reach(contact, one.reach),
    }


def _reach(contact: Contact, reach: Reach | None) -> dict[str, Any] | None:
    if reach is None or reach.checked_at < contact.set_at:
        return None
    return {"checked_at": plain(reach.checked_at), **{c.field: _state(reach.channel(c)) for c in Channel}}


def _state(standing: Standing) -> dict[str, Any]:
    return {"state": standing.state.value, "since": plain(standing.since)}


@router.put("/contacts/<sub>", responses=gives(answers.Contact, Reason.NOT_FOUND))
def set_contact(sub: str, body: requests.ContactBody) -> Response[Any]:
    """Say where a reviewer or recipient is told, in which language, and of what; in place of what was there.

    A requester or an authoriser does this. An e-mail address must confirm; a new subscription settles for 15 minutes.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: contacts.set_contact(
            principal=p,
            wanted=body.contact(sub, room.clock()),
            categories=room.categories(),
            store=room.store,
            board=room.board,
            clock=room.clock,
        ),
        shown,
    )


@router.get("/contacts", responses=gives(answers.Contacts))
def list_all(purpose: requests.Purpose) -> Response[Any]:
    """Show all contacts, and whether they can be reached as far as SNS tells.

    For requesters and authorisers. The look is recorded. `confirmed` says that SNS sends there: not that anything
    arrived or was read.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: contacts.contacts(principal=p, purpose=purpose, store=room.store, board=room.board, clock=room.clock),
        lambda found: {"contacts": [shown(one) for one in found]},
    )


@router.delete("/contacts/<sub>", responses=gives(answers.RemovedContact, Reason.NOT_FOUND))
def remove_contact(sub: str) -> Response[Any]:
    """Take somebody's addresses away: nothing is sent there any more."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: contacts.remove_contact(principal=p, sub=sub, store=room.store, board=room.board, clock=room.clock),
        lambda removed: {"removed": removed},
    )
