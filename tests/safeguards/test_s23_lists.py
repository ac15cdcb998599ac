"""S23: a list goes with the last deployment that needs it, even with one that was never started; and not before.

The rows are erased under locks; the pictures lie in a bucket, where there are none. The ways round are a request, and
another closing, that are committed after a look and before the erasure; and a deployment that everybody forgot, for
which nobody would wake retain.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.retention import CLOSE_AFTER
from proviso.stages import sweep
from proviso.store.connection import Connector
from proviso.store.retention import PostgresRetainStore, PostgresRetainWork
from tests.fakes.cloud import FakeWaker
from tests.safeguards.house import House

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


class Meanwhile(PostgresRetainStore):
    """retain's store, in which something else happens once, just before the erasure takes its locks."""

    def __init__(self, connector: Connector, happens: Callable[[], Any]) -> None:
        super().__init__(connector)
        self._happens: list[Callable[[], Any]] = [happens]

    @contextmanager
    def _in_transaction(self) -> Iterator[PostgresRetainWork]:
        with super()._in_transaction() as work:
            erase = work.erase

            def late(deployment_id: str) -> str | None:
                while self._happens:
                    self._happens.pop()()
                return erase(deployment_id)

            work.erase = late  # type: ignore[method-assign]
            yield work


def closing(house: House, deployment_id: str, happens: Callable[[], Any]) -> None:
    house.due.put(deployment_id, house.now())
    undisturbed = house.retains
    house.retains = Meanwhile(house.connector("retain"), happens)
    house.retain()
    house.retains = undisturbed


def templates(house: House) -> int:
    return int(house.one("SELECT count(*) FROM reference_template"))


def test_a_list_that_is_asked_for_while_it_is_being_closed_keeps_its_pictures(house: House):
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    house.stop(active.id)
    asked: list[Deployment] = []
    build_id = active.build_id
    closing(house, active.id, lambda: asked.append(house.requested(list_id, build_id=build_id)))
    assert house.deployment(active.id).state is DeploymentState.CLOSED
    assert (templates(house), len(house.enrolment.objects)) == (1, 1)
    house.authorise(asked[0].id)
    house.start(asked[0].id)
    assert house.see(3).counts.candidates == 1


def test_of_two_that_close_together_one_takes_the_pictures_along(house: House):
    list_id, _ = house.listed(3)
    first = house.running(list_id)
    house.stop(first.id)
    second = house.running(list_id)
    house.stop(second.id)
    other = House(house.database)
    other.due, other.enrolment, other.evidence, other.outbox = house.due, house.enrolment, house.evidence, house.outbox

    def the_other_closes() -> None:
        house.due.delete(first.id)
        house.due.put(second.id, house.now())
        other.retain()

    closing(house, first.id, the_other_closes)
    other.close()
    assert {house.deployment(one.id).state for one in (first, second)} == {DeploymentState.CLOSED}
    assert (templates(house), house.enrolment.objects) == (0, {})


@pytest.mark.parametrize("authorised", [False, True])
def test_a_deployment_that_nobody_ever_starts_takes_its_list_along(house: House, authorised: bool):
    """Sweep wakes retain only for what is put down as due: from the request on, that is its end."""
    list_id, _ = house.listed(3)
    asked = house.requested(list_id)
    if authorised:
        house.authorise(asked.id)
    for later in (timedelta(minutes=41), timedelta(minutes=41) + CLOSE_AFTER):
        house.skew = timedelta(0)
        assert not woken(house)
        house.skew = later
        assert woken(house)
        house.retain()
    assert house.deployment(asked.id).state is DeploymentState.CLOSED
    assert (templates(house), house.enrolment.objects) == (0, {})
    assert house.due.objects == {asked.id: house.certificate(asked.id).backups_expire_at}


def woken(house: House) -> bool:
    """Does sweep wake retain now?"""
    waker = FakeWaker()
    sweep.sweep(
        clock=house.now,
        age_limit_s=120,
        frames=house.frames,
        ledger=house.ledger,
        due=house.due,
        spool=house.spool,
        gauge=house.gauge,
        look=house.look,
        waker=waker,
    )
    return bool(waker.reasons)
