"""The sample events: each is what AWS would send, so that what is tried with them says something."""

import base64
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from aws_lambda_powertools.utilities.data_classes import (
    APIGatewayProxyEventV2,
    CloudFormationCustomResourceEvent,
    EventBridgeEvent,
    S3Event,
    SQSEvent,
)

from proviso.cloud.contacts import sub_of
from proviso.domain.frame import FrameKey
from proviso.domain.messages import FacesMessage
from proviso.domain.reasons import Reason, Refused
from proviso.edge.batch import each_message, s3_keys
from proviso.edge.http import bearer

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "events").glob("*.json"))
FUNCTIONS = ["detect", "match", "alert", "enrol", "govern", "review", "retain", "sweep", "report", "grant", "migrate"]
QUEUES = {"detect": "FramesQueue", "match": "FacesQueue", "alert": "NoticesQueue"}
ODD_KEY = "hall north/2026-11-22/20:15:30+00:00 (1) 100%.jpg"
HTTP = ("govern", "enrol", "review", "report", "grant")


def load(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def bodies(name: str) -> list[str]:
    return [record.body for record in SQSEvent(load(name)).records]


def keys(name: str) -> list[str]:
    """Every object key that the file's S3 notifications tell, unquoted."""
    found = []
    for body in bodies(name):
        try:
            notification = json.loads(body)
        except ValueError:
            continue
        if isinstance(notification, dict) and "Records" in notification:
            # In a record's own key the quoting is still there, whatever the class's name promises.
            found += [unquote_plus(record.s3.get_object.key) for record in S3Event(notification).records]
    return found


def of(*functions: str) -> Any:
    files = [path for path in FILES if path.stem.split("-")[0] in functions and path.stem != "alert-schedule"]
    return pytest.mark.parametrize("path", files, ids=lambda path: path.stem)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_sample(function: str) -> None:
    assert [path for path in FILES if path.stem.startswith(f"{function}-")]


def test_every_sample_is_explained_and_belongs_to_a_function() -> None:
    explained = (ROOT / "events" / "README.md").read_text()
    assert [path.stem for path in FILES if path.stem not in explained] == []
    assert {path.stem.split("-")[0] for path in FILES} == set(FUNCTIONS)


@of(*QUEUES)
def test_queue_samples_are_what_sqs_sends(path: Path) -> None:
    records = list(SQSEvent(load(path.stem)).records)
    assert records
    assert len({record.message_id for record in records}) == len(records)
    for record in records:
        assert record.md5_of_body == hashlib.md5(record.body.encode()).hexdigest()
        assert record.event_source == "aws:sqs"
        assert QUEUES[path.stem.split("-")[0]] in record.event_source_arn
        assert int(record.attributes.approximate_receive_count or 0) >= 1
        assert record.attributes.sent_timestamp


@of("detect", "alert")
def test_the_buckets_are_those_of_the_local_cloud(path: Path) -> None:
    purpose = "frames" if path.stem.startswith("detect") else "outbox"
    for body in bodies(path.stem):
        if body.startswith('{"Records": [{'):
            for record in S3Event(json.loads(body)).records:
                assert record.s3.bucket.name == f"proviso-{purpose}-local-123456789012-eu-west-2"
                assert record.event_name.startswith("ObjectCreated:")


def test_a_frame_is_a_frame() -> None:
    (key,) = keys("detect-frame")
    assert isinstance(FrameKey.parse(key), FrameKey)


def test_a_duplicate_is_the_same_frame_in_two_messages() -> None:
    assert keys("detect-duplicate") == keys("detect-frame") * 2
    assert len(set(keys("alert-duplicate"))) == 1
    assert len(keys("alert-duplicate")) == 2


def test_the_test_event_is_s3s_own() -> None:
    (body,) = bodies("detect-s3-test-event")
    assert json.loads(body)["Event"] == "s3:TestEvent"
    assert "Records" not in json.loads(body)


def test_quoted_keys_unquote() -> None:
    (body,) = bodies("detect-quoted-key")
    quoted = json.loads(body)["Records"][0]["s3"]["object"]["key"]
    assert [part for part in ("+", "%2B", "%3A", "%25", "%28") if part not in quoted] == []
    (key,) = keys("detect-quoted-key")
    assert key == ODD_KEY


def test_the_edge_unquotes_too() -> None:
    (body,) = bodies("detect-quoted-key")
    assert list(s3_keys(body)) == [ODD_KEY]


@of(*QUEUES)
def test_the_edge_hands_every_message_on(path: Path) -> None:
    class Context:
        aws_request_id = "request-1"

    handed: list[str] = []
    assert each_message(load(path.stem), Context(), handed.append) == {"batchItemFailures": []}
    assert handed == bodies(path.stem)


@of("detect", "alert")
def test_the_edge_reads_every_key_and_refuses_what_is_no_notification(path: Path) -> None:
    found, no_notification = [], 0
    for body in bodies(path.stem):
        try:
            found += list(s3_keys(body))
        except ValueError:
            no_notification += 1
    if path.stem != "detect-quoted-key":
        assert found == keys(path.stem)
    assert no_notification == {"detect-bad-input": 3, "alert-bad-input": 2}.get(path.stem, 0)


def test_bad_frames_are_bad_in_several_ways_and_a_good_one_is_among_them() -> None:
    unreadable = 0
    for body in bodies("detect-bad-input"):
        try:
            unreadable += "Records" not in json.loads(body)
        except ValueError:
            unreadable += 1
    assert unreadable == 3
    judged = [FrameKey.parse(key) for key in keys("detect-bad-input")]
    reasons = [found.reason for found in judged if isinstance(found, Refused)]
    assert reasons == [Reason.BAD_KEY, Reason.BAD_KEY, Reason.WRONG_TYPE, Reason.BAD_KEY]
    assert isinstance(judged[-1], FrameKey)


def test_faces_are_a_faces_message() -> None:
    (body,) = bodies("match-frame")
    message = FacesMessage.from_json(body)
    assert message.detected == len(message.tracks) + message.refused + message.not_searched
    assert len(message.bystanders) == message.refused + message.not_searched
    assert json.loads(message.to_json()) == json.loads(body)


def test_bad_faces_are_none() -> None:
    for body in bodies("match-bad-input"):
        with pytest.raises(ValueError):
            FacesMessage.from_json(body)


def test_a_contact_is_named_as_one() -> None:
    (key,) = keys("alert-contact")
    assert sub_of(key) == "demo-recipient"


@pytest.mark.parametrize("name", ["sweep-schedule", "alert-schedule"])
def test_a_tick_is_what_event_bridge_sends(name: str) -> None:
    event = load(name)
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert f"{name.split('-')[0].capitalize()}Function" in event["resources"][0]


def test_a_notice_is_named_as_one() -> None:
    (key,) = keys("alert-raised")
    folder, candidate, name = key.split("/")
    assert (folder, name) == ("notices", "1-raised.json")
    assert len(candidate) == 36


@of(*HTTP)
def test_http_samples_are_what_an_http_api_sends(path: Path) -> None:
    event = APIGatewayProxyEventV2(load(path.stem))
    assert event.version == "2.0"
    method, route = event.route_key.split(" ")
    assert method == event.request_context.http.method
    assert event.raw_path == event.request_context.http.path
    filled = route
    for name, value in event.path_parameters.items():
        filled = filled.replace(f"{{{name}}}", value)
    assert filled == event.raw_path
    sent = _bytes(event) if event.is_base64_encoded else (event.body or "").encode()
    assert event.headers["content-length"] == str(len(sent))
    if event.body and not event.is_base64_encoded:
        assert isinstance(event.json_body, dict)


def _bytes(event: APIGatewayProxyEventV2) -> bytes:
    return base64.b64decode(event.body or "")


@of(*HTTP)
def test_the_routes_are_those_of_the_template(path: Path) -> None:
    method, route = load(path.stem)["routeKey"].split(" ")
    lines = [line.strip() for line in (ROOT / "template.yaml").read_text().splitlines()]
    pairs = {
        (one.split()[1], two.split()[1])
        for one, two in itertools.pairwise(lines)
        if one.startswith("Method: ") and two.startswith("Path: ")
    }
    assert (method, route) in pairs


@of(*HTTP)
def test_who_is_signed_in(path: Path) -> None:
    context = APIGatewayProxyEventV2(load(path.stem)).request_context
    if path.stem in ("govern-not-signed-in", "report-records"):
        assert "authorizer" not in load(path.stem)["requestContext"]
        assert "authorization" not in load(path.stem)["headers"]
        return
    if path.stem.startswith("grant-"):  # a camera is no person: its key goes to the function, unverified
        assert "authorizer" not in load(path.stem)["requestContext"]
        assert len(bearer(APIGatewayProxyEventV2(load(path.stem)))) > 20
        return
    assert context.authorizer is not None
    claims = context.authorizer.jwt_claim
    assert claims["sub"].startswith("demo-")
    assert all(isinstance(value, str) for value in claims.values())


def test_the_picture_to_enrol_is_a_jpeg_without_more_than_is_needed() -> None:
    event = APIGatewayProxyEventV2(load("enrol-reference"))
    assert event.is_base64_encoded
    picture = _bytes(event)
    assert picture[:2] == b"\xff\xd8"
    assert picture[-2:] == b"\xff\xd9"
    assert len(picture) < 4096


def test_the_minutes_tick_is_a_scheduled_event() -> None:
    event = EventBridgeEvent(load("sweep-schedule"))
    assert (event.source, event.detail_type, event.detail) == ("aws.events", "Scheduled Event", {})


def test_retain_is_woken_with_a_reason() -> None:
    assert list(load("retain-wake")) == ["reason"]


def test_migrate_is_called_by_cloudformation() -> None:
    event = CloudFormationCustomResourceEvent(load("migrate-create"))
    assert event.request_type == "Create"
    assert event.resource_type == "Custom::DatabaseSchema"
    assert set(event.resource_properties) >= {"SchemaVersion", "FirstAuthoriser"}
