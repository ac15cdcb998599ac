"""What the contract tests of the cloud ports stand on: moto in this process, with the key schema of the template."""

import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

REGION = "eu-west-2"
NOW = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
_numbers = itertools.count(1)


class OneAtATime:
    """A client whose calls run one at a time, as DynamoDB runs the writes to one item. moto itself does not, so
    without this a race between threads would test moto. Two calls of one adapter method can still interleave."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name.startswith("get_paginator"):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return found(*args, **kwargs)

        return call


@dataclass(frozen=True)
class Cloud:
    """Clients of the moto in this process, and new resources on request."""

    client: Callable[[str], Any]

    def bucket(self) -> str:
        name = f"proviso-test-{next(_numbers)}"
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def ledger_table(self) -> str:
        name = f"ledger-{next(_numbers)}"
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "frame_key", "AttributeType": "S"},
                {"AttributeName": "fold", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "frame_key", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_fold",
                    "KeySchema": [
                        {"AttributeName": "fold", "KeyType": "HASH"},
                        {"AttributeName": "frame_key", "KeyType": "RANGE"},
                    ],
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["camera", "outcome", "reason", "received_at", "finished_at"],
                    },
                }
            ],
        )
        return name

    def notices_table(self) -> str:
        name = f"notices-{next(_numbers)}"
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "candidate_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "candidate_id", "KeyType": "HASH"}],
        )
        return name

    def cameras_table(self) -> str:
        name = f"cameras-{next(_numbers)}"
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "camera", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "camera", "KeyType": "HASH"}],
        )
        return name

    def subjects_table(self) -> str:
        name = f"subjects-{next(_numbers)}"
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "list", "AttributeType": "S"},
                {"AttributeName": "subject", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "list", "KeyType": "HASH"},
                {"AttributeName": "subject", "KeyType": "RANGE"},
            ],
        )
        return name

    def queue(self) -> str:
        return str(self.client("sqs").create_queue(QueueName=f"faces-{next(_numbers)}")["QueueUrl"])

    def topic(self) -> str:
        return str(self.client("sns").create_topic(Name=f"topic-{next(_numbers)}")["TopicArn"])


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One moto for a module; tests take their own buckets and tables from it."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        made: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in made:
                made[service] = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
            return made[service]

        yield Cloud(client)


@functools.cache
def failing(service: str, code: str, status: int) -> Any:
    """A real client that is answered with this error and opens no connection."""
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config

    client = boto3.client(  # type: ignore[call-overload]
        service,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    if service in ("s3", "sns"):
        error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        body = (error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>").encode()
        headers = {"content-type": "text/xml"}
    else:
        body = f'{{"__type": "com.amazonaws#{code}", "message": "no"}}'.encode()
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": code}

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield body

    def answer(request: Any, **_: Any) -> Any:
        return AWSResponse(request.url, status, headers, Raw())

    client.meta.events.register_first("before-send.*.*", answer)
    return client


@functools.cache
def broken(service: str, error: Exception) -> Any:
    """A real client whose every request ends with this botocore error."""
    import boto3
    from botocore.config import Config

    client = boto3.client(  # type: ignore[call-overload]
        service,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def answer(**_: Any) -> Any:
        raise error

    client.meta.events.register_first("before-send.*.*", answer)
    return client
