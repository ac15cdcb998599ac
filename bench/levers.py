"""What each lever adds to identification with the same model, on the pictures in ../shared/faces/lfw.

One list of 500 people a draw, twenty draws, one probe a person; the threshold is frozen on one half of the strangers,
FPIR is what the other half reaches, TPIR what the 500 reach (a face that the gate refuses is a miss). All rows see the
same draws, so rows are compared person by person: the interval of a difference is a bootstrap over people.

`camera`: probes are set into a grey frame of 1280x720 with the face 60 pixels large, which the detector sees at half
scale; references stay as they are. Prints a table in Markdown.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from proviso.domain.face import Face
from proviso.domain.frame import Image
from proviso.domain.rates import rate
from proviso.evaluation.alteration import AS_IS, burst, face_size
from proviso.evaluation.dataset import read_dataset
from proviso.evaluation.faces import measure
from proviso.vision.pack import Manifest, load_manifest
from proviso.vision.pipeline import VisionPipeline, build_pipeline

LISTS, SIZE, FPIR, FRAMES = 20, 500, (0.01, 0.003), 3
CAMERA = face_size(60)
MISSED, DIMENSION = -2.0, 128


class Several:
    """Templates as the mean over several crops of a face: levers that were not kept."""

    def __init__(self, embedder: Any, scales: Sequence[float], mirror: bool) -> None:
        self.embedder, self.scales, self.mirror = embedder, scales, mirror

    def embed_faces(self, image: Image, faces: Sequence[Face]) -> list[bytes]:
        turned = Image(np.ascontiguousarray(image.pixels[:, ::-1]), image.width, image.height)
        found = []
        for face in faces:
            crops = [(image, scaled(face, scale)) for scale in self.scales]
            if self.mirror:
                crops += [(turned, mirrored(each, image.width)) for _, each in crops]
            made = [np.frombuffer(self.embedder.embed_faces(where, [each])[0], "<f4") for where, each in crops]
            found.append(unit(np.mean(made, axis=0)).astype("<f4").tobytes())
        return found


def scaled(face: Face, factor: float) -> Face:
    """Landmarks moved away from their middle: the crop then shows more around the face."""
    points = np.array(face.landmarks)
    middle = points.mean(axis=0)
    return replace(face, landmarks=tuple(map(tuple, middle + (points - middle) * factor)))


def mirrored(face: Face, width: int) -> Face:
    points = [(width - 1 - x, y) for x, y in face.landmarks]
    return replace(face, landmarks=(points[1], points[0], points[2], points[4], points[3]))


@dataclass(frozen=True)
class Variant:
    """A pipeline: with a second look at landmarks or without; templates as the mean of several crops."""

    looks: bool = True
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = False

    def manifest(self) -> Manifest:
        found = load_manifest("mobilefacenet")
        detector = {key: value for key, value in found.detector.items() if self.looks or key != "again_px"}
        return replace(found, detector=detector)


def make(variant: Variant, folder: Path) -> VisionPipeline:
    pipeline = build_pipeline(variant.manifest(), folders=[folder])
    if variant.mirror or len(variant.scales) > 1:
        pipeline._embedder = Several(pipeline._embedder, variant.scales, variant.mirror)
    return pipeline


@dataclass(frozen=True)
class Vectors:
    """Templates by picture: probes of each kind (zeros where the gate refuses), and references."""

    probes: Mapping[str, Any]
    references: Any
    people: Sequence[Any]


def vectors(variant: Variant, kinds: Sequence[str], faces: Path, models: Path) -> Vectors:
    data = read_dataset([faces / "lfw"], faces / "labels" / "identity_aliases.csv")
    jobs = [(number, kind) for number in range(len(data.pictures)) for kind in kinds]
    found = measure(data.pictures, jobs, make=partial(make, variant, models), workers=2)
    probes = {kind: np.zeros((len(data.pictures), DIMENSION), np.float32) for kind in kinds}
    references = np.zeros((len(data.pictures), DIMENSION), np.float32)
    for (number, kind), row in found.items():
        if not row.search and not row.failure:
            probes[kind][number] = np.frombuffer(row.vector, "<f4")
        if kind == AS_IS and not row.enrolment:
            references[number] = np.frombuffer(row.vector, "<f4")
    owner = np.array([picture.person for picture in data.pictures])
    return Vectors(probes, references, [np.flatnonzero(owner == person) for person in range(len(data.people))])


def unit(rows: Any) -> Any:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Row:
    """One way of searching."""

    name: str
    variant: Variant
    enrolled: Variant | None = None
    references: int = 2
    fusion: str = "mean"
    kinds: tuple[str, ...] = (AS_IS,)
    normalised: float = 0.0
    against: int | None = None


@dataclass(frozen=True)
class Outcome:
    tpir: float
    two: float
    fpir: float
    threshold: float
    hits: Mapping[int, list[bool]]


def search(row: Row, of: Vectors, wanted: float) -> Outcome:
    hits: dict[int, list[bool]] = {}
    fpir, tpir, thresholds, two = [], [], [], []
    enrolled = np.abs(of.references).sum(axis=1) > 0
    for number in range(LISTS):
        rng = np.random.default_rng([number, 7])
        order = rng.permutation(len(of.people))
        pictures = [rng.permutation(of.people[person]) for person in range(len(of.people))]
        may = [p for p in order if len(pictures[p]) > 1 and enrolled[pictures[p]].any()][:SIZE]
        listed = set(may)
        groups, probes, many = [], [], []
        for person in may:
            rows = pictures[person]
            wants = row.references if len(rows) > row.references else 1
            taken = rows[enrolled[rows]][:wants]
            groups.append(taken)
            many.append(len(taken) > 1)
            probes.append(next(r for r in rows if r not in taken))
        outside = [pictures[p][0] for p in order if p not in listed]
        s, n = (similarities(row, of, np.array(chosen), groups) for chosen in (probes, outside))
        if row.normalised:
            s, n = (m - row.normalised * np.sort(m, axis=1)[:, -51:-1].mean(axis=1, keepdims=True) for m in (s, n))
        best = n.max(axis=1)
        searched = np.abs(of.probes[row.kinds[0]][outside]).sum(axis=1) > 0
        best = best[searched]
        half = rng.permutation(len(best))
        freezing, tried = best[half[::2]], best[half[1::2]]
        threshold = float(np.nextafter(np.sort(freezing)[::-1][int(wanted * len(freezing))], 9))
        right = (s.argmax(axis=1) == np.arange(len(s))) & (s.max(axis=1) >= threshold)
        fpir.append(float((tried >= threshold).mean()))
        tpir.append(float(right.mean()))
        two.append(float(right[np.array(many)].mean()) if any(many) else float("nan"))
        thresholds.append(threshold)
        for person, hit in zip(may, right, strict=True):
            hits.setdefault(int(person), []).append(bool(hit))
    return Outcome(*(float(np.mean(x)) for x in (tpir, two, fpir, thresholds)), hits)


def similarities(row: Row, of: Vectors, rows: Any, groups: Sequence[Any]) -> Any:
    """(probes, entries); MISSED in the rows of probes that the gate refuses."""
    probes = unit(sum(of.probes[kind][rows] for kind in row.kinds))
    references = of.references[np.concatenate(groups)]
    starts = np.concatenate(([0], np.cumsum([len(g) for g in groups])[:-1]))
    if row.fusion == "mean":
        found = probes @ unit(np.add.reduceat(references, starts, axis=0)).T
    else:
        found = np.maximum.reduceat(probes @ references.T, starts, axis=1)
    found[np.abs(probes).sum(axis=1) == 0] = MISSED
    return found


def difference(one: Outcome, other: Outcome) -> tuple[float, float, float]:
    """How much more of the people `other` finds, in points, with a 95 % bootstrap over people."""
    people = sorted(set(one.hits) & set(other.hits))
    gains = np.array([np.mean(other.hits[p]) - np.mean(one.hits[p]) for p in people])
    rng = np.random.default_rng(0)
    means = [gains[rng.integers(len(gains), size=len(gains))].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(gains.mean() * 100), float(low * 100), float(high * 100)


BEFORE, NOW, BOTH = Variant(looks=False), Variant(), Variant(mirror=True)
CROPS = Variant(scales=(0.95, 1.0, 1.06), mirror=True)
BURST = (AS_IS, *(burst(frame) for frame in range(1, FRAMES)))
ROWS = (
    Row("one reference, one look (as it was)", BEFORE, references=1),
    Row("two references, their mean", BEFORE, against=0),
    Row("two references, the more alike (not kept)", BEFORE, fusion="max", against=1),
    Row("+ landmarks from further looks: **as shipped**", NOW, against=1),
    Row("three references", NOW, references=3, against=3),
    Row("burst of three, imitated", NOW, kinds=BURST, against=3),
    Row("references of six crops (not kept)", NOW, CROPS, against=3),
    Row("references and probes mirrored too (not kept)", BOTH, BOTH, against=3),
    Row("less half of the fifty most alike (not kept)", NOW, normalised=0.5, against=3),
    Row("camera: one reference, one look (as it was)", BEFORE, references=1, kinds=(CAMERA,)),
    Row("camera: two references, their mean", BEFORE, kinds=(CAMERA,), against=9),
    Row("camera: + landmarks from further looks: **as shipped**", NOW, kinds=(CAMERA,), against=10),
    Row("camera: references of six crops (not kept)", NOW, CROPS, kinds=(CAMERA,), against=11),
    Row("camera: references and probes mirrored too (not kept)", BOTH, BOTH, kinds=(CAMERA,), against=11),
)


def main() -> None:
    here = Path(__file__).resolve().parents[1]
    faces, models = here.parent / "shared" / "faces", here.parent / "shared" / "models"
    if not (faces / "lfw").is_dir():
        sys.exit(f"not measured: no pictures at {faces}")
    found: dict[Variant, Vectors] = {}
    wants: dict[Variant, dict[str, None]] = {}
    for row in ROWS:
        wants.setdefault(row.variant, {}).update(dict.fromkeys(row.kinds))
        wants.setdefault(row.enrolled or row.variant, {})[AS_IS] = None
    for variant, kinds in wants.items():
        print(f"measuring {variant}", file=sys.stderr)
        found[variant] = vectors(variant, list(kinds), faces, models)
    for wanted in FPIR:
        print(f"\n### FPIR {wanted:.1%}, list of {SIZE}\n")
        print(
            "| way | TPIR (95 %, one list's people) | of those with several references "
            "| FPIR achieved | threshold | gain, points |"
        )
        print("|---|---|---|---|---|---|")
        outcomes: list[Outcome] = []
        for row in ROWS:
            of = replace(found[row.variant], references=found[row.enrolled or row.variant].references)
            one = search(row, of, wanted)
            outcomes.append(one)
            low = rate(int(one.tpir * SIZE), SIZE).low
            high = rate(int(np.ceil(one.tpir * SIZE)), SIZE).high
            gain = ""
            if row.against is not None:
                gain = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*difference(outcomes[row.against], one))
            two = "" if np.isnan(one.two) else f"{one.two:.1%}"
            print(
                f"| {row.name} | {one.tpir:.1%} [{low:.1%}, {high:.1%}] | {two} "
                f"| {one.fpir:.2%} | {one.threshold:.3f} | {gain} |"
            )


if __name__ == "__main__":
    main()
