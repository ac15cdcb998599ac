"""What this project's own functions take and ask for, a call: for `proviso cost`.

usage: python bench/durations.py [ROUNDS] [--write]

Each function runs in its own process under AWS's runtime client, as in the local cloud, with one thread. Of each warm
call is measured: the processor time of the process (Linux only), what it asked the stand-in for AWS and how long that
took to answer, the processor time of its database connection, and the bytes it logged. Only processor time travels to
another machine; `proviso cost` puts AWS's own latencies in the place of the rest.
With --write the figures go to layers/core/src/proviso/cli/cost/durations.json.
"""

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from proviso.cli import places
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene, Studio
from proviso.cli.demo.script import Demonstration
from proviso.domain.frame import FrameKey
from proviso.local.cloud import LocalCloud, local_cloud
from proviso.local.counting import Request, RequestCounter, counting, tally
from proviso.local.worker import Invocation

OUT = Path("layers/core/src/proviso/cli/cost/durations.json")
ROLES = {"MatchFunction": "proviso_match", "RetainFunction": "proviso_retain"}
AWAY = [Person("astronaut", 90, 150 + 200 * n, 320) for n in range(6)]
"""Up to six people who are on no list, side by side."""


@dataclass(frozen=True)
class Call:
    """One warm call."""

    cpu_ms: float
    database_ms: float
    wall_ms: float
    served_ms: float
    requests: Sequence[Request]
    log_bytes: int
    log_lines: int


def cpu_ms(pid: int) -> float:
    """Processor time of a process with all its threads, by its own clock (clock_getcpuclockid(3) of Linux)."""
    return time.clock_gettime((~pid << 3) | 2) * 1000


