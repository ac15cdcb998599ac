"""Routes on people and watchlists."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.govern import requests, views
from proviso import wiring
from proviso.domain.people import Principal
from proviso.domain.reasons import Refused
from proviso.edge.http import act, refusal, routes
from proviso.stages import people, watchlist

router = routes()


@router.post("/people")
def register(body: requests.PersonBody) -> Response[Any]:
    room = wiring.govern()
    return _act(lambda p: people.register(principal=p, person=body.person(), store=room.store, clock=room.clock))


@router.get("/people")
def list_people() -> Response[Any]:
    room = wiring.govern()
    return _act(lambda p: people.people(principal=p, store=room.store), lambda found: {"people": found})


@router.post("/watchlists")
def create(body: requests.WatchlistBody) -> Response[Any]:
    room = wiring.govern()
    policy = room.policy_of(body.policy)
    if isinstance(policy, Refused):
        return refusal(policy)
    return _act(
        lambda p: watchlist.create(
            principal=p, name=body.name, policy=policy, store=room.store, clock=room.clock, new_id=room.new_id
        ),
        status=201,
    )


@router.get("/watchlists")
def list_all() -> Response[Any]:
    room = wiring.govern()
    return _act(lambda p: watchlist.list_all(principal=p, store=room.store), lambda found: {"watchlists": found})


@router.get("/watchlists/<watchlist_id>")
def show(watchlist_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: watchlist.show(principal=p, watchlist_id=watchlist_id, store=room.store, clock=room.clock),
        lambda shown: {**views.watchlist(shown), "pipeline": room.pipeline},
    )


@router.post("/watchlists/<watchlist_id>/entries")
def add_entry(watchlist_id: str, body: requests.EntryBody) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: watchlist.add_entry(
            principal=p,
            watchlist_id=watchlist_id,
            request=body.request(),
            policy_of=room.policy_of,
            store=room.store,
            clock=room.clock,
            new_id=room.new_id,
        ),
        views.added,
        status=201,
    )


@router.post("/watchlists/<watchlist_id>/entries/<entry_id>/approve")
def approve_entry(watchlist_id: str, entry_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: watchlist.approve_entry(
            principal=p, watchlist_id=watchlist_id, entry_id=entry_id, store=room.store, clock=room.clock
        ),
        lambda entry: {"id": entry.id, "approved_by": entry.approved_by},
    )


@router.delete("/watchlists/<watchlist_id>/entries/<entry_id>")
def remove_entry(watchlist_id: str, entry_id: str) -> Response[Any]:
    room = wiring.govern()

    def remove(principal: Principal) -> bool | Refused:
        return watchlist.remove_entry(
            principal=principal, watchlist_id=watchlist_id, entry_id=entry_id, store=room.store, clock=room.clock
        )

    return _act(remove, lambda removed: {"removed": removed})


@router.post("/watchlists/<watchlist_id>/builds")
def build(watchlist_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
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


@router.delete("/watchlists/<watchlist_id>")
def delete(watchlist_id: str) -> Response[Any]:
    room = wiring.govern()
    return _act(
        lambda p: watchlist.delete(
            principal=p, watchlist_id=watchlist_id, store=room.store, due=room.due, clock=room.clock
        ),
        lambda _: {"state": "deleting"},
        status=202,
    )


def _act(stage: Any, view: Any = None, status: int = 200) -> Response[Any]:
    room = wiring.govern()
    answered = act(router.current_event, room.principal, stage, view, status)
    if router.current_event.http_method != "GET":
        room.anchor_soon()
    return answered
