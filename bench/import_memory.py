"""Does an import climb in memory? A folder of many small pictures is imported into a local cloud by the command itself,
and the resident memory of the command and of the enrol function's process is read on the way.

The pictures are made at run time from the two public-domain photographs of the demonstration: cut, scaled and lit in
ever other ways, so that no two are the same bytes. A tenth of them are poor on purpose. Five reference numbers, which
is what the policy `demo` allows, share them.

usage: python bench/import_memory.py [PICTURES]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from proviso.cli import places
from proviso.cli.api import Api
from proviso.cli.demo.photographs import photograph
from proviso.cli.demo.script import AUTHORISER, OFFICER, PARAMETERS
from proviso.local.cloud import LocalCloud, LocalCloudOptions, local_cloud

PEOPLE = 5
OPTIONS = {
    "category": "public_domain_photograph",
    "reason": "to measure the import",
    "source": "matplotlib and scikit-image",
    "lawful-holding": "public domain",
    "image-date": "2026-01-01",
}


def make(folder: Path, pictures: int, seed: int = 1) -> None:
    """Pictures by reference number. Those of the last two numbers are of the other photograph."""
    random = np.random.default_rng(seed)
    heads = [photograph("hopper")[0:520, 30:490], photograph("astronaut")[0:270, 90:365]]
    for number in range(pictures):
        person = number % PEOPLE
        path = folder / f"R-{person + 1}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        _, data = cv2.imencode(".jpg", varied(heads[person >= 3], number, random), [cv2.IMWRITE_JPEG_QUALITY, 90])
        path.write_bytes(data.tobytes())


def varied(head: Any, number: int, random: np.random.Generator) -> Any:
    """Another cut, size and light; every tenth picture out of focus."""
    height, width = head.shape[:2]
    left, right, top = (int(part) for part in random.integers(0, width // 12, 3))
    cut = head[top:height, left : width - right]
    scale = random.uniform(0.9, 1.3)
    scaled = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    lit = np.clip(scaled * random.uniform(0.8, 1.15) + random.normal(0, 1.5, scaled.shape), 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(lit, (0, 0), 9) if number % 10 == 9 else lit


def new_list(cloud: LocalCloud) -> tuple[str, str]:
    """The id of an empty list, and an officer's token."""
    authoriser = Api(cloud.api_url, cloud.sign_in(AUTHORISER))
    authoriser.post("/people", {"sub": OFFICER, "roles": ["watchlist_officer"]})
    token = cloud.sign_in(OFFICER, lifetime_s=4 * 3600)
    made = Api(cloud.api_url, token).post("/watchlists", {"name": "Measured", "policy": "demo"})
    return str(made["id"]), token


def megabytes(pid: int) -> float:
    """Resident memory now."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def worker_pid(cloud: LocalCloud) -> int:
    """The process of the enrol function: the child that has its name in its environment."""
    name = cloud.pool("EnrolFunction").function.name
    for child in psutil.Process().children(recursive=True):
        if child.environ().get("AWS_LAMBDA_FUNCTION_NAME") == name:
            return child.pid
    sys.exit("the enrol function has no process")


def settled(journal: Path) -> int:
    """Pictures that are settled: one line each."""
    try:
        return journal.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def measure(cloud: LocalCloud, root: Path, work: Path, pictures: int) -> None:
    """Run the command, print memory at each tenth and at 100, 500 and 1,000 pictures, then the command's own words."""
    list_id, token = new_list(cloud)
    data = work / "import"
    environment = {
        **os.environ,
        "PROVISO_API": cloud.api_url,
        "PROVISO_TOKEN": token,
        "PROVISO_DATA": str(data),
        "PYTHONPATH": os.pathsep.join([str(root / "layers/core/src"), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "proviso.cli.main", "watchlist", "import", list_id, str(work / "pictures")]
    for name, value in OPTIONS.items():
        command += [f"--{name}", value]
    said = work / "said.txt"
    marks = sorted({pictures // 10, 100, 500, 1000, *range(pictures // 10, pictures, max(1, pictures // 10))})
    marks = [mark for mark in marks if 0 < mark <= pictures]
    journal = data / "imports" / list_id / "journal.jsonl"
    print(f"{'pictures':>9} {'command':>10} {'enrol':>10} {'a second':>9}")
    began = time.perf_counter()
    with said.open("w") as out, subprocess.Popen(command, env=environment, cwd=root, stdout=out, stderr=out) as running:
        while running.poll() is None:
            done = settled(journal)
            if marks and done >= marks[0]:
                took = time.perf_counter() - began
                worker = megabytes(worker_pid(cloud))
                print(f"{done:>9} {megabytes(running.pid):>7.0f} MB {worker:>7.0f} MB {done / took:>9.1f}", flush=True)
                marks = [mark for mark in marks if mark > done]
            time.sleep(0.02)
    took = time.perf_counter() - began
    done = settled(journal)
    print(f"{done} pictures in {took:.0f} s, {done / took:.1f} a second, exit code {running.returncode}")
    print("\n".join(said.read_text().splitlines()[-14:]))


def main(pictures: int) -> None:
    """One import into a local cloud of its own."""
    root = places.checkout()
    models = places.find_models(root)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make(work / "pictures", pictures)
        options = LocalCloudOptions(root, work / "cloud", 0, PARAMETERS, models.environment)
        with local_cloud(options) as cloud:
            measure(cloud, root, work, pictures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
