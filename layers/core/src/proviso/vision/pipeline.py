"""The pipeline of one pack behind the port `Pipeline`: the only part of this wing that wiring needs to know.

Each half loads at its first use: the function that detects never reads the embedder, and the one that matches never
reads the detector. That is memory and cold start that somebody pays for at every call from rest.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from proviso.domain.errors import ConfigurationFault, PipelineMismatch
from proviso.domain.face import Box, Face, QualityGate, Template
from proviso.domain.frame import EvidencePicture, Image, Jpeg
from proviso.domain.reasons import Refused
from proviso.vision import fusion, motion_jpeg
from proviso.vision.alignment import aligned_crop
from proviso.vision.decoding import decode
from proviso.vision.detector import YuNet
from proviso.vision.dlib_pack import DlibDetector, DlibEmbedder
from proviso.vision.embedder import OnnxEmbedder
from proviso.vision.evidence import evidence_picture
from proviso.vision.locate import find_file, read_file
from proviso.vision.pack import Manifest, load_manifest, pipeline_digest
from proviso.vision.sessions import load_session


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> list[Face]: ...


class FaceEmbedder(Protocol):
    """Turns faces of a picture into packed vectors of length one."""

    def embed_faces(self, image: Image, faces: Sequence[Face]) -> list[bytes]: ...


class VisionPipeline:
    """One pack's detector and embedder with the gates of its manifest. Fulfils the port `Pipeline`."""

    def __init__(self, manifest: Manifest, detector: Detector, embedder: FaceEmbedder) -> None:
        self._digest = pipeline_digest(manifest)
        self._dimension = manifest.dimension
        self._search_gate = manifest.gate("search")
        self._enrolment_gate = manifest.gate("enrolment")
        self._track_similarity = float(manifest.track_similarity)
        self._detector = detector
        self._embedder = embedder

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def search_gate(self) -> QualityGate:
        return self._search_gate

    @property
    def enrolment_gate(self) -> QualityGate:
        return self._enrolment_gate

    def decode(self, jpeg: Jpeg) -> Image | Refused:
        return decode(jpeg)

    def split(self, burst: Jpeg, most: int) -> list[Jpeg] | Refused:
        return motion_jpeg.split(burst, most)

    def detect(self, image: Image) -> list[Face]:
        return self._detector.detect(image)

    def templates(self, image: Image, faces: Sequence[Face]) -> list[Template]:
        vectors = self._embedder.embed_faces(image, faces)
        return [Template(packed, self._dimension, self._digest) for packed in vectors]

    def alike(self, templates: Sequence[Template]) -> list[list[int]]:
        self._own(templates)
        return fusion.alike(templates, self._track_similarity)

    def fuse(self, templates: Sequence[Template]) -> Template:
        self._own(templates)
        return Template(fusion.mean(templates), self._dimension, self._digest)

    def _own(self, templates: Sequence[Template]) -> None:
        if any(template.pipeline != self._digest for template in templates):
            raise PipelineMismatch("a template to be fused was computed by another pipeline than this one")

    def evidence(self, image: Image, candidate: Face, others: Sequence[Box]) -> EvidencePicture:
        return evidence_picture(image, candidate, others)


class AlignedEmbedder:
    """Aligns each face and hands the crop to a model that takes crops."""

    def __init__(self, embedder: OnnxEmbedder) -> None:
        self._embedder = embedder

    def embed_faces(self, image: Image, faces: Sequence[Face]) -> list[bytes]:
        """One packed vector a face, in their order."""
        return [self._embedder.embed(aligned_crop(image.pixels, face.landmarks)) for face in faces]


def load_pipeline(pack: str, *, folders: Sequence[Path], threads: int = 1) -> VisionPipeline:
    """The pipeline of a pack by name. Reads the manifest only; model files are found in `folders` (in that order,
    then in the package that carries them), checked and loaded at first use.

    `threads` is for ONNX Runtime and OpenCV. ConfigurationFault for an unknown pack; at first use also for a file
    that is missing or has a wrong hash.
    """
    return build_pipeline(load_manifest(pack), folders=folders, threads=threads)


def build_pipeline(manifest: Manifest, *, folders: Sequence[Path], threads: int = 1) -> VisionPipeline:
    """As `load_pipeline`, for a manifest that is at hand."""
    places = tuple(folders)
    return VisionPipeline(manifest, _detector(manifest, places, threads), _embedder(manifest, places, threads))


def _detector(manifest: Manifest, folders: tuple[Path, ...], threads: int) -> Detector:
    settings = manifest.detector
    if settings["kind"] == "yunet":
        return YuNet(
            _session(manifest, "detector", folders, threads),
            input_rule=settings["input_rule"],
            min_confidence=float(settings["min_confidence"]),
            max_overlap=float(settings["max_overlap"]),
            again_px=int(settings.get("again_px", "0")),
            again_from_px=float(settings.get("again_from_px", "0")),
        )
    if settings["kind"] == "dlib-hog":
        return DlibDetector(
            lambda: find_file(manifest, "landmarks68", folders),
            upsample_to_px=int(settings["upsample_to_px"]),
            min_confidence=float(settings["min_confidence"]),
        )
    raise ConfigurationFault(f"the pack {manifest.name} names an unknown detector: {settings['kind']}")


def _embedder(manifest: Manifest, folders: tuple[Path, ...], threads: int) -> FaceEmbedder:
    settings = manifest.embedder
    if settings["kind"] == "onnx":
        return AlignedEmbedder(
            OnnxEmbedder(
                _session(manifest, "embedder", folders, threads),
                mean=[float(figure) for figure in settings["mean"].split()],
                std=[float(figure) for figure in settings["std"].split()],
                dimension=manifest.dimension,
            )
        )
    if settings["kind"] == "dlib-resnet":
        return DlibEmbedder(
            lambda: (find_file(manifest, "landmarks5", folders), find_file(manifest, "embedder", folders)),
            dimension=manifest.dimension,
            jitter=int(settings["jitter"]),
            padding=float(settings["padding"]),
        )
    raise ConfigurationFault(f"the pack {manifest.name} names an unknown embedder: {settings['kind']}")


def _session(manifest: Manifest, role: str, folders: tuple[Path, ...], threads: int) -> Callable[[], Any]:
    @cache
    def session() -> Any:
        import cv2

        cv2.setNumThreads(threads)
        return load_session(read_file(manifest, role, folders), threads=threads)

    return session
