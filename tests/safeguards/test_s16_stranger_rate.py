"""S16: a reviewer is told how often a stranger reaches a similarity after their own decision and never before it; and
only what was measured, for a list as long and for bursts as long as the deployment's.
"""

from decimal import Decimal

import pytest

from proviso.domain.calibration import Calibration, CalibrationPoint, StrangerRate
from proviso.domain.review_ports import StrangerOnceIn
from proviso.stages import review
from tests.safeguards.house import House
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
RATES = (
    StrangerRate(1, 1, Decimal("0.9"), 1000, 0, 4000, None),
    StrangerRate(50, 1, Decimal("0.4"), 1000, 9, 50, 200),
    StrangerRate(50, 1, Decimal("0.8"), 1000, 2, 100, 900),
    StrangerRate(50, 1, Decimal("1.0"), 1000, 0, 300, None),
    StrangerRate(50, 2, Decimal("0.4"), 1000, 12, 40, 150),
    StrangerRate(50, 2, Decimal("0.8"), 1000, 1, 120, 1000),
)


@pytest.fixture
def seen(house: House) -> House:
    """A candidate on a list of two, of a pipeline of which strangers were measured."""
    point = CalibrationPoint(50, Decimal("0.3"), 0.001, 0.002)
    shipped = Calibration("c-1", house.pipeline.digest, "laboratory", "", house.now(), (point,), strangers=RATES)
    house.ship(shipped)
    house.permitted = policy(calibration_required=True, version="calibrated")
    house.running(house.listed(3, 4)[0])
    house.see(3)
    return house


def once_in(house: House, similarity: float, burst: int = 1) -> StrangerOnceIn | None:
    with house.meddling() as connection:
        connection.execute("UPDATE candidate SET similarity = %s", (similarity,))
        connection.execute("UPDATE deployment SET burst_frames = %s", (burst,))
    with house.reviews.work() as work:
        found = work.revealed(house.candidates[0]["id"], "reviewer")
    assert found is not None
    return found.stranger_once_in


@pytest.mark.parametrize(
    ("similarity", "burst", "expected"),
    [
        (0.39, 1, None),  # below everything that was written down
        (0.4, 1, StrangerOnceIn(50, 200)),
        (0.79, 1, StrangerOnceIn(50, 200)),  # the next below: reaching more is at least as rare
        (0.8, 1, StrangerOnceIn(100, 900)),
        (1.0, 1, StrangerOnceIn(300, None)),  # nobody did
        (0.8, 2, StrangerOnceIn(100, 1000)),  # one frame or two: what holds for both
        (0.8, 3, None),  # no such burst was measured
    ],
)
def test_it_is_that_of_a_list_as_long_and_of_the_burst(seen: House, similarity, burst, expected):
    assert once_in(seen, similarity, burst) == expected


def test_without_a_calibration_it_is_not_measured(house: House):
    house.running(house.listed(3)[0])
    house.see(3)
    assert once_in(house, 0.9) is None


def test_it_is_not_there_before_ones_own_decision(seen: House):
    def view():
        return review.look(
            principal=seen.person("reviewer"), candidate_id=seen.candidates[0]["id"], store=seen.reviews, clock=seen.now
        )

    assert view().revealed is None
    seen.decide(seen.candidates[0]["id"])
    assert view().revealed.stranger_once_in is not None
