"""What a start costs: process CPU from nothing to the first answer, of functions as they are built; and of detect and
match beside the same function packaged plainly.

usage: python bench/cold_start.py [ROUNDS]

All run under Python 3.13 and AWS's own runtime client, in a local cloud with a running deployment: detect finds the
face in a real frame, match searches a real message in PostgreSQL and raises its candidate. Processes are started in
turn, so that whatever else the machine does meets all alike. The files are in the page cache; what is not measured is
the fetching of the archive, and the network.

Built: out/built (`make build-host`). Plainly: packages as pip unpacks them, nothing trimmed, without .pyc (`sam build`
makes none, and /var/task cannot be written to); everything imported, all clients made and the model loaded with the
module (bench/plain); threads as the libraries choose them. What the runtime brings itself is the same for both.
Restored: for a snapshot, from the restore on. The process is the same before and after, no memory is written or read.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench._cold import Packaged, Started, run
from proviso.cli import places
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, Person, Scene, Studio
from proviso.cli.demo.script import Demonstration
from proviso.domain.frame import FrameKey
from proviso.local.cloud import local_cloud
from proviso.local.poller import record

LIMIT = 0.55
LIGHT = ("alert", "grant", "report", "review", "sweep")
_OURS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
_WHEELS = ("manylinux_2_28", "manylinux2014")

Runs = dict[tuple[str, str], list[Started]]


class Site:
    """A local cloud of built functions with a running deployment. What comes for detect and match waits here."""

    def __init__(self, play: Demonstration, root: Path, work: Path) -> None:
        self.play, self.root, self.work = play, root, work
        person = Person("hopper", 120, 420, 330)
        self._jpegs = [Studio().jpeg(Scene(f"cold-{n}", NORTH, "", (person,))) for n in range(4)]
        self._put = play.cameras().put(NORTH)
        self._sent = 0
        for name in ("DetectFunction", "MatchFunction"):
            play.cloud.hold(name)

    def frame(self) -> Any:
        """The event of one new frame with a face."""
        self._sent += 1
        captured = self.play.clock()
        key = FrameKey(NORTH, captured.replace(microsecond=captured.microsecond // 1000 * 1000), self._sent)
        self._put(str(key), self._jpegs[self._sent % len(self._jpegs)])
        return self._message("FramesQueue")

    def faces(self) -> Any:
        """The event of what detect sent on last."""
        return self._message("FacesQueue")

    def _message(self, queue: str) -> Any:
        url, sqs = self.play.cloud.physical(queue), self.play.cloud.client("sqs")
        asked = {"MaxNumberOfMessages": 1, "WaitTimeSeconds": 10, "AttributeNames": ["All"]}
        (found,) = sqs.receive_message(QueueUrl=url, **asked)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])
        return {"Records": [record(found, f"arn:aws:sqs:local:000000000000:{url.rsplit('/', 1)[-1]}")]}

    def light(self, stage: str) -> Any:
        """An event that this function answers as it would a person, a camera or the clock."""
        names = {"alert": "schedule", "grant": "camera", "report": "records", "review": "list", "sweep": "schedule"}
        event = json.loads((self.root / "events" / f"{stage}-{names[stage]}.json").read_text())
        if stage == "grant":
            event["headers"]["authorization"] = f"Bearer {self.play.keys[NORTH]}"
        return event

    def built(self, stage: str) -> Packaged:
        """The function as it is deployed."""
        worker = self.play.cloud.pool(f"{stage.capitalize()}Function").workers[0]
        return Packaged(worker.place.python, worker.function.handler, worker.place.folder, worker.environment)

    def plain(self, stage: str) -> Packaged:
        """The comparator: the same sources, packaged without a thought."""
        built, packages, task = self.built(stage), plain_packages(self.root), self.work / "plain" / stage
        if not task.exists():
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(self.root / "layers/core/src/proviso", task / "proviso", ignore=without)
            shutil.copytree(self.root / "functions", task / "functions", ignore=without)
            (task / "plain").mkdir()
            shutil.copy(self.root / "bench" / "plain" / f"{stage}.py", task / "plain")
        environment = {name: value for name, value in built.environment.items() if name not in _OURS}
        environment |= {
            "PYTHONPATH": os.pathsep.join([str(task), str(packages)]),
            "LAMBDA_TASK_ROOT": str(task),
            "PYTHONDONTWRITEBYTECODE": "1",  # as where nothing can be written
        }
        return Packaged(built.python, f"plain.{stage}.handler", task, environment)


def plain_packages(root: Path) -> Path:
    """Everything that the two import, as pip unpacks it; fetched once."""
    target = root / "out" / "bench" / "plain"
    if not target.is_dir():
        asked = [part for name in ("core", "vision") for part in ("-r", root / "layers" / name / "requirements.txt")]
        kinds = [part for name in _WHEELS for part in ("--platform", f"{name}_{platform.machine()}")]
        kinds += ["--python-version", "3.13", "--implementation", "cp", "--only-binary=:all:"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", *kinds]
        subprocess.run([*pip, "--target", target, *asked], check=True)
    if found := next(target.rglob("*.pyc"), None):
        sys.exit(f"{found} would make the comparator quicker than it is: remove {target}")
    return target


def rounds(site: Site, number: int, told: Callable[[str], None]) -> Runs:
    """Every kind of start in turn. Each process answers two events: one cold, one warm."""
    found: Runs = defaultdict(list)
    log = site.work / "function.log"
    kinds = (("built", site.built, False), ("plain", site.plain, False), ("restored", site.built, True))
    for count in range(number + 1):
        told(f"round {count} of {number}")
        here: list[tuple[str, str, Started]] = []
        for name, make, restored in kinds:
            frames = [site.frame(), site.frame()]
            here.append(("detect", name, run(make("detect"), frames, log, restored=restored)))
            faces = [site.faces(), site.faces()]
            here.append(("match", name, run(make("match"), faces, log, restored=restored)))
        for stage in LIGHT:
            event = site.light(stage)
            here.append((stage, "built", run(site.built(stage), [event, event], log)))
        for stage, name, started in here:
            checked(stage, started)
            if count:  # the first one fills the page cache, and opens the candidate
                found[stage, name].append(started)
    return found


def checked(stage: str, started: Started) -> None:
    """Is every answer the right one? A quick refusal would be a good figure."""
    for one in started.answers:
        right = one.payload == {"batchItemFailures": []} if stage in ("detect", "match") else True
        if isinstance(one.payload, dict) and "statusCode" in one.payload:
            right = one.payload["statusCode"] == 200
        if not right:
            sys.exit(f"{stage} answered {one.payload}")


def searched(site: Site) -> int:
    """How many frames the ledger says were searched with a candidate."""
    return sum(1 for row in site.play.ledger().values() if row.counts.candidates)


def spread(values: Sequence[float], form: str) -> str:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def show(found: Runs, number: int, console: Console) -> None:
    """The tables: median and quartiles."""
    table = Table(title=f"from the start to the first answer, {number} rounds in turn: median (quartiles)")
    for name in ("function", "CPU, ms", "time, ms", "second answer, CPU, ms", "most memory, MB"):
        table.add_column(name, justify="left" if name == "function" else "right")
    for (stage, name), runs in found.items():
        table.add_row(
            stage if name == "built" else f"{stage}, {name}",
            spread([one.answers[0].cpu_ms for one in runs], ".0f"),
            spread([one.answers[0].wall_ms for one in runs], ".0f"),
            spread([one.answers[1].cpu_ms for one in runs], ".0f"),
            f"{max(one.peak_mb for one in runs):.0f}",
        )
    console.print(table)
    for stage in ("detect", "match"):
        pairs = zip(found[stage, "built"], found[stage, "plain"], strict=True)
        ratios = [one.answers[0].cpu_ms / other.answers[0].cpu_ms for one, other in pairs]
        kept = "kept" if np.median(ratios) <= LIMIT else "NOT KEPT"
        console.print(f"{stage}: {spread(ratios, '.2f')} of the CPU of the plain one, limit {LIMIT}: {kept}")


def main(number: int) -> None:
    """A local cloud of built functions, and the rounds."""
    root, console = places.checkout(), Console(width=110)
    if not (root / "out/built/build.json").is_file():
        console.print("cold start: not measured, there is no out/built (make build-host)")
        return
    models = places.find_models(root)
    plain_packages(root)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        work = Path(folder)
        options = DemoOptions(root, work / "data", work / "out", models, built=root / "out/built")
        cloud = running.enter_context(local_cloud(cloud_options(options)))
        play = Demonstration(cloud, demo_policy(), models.manifest.demo_threshold, options.out)
        play.prepare()
        site = Site(play, root, work)
        with console.status("starting") as status:
            found = rounds(site, number, status.update)
        expected = 6 * (number + 1)  # three kinds of match, two messages each
        if (raised := searched(site)) != expected:
            sys.exit(f"{raised} of {expected} frames were searched and raised their candidate")
    show(found, number, console)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
