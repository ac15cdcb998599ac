"""S08: a list longer than the policy's cap is refused, one entry at a time and when a deployment is asked for.

APP; NPL 2023 measured a list of 10,000. The ways round: the entry after the last, a build that was made before the cap
came down, and a list made under a policy with a higher cap.
"""

import pytest

from proviso.domain.deployment import Deployment
from proviso.domain.reasons import Reason
from proviso.policies import read_shipped, shipped
from tests.safeguards.asking import asked_under

POLICIES = [read_shipped(name).policy for name in shipped()]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_entry_after_the_last_is_refused(policy):
    category = policy.categories[0]
    assert policy.allows_entry(category, policy.max_entries - 1, "C-1") is None
    refused = policy.allows_entry(category, policy.max_entries, "C-1")
    assert refused.reason is Reason.POLICY_FORBIDS
    assert str(policy.max_entries) in refused.detail


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_build_that_is_longer_is_not_deployed_whenever_it_was_made(policy):
    assert isinstance(asked_under(policy, entries=policy.max_entries), Deployment)
    assert asked_under(policy, entries=policy.max_entries + 1).reason is Reason.POLICY_FORBIDS


def test_a_list_of_a_policy_with_a_higher_cap_is_not_taken():
    refused = asked_under(read_shipped("volunteers").policy, list_policy=read_shipped("uk-police").policy)
    assert refused.reason is Reason.POLICY_FORBIDS
    assert "another policy" in refused.detail


def test_no_policy_allows_more_than_was_ever_measured():
    assert max(policy.max_entries for policy in POLICIES) == 10_000
