"""S11: an old picture is warned of, and from the policy's age on refused.

APP. The ways round: a picture that is dated ahead, an entry that is dated back to when the picture was young, and a
list that says it takes older ones.
"""

from datetime import date, timedelta

import pytest

from proviso.domain.reasons import Reason, Refused
from proviso.stages import watchlist
from proviso.store.connection import RuleBroken
from tests.safeguards.house import House
from tests.safeguards.past_the_code import WRITERS, broken
from tests.safeguards.test_s06_entries import insert
from tests.samples import ENTRY, policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
WARN, REFUSE = 5, 10


@pytest.fixture
def listing(house: House) -> House:
    house.permitted = policy(image_warn_age_years=WARN, image_refuse_age_years=REFUSE)
    house.list_id = house.watchlist()
    return house


def years_ago(house: House, years: float) -> date:
    return (house.now() - timedelta(days=365.25 * years)).date()


def add(house: House, image_date: date):
    return watchlist.add_entry(
        principal=house.person("officer"),
        watchlist_id=house.list_id,
        request=watchlist.EntryRequest(**{**ENTRY, "image_date": image_date}),
        policy_of=lambda name: house.permitted,
        subjects=house.subjects,
        store=house.govern,
        clock=house.now,
        new_id=house.id,
    )


def test_a_picture_of_some_age_is_taken_with_a_warning(listing: House):
    assert add(listing, years_ago(listing, WARN - 0.5)).warnings == ()
    (warning,) = add(listing, years_ago(listing, WARN + 1)).warnings
    assert "6 years old" in warning


def test_an_older_one_is_refused(listing: House):
    assert not isinstance(add(listing, years_ago(listing, REFUSE - 0.1)), Refused)
    for image_date in (years_ago(listing, REFUSE + 0.1), date(1900, 1, 1)):
        assert add(listing, image_date).reason is Reason.POLICY_FORBIDS
    assert listing.one("SELECT count(*) FROM entry") == 1


def test_one_that_is_not_made_yet_is_refused(listing: House):
    assert add(listing, listing.now().date() + timedelta(days=1)).reason is Reason.INVALID


TOO_OLD = f"(now() - interval '{REFUSE} years 3 days')::date"


@pytest.mark.parametrize(
    "changed",
    [
        {"image_date": TOO_OLD},
        {"image_date": TOO_OLD, "added_at": "now() - interval '1 year'"},
        {"image_date": "'-infinity'"},
        {"image_date": "'infinity'"},
        {"image_date": "(now() + interval '3 days')::date"},
    ],
    ids=["old", "dated back", "of no time", "never made", "not made yet"],
)
def test_sql_takes_none_of_these_by_the_databases_clock(listing: House, changed):
    add(listing, years_ago(listing, 1))
    for role in WRITERS:
        with broken("PV011"):
            insert(listing, role, **changed)
    insert(listing, "govern", image_date=f"(now() - interval '{REFUSE} years' + interval '3 days')::date")


def test_a_clock_that_was_set_back_does_not_make_it_younger(listing: House):
    listing.skew = -timedelta(days=400)
    with pytest.raises(RuleBroken, match="older than its watchlist takes"):
        add(listing, years_ago(listing, REFUSE - 0.5))
    assert listing.one("SELECT count(*) FROM entry") == 0


def test_neither_the_picture_is_dated_anew_nor_the_list_made_to_take_it(listing: House):
    add(listing, years_ago(listing, WARN))
    for role, rule in (("govern", "42501"), ("master", "PV006")):
        with broken(rule):
            listing.sql(role, "UPDATE entry SET image_date = now()")
        with broken(rule):
            listing.sql(role, "UPDATE watchlist SET image_refuse_age_years = 100")
