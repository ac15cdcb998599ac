"""S12: a threshold below the calibrated floor for a list of this size is refused.

NPL 2023: demographic imbalance at low thresholds. The ways round: the row written by SQL, a floor of a shorter list, a
build that says it is shorter than it is, and a floor that somebody lowers.
"""

from decimal import Decimal

import pytest

from proviso.domain.deployment import Deployment, DeploymentState
from proviso.domain.reasons import Reason
from tests.safeguards.house import House
from tests.safeguards.past_the_code import AUTHORISE, WRITERS, announce, ask, broken, calibrate, never_starts, starts
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
POINTS = ((1, "0.40", 0.001, 0.002), (2, "0.55", 0.001, 0.002), (50, "0.60", 0.001, 0.002))


@pytest.fixture
def calibrated(house: House) -> House:
    """A pipeline that is calibrated for lists of 1, 2 and up to 50, and a list of two."""
    house.permitted = policy(calibration_required=True, version="calibrated")
    calibrate(house, *POINTS)
    house.list_id, _ = house.listed(3, 4)
    return house


def requests(house: House) -> int:
    return house.one("SELECT count(*) FROM deployment")


@pytest.mark.parametrize(("entries", "floor"), [(1, "0.4"), (2, "0.55"), (3, "0.6")])
def test_a_threshold_below_the_floor_of_this_list_is_refused_at_once(calibrated: House, entries, floor):
    list_id, _ = calibrated.listed(*range(10, 10 + entries))
    below = Decimal(floor) - Decimal("0.0001")
    refused = calibrated.requested(list_id, threshold=below)
    assert (refused.reason, floor in refused.detail) == (Reason.THRESHOLD_TOO_LOW, True)
    assert requests(calibrated) == 0
    assert calibrated.running(list_id, threshold=Decimal(floor)).state is DeploymentState.ACTIVE


def test_where_it_is_written_by_sql_it_never_starts(calibrated: House):
    calibrated.requested(calibrated.list_id, threshold=Decimal("0.55"))
    low = ask(calibrated, threshold="0.5499")
    announce(calibrated, low)
    assert calibrated.authorise(low).state is DeploymentState.AUTHORISED
    assert calibrated.start(low).reason is Reason.THRESHOLD_TOO_LOW
    never_starts(calibrated, low, "PV012")


@pytest.mark.parametrize("threshold", ["'NaN'", "1.01", "-1"])
def test_what_is_no_similarity_is_no_threshold(calibrated: House, threshold):
    calibrated.requested(calibrated.list_id, threshold=Decimal("0.55"))
    for role in WRITERS:
        with broken("deployment_threshold_check"):
            ask(calibrated, role, threshold=threshold)


def test_a_build_that_says_it_is_shorter_has_the_floor_of_what_is_in_it(calibrated: House):
    """As govern's role: two people in a build whose own figure says one, and the floor for one."""
    asked = calibrated.requested(calibrated.list_id, threshold=Decimal("0.55"))
    calibrated.sql(
        "govern",
        """
        INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)
        SELECT 'forged', watchlist_id, pipeline, digest, 1, 1, built_by, now() FROM build LIMIT 1;
        INSERT INTO build_reference (build_id, reference_id, entry_id)
        SELECT 'forged', reference_id, entry_id FROM build_reference
        """,
    )
    assert calibrated.deployment(asked.id).state is DeploymentState.REQUESTED
    low = ask(calibrated, build_id="'forged'", threshold="0.40")
    announce(calibrated, low)
    calibrated.authorise(low)
    assert calibrated.start(low).reason is Reason.THRESHOLD_TOO_LOW
    never_starts(calibrated, low, "PV012")


def test_a_floor_that_was_raised_holds_for_what_was_authorised_before(calibrated: House):
    """A calibration does not change; this is the owner with the triggers off, as if it had been higher all along."""
    asked = calibrated.requested(calibrated.list_id, threshold=Decimal("0.55"))
    calibrated.authorise(asked.id)
    with calibrated.meddling() as connection:
        connection.execute("UPDATE calibration_point SET threshold_floor = 0.7")
    assert calibrated.start(asked.id).reason is Reason.THRESHOLD_TOO_LOW
    never_starts(calibrated, asked.id, "PV012")


