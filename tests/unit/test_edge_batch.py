"""Queue batches: each message on its own, and nothing of what went wrong but its class and our own words."""

import itertools
import json
import logging
from types import SimpleNamespace

import pytest

from proviso.domain.errors import StorageFault
from proviso.edge import telemetry
from proviso.edge.batch import each_message, s3_keys

NUMBERS = itertools.count()
CONTEXT = SimpleNamespace(
    aws_request_id="req-1",
    function_name="f",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-west-2:123456789012:function:f",
    get_remaining_time_in_millis=lambda: 30000,
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A logger of its own for each test: Powertools keeps one a service name, with the stdout of its first use."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{next(NUMBERS)}")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Proviso")
    for made in (telemetry.logger, telemetry.metrics):
        made.cache_clear()
    yield
    for made in (telemetry.logger, telemetry.metrics):
        made.cache_clear()


def sqs(*bodies):
    return {
        "Records": [
            {
                "messageId": f"m-{i}",
                "receiptHandle": "r",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "2"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-2:123456789012:q",
                "awsRegion": "eu-west-2",
            }
            for i, body in enumerate(bodies)
        ]
    }


def s3(*keys):
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}},
    }
    records = [{**record, "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}}} for key in keys]
    return json.dumps({"Records": records})


def failed(response):
    return [item["itemIdentifier"] for item in response["batchItemFailures"]]


def test_one_message_that_fails_does_not_take_the_others_with_it():
    handled = []

    def handle(body):
        if body == "bad":
            raise StorageFault("denied")
        handled.append(body)

    assert failed(each_message(sqs("a", "bad", "b"), CONTEXT, handle)) == ["m-1"]
    assert handled == ["a", "b"]


def test_a_batch_that_fails_whole_is_reported_message_by_message():
    def handle(body):
        raise ValueError

    assert failed(each_message(sqs("a", "b"), CONTEXT, handle)) == ["m-0", "m-1"]


def test_what_a_foreign_exception_says_is_not_logged(capsys, caplog):
    """Nobody knows what it carries: a parameter, a row, a picture."""

    def handle(body):
        raise RuntimeError(f"Failing row contains ({body})")

    with caplog.at_level(logging.DEBUG, logger="proviso"):
        each_message(sqs("SECRETVECTOR"), CONTEXT, handle)
    said = capsys.readouterr().out + caplog.text
    assert "RuntimeError" in said
    assert "SECRETVECTOR" not in said


def test_what_our_own_fault_says_is(capsys):
    def handle(body):
        raise StorageFault("bucket frames denied a read")

    each_message(sqs("SECRETVECTOR"), CONTEXT, handle)
    said = capsys.readouterr().out
    assert "bucket frames denied a read" in said
    assert "SECRETVECTOR" not in said
    assert '"receive_count"' in said
    assert '"fault":"StorageFault"' in said
    assert '"Fault":[1.0]' in said  # one metric for all classes of faults: each name is paid for by the month
    each_message(sqs("x"), CONTEXT, lambda _: (_ for _ in ()).throw(StorageFault("b/contacts/sub-77.json denied")))
    said = capsys.readouterr().out
    assert "denied" in said
    assert "sub-77" not in said


@pytest.mark.parametrize("event", [{}, {"Records": "x"}, [], "x", None, {"detail": {}}])
def test_what_is_no_queue_event_is_said_so(event):
    with pytest.raises(ValueError, match="not an SQS event"):
        each_message(event, CONTEXT, lambda body: None)


def test_keys_come_unquoted():
    assert list(s3_keys(s3("gate-1/a+b%2Bc%C3%A9.jpg", "x"))) == ["gate-1/a b+cé.jpg", "x"]


def test_the_test_event_of_s3_holds_no_keys():
    assert list(s3_keys('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}')) == []


@pytest.mark.parametrize("body", ["", "x", "[]", "5", "null", "{}", '{"Records": 5}'])
def test_another_body_is_a_fault_of_that_message(body):
    with pytest.raises(ValueError):
        list(s3_keys(body))


def test_one_line_a_frame_with_ids_counts_and_durations(capsys):
    from proviso.domain.frame import Counts, LedgerEntry, Outcome
    from tests.samples import NOW

    row = LedgerEntry(
        "k", Outcome.SEARCHED, NOW, deployment_id="d", counts=Counts(3, 1, 2, 0, 1), stages=(("search", 4.5),)
    )
    with telemetry.invocation("req-1"), telemetry.correlated("corr-1"):
        telemetry.frame_line(row)
    line, *rest = [json.loads(text) for text in capsys.readouterr().out.splitlines() if text.startswith("{")]
    assert (line["frame_key"], line["outcome"], line["correlation_id"]) == ("k", "searched", "corr-1")
    assert (line["faces_detected"], line["faces_searched"], line["candidates"]) == (3, 2, 1)
    assert line["stages_ms"] == {"search": 4.5}
    assert rest == []  # nothing of it is a metric


def received(times, *bodies):
    event = sqs(*bodies)
    for record in event["Records"]:
        record["attributes"]["ApproximateReceiveCount"] = str(times)
    return event


def fail(error):
    def handle(_):
        with telemetry.correlated("corr-9"):
            raise error

    return handle


@pytest.mark.parametrize(("times", "comes_back"), [(1, ["m-0"]), (3, ["m-0"]), (4, []), (5, [])])
def test_a_message_with_more_than_a_reference_in_it_does_not_become_a_dead_letter(times, comes_back, capsys):
    event = received(times, "landmarks")
    assert failed(each_message(event, CONTEXT, fail(StorageFault("away")), last_receive=4)) == comes_back
    said = capsys.readouterr().out
    assert "landmarks" not in said
    assert ("ended without an outcome" in said) is (not comes_back)
    assert ('"MessageEnded"' in said) is (not comes_back)


def test_what_is_not_ours_goes_to_the_dead_letters_however_often_it_came():
    assert failed(each_message(received(4, "x"), CONTEXT, fail(ValueError("no")), last_receive=4)) == ["m-0"]


def test_without_a_last_receive_every_message_comes_back():
    assert failed(each_message(received(9, "x"), CONTEXT, fail(StorageFault("away")))) == ["m-0"]


def test_the_line_of_a_failure_names_its_frame_and_the_next_message_does_not(capsys):
    def handle(body):
        if body == "first":
            fail(StorageFault("away"))(body)
        telemetry.logger().info("second line")

    each_message(sqs("first", "second"), CONTEXT, handle)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"level"' in line]
    by_message = {line["message"]: line.get("correlation_id") for line in lines}
    assert by_message["message failed and will come back"] == "corr-9"
    assert by_message["second line"] is None
