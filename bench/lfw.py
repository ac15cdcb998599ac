"""LFW verification by the k-fold rule, over the folds as labelled: the measure that others publish too.

A threshold is chosen on the other folds and tried on the one held out. Each picture is embedded once. A picture in
which no face is found is cut at its middle, where LFW has its person, and counted: leaving it out would flatter.
"""

import csv
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from proviso.domain.face import Box, Face
from proviso.domain.frame import Image, Jpeg
from proviso.domain.reasons import Refused
from proviso.vision.alignment import TEMPLATE
from proviso.vision.pipeline import VisionPipeline, load_pipeline
from proviso.vision.quality import measure

# The face's region in LFW's deep-funneled pictures of 250x250: the middle, as the set's makers placed it.
_CENTRE_SIDE = 112.0
_CENTRE_LEFT, _CENTRE_TOP = 69.0, 62.0


@dataclass(frozen=True)
class Pair:
    fold: int
    same: bool
    one: str
    two: str


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


def read_pairs(labels: Path) -> list[Pair]:
    with labels.open(newline="", encoding="utf-8") as stream:
        return [
            Pair(int(row["fold"]), row["same"] == "1", row["file1"], row["file2"]) for row in csv.DictReader(stream)
        ]


def central_face(faces: Sequence[Face], image: Image) -> Face | None:
    """The face nearest to the picture's middle: LFW labels that one."""

    def distance(face: Face) -> float:
        across = face.box.x + face.box.width / 2 - image.width / 2
        down = face.box.y + face.box.height / 2 - image.height / 2
        return across * across + down * down

    return min(faces, key=distance, default=None)


def middle_of(image: Image) -> Face:
    """A face invented at the middle, for a picture in which none was found."""
    factor = _CENTRE_SIDE / 112.0 * 0.9
    points = [(_CENTRE_LEFT + 5.6 + x * factor, _CENTRE_TOP + 5.6 + y * factor) for x, y in TEMPLATE]
    box = Box(_CENTRE_LEFT, _CENTRE_TOP, _CENTRE_SIDE, _CENTRE_SIDE)
    landmarks = (points[0], points[1], points[2], points[3], points[4])
    return Face(box, landmarks, 0.0, measure(image.pixels, box, landmarks))


def embed_all(pipelines: Sequence[VisionPipeline], faces: Path, files: Sequence[str]) -> tuple[Any, int]:
    """The vectors (N, dimension) of the files in order, and how many had no face. One thread a pipeline."""

    def part(worker: int) -> tuple[list[int], list[Any], int]:
        pipeline, numbers, vectors, missing = pipelines[worker], [], [], 0
        for number in range(worker, len(files), len(pipelines)):
            image = pipeline.decode(Jpeg((faces / files[number]).read_bytes()))
            if isinstance(image, Refused):
                raise ValueError(f"{files[number]}: {image.sentence}")
            face = central_face(pipeline.detect(image), image)
            if face is None:
                missing += 1
                face = middle_of(image)
            template = pipeline.templates(image, [face])[0]
            numbers.append(number)
            vectors.append(np.frombuffer(template.packed, "<f4"))
        return numbers, vectors, missing

    with ThreadPoolExecutor(len(pipelines)) as pool:
        parts = list(pool.map(part, range(len(pipelines))))
    out = np.empty((len(files), pipelines[0].dimension), np.float32)
    for numbers, vectors, _ in parts:
        out[numbers] = vectors
    return out, sum(missing for _, _, missing in parts)


def best_threshold(similarities: Any, same: Any) -> float:
    """The similarity at or above which calling a pair mated is right most often; in the middle of its gap."""
    order = np.argsort(similarities, kind="stable")
    values, labels = similarities[order], same[order]
    # Right answers when the cut lies before position i: non-mated below it and mated from it on.
    right = np.concatenate(([0], np.cumsum(~labels))) + (labels.sum() - np.concatenate(([0], np.cumsum(labels))))
    cut = int(np.argmax(right))
    low = values[cut - 1] if cut > 0 else values[0]
    high = values[cut] if cut < len(values) else values[-1]
    return float((low + high) / 2)


def verify(make: Callable[[], VisionPipeline], faces: Path, *, workers: int) -> Result:
    """Run the whole rule. `make` gives one pipeline for each worker."""
    pairs = read_pairs(faces / "labels" / "lfw_pairs.csv")
    files = sorted({name for pair in pairs for name in (pair.one, pair.two)})
    at = {name: number for number, name in enumerate(files)}
    vectors, missing = embed_all([make() for _ in range(workers)], faces, files)
    similarity = np.array([float(vectors[at[pair.one]] @ vectors[at[pair.two]]) for pair in pairs])
    same = np.array([pair.same for pair in pairs])
    fold = np.array([pair.fold for pair in pairs])
    folds, thresholds = [], []
    for held in sorted(set(fold.tolist())):
        threshold = best_threshold(similarity[fold != held], same[fold != held])
        thresholds.append(threshold)
        folds.append(float(((similarity >= threshold) == same)[fold == held].mean()))
    return Result(tuple(folds), tuple(thresholds), similarity[same], similarity[~same], len(files), missing)


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
    print(report(verify(lambda: load_pipeline(pack, folders=folders), faces, workers=workers)))


if __name__ == "__main__":
    main()
