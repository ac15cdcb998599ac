"""SnapStart, under AWS's own runtime client: what the hooks load, in which order, and that nothing else comes along.

The Runtime API plays snapshot and restore; the process is one and the same. A snapshot of memory cannot be taken here.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from proviso.local.runtime_api import Call, RuntimeApi

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT / "layers/core/src"),
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "small",
}
LEFT = {
    "a connection (Connection)": "import psycopg; LEFT = psycopg.Connection.__new__(psycopg.Connection)",
    "a connection (Connector)": "from proviso.store.connection import Connector; LEFT = Connector(lambda: '')",
    "a connection (HTTPConnection)": "import http.client; LEFT = http.client.HTTPConnection('127.0.0.1', 1)",
    "a credential (Credentials)": "from botocore.credentials import Credentials; LEFT = Credentials('a', 'b')",
    "a credential (S3)": (
        "import botocore.session; s = botocore.session.get_session(); s.set_credentials('a', 'b');"
        "LEFT = s.create_client('s3', 'eu-west-2'); del s"
    ),
    "a credential (Session)": "import botocore.session; LEFT = botocore.session.get_session()",
    "a permit (Permit)": (
        "from datetime import UTC, datetime; from proviso.domain.permit import Permit;"
        "LEFT = Permit('d', 'x', 'c', datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC), 'p', 1, 1)"
    ),
    "a time (in a list)": "from datetime import UTC, datetime; LEFT = [datetime.now(UTC)]",
    "a time (in a tuple)": "import datetime; LEFT = {'deep': ({'at': datetime.datetime.utcnow()},)}",
    "an identifier (in a dict)": "import uuid; LEFT = uuid.uuid4()",
    "an identifier (of a request)": (
        "from proviso.edge.telemetry import logger; logger().append_keys(request_id='r-1'); LEFT = None"
    ),
    "a socket (descriptor": "import socket; LEFT = socket.socket()",
    "a file (descriptor": "import tempfile; LEFT = tempfile.TemporaryFile()",
    "a generator (Random)": "import random; LEFT = random.Random(1)",
    "a generator (Generator)": "import numpy; LEFT = numpy.random.default_rng(1)",
    "a generator (RandomState)": "import numpy; LEFT = numpy.random.RandomState(1)",
    "a frame (Jpeg)": "from proviso.domain.frame import Jpeg; LEFT = Jpeg(b'x')",
    "a face (Template)": "from proviso.domain.face import Template; LEFT = Template(bytes(4), 1, 'p')",
}
HANDLER = """
import os
from pathlib import Path

from snapshot_restore_py import register_after_restore, register_before_snapshot

from proviso.cloud import clients
from proviso.edge.snapshot import with_snapshots
from proviso.wiring import now

def note(what):
    with Path(os.environ["NOTES"]).open("a") as out:
        out.write(what + "\\n")

def leave():
    for number, left in enumerate({kinds!r}.values()):
        names = {{}}
        exec(left, names)
        globals()[f"left_{{number}}"] = names["LEFT"]

def load():
    note("load")
    clients.prepare("s3")
    {leave_at_load}

def forget():
    note("forget")
    clients.forget()

def last():
    note("somebody else's, registered before ours and so run after it")
    {leave_afterwards}

register_before_snapshot(last)
with_snapshots(load, forget, now)
register_after_restore(lambda: note("restored"))

def handler(event, context):
    import random
    key = clients.session().get_credentials().access_key
    return {{"key": key, "time": now().timestamp(), "chance": random.random()}}
