"""S13: without a calibration for exactly this pipeline nothing starts, and where the policy asks for a site trial, not
without one at this place. `demo` alone may run uncalibrated, and says so on every notice.

ISO/IEC 19795-1 and -10. The ways round: the calibration of another pipeline, of shorter lists, the trial of another
place, a calibration of one's own making, and a policy that forgets to ask.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.reasons import Reason
from proviso.policies import read_shipped, shipped
from proviso.vision.calibrations import shipped_calibration, shipped_calibrations
from tests.safeguards.house import House
from tests.safeguards.past_the_code import (  # fmt: skip
    ANOTHER_VERSION,
    AUTHORISE,
    OTHERS,
    WRITERS,
    announce,
    ask,
    broken,
    calibrate,
    never_starts,
    starts,
)
from tests.samples import grounds, policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
POINT = (50, "0.40", 0.001, 0.002)


@pytest.fixture
def asking(house: House) -> House:
    """A policy that asks for a calibration, and a list."""
    house.permitted = policy(calibration_required=True, version="calibrated")
    house.list_id, _ = house.listed(3, 4)
    return house


def authorised(house: House) -> Deployment:
    asked = house.requested(house.list_id)
    found = house.authorise(asked.id)
    assert isinstance(found, Deployment), found
    return found


def test_without_any_it_does_not_start(asking: House):
    asked = authorised(asking)
    assert asking.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(asking, asked.id, "PV013")


def test_with_one_of_this_pipeline_it_does(asking: House):
    calibrate(asking, POINT)
    assert asking.running(asking.list_id).state is DeploymentState.ACTIVE


def test_that_of_another_pipeline_counts_for_nothing(asking: House):
    calibrate(asking, POINT, pipeline="another")
    asked = authorised(asking)
    assert asked.calibration_id is None
    assert asking.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(asking, asked.id, "PV013")


def test_that_of_another_pipeline_is_not_named_by_sql(asking: House):
    calibrate(asking, POINT, pipeline="another")
    asking.requested(asking.list_id)
    for role in WRITERS:
        for named in ("'c-1'", "'made-up'"):
            with broken("s13_of_this_pipeline"):
                ask(asking, role, calibrated="true", calibration_id=named)


def test_and_put_there_behind_the_rules_it_still_starts_nothing(asking: House):
    """The owner with the triggers off; the digest is authorised as it then stands."""
    calibrate(asking, POINT, pipeline="another")
    asked = asking.requested(asking.list_id)
    with asking.meddling() as connection:
        connection.execute("UPDATE deployment SET calibrated = true, calibration_id = 'c-1'")
    asking.authorise(asked.id)
    assert asking.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(asking, asked.id, "PV013")


def test_nobody_says_calibrated_without_a_calibration(asking: House):
    calibrate(asking, POINT)
    asking.requested(asking.list_id)
    for role in WRITERS:
        with broken("s13_calibrated"):
            ask(asking, role, calibrated="true", calibration_id="NULL")
        with broken("s13_calibrated"):
            ask(asking, role, calibrated="false", calibration_id="'c-1'")


@pytest.mark.parametrize("points", [(), ((1, "0.40", 0.001, 0.002),)], ids=["no list", "shorter lists"])
def test_a_list_longer_than_any_that_was_measured_does_not_start(asking: House, points):
    calibrate(asking, *points)
    asked = authorised(asking)
    assert asking.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(asking, asked.id, "PV013")


def test_one_that_comes_after_the_request_is_for_the_next(asking: House):
    """What is authorised names its calibration, so that nobody puts another under it."""
    asked = authorised(asking)
    calibrate(asking, POINT)
    assert asking.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(asking, asked.id, "PV013")
    assert asking.running(asking.list_id).state is DeploymentState.ACTIVE


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("later", ["before it is authorised", "before it is started"])
def test_one_that_is_superseded_starts_nothing(house: House, required, later):
    """0.40 when it was asked for, 0.60 when it is started: it is requested again, and then the later one holds."""
    house.permitted = policy(calibration_required=required, version="calibrated")
    list_id, _ = house.listed(3, 4)
    calibrate(house, POINT)
    asked = house.requested(list_id)
    assert asked.calibration_id == "c-1"
    if later == "before it is authorised":
        calibrate(house, (50, "0.60", 0.001, 0.002), identifier="c-2")
    house.authorise(asked.id)
    if later == "before it is started":
        calibrate(house, (50, "0.60", 0.001, 0.002), identifier="c-2")
    refused = house.start(asked.id)
    assert refused.reason is Reason.NOT_CALIBRATED
    assert "request it again" in refused.detail
    never_starts(house, asked.id, "PV013")
    assert house.running(list_id, threshold=Decimal("0.60")).state is DeploymentState.ACTIVE


def test_a_trial_is_no_later_calibration(asking: House):
    calibrate(asking, POINT)
    asked = authorised(asking)
    calibrate(asking, (50, "0.40", 0.001, 0.002, 0.001, 0.002), kind="site_trial", site="Gate 1", identifier="trial")
    assert asking.start(asked.id).state is DeploymentState.ACTIVE


def test_the_default_policy_starts_with_the_default_pack_and_what_it_ships(house: House):
    """`volunteers`, unaltered, with mobilefacenet's own digest and calibration, put there as a deployment does it."""
    shipped_one = shipped_calibration("mobilefacenet")
    if shipped_one is None:
        pytest.fail("the default pack ships no calibration: make calibrations")
    house.pipeline.digest = shipped_one.pipeline
    house.ship(*shipped_calibrations())
    house.permitted = read_shipped("volunteers").policy
    list_id = house.watchlist()
    entry = house.add(
        list_id, category="consenting_volunteer", consent_reference="form 1", image_date=house.now().date()
    )
    house.enrol(list_id, entry.id, b"people 3")
    rules = {"use": "trial_with_consent", "grounds": grounds(operator_kind="public_body")}
    floor = shipped_one.point(1).threshold_floor
    assert house.requested(list_id, threshold=floor - Decimal("0.001"), **rules).reason is Reason.THRESHOLD_TOO_LOW
    started = house.running(list_id, threshold=floor, **rules)
    assert (started.state, started.calibrated) == (DeploymentState.ACTIVE, True)
    house.see(3)
    house.alert_all()
    assert house.publisher.sent
    assert not any("alibrated" in text for _, _, texts in house.publisher.sent for text in (texts.sms, texts.email))


