"""What the functions ask AWS for while the main job runs, held against the table of `proviso cost`.

A change that adds a request to a frame, a minute or a notice fails here. Then either it is not wanted, or the table in
cli/cost/usage.py and docs/cost.md say what it costs.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proviso.cli.cost import usage
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene, Studio
from proviso.cli.demo.script import Demonstration
from proviso.cloud.ledger import DynamoLedger
from proviso.domain.folding import fold_hour, hours_to_look_for
from proviso.domain.frame import FrameKey, LedgerEntry, Outcome
from proviso.edge.metrics import Metric
from proviso.local.cloud import LocalCloud, local_cloud
from proviso.local.counting import Request, RequestCounter, counting, tally
from tests.e2e.conftest import ROOT, models_or_skip

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
PASSER_BY, LISTED = Person("astronaut", 110, 610, 300), Person("hopper", 120, 420, 330)


class Stage:
    """A running deployment with a counter in front of the simulator."""

    def __init__(self, cloud: LocalCloud, counter: RequestCounter, play: Demonstration) -> None:
        self.cloud, self.counter, self.play = cloud, counter, play
        self.studio, self.number = Studio(), 0

    def frame(self, *people: Person) -> dict[str, dict[str, int]]:
        """Send one; what was asked for until all is quiet, by function."""
        self.number += 1
        captured = self.play.clock()
        key = FrameKey(NORTH, captured.replace(microsecond=captured.microsecond // 1000 * 1000), self.number)
        jpeg = self.studio.jpeg(Scene(f"count-{self.number}", NORTH, "", people))
        put = self.play.cameras().put(NORTH) if self.number == 1 else self._put
        self._put = put
        put.right()
        mark = self.counter.mark()
        put(str(key), jpeg)
        assert self.cloud.wait_idle(30)
        return by_function(self.counter.since(mark))

    def clock(self, function: str) -> tuple[dict[str, int], list[str]]:
        mark = self.counter.mark()
        done = self.cloud.run_schedule(function)
        assert done.ok, done.error
        return dict(tally(self.counter.since(mark, function))), list(done.log)


def by_function(requests: Sequence[Request]) -> dict[str, dict[str, int]]:
    """Without the clock's own calls, which may come at any moment, and the grant."""
    callers = {one.caller for one in requests} - {"", usage.SWEEP, usage.RETAIN, usage.GRANT}
    return {who: dict(tally([one for one in requests if one.caller == who])) for who in sorted(callers)}


def together(*counts: usage.Asked) -> dict[str, int]:
    names = {name for one in counts for name in one}
    return {name: sum(one.get(name, 0) for one in counts) for name in names}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    models = models_or_skip()
    folder: Path = tmp_path_factory.mktemp("counts")
    with ExitStack() as running:
        options = DemoOptions(ROOT, folder / "data", folder / "out", models)
        cloud = running.enter_context(local_cloud(cloud_options(options)))
        counter = running.enter_context(counting(cloud._simulator))
        play = Demonstration(cloud, demo_policy(), models.manifest.demo_threshold, options.out)
        play.prepare()
        made = Stage(cloud, counter, play)
        made.frame()  # the first one starts processes
        yield made


def test_a_frame_without_a_face(stage: Stage) -> None:
    assert stage.frame() == {usage.DETECT: dict(usage.NO_FACE)}


def test_a_frame_with_faces(stage: Stage) -> None:
    assert stage.frame(PASSER_BY) == {usage.DETECT: dict(usage.WITH_FACES), usage.MATCH: dict(usage.SEARCHED)}


def test_a_candidate_and_its_notice_and_then_only_a_sighting(stage: Stage) -> None:
    assert stage.frame(LISTED) == {
        usage.DETECT: dict(usage.WITH_FACES),
        usage.MATCH: together(usage.SEARCHED, usage.RAISED),
        usage.ALERT: dict(usage.TOLD),
    }
    assert stage.frame(LISTED) == {usage.DETECT: dict(usage.WITH_FACES), usage.MATCH: dict(usage.SEARCHED)}


def test_a_batch_reads_a_camera_s_permit_once(stage: Stage) -> None:
    keys = [str(FrameKey(NORTH, stage.play.clock().replace(microsecond=0), 800 + n)) for n in range(3)]
    event = {
        "Records": [
            {"messageId": key, "body": json.dumps({"Records": [{"s3": {"object": {"key": key}}}]}),
             "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs", "receiptHandle": "r",
             "messageAttributes": {}}
            for key in keys
        ]
    }  # fmt: skip
    mark = stage.counter.mark()
    stage.cloud.invoke(usage.DETECT, event)  # the objects are not there: each is asked for all the same
    found = tally(stage.counter.since(mark, usage.DETECT))
    assert found["s3:GetObject"] == 3 + usage.PERMIT["s3:GetObject"]


