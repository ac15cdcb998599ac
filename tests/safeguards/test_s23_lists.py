"""S23: a list goes with the last deployment that needs it, even with one that was never started; and not before.

The rows are erased under locks; the pictures lie in a bucket, where there are none. The ways round are a request, and
another closing, that are committed after a look and before the erasure; and a deployment that everybody forgot, for
which nobody would wake retain.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.frame import Outcome
from proviso.domain.reasons import Reason, Refused
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


# --- below the stages -------------------------------------------------------------------------------------------------

CERTIFICATE = (
    "INSERT INTO certificate (deployment_id, watchlist_id, counts, verified_at, backups_expire_at)"
    """ SELECT id, watchlist_id, '[{"store": "templates", "left": 0}]', now(), now() + interval '1 day'"""
    " FROM deployment"
)


@pytest.fixture
def stopped(house: House) -> House:
    house.list_id, house.entries = house.listed(3)
    house.active = house.running(house.list_id)
    house.see(3)
    house.stop(house.active.id)
    return house


@pytest.fixture
def closed(stopped: House) -> House:
    stopped.due.put(stopped.active.id, stopped.now())
    stopped.retain()
    assert stopped.deployment(stopped.active.id).state is DeploymentState.CLOSED
    return stopped


def test_no_role_certifies_what_is_not_deleted(stopped: House):
    """As retain's role and the master's: a certificate of zeros, while the templates lie there."""
    for role in ("retain", "master"):
        with pytest.raises(psycopg.Error, match="not everything is deleted"):
            stopped.sql(role, CERTIFICATE)
    assert templates(stopped) == 1


def test_no_role_closes_without_a_certificate(stopped: House):
    for role in ("retain", "govern", "master"):
        with pytest.raises(psycopg.Error):
            stopped.sql(role, "UPDATE deployment SET state = 'closed', closed_at = now()")
    assert stopped.deployment(stopped.active.id).state is DeploymentState.STOPPED


@pytest.mark.safeguard(below="a redriven dead letter")
def test_a_message_redriven_after_the_closing_brings_nothing_back(house: House):
    """A dead letter that outlived its deployment, with the frame that it names still there."""
    list_id, _ = house.listed(3)
    active = house.running(list_id)
    message = house.message(3)
    house.stop(active.id)
    house.due.put(active.id, house.now())
    house.retain()
    row = house.match(message)
    assert (row.outcome, row.reason) == (Outcome.REFUSED, Reason.NOT_ACTIVE)
    assert (house.candidates, house.evidence.objects, house.frames.objects) == ([], {}, {})


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET label = 'again'",
        "UPDATE entry SET erased_at = NULL",
        "UPDATE watchlist SET erased_at = NULL",
        "UPDATE candidate SET evidence_key = 'evidence/again.jpg'",
        "DELETE FROM certificate",
        "UPDATE certificate SET verified_at = now()",
    ],
)
def test_what_was_erased_is_not_brought_back(closed: House, change):
    for role in ("govern", "enrol", "match", "retain", "master"):
        with pytest.raises(psycopg.Error):
            closed.sql(role, change)


def test_nothing_is_added_to_an_erased_list(closed: House):
    assert isinstance(closed.add(closed.list_id), Refused)
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error):
            closed.sql(
                role,
                'INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)'
                " SELECT 'x', watchlist_id, pipeline, digest, entries, \"references\", built_by, built_at FROM build",
            )
    assert templates(closed) == 0


def test_a_clock_that_jumps_back_keeps_nothing_for_longer_than_its_jump(stopped: House):
    """retain's clock falls a day behind: what is due waits for it; when it is right again, all of it goes."""
    stopped.due.put(stopped.active.id, stopped.now())
    stopped.skew = timedelta(days=-1)
    stopped.retain()
    stopped.skew = CLOSE_AFTER
    stopped.retain()
    assert stopped.deployment(stopped.active.id).state is DeploymentState.CLOSED
    assert (templates(stopped), stopped.enrolment.objects, stopped.evidence.objects) == (0, {}, {})
