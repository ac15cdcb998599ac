"""Measures of one face's quality, taken on the aligned crop, so that they mean the same at any size of the face."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from proviso.domain.face import Box, Point, Quality
from proviso.vision.alignment import aligned_crop

if TYPE_CHECKING:
    from proviso.vision.alignment import Pixels


def measure(pixels: "Pixels", box: Box, landmarks: Sequence[Point]) -> Quality:
    """Quality of the face with this box and these five landmarks in a BGR picture (height, width, 3).

    ValueError when the landmarks coincide.
    """
    import cv2

    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(aligned_crop(pixels, landmarks), cv2.COLOR_BGR2GRAY)
    right_eye, left_eye = landmarks[0], landmarks[1]
    across, down = left_eye[0] - right_eye[0], left_eye[1] - right_eye[1]
    return Quality(
        inter_eye_px=math.hypot(across, down),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        luminance=float(grey.mean()),
        yaw=yaw(landmarks),
        roll_deg=math.degrees(math.atan2(down, across)),
        inside_share=box.inside_share(width, height),
    )


def yaw(landmarks: Sequence[Point]) -> float:
    """How far the nose lies from the line between the middles of eyes and mouth, along the eye line, as a share of
    the inter-eye distance: 0 frontal, positive towards the image's right. Eyes that coincide count as full profile."""
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks
    across, down = left_eye[0] - right_eye[0], left_eye[1] - right_eye[1]
    squared = across * across + down * down
    if squared <= 0.0:
        return 1.0
    middle_x = (right_eye[0] + left_eye[0] + right_mouth[0] + left_mouth[0]) / 4
    middle_y = (right_eye[1] + left_eye[1] + right_mouth[1] + left_mouth[1]) / 4
    return ((nose[0] - middle_x) * across + (nose[1] - middle_y) * down) / squared
