"""Faces and templates, and the quality gate that decides which faces may be searched.

Measured: below about 32 to 40 pixels of face side in the frame, identification falls apart (AUC 0.86 at 16 px), so
such a face is counted and not searched: a match that is likely to be wrong is no match worth stopping someone for.
"""

import struct
from dataclasses import dataclass
from typing import NoReturn

from proviso.domain.frame import Region, _Private
from proviso.domain.reasons import Reason

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A face's region in pixels of the full frame, from the top left corner. May reach over the frame's edge."""

    x: float
    y: float
    width: float
    height: float

    @property
    def short_side(self) -> float:
        return min(self.width, self.height)

    @property
    def area(self) -> float:
        return self.width * self.height

    def inside_share(self, frame_width: int, frame_height: int) -> float:
        """The share (0..1) of the box's area that lies inside the frame."""
        across = max(0.0, min(self.x + self.width, frame_width) - max(self.x, 0.0))
        down = max(0.0, min(self.y + self.height, frame_height) - max(self.y, 0.0))
        return across * down / self.area if self.area > 0 else 0.0

    def region(self, left: int, top: int, right: int, bottom: int) -> Region:
        """The part of the box that lies in this view of the frame, in the view's own whole pixels; one at least."""
        x, y = (min(max(round(at), low), high - 1) for at, low, high in ((self.x, left, right), (self.y, top, bottom)))
        width = min(round(self.x + self.width), right) - x
        height = min(round(self.y + self.height), bottom) - y
        return x - left, y - top, max(1, width), max(1, height)


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of one face (units in the names). `sharpness` is the variance of the Laplacian of the 112x112 aligned
    luminance; `luminance` its mean (0..255); `yaw` the nose's offset from the middle of the eyes and mouth as a share
    of the inter-eye distance (0 frontal, signed); `roll_deg` the eye line's angle."""

    inter_eye_px: float
    sharpness: float
    luminance: float
    yaw: float
    roll_deg: float
    inside_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face. Landmarks in full-frame pixels: right eye, left eye, nose, right mouth corner, left mouth
    corner (the person's right is on the image's left). `detector_confidence` is the detector's own, 0..1."""

    box: Box
    landmarks: tuple[Point, Point, Point, Point, Point]
    detector_confidence: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class QualityGate:
    """Limits a face must keep to be searched or enrolled. Part of the pipeline digest: it moves similarities."""

    min_box_px: float
    min_inter_eye_px: float
    min_sharpness: float
    min_luminance: float
    max_luminance: float
    max_abs_yaw: float
    max_abs_roll_deg: float
    min_inside_share: float

    def judge(self, face: Face) -> Reason | None:
        """The first limit that the face breaks, or None when it may be used."""
        q = face.quality
        checks = (
            (face.box.short_side < self.min_box_px, Reason.FACE_TOO_SMALL),
            (q.inter_eye_px < self.min_inter_eye_px, Reason.FACE_TOO_SMALL),
            (q.inside_share < self.min_inside_share, Reason.FACE_CUT_OFF),
            (q.luminance < self.min_luminance, Reason.UNDER_EXPOSED),
            (q.luminance > self.max_luminance, Reason.OVER_EXPOSED),
            (abs(q.yaw) > self.max_abs_yaw, Reason.POSE_YAW),
            (abs(q.roll_deg) > self.max_abs_roll_deg, Reason.POSE_ROLL),
            (q.sharpness < self.min_sharpness, Reason.NOT_SHARP),
        )
        return next((reason for broken, reason in checks if broken), None)


class Template(_Private):
    """A face's vector: `dimension` little-endian float32, L2-normalised, packed as bytes, with its pipeline's digest.

    It never leaves the process except as a parameter of a query or an enrolment. Its repr shows no number of it.
    """

    __slots__ = ("dimension", "packed", "pipeline")

    def __init__(self, packed: bytes, dimension: int, pipeline: str) -> None:
        if len(packed) != 4 * dimension:
            raise ValueError(f"a template of {dimension} float32 takes {4 * dimension} bytes, not {len(packed)}")
        self.packed = packed
        self.dimension = dimension
        self.pipeline = pipeline

    def floats(self) -> tuple[float, ...]:
        """The numbers, for the store's query parameters only."""
        return struct.unpack(f"<{self.dimension}f", self.packed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and (self.packed, self.pipeline) == (other.packed, other.pipeline)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Template {self.dimension}-D of {self.pipeline[:12]}>"

    def __iter__(self) -> NoReturn:
        raise TypeError("a template is not iterable; see Template.floats")
