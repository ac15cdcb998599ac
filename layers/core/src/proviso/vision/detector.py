"""YuNet: where the faces are, and their five landmarks.

Run through ONNX Runtime, which was measured three to four times faster here than OpenCV's own FaceDetectorYN. The
picture is reduced first: at half scale a face of 32 px, the least that is worth searching, still has 16 px for the
network, of which it finds 95 %. Crops are always taken from the full frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proviso.domain.face import Box, Face
from proviso.domain.frame import Image
from proviso.vision.landmarks import refined
from proviso.vision.quality import measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

STRIDES = (8, 16, 32)
_MULTIPLE = 32
_FULL_SCALE_PX = 640
_MAX_NETWORK_PX = 1920
_COARSE_FROM_PX = 960
_COARSE_PX = 480
_LARGE_FACE_PX = 256


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """How a picture enters the network: resized to width x height, then padded right and below with black."""

    width: int
    height: int
    padded_width: int
    padded_height: int


def network_size(width: int, height: int, rule: str) -> NetworkSize:
    """The input size for a frame, all in pixels.

    Rule `half`: the long side is halved, but not below 640 nor above 1920; a picture up to 640 keeps its own scale.
    Rule `square`: fitted into 640x640, never enlarged, for a network of fixed input.
    """
    long_side = max(width, height)
    if rule == "square":
        scale = min(1.0, _FULL_SCALE_PX / long_side)
        return NetworkSize(_scaled(width, scale), _scaled(height, scale), _FULL_SCALE_PX, _FULL_SCALE_PX)
    if rule != "half":
        raise ValueError(f"no such input rule: {rule}")
    return _fitted(width, height, min(_MAX_NETWORK_PX, max(_FULL_SCALE_PX, long_side / 2)))


def _fitted(width: int, height: int, long_side: float) -> NetworkSize:
    scale = min(1.0, long_side / max(width, height))
    across, down = _scaled(width, scale), _scaled(height, scale)
    return NetworkSize(across, down, _padded(across), _padded(down))


def _scaled(length: int, scale: float) -> int:
    return max(1, round(length * scale))


def _padded(length: int) -> int:
    return -(-length // _MULTIPLE) * _MULTIPLE


class YuNet:
    """Finds faces. `session` gives the ONNX Runtime session, loaded at first use.

    Network: BGR 0..255 float32, NCHW; per stride cls, obj (N, 1), bbox (N, 4), kps (N, 10); a cell's confidence is
    sqrt(cls * obj), its centre (cell + offset) * stride, its size exp(.) * stride. With `again_px` (a multiple of 16)
    the landmarks of faces of at least `again_from_px` a side come from further looks (`landmarks.refined`).
    """

    def __init__(
        self,
        session: Callable[[], Any],
        *,
        input_rule: str,
        min_confidence: float,
        max_overlap: float,
        again_px: int = 0,
        again_from_px: float = 0.0,
    ) -> None:
        self._session = session
        self._rule = input_rule
        self._min_confidence = min_confidence
        self._max_overlap = max_overlap
        self._again_px = again_px
        self._again_from_px = again_from_px

    def detect(self, image: Image) -> list[Face]:
        """All faces in pixels of the full picture, largest first.

        A picture above 1080p is looked at once more, coarsely, for large faces: a portrait from a telephone may be
        filled by one, in which the network at half scale sees parts that look like faces of their own.
        """
        rows = self._in_frame(image, size := network_size(image.width, image.height, self._rule))
        if self._rule == "half" and max(size.width, size.height) > _COARSE_FROM_PX:
            coarse = self._in_frame(image, _fitted(image.width, image.height, _COARSE_PX))
            rows = with_large_faces(rows, coarse, _LARGE_FACE_PX * image.width / size.width)
        if self._again_px:
            rows = refined(image.pixels, rows, self._find, face_px=self._again_px, from_px=self._again_from_px)
        faces = [face for row in rows.tolist() if (face := _face(image, row)) is not None]
        return sorted(faces, key=lambda face: face.box.area, reverse=True)

    def _in_frame(self, image: Image, size: NetworkSize) -> "Floats":
        """The rows of one pass, in pixels of the full picture."""
        rows = self._run(image.pixels, size)
        rows[:, 0:14:2] *= image.width / size.width
        rows[:, 1:14:2] *= image.height / size.height
        return rows

    def _find(self, pixels: Any) -> "Floats":
        height, width = pixels.shape[:2]
        return self._run(pixels, NetworkSize(width, height, width, height))

    def _run(self, pixels: Any, size: NetworkSize) -> "Floats":
        """Rows of x, y, width, height, five landmarks and confidence, in pixels of the network's input."""
        import cv2
        import numpy as np

        if pixels.shape[1] != size.width or pixels.shape[0] != size.height:
            # At exactly half, bilinear is the mean of 2x2 pixels; below that it would skip some.
            halved = size.width * 2 <= pixels.shape[1] - 2
            method = cv2.INTER_AREA if halved else cv2.INTER_LINEAR
            pixels = cv2.resize(pixels, (size.width, size.height), interpolation=method)
        if (size.width, size.height) != (size.padded_width, size.padded_height):
            right, below = size.padded_width - size.width, size.padded_height - size.height
            pixels = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        blob = cv2.dnn.blobFromImage(pixels)
        session = self._session()
        names = [f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
        out = session.run(names, {session.get_inputs()[0].name: blob})
        rows = decode_outputs(
            {name: array[0] for name, array in zip(names, out, strict=True)}, size.padded_width, self._min_confidence
        )
        return np.ascontiguousarray(rows[keep_best(rows, self._max_overlap)])


def decode_outputs(out: "dict[str, Floats]", padded_width: int, min_confidence: float) -> "Floats":
    """The network's raw outputs as rows (N, 15): x, y, width, height, 5 x (x, y), confidence."""
    import numpy as np

    parts = []
    for stride in STRIDES:
        both = np.clip(out[f"cls_{stride}"][:, 0], 0, 1) * np.clip(out[f"obj_{stride}"][:, 0], 0, 1)
        cells = np.flatnonzero(both >= min_confidence * min_confidence)
        if not cells.size:
            continue
        columns = padded_width // stride
        corner = np.stack((cells % columns, cells // columns), axis=1).astype(np.float32)
        bbox = out[f"bbox_{stride}"][cells]
        sides = np.exp(np.minimum(bbox[:, 2:4], 8.0)) * stride  # no face is larger; nothing overflows
        rows = np.empty((cells.size, 15), np.float32)
        rows[:, 0:2] = (corner + bbox[:, 0:2]) * stride - sides / 2
        rows[:, 2:4] = sides
        rows[:, 4:14] = (np.tile(corner, 5) + out[f"kps_{stride}"][cells]) * stride
        rows[:, 14] = np.sqrt(both[cells])
        parts.append(rows)
    return np.concatenate(parts) if parts else np.empty((0, 15), np.float32)


def keep_best(rows: "Floats", max_overlap: float) -> list[int]:
    """Greedy non-maximum suppression by intersection over union; indices of the kept rows, most confident first."""
    import numpy as np

    if not len(rows):
        return []
    x1, y1 = rows[:, 0], rows[:, 1]
    x2, y2 = x1 + rows[:, 2], y1 + rows[:, 3]
    area = rows[:, 2] * rows[:, 3]
    order = np.argsort(-rows[:, 14], kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        across = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        down = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        shared = np.maximum(across, 0) * np.maximum(down, 0)
        order = rest[shared <= max_overlap * (area[best] + area[rest] - shared)]
    return kept


def with_large_faces(fine: "Floats", coarse: "Floats", from_px: float) -> "Floats":
    """The coarse pass's faces whose shorter side is at least `from_px`, and the fine pass's rows of which no more
    than a quarter lies in any of them."""
    import numpy as np

    large = coarse[np.minimum(coarse[:, 2], coarse[:, 3]) >= from_px]
    own = np.ones(len(fine), np.bool_)
    for x, y, width, height in large[:, :4]:
        across = np.minimum(fine[:, 0] + fine[:, 2], x + width) - np.maximum(fine[:, 0], x)
        down = np.minimum(fine[:, 1] + fine[:, 3], y + height) - np.maximum(fine[:, 1], y)
        own &= np.maximum(across, 0) * np.maximum(down, 0) <= 0.25 * fine[:, 2] * fine[:, 3]
    return np.concatenate((fine[own], large))


def _face(image: Image, row: list[float]) -> Face | None:
    """A row as a face with its quality; None for one that lies outside the picture or has no extent."""
    box = Box(*row[0:4])
    points = row[4:14]
    landmarks = (
        (points[0], points[1]),
        (points[2], points[3]),
        (points[4], points[5]),
        (points[6], points[7]),
        (points[8], points[9]),
    )
    if box.inside_share(image.width, image.height) <= 0.0 or len(set(landmarks)) < 2:
        return None
    return Face(box, landmarks, row[14], measure(image.pixels, box, landmarks))