# --- site trials ------------------------------------------------------------------------------------------------------


@pytest.fixture
def on_trial(asking: House) -> House:
    asking.permitted = replace(asking.permitted, site_trial_required=True, version="on trial")
    asking.list_id, _ = asking.listed(3)
    calibrate(asking, POINT, identifier="laboratory")
    return asking


def test_a_laboratory_is_no_site(on_trial: House):
    calibrate(on_trial, POINT, identifier="laboratory at the place", site="Gate 1")
    asked = authorised(on_trial)
    assert on_trial.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(on_trial, asked.id, "PV013")


@pytest.mark.parametrize(
    "changed", [{"site": "Gate 2"}, {"site": "Gate 1 "}, {"site": "gate 1"}, {"pipeline": "another", "site": "Gate 1"}]
)
def test_the_trial_of_another_place_or_pipeline_counts_for_nothing(on_trial: House, changed):
    calibrate(on_trial, POINT, kind="site_trial", identifier="trial", **changed)
    asked = authorised(on_trial)
    assert on_trial.start(asked.id).reason is Reason.NOT_CALIBRATED
    never_starts(on_trial, asked.id, "PV013")


def test_the_trial_of_this_place_counts(on_trial: House):
    calibrate(on_trial, POINT, kind="site_trial", identifier="trial", site="Gate 1")
    assert on_trial.running(on_trial.list_id).state is DeploymentState.ACTIVE


