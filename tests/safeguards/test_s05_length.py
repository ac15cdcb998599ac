"""S05: longer than the policy's maximum is refused.

APP. The ways round: a microsecond more, an end in another time zone, a local policy that says nothing of its being
longer, and a policy that is longer than what was asked for under it.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from proviso.domain.deployment import Deployment
from proviso.domain.reasons import Reason
from proviso.policies import parse_local, read_shipped, shipped
from tests.safeguards.asking import asked_under
from tests.samples import START


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
    assert made.policy.differences == ("max_duration_minutes: 100000 here, 480 in uk-police 2026.11.1 (looser)",)
    quiet = replace(made, policy=replace(policy, differences=()))
    assert quiet.digest != made.digest  # who leaves the sentence out has something that nobody authorised
