"""All that `proviso cost` shows of one use: a month, an idle month, a million frames, other uses, and Rekognition."""

from dataclasses import dataclass, replace

from proviso.cli.cost.durations import Clock
from proviso.cli.cost.model import Bill, Scenario, bill, per_million
from proviso.cli.cost.plant import Plant
from proviso.cli.cost.prices import Prices
from proviso.cli.cost.rekognition import Rekognition, rekognition

_RANGE = ((0.6, 0.6), (0.25, 2.0))
"""Speed and waits of the good and of the bad end: what nobody measured on AWS yet."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """All that is shown. `idle_free`: an idle month with what AWS gives every account for good taken off; `idle_list`:
    without. `month_totals`: dollars of the month, with that taken off and without. `million_elsewhere`: dollars a
    million frames in other uses, by the options that would show them."""

    scenario: Scenario
    prices: Prices
    plant: Plant
    clock: Clock
    free: bool
    month: Bill
    month_totals: tuple[float, float]
    idle_list: Bill
    idle_free: Bill
    million: dict[str, float]
    million_range: tuple[float, float]
    million_elsewhere: dict[str, float]
    rekognition: Rekognition

    @property
    def million_total(self) -> float:
        return sum(self.million.values())


def estimate(scenario: Scenario, plant: Plant, prices: Prices, clock: Clock, *, free: bool = False) -> Estimate:
    """Month, idle month, per million frames with its range and in other uses, and Rekognition."""

    def sums(this: Clock, use: Scenario = scenario) -> tuple[Bill, Bill, dict[str, float]]:
        month = bill(use, plant, prices, this, free=free)
        idle = bill(use.idle(), plant, prices, this, free=free)
        return month, idle, per_million(month, idle, use.frames)

    month, _, million = sums(clock)
    totals = {free: month.total, not free: bill(scenario, plant, prices, clock, free=not free).total}
    idle_list, idle_free = (bill(scenario.idle(), plant, prices, clock, free=each) for each in (False, True))
    ends = [sum(sums(Clock(clock.measured, speed, waits, clock.billed))[2].values()) for speed, waits in _RANGE]
    others = {name: sum(sums(clock, use)[2].values()) for name, use in _others(scenario).items()}
    yardstick = rekognition(scenario, prices)
    total = sum(million.values())
    spread = (min(total, *ends), max(total, *ends))
    return Estimate(
        scenario=scenario,
        prices=prices,
        plant=plant,
        clock=clock,
        free=free,
        month=month,
        month_totals=(totals[True], totals[False]),
        idle_list=idle_list,
        idle_free=idle_free,
        million=million,
        million_range=spread,
        million_elsewhere=others,
        rekognition=yardstick,
    )


def _others(scenario: Scenario) -> dict[str, Scenario]:
    """The same use in bursts, on a busy site, and both: the options that differ. Nothing where nothing runs."""
    if not scenario.frames:
        return {}
    busy = replace(scenario, cameras=max(10, scenario.cameras), fps=max(5.0, scenario.fps))
    options = f"--cameras {busy.cameras} --fps {busy.fps:g}"
    as_is = f" --burst {scenario.burst}" if scenario.burst > 1 else ""
    wanted = {
        "--burst 5": replace(scenario, burst=5),
        f"{options}{as_is}": busy,
        f"{options} --burst 5": replace(busy, burst=5),
    }
    found: dict[str, Scenario] = {}
    for name, use in wanted.items():
        if use != scenario and use not in found.values():
            found[name] = use
    return found