def test_each_minute(stage: Stage) -> None:
    due = stage.cloud.client("s3").list_objects_v2(Bucket=stage.cloud.physical("PermitsBucket"), Prefix="due/")
    asked, log = stage.clock(usage.SWEEP)
    if hours_to_look_for(stage.play.clock()):  # the one minute of a day
        assert asked.pop("dynamodb:Query", 0) <= usage.LOOKED["dynamodb:Query"]
    minute = together(usage.SWEPT, *[usage.DUE_OBJECT] * due.get("KeyCount", 0))
    assert asked in (minute, together(minute, usage.WAKES))
    assert metrics_in(log) == set(), "a metric that is sent each minute costs its month"


def test_sweep_looks_into_the_queues_before_it_wakes_retain(stage: Stage) -> None:
    s3: Any = stage.cloud.client("s3")
    past = (stage.play.clock() - timedelta(minutes=1)).isoformat()
    due = {"Bucket": stage.cloud.physical("PermitsBucket"), "Key": "due/counted.json"}
    s3.put_object(**due, Body=json.dumps({"version": 1, "due_at": past}))
    count = s3.list_objects_v2(Bucket=due["Bucket"], Prefix="due/")["KeyCount"]
    asked, _ = stage.clock(usage.SWEEP)
    s3.delete_object(**due)
    assert asked == together(usage.SWEPT, *[usage.DUE_OBJECT] * count, usage.WAKES)
    assert stage.cloud.wait_idle(30)


def test_each_five_minutes(stage: Stage) -> None:
    asked, log = stage.clock(usage.ALERT)
    contacts = 2  # of the demonstration
    assert asked == together(usage.SUBSCRIPTIONS, *[usage.SUBSCRIPTION] * contacts)
    assert metrics_in(log) == {one.value.name for one in Metric if one.value.when == "idle"}


def test_a_run_of_retain_and_what_it_folds(stage: Stage) -> None:
    assert stage.cloud.wait_idle(30)
    retained(stage)  # the hours before this stage was there
    quiet = retained(stage)
    assert quiet in (dict(usage.RETAINED), together(usage.RETAINED, usage.WAITING))  # one was raised, and may be over
    earlier = stage.play.clock() - timedelta(hours=2)
    ledger = DynamoLedger(stage.cloud.client("dynamodb"), stage.cloud.physical("LedgerTable"), stage.play.clock)
    for n in range(3):
        key = str(FrameKey(NORTH, earlier.replace(microsecond=0), 900 + n))
        ledger.finish(LedgerEntry(key, Outcome.NO_FACE, received_at=earlier, camera=NORTH, finished_at=earlier))
    unfold(stage)
    folded = retained(stage)
    more = {name: folded.get(name, 0) - quiet.get(name, 0) for name in {*folded, *quiet}}
    hours = more.pop("dynamodb:Query")
    assert 1 <= hours <= 4 * usage.FOLDED["dynamodb:Query"]
    assert {name: count for name, count in more.items() if count and not name.startswith("s3:")} == {}, "one a row"


def unfold(stage: Stage) -> None:
    """As if nothing had been folded in the last three hours."""
    before = fold_hour(stage.play.clock() - timedelta(hours=3))
    with psycopg.connect(stage.cloud.database_url) as connection:
        connection.execute("SET session_replication_role = replica")  # nothing may take a fold back, but a test
        connection.execute("DELETE FROM ledger_fold")
        connection.execute("INSERT INTO ledger_fold (hour, frames, folded_at) VALUES (%s, 0, now())", (before,))


def retained(stage: Stage) -> dict[str, int]:
    mark = stage.counter.mark()
    done = stage.cloud.invoke(usage.RETAIN, {"reason": "counted"})
    assert done.ok, done.error
    time.sleep(0.05)
    return dict(tally(stage.counter.since(mark, usage.RETAIN)))


def test_a_row_of_the_ledger_is_less_than_a_kilobyte_so_that_a_write_is_one_unit(stage: Stage) -> None:
    rows = stage.cloud.client("dynamodb").scan(TableName=stage.cloud.physical("LedgerTable"))["Items"]
    sizes = [size_of({"M": row}) for row in rows]
    assert max(sizes) < 1024
    assert sum(sizes) / len(sizes) == pytest.approx(usage.ROW_BYTES, rel=0.35)


def size_of(value: dict[str, Any]) -> int:
    """Bytes of an attribute's value as DynamoDB counts them (names of the item's attributes with them)."""
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return 3 + sum(len(name) + 1 + size_of(inner) for name, inner in content.items())
        case "L":
            return 3 + sum(1 + size_of(inner) for inner in content)
        case "N":
            return len(content) // 2 + 2
        case _:
            return len(str(content))


def metrics_in(log: Sequence[str]) -> set[str]:
    """Names of custom metrics in embedded metric format."""
    found: set[str] = set()
    for line in log:
        if line.startswith("{") and "_aws" in line:
            for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]:
                found |= {one["Name"] for one in directive["Metrics"]}
    return found
