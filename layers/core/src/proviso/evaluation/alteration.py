"""What is done to a picture before it is measured once more: recompressed, made smaller, or turned into a burst.

An alteration is named by a short text, which is part of the cache's key: change a recipe and you change its name.
Picture in, picture out: the altered one is encoded as JPEG and goes the whole way again, the detector included.
"""

from typing import Any

import numpy as np

from proviso.domain.face import Face
from proviso.domain.frame import Image

AS_IS = ""
_QUALITY_OF_SMALLER = 90
_FRAME = (1280, 720)
_GREY = 128
BURST_MOST = 5


def quality(value: int) -> str:
    """Compressed again at this JPEG quality (1..100)."""
    return f"quality={value}"


def face_size(pixels: int) -> str:
    """As a camera would see it: the picture made smaller until the face's box has this short side, never larger, with
    the face in the middle of a grey frame of 1280x720. The detector looks at such a frame at half scale."""
    return f"frame={pixels}"


def burst(number: int) -> str:
    """The frame `number` (1..4) of an imitated burst; frame 0 is the picture as it is."""
    return f"burst={number}"


def altered(image: Image, face: Face | None, alteration: str, seed: bytes) -> bytes | None:
    """The altered picture as JPEG. None where it cannot be made: a size above the face's own, or without a face.

    `seed` (from the file's hash) draws a burst's shifts, so that a picture has the same burst in every run.
    """
    import cv2

    kind, _, value = alteration.partition("=")
    pixels = image.pixels
    if kind == "quality":
        return _jpeg(pixels, int(value))
    if face is None:
        return None
    if kind == "frame":
        scale = int(value) / face.box.short_side
        return None if scale > 1 else _jpeg(_in_frame(image, face, scale), _QUALITY_OF_SMALLER)
    if kind == "burst":
        rng = np.random.default_rng([int.from_bytes(seed[:8], "big"), int(value)])
        across, down = rng.uniform(-0.03, 0.03, 2) * face.box.short_side
        scale, angle = rng.uniform(0.96, 1.04), rng.uniform(-2.0, 2.0)
        centre = (face.box.x + face.box.width / 2, face.box.y + face.box.height / 2)
        matrix = cv2.getRotationMatrix2D(centre, angle, scale)
        matrix[:, 2] += (across, down)
        moved = cv2.warpAffine(pixels, matrix, (image.width, image.height), borderMode=cv2.BORDER_REPLICATE)
        return _jpeg(moved, int(rng.integers(60, 93)))
    raise ValueError(f"no such alteration: {alteration}")


def _in_frame(image: Image, face: Face, scale: float) -> Any:
    """The picture at `scale` in a grey frame, the face's middle in the frame's; what reaches over the frame is cut."""
    import cv2

    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    width, height = _FRAME
    frame = np.full((height, width, 3), _GREY, np.uint8)
    left = width // 2 - round((face.box.x + face.box.width / 2) * scale)
    top = height // 2 - round((face.box.y + face.box.height / 2) * scale)
    x, y = max(left, 0), max(top, 0)
    part = small[y - top : y - top + height - y, x - left : x - left + width - x]
    frame[y : y + part.shape[0], x : x + part.shape[1]] = part
    return frame


def _jpeg(pixels: Any, value: int) -> bytes:
    import cv2

    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, value])
    if not done:
        raise ValueError("the picture cannot be encoded")
    return bytes(data.tobytes())
