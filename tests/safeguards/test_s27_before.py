"""S27, before: an authoriser sees how often strangers of each group are taken for somebody, with upper ends, and what
was not measured is called so. The ways round: a group that is too small to be seen, and a row that says nothing.
"""

import pytest

from proviso.evaluation.calibrate import calibrate
from proviso.stages.deployments_shown import Shown
from tests.evaluations import evaluation
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
LISTS = {"mixed": 900, "gender=female": 450, "race=black": 60}
GROUPS = [{"column": "race", "value": "other"}]


def shown(house: House) -> Shown:
    asked = house.requested(house.listed(3, 4)[0])
    return house.shown(asked.id)


def test_every_group_that_the_data_names_is_there(house: House):
    house.ship(calibrate([evaluation(LISTS, pipeline=house.pipeline.digest, groups=GROUPS)], 0.01))
    groups = {group.group: group for group in shown(house).groups}
    assert set(groups) == {"gender=female", "race=black", "race=other"}
    assert groups["gender=female"].fpir_high <= 0.01
    assert (groups["race=black"].fpir_low, groups["race=black"].fpir_high > 0.01) == (None, True)
    assert (groups["race=other"].people, groups["race=other"].fpir_high) == (0, None)
    assert all(groups[name].remark for name in ("race=black", "race=other"))


def test_without_a_calibration_nothing_is_claimed(house: House):
    assert shown(house).groups == ()
    assert shown(house).floor is None


def test_a_group_without_a_measurement_says_why(house: House):
    house.ship(calibrate([evaluation(LISTS, pipeline=house.pipeline.digest)], 0.01))
    with broken("s27_not_measured_says_why"):
        house.sql(
            "master",
            'INSERT INTO calibration_group (calibration_id, list_size, frames_per_probe, "group", people)'
            " SELECT id, 10, 1, 'race=asian', 5 FROM calibration",
        )


def test_nobody_takes_one_out(house: House):
    house.ship(calibrate([evaluation(LISTS, pipeline=house.pipeline.digest)], 0.01))
    for change in ("DELETE FROM calibration_group", "UPDATE calibration_group SET fpir_high = 0"):
        for role, rule in (("govern", "42501"), ("master", "PV029")):
            with broken(rule):
                house.sql(role, change)
