"""A face's landmarks once more, from a view in which the face always has the same size.

What the network says of a face that is 30 pixels large at half scale is off by a pixel or two of its own, and a crop
that is shifted by three of its 112 pixels loses more identifications than any other single thing that was measured
(docs/accuracy.md). So each face that may be searched is looked at again from the full picture, as it is and mirrored,
and the landmarks of the two looks are averaged.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MIRRORED = [1, 0, 2, 4, 3]
"""Right and left change places in a mirror: eyes, nose, mouth corners."""
_MAX_MOVE = 0.25
"""How far, as a share of the box, a landmark may move: what moves farther belongs to another face."""
_MAX_APART = 0.1
"""How far apart the two looks may be, as a share of the box. On upright faces they are 0.03 apart. Where a head lies on
its side the network errs differently in the mirror, and the mean of two errors would look like an upright face."""


def refined(pixels: Any, rows: "Floats", find: Callable[[Any], "Floats"], *, face_px: int, from_px: float) -> "Floats":
    """`rows` (N, 15), in pixels of the full picture, with the mean landmarks of two further looks.

    `find` gives the rows of a picture of (2 x face_px, 4 x face_px): two views side by side, the face in the middle of
    each at `face_px` along the longer side of its box. Faces with a side below `from_px` stay as they are, and so does
    one that is not found in both views, or not in the same place. Boxes and confidences never change.
    """
    out = rows.copy()
    for number, row in enumerate(rows):
        if min(row[2], row[3]) >= from_px:
            out[number, 4:14] = _again(pixels, row, find, face_px).reshape(-1)
    return out


def _again(pixels: Any, row: "Floats", find: Callable[[Any], "Floats"], face_px: int) -> "Floats":
    import numpy as np

    first = row[4:14].reshape(5, 2)
    side = 2 * face_px
    longest = float(max(row[2], row[3]))
    reach = max(1, round(longest))  # half the view, in pixels of the picture: the face is half as wide as its view
    left, top = round(float(row[0] + row[2] / 2)) - reach, round(float(row[1] + row[3] / 2)) - reach
    view = _view(pixels, left, top, 2 * reach, side)
    found = find(np.ascontiguousarray(np.concatenate((view, view[:, ::-1]), axis=1)))
    looks = []
    for mirrored in (False, True):
        points = _nearest(found, side, mirrored)
        if points is None:
            continue
        # Pixel centres: the middle of the view's first pixel is half a pixel of its own inside it.
        points = (points + 0.5) * (2 * reach / side) - 0.5 + np.array([left, top], np.float32)
        if np.abs(points - first).max() <= _MAX_MOVE * longest:
            looks.append(points)
    if len(looks) < 2 or np.abs(looks[0] - looks[1]).max() > _MAX_APART * longest:
        return first
    return np.asarray(np.mean(looks, axis=0), np.float32)


def _view(pixels: Any, left: int, top: int, length: int, side: int) -> Any:
    """The square of `length` from `left`, `top` as (side, side, 3); black where the picture ends."""
    import cv2

    height, width = pixels.shape[:2]
    inside = pixels[max(top, 0) : top + length, max(left, 0) : left + length]
    below, right = max(top + length - height, 0), max(left + length - width, 0)
    if inside.shape[:2] != (length, length):
        inside = cv2.copyMakeBorder(
            inside, max(-top, 0), below, max(-left, 0), right, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
    method = cv2.INTER_AREA if length > side else cv2.INTER_LINEAR
    return cv2.resize(inside, (side, side), interpolation=method)


def _nearest(found: "Floats", side: int, mirrored: bool) -> "Floats | None":
    """Of the faces in one of the two views the one nearest to its middle, as landmarks (5, 2) of the view unmirrored;
    None where none lies within a quarter of the view."""
    import numpy as np

    middle = side / 2 + (side if mirrored else 0)
    away = np.hypot(found[:, 0] + found[:, 2] / 2 - middle, found[:, 1] + found[:, 3] / 2 - side / 2)
    if not len(away) or away.min() > side / 4:
        return None
    points: Floats = found[int(away.argmin()), 4:14].reshape(5, 2).copy()
    if mirrored:
        points[:, 0] = 2 * side - 1 - points[:, 0]
        points = points[_MIRRORED]
    return points
