"""What a teardown would take away and what it would leave, with the reason and until when. It only reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from proviso.cli.account import databases
from proviso.cli.account.stack import Account, Part, Stack, described, log_groups, outputs_of, sentence, unless_gone

NO_BUCKET = "NoSuchBucket"
_SAM_STACK = "aws-sam-cli-managed-default"
_COUNTED = {
    "AWS::Lambda::Function": "functions, with all their versions",
    "AWS::Lambda::LayerVersion": "layers",
    "AWS::DynamoDB::Table": "tables; they have no backups",
    "AWS::SQS::Queue": "queues, with what waits in them",
    "AWS::SNS::Topic": "topics, with their subscriptions",
    "AWS::Logs::LogGroup": "log groups",
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::IAM::Role": "roles",
    "AWS::ApiGatewayV2::Api": "API; its address is never given out again",
    "AWS::Cognito::UserPool": "user pool, with everybody's account",
    "AWS::RDS::DBCluster": "database cluster, with its automated backups",
    "AWS::EC2::VPC": "network",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Something that goes or remains: what, which, why, and until when where that is known."""

    what: str
    name: str
    why: str
    until: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    goes: tuple[Line, ...]
    remains: tuple[Line, ...]


def plan(account: Account, stack: Stack, now: datetime) -> Plan:
    """Both lists. What cannot be looked at is a line that says so, never left out."""
    remains: list[Line] = []
    looks: tuple[tuple[str, Callable[[], list[Line]]], ...] = (
        ("what is kept", lambda: list(_kept(account, stack, now))),
        ("snapshots", lambda: list(_snapshots(account, stack))),
        ("logs of SMS delivery", lambda: list(_delivery_logs(account))),
        ("other logs", lambda: list(_own_logs(account, stack))),
        ("artefacts", lambda: list(_artefacts(account, stack))),
        ("SMS settings", lambda: [_settings()]),
    )
    for what, look in looks:
        try:
            remains += look()
        except Exception as error:  # noqa: BLE001
            remains.append(Line(what, "not known", sentence(error)))
    return Plan(tuple(_goes(account, stack)), tuple(remains))


def emptied(stack: Stack) -> list[Part]:
    """Buckets that go: CloudFormation deletes none that holds something."""
    return [part for part in stack.of("AWS::S3::Bucket") if not stack.kept(part) and part.id]


def _goes(account: Account, stack: Stack) -> Iterator[Line]:
    for part in emptied(stack):
        try:
            count = sum(1 for _ in versions(account, part.id))
            yield Line("bucket", part.id, f"{count} objects, deleted first")
        except Exception as error:  # noqa: BLE001
            yield Line("bucket", part.id, sentence(error))
    for kind, said in _COUNTED.items():
        if count := len([part for part in stack.of(kind) if not stack.kept(part)]):
            yield Line(kind.rsplit("::", 1)[1], str(count), said)


def versions(account: Account, bucket: str) -> Iterator[dict[str, Any]]:
    """Every version and delete marker in a bucket; nothing where the bucket is gone."""
    with unless_gone(NO_BUCKET):
        for page in account.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
            yield from (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))


def _kept(account: Account, stack: Stack, now: datetime) -> Iterator[Line]:
    for part in stack.of("AWS::S3::Bucket"):
        if not stack.kept(part):
            continue
        found = list(versions(account, part.id))
        days = int(stack.parameters.get("AnchorsRetentionDays") or 365)
        if part.name == "AnchorsBucket":
            last = max((one["LastModified"] for one in found), default=None)
            until = f"{last + timedelta(days=days):%Y-%m-%d}" if last else ""
            mode = stack.parameters.get("AnchorsRetentionMode") or "GOVERNANCE"
            why = f"{len(found)} heads of the audit and erasures, locked ({mode.lower()}), nothing about a person (S29)"
            yield Line("anchors", part.id, why, until)
        else:
            yield Line(
                part.name, part.id, f"{len(found)} versions of what was published, no person (S32)", "you delete it"
            )
    for part in stack.parts:
        if part.type not in ("AWS::S3::Bucket", "AWS::S3::BucketPolicy") and stack.kept(part):
            yield Line(part.name, part.id, "the template keeps it", "you delete it")


def _snapshots(account: Account, stack: Stack) -> Iterator[Line]:
    for name in databases.besides(account, stack):
        yield Line(
            "database cluster", name, "no part of the stack: IT HOLDS TEMPLATES; delete it first", "you delete it"
        )
    for name in databases.made_by_hand(account, stack):
        yield Line("snapshot", name, "made by hand: IT HOLDS TEMPLATES; delete it first", "you delete it")


def _delivery_logs(account: Account) -> Iterator[Line]:
    why = "SNS writes telephone numbers there, for the whole account; no part of the stack"
    yield from _groups(account, f"sns/{account.region}/", "logs of SMS delivery", why)


def _own_logs(account: Account, stack: Stack) -> Iterator[Line]:
    """Log groups which Lambda made by itself, outside of the template's."""
    yield from _groups(account, f"/aws/lambda/{stack.name}-", "log group", "made by Lambda and not by the template")


def _groups(account: Account, prefix: str, what: str, why: str) -> Iterator[Line]:
    for one in log_groups(account, prefix):
        days = one.get("retentionInDays")
        yield Line(what, one["logGroupName"], why, f"each line {days} days" if days else "for ever")


def _artefacts(account: Account, stack: Stack) -> Iterator[Line]:
    """The code that sam uploaded, in a bucket that it shares between all its stacks."""
    found = described(account.client("cloudformation"), _SAM_STACK)
    if found is not None and (bucket := outputs_of(found).get("SourceBucket")):
        why = f"code as it was uploaded; all stacks of sam share it: aws s3 rm s3://{bucket}/{stack.name}/ --recursive"
        yield Line("artefacts", bucket, why, "you delete it")


def _settings() -> Line:
    why = "sandbox numbers, spending limit, who opted out, a sender's registration: of the account, not of the stack"
    return Line("SMS settings", "Amazon SNS", why, "you change them")


def today() -> datetime:
    return datetime.now(UTC)
