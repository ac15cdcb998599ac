"""JPEG to match, warm: a 720p frame with three faces against 10,000 references, beside two things that one might
have used instead: plain OpenCV (FaceDetectorYN and the same MobileFaceNet by cv2.dnn) and `face_recognition`.

Turns are interleaved in one run, figures are medians with the 10th and 90th percentile, and what travels is the
ratio. A comparator that is not there is reported as not measured. `proviso` here is all that match does between
the JPEG and the committed answer: decode, detect, embed, and the whole transaction in PostgreSQL (gate, exact search,
row, audit). The comparators have it easier: their match is a product in memory, as the line `match in memory` has it.

    python -m bench.vision_pipeline [--turns 40] [--references 10000] [--comparator .venv-bench/bin/python]
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: idle threads of it would disturb every other turn

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import search_sql
from bench.vision_scenes import REPOSITORY, model_folders, three_faces
from proviso.domain.deployment import Deployment
from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import Template
from proviso.domain.frame import Jpeg
from proviso.store.search import PostgresSearchStore
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline

FACES = 3
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)

Turn = Callable[[], tuple[float, int]]
"""One measured pass: its seconds and the faces it found."""


def unit_vectors(count: int) -> Any:
    vectors = np.random.default_rng(1).normal(size=(count, 128)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


Match = Callable[[list[Template]], None]


def in_memory(references: Any) -> Match:
    def match(templates: list[Template]) -> None:
        probes = np.stack([np.frombuffer(template.packed, "<f4") for template in templates])
        (references @ probes.T).argmax(axis=0)

    return match


def in_sql(store: PostgresSearchStore, deployment: Deployment) -> Match:
    number = itertools.count()

    def match(templates: list[Template]) -> None:
        probes = [Template(template.packed, template.dimension, search_sql.PIPELINE) for template in templates]
        search_sql.one_round(store, deployment, probes, f"camera/{next(number)}")

    return match


def proviso_turn(jpeg: bytes, match: Match, threads: int, stages: dict[str, list[float]]) -> Turn:
    pipeline = load_pipeline("mobilefacenet", folders=model_folders(), threads=threads)
    frame = Jpeg(jpeg)

    def turn() -> tuple[float, int]:
        marks = [time.perf_counter()]
        image = pipeline.decode(frame)
        marks.append(time.perf_counter())
        faces = [face for face in pipeline.detect(image) if pipeline.search_gate.judge(face) is None]
        marks.append(time.perf_counter())
        templates = pipeline.templates(image, faces)
        marks.append(time.perf_counter())
        match(templates)
        marks.append(time.perf_counter())
        for name, seconds in zip(("decode", "detect", "templates", "match"), np.diff(marks), strict=True):
            stages.setdefault(name, []).append(float(seconds))
        return marks[-1] - marks[0], len(faces)

    return turn


def opencv_turn(jpeg: bytes, references: Any, scale: float) -> Turn:
    """As OpenCV's samples have it: imdecode, FaceDetectorYN, estimateAffinePartial2D, cv2.dnn."""
    import cv2

    sface, default = load_manifest("sface"), load_manifest("mobilefacenet")
    folders = model_folders()
    detector_file = next(
        path for folder in folders if (path := folder / sface.file("detector").name).is_file()
    )  # the file that OpenCV Zoo gives for FaceDetectorYN
    embedder_file = find_files(default, folders)["embedder"]
    size = (round(1280 * scale), round(720 * scale))
    detector = cv2.FaceDetectorYN.create(str(detector_file), "", size, 0.6)
    network = cv2.dnn.readNetFromONNX(str(embedder_file))
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])

    def turn() -> tuple[float, int]:
        began = time.perf_counter()
        frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        small = frame if scale == 1.0 else cv2.resize(frame, size)
        _, found = detector.detect(small)
        probes = []
        for row in found if found is not None else ():
            landmarks = row[4:14].reshape(5, 2) / scale
            matrix, _ = cv2.estimateAffinePartial2D(landmarks, TEMPLATE)
            crop = cv2.warpAffine(frame, matrix, (112, 112))
            blob = ((crop[:, :, ::-1] - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
            network.setInput(np.ascontiguousarray(blob))
            vector = network.forward().ravel()
            probes.append(vector / np.linalg.norm(vector))
        (references @ np.stack(probes).T).argmax(axis=0)
        return time.perf_counter() - began, len(probes)

    return turn


class FaceRecognition:
    """The comparator process; asked one turn at a time."""

    def __init__(self, python: Path, jpeg: bytes, references: int, folder: Path) -> None:
        picture = folder / "frame.jpg"
        picture.write_bytes(jpeg)
        script = Path(__file__).with_name("vision_comparator.py")
        self._process = subprocess.Popen(
            [str(python), str(script), str(picture), str(references)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.version = self._answer()["ready"]

    def turn(self, upsampling: int) -> Turn:
        def turn() -> tuple[float, int]:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{upsampling}\n")
            self._process.stdin.flush()
            answer = self._answer()
            return answer["seconds"], answer["faces"]

        return turn

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            last = self._process.stderr.read().strip().splitlines()
            raise RuntimeError(last[-1] if last else "it ended without a word")
        return json.loads(line)


def interleaved(turns: dict[str, Turn], slow: set[str], count: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """`count` turns each in rotation, a slow one every fourth time. Before each that counts, the same is done once
    uncounted: what is asked for is the warm time, and the one before has filled the caches with its own."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    faces: dict[str, int] = {}
    for number in range(count):
        for name, turn in turns.items():
            if name in slow and number % 4:
                continue
            turn()
            taken, faces[name] = turn()
            seconds[name].append(taken)
    return seconds, faces


def table(seconds: dict[str, list[float]], faces: dict[str, int], absent: dict[str, str]) -> list[str]:
    base = float(np.median(seconds["proviso"]))
    lines = [f"{'':38s}{'median':>9s}{'p10':>9s}{'p90':>9s}{'turns':>7s}{'faces':>7s}{'times proviso':>15s}"]
    for name, values in seconds.items():
        low, middle, high = (1000 * float(np.percentile(values, mark)) for mark in (10, 50, 90))
        ratio = f"{middle / 1000 / base:.1f}"
        lines.append(f"{name:38s}{middle:7.1f}ms{low:7.1f}ms{high:7.1f}ms{len(values):7d}{faces[name]:7d}{ratio:>15s}")
    lines += [f"{name:38s} not measured: {why}" for name, why in absent.items()]
    lines += [f"remark: {name} found {found} of {FACES} faces" for name, found in faces.items() if found != FACES]
    return lines


def main() -> int:
    asked = argparse.ArgumentParser(description="JPEG to match, interleaved with two comparators")
    asked.add_argument("--turns", type=int, default=40)
    asked.add_argument("--references", type=int, default=10_000)
    asked.add_argument("--threads", type=int, default=1)
    asked.add_argument("--comparator", type=Path, default=REPOSITORY / ".venv-bench" / "bin" / "python")
    options = asked.parse_args()
    try:
        find_files(load_manifest("mobilefacenet"), model_folders())
    except ConfigurationFault as absent_files:
        print(f"not measured: {absent_files}")
        return 1

    jpeg, references = three_faces(), unit_vectors(options.references)
    stages: dict[str, list[float]] = {}
    with search_sql.searchable(references) as (store, deployment):
        turns = {
            "proviso": proviso_turn(jpeg, in_sql(store, deployment), options.threads, stages),
            "proviso, match in memory": proviso_turn(jpeg, in_memory(references), options.threads, {}),
        }
        return measure(options, jpeg, references, turns, stages)


def measure(
    options: argparse.Namespace, jpeg: bytes, references: Any, turns: dict[str, Turn], stages: dict[str, list[float]]
) -> int:
    """Add the comparators, run all in rotation and print."""
    import cv2

    absent: dict[str, str] = {}
    for name, scale in (("OpenCV FaceDetectorYN, whole frame", 1.0), ("OpenCV FaceDetectorYN, half scale", 0.5)):
        try:
            turns[name] = opencv_turn(jpeg, references, scale)
        except (StopIteration, cv2.error) as fault:
            absent[name] = str(fault) or "its detector file is not there"
    slow = {"face_recognition, default settings", "face_recognition, no upsampling"}
    with tempfile.TemporaryDirectory() as folder:
        comparator = None
        try:
            comparator = FaceRecognition(options.comparator, jpeg, options.references, Path(folder))
        except (OSError, RuntimeError) as fault:
            absent |= dict.fromkeys(sorted(slow), f"{fault}; `make bench` installs it")
        else:
            turns["face_recognition, default settings"] = comparator.turn(1)
            turns["face_recognition, no upsampling"] = comparator.turn(0)
        cv2.setNumThreads(options.threads)
        try:
            seconds, faces = interleaved(turns, slow, options.turns)
        finally:
            if comparator is not None:
                comparator.close()

    print(f"JPEG to match: 1280x720, {FACES} faces, {options.references} references")
    print(f"{os.cpu_count()} processors seen, {options.threads} thread(s); Python {sys.version.split()[0]}, ", end="")
    print(f"OpenCV {cv2.__version__}, face_recognition {comparator.version if comparator else 'not measured'}")
    print("\n".join(table(seconds, faces, absent)))
    print("of which: " + ", ".join(f"{name} {1000 * float(np.median(v[1::2])):.1f} ms" for name, v in stages.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
