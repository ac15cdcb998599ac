"""S02: a request names its operator, use, place, times, necessity, proportionality, the less intrusive means that were
considered, the Schedule 8 condition and the three impact assessments. What its policy does not name is refused.

Bridges; DPA 2018 s.35, s.42, s.64. The ways round: grounds that are there and say nothing, a policy that lacks the
value which would refuse, and a private operator in the street, each through the stage and by SQL.
"""

from dataclasses import fields

import pytest

from proviso.domain.deployment import Deployment, Grounds
from proviso.domain.policy import PRIVATE_IN_PUBLIC
from proviso.domain.reasons import Reason
from tests.safeguards.house import House
from tests.safeguards.past_the_code import (  # fmt: skip
    ANOTHER_VERSION,
    AUTHORISE,
    OTHERS,
    WRITERS,
    announce,
    ask,
    broken,
    never_starts,
    starts,
)
from tests.samples import grounds, policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
SAYING_NOTHING = ('""', '" \\n\\t"', "null", "1", "[]", '["x"]', '{"a": "b"}')
NAMES = [field.name for field in fields(Grounds)]


@pytest.fixture
def asked(house: House) -> House:
    house.list_id, _ = house.listed(3)
    house.asked = house.requested(house.list_id)
    return house


def requests(house: House) -> int:
    return house.one("SELECT count(*) FROM deployment")


def test_each_ground_is_asked_for(house: House):
    list_id, _ = house.listed(3)
    for name in NAMES:
        refused = house.requested(list_id, grounds=grounds(**{name: " \n"}))
        assert refused.reason in (Reason.INVALID, Reason.POLICY_FORBIDS), name
        assert name in refused.detail
    assert requests(house) == 0


@pytest.mark.parametrize("name", NAMES)
def test_sql_asks_for_each_ground_too(asked: House, name):
    """A key that is not there, and values that are there and say nothing."""
    for role in WRITERS:
        for said in (
            f"grounds - '{name}'",
            *(f"grounds || '{{\"{name}\": {value}}}'" for value in SAYING_NOTHING),
        ):
            with broken("PV002" if name == "operator_kind" else "s02_grounds"):
                ask(asked, role, grounds=said)
    assert requests(asked) == 1


@pytest.mark.parametrize("column", ["use", "premises"])
def test_sql_takes_no_use_and_no_premises_that_the_policy_does_not_name(asked: House, column):
    for role in WRITERS:
        for value in ("'another'", "''", f"upper({column})"):
            with broken("PV002"):
                ask(asked, role, **{column: value})


def test_sql_takes_no_operator_that_the_policy_does_not_name(asked: House):
    for role in WRITERS:
        with broken("PV002"):
            ask(asked, role, grounds="""grounds || '{"operator_kind": "police_force"}'""")


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_functions_role_asks_at_all(asked: House, role):
    with broken("42501"):
        ask(asked, role)


# --- a policy that lacks the value which would refuse -----------------------------------------------------------------

ALLOWING = {
    "uses": "PV002",
    "premises": "PV002",
    "operator_kinds": "PV002",
    "max_duration_minutes": "PV005",
    "max_entries": "PV008",
    "categories": "PV006",
    "image_refuse_age_years": "PV006",
    "name": "PV006",
}


@pytest.mark.parametrize("name", ALLOWING)
def test_a_value_that_the_policy_lacks_allows_no_request(asked: House, name):
    for role in WRITERS:
        for lacking in (f"({ANOTHER_VERSION}) - '{name}'", f"({ANOTHER_VERSION}) || '{{\"{name}\": null}}'"):
            with broken(ALLOWING[name]):
                ask(asked, role, policy=lacking)
    assert ask(asked, policy=ANOTHER_VERSION)  # nothing else refused it


ASKING = {
    "build_max_age_hours": "PV007",
    "calibration_required": "PV013",
    "site_trial_required": "PV013",
    "public_notice_hours": "PV033",
    "decision_required": "PV037",
}


@pytest.mark.parametrize("name", [*ASKING, None])
def test_a_value_that_the_policy_lacks_starts_nothing(asked: House, name):
    lacking = f"({ANOTHER_VERSION}) || '{{\"{name}\": null}}'" if name else ANOTHER_VERSION
    identifier = ask(asked, policy=lacking)
    announce(asked, identifier)
    asked.sql("govern", AUTHORISE, id=identifier)
    if name is None:
        starts(asked, identifier)
    else:
        never_starts(asked, identifier, ASKING[name])


# --- a private operator in a place open to the public -----------------------------------------------------------------

PRIVATE = {"operator_kinds": ("private_organisation",), "premises": ("open_to_the_public",), "version": "ours"}
THEIRS = {"grounds": grounds(operator_kind="private_organisation"), "premises": "open_to_the_public"}


def test_no_policy_lets_a_private_operator_into_a_place_open_to_the_public(house: House):
    house.permitted = policy(**PRIVATE)
    list_id, _ = house.listed(3)
    refused = house.requested(list_id, **THEIRS)
    assert (refused.reason, refused.detail) == (Reason.POLICY_FORBIDS, PRIVATE_IN_PUBLIC)
    house.permitted = policy(**{**PRIVATE, "premises": ("closed_premises",)})
    assert isinstance(house.requested(list_id, **{**THEIRS, "premises": "closed_premises"}), Deployment)


def test_nor_does_sql_whatever_the_policy_in_the_row_says(asked: House):
    said = ANOTHER_VERSION[:-2] + ', "operator_kinds": ["private_organisation"], "premises": ["open_to_the_public"]}\''
    private = """grounds || '{"operator_kind": "private_organisation"}'"""
    for role in WRITERS:
        with broken("PV002"):
            ask(asked, role, policy=said, grounds=private, premises="'open_to_the_public'")


def test_a_list_made_under_looser_rules_is_not_taken_by_sql_either(asked: House):
    """As govern's role, past the stage that compares: a list that asks for no consent, deployed as if it did."""
    for column, value in (
        ("consent_required", "false"),
        ("under_18_allowed", "true"),
        ("image_refuse_age_years", "500"),
        ("categories", "categories || '{suspect}'"),
        ("policy", "'volunteers'"),
    ):
        strict = "jsonb_set(policy || '{\"version\": \"strict\"}', '{consent_required}', 'true')"
        identifier = asked.id()
        asked.sql(
            "govern",
            "INSERT INTO watchlist (id, name, policy, created_by, created_at, categories, max_entries,"
            f" consent_required, under_18_allowed, image_refuse_age_years) SELECT '{identifier}', name,"
            + ", ".join(
                value if name == column else {"consent_required": "true"}.get(name, name)
                for name in ("policy", "created_by", "created_at", "categories", "max_entries", "consent_required",
                             "under_18_allowed", "image_refuse_age_years")
            )
            + " FROM watchlist LIMIT 1",
        )  # fmt: skip
        with broken("PV006"):
            ask(asked, policy=strict, watchlist_id=f"'{identifier}'")


def test_said_plainly_the_role_of_govern_can_make_up_a_policy(asked: House):
    """Not prevented: a whole policy under a name and version of its own. SQL cannot know the published files. It stands
    in the row, in what is authorised and in the audit, and match computes the digest of exactly this one."""
    made_up = ANOTHER_VERSION[:-2] + ', "name": "demo", "uses": ["anything"]}\''
    identifier = ask(asked, policy=made_up, use="'anything'")
    assert asked.deployment(identifier).policy.title != asked.asked.policy.title
    assert asked.deployment(identifier).digest != asked.asked.digest