def peak_mb(pid: int) -> int:
    """The most memory that it ever had."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


class Bench:
    """The running cloud and what is measured in it."""

    def __init__(self, cloud: LocalCloud, counter: RequestCounter, play: Demonstration, rounds: int) -> None:
        self.cloud, self.counter, self.play, self.rounds = cloud, counter, play, rounds
        self.studio = Studio()
        self.s3: Any = cloud.client("s3")
        self.number = 0

    def pid(self, function: str) -> int:
        process = self.cloud.pool(function).workers[0]._process
        assert process is not None
        return int(process.pid)

    def database(self, function: str) -> dict[int, float]:
        """Processor time of the connections that this function's role holds, by process."""
        role = ROLES.get(function)
        if role is None:
            return {}
        with psycopg.connect(self.cloud.database_url) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = %s", (role,)).fetchall()
        return {pid: cpu_ms(pid) for (pid,) in found}

    def call(self, function: str, event: Any) -> Call:
        mark, before, database = self.counter.mark(), cpu_ms(self.pid(function)), self.database(function)
        done: Invocation = self.cloud.invoke(function, event)
        if not done.ok:
            sys.exit(f"{function}: {done.error}")
        if isinstance(done.payload, dict) and done.payload.get("batchItemFailures"):
            sys.exit(f"{function}: {done.log}")
        asked = self.counter.since(mark, function)
        lines = [one for one in done.log if one.startswith("{")]
        return Call(
            cpu_ms(self.pid(function)) - before,
            sum(after - database.get(pid, 0.0) for pid, after in self.database(function).items()),
            done.duration_ms,
            sum(one.milliseconds for one in asked),
            asked,
            sum(len(one.encode()) + 26 for one in lines),
            len(lines),
        )

    def upload(self, people: Sequence[Person]) -> str:
        """Put a frame where no event tells of it: the bucket's notification was taken away."""
        self.number += 1
        captured = self.play.clock()
        key = FrameKey(NORTH, captured.replace(microsecond=captured.microsecond // 1000 * 1000), self.number)
        jpeg = self.studio.jpeg(Scene(f"bench-{self.number % 8}", NORTH, "", tuple(people)))
        self.s3.put_object(Bucket=self.cloud.physical("FramesBucket"), Key=str(key), Body=jpeg)
        return str(key)

    def case(self, function: str, make: Callable[[], Any]) -> dict[str, Any]:
        """Several warm calls: the mean of processor time, medians of the others."""
        calls = [self.call(function, make()) for _ in range(self.rounds + 3)][3:]
        return {
            "function": function,
            "calls": len(calls),
            "cpu_ms": round(statistics.fmean(one.cpu_ms for one in calls), 1),
            "wall_ms": round(statistics.median(one.wall_ms for one in calls), 1),
            "served_ms": round(statistics.median(one.served_ms for one in calls), 1),
            "database_ms": round(statistics.fmean(one.database_ms for one in calls), 1),
            "requests": dict(tally(calls[-1].requests)),
            "log_bytes": round(statistics.fmean(one.log_bytes for one in calls)),
            "log_lines": max(one.log_lines for one in calls),
        }

    def cold(self, function: str, event: Any, warm: dict[str, Any]) -> dict[str, Any]:
        """A new process: what it takes to its first answer, beyond a warm call."""
        worker = self.cloud.pool(function).workers[0]
        found = []
        for _ in range(3):
            worker._kill()
            begin = time.perf_counter()
            worker.start()
            worker.wait_ready(60)
            init = (time.perf_counter() - begin) * 1000
            pid = self.pid(function)
            init_cpu = cpu_ms(pid)
            self.cloud.invoke(function, event())
            found.append((init, init_cpu, cpu_ms(pid) - init_cpu - warm["cpu_ms"]))
        return {
            "init_cpu_ms": round(statistics.median(one[1] for one in found), 1),
            "first_cpu_ms": round(max(0.0, statistics.median(one[2] for one in found)), 1),
        }


def s3_event(*keys: str) -> dict[str, Any]:
    """A batch of the frames queue, a message a key."""
    bodies = [json.dumps({"Records": [_s3_record(key)]}) for key in keys]
    return {"Records": [_message(body, "frames") for body in bodies]}


def _s3_record(key: str) -> dict[str, Any]:
    return {"eventSource": "aws:s3", "s3": {"bucket": {"name": "frames"}, "object": {"key": key, "size": 1}}}


def _message(body: str, queue: str) -> dict[str, Any]:
    return {
        "messageId": f"bench-{time.monotonic_ns()}",
        "receiptHandle": "bench",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-2:123456789012:{queue}",
        "awsRegion": "eu-west-2",
    }


def lengthen(master: str, build: str, size: int) -> None:
    """More entries in a build, with random templates: nobody is like them."""
    random = np.random.default_rng(3)
    with psycopg.connect(master) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # a build is fixed; this one is a bench's
        cursor.execute("SELECT watchlist_id, pipeline FROM build WHERE id = %s", (build,))
        listed = cursor.fetchone()
        assert listed is not None
        cursor.execute("DELETE FROM build_template WHERE entry_id LIKE 'bench-%'")
        cursor.execute("DELETE FROM entry WHERE id LIKE 'bench-%'")
        for n in range(size):
            vector = random.standard_normal(128)
            text = "[" + ",".join(f"{value:.4f}" for value in vector / np.linalg.norm(vector)) + "]"
            cursor.execute(
                "INSERT INTO build_template (build_id, entry_id, watchlist_id, pipeline, fused, template)"
                " VALUES (%s, %s, %s, %s, 1, %s::halfvec)",
                (build, f"bench-{n}", listed[0], listed[1], text),
            )
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE build_template")


def measure(bench: Bench, models: places.Models) -> dict[str, Any]:
    """All cases."""
    cloud, play = bench.cloud, bench.play
    put = play.cameras().put(NORTH)
    listed = Person("hopper", 120, 420, 330)
    for person in ((), (listed,), (listed,)):  # everything starts, and the notice comes
        play_key = FrameKey(NORTH, play.clock().replace(microsecond=0), 900 + len(person) + bench.number)
        bench.number += 1
        put(str(play_key), bench.studio.jpeg(Scene("warm", NORTH, "", tuple(person))))
        cloud.wait_idle(30)
    notices = cloud.client("s3").list_objects_v2(Bucket=cloud.physical("OutboxBucket"), Prefix="notices/")
    notice = notices["Contents"][0]["Key"]
    bench.s3.put_bucket_notification_configuration(Bucket=cloud.physical("FramesBucket"), NotificationConfiguration={})
    cases: dict[str, Any] = {}
    cases["detect, no face"] = bench.case("DetectFunction", lambda: s3_event(bench.upload(())))
    cases["detect, no face, ten frames"] = bench.case(
        "DetectFunction", lambda: s3_event(*[bench.upload(()) for _ in range(10)])
    )
    for stopped in cloud._pollers:  # faces are handed to match by hand
        stopped.stop()
    time.sleep(1.5)
    queue, sqs = cloud.physical("FacesQueue"), cloud.client("sqs")

    def drain() -> None:
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])

    def faces(count: int) -> Callable[[], Any]:
        def event() -> Any:
            bench.call("DetectFunction", s3_event(bench.upload(AWAY[:count])))
            found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, AttributeNames=["All"])["Messages"][0]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
            return {"Records": [_message(found["Body"], "faces")]}

        return event

    for count in (1, 3, 6):
        cases[f"detect, {count} faces"] = bench.case("DetectFunction", lambda n=count: s3_event(bench.upload(AWAY[:n])))
        drain()
        cases[f"match, {count} faces, list 1"] = bench.case("MatchFunction", faces(count))
    for size in (500, 10000):
        lengthen(cloud.database_url, play.build, size)
        cases[f"match, 3 faces, list {size}"] = bench.case("MatchFunction", faces(3))
    lengthen(cloud.database_url, play.build, 0)
    cases["alert, a notice again"] = bench.case(
        "AlertFunction", lambda: {"Records": [_message(json.dumps({"Records": [_s3_record(notice)]}), "notices")]}
    )
    clock = {"source": "aws.events", "detail-type": "Scheduled Event"}
    cases["alert, by the clock"] = bench.case("AlertFunction", lambda: clock)
    cases["retain, nothing to do"] = bench.case("RetainFunction", lambda: {"reason": "bench"})
    cases["sweep, awake"] = bench.case("SweepFunction", lambda: clock)
    token = cloud.sign_in("demo-reviewer")
    page = _page_event(token)
    cases["review, an open page asks"] = bench.case("ReviewFunction", lambda: page)
    events: dict[str, tuple[str, Callable[[], Any]]] = {
        "DetectFunction": ("detect, no face", lambda: s3_event(bench.upload(()))),
        "MatchFunction": ("match, 3 faces, list 1", faces(3)),
        "AlertFunction": ("alert, by the clock", lambda: clock),
        "RetainFunction": ("retain, nothing to do", lambda: {"reason": "bench"}),
        "SweepFunction": ("sweep, awake", lambda: clock),
        "ReviewFunction": ("review, an open page asks", lambda: page),
    }
    memory = {name: peak_mb(bench.pid(name)) for name in events}
    cold = {name: bench.cold(name, event, cases[case]) for name, (case, event) in events.items()}
    return {
        "version": 1,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "runtime_client": f"awslambdaric {version('awslambdaric')}",
        },
        "pack": models.manifest.name,
        "frame": "1280x720 JPEG, quality 85, drawn hall with photographed faces of 90 px",
        "cases": cases,
        "cold": cold,
        "peak_memory_mb": memory,
    }


