"""S08: a list longer than the policy's cap is refused, one entry at a time and when a deployment is asked for.

APP; NPL 2023 measured a list of 10,000. The ways round: the entry after the last, a build that was made before the cap
came down, a list made under a policy with a higher cap, and a build that says it is shorter than it is. What is to be
expected of it, false candidates, is shown to the authoriser.
"""

import pytest

from proviso.domain.deployment import Deployment
from proviso.domain.reasons import Reason
from proviso.policies import read_shipped, shipped
from tests.safeguards.asking import asked_under
from tests.safeguards.house import House
from tests.safeguards.past_the_code import AUTHORISE, WRITERS, announce, ask, broken, calibrate, never_starts
from tests.samples import policy

pytest_plugins = ["tests.databases"]

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


# --- by SQL -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def longer(house: House) -> House:
    """A list of six, made when six were allowed; by now it is five."""
    house.permitted = policy(max_entries=100, version="earlier")
    house.short, _ = house.listed(3)
    house.long, _ = house.listed(*range(10, 16))
    house.long_build = house.build(house.long)
    house.permitted = policy()
    house.asked = house.requested(house.short)
    return house


def six(house: House, **changed: str) -> dict[str, str]:
    return {"watchlist_id": f"'{house.long}'", "build_id": f"'{house.long_build.id}'", **changed}


@pytest.mark.integration
def test_a_build_that_is_longer_is_not_asked_for_by_sql(longer: House):
    assert longer.requested(longer.long, build_id=longer.long_build.id).reason is Reason.POLICY_FORBIDS
    for role in WRITERS:
        with broken("PV008"):
            ask(longer, role, **six(longer))


BUILD = """
INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)
SELECT 'forged', watchlist_id, pipeline, digest, 1, 1, built_by, now() FROM build WHERE id = %(long)s;
"""
CONTENT = """
INSERT INTO build_reference (build_id, reference_id, entry_id)
SELECT 'forged', reference_id, entry_id FROM build_reference WHERE build_id = %(long)s;
"""


@pytest.mark.integration
def test_a_build_that_says_it_is_short_is_counted(longer: House):
    """As govern's role: six people in a build whose own figure says one."""
    made = BUILD + CONTENT
    longer.sql("govern", made.replace("%(long)s", f"'{longer.long_build.id}'"))
    assert longer.one("SELECT entries FROM build WHERE id = 'forged'") == 1
    with broken("PV008"):
        ask(longer, "govern", **six(longer, build_id="'forged'"))


@pytest.mark.integration
def test_a_build_that_is_filled_after_it_was_asked_for_does_not_start(longer: House):
    """All in one transaction: the build, the request on it while it is empty, and then its six people."""
    columns = "place, use, premises, starts_at, ends_at, passages_expected, pipeline, threshold, policy, calibrated," \
        " software_build, grounds, requested_by, requested_at"  # fmt: skip
    asking = f"""
    INSERT INTO deployment (id, state, watchlist_id, build_id, {columns})
    SELECT 'forged', 'requested', '{longer.long}', 'forged', {columns} FROM deployment;
    """
    longer.sql("govern", (BUILD + asking + CONTENT).replace("%(long)s", f"'{longer.long_build.id}'"))
    announce(longer, "forged")
    longer.sql("govern", AUTHORISE, id="forged")
    never_starts(longer, "forged", "PV008")


# --- what the authoriser is shown -------------------------------------------------------------------------------------


def expected(house: House, **changed):
    """As an authoriser sees it, of a deployment on a list of two and with 10,000 passages."""
    asked = house.requested(house.listed(3, 4)[0], **{"passages_expected": 10_000, **changed})
    return house.shown(asked.id).expected


@pytest.mark.integration
def test_false_candidates_are_passages_times_the_fpir_of_a_passage_at_this_list_size(house: House):
    calibrate(house, (1, 0.3, 0, 0, 0, 0), (2, 0.4, 0.5, 0.6, 0.0002, 0.0003), (100, 0.45, 0, 1, 0, 1))
    found = expected(house)
    assert (found.low, found.high) == (pytest.approx(2), pytest.approx(3))
    assert found.sentence == "2 to 3 of 10000 passages, worked out from FPIR per passage"


@pytest.mark.integration
def test_it_is_a_range_where_only_the_fpir_of_a_face_is_known(house: House):
    """One face a passage, or thirty: each further one is another chance."""
    calibrate(house, (2, 0.4, 0.0001, 0.0002))
    found = expected(house)
    assert (found.low, found.high) == (pytest.approx(1), pytest.approx(60))
    assert "per face" in found.sentence


@pytest.mark.integration
@pytest.mark.parametrize("known", ["nothing", "another pipeline", "shorter lists", "no point"])
def test_what_was_not_measured_is_called_so_and_never_zero(house: House, known):
    if known == "another pipeline":
        calibrate(house, (100, 0.4, 0, 0, 0, 0), pipeline="another")
    if known == "shorter lists":
        calibrate(house, (1, 0.4, 0, 0, 0, 0))
    if known == "no point":
        calibrate(house)
    found = expected(house)
    assert (found.low, found.high) == (None, None)
    assert found.sentence.startswith("not measured")
    assert "10000" in found.sentence


@pytest.mark.integration
def test_passages_are_a_term_that_nobody_lowers_afterwards(house: House):
    asked = house.requested(house.listed(3)[0])
    for role, rule in (("govern", "42501"), ("master", "PV003")):
        with broken(rule):
            house.sql(role, "UPDATE deployment SET passages_expected = 1")
    for role in WRITERS:
        for none in ("0", "-1"):
            with broken("s08_passages"):
                ask(house, role, passages_expected=none)
    assert house.requested(asked.watchlist_id, passages_expected=0).reason is Reason.INVALID
