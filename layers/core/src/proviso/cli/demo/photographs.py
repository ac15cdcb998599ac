"""The two photographs of the demonstration: public domain, from matplotlib and scikit-image, never bundled here.

Rear Admiral Grace Hopper is on the list; the astronaut Eileen Collins passes by and is not. The packages are located,
not imported, because their imports take seconds.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proviso.domain.errors import ConfigurationFault


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photograph (BGR uint8) cut to head and shoulders; `face_px` is the width of the face in it, in pixels."""

    pixels: Any
    face_px: float


_PLACES = {
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
}


def photograph(name: str) -> Any:
    """The whole photograph as BGR uint8. ConfigurationFault when its package is not installed."""
    import cv2

    package, inside = _PLACES[name]
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        pixels = cv2.imread(str(Path(folder) / inside))
        if pixels is not None:
            return pixels
    raise ConfigurationFault(f"the photograph {inside} of the package {package} is not there; run `make install`")


def hopper() -> Portrait:
    """Head and shoulders, with her cap. The face is about 190 px wide in the 512x600 photograph."""
    return Portrait(photograph("hopper")[0:520, 30:490], face_px=190.0)


def astronaut() -> Portrait:
    """Head and collar. The face is about 110 px wide in the 512x512 photograph."""
    return Portrait(photograph("astronaut")[0:270, 90:365], face_px=110.0)


def enrolment_picture() -> bytes:
    """Another cut and scale than any frame has: what a watchlist officer would upload."""
    import cv2

    pixels = photograph("hopper")[15:430, 75:465]
    larger = cv2.resize(pixels, None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC)
    _, data = cv2.imencode(".jpg", larger, [cv2.IMWRITE_JPEG_QUALITY, 93])
    return bytes(data.tobytes())
