"""What a start costs: process CPU from nothing to the first answer, of each function as it is built, and of detect and
match beside the same function packaged plainly.

usage: python bench/cold_start.py [ROUNDS]

Both run under Python 3.13 and AWS's own runtime client against a local cloud with a running deployment: detect finds a
face in a real frame, match searches a real message in PostgreSQL and raises its candidate. Processes are started in turn, so
that whatever else the machine does meets both. Files are in the page cache; network and the fetching of the archive are
not in it, nor is SnapStart.

Built: out/built, made by `make build-host`. Plainly: packages as pip unpacks them, without .pyc (`sam build` makes none, and
/var/task cannot be written to), nothing trimmed, everything imported, every client made and the model loaded with the
module, threads as the libraries choose them (bench/plain). The runtime's own packages are the same for both.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench._cold import Packaged, Started, python_path, run
from proviso.cli import places
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene, Studio
from proviso.cli.demo.script import REVIEWER, Demonstration
from proviso.domain.frame import FrameKey
from proviso.local.cloud import LocalCloud, local_cloud
from proviso.local.poller import record

LIMIT = 0.55
LAYERS = {"detect": ("CoreLayer", "VisionLayer"), "match": ("CoreLayer", "VisionLayer"), "enrol": ("CoreLayer", "VisionLayer")}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def logical(stage: str) -> str:
    return f"{stage.capitalize()}Function"


def built(stage: str, given: Mapping[str, str], root: Path) -> Packaged:
    """The function as it is deployed."""
    place = root / "out" / "built"
    task = place / logical(stage)
    layers = [place / name / "python" for name in LAYERS.get(stage, ("CoreLayer",))]
    environment = {**given, "PYTHONPATH": python_path(task, *layers), "LAMBDA_TASK_ROOT": str(task)}
    environment["PROVISO_MODELS"] = str(place / "ModelsLayer" / "models")
    return Packaged(place / "runtime" / "bin" / "python", f"functions.{stage}.app.handler", task, environment)


def plain(stage: str, given: Mapping[str, str], root: Path, work: Path) -> Packaged:
    """The comparator."""
    packages, task = plain_packages(root), work / "plain" / stage
    if not task.exists():
        shutil.copytree(root / "layers/core/src/proviso", task / "proviso", ignore=shutil.ignore_patterns("__pycache__"))
        (task / "plain").mkdir()
        shutil.copy(root / "bench" / "plain" / f"{stage}.py", task / "plain")
    environment = {**given, "PYTHONPATH": python_path(task, packages), "LAMBDA_TASK_ROOT": str(task)}
    for name in _THREADS:
        environment.pop(name, None)
    # As in /var/task, where nothing can be written.
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PROVISO_MODELS": str(root / "out/built/ModelsLayer/models")}
    return Packaged(root / "out/built/runtime/bin/python", f"plain.{stage}.handler", task, environment)


def plain_packages(root: Path) -> Path:
    """Everything that the two need, as pip unpacks it; once."""
    target = root / "out" / "bench" / "plain" / "python"
    if not target.is_dir():
        needed = [str(root / "layers" / name / "requirements.txt") for name in ("core", "vision")]
        asked = [argument for one in needed for argument in ("-r", one)]
        pip = [root / "out/built/runtime/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        subprocess.run([*pip, "--target", target, *asked], check=True)
    if found := next(target.rglob("*.pyc"), None):
        sys.exit(f"{found} makes the comparator quicker than it would be: remove {target}")
    return target


class Site:
    """A local cloud with a running deployment whose frames and messages wait to be fetched."""

    def __init__(self, play: Demonstration) -> None:
        self.play = play
        self.cloud: LocalCloud = play.cloud
        self._jpegs = [Studio().jpeg(Scene(f"cold-{n}", NORTH, "", (Person("hopper", 120, 420, 330),))) for n in range(4)]
        self._put = play.cameras().put(NORTH)
        self._sent = 0
        self.cloud.hold("DetectFunction")
        self.cloud.hold("MatchFunction")

    def frame(self) -> Any:
        """The event of one new frame with a face."""
        self._sent += 1
        captured = self.play.clock()
        key = FrameKey(NORTH, captured.replace(microsecond=captured.microsecond // 1000 * 1000), self._sent)
        self._put(str(key), self._jpegs[self._sent % 4])
        return self.message("FramesQueue")

    def message(self, queue: str) -> Any:
        """The one message that waits there, as an event."""
        url, sqs = self.cloud.physical(queue), self.cloud.client("sqs")
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        )["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return {"Records": [record(found[0], f"arn:aws:sqs:local:000000000000:{url.rsplit('/', 1)[-1]}")]}

    def environment(self, stage: str) -> Mapping[str, str]:
        return self.cloud.pool(logical(stage)).workers[0].environment