# --- who can make one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["govern", *OTHERS])
def test_no_functions_role_makes_or_changes_a_calibration(asking: House, role):
    with broken("PV013" if role == "govern" else "42501"):  # govern writes site trials, and only those
        calibrate(asking, role=role)
    calibrate(asking, POINT)
    for statement in (
        "INSERT INTO calibration_stranger VALUES ('c-1', 1000, 1, 0.4, 100, 0, 1000000)",
        "INSERT INTO calibration_group VALUES ('c-1', 50, 1, 'x', 1000, 0, 0.001)",
        "UPDATE calibration SET pipeline = 'x'",
        "UPDATE calibration_point SET list_size = 10000",
        "DELETE FROM calibration_point",
        "DELETE FROM calibration",
    ):
        with broken("42501"):
            asking.sql(role, statement)
    with broken("PV013" if role == "govern" else "42501"):
        asking.sql(role, "INSERT INTO calibration_point VALUES ('c-1', 1000, 0.1, 0, 0)")


@pytest.mark.parametrize("table", ["calibration", "calibration_point"])
def test_nor_does_its_owner_change_one_that_is_there(asking: House, table):
    calibrate(asking, POINT)
    for statement in (f"UPDATE {table} SET {'pipeline' if table == 'calibration' else 'list_size'} = DEFAULT",
                      f"DELETE FROM {table}"):  # fmt: skip
        with broken("PV029"):
            asking.sql("master", statement)


# --- demo alone -------------------------------------------------------------------------------------------------------


def test_of_the_shipped_policies_demo_alone_asks_for_none():
    assert [name for name in shipped() if not read_shipped(name).policy.calibration_required] == ["demo"]
    assert [name for name in shipped() if read_shipped(name).policy.site_trial_required] == ["eu", "uk-police"]


def test_uncalibrated_every_notice_says_so(house: House):
    list_id, _ = house.listed(3)
    assert house.running(list_id).calibrated is False
    house.see(3)
    house.decide(house.candidates[0]["id"])
    house.alert_all()
    assert {audience for audience, _ in house.told} >= {"recipients"}
    for _, _, texts in house.publisher.sent:
        for text in (texts.sms, texts.email):
            assert "alibrated" in text


def test_nobody_makes_it_say_otherwise(house: House):
    """As match's role: a candidate that claims a calibration which its deployment does not have."""
    house.running(house.listed(3)[0])
    house.see(3)
    with broken("PV013"):
        house.copy_candidate("match", calibrated="true", frame_key="frame_key || 'x'", state="'raised'")


def test_a_policy_that_forgets_to_ask_is_another_that_nobody_authorised(asking: House):
    """In the row: refused by SQL, and behind the triggers not what was authorised."""
    asked = authorised(asking)
    forgotten = "UPDATE deployment SET policy = jsonb_set(policy, '{calibration_required}', 'false')"
    for role, rule in (("govern", "42501"), ("master", "PV003")):
        with broken(rule):
            asking.sql(role, forgotten)
    with asking.meddling() as connection:
        connection.execute(forgotten.encode())
    assert asking.start(asked.id).reason is Reason.DIGEST_DIFFERS


def test_nor_is_it_forgotten_under_the_same_version(asking: House):
    asking.requested(asking.list_id)
    for role in WRITERS:
        with broken("PV034"):
            ask(asking, role, policy="jsonb_set(policy, '{calibration_required}', 'false')")


def test_said_plainly_under_a_policy_of_its_own_the_role_of_govern_starts_uncalibrated(asking: House):
    """Not prevented: a policy of another version that asks for none, made up by who holds govern's login role."""
    asking.requested(asking.list_id)
    identifier = ask(asking, policy=f"({ANOTHER_VERSION}) || '{{\"calibration_required\": false}}'")
    announce(asking, identifier)
    asking.sql("govern", AUTHORISE, id=identifier)
    starts(asking, identifier)
