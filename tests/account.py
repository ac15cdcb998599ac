"""A small stack in a pretended account: the parts of template.yaml that doctor and teardown look at, made by moto."""

import json
from typing import Any

import boto3

from proviso.cli.account.stack import Account

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


def account() -> Account:
    """The pretended account: moto answers whoever asks."""
    return Account(lambda service: boto3.client(service, region_name=REGION), REGION)


def deploy(**parameters: str) -> None:
    boto3.client("cloudformation", region_name=REGION).create_stack(
        StackName=NAME,
        TemplateBody=json.dumps(template()),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
