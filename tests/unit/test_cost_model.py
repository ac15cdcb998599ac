"""The sums of `proviso cost`: worked by hand, and rules that hold for every use."""

from dataclasses import replace
from math import ceil, inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proviso.cli.cost.command import verdicts
from proviso.cli.cost.durations import Case, Clock, Measured
from proviso.cli.cost.estimate import estimate
from proviso.cli.cost.model import Bill, Scenario, ScenarioFault, bill, per_million
from proviso.cli.cost.plant import Plant
from proviso.cli.cost.prices import Tier, read_prices
from proviso.cli.cost.rekognition import rekognition, tiered
from proviso.edge import metrics

PLANT = Plant(
    memory_mb={
        "DetectFunction": 1769, "MatchFunction": 1769, "AlertFunction": 256, "RetainFunction": 512,
        "ReviewFunction": 512, "SweepFunction": 256, "GrantFunction": 256,
    },
    concurrency={"DetectFunction": 3, "MatchFunction": 2, "AlertFunction": 2},
    schedules={"AlertFunction": 300.0, "SweepFunction": 60.0},
    queues_polled=3,
    alarm_metrics=22,
    dashboards=1,
    retention_days=30,
)  # fmt: skip
FLAT = Case(20.0, 10.0, 800.0)
MEASURED = Measured(
    dict.fromkeys(
        (
            "detect, no face",
            "detect, 1 faces",
            "detect, 6 faces",
            "match, 1 faces, list 1",
            "match, 3 faces, list 1",
            "match, 6 faces, list 1",
            "match, 3 faces, list 10000",
            "alert, a notice again",
            "alert, by the clock",
            "retain, nothing to do",
            "sweep, awake",
            "review, an open page asks",
        ),
        FLAT,
    )
    | {"detect, no face, ten frames": Case(155.0, 60.0, 6200.0)},
    {"DetectFunction": 600.0, "MatchFunction": 600.0},
    {},
    "made up",
)  # fmt: skip
CLOCK = Clock(MEASURED, speed=0.5)
PRICES = read_prices("eu-west-2")


def month(scenario: Scenario, **changes: Any) -> Bill:
    return bill(scenario, replace(PLANT, **changes), PRICES, CLOCK)


def quantity(found: Bill, key: str, what: str = "") -> float:
    return sum(line.quantity for line in found.lines if line.key == key and what in line.what)


ONE_HOUR = Scenario(cameras=1, hours=1, fps=1, faces_share=0.25, reviewers=0, candidates=0, sms=0, emails=0, due=0)
"""3600 frames, 900 of them with faces."""


def test_an_hour_by_hand() -> None:
    found = month(ONE_HOUR)
    assert found.batch == 1
    assert quantity(found, "s3_put", "uploads") == 3600
    # without a face: its end and the index. With: received at detect, the end at match
    assert quantity(found, "dynamodb_write") == 2700 * 2 + 900 * 2
    assert quantity(found, "dynamodb_read", "folded") == pytest.approx(2700 * 400 / 4096 / 2)
    # three requests a frame, three more with faces; retain's runs ask six queues; the polls of the whole month
    polls = 3 * 5 * 730 * 3600 / 20
    assert quantity(found, "sqs_request") == 3600 * 3 + 900 * 3 + 60 * 6 + polls
    assert quantity(found, "s3_get", "detect") == 7200
    assert quantity(found, "s3_get", "match") == 1800
    assert quantity(found, "aurora_acu_hour") == pytest.approx((1 + 5 / 60) * 0.5)


def test_what_a_call_of_detect_is_charged_for() -> None:
    found = month(ONE_HOUR)
    waits = 2 * 25 + 20 + 2 * 5  # two GETs, a DELETE, two writes
    (calls,) = [one for one in found.calls if one.what == "uploads without faces"]
    assert calls.milliseconds == ceil((20 + 10) / 0.5 + waits)
    line = next(one for one in found.lines if one.what == "detect: uploads without faces" and "gb_second" in one.key)
    assert line.quantity == pytest.approx(2700 * 0.140 * 1769 / 1024)
    assert line.amount == pytest.approx(line.quantity * 0.0000133334)


