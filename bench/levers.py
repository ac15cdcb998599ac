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
from proviso.evaluation.alteration import AS_IS, ENROLLED, burst, face_size
from proviso.evaluation.dataset import read_dataset
from proviso.evaluation.faces import measure
from proviso.vision.embedder import mean_of
from proviso.vision.pack import Manifest, load_manifest
from proviso.vision.pipeline import VisionPipeline, build_pipeline

LISTS, SIZE, FPIR, FRAMES = 20, 500, (0.01, 0.003), 3
CAMERA = face_size(60)
MISSED = -2.0


class Mirrored:
    """Probes made as references are, from a crop and its mirror image: one of the levers that were not kept."""

    def __init__(self, embedder: Any) -> None:
        self.embedder = embedder

    def embed_reference(self, image: Image, face: Face) -> bytes:
        return self.embedder.embed_reference(image, face)

    def embed_faces(self, image: Image, faces: Sequence[Face]) -> list[bytes]:
        once = Image(np.ascontiguousarray(image.pixels[:, ::-1]), image.width, image.height)
        return [
            mean_of(
                [*self.embedder.embed_faces(image, [face]), *self.embedder.embed_faces(once, [turned(face, image)])]
            )
            for face in faces
        ]


def turned(face: Face, image: Image) -> Face:
    points = [(image.width - 1 - x, y) for x, y in face.landmarks]
    return replace(face, landmarks=(points[1], points[0], points[2], points[4], points[3]))


@dataclass(frozen=True)
class Variant:
    """A pipeline by what it has: a second look at landmarks, references of six crops, mirrored probes."""

    looks: bool = True
    crops: bool = True
    mirror: bool = False

    def manifest(self) -> Manifest:
        found = load_manifest("mobilefacenet")
        detector, embedder = dict(found.detector), dict(found.embedder)
        if not self.looks:
            detector.pop("again_px")
        if not self.crops:
            embedder |= {"reference_scales": "1", "reference_mirror": "no"}
        return replace(found, detector=detector, embedder=embedder)


def make(variant: Variant, folder: Path) -> VisionPipeline:
    pipeline = build_pipeline(variant.manifest(), folders=[folder])
    if variant.mirror:
        pipeline._embedder = Mirrored(pipeline._embedder)
    return pipeline


@dataclass(frozen=True)
class Vectors:
    """Templates by picture: probes of each kind (zeros where the gate refuses), and references."""

    probes: Mapping[str, Any]
    references: Any
    people: Sequence[Any]


def vectors(variant: Variant, faces: Path, models: Path, bursts: bool) -> Vectors:
    data = read_dataset([faces / "lfw"], faces / "labels" / "identity_aliases.csv")
    kinds = [AS_IS, CAMERA, *(burst(frame) for frame in range(1, FRAMES) if bursts)]
    jobs = [(number, kind) for number in range(len(data.pictures)) for kind in [*kinds, ENROLLED]]
    found = measure(data.pictures, jobs, make=partial(make, variant, models), workers=2)
    count, dimension = len(data.pictures), 128
    probes = {kind: np.zeros((count, dimension), np.float32) for kind in kinds}
    references = np.zeros((count, dimension), np.float32)
    for (number, kind), row in found.items():
        if kind == ENROLLED:
            if row.vector and not row.enrolment:
                references[number] = np.frombuffer(row.vector, "<f4")
        elif not row.search and not row.failure:
            probes[kind][number] = np.frombuffer(row.vector, "<f4")
    owner = np.array([picture.person for picture in data.pictures])
    return Vectors(probes, references, [np.flatnonzero(owner == person) for person in range(len(data.people))])


def unit(rows: Any) -> Any:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Row:
    """One way of searching."""

    name: str
    variant: Variant
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


BEFORE, LOOKS, NOW, MIRROR = Variant(False, False), Variant(True, False), Variant(), Variant(mirror=True)
BURST = (AS_IS, *(burst(frame) for frame in range(1, FRAMES)))
ROWS = (
    Row("one reference, one look (as it was)", BEFORE, references=1),
    Row("two references, their mean", BEFORE, against=0),
    Row("two references, the more alike", BEFORE, fusion="max", against=1),
    Row("+ landmarks from two looks", LOOKS, against=1),
    Row("+ references of six crops: **as shipped**", NOW, against=3),
    Row("three references", NOW, references=3, against=4),
    Row("probes mirrored too (not kept)", MIRROR, against=4),
    Row("less half of the fifty most alike (not kept)", NOW, normalised=0.5, against=4),
    Row("burst of three, imitated", NOW, kinds=BURST, against=4),
    Row("camera: one reference, one look (as it was)", BEFORE, references=1, kinds=(CAMERA,)),
    Row("camera: two references, their mean", BEFORE, kinds=(CAMERA,), against=9),
    Row("camera: + landmarks from two looks", LOOKS, kinds=(CAMERA,), against=10),
    Row("camera: + references of six crops: **as shipped**", NOW, kinds=(CAMERA,), against=11),
)


def main() -> None:
    here = Path(__file__).resolve().parents[1]
    faces, models = here.parent / "shared" / "faces", here.parent / "shared" / "models"
    if not (faces / "lfw").is_dir():
        sys.exit(f"not measured: no pictures at {faces}")
    found: dict[Variant, Vectors] = {}
    for variant in dict.fromkeys(row.variant for row in ROWS):
        print(f"measuring {variant}", file=sys.stderr)
        found[variant] = vectors(variant, faces, models, bursts=variant is NOW)
    for wanted in FPIR:
        print(f"\n### FPIR {wanted:.1%}, list of {SIZE}\n")
        print(
            "| way | TPIR (95 %, one list's people) | of those with several references "
            "| FPIR achieved | threshold | gain, points |"
        )
        print("|---|---|---|---|---|---|")
        outcomes: list[Outcome] = []
        for row in ROWS:
            one = search(row, found[row.variant], wanted)
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
