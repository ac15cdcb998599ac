"""ONNX Runtime says nothing to anybody of what is run here."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOLD = """
import os
from pathlib import Path
from proviso.vision.sessions import runtime
runtime()
open_ones = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.exists()]
print([name for name in open_ones if "onnxruntime" in name or name.startswith("socket:")])
print(len(list(Path("/proc/self/task").iterdir())))
"""


def test_the_runtime_writes_no_identifier_opens_nothing_and_starts_no_thread_to_send_events(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "layers/core/src"),
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", TOLD],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    opened, threads = done.stdout.splitlines()
    assert opened == "[]"
    assert threads == "1"
    assert list(tmp_path.rglob("*")) == []
