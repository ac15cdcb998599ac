"""What `proviso cost` reads from the template: what costs by the month is counted, and nothing new is silently free."""

from pathlib import Path

import pytest

from proviso.cli.cost.plant import Plant, read_plant
from proviso.domain.errors import ConfigurationFault
from tests.template.conftest import ROOT


@pytest.fixture(scope="module")
def plant() -> Plant:
    return read_plant(ROOT)


def test_everything_in_the_template_has_a_price_or_is_known_to_have_none(plant: Plant) -> None:
    assert plant.uncounted == (), "give it a price in cli/cost, or a place among what costs nothing in plant.py"


def test_what_is_charged_by_the_month_or_decides_a_call_s_price(plant: Plant) -> None:
    assert plant.memory_mb["DetectFunction"] == 1024
    assert plant.memory_mb["MatchFunction"] == 1769
    assert plant.queues_polled == len(plant.concurrency) == 3
    assert plant.schedules["SweepFunction"] == 60
    assert plant.alarm_metrics >= 20
    assert plant.dashboards <= 3
    assert plant.retention_days == 30
    assert not plant.snapstart


def test_snapstart_is_counted_where_it_is_on() -> None:
    assert {"DetectFunction", "MatchFunction"} <= read_plant(ROOT, {"SnapStart": "on"}).snapstart


def test_parameters_that_cost_are_read() -> None:
    plain, asked = read_plant(ROOT), read_plant(ROOT, {"DatabaseSecondsUntilAutoPause": "86400", "Tracing": "Active"})
    assert (plain.pause_seconds, plain.traced) == (300, frozenset())
    assert asked.pause_seconds == 86400
    assert asked.traced == plain.memory_mb.keys()


@pytest.mark.parametrize("value", ["5", "-1024", "99999999", "abc", "", "nan", "1e3"])
def test_a_parameter_that_no_deployment_would_take_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationFault, match="DetectMemory must be a number from 512 to 1769"):
        read_plant(ROOT, {"DetectMemory": value})


def test_nothing_is_there_that_costs_by_the_hour() -> None:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "template.yaml", *Path(ROOT / "infra").glob("*.yaml")))
    assert not [name for name in ("NatGateway", "AWS::KMS::Key", "VpcEndpointType: Interface") if name in text]
