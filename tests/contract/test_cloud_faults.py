"""What AWS answers and what becomes of it: one answer means gone, everything else is a fault (rule 8, S36)."""

import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber

from proviso.cloud.cameras import DynamoCameras
from proviso.cloud.frames import S3Frames
from proviso.cloud.ledger import DynamoLedger
from proviso.cloud.notices import DynamoNotices, SnsPublisher
from proviso.cloud.outbox import S3Outbox
from proviso.cloud.permits import S3Due, S3Permits, S3Stops
from proviso.cloud.pictures import S3Pictures
from proviso.cloud.queues import SqsFaces
from proviso.cloud.subjects import DynamoSubjects
from proviso.cloud.waker import LambdaWaker
from proviso.domain.camera import RegisteredCamera
from proviso.domain.errors import StorageFault
from proviso.domain.frame import Jpeg
from proviso.domain.notice import Kind, NoticeTexts
from proviso.domain.ports import StopRecord
from tests.contract.conftest import Cloud, broken, failing
from tests.contract.samples import CAMERA, CANDIDATE, FRAME, NOW, faces, notice, permit, refused

PIXELS = Jpeg(b"secret pixels")
WORDS = NoticeTexts("secret words", "secret subject", "secret body")
Call = Callable[[Any], Any]

S3_CALLS: dict[str, Call] = {
    "frames get": lambda client: S3Frames(client, "bin").get(FRAME),
    "frames delete": lambda client: S3Frames(client, "bin").delete(FRAME),
    "frames list": lambda client: list(S3Frames(client, "bin").stored_before(NOW)),
    "permit read": lambda client: S3Permits(client, "bin").read(CAMERA),
    "permit write": lambda client: S3Permits(client, "bin").write(permit()),
    "permit delete": lambda client: S3Permits(client, "bin").delete(CAMERA),
    "cameras": lambda client: S3Permits(client, "bin").cameras(),
    "due put": lambda client: S3Due(client, "bin").put("d", NOW),
    "due": lambda client: S3Due(client, "bin").due(NOW),
    "stop put": lambda client: S3Stops(client, "bin").put(StopRecord("s", NOW, "person-1", None)),
    "stops": lambda client: S3Stops(client, "bin").waiting(),
    "picture put": lambda client: S3Pictures(client, "bin").put("k", PIXELS),
    "picture get": lambda client: S3Pictures(client, "bin").get("k"),
    "picture keys": lambda client: S3Pictures(client, "bin").keys("k"),
    "notice put": lambda client: S3Outbox(client, "bin").put(notice()),
    "notice get": lambda client: S3Outbox(client, "bin").get(notice().key),
    "notice has": lambda client: S3Outbox(client, "bin").has(CANDIDATE, Kind.RAISED),
    "receipt put": lambda client: S3Outbox(client, "bin").put_receipt(CANDIDATE, Kind.RAISED, "sent", NOW),
    "receipt has": lambda client: S3Outbox(client, "bin").has_receipt(CANDIDATE, Kind.RAISED),
    "notices delete": lambda client: S3Outbox(client, "bin").delete_candidate(CANDIDATE),
    "notices count": lambda client: S3Outbox(client, "bin").count_candidate(CANDIDATE),
}
DYNAMO_CALLS: dict[str, Call] = {
    "received": lambda client: DynamoLedger(client, "bin", lambda: NOW).received(FRAME, CAMERA, NOW),
    "finish": lambda client: DynamoLedger(client, "bin", lambda: NOW).finish(refused()),
    "get": lambda client: DynamoLedger(client, "bin", lambda: NOW).get(FRAME),
    "not searched": lambda client: list(DynamoLedger(client, "bin", lambda: NOW).not_searched("2026-11-22T20")),
    "entries": lambda client: DynamoLedger(client, "bin", lambda: NOW).entries(),
    "claim": lambda client: DynamoNotices(client, "bin").claim(notice(), NOW, 30),
    "claim withdrawn": lambda client: DynamoNotices(client, "bin").claim(notice(Kind.WITHDRAWN), NOW, 30),
    "subject make": lambda client: DynamoSubjects(client, "bin", os.urandom).make("list-1", "entry-1", NOW),
    "subject pseudonym": lambda client: DynamoSubjects(client, "bin", os.urandom).pseudonym("list-1", "entry-1"),
    "subject seal": lambda client: DynamoSubjects(client, "bin", os.urandom).seal("list-1", "entry-1", {}),
    "subject open": lambda client: DynamoSubjects(client, "bin", os.urandom).open("list-1", "entry-1", ["x"]),
    "subject destroy": lambda client: DynamoSubjects(client, "bin", os.urandom).destroy_list("list-1"),
    "subject count": lambda client: DynamoSubjects(client, "bin", os.urandom).count_list("list-1"),
    "settle": lambda client: DynamoNotices(client, "bin").settle(notice(), "sent", NOW),
    "camera put": lambda client: DynamoCameras(client, "bin").put(RegisteredCamera(CAMERA, "d" * 64, "person-1", NOW)),
    "camera remove": lambda client: DynamoCameras(client, "bin").remove(CAMERA),
    "camera key": lambda client: DynamoCameras(client, "bin").key_digest(CAMERA),
    "camera list": lambda client: DynamoCameras(client, "bin").cameras(),
}
SENDING_CALLS: dict[str, tuple[str, Call]] = {
    "sqs": ("sqs", lambda client: SqsFaces(client, "https://sqs.eu-west-2.amazonaws.com/1/bin").send(faces())),
    "sns": ("sns", lambda client: _published(client)),
    "lambda": ("lambda", lambda client: LambdaWaker(client, "bin").wake("due")),
}


