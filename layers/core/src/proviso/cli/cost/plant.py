"""What the template puts into an account that costs by the month or decides what a call costs: read from the template.

Types that cost nothing by themselves are named one by one. Anything else is shown as not counted, so that a new
resource is not silently free.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proviso.domain.errors import ConfigurationFault

if TYPE_CHECKING:
    from proviso.local.template import Resource

_PARAMETERS = {"SoftwareBuild": "cost", "ComplaintsContact": "cost@example.org"}
_FREE_KINDS = {
    "ApiGatewayV2": (
        "Api",
        "Stage",
    ),
    "Budgets": ("Budget",),
    "CloudFormation": ("Stack",),
    "CloudWatch": (
        "Alarm",
        "Dashboard",
    ),
    "Cognito": (
        "ManagedLoginBranding",
        "UserPool",
        "UserPoolClient",
        "UserPoolDomain",
    ),
    "DynamoDB": ("Table",),
    "EC2": (
        "RouteTable",
        "SecurityGroup",
        "SecurityGroupEgress",
        "SecurityGroupIngress",
        "Subnet",
        "SubnetRouteTableAssociation",
        "VPC",
    ),
    "Events": ("Rule",),
    "IAM": (
        "ManagedPolicy",
        "Role",
    ),
    "Lambda": (
        "Alias",
        "EventInvokeConfig",
        "EventSourceMapping",
        "Function",
        "LayerVersion",
        "Permission",
        "Version",
    ),
    "Logs": (
        "LogGroup",
        "QueryDefinition",
    ),
    "RDS": (
        "DBCluster",
        "DBClusterParameterGroup",
        "DBInstance",
        "DBSubnetGroup",
    ),
    "S3": (
        "Bucket",
        "BucketPolicy",
    ),
    "SNS": (
        "Subscription",
        "Topic",
        "TopicPolicy",
    ),
    "SQS": (
        "Queue",
        "QueuePolicy",
    ),
    "Serverless": ("Application",),
}
_FREE = frozenset(f"AWS::{service}::{kind}" for service, kinds in _FREE_KINDS.items() for kind in kinds)


@dataclass(frozen=True, slots=True)
class Plant:
    """Figures of the template. `schedules` are seconds between two calls of a function; `uncounted` what has no price
    here; `snapstart` are functions that start from a snapshot, `traced` those whose calls X-Ray samples. The database
    sleeps after `pause_seconds` without a contact. `retention_days` of the logs."""

    memory_mb: Mapping[str, int]
    concurrency: Mapping[str, int]
    schedules: Mapping[str, float]
    queues_polled: int
    alarm_metrics: int
    dashboards: int
    retention_days: int
    snapstart: frozenset[str] = frozenset()
    traced: frozenset[str] = frozenset()
    pause_seconds: float = 300.0
    system_logs: bool = True
    uncounted: tuple[str, ...] = ()


def read_plant(root: Path, parameters: Mapping[str, str] | None = None) -> Plant:
    """From template.yaml with its nested stacks. ConfigurationFault where they cannot be read."""
    from proviso.local.resources import Identities
    from proviso.local.template import load_stack

    stack = load_stack(
        root / "template.yaml", _PARAMETERS | dict(parameters or {}), Identities("http://aws", "http://api")
    )
    found = list(stack.all_resources())
    functions = {one.logical_id: one.resolved() for one in found if one.type == "AWS::Lambda::Function"}
    mappings = [one.resolved() for one in found if one.type == "AWS::Lambda::EventSourceMapping"]
    names = {str(one.get("FunctionName")): logical for logical, one in functions.items()}
    return Plant(
        memory_mb={name: int(one.get("MemorySize", 128)) for name, one in functions.items()},
        concurrency={_function_of(one, functions, names): _concurrency(one) for one in mappings},
        schedules=_schedules(found, functions),
        queues_polled=len(mappings),
        alarm_metrics=sum(_metrics_of(one.resolved()) for one in found if one.type == "AWS::CloudWatch::Alarm"),
        dashboards=sum(one.type == "AWS::CloudWatch::Dashboard" for one in found),
        retention_days=max(
            (
                int(one.resolved()["RetentionInDays"])
                for one in found
                if one.type == "AWS::Logs::LogGroup" and "RetentionInDays" in one.properties
            ),
            default=30,
        ),
        snapstart=frozenset(
            name for name, one in functions.items() if one.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"
        ),
        traced=frozenset(
            name for name, one in functions.items() if one.get("TracingConfig", {}).get("Mode") == "Active"
        ),
        pause_seconds=max(
            (
                float(one.resolved()["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"])
                for one in found
                if one.type == "AWS::RDS::DBCluster"
            ),
            default=300.0,
        ),
        system_logs=not all(one.get("LoggingConfig", {}).get("SystemLogLevel") == "WARN" for one in functions.values()),
        uncounted=tuple(sorted(_uncounted(found))),
    )


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """An alarm is charged by the metrics that it looks at: one, or those of its expression."""
    return sum("MetricStat" in one for one in alarm.get("Metrics") or []) or 1


def _function_of(mapping: Mapping[str, Any], functions: Mapping[str, Any], names: Mapping[str, str]) -> str:
    arn = str(mapping["FunctionName"])
    short = arn.split(":function:")[-1].split(":")[0]
    for logical in functions:
        if short == logical or short.endswith(f"-{logical}") or names.get(short) == logical:
            return logical
    raise ConfigurationFault(f"a mapping names {arn}, which is no function of the template")


def _concurrency(mapping: Mapping[str, Any]) -> int:
    return int((mapping.get("ScalingConfig") or {}).get("MaximumConcurrency", 5))


def _schedules(found: "list[Resource]", functions: Mapping[str, Any]) -> dict[str, float]:
    from proviso.local.schedule import period_of

    periods = {}
    for one in found:
        if one.type == "AWS::Events::Rule" and "ScheduleExpression" in (rule := one.resolved()):
            for target in rule.get("Targets") or []:
                name = _function_of({"FunctionName": target["Arn"]}, functions, {})
                periods[name] = period_of(rule["ScheduleExpression"], one.path)
    return periods


def _uncounted(found: "list[Resource]") -> set[str]:
    types = {one.type for one in found if not one.type.startswith("Custom::")}
    gateways = {
        one.type
        for one in found
        if one.type == "AWS::EC2::VPCEndpoint" and one.properties.get("VpcEndpointType") == "Gateway"
    }
    return types - _FREE - gateways
