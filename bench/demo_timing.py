"""How long the main job takes on this machine, the cloud's start included: `proviso demo`, three times, by step.

usage: python bench/demo_timing.py [RUNS]
"""

import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from proviso.cli import places
from proviso.cli.demo.run import DemoOptions, run_demo


def once(models: places.Models, root: Path) -> tuple[float, str]:
    """Seconds, and all that it said. Ends the bench when anything did not hold."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        options = DemoOptions(root, Path(folder) / "data", Path(folder) / "out", models)
        code = run_demo(options, Console(file=said, width=140))
        took = time.perf_counter() - began
    if code:
        sys.exit(said.getvalue())
    return took, said.getvalue()


def main(runs: int) -> None:
    """Print the last run's steps and the median, least and most of all runs."""
    root = places.checkout()
    models = places.find_models(root)
    done = [once(models, root) for _ in range(runs)]
    times = [took for took, _ in done]
    print("\n".join(line for line in done[-1][1].splitlines() if " s  " in line[:12]))
    print(
        f"main job, pack {models.manifest.name}, {runs} runs: median {statistics.median(times):.1f} s, "
        f"least {min(times):.1f} s, most {max(times):.1f} s (limit 45 s)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