def _published(client: Any) -> None:
    SnsPublisher(client, {"reviewers": "bin"}).publish("reviewers", notice(), WORDS, ["somebody"])


def by_name(calls: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("call", calls.values(), ids=calls.keys())


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDenied", 403), ("NoSuchBucket", 404), ("SlowDown", 503), ("InternalError", 500), ("404", 404)],
)
@by_name(S3_CALLS)
def test_whatever_s3_answers_but_no_such_key_is_a_fault_that_says_where(call: Call, code: str, status: int) -> None:
    with pytest.raises(StorageFault, match=f"s3:.* bin/.*{code}"):
        call(failing("s3", code, status))


@by_name({name: call for name, call in S3_CALLS.items() if name.split()[-1] in ("get", "read", "has")})
def test_only_a_missing_key_is_gone(call: Call) -> None:
    assert not call(failing("s3", "NoSuchKey", 404))


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDeniedException", 400), ("ResourceNotFoundException", 400), ("ThrottlingException", 400)],
)
@by_name(DYNAMO_CALLS)
def test_whatever_dynamodb_answers_but_an_unmet_condition_is_a_fault(call: Call, code: str, status: int) -> None:
    with pytest.raises(StorageFault, match=f"dynamodb:.* bin.*{code}"):
        call(failing("dynamodb", code, status))


@by_name(SENDING_CALLS)
def test_what_cannot_be_sent_is_a_fault(call: tuple[str, Call]) -> None:
    service, send = call
    with pytest.raises(StorageFault, match=r"bin.*AccessDenied"):
        send(failing(service, "AccessDenied", 403))


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://nowhere"),
        ConnectTimeoutError(endpoint_url="https://nowhere"),
        ReadTimeoutError(endpoint_url="https://nowhere"),
        NoCredentialsError(),
    ],
    ids=lambda error: type(error).__name__,
)
@by_name(
    {name: ("s3", call) for name, call in S3_CALLS.items()}
    | {name: ("dynamodb", call) for name, call in DYNAMO_CALLS.items()}
    | SENDING_CALLS
)
def test_no_connection_is_a_fault(call: tuple[str, Call], error: Exception) -> None:
    service, act = call
    with pytest.raises(StorageFault, match=type(error).__name__):
        act(broken(service, error))


