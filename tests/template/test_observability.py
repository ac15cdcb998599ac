"""What watches over it: each alarm names something that is really measured, tells somebody what to do, and costs what
is counted here; the graphs too; and nothing keeps its log for ever."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from proviso.edge.metrics import Metric as Catalogue
from tests.template.conftest import Template

ALARMS = {
    *(f"{queue}{what}" for queue in ("Frames", "Faces", "Notices") for what in ("DeadLetters", "Late")),
    *("FunctionErrors", "ApiFaults", "SweepSilent", "Throttled"),
    *("Orphaned", "MessageEnded", "NotClosed", "ContactsUnreachable", "FalseCandidates", "AuditOrAnchor"),
    *("DatabaseAway", "DatabaseAwake", "NoticesFailed", "SmsSpend"),
}
SILENCE_IS_A_FAULT = {"SweepSilent", "ContactsUnreachable"}
# AWS's own metrics, as its documentation lists them, with the dimensions under which they exist.
OF_AWS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [("QueueName",)],
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): [("QueueName",)],
    ("AWS/Lambda", "Errors"): [("FunctionName",), ()],
    ("AWS/Lambda", "Invocations"): [("FunctionName",)],
    ("AWS/Lambda", "Duration"): [("FunctionName",)],
    ("AWS/Lambda", "Throttles"): [("FunctionName",), ()],
    ("AWS/Lambda", "ConcurrentExecutions"): [("FunctionName",), ()],
    ("AWS/ApiGateway", "Count"): [("ApiId",)],
    ("AWS/ApiGateway", "4xx"): [("ApiId",)],
    ("AWS/ApiGateway", "5xx"): [("ApiId",)],
    ("AWS/RDS", "ServerlessDatabaseCapacity"): [("DBClusterIdentifier",)],
    ("AWS/RDS", "DatabaseConnections"): [("DBClusterIdentifier",)],
    ("AWS/SNS", "NumberOfNotificationsDelivered"): [("TopicName",)],
    ("AWS/SNS", "NumberOfNotificationsFailed"): [("TopicName",)],
    ("AWS/SNS", "SMSMonthToDateSpentUSD"): [()],
}
Metric = tuple[str, str, tuple[tuple[str, str], ...]]


@pytest.fixture(scope="module")
def alarms(observability: Template) -> dict[str, dict[str, Any]]:
    return observability.of("AWS::CloudWatch::Alarm")


def in_alarm(alarm: dict[str, Any]) -> list[Metric]:
    found = [alarm] if "MetricName" in alarm else []
    found += [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return [
        (
            one["Namespace"],
            one["MetricName"],
            tuple((dimension["Name"], _text(dimension["Value"])) for dimension in one.get("Dimensions", [])),
        )
        for one in found
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"${{{value['Ref']}}}"


def widgets(observability: Template) -> list[dict[str, Any]]:
    (board,) = observability.of("AWS::CloudWatch::Dashboard").values()
    return json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"]


def on_the_board(observability: Template) -> list[Metric]:
    found = []
    for widget in widgets(observability):
        for namespace, name, *rest in widget["properties"].get("metrics", []):
            found.append((namespace, name, tuple(zip(rest[::2], rest[1::2], strict=True))))
    return found


def is_written(service: str, name: str) -> bool:
    """Is it in the catalogue, for this function? (tests/unit/test_edge_telemetry.py: what is in it is written.)"""
    return any(one.value.name == name and service in one.value.services for one in Catalogue)


def test_the_alarms_are_these(alarms: dict[str, dict[str, Any]]) -> None:
    assert set(alarms) == ALARMS


def test_each_says_what_to_do_and_where_it_is_written(alarms: dict[str, dict[str, Any]]) -> None:
    for name, alarm in alarms.items():
        assert alarm["AlarmName"] == {"Fn::Sub": f"proviso-${{Stage}}-{name}"}
        text = alarm["AlarmDescription"].strip()
        assert text.endswith(f"See docs/operations.md#alarm-{name.lower()}"), name
        assert len(text) <= 1024
        assert alarm["AlarmActions"] == [{"Ref": "AlarmsTopicArn"}], name


def test_what_each_names_is_there_to_be_read(alarms: dict[str, dict[str, Any]], root: Path) -> None:
    text = (root / "docs/operations.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {f"alarm-{name.lower()}" for name in [*alarms, "Budget"]} <= anchors


def test_no_data_is_a_fault_only_where_something_must_come(alarms: dict[str, dict[str, Any]]) -> None:
    """Most metrics are written when something happens: nothing of them is well. An alarm without data says nothing."""
    breaching = {name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"}
    assert breaching == SILENCE_IS_A_FAULT
    assert {a["TreatMissingData"] for n, a in alarms.items() if n not in breaching} == {"notBreaching"}


def test_alarms_and_graphs_name_what_is_measured(observability: Template, alarms: dict[str, dict[str, Any]]) -> None:
    """An alarm on a name that nobody writes is silent for ever."""
    named = [metric for alarm in alarms.values() for metric in in_alarm(alarm)] + on_the_board(observability)
    assert len(named) > 50
    for namespace, name, dimensions in named:
        if namespace == "Proviso":
            ((kind, service),) = dimensions
            assert kind == "service"
            assert is_written(service, name), (service, name)
        else:
            assert tuple(key for key, _ in dimensions) in OF_AWS[namespace, name], name


def test_a_name_that_nobody_writes_would_be_found() -> None:
    assert is_written("retain", "NotClosed")
    assert not is_written("retain", "NotOpen")
    assert not is_written("sweep", "NotClosed")
    assert not is_written("match", "Frame.lost")
    assert not is_written("alert", "Frame.orphaned")


def test_what_sweep_counts_is_what_is_looked_for(root: Path) -> None:
    text = (root / "layers/core/src/proviso/stages/sweep.py").read_text(encoding="utf-8")
    assert 'counts = {"deleted": 0, "stale": 0, "unprocessed": 0, "woken": 0}' in text


def test_math_names_each_of_its_metrics(alarms: dict[str, dict[str, Any]]) -> None:
    for name, alarm in alarms.items():
        if "Metrics" not in alarm:
            continue
        (result,) = [query for query in alarm["Metrics"] if query["ReturnData"]]
        inputs = {query["Id"]: query for query in alarm["Metrics"] if not query["ReturnData"]}
        assert len(inputs) <= 10, f"{name}: CloudWatch takes ten at most"
        assert len({query["MetricStat"]["Period"] for query in inputs.values()}) == 1
        if "METRICS()" not in result["Expression"]:
            words = set(re.findall(r"[a-z][a-z_]*", result["Expression"]))
            assert words == set(inputs), name


def test_an_alarm_looks_back_no_longer_than_cloudwatch_allows(alarms: dict[str, dict[str, Any]]) -> None:
    for name, alarm in alarms.items():
        period = alarm.get("Period") or max(q["MetricStat"]["Period"] for q in alarm["Metrics"] if "MetricStat" in q)
        assert period * alarm["EvaluationPeriods"] <= 86400, name


def test_what_the_alarms_cost(alarms: dict[str, dict[str, Any]]) -> None:
    """CloudWatch counts each metric that an alarm refers to: ten are free, each further one is 0.10 USD a month. Who
    adds one puts it down here, and in docs/infrastructure.md."""
    assert sum(len(in_alarm(alarm)) for alarm in alarms.values()) == 30


def test_every_function_and_the_database_are_on_the_board(observability: Template) -> None:
    shown = on_the_board(observability)
    functions = {dict(dimensions).get("FunctionName") for _, _, dimensions in shown}
    for metric in ("Errors", "Throttles"):
        here = {dict(d).get("FunctionName") for _, name, d in shown if name == metric}
        assert here == functions - {None}, metric
    assert ("AWS/RDS", "ServerlessDatabaseCapacity", (("DBClusterIdentifier", "${ClusterId}"),)) in shown


def test_graphs_do_not_lie_on_each_other(observability: Template) -> None:
    places: set[tuple[int, int]] = set()
    for widget in widgets(observability):
        taken = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & places, widget["properties"]
        assert all(x < 24 for x, _ in taken)
        places |= taken


NO_BUDGET = {"AlarmEmail": "", "MonthlyBudgetUSD": "0"}
"""A notification without a subscriber is refused; and some accounts let nobody but their root user make a budget."""


def test_the_budget_tells_somebody(observability: Template, template: Template) -> None:
    budget = observability.resources["Budget"]
    assert budget["Condition"] == "WithBudget"
    there = observability.raw["Conditions"]["WithBudget"]["Fn::And"]
    assert [{"Fn::Not": [{"Fn::Equals": [{"Ref": name}, nothing]}]} for name, nothing in NO_BUDGET.items()] == there
    assert template.raw["Parameters"]["MonthlyBudgetUSD"]["MinValue"] == 0
    properties = budget["Properties"]
    assert "BudgetName" not in properties["Budget"], "another AlarmEmail replaces it, and the name would be taken"
    assert properties["Budget"]["BudgetLimit"] == {"Amount": {"Ref": "MonthlyBudgetUSD"}, "Unit": "USD"}
    told = {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"])
        for one in properties["NotificationsWithSubscribers"]
    }
    assert told == {("ACTUAL", 50), ("ACTUAL", 90), ("FORECASTED", 100)}
    given = template.raw["Resources"]["Observability"]["Properties"]["Parameters"]
    for name in ("AlarmEmail", "MonthlyBudgetUSD", "SmsAlarmUSD"):
        assert given[name] == {"Ref": name}


def test_no_log_is_kept_for_ever(everything: list[Template], template: Template) -> None:
    """Each group has its days, and each function and the API a group of this file: one that Lambda makes has none."""
    groups = {name: properties for one in everything for name, properties in one.of("AWS::Logs::LogGroup").items()}
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
    for name, function in template.of("AWS::Lambda::Function").items():
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups, name
        extensions = [layer for layer in function["Layers"] if "Insights" in str(layer)]
        assert not extensions, "Lambda Insights writes into a group of its own, without an end"
    for stage in template.of("AWS::ApiGatewayV2::Stage").values():
        assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["ApiLogs", "Arn"]}
    # Who else makes groups by itself: RDS exports, flow logs, CodeBuild, the delivery status of SNS.
    text = json.dumps([one.expanded["Resources"] for one in everything])
    assert not re.search(r"DeliveryStatusLogging|FeedbackRoleArn|AWS::EC2::FlowLog|AWS::CodeBuild", text)
