"""Camera-like frames made at run time from two photographs in the public domain, and where the model files lie.

Grace Hopper comes with matplotlib, the astronaut with scikit-image. Neither is copied into the project.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"


def model_folders() -> list[Path]:
    """Where model files are looked for, in the order of the house: PROVISO_MODELS, ./models, ../shared/models."""
    named = [Path(value)] if (value := os.environ.get("PROVISO_MODELS")) else []
    return [*named, REPOSITORY / "models", SHARED / "models"]


@cache
def hopper_jpeg() -> bytes:
    """Grace Hopper, 512x600, as bundled."""
    import matplotlib as mpl

    return (Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()


@cache
def astronaut_jpeg() -> bytes:
    """The astronaut, 512x512, encoded at quality 95."""
    from skimage import data

    return to_jpeg(np.ascontiguousarray(data.astronaut()[:, :, ::-1]), quality=95)


def to_jpeg(pixels: Any, quality: int = 85) -> bytes:
    """BGR (height, width, 3) uint8 to JPEG bytes."""
    import simplejpeg

    return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality, colorspace="BGR")


def to_pixels(jpeg: bytes) -> Any:
    import simplejpeg

    return simplejpeg.decode_jpeg(jpeg, colorspace="BGR")


def backdrop(width: int = 1280, height: int = 720, seed: int = 7) -> Any:
    """A street-like ground without people: soft gradients and blocks, with a sensor's noise."""
    import cv2

    random = np.random.default_rng(seed)
    coarse = random.integers(60, 170, (9, 16, 3), dtype=np.uint8)
    ground = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    ground += random.integers(-6, 7, ground.shape, dtype=np.int16)
    return np.clip(ground, 0, 255).astype(np.uint8)


def placed(frame: Any, picture: bytes, x: int, y: int, scale: float) -> Any:
    """The frame with the picture set into it, its top left corner at (x, y); cut where it leaves the frame."""
    import cv2

    part = cv2.resize(to_pixels(picture), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    across, down = min(part.shape[1], frame.shape[1] - x), min(part.shape[0], frame.shape[0] - y)
    out = frame.copy()
    out[y : y + down, x : x + across] = part[:down, :across]
    return out


def three_faces() -> bytes:
    """A 1280x720 frame with three faces of about 90, 90 and 70 px: Hopper, the astronaut, Hopper again."""
    frame = placed(backdrop(), hopper_jpeg(), 60, 120, 0.5)
    # Her upper part only: dlib takes a part of the spacesuit for a face, and one more face would flatter us.
    upper = to_jpeg(to_pixels(astronaut_jpeg())[:310], quality=95)
    frame = placed(frame, upper, 420, 100, 1.0)
    return to_jpeg(placed(frame, hopper_jpeg(), 980, 220, 0.4))