"""


class Started:
    """A process that starts for a snapshot, and its Runtime API, which holds the restore back."""

    def __init__(self, folder: Path, *, when: str = "", kinds: Mapping[str, str] | None = None) -> None:
        calls = {f"leave_{name}": "leave()" if when == name else "pass" for name in ("at_load", "afterwards")}
        (folder / "small.py").write_text(HANDLER.format(kinds=dict(kinds or {}), **calls))
        self.notes = folder / "notes"
        self.api = RuntimeApi()
        self.api.may_restore.clear()
        given = {
            **ENVIRONMENT,
            "NOTES": str(self.notes),
            "AWS_ACCESS_KEY_ID": "of-before",
            "AWS_SECRET_ACCESS_KEY": "x",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", "small.handler"],
            cwd=folder,
            env=self.api.environment(given, snap_start=True),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    def restore(self, key: str = "of-after") -> None:
        assert self.api.snapshot_taken.wait(30), self.api.init_error
        self.api.keys["AccessKeyId"] = key
        self.api.may_restore.set()

    def answer(self) -> dict[str, Any]:
        call = Call(str(uuid.uuid4()), b"{}", "arn:aws:lambda:eu-west-2:123456789012:function:small", 10)
        self.api.submit(call)
        assert call.done.wait(30)
        assert call.error is None
        found: dict[str, Any] = json.loads(call.answer or b"")
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    made: list[Started] = []

    def one(**leaving: Any) -> Started:
        made.append(Started(tmp_path, **leaving))
        return made[-1]

    yield one
    for started in made:
        started.process.kill()
        started.process.wait()
        started.api.close()


def test_what_is_shared_is_loaded_before_the_snapshot_and_rights_time_and_chance_are_those_of_after_the_restore(
    start: Callable[..., Started],
) -> None:
    started = start()
    assert started.api.snapshot_taken.wait(30), started.api.init_error
    before = ["load", "forget", "somebody else's, registered before ours and so run after it"]
    assert started.notes.read_text().splitlines() == before
    assert started.api.credentials_given == 0  # what is asked for before would be in the snapshot
    time.sleep(0.2)
    restored_at = time.time()
    started.restore(key="of-after")
    answer = started.answer()
    assert answer["key"] == "of-after"
    assert answer["time"] >= restored_at
    assert started.notes.read_text().splitlines() == [*before, "restored"]


def test_each_kind_is_found_alone_and_by_its_name() -> None:
    script = """
import json, sys, time
from proviso.edge.snapshot import kept
import botocore.session, numpy.random, psycopg, proviso.edge.snapshot, proviso.settings
from proviso.cloud import clients
clients.prepare("s3")
found = {"": sorted(kept(time.time(), frozenset()))}
for name, left in json.load(sys.stdin).items():
    holder = {}
    exec(left, holder)
    found[name] = sorted(kept(time.time(), frozenset()))
    del holder
    if "of a request" in name:
        proviso.edge.snapshot.logger.cache_clear()
    clients.forget()
    __import__("gc").collect()
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(LEFT), env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("") == []
    for name, names in found.items():
        assert [one for one in names if one.startswith(name)], (name, names)
        assert {one.split("(")[0] for one in names} <= {f"{name.split('(')[0]}", "a credential "}, names


def test_no_snapshot_is_taken_of_a_process_that_holds_any_of_it(start: Callable[..., Started]) -> None:
    started = start(when="at_load", kinds=LEFT)
    assert started.process.wait(30) == 64
    assert not started.api.snapshot_taken.is_set()
    assert started.api.init_error is not None
    assert started.api.init_error["errorType"] == "KeptInSnapshot"
    for name in LEFT:
        assert name in started.api.init_error["errorMessage"]


@pytest.mark.parametrize("name", ["a connection (Connection)", "a time (in a tuple)", "an identifier (in a dict)"])
def test_no_copy_serves_anybody_that_came_back_with(name: str, start: Callable[..., Started]) -> None:
    """Left behind after our own look, by somebody else's hook."""
    started = start(when="afterwards", kinds={name: LEFT[name]})
    started.restore()
    assert started.process.wait(30) == 65
    assert started.api.restore_error is not None
    assert started.api.restore_error["errorType"] == "KeptInSnapshot"
    assert name in started.api.restore_error["errorMessage"]


def test_a_copy_that_came_back_with_all_of_it_names_all_of_it(start: Callable[..., Started]) -> None:
    started = start(when="afterwards", kinds=LEFT)
    started.restore()
    assert started.process.wait(30) == 65
    assert started.api.restore_error is not None
    for name in LEFT:
        assert name in started.api.restore_error["errorMessage"]


def test_every_copy_draws_chance_of_its_own() -> None:
    """Two processes with the same state of Python's and numpy's generators, as two copies have it."""
    told = """
import random, numpy
from proviso.edge.snapshot import reseed
random.seed(1); numpy.random.seed(1)
reseed()
print(random.random(), numpy.random.random())
"""
    command = [sys.executable, "-c", told]
    drawn = [subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True) for _ in range(2)]
    one, other = (run.stdout.split() for run in drawn)
    assert not set(one) & set(other)
