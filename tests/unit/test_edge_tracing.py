"""The tracer: off, nothing of it is imported; on, the daemon is sent no answer, no fault's text and no call of AWS.

Each in a process of its own, because the SDK patches and remembers per process. A UDP socket stands in the daemon's
place.
"""

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("SECRETANSWER", "SECRETFAULT", "SECRETROW", "SECRETKEY", "0.1234567")
SCRIPT = """
    import json, sys
    from types import SimpleNamespace
    from proviso.domain.errors import StorageFault
    from proviso.domain.timing import Stopwatch
    from proviso.edge import tracing
    from proviso.edge.batch import each_message
    from proviso.edge.http import act, answer, answer_request, api, routes
    from proviso.edge.telemetry import correlated, follow

    context = SimpleNamespace(
        aws_request_id="req-1", function_name="f", memory_limit_in_mb=128,
        invoked_function_arn="arn:aws:lambda:eu-west-2:123456789012:function:f",
    )
    def record(number):
        return {
            "messageId": f"m-{number}", "receiptHandle": "SECRETKEY", "body": "SECRETKEY", "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "2"}, "messageAttributes": {}, "awsRegion": "eu-west-2",
            "eventSourceARN": "arn:aws:sqs:eu-west-2:123456789012:q",
        }
    calls = []
    def handle(body):
        calls.append(body)
        stopwatch = Stopwatch(lambda: 0.0, span=tracing.span)
        with correlated("c0ffee00-0000-5000-8000-000000000001"):
            with stopwatch.lap("embed"):
                template = [0.1234567] * 8
            with stopwatch.lap("search"):
                if len(calls) == 2:
                    raise StorageFault("SECRETFAULT")
                if len(calls) == 3:
                    raise ValueError("Failing row contains (SECRETROW)")
    given = each_message({"Records": [record(1), record(2), record(3)]}, context, handle)
    assert len(given["batchItemFailures"]) == 2, given

    router = routes()
    @router.get("/candidates/<candidate_id>")
    def look(candidate_id):
        follow("c0ffee00-0000-5000-8000-000000000002")
        return answer(200, {"said": "SECRETANSWER"})
    event = {
        "version": "2.0", "rawPath": "/candidates/SECRETKEY", "rawQueryString": "",
        "headers": {"authorization": "Bearer SECRETKEY"},
        "requestContext": {
            "http": {"method": "GET", "path": "/candidates/SECRETKEY"}, "stage": "$default", "requestId": "r",
        },
    }
    assert "SECRETANSWER" in answer_request(api(router), event, context)["body"]
    print("IMPORTED", sorted({name.split(".")[0] for name in sys.modules} & {"aws_xray_sdk", "wrapt"}))
"""


def run(disabled: str, address: str) -> str:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("POWERTOOLS_", "AWS_"))},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/core/src")]),
        "POWERTOOLS_SERVICE_NAME": "match",
        "POWERTOOLS_METRICS_NAMESPACE": "Proviso",
        "POWERTOOLS_TRACE_DISABLED": disabled,
        # What Lambda sets where it traces.
        "AWS_XRAY_DAEMON_ADDRESS": address,
        "LAMBDA_TASK_ROOT": "/var/task",
        "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    }
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def daemon():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.5)
        yield listening


def received(daemon: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(daemon.recv(65536).decode())
        except TimeoutError:
            return found


def nested(subsegment: dict) -> list[dict]:
    return [subsegment, *(one for inner in subsegment.get("subsegments", []) for one in nested(inner))]


def test_off_nothing_of_it_is_imported_or_sent(daemon):
    said = run("true", f"127.0.0.1:{daemon.getsockname()[1]}")
    assert "IMPORTED []" in said
    assert "xray_trace_id" not in said
    assert received(daemon) == []


def test_on_a_trace_has_names_durations_and_the_correlation_id_and_nothing_else(daemon):
    said = run("false", f"127.0.0.1:{daemon.getsockname()[1]}")
    assert "IMPORTED ['aws_xray_sdk', 'wrapt']" in said
    sent = received(daemon)
    assert sent
    whole = "\n".join(sent)
    for secret in SECRETS:
        assert secret not in whole, secret
    for kept_out in ("cause", "exceptions", "metadata", "stack", "http", "sql"):
        assert f'"{kept_out}"' not in whole, kept_out
    segments = [one for text in sent for one in nested(json.loads(text.split("\n", 1)[1]))]
    assert {one["name"] for one in segments} == {"## handler", "## one", "embed", "search"}
    annotations = [one["annotations"] for one in segments if one.get("annotations")]
    assert {name for one in annotations for name in one} == {"correlation_id"}
    assert {one["correlation_id"][-1] for one in annotations} == {"1", "2"}
    failed = [one["name"] for one in segments if one.get("fault")]
    assert sorted(failed) == ["## one", "## one", "search", "search"]
    assert all(one["end_time"] >= one["start_time"] for one in segments)


def test_the_sdk_s_own_context_manager_would_have_sent_the_fault_s_text():
    """Why it is not used. When this fails, the SDK no longer does, and edge/tracing.py can be shorter."""
    from aws_xray_sdk.core.models.subsegment import SubsegmentContextManager

    written = []

    class Recorder:
        max_trace_back = 10

        def begin_subsegment(self, name):
            return self

        def end_subsegment(self):
            pass

        def add_exception(self, exception, stack):
            written.append(str(exception))

    with pytest.raises(ValueError), SubsegmentContextManager(Recorder(), name="x"):
        raise ValueError("SECRETROW")
    assert written == ["SECRETROW"]
