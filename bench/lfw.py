"""LFW verification by the k-fold rule, over the folds as labelled: the measure that others publish too.

A threshold is chosen on the other folds and tried on the one held out. Each picture is embedded once. A picture in
which no face is found is cut at its middle, where LFW has its person, and counted: leaving it out would flatter. The
rule itself is `proviso.evaluation.verification`; `proviso evaluate --pairs` runs it with everything else.
"""

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from proviso.evaluation.alteration import AS_IS
from proviso.evaluation.dataset import read_dataset, read_pairs
from proviso.evaluation.faces import MakePipeline, measure
from proviso.evaluation.verification import compare, verify_folds
from proviso.vision.pipeline import load_pipeline


@dataclass(frozen=True)
class Result:
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]
    mated: Any
    non_mated: Any
    pictures: int
    without_face: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.folds))


def verify(make: MakePipeline, faces: Path, *, workers: int) -> Result:
    """Run the whole rule. `make` gives one pipeline for each worker; it must be picklable."""
    data = read_dataset([faces / "lfw"])
    pairs = read_pairs(faces / "labels" / "lfw_pairs.csv", data)
    numbers = sorted({number for pair in pairs for number in (pair.one, pair.two)})
    measured = measure(data.pictures, [(number, AS_IS) for number in numbers], make=make, workers=workers)
    compared = compare(pairs, measured)
    folds = verify_folds(compared)
    return Result(
        tuple(right / total for right, total, _ in folds),
        tuple(threshold for _, _, threshold in folds),
        compared.similarity[compared.same],
        compared.similarity[~compared.same],
        len(numbers),
        sum(bool(result.failure) for result in measured.values()),
    )


def report(result: Result) -> str:
    def spread(values: Any) -> str:
        marks = np.percentile(values, [0, 0.1, 1, 5, 50, 95, 99, 99.9, 100])
        return "  ".join(f"{mark:.3f}" for mark in marks)

    lines = [
        f"pictures {result.pictures}, without a face found {result.without_face} (cut at the middle)",
        f"accuracy {result.mean:.4f}, folds {', '.join(f'{fold:.4f}' for fold in result.folds)}",
        f"thresholds {', '.join(f'{threshold:.3f}' for threshold in result.thresholds)}",
        "percentiles     min    0.1    1      5      50     95     99     99.9   max",
        f"mated      {len(result.mated):5d} {spread(result.mated)}",
        f"non-mated  {len(result.non_mated):5d} {spread(result.non_mated)}",
    ]
    for threshold in (0.30, 0.35, 0.40, 0.45, 0.50, 0.90, 0.91, 0.92, 0.93, 0.94, 0.95):
        hits, errors = float((result.mated >= threshold).mean()), float((result.non_mated >= threshold).mean())
        lines.append(f"at {threshold:.2f}: mated at or above {hits:.4f}, non-mated at or above {errors:.4f}")
    return "\n".join(lines)


def main() -> None:
    here = Path(__file__).resolve().parents[1]
    pack = sys.argv[1] if len(sys.argv) > 1 else "mobilefacenet"
    folders = [Path(value)] if (value := os.environ.get("PROVISO_MODELS")) else []
    folders += [here / "models", here.parent / "shared" / "models"]
    faces = here.parent / "shared" / "faces"
    if not (faces / "labels" / "lfw_pairs.csv").is_file():
        sys.exit(f"not measured: no pictures at {faces}")
    workers = min(2, os.cpu_count() or 1)
    print(f"pack {pack}")
    print(report(verify(partial(load_pipeline, pack, folders=folders), faces, workers=workers)))


if __name__ == "__main__":
    main()