def test_nobody_lowers_a_floor(calibrated: House):
    for change in ("UPDATE calibration_point SET threshold_floor = 0.1", "DELETE FROM calibration_point"):
        for role, rule in (("govern", "42501"), ("master", "PV029")):
            with broken(rule):
                calibrated.sql(role, change)


# --- bursts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bursting(house: House) -> House:
    """Calibrated for one frame and for two; the floor of two is the higher for a list of two, the lower for longer."""
    house.permitted = policy(calibration_required=True, version="calibrated")
    nobody = (0.001, 0.002, None, None)
    calibrate(
        house,
        (2, "0.50", *nobody, 1),
        (2, "0.55", *nobody, 2),
        (50, "0.65", *nobody, 1),
        (50, "0.60", *nobody, 2),
        (50, "0.70", *nobody, 5),
    )
    house.list_id, _ = house.listed(3, 4)
    house.requested(house.list_id, threshold=Decimal("0.99"))
    return house


@pytest.mark.parametrize(
    ("burst", "floor"),
    [(1, "0.50"), (2, "0.55"), (3, "0.70"), (5, "0.70")],  # three were measured on longer lists alone: theirs counts
)
def test_each_length_of_burst_has_a_floor(bursting: House, burst, floor):
    below = Decimal(floor) - Decimal("0.0001")
    low = ask(bursting, threshold=str(below), burst_frames=str(burst))
    announce(bursting, low)
    bursting.authorise(low)
    never_starts(bursting, low, "PV012")
    high = ask(bursting, threshold=floor, burst_frames=str(burst))
    announce(bursting, high)
    bursting.sql("govern", AUTHORISE, id=high)
    starts(bursting, high)


def test_a_burst_that_was_not_measured_does_not_start(calibrated: House):
    """The floor of single frames is none for bursts, however high the threshold."""
    calibrated.requested(calibrated.list_id, threshold=Decimal("0.99"))
    asked = ask(calibrated, threshold="0.99", burst_frames="2")
    announce(calibrated, asked)
    calibrated.authorise(asked)
    never_starts(calibrated, asked, "PV013")


def test_nor_by_the_stage(calibrated: House):
    asked = calibrated.requested(calibrated.list_id, threshold=Decimal("0.99"), burst_frames=2)
    calibrated.authorise(asked.id)
    refused = calibrated.start(asked.id)
    assert (refused.reason, "2 frames an upload" in refused.detail) == (Reason.NOT_CALIBRATED, True)


def test_and_a_burst_below_its_own_floor_is_refused_at_once(bursting: House):
    refused = bursting.requested(bursting.list_id, threshold=Decimal("0.54"), burst_frames=2)
    assert refused.reason is Reason.THRESHOLD_TOO_LOW
    assert isinstance(bursting.requested(bursting.list_id, threshold=Decimal("0.54")), Deployment)


# --- a site trial -----------------------------------------------------------------------------------------------------


def test_the_threshold_of_a_site_trial_is_a_floor_at_its_place(calibrated: House):
    calibrate(calibrated, (1, "0.60", 0, 1, 0, 1), kind="site_trial", site="Gate 1", identifier="trial")
    assert calibrated.requested(calibrated.list_id, threshold=Decimal("0.59")).reason is Reason.THRESHOLD_TOO_LOW
    calibrated.requested(calibrated.list_id, threshold=Decimal("0.60"))
    low = ask(calibrated, threshold="0.59")
    announce(calibrated, low)
    calibrated.authorise(low)
    never_starts(calibrated, low, "PV012")


def test_and_never_lowers_that_of_the_laboratory(calibrated: House):
    calibrate(calibrated, (50, "0.10", 0, 1, 0, 1), kind="site_trial", site="Gate 1", identifier="trial")
    assert calibrated.requested(calibrated.list_id, threshold=Decimal("0.54")).reason is Reason.THRESHOLD_TOO_LOW


def test_nothing_but_the_floor_kept_it(calibrated: House):
    assert isinstance(calibrated.requested(calibrated.list_id, threshold=Decimal("0.55")), Deployment)
    high = ask(calibrated, threshold="0.55")
    announce(calibrated, high)
    calibrated.sql("govern", AUTHORISE, id=high)
    starts(calibrated, high)
