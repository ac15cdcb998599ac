"""Where a face's five landmarks go in the 112x112 crop that the model reads.

A similarity transform (turn, scale, shift) and nothing more: a face is not sheared to fit. In closed form with plain
numpy, because it is exact and measured 15 times faster than OpenCV's estimator with its outlier search.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proviso.domain.face import Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SIDE = 112
# The template of ArcFace (Deng et al. 2019), in the order of `Face.landmarks`.
TEMPLATE: tuple[Point, ...] = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
_MAX_REDUCTION = 16


def similarity_transform(source: Sequence[Point], target: Sequence[Point] = TEMPLATE) -> "NDArray[np.float64]":
    """The 2x3 matrix of the similarity that takes `source` to `target` with least squared error.

    Umeyama, IEEE PAMI 13(4), 1991, in two dimensions, where the singular value decomposition has a closed form:
    with centred points as complex numbers, the factor is sum(conj(s) * t) / sum(|s|^2); a reflection cannot arise.
    ValueError when all source points coincide.
    """
    import numpy as np

    s = np.asarray(source, np.float64)
    t = np.asarray(target, np.float64)
    s_mean, t_mean = s.mean(axis=0), t.mean(axis=0)
    s, t = s - s_mean, t - t_mean
    spread = float((s * s).sum())
    if not spread > 0.0:
        raise ValueError("landmarks that coincide cannot be aligned")
    a = float((s * t).sum()) / spread
    b = float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / spread
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack((turn, t_mean - turn @ s_mean))


def aligned_crop(pixels: "Pixels", landmarks: Sequence[Point]) -> "Pixels":
    """The aligned BGR crop (112, 112, 3) of a face, from the full picture; black where the picture ends.

    Bilinear sampling alone skips pixels when a large face is made small, so such a face is cut at a whole multiple
    of 112 and then averaged down by area.
    """
    import cv2

    matrix = similarity_transform(landmarks)
    scale = float((matrix[0, 0] ** 2 + matrix[1, 0] ** 2) ** 0.5)
    times = max(1, min(_MAX_REDUCTION, int(1.0 / scale)))
    if times > 1:
        matrix = matrix * times
        matrix[:, 2] += (times - 1) / 2.0  # pixel centres, not corners, must coincide
    side = SIDE * times
    crop: Any = cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR)
    if times > 1:
        crop = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return crop  # type: ignore[no-any-return]
