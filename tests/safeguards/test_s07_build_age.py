"""S07: a build that is older than the policy's hours when its deployment starts is refused until the list is built
again.

Metropolitan Police practice. The ways round: a build that was fresh when it was authorised, one that grew old while it
was warming, a function's clock that was set back, and a build that is dated ahead.
"""

import functools
from datetime import timedelta

import pytest

from proviso.domain.conditions import Attested
from proviso.domain.deployment import DeploymentState
from proviso.domain.reasons import Reason, Refused
from proviso.store.connection import RuleBroken
from tests.safeguards.house import House
from tests.safeguards.past_the_code import WRITERS, broken, never_starts, state

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
HOURS = 24


@pytest.fixture
def authorised(house: House) -> House:
    house.list_id, _ = house.listed(3)
    hour_ago = house.now() - timedelta(hours=1)
    house.attest = functools.partial(house.attest, published_at=None)
    house.announce = lambda asked: [
        house.attest(asked, Attested.SIGNAGE),
        house.attest(asked, Attested.PUBLIC_NOTICE, published_at=hour_ago),
    ]
    house.asked = house.requested(house.list_id, starts_at=house.now() - timedelta(minutes=50),
                                  ends_at=house.now() + timedelta(minutes=9))  # fmt: skip
    house.authorise(house.asked.id)
    return house


def aged(house: House, age: timedelta) -> None:
    """The build's age, as time makes it: nothing but the owner with the triggers off can change its date."""
    with house.meddling() as connection:
        connection.execute("UPDATE build SET built_at = now() - %s", (age,))


def test_a_build_that_got_too_old_since_it_was_authorised_does_not_start(authorised: House):
    aged(authorised, timedelta(hours=HOURS, seconds=1))
    assert authorised.start(authorised.asked.id).reason is Reason.BUILD_TOO_OLD
    assert state(authorised, authorised.asked.id) == "authorised"
    assert authorised.permits.objects == {}


def test_up_to_the_hour_it_does(authorised: House):
    aged(authorised, timedelta(hours=HOURS, minutes=-1))
    assert authorised.start(authorised.asked.id).state is DeploymentState.ACTIVE


def test_by_sql_it_does_not_start_either(authorised: House):
    aged(authorised, timedelta(hours=HOURS, seconds=1))
    never_starts(authorised, authorised.asked.id, "PV007")


def test_a_clock_that_was_set_back_does_not_help(authorised: House):
    """The function thinks that it is 40 minutes ago, when the build was young enough; the database does not."""
    aged(authorised, timedelta(hours=HOURS, minutes=20))
    authorised.skew = timedelta(minutes=-40)
    refused = authorised.start(authorised.asked.id)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.BUILD_TOO_OLD
    assert "database's own clock" in refused.detail
    assert authorised.permits.objects == {}


def test_what_grew_old_while_it_was_warming_is_refused_as_well(authorised: House):
    with authorised.govern.work() as work:
        assert work.begin_warming(authorised.asked.id, authorised.now()) is None
    aged(authorised, timedelta(hours=HOURS, minutes=20))
    authorised.skew = timedelta(minutes=-40)
    assert authorised.start(authorised.asked.id).reason is Reason.BUILD_TOO_OLD
    assert state(authorised, authorised.asked.id) == "warming"
    assert authorised.permits.objects == {}


def test_the_date_of_a_build_is_not_changed(authorised: House):
    for role, rule in (("govern", "42501"), ("master", "PV029")):
        with broken(rule):
            authorised.sql(role, "UPDATE build SET built_at = now()")


def test_no_build_is_dated_ahead(authorised: House):
    """It would stay young for as long: by a clock that is ahead, and by SQL."""
    before = authorised.one("SELECT count(*) FROM build")
    authorised.skew = timedelta(hours=20)
    with pytest.raises(RuleBroken, match="dated ahead"):
        authorised.build(authorised.list_id)
    for role in WRITERS:
        with broken("PV007"):
            authorised.sql(
                role,
                'INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)'
                " SELECT 'x', watchlist_id, pipeline, digest, entries, \"references\", built_by,"
                " now() + interval '20 hours' FROM build LIMIT 1",
            )
    assert authorised.one("SELECT count(*) FROM build") == before


def test_built_again_and_authorised_again_it_starts(authorised: House):
    aged(authorised, timedelta(hours=HOURS, seconds=1))
    assert isinstance(authorised.start(authorised.asked.id), Refused)
    assert authorised.running(authorised.list_id).state is DeploymentState.ACTIVE
