"""Where AWS clients come from: once a process and service, at first use, called by wiring only.

A function that waits for a service is a function that is paid for and blocks its batch, so time-outs are short and
attempts are few: what fails here is tried again by its queue. Clients are made by botocore, which boto3 would only
ask to do the same: that is a tenth of the start-up time of a light function less. All come from one session, which
reads the region's table and the list of services once.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 8
ATTEMPTS = 3
HURRIED_READ_TIMEOUT_S = 2
"""Where somebody's removal from a list waits for the answer (S06: effective within 5 s), which is then asked once."""

_made: dict[Any, Any] = {}
_lock = threading.RLock()
_SESSION = "session"
_REGIONS = "endpoints"
_MODELS = ("service-2", "endpoint-rule-set-1")


@overload
def client(service: Literal["s3"], region: str | None = None, *, hurried: bool = False) -> "S3Client": ...
@overload
def client(service: Literal["dynamodb"], region: str | None = None, *, hurried: bool = False) -> "DynamoDBClient": ...
@overload
def client(service: Literal["sqs"], region: str | None = None, *, hurried: bool = False) -> "SQSClient": ...
@overload
def client(service: Literal["sns"], region: str | None = None, *, hurried: bool = False) -> "SNSClient": ...
@overload
def client(service: Literal["lambda"], region: str | None = None, *, hurried: bool = False) -> "LambdaClient": ...
def client(service: str, region: str | None = None, *, hurried: bool = False) -> Any:
    """The process's client of a service. Region and endpoints (AWS_ENDPOINT_URL and its kin) as botocore finds them.
    A `hurried` one gives up after 3 s.

    Clients are safe to share between threads; making them is not, hence the lock.
    """
    with _lock:
        if (service, region, hurried) not in _made:
            from botocore.config import Config

            config = Config(
                connect_timeout=1 if hurried else CONNECT_TIMEOUT_S,
                read_timeout=HURRIED_READ_TIMEOUT_S if hurried else READ_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": 1 if hurried else ATTEMPTS},
                tcp_keepalive=True,
                # In the VPC, DynamoDB is reached through the gateway endpoint, by the region's plain host name.
                account_id_endpoint_mode="disabled",
                # Else signed forms name S3's global host, which redirects while a bucket is young; no camera follows.
                s3={"addressing_style": "virtual"},
            )
            _made[(service, region, hurried)] = session().create_client(service, region_name=region, config=config)
        return _made[(service, region, hurried)]


def session() -> Any:
    """The process's botocore session: where its clients come from, and its credentials."""
    with _lock:
        if _SESSION not in _made:
            import botocore.session

            _made[_SESSION] = botocore.session.get_session()
            _made[_SESSION].register_component("data_loader", _loader())
        return _made[_SESSION]


@cache
def _loader() -> Any:
    """What botocore knows of services, as it is read from its files. It knows nothing of who asks."""
    from botocore.loaders import create_loader

    return create_loader()


def prepare(*services: str) -> None:
    """Read what clients of these services are made from, and make none: for a snapshot, which may hold no client."""
    import botocore.session  # noqa: F401

    _loader().load_data(_REGIONS)
    for service in services:
        for kind in _MODELS:
            _loader().load_service_model(service, kind)


def forget() -> None:
    """Close every client and let go of them and of the session, and so of the credentials that they were made with."""
    with _lock:
        for one in list(_made.values()):
            if hasattr(one, "close"):
                one.close()
        _made.clear()


def holds_any() -> bool:
    """Is there a client, or a session, which may have credentials?"""
    return bool(_made)
