"""What the API takes as a picture: a JPEG below Lambda's limit. Other kinds, and larger ones, are encoded anew here."""

from proviso.cli.camera.sources import JPEG_START, decoded

LARGEST_BYTES = 4_000_000
"""Lambda takes 6 MB, in which a picture stands as base64: a third larger."""
_LONGER_SIDE_PX = 3000


def as_jpeg(data: bytes, largest: int = LARGEST_BYTES) -> bytes:
    """A JPEG as it came where the API takes it; other kinds, and what has more than `largest` bytes, encoded anew
    (3000 px at most).

    ValueError for what is no picture.
    """
    if data.startswith(JPEG_START) and len(data) <= largest:
        return data
    pixels = decoded(data)
    if pixels is None:
        raise ValueError("is not a picture (JPEG, PNG, WebP, BMP and TIFF can be read)")
    import cv2

    scale = _LONGER_SIDE_PX / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95 if scale >= 1 else 90])
    return bytes(encoded.tobytes())