class TestHalfABody:
    """A connection that ends within a body must not make a whole frame look like a truncated one."""

    @pytest.mark.parametrize("broken_off", ["short", "reset"])
    def test_is_a_fault(self, cloud: Cloud, broken_off: str) -> None:
        class Raw:
            def read(self, *_: Any) -> bytes:
                if broken_off == "reset":
                    raise ResponseStreamingError(error="reset")
                return b"half"

        client = cloud.client("s3")
        with Stubber(client) as stub:
            stub.add_response("get_object", {"ContentLength": 8, "Body": StreamingBody(Raw(), 8)})
            with pytest.raises(StorageFault, match=FRAME):
                S3Frames(client, "bin").get(FRAME)


class TestWhatFaultsShow:
    @pytest.mark.parametrize(
        ("service", "act"),
        [
            ("s3", lambda client, key: S3Frames(client, "bin").get(key)),
            ("s3", lambda client, key: S3Frames(client, "bin").delete(key)),
            ("dynamodb", lambda client, key: DynamoLedger(client, "bin", lambda: NOW).received(key, None, NOW)),
            ("dynamodb", lambda client, key: DynamoLedger(client, "bin", lambda: NOW).get(key)),
            (
                "dynamodb",
                lambda client, key: DynamoLedger(client, "bin", lambda: NOW).finish(replace(refused(), key=key)),
            ),
        ],
        ids=["get", "delete", "received", "row", "finish"],
    )
    def test_no_name_that_is_not_a_frame_s(self, service: str, act: Callable[[Any, str], Any]) -> None:
        """Whoever may upload names the object, and its fault is logged: by the batch, and by the runtime."""
        for client in (
            failing(service, "AccessDenied", 403),
            broken(service, ReadTimeoutError(endpoint_url="https://x")),
        ):
            with pytest.raises(StorageFault, match=r"bin/not a frame's name") as fault:
                act(client, "gate-1/Ada Lovelace: seen.jpg")
            assert "Ada" not in str(fault.value)
            with pytest.raises(StorageFault, match=f"bin/{FRAME}"):
                act(client, FRAME)

    def test_no_such_name_of_a_row_that_cannot_be_read(self) -> None:
        with pytest.raises(StorageFault, match="cannot be read") as fault:
            DynamoLedger(Any, "bin", lambda: NOW)._entry({"frame_key": {"S": "Ada Lovelace"}})
        assert "Ada" not in str(fault.value)

    @by_name({"sns": SENDING_CALLS["sns"], "picture": ("s3", S3_CALLS["picture put"])})
    @pytest.mark.parametrize("way", ["answered", "no connection", "wrong parameter"])
    def test_neither_pixels_nor_words(self, call: tuple[str, Call], way: str) -> None:
        service, act = call
        if way == "answered":
            client = failing(service, "AccessDenied", 403)
        elif way == "no connection":
            client = broken(service, ReadTimeoutError(endpoint_url="https://nowhere"))
        else:
            client = Misled(broken(service, ReadTimeoutError(endpoint_url="https://nowhere")))
        with pytest.raises(StorageFault) as caught:
            act(client)
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert "secret" not in shown


class Misled:
    """A client that is given parameters of a wrong type, so that botocore quotes them."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def publish(self, **request: Any) -> Any:
        return self._client.publish(**request | {"Message": [request["Message"]]})

    def put_object(self, **request: Any) -> Any:
        return self._client.put_object(**request | {"Body": [request["Body"]]})


def test_a_row_that_expires_between_two_calls_is_a_fault(cloud: Cloud) -> None:
    """The row is there for the condition and gone for the read: another try mends it."""
    client = cloud.client("dynamodb")
    ledger = DynamoLedger(client, "bin", lambda: NOW + timedelta(days=3))
    with Stubber(client) as stub:
        stub.add_client_error("put_item", "ConditionalCheckFailedException")
        stub.add_response("get_item", {})
        with pytest.raises(StorageFault, match=FRAME):
            ledger.received(FRAME, CAMERA, NOW)