def _page_event(token: str) -> dict[str, Any]:
    import base64

    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    path = "/changes"
    return {
        "version": "2.0",
        "routeKey": f"GET {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"authorization": f"Bearer {token}"},
        "requestContext": {
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "b"},
            "requestId": "bench",
            "stage": "$default",
            "timeEpoch": 0,
        },
        "isBase64Encoded": False,
    }


def _processor() -> str:
    fields = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line
    )
    named = {name.strip(): value.strip() for name, value in fields.items()}
    return f"{named.get('model name', '?')}, family {named.get('cpu family', '?')} model {named.get('model', '?')}"


def main(rounds: int, write: bool) -> None:
    """Print the figures; keep them where asked to."""
    root = places.checkout()
    models = places.find_models(root)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        options = DemoOptions(root, Path(folder) / "data", Path(folder) / "out", models)
        cloud = running.enter_context(local_cloud(cloud_options(options)))
        counter = running.enter_context(counting(cloud._simulator))
        play = Demonstration(cloud, demo_policy(), models.manifest.demo_threshold, options.out)
        play.prepare()
        found = measure(Bench(cloud, counter, play, rounds), models)
    for name, case in found["cases"].items():
        print(
            f"{name}: cpu {case['cpu_ms']}, database {case['database_ms']}, wall {case['wall_ms']}, "
            f"served {case['served_ms']}"
            f" ms; {case['requests']}; {case['log_lines']} lines, {case['log_bytes']} bytes"
        )
    print(json.dumps(found["cold"]), json.dumps(found["peak_memory_mb"]))
    if write:
        (root / OUT).write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    arguments = [one for one in sys.argv[1:] if one != "--write"]
    main(int(arguments[0]) if arguments else 60, "--write" in sys.argv)
