"""A burst of three frames beside the same three sent one by one; and what tells one person's frames from two people's.

Time: all that detect and match do for an upload between its bytes and the committed answer, warm, interleaved in one
run: decode, detect, associate, decode again, embed, fuse, and the whole transaction in PostgreSQL. What a queue, S3 and
a cold start take is left out; of these a burst has a third.

    python -m bench.burst [--turns 30] [--references 10000]

Similarity: how alike two frames of one person's video are, photographs of one person, and strangers, from a folder of
faces that is not part of the project. From it the packs' `[tracks] min_similarity` was chosen.

    python -m bench.burst --alike [--pack mobilefacenet] [--people 2678]
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: idle threads of it would disturb every other turn

import argparse
import csv
import random
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench import search_sql
from bench.vision_pipeline import Match, Turn, in_sql, interleaved, unit_vectors
from bench.vision_scenes import SHARED, astronaut_jpeg, backdrop, hopper_jpeg, model_folders, placed, to_jpeg, to_pixels
from proviso.domain.burst import associate
from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import Face, Template
from proviso.domain.frame import Image, Jpeg
from proviso.domain.ports import Pipeline
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline

FRAMES = 3
FACES = SHARED / "faces"


def walking() -> list[bytes]:
    """Three frames of 1280x720, a tenth of a second apart: two people who walk, each with a face of about 90 px."""
    upper = to_jpeg(to_pixels(astronaut_jpeg())[:310], quality=95)
    frames = []
    for number in range(FRAMES):
        frame = placed(backdrop(), hopper_jpeg(), 60 + 30 * number, 120, 0.5)
        frames.append(to_jpeg(placed(frame, upper, 620 - 20 * number, 100, 1.0)))
    return frames


def image_of(pipeline: Pipeline, jpeg: Jpeg) -> Image:
    image = pipeline.decode(jpeg)
    if not isinstance(image, Image):
        raise TypeError(f"not a frame: {image}")
    return image


def usable(pipeline: Pipeline, image: Image) -> list[Face]:
    return [face for face in pipeline.detect(image) if pipeline.search_gate.judge(face) is None]


def with_cpu(turn: Turn, seconds: list[float]) -> Turn:
    """The same, and this process's own CPU time, which a busy machine does not stretch. The database's is not in it."""

    def timed() -> tuple[float, int]:
        began = time.process_time()
        answer = turn()
        seconds.append(time.process_time() - began)
        return answer

    return timed


def singles_turn(pipeline: Pipeline, frames: Sequence[bytes], match: Match) -> Turn:
    jpegs = [Jpeg(data) for data in frames]

    def turn() -> tuple[float, int]:
        began, searched = time.perf_counter(), 0
        for jpeg in jpegs:
            faces = usable(pipeline, image_of(pipeline, jpeg))
            templates = pipeline.templates(image_of(pipeline, jpeg), faces)  # match reads and decodes again
            match(templates)
            searched += len(templates)
        return time.perf_counter() - began, searched

    return turn


def burst_turn(pipeline: Pipeline, frames: Sequence[bytes], match: Match) -> Turn:
    burst = Jpeg(b"".join(frames))

    def parts() -> list[Jpeg]:
        found = pipeline.split(burst, FRAMES)
        if not isinstance(found, list):
            raise TypeError(f"not a burst: {found}")
        return found

    def turn() -> tuple[float, int]:
        began = time.perf_counter()
        tracks = associate([usable(pipeline, image_of(pipeline, part)) for part in parts()])
        templates: dict[tuple[int, int], Template] = {}
        for frame, part in enumerate(parts()):
            here = [(number, one.face) for number, track in enumerate(tracks) for one in track if one.frame == frame]
            found = pipeline.templates(image_of(pipeline, part), [face for _, face in here])
            templates |= {(number, frame): one for (number, _), one in zip(here, found, strict=True)}
        probes = []
        for number, track in enumerate(tracks):
            own = [templates[number, one.frame] for one in track]
            probes += [pipeline.fuse([own[index] for index in group]) for group in pipeline.alike(own)]
        match(probes)
        return time.perf_counter() - began, len(probes)

    return turn


def times(turns: int, references: int) -> int:
    pipeline = load_pipeline("mobilefacenet", folders=model_folders())
    frames = walking()
    cpu: dict[str, list[float]] = {"three frames, one by one": [], "one burst of three": []}
    with search_sql.searchable(unit_vectors(references)) as (store, deployment):
        match = in_sql(store, deployment)
        made = (singles_turn(pipeline, frames, match), burst_turn(pipeline, frames, match))
        asked = {name: with_cpu(turn, cpu[name]) for name, turn in zip(cpu, made, strict=True)}
        seconds, searched = interleaved(asked, set(), turns)
    print(f"detect and match of {FRAMES} frames, 1280x720, two people, {references} references, one thread")
    for name, values in seconds.items():
        low, middle, high = (1000 * float(np.percentile(values, mark)) for mark in (10, 50, 90))
        print(f"{name:28s}{middle:8.1f} ms ({low:.1f} to {high:.1f}){len(values):5d} turns, {searched[name]} searched")
    for name, found in (("time", seconds), ("CPU time", {name: values[1::2] for name, values in cpu.items()})):
        one, other = (np.array(values) for values in found.values())
        low, middle, high = np.percentile(other / one, (10, 50, 90))
        print(f"of the {name} of the three a burst takes {middle:.2f} ({low:.2f} to {high:.2f})")
    return 0


# --- similarity -------------------------------------------------------------------------------------------------------


def template_of(pipeline: Pipeline, path: Path) -> Any:
    """The face nearest to the middle, as a vector; None where none is usable."""
    image = pipeline.decode(Jpeg(path.read_bytes()))
    faces = usable(pipeline, image) if isinstance(image, Image) else []
    if not isinstance(image, Image) or not faces:
        return None

    def away(face: Face) -> float:
        across = face.box.x + face.box.width / 2 - image.width / 2
        return float(across**2 + (face.box.y + face.box.height / 2 - image.height / 2) ** 2)

    return np.array(pipeline.templates(image, [min(faces, key=away)])[0].floats())


def templates_of(pipeline: Pipeline, folder: Path, most: int = 100) -> list[Any]:
    found = (template_of(pipeline, path) for path in sorted(folder.glob("*.jpg"))[:most])
    return [one for one in found if one is not None]


def pairs(vectors: Sequence[Any]) -> list[float]:
    return [float(one @ other) for number, one in enumerate(vectors) for other in vectors[number + 1 :]]


def lowest(name: str, values: Sequence[float]) -> None:
    marks = ", ".join(f"{100 * share:g} % below {np.quantile(values, share):.3f}" for share in (0.01, 0.05, 0.5))
    print(f"{name:46s}{len(values):9d} pairs, least {min(values):.3f}, {marks}")


def alike(pack: str, people: int) -> int:
    pipeline = load_pipeline(pack, folders=model_folders())
    for folder in sorted((FACES / "intel_samplevideos").glob("video_*")):
        found = templates_of(pipeline, folder)
        lowest(f"{folder.name}, frames after another", [float(a @ b) for a, b in pairwise(found)])
        lowest(f"{folder.name}, any two frames", pairs(found))
    lowest("photographs of one person (dlib_johns)", [
        value for folder in sorted((FACES / "dlib_johns").iterdir()) for value in pairs(templates_of(pipeline, folder))
    ])  # fmt: skip
    with (FACES / "labels" / "lfw_gender_by_identity.csv").open() as file:
        gender = {row["identity"]: row["gender"] for row in csv.DictReader(file)}
    folders = sorted((FACES / "lfw").iterdir())
    random.Random(1).shuffle(folders)
    first, names, mates = [], [], []
    for folder in folders[:people]:
        found = templates_of(pipeline, folder, 3)
        if found:
            first.append(found[0])
            names.append(gender.get(folder.name, ""))
            mates += pairs(found)
    lowest("press photographs of one person (lfw)", mates)
    own = np.array(names)
    for name, chosen in (("strangers (lfw)", own != "nobody"), ("women", own == "female"), ("men", own == "male")):
        vectors = np.array(first)[chosen]
        values = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        print(f"{name}: {len(vectors)} people, {len(values)} pairs")
        steps = (0.4, 0.45, 0.5, 0.55, 0.6) if pack != "dlib" else (0.91, 0.92, 0.93, 0.94, 0.95)
        for step in steps:
            reached = int((values >= step).sum())
            often = f"1 in {len(values) / reached:,.0f}" if reached else "none"
            missed = np.mean(np.array(mates) < step)
            print(f"  {step:.2f} reached by {often}; of one person's photographs {missed:.1%} are below")
    return 0


def main() -> int:
    asked = argparse.ArgumentParser(description="a burst beside single frames; what is alike")
    asked.add_argument("--turns", type=int, default=30)
    asked.add_argument("--references", type=int, default=10_000)
    asked.add_argument("--alike", action="store_true")
    asked.add_argument("--pack", default="mobilefacenet")
    asked.add_argument("--people", type=int, default=2678)
    options = asked.parse_args()
    try:
        find_files(load_manifest(options.pack), model_folders())
    except ConfigurationFault as absent:
        print(f"not measured: {absent}")
        return 1
    if options.alike and not FACES.is_dir():
        print(f"not measured: there is no folder of faces at {FACES}")
        return 1
    return alike(options.pack, options.people) if options.alike else times(options.turns, options.references)


if __name__ == "__main__":
    sys.exit(main())
