"""Routes on people and watchlists."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import answers, requests, views
from functions.govern.acting import acting
from proviso import wiring
from proviso.domain.people import Principal
from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.http import refusal, routes
from proviso.stages import people, watchlist

router = routes()


@router.post("/people", responses=gives(answers.Person, Reason.SAME_PERSON))
def register(body: requests.PersonBody) -> Response[Any]:
    """Give somebody roles.

    An authoriser does this, and never for themselves.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: people.register(
            principal=p, person=body.person(), store=room.store, board=room.board, clock=room.clock
        ),
    )


@router.get("/people", responses=gives(answers.People))
def list_people() -> Response[Any]:
    """Show everybody with a role.

    For authorisers and auditors.
    """
    room = wiring.govern()
    return acting(
        router.current_event, lambda p: people.people(principal=p, store=room.store), lambda found: {"people": found}
    )


@router.post("/watchlists", responses=gives(answers.Watchlist, Reason.POLICY_FORBIDS, Reason.NOT_FOUND, status=201))
def create(body: requests.WatchlistBody) -> Response[Any]:
    """Make a new, empty list under a policy.

    A watchlist officer does this.
    """
    room = wiring.govern()
    policy = room.policy_of(body.policy)
    if isinstance(policy, Refused):
        return refusal(policy)
    return acting(
        router.current_event,
        lambda p: watchlist.create(
            principal=p,
            name=body.name,
            policy=policy,
            store=room.store,
            due=room.due,
            clock=room.clock,
            new_id=room.new_id,
        ),
        status=201,
    )


@router.get("/watchlists", responses=gives(answers.Watchlists))
def list_all() -> Response[Any]:
    """Show all lists, without their entries."""
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: watchlist.list_all(principal=p, store=room.store),
        lambda found: {"watchlists": found},
    )


@router.get("/watchlists/<watchlist_id>", responses=gives(answers.WatchlistWithEntries, Reason.NOT_FOUND))
def show(watchlist_id: str) -> Response[Any]:
    """Show a list with its entries.

    For watchlist officers and auditors. The look is recorded.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: watchlist.show(principal=p, watchlist_id=watchlist_id, store=room.store, clock=room.clock),
        lambda shown: {**views.watchlist(shown), "pipeline": room.pipeline},
    )


@router.post(
    "/watchlists/<watchlist_id>/entries",
    responses=gives(answers.AddedEntry, Reason.NOT_FOUND, Reason.POLICY_FORBIDS, Reason.TAKEN, status=201),
)
def add_entry(watchlist_id: str, body: requests.EntryBody) -> Response[Any]:
    """List a person: category, reason, source, lawful holding and the date of the picture.

    A watchlist officer does this. Somebody under 18 is in no build before a second person has approved it.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: watchlist.add_entry(
            principal=p,
            watchlist_id=watchlist_id,
            request=body.request(),
            policy_of=room.policy_of,
            store=room.store,
            subjects=room.subjects,
            clock=room.clock,
            new_id=room.new_id,
        ),
        views.added,
        status=201,
    )


@router.post(
    "/watchlists/<watchlist_id>/entries/<entry_id>/approve",
    responses=gives(answers.ApprovedEntry, Reason.NOT_FOUND, Reason.WRONG_STATE, Reason.SAME_PERSON),
)
def approve_entry(watchlist_id: str, entry_id: str) -> Response[Any]:
    """Approve an entry under 18, as a second person.

    A watchlist officer or an authoriser, and not who added it.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: watchlist.approve_entry(
            principal=p,
            watchlist_id=watchlist_id,
            entry_id=entry_id,
            store=room.store,
            subjects=room.subjects,
            clock=room.clock,
        ),
        lambda entry: {"id": entry.id, "approved_by": entry.approved_by},
    )


@router.delete("/watchlists/<watchlist_id>/entries/<entry_id>", responses=gives(answers.Removed, Reason.NOT_FOUND))
def remove_entry(watchlist_id: str, entry_id: str) -> Response[Any]:
    """Take a person off the list, at once and for every search from now on."""
    room = wiring.govern()

    def remove(principal: Principal) -> bool | Refused:
        return watchlist.remove_entry(
            principal=principal,
            watchlist_id=watchlist_id,
            entry_id=entry_id,
            store=room.store,
            subjects=room.subjects,
            anchors=room.anchors,
            clock=room.clock,
        )

    return acting(router.current_event, remove, lambda removed: {"removed": removed})


@router.post(
    "/watchlists/<watchlist_id>/builds",
    responses=gives(answers.Build, Reason.NOT_FOUND, Reason.BUILD_EMPTY, Reason.REFERENCES_DIFFER, status=201),
)
def build(watchlist_id: str) -> Response[Any]:
    """Make an immutable snapshot of the list, which a deployment is bound to.

    A watchlist officer does this.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: watchlist.build(
            principal=p,
            watchlist_id=watchlist_id,
            pipeline=room.pipeline,
            store=room.store,
            clock=room.clock,
            new_id=room.new_id,
        ),
        status=201,
    )


@router.delete(
    "/watchlists/<watchlist_id>", responses=gives(answers.Accepted, Reason.NOT_FOUND, Reason.WRONG_STATE, status=202)
)
def delete(watchlist_id: str) -> Response[Any]:
    """Have a list erased that no deployment needs.

    A watchlist officer or an authoriser. Done again, it changes nothing.
    """
    room = wiring.govern()
    return acting(
        router.current_event,
        lambda p: watchlist.delete(
            principal=p, watchlist_id=watchlist_id, store=room.store, due=room.due, clock=room.clock
        ),
        lambda _: {"state": "deleting"},
        status=202,
    )
