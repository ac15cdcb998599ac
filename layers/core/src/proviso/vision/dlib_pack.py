"""The `dlib` pack: for machines that reach the Python package index and nothing else.

Slow (a third to half a second a frame) and less accurate than the default; it exists so that the whole flow runs
with real faces where no other model file can be had. dlib itself is an optional extra, imported at first use.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import Box, Face, Point
from proviso.domain.frame import Image
from proviso.vision.embedder import normalised
from proviso.vision.quality import measure

_MAX_PX = 1920


class DlibDetector:
    """The HOG detector with landmarks from the 68-point predictor. `predictor` gives the path of its verified file."""

    def __init__(self, predictor: Callable[[], Path], *, upsample_to_px: int, min_confidence: float) -> None:
        self._predictor_path = predictor
        self._upsample_to_px = upsample_to_px
        self._min_confidence = min_confidence
        self._parts: tuple[Any, Any] | None = None

    def detect(self, image: Image) -> list[Face]:
        """All faces in pixels of the full picture, largest first.

        The detector knows faces of 80 px: pictures up to `upsample_to_px` wide or high are doubled, which finds
        those of 40; pictures above 1920 px are reduced first.
        """
        finder, predictor = self._load()
        rgb, scale = _reduced_rgb(image)
        upsample = 1 if max(image.width, image.height) <= self._upsample_to_px else 0
        boxes, margins, _ = finder.run(rgb, upsample, self._min_confidence)
        faces = []
        for rect, margin in zip(boxes, margins, strict=True):
            shape = predictor(rgb, rect)
            box = Box(rect.left() / scale, rect.top() / scale, rect.width() / scale, rect.height() / scale)
            landmarks = _five_landmarks(shape, scale)
            if box.inside_share(image.width, image.height) <= 0.0 or len(set(landmarks)) < 2:
                continue
            # The detector's own figure is a margin without upper end; this brings it to 0..1 in the same order.
            confidence = max(0.0, margin) / (1.0 + max(0.0, margin))
            faces.append(Face(box, landmarks, confidence, measure(image.pixels, box, landmarks)))
        return sorted(faces, key=lambda face: face.box.area, reverse=True)

    def _load(self) -> tuple[Any, Any]:
        if self._parts is None:
            dlib = import_dlib()
            path = self._predictor_path()
            self._parts = (dlib.get_frontal_face_detector(), dlib.shape_predictor(str(path)))
        return self._parts


class DlibEmbedder:
    """The 128-D ResNet descriptor on a crop aligned by five points. `files` gives predictor and network, verified."""

    def __init__(self, files: Callable[[], tuple[Path, Path]], *, dimension: int, jitter: int, padding: float) -> None:
        self._files = files
        self._dimension = dimension
        self._jitter = jitter
        self._padding = padding
        self._parts: tuple[Any, Any] | None = None

    def embed_faces(self, image: Image, faces: Sequence[Face]) -> list[bytes]:
        """One packed vector a face, brought to length one, so that cosine orders them as dlib's distance does."""
        if not faces:
            return []
        dlib = import_dlib()
        predictor, network = self._load(dlib)
        rgb = _rgb(image.pixels)
        vectors = []
        for face in faces:
            box = face.box
            left, top = round(box.x), round(box.y)
            rect = dlib.rectangle(left, top, round(box.x + box.width) - 1, round(box.y + box.height) - 1)
            shape = predictor(rgb, rect)
            vector = network.compute_face_descriptor(rgb, shape, self._jitter, self._padding)
            vectors.append(normalised(vector, self._dimension))
        return vectors

    def _load(self, dlib: Any) -> tuple[Any, Any]:
        if self._parts is None:
            predictor, network = self._files()
            self._parts = (dlib.shape_predictor(str(predictor)), dlib.face_recognition_model_v1(str(network)))
        return self._parts


def import_dlib() -> Any:
    """dlib, or a ConfigurationFault that says how to get it."""
    try:
        import dlib
    except ImportError as absent:
        raise ConfigurationFault("the pack dlib needs the extra `dlib`; `make install-dlib` installs it") from absent
    return dlib


def _rgb(pixels: Any) -> Any:
    import numpy as np

    return np.ascontiguousarray(pixels[:, :, ::-1])


def _reduced_rgb(image: Image) -> tuple[Any, float]:
    """The picture as RGB, its long side at most 1920 px, and the scale that this took."""
    scale = min(1.0, _MAX_PX / max(image.width, image.height))
    if scale == 1.0:
        return _rgb(image.pixels), scale
    import cv2

    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return _rgb(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)), scale


def _five_landmarks(shape: Any, scale: float) -> tuple[Point, Point, Point, Point, Point]:
    """Our five from the 68 of iBUG's scheme: eye middles (36-41, 42-47), nose tip 30, mouth corners 48 and 54."""

    def middle(numbers: Sequence[int]) -> Point:
        parts = [shape.part(number) for number in numbers]
        return sum(p.x for p in parts) / len(parts) / scale, sum(p.y for p in parts) / len(parts) / scale

    return middle(range(36, 42)), middle(range(42, 48)), middle((30,)), middle((48,)), middle((54,))
