"""The picture that a reviewer sees, made by inclusion (S15).

Blurring the faces that were found leaves the ones that were not. So this starts from a picture in which nobody can
be recognised, and adds the candidate's own box. Bystanders are protected by where the pixels come from, not by how
good the detector was.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proviso.domain.face import Box, Face
from proviso.domain.frame import EvidencePicture, Image, Jpeg

if TYPE_CHECKING:
    from proviso.vision.alignment import Pixels

CELLS = 8
"""Mosaic cells along the frame's long side: a face as high as a 16:9 frame is three or four of them across."""

GREY_STEP = 64
"""The mosaic knows four greys. The light of a cell is a trace of whoever stood there, so little of it is kept."""

MARGIN_SHARE = 0.25
MAX_MARGIN_PX = 16
"""The margin is capped, because a missed face may stand in it: one that fits into 16 px cannot be identified."""

OTHER_MARGIN_SHARE = 0.15
FLAT_GREY = 128
MAX_SIDE_PX = 1280
FRAME_PX = 2
JPEG_QUALITY = 88

Region = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom are one past the last."""


def evidence_picture(image: Image, candidate: Face, others: Sequence[Box]) -> EvidencePicture:
    """A JPEG of the frame (or of 1280 px of it around the candidate) in which only the candidate's box with a narrow
    margin has its pixels. `others` in that box are flat grey; they may include the candidate, which is not filled.

    It is encoded from pixels, so it carries no metadata.
    """
    import cv2
    import simplejpeg

    width, height = image.width, image.height
    kept = kept_region(candidate.box, width, height)
    picture = _mosaic(image.pixels)
    left, top, right, bottom = kept
    picture[top:bottom, left:right] = image.pixels[top:bottom, left:right]
    for other in others:
        if other == candidate.box:
            continue
        hidden = _overlap(_grown(other, width, height, OTHER_MARGIN_SHARE), kept)
        if hidden is not None:
            picture[hidden[1] : hidden[3], hidden[0] : hidden[2]] = FLAT_GREY
    cv2.rectangle(
        picture,
        (left - FRAME_PX, top - FRAME_PX),
        (right + FRAME_PX - 1, bottom + FRAME_PX - 1),
        (255, 255, 255),
        FRAME_PX,
    )
    view = view_region(kept, width, height)
    picture = picture[view[1] : view[3], view[0] : view[2]].copy()
    jpeg = Jpeg(simplejpeg.encode_jpeg(picture, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="444"))
    return EvidencePicture(jpeg, candidate.box.region(*view))


def kept_region(box: Box, width: int, height: int) -> Region:
    """The part of the frame that keeps its pixels: the box, a margin of a quarter of its side but at most 16 px."""
    share = min(MARGIN_SHARE, MAX_MARGIN_PX / box.short_side) if box.short_side > 0 else 0.0
    return _grown(box, width, height, share, most=MAX_MARGIN_PX)


def view_region(kept: Region, width: int, height: int) -> Region:
    """The part of the frame that is shown: all of it, or a window of at most 1280 px a side around what is kept
    (more only where the kept part itself is larger), so that the candidate is never reduced."""
    left, right = _window(kept[0], kept[2], width)
    top, bottom = _window(kept[1], kept[3], height)
    return left, top, right, bottom


def _window(low: int, high: int, length: int) -> tuple[int, int]:
    shown = min(length, max(MAX_SIDE_PX, high - low + 2 * FRAME_PX))
    start = min(max(0, (low + high - shown) // 2), length - shown)
    return start, start + shown


def _mosaic(pixels: "Pixels") -> "Pixels":
    """The whole frame in cells of four greys, CELLS along its long side, at its own size."""
    import cv2
    import numpy as np

    height, width = pixels.shape[:2]
    cell = max(width, height) / CELLS
    cells = (max(1, round(width / cell)), max(1, round(height / cell)))
    grey = cv2.cvtColor(cv2.resize(pixels, cells, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    grey = (grey // GREY_STEP * GREY_STEP + GREY_STEP // 2).astype(np.uint8)
    return cv2.cvtColor(  # type: ignore[return-value]
        cv2.resize(grey, (width, height), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2BGR
    )


def _grown(box: Box, width: int, height: int, share: float, most: float = float("inf")) -> Region:
    across, down = min(box.width * share, most), min(box.height * share, most)
    left, top = max(0, int(box.x - across)), max(0, int(box.y - down))
    right = min(width, int(box.x + box.width + across) + 1)
    bottom = min(height, int(box.y + box.height + down) + 1)
    return min(left, width), min(top, height), max(right, min(left, width)), max(bottom, min(top, height))


def _overlap(one: Region, two: Region) -> Region | None:
    left, top = max(one[0], two[0]), max(one[1], two[1])
    right, bottom = min(one[2], two[2]), min(one[3], two[3])
    return (left, top, right, bottom) if left < right and top < bottom else None
