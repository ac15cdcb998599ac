"""S05: longer than the policy's maximum is refused.

APP. The ways round: a microsecond more, an end in another time zone, a local policy that says nothing of its being
longer, a policy that is longer than what was asked for under it, and the function's role writing the row itself.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from proviso.domain.deployment import Deployment
from proviso.domain.reasons import Reason
from proviso.policies import parse_local, read_shipped, shipped
from tests.safeguards.asking import asked_under
from tests.safeguards.house import House
from tests.safeguards.past_the_code import WRITERS, ask, broken
from tests.samples import START

pytest_plugins = ["tests.databases"]


@pytest.mark.parametrize("name", shipped())
def test_at_most_what_the_policy_says(name):
    policy = read_shipped(name).policy
    longest = timedelta(minutes=policy.max_duration_minutes)
    assert isinstance(asked_under(policy, ends_at=START + longest), Deployment)
    refused = asked_under(policy, ends_at=START + longest + timedelta(microseconds=1))
    assert refused.reason is Reason.POLICY_FORBIDS
    assert str(policy.max_duration_minutes) in refused.detail


def test_another_time_zone_makes_no_more_time():
    policy = read_shipped("volunteers").policy
    end = (START + timedelta(minutes=policy.max_duration_minutes + 1)).astimezone(timezone(timedelta(hours=-9)))
    assert asked_under(policy, ends_at=end).reason is Reason.POLICY_FORBIDS


def test_an_end_that_never_comes_is_refused():
    policy = read_shipped("uk-police").policy
    never = datetime.max.replace(tzinfo=UTC)
    assert asked_under(policy, ends_at=never).reason is Reason.POLICY_FORBIDS


def test_a_local_policy_that_is_longer_cannot_keep_it_to_itself():
    text = """
name = "long"
version = "2026.12.1"
extends = "uk-police"
purpose = "As uk-police, but longer."
[values]
max_duration_minutes = { value = 100000, source = "Our policy document, section 5." }
"""
    policy = parse_local(text).policy
    made = asked_under(policy)
    assert "NOT uk-police" in made.policy.title
    assert made.policy.differences == ("max_duration_minutes: 100000 here, 480 in uk-police 2026.11.3 (looser)",)
    quiet = replace(made, policy=replace(policy, differences=()))
    assert quiet.digest != made.digest  # who leaves the sentence out has something that nobody authorised


# --- by SQL -----------------------------------------------------------------------------------------------------------


@pytest.mark.integration
def test_sql_allows_no_microsecond_more(house: House):
    house.requested(house.listed(3)[0])
    longest = timedelta(minutes=house.permitted.max_duration_minutes)
    exactly = f"starts_at + interval '{longest.total_seconds()} seconds'"
    for role in WRITERS:
        for more in (f"{exactly} + interval '1 microsecond'", "'9999-01-01'"):
            with broken("PV005"):
                ask(house, role, ends_at=more)
        with broken("PV005"):
            ask(house, role, starts_at="starts_at - interval '1 day'")
        assert ask(house, role, ends_at=exactly)


@pytest.mark.integration
def test_what_was_asked_for_is_not_lengthened_afterwards(house: House):
    asked = house.requested(house.listed(3)[0])
    house.authorise(asked.id)
    house.start(asked.id)
    for role, rule in (("govern", "42501"), ("master", "PV003")):
        with broken(rule):
            house.sql(role, "UPDATE deployment SET ends_at = ends_at + interval '1 minute'")
