"""The picture that a reviewer sees, made by inclusion (S15).

Blurring the faces that were found leaves the ones that were not. So this starts from an empty picture of the frame's
shape, and adds the oval of the candidate's own face. Bystanders are protected by where the pixels come from, not by how
good the detector was: what lies outside the oval has no part in the picture, not even as light.

Whatever is kept of the surroundings tells who stood there: a mosaic of eight cells, a margin of four pixels, and the
corners of the box were all measured to be enough. docs/decisions/2026-11-27-evidence-picture.md has the figures.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proviso.domain.face import Box, Face
from proviso.domain.frame import EvidencePicture, Image, Jpeg

if TYPE_CHECKING:
    from proviso.vision.alignment import Pixels

GROUND_GREY = 96
"""Where the frame was: the same in every picture."""

LINE_GREY = 124
"""Lines at the thirds of the frame, so that the place of the candidate can be read."""

FLAT_GREY = 160
"""Another face that reaches into the candidate's oval."""

OVAL_SHARE = 0.9
"""The oval's axes as shares of the box's sides. Larger ovals reach over a turned head: with the whole box's oval, more
than 1 % of what is kept is background for one person in six, with this one for one in fifty (bench/vision_heads.py).
The box with a margin of 16 px, a face of 120 px in it, is a fifth background."""

LATTICE = 12
"""The box is set on a lattice of about a twelfth of its short side. Where exactly the detector puts it depends on who
stands against the candidate, by a pixel or two, and that alone told people apart better than chance."""

OTHER_MARGIN_SHARE = 0.15
MAX_SIDE_PX = 1280
FRAME_PX = 2
JPEG_QUALITY = 88

Edges = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom are one past the last."""


def evidence_picture(image: Image, candidate: Face, others: Sequence[Box]) -> EvidencePicture:
    """A JPEG of the frame's shape, at most 1280 px a side, that is empty but for the oval of the candidate's face.

    The oval has the frame's own pixels at their own size, and lies where it lay in the frame, in proportion. `others`
    in it are flat grey; they may include the candidate, which is not filled. Nothing else of the picture depends on
    the frame's pixels. It is encoded from pixels, so it carries no metadata.
    """
    import cv2
    import simplejpeg

    kept = kept_region(candidate.box, image.width, image.height)
    view = view_region(kept, image.width, image.height)
    picture = _ground(view[2] - view[0], view[3] - view[1])
    left, top, right, bottom = kept[0] - view[0], kept[1] - view[1], kept[2] - view[0], kept[3] - view[1]
    cv2.rectangle(
        picture,
        (left - FRAME_PX, top - FRAME_PX),
        (right + FRAME_PX - 1, bottom + FRAME_PX - 1),
        (255, 255, 255),
        FRAME_PX,
    )
    picture[top:bottom, left:right] = _face(image, candidate, others, kept)
    jpeg = Jpeg(simplejpeg.encode_jpeg(picture, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="444"))
    return EvidencePicture(jpeg, _on_lattice(candidate.box).region(*view))


def kept_region(box: Box, width: int, height: int) -> Edges:
    """The part of the frame in which pixels are kept: the candidate's box on its lattice. There is no margin: a missed
    face may stand in it, and a strip of a few pixels is enough to know somebody by."""
    return _grown(_on_lattice(box), width, height, 0.0)


def kept_oval(box: Box, kept: Edges) -> Any:
    """Which pixels of the kept region survive, bool (height, width): those whose middle lies in an oval inside the
    box. The corners of a box show what is beside the chin and behind the ears, so they do not."""
    import numpy as np

    box = _on_lattice(box)
    left, top, right, bottom = kept
    across = (np.arange(left, right) + 0.5 - box.x - box.width / 2) / max(OVAL_SHARE * box.width / 2, 0.5)
    down = (np.arange(top, bottom) + 0.5 - box.y - box.height / 2) / max(OVAL_SHARE * box.height / 2, 0.5)
    return across[None, :] ** 2 + down[:, None] ** 2 <= 1.0


def _on_lattice(box: Box) -> Box:
    """The box with each side moved to the nearest line of a lattice over the frame, whose step is the largest of 1,
    2, 3, 4, 6, 8, 12, ... px that is no more than a twelfth of the short side."""
    most = max(box.short_side / LATTICE, 1.0)
    step = 2.0 ** math.floor(math.log2(most))
    if step >= 2.0 and 1.5 * step <= most:
        step *= 1.5
    left, top = round(box.x / step) * step, round(box.y / step) * step
    right, bottom = round((box.x + box.width) / step) * step, round((box.y + box.height) / step) * step
    return Box(left, top, right - left, bottom - top)


def view_region(kept: Edges, width: int, height: int) -> Edges:
    """The part of the frame that the picture's sides stand for: all of it up to 1280 px a side. Of a larger frame, a
    window of the same proportions in which the kept part lies as it lies in the frame (left third in left third), so
    that the candidate is never reduced and its place can still be read. Larger only where the kept part is."""
    share = min(1.0, MAX_SIDE_PX / max(width, height, 1))
    left, right = _window(kept[0], kept[2], width, share)
    top, bottom = _window(kept[1], kept[3], height, share)
    return left, top, right, bottom


def _window(low: int, high: int, length: int, share: float) -> tuple[int, int]:
    shown = min(length, max(round(length * share), high - low + 2 * FRAME_PX, 1))
    in_proportion = round((length - shown) * (low + high) / (2 * length)) if length else 0
    start = min(max(in_proportion, high - shown), low)
    return start, start + shown


def _ground(width: int, height: int) -> "Pixels":
    """An empty picture with thin lines at its thirds. It depends on nothing but its size."""
    import numpy as np

    ground = np.full((height, width, 3), GROUND_GREY, np.uint8)
    for third in (1, 2):
        ground[height * third // 3, :] = LINE_GREY
        ground[:, width * third // 3] = LINE_GREY
    return ground


def _face(image: Image, candidate: Face, others: Sequence[Box], kept: Edges) -> "Pixels":
    """The kept region: the oval's pixels, other faces in it filled, all else empty."""
    import numpy as np

    left, top, right, bottom = kept
    pixels = image.pixels[top:bottom, left:right].copy()
    for other in others:
        if other == candidate.box:
            continue
        hidden = _overlap(_grown(other, image.width, image.height, OTHER_MARGIN_SHARE), kept)
        if hidden is not None:
            pixels[hidden[1] - top : hidden[3] - top, hidden[0] - left : hidden[2] - left] = FLAT_GREY
    return np.where(kept_oval(candidate.box, kept)[:, :, None], pixels, np.uint8(GROUND_GREY))


def _grown(box: Box, width: int, height: int, share: float) -> Edges:
    across, down = box.width * share, box.height * share
    left, top = max(0, int(box.x - across)), max(0, int(box.y - down))
    right = min(width, math.ceil(box.x + box.width + across))
    bottom = min(height, math.ceil(box.y + box.height + down))
    return min(left, width), min(top, height), max(right, min(left, width)), max(bottom, min(top, height))


def _overlap(one: Edges, two: Edges) -> Edges | None:
    left, top = max(one[0], two[0]), max(one[1], two[1])
    right, bottom = min(one[2], two[2]), min(one[3], two[3])
    return (left, top, right, bottom) if left < right and top < bottom else None
