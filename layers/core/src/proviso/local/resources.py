"""Creates what the template names, in a moto server, and says of the rest that something stands in for it.

Three lists: created here; stood in for (each with a sentence for people); and anything else, which stops the start by
name. So nobody believes that a resource exists locally which in truth was skipped. Names are chosen before anything is
created, so the order of creation follows from one rule only: notifications come after queues.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local.template import ACCOUNT, REGION, Resource, Stack

CREATED = (
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::SNS::Topic",
    "AWS::SNS::Subscription",
    "AWS::Lambda::Function",
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Events::Rule",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
)
_NETWORK = "VPC: functions inside it get a closed port for everything but S3, DynamoDB and PostgreSQL"
_DATABASE = "Aurora: an embedded PostgreSQL, or the one of DATABASE_URL; it never sleeps"
_RIGHTS = "IAM: only what cameras are given is held against a role here; tests of the compiled template check the rest"
_WATCH = "CloudWatch: no alarms, dashboards or log groups; logs are files"
LAYERS = "Layers: functions run from the checkout with this machine's Python and packages"

STOOD_IN = {
    **dict.fromkeys(
        [
            "AWS::EC2::VPC",
            "AWS::EC2::Subnet",
            "AWS::EC2::RouteTable",
            "AWS::EC2::Route",
            "AWS::EC2::SubnetRouteTableAssociation",
            "AWS::EC2::VPCEndpoint",
            "AWS::EC2::SecurityGroup",
            "AWS::EC2::SecurityGroupIngress",
            "AWS::EC2::SecurityGroupEgress",
            "AWS::EC2::FlowLog",
        ],
        _NETWORK,
    ),
    **dict.fromkeys(
        [
            "AWS::RDS::DBCluster",
            "AWS::RDS::DBInstance",
            "AWS::RDS::DBSubnetGroup",
            "AWS::RDS::DBClusterParameterGroup",
            "AWS::RDS::DBParameterGroup",
        ],
        _DATABASE,
    ),
    **dict.fromkeys(
        [
            "AWS::IAM::Role",
            "AWS::IAM::Policy",
            "AWS::IAM::RolePolicy",
            "AWS::IAM::ManagedPolicy",
            "AWS::Lambda::Permission",
            "AWS::SQS::QueuePolicy",
            "AWS::S3::BucketPolicy",
            "AWS::SNS::TopicPolicy",
        ],
        _RIGHTS,
    ),
    **dict.fromkeys(
        [
            "AWS::CloudWatch::Alarm",
            "AWS::CloudWatch::CompositeAlarm",
            "AWS::CloudWatch::Dashboard",
            "AWS::Logs::LogGroup",
            "AWS::Logs::MetricFilter",
        ],
        _WATCH,
    ),
    **dict.fromkeys(
        [
            "AWS::Cognito::UserPool",
            "AWS::Cognito::UserPoolClient",
            "AWS::Cognito::UserPoolDomain",
            "AWS::Cognito::ManagedLoginBranding",
        ],
        "Cognito: a local sign-in signs tokens for whoever is named; no passwords, no second factor",
    ),
    **dict.fromkeys(
        ["AWS::KMS::Key", "AWS::KMS::Alias"],
        "KMS: names only, nothing is encrypted with these keys",
    ),
    "AWS::Lambda::LayerVersion": LAYERS,
    "AWS::Lambda::EventInvokeConfig": "Asynchronous calls: run once, without retries",
    "AWS::CloudFormation::WaitConditionHandle": "Wait conditions: never wait",
}


@dataclass
class Identities:
    """The names of everything, known before it exists. `custom` holds the answers of custom resources."""

    aws_endpoint: str = "http://127.0.0.1"
    api_url: str = "http://127.0.0.1"
    custom: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def reference(self, resource: Resource) -> Any:
        name = physical_name(resource)
        match resource.type:
            case "AWS::SQS::Queue":
                return f"{self.aws_endpoint}/{ACCOUNT}/{name}"
            case "AWS::SNS::Topic" | "AWS::SNS::Subscription":
                return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
            case "AWS::Lambda::Version" | "AWS::Lambda::Alias":
                return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
            case "AWS::Lambda::LayerVersion":
                return f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:1"
            case "AWS::IAM::ManagedPolicy":
                return f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        if resource.type.startswith("Custom::"):
            return self.custom.get(resource.logical_id, {}).get("PhysicalResourceId", name)
        return name

    def attribute(self, resource: Resource, name: str) -> Any:
        own = physical_name(resource)
        service, kind = [*resource.type.split("::"), "", ""][1:3]
        if resource.type.startswith("Custom::"):
            return self.custom.get(resource.logical_id, {}).get("Data", {}).get(name, "")
        if name in ("Arn", "TopicArn", "FunctionArn", "DBClusterArn", "AliasArn"):
            prefix = {
                "AWS::S3::Bucket": "arn:aws:s3:::",
                "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
                "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:",
                "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/",
                "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
                "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
                "AWS::Cognito::UserPool": f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/",
                "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:",
            }.get(resource.type, f"arn:aws:{service.lower()}:{REGION}:{ACCOUNT}:{kind.lower()}/")
            return prefix + own
        known = {
            ("AWS::SQS::Queue", "QueueName"): own,
            ("AWS::SQS::Queue", "QueueUrl"): f"{self.aws_endpoint}/{ACCOUNT}/{own}",
            ("AWS::SNS::Topic", "TopicName"): own,
            ("AWS::S3::Bucket", "DomainName"): f"{own}.s3.amazonaws.com",
            ("AWS::S3::Bucket", "RegionalDomainName"): f"{own}.s3.{REGION}.amazonaws.com",
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint"): self.api_url,
            ("AWS::ApiGatewayV2::Api", "ApiId"): own,
            ("AWS::Lambda::Version", "Version"): "1",
            ("AWS::RDS::DBCluster", "Endpoint.Port"): "5432",
        }
        if (resource.type, name) in known:
            return known[resource.type, name]
        if resource.type in STOOD_IN:
            return f"local-{resource.logical_id}-{name}"
        raise ConfigurationFault(
            f"{resource.path}: the local cloud does not know the attribute {name} of {resource.type}"
        )


_NAME_PROPERTY = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
}


def physical_name(resource: Resource) -> str:
    """The name a resource goes by, its own or one made from stack and logical id."""
    if resource.type in ("AWS::Lambda::Version", "AWS::Lambda::Alias"):
        function = str(resource.stack.resolve(resource.properties["FunctionName"], resource.path)).split(":")[-1]
        name = resource.stack.resolve(resource.properties["Name"]) if resource.type.endswith("Alias") else "1"
        return f"{function}:{name}"
    own = resource.properties.get(_NAME_PROPERTY.get(resource.type, ""))
    if own is not None:
        return str(resource.stack.resolve(own, resource.path))
    name = f"{resource.stack.name}-{resource.logical_id}"
    if resource.type == "AWS::S3::Bucket":
        mark = hashlib.sha256(name.encode()).hexdigest()[:8]
        return f"{name.lower()[:54]}-{mark}"
    return name


def check(stack: Stack) -> list[str]:
    """The sentences for what is stood in for. ConfigurationFault names a type that is on no list."""
    sentences: list[str] = []
    for resource in stack.all_resources():
        if resource.type in CREATED or resource.type.startswith("Custom::"):
            continue
        sentence = STOOD_IN.get(resource.type)
        if sentence is None:
            raise ConfigurationFault(
                f"{resource.path} is of type {resource.type}, which the local cloud neither creates nor stands in for"
            )
        if sentence not in sentences:
            sentences.append(sentence)
    return sentences


def create(stack: Stack, client: Callable[[str], Any]) -> None:
    """Create buckets, queues, tables, topics and subscriptions, then the notifications of buckets."""
    by_type: dict[str, list[Resource]] = {}
    for resource in stack.all_resources():
        by_type.setdefault(resource.type, []).append(resource)
    _queues(by_type.get("AWS::SQS::Queue", []), client("sqs"))
    for resource in by_type.get("AWS::DynamoDB::Table", []):
        _table(resource, client("dynamodb"))
    _topics(by_type.get("AWS::SNS::Topic", []), by_type.get("AWS::SNS::Subscription", []), client("sns"))
    s3 = client("s3")
    for resource in by_type.get("AWS::S3::Bucket", []):
        _bucket(resource, s3)


def _queues(resources: Iterable[Resource], sqs: Any) -> None:
    wanted = [(resource, resource.resolved()) for resource in resources]
    # A queue must exist before another names it as its dead-letter queue.
    for resource, properties in sorted(wanted, key=lambda one: "RedrivePolicy" in one[1]):
        attributes: dict[str, str] = {}
        for name in (
            "VisibilityTimeout",
            "MessageRetentionPeriod",
            "DelaySeconds",
            "MaximumMessageSize",
            "ReceiveMessageWaitTimeSeconds",
            "SqsManagedSseEnabled",
            "KmsMasterKeyId",
        ):
            if name in properties:
                attributes[name] = str(properties[name]).lower() if name.startswith("Sqs") else str(properties[name])
        if "RedrivePolicy" in properties:
            attributes["RedrivePolicy"] = json.dumps(properties["RedrivePolicy"])
        sqs.create_queue(QueueName=physical_name(resource), Attributes=attributes)


def _table(resource: Resource, dynamodb: Any) -> None:
    properties = resource.resolved()
    name = physical_name(resource)
    wanted = {
        key: properties[key]
        for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        if key in properties
    }
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **wanted)
    if "TimeToLiveSpecification" in properties:
        expiry = properties["TimeToLiveSpecification"]
        dynamodb.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"AttributeName": expiry["AttributeName"], "Enabled": _true(expiry["Enabled"])},
        )


def _topics(topics: Iterable[Resource], subscriptions: Iterable[Resource], sns: Any) -> None:
    arns = {}
    for resource in topics:
        properties = resource.resolved()
        arns[resource.logical_id] = sns.create_topic(Name=physical_name(resource))["TopicArn"]
        for one in properties.get("Subscription") or []:
            sns.subscribe(TopicArn=arns[resource.logical_id], Protocol=one["Protocol"], Endpoint=one["Endpoint"])
    for resource in subscriptions:
        properties = resource.resolved()
        attributes = {}
        if "FilterPolicy" in properties:
            attributes["FilterPolicy"] = json.dumps(properties["FilterPolicy"])
        if "FilterPolicyScope" in properties:
            attributes["FilterPolicyScope"] = properties["FilterPolicyScope"]
        sns.subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            Attributes=attributes,
        )


def _bucket(resource: Resource, s3: Any) -> None:
    properties = resource.resolved()
    name = physical_name(resource)
    s3.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=_true(properties.get("ObjectLockEnabled", False)),
    )
    if "PublicAccessBlockConfiguration" in properties:
        block = {key: _true(value) for key, value in properties["PublicAccessBlockConfiguration"].items()}
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if "BucketEncryption" in properties:
        rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        api = [{"ApplyServerSideEncryptionByDefault": one["ServerSideEncryptionByDefault"]} for one in rules]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": api})
    if "VersioningConfiguration" in properties and not _true(properties.get("ObjectLockEnabled", False)):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"])
    if "ObjectLockConfiguration" in properties:
        lock = properties["ObjectLockConfiguration"]
        retention = dict(lock["Rule"]["DefaultRetention"])
        retention.update({key: int(retention[key]) for key in ("Days", "Years") if key in retention})
        s3.put_object_lock_configuration(
            Bucket=name,
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},
        )
    if "LifecycleConfiguration" in properties:
        rules = [_lifecycle_rule(one) for one in properties["LifecycleConfiguration"]["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if "NotificationConfiguration" in properties:
        wanted = _notifications(properties["NotificationConfiguration"], resource)
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=wanted)


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    api: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        api["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        api["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        api["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    if "NoncurrentVersionExpiration" in rule:
        days = int(rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
        api["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    return api


def _notifications(wanted: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    others = sorted(set(wanted) - {"QueueConfigurations"})
    if others:
        raise ConfigurationFault(
            f"{resource.path}: the local cloud sends bucket events to queues only, not {others[0]}"
        )
    api = []
    for one in wanted["QueueConfigurations"]:
        entry: dict[str, Any] = {"QueueArn": one["Queue"], "Events": [one["Event"]]}
        if "Filter" in one:
            rules = [{"Name": rule["Name"], "Value": rule["Value"]} for rule in one["Filter"]["S3Key"]["Rules"]]
            entry["Filter"] = {"Key": {"FilterRules": rules}}
        api.append(entry)
    return {"QueueConfigurations": api}


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