def test_a_function_with_less_memory_has_less_of_a_core() -> None:
    assert CLOCK.cpu_ms(10, 1769) == 20
    assert CLOCK.cpu_ms(10, 1769 // 2 + 1) == pytest.approx(40, rel=0.01)
    assert CLOCK.cpu_ms(10, 10240) == 20  # one thread has one core at most


def test_what_an_idle_month_costs_by_hand() -> None:
    found = month(Scenario(due=0, contacts=0).idle())
    assert quantity(found, "s3_put") == 43800 * 3 + 8760 * 2
    assert quantity(found, "custom_metric") == metrics.of("idle")
    assert quantity(found, "alarm_metric") == 22
    watching = 22 * 0.10 + 3.00 + metrics.of("idle") * 0.30
    services = found.by_service()
    assert services["CloudWatch"] == pytest.approx(watching, abs=0.1)  # and a few logs
    assert services["SQS"] == pytest.approx(1_971_000 * 0.4e-6)
    assert quantity(found, "aurora_acu_hour") == 0
    assert not {line.what for line in found.lines} & {"uploads", "SMS"}


def test_metrics_of_active_hours_are_charged_by_the_hour() -> None:
    found = month(replace(ONE_HOUR, hours=73))
    assert quantity(found, "custom_metric", "active") == pytest.approx(metrics.of("active") * 0.1)


def test_what_is_free_is_taken_off_once_and_never_below_nothing() -> None:
    scenario = Scenario()
    full, less = (bill(scenario, PLANT, PRICES, CLOCK, free=free) for free in (False, True))
    polls = quantity(full, "sqs_request")
    assert sum(one.amount for one in less.lines if one.key == "sqs_request") == pytest.approx((polls - 1e6) * 0.4e-6)
    assert sum(one.amount for one in less.lines if one.key == "dashboard") == 0
    assert all(line.amount >= -1e-9 for line in less.lines if line.quantity > 0)


def test_snapstart_is_charged_by_what_is_kept_and_restored() -> None:
    scenario = Scenario()
    plain = month(scenario)
    found = month(scenario, snapstart=frozenset({"DetectFunction"}))
    assert quantity(found, "snapstart_cache") == pytest.approx(1769 / 1024 * 730 * 3600)
    cold = sum(one.cold for one in plain.calls if one.function == "DetectFunction")
    assert quantity(found, "snapstart_restore") == pytest.approx(cold * 1769 / 1024)
    assert not any("detect: cold" in line.what for line in found.lines)


def test_a_database_that_may_not_sleep_for_longer_is_paid_for_longer() -> None:
    asked = replace(ONE_HOUR, hours=20)  # three sessions
    assert quantity(month(asked, pause_seconds=7200), "aurora_acu_hour") == pytest.approx((20 + 3 * 2) * 0.5)
    always = replace(ONE_HOUR, hours=700)
    assert quantity(month(always, pause_seconds=86400), "aurora_acu_hour") == 730 * 0.5, "a month has no more"


def test_traces_are_charged_for_where_they_are_on() -> None:
    """By Lambda's sampling: a call in each second, and one in twenty of the others."""
    asked = replace(ONE_HOUR, fps=4)
    assert quantity(month(asked), "xray_trace") == 0
    traced = month(asked, traced=frozenset({"DetectFunction", "SweepFunction"}))
    assert quantity(traced, "xray_trace") == pytest.approx(3600 + (4 * 3600 - 3600) / 20 + 730 * 60)
    (line,) = [one for one in traced.lines if one.key == "xray_trace"]
    assert line.amount == pytest.approx(line.quantity * 5e-6)


def test_faster_frames_are_taken_together() -> None:
    slow, fast = month(Scenario()), month(Scenario(cameras=20, fps=10))
    assert slow.batch == 1
    assert 1 < fast.batch <= 10
    a, b = (quantity(one, "sqs_request", "frames") / uploads for one, uploads in (
        (slow, Scenario().uploads), (fast, Scenario(cameras=20, fps=10).uploads)))  # fmt: skip
    assert b < a == 3


def test_too_many_frames_are_said() -> None:
    assert "DetectConcurrency" in " ".join(month(Scenario(cameras=200, fps=10)).warnings)


def test_the_user_s_own_durations_go_first() -> None:
    found = bill(ONE_HOUR, PLANT, PRICES, Clock(MEASURED, billed={"DetectFunction": 77.0}))
    assert {one.milliseconds for one in found.calls if one.function == "DetectFunction"} == {77.0}
    assert not any("detect: cold" in line.what for line in found.lines)


def test_a_million_frames_leave_out_the_idle_month_and_notices() -> None:
    scenario = Scenario()
    loud = replace(scenario, sms=1_000_000)
    results = []
    for one in (scenario, loud):
        whole, idle = month(one), month(one.idle())
        results.append(per_million(whole, idle, one.frames))
    assert results[0] == results[1]
    assert "CloudWatch" in results[0]
    assert results[0]["CloudWatch"] < 22 * 0.1 / scenario.frames * 1e6
    assert per_million(month(scenario.idle()), month(scenario.idle()), 0) == {}


def test_targets_name_their_lines() -> None:
    found = estimate(Scenario(), PLANT, PRICES, CLOCK)
    (million, idle) = verdicts(found)
    assert million[1] is (found.million_total <= 12)
    assert "S3" in million[2]
    assert idle[1] is True, "held against what is left after what every account is given"
    assert "at list price: CloudWatch dashboard 3.00" in idle[2]
    dear = estimate(Scenario(), replace(PLANT, alarm_metrics=100), PRICES, CLOCK)
    assert verdicts(dear)[1][1] is False
    assert "CloudWatch alarms 9.00" in verdicts(dear)[1][2]
    low, high = found.million_range
    assert low <= found.million_total <= high


def test_without_frames_there_is_no_price_of_a_million() -> None:
    found = estimate(Scenario(hours=0), PLANT, PRICES, CLOCK)
    assert found.million_elsewhere == {}
    assert [text for text, _, _ in verdicts(found) if "million" in text] == []


COUNTS: dict[str, Any] = {
    "cameras": st.integers(0, 60), "hours": st.floats(0, 700), "fps": st.floats(0, 30),
    "faces_share": st.floats(0, 1), "faces": st.integers(1, 30), "sms": st.integers(0, 1000),
    "candidates": st.integers(0, 1000), "reviewers": st.integers(0, 5), "burst": st.integers(1, 5),
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    scenario=st.fixed_dictionaries(COUNTS).map(lambda values: Scenario(**values)),
    name=st.sampled_from(["cameras", "sms", "candidates", "reviewers", "faces"]),
    free=st.booleans(),
)
def test_more_never_costs_less(scenario: Scenario, name: str, free: bool) -> None:
    more = replace(scenario, **{name: getattr(scenario, name) + 1})
    less_total, more_total = (bill(one, PLANT, PRICES, CLOCK, free=free).total for one in (scenario, more))
    assert less_total <= more_total * (1 + 1e-9) + 1e-9
    assert less_total >= 0


@settings(max_examples=60, deadline=None)
@given(scenario=st.fixed_dictionaries(COUNTS).map(lambda values: Scenario(**values)))
def test_the_free_tier_and_an_idle_month_never_cost_more(scenario: Scenario) -> None:
    whole = bill(scenario, PLANT, PRICES, CLOCK)
    assert bill(scenario, PLANT, PRICES, CLOCK, free=True).total <= whole.total + 1e-9
    assert bill(scenario.idle(), PLANT, PRICES, CLOCK).total <= whole.total + 1e-9


@pytest.mark.parametrize(
    ("name", "value"),
    [("hours", 731), ("hours", -1), ("hours", float("nan")), ("fps", inf), ("faces_share", 1.01), ("faces", 0),
     ("burst", 6), ("cameras", -1)],
)  # fmt: skip
def test_a_figure_that_cannot_be_is_named(name: str, value: float) -> None:
    with pytest.raises(ScenarioFault, match="--" + name.replace("_", "-")):
        Scenario(**{name: value})


def test_tiers_by_hand() -> None:
    tiers = (Tier(1000, 0.01, "x"), Tier(5000, 0.005, "x"), Tier(inf, 0.001, "x"))
    assert tiered(1000, tiers) == pytest.approx(10)
    assert tiered(6000, tiers) == pytest.approx(10 + 20 + 1)
    assert tiered(0, tiers) == 0


def test_rekognition_for_the_same_frames_by_hand() -> None:
    scenario = Scenario(cameras=1, hours=10, fps=10, faces_share=0.2, faces=3, list_size=500)  # 360,000 frames
    found = rekognition(scenario, read_prices("us-east-1"))
    assert found.calls == 360_000 + 216_000
    assert found.all_faces == pytest.approx(360 + 216 + 0.005)
    assert found.largest_face == pytest.approx(360.005)


def test_bursts_and_a_busy_site_are_shown_beside_it() -> None:
    found = estimate(Scenario(), PLANT, PRICES, CLOCK)
    assert list(found.million_elsewhere) == ["--burst 5", "--cameras 10 --fps 5", "--cameras 10 --fps 5 --burst 5"]
    assert max(found.million_elsewhere.values()) < found.million_total
    busy_bursts = estimate(Scenario(cameras=20, fps=5, burst=2), PLANT, PRICES, CLOCK).million_elsewhere
    assert list(busy_bursts) == ["--burst 5"], "the busy site is this one, and none is shown twice"
    assert list(estimate(Scenario(burst=2), PLANT, PRICES, CLOCK).million_elsewhere)[1] == (
        "--cameras 10 --fps 5 --burst 2"
    )
    assert found.million_elsewhere["--burst 5"] == estimate(Scenario(burst=5), PLANT, PRICES, CLOCK).million_total
