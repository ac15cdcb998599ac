"""A small stack in a pretended account: the parts of template.yaml that doctor and teardown look at, made by moto."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws

from proviso.cli.account.stack import Account, Part
from proviso.domain.audit import SYSTEM_CHAIN, AuditRecord
from proviso.domain.audit_export import heads_json, record_values
from tests.unit.test_domain_audit import chain, head_of

REGION = "eu-west-2"
NAME = "proviso"
API = "https://a1b2.execute-api.eu-west-2.amazonaws.com"
CONSOLE = f"{API}/console"
_PRIVATE = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}


def bucket(name: str, **more: Any) -> dict[str, Any]:
    properties = {"BucketName": f"proviso-{name}-trial", "PublicAccessBlockConfiguration": _PRIVATE, **more}
    return {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete", "Properties": properties}


def lasting(name: str) -> dict[str, Any]:
    return {
        **bucket(name, VersioningConfiguration={"Status": "Enabled"}),
        "DeletionPolicy": "Retain",  # moto knows no RetainExceptOnCreate
    }


def template() -> dict[str, Any]:
    return {
        "Parameters": {
            name: {"Type": "String", "Default": default}
            for name, default in {
                "Stage": "trial",
                "ConsoleUrl": CONSOLE,
                "AlarmEmail": "desk@example.org",
                "FirstAuthoriser": "",
                "RestoreFromSnapshot": "",
                "SoftwareBuild": "1.0",
                "DetectConcurrency": "3",
            }.items()
        },
        "Resources": {
            "FramesBucket": bucket("frames"),
            "PermitsBucket": bucket("permits"),
            "AnchorsBucket": lasting("anchors"),
            "RecordsBucket": lasting("records"),
            "FramesQueue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "frames"}},
            "FramesDeadLetterQueue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "dead-frames"}},
            "ReviewersTopic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "reviewers"}},
            "AlarmsTopic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "alarms"}},
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": "/proviso/trial/detect", "RetentionInDays": 30},
            },
            "EachMinute": {
                "Type": "AWS::Events::Rule",
                "Properties": {"Name": "each-minute", "ScheduleExpression": "rate(1 minute)", "State": "ENABLED"},
            },
        },
        "Outputs": {"ApiUrl": {"Value": API}, "ConsoleUrl": {"Value": CONSOLE}, "Stage": {"Value": "trial"}},
    }


def pretended_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that are nobody's, whatever the developer has."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "pretended")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@contextmanager
def pretended() -> Iterator[None]:
    """moto for all of AWS. What it does not know is answered as a service answers what it does not know."""
    asked = BaseClient._make_api_call  # type: ignore[attr-defined]

    def ask(client: Any, operation: str, given: dict[str, Any]) -> Any:
        if operation == "DescribeDBClusterAutomatedBackups":
            raise ClientError({"Error": {"Code": "InvalidAction", "Message": ""}}, operation)
        return asked(client, operation, given)

    with mock_aws(), patch.object(BaseClient, "_make_api_call", ask):
        yield


def account() -> Account:
    """The pretended account: moto answers whoever asks."""
    return Account(lambda service: boto3.client(service, region_name=REGION), REGION)


def deploy(**parameters: str) -> None:
    boto3.client("cloudformation", region_name=REGION).create_stack(
        StackName=NAME,
        TemplateBody=json.dumps(template()),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )


class Served:
    """The API's answers that a teardown asks for. Its audit is real, and each look at it lengthens the system chain."""

    def __init__(self) -> None:
        self.url = API
        self.deployments: list[dict[str, Any]] = [{"id": "d-1", "state": "closed"}]
        self.holdings: list[dict[str, Any]] = [
            {"store": "database", "what": "audit records", "count": 9, "until": None, "overdue": False, "why": "S29"}
        ]
        self.length = {"d-1": 3, SYSTEM_CHAIN: 4}
        self.asked: list[str] = []
        self.before: Callable[[str], None] = lambda path: None

    def records(self, name: str) -> list[AuditRecord]:
        found: list[AuditRecord] = chain(self.length[name], name)
        return found

    def get(self, path: str) -> Any:
        self.before(path)
        self.asked.append(path)
        parts = urlsplit(path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/deployments":
            return {"deployments": self.deployments}
        assert given["purpose"] == "teardown"
        if parts.path == "/retention":
            answer: dict[str, Any] = {"holdings": self.holdings}
        elif parts.path == "/audit/chains":
            listed = [{"chain": name, "sequence": length} for name, length in self.length.items()]
            answer = {"at": datetime.now(UTC).isoformat(), "chains": listed}
        else:
            assert parts.path == "/audit"
            after = int(given["after"])
            page = self.records(given["chain"])[after : after + 2]  # pages of two
            more = page[-1].sequence if len(page) == 2 else None
            answer = {"records": [record_values(one) for one in page], "next_after": more}
        self.length[SYSTEM_CHAIN] += 1
        return answer

    def anchor(self, *names: str, at: datetime | None = None) -> None:
        """Write heads as they are now into the anchors bucket."""
        heads = [head_of(self.records(name)[-1]) for name in names]
        boto3.client("s3", region_name=REGION).put_object(
            Bucket="proviso-anchors-trial",
            Key=f"heads/2026-11-27/{len(self.asked):06}.000Z_{'-'.join(names)}.json",
            Body=heads_json(heads, at or datetime.now(UTC)).encode(),
        )


def function(name: str, copies: int | None = None) -> Part:
    """A function in the pretended account, as a part of the stack."""
    number = f"proviso-{name}"
    role = boto3.client("iam", region_name=REGION).create_role(RoleName=number, AssumeRolePolicyDocument="{}")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as out:
        out.writestr("app.py", "")
    client = boto3.client("lambda", region_name=REGION)
    client.create_function(
        FunctionName=number,
        Runtime="python3.13",
        Handler="app.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": code.getvalue()},
    )
    if copies is not None:
        client.put_function_concurrency(FunctionName=number, ReservedConcurrentExecutions=copies)
    return Part(name, "AWS::Lambda::Function", number, "CREATE_COMPLETE")


def copies(part: Part) -> int | None:
    """How many copies are reserved for a function: 0 is stopped."""
    found = boto3.client("lambda", region_name=REGION).get_function_concurrency(FunctionName=part.id)
    reserved: int | None = found.get("ReservedConcurrentExecutions")
    return reserved
