"""What becomes a frame: pictures that changed, encoded as JPEG.

Skipping is by a small grey difference and nothing cleverer: a person who walks past changes far more of the picture
than noise does, and a frame too many costs less than a frame missed.
"""

from typing import Any

from proviso.cli.camera.sources import Shot, decoded

_ACROSS, _DOWN = 80, 45
_CELL_DIFFERENCE = 12
_CHANGED_CELLS = 0.004  # of 3600 cells: about 14, a face of some 60 pixels in 1280x720


class Change:
    """Remembers the last picture that was sent, as 80x45 grey cells, and tells whether the next one differs."""

    def __init__(self) -> None:
        self._last: Any = None

    def is_new(self, shot: Shot) -> bool:
        """True for the first picture, for one that cannot be decoded, and for one that differs."""
        import cv2

        pixels = shot.pixels if shot.pixels is not None else decoded(shot.jpeg or b"")
        if pixels is None:
            return True
        small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (_ACROSS, _DOWN), interpolation=cv2.INTER_AREA)
        if self._last is not None:
            share = float((cv2.absdiff(small, self._last) > _CELL_DIFFERENCE).mean())
            if share < _CHANGED_CELLS:
                return False
        self._last = small
        return True


def encoded(shot: Shot, quality: int) -> bytes | None:
    """The shot as JPEG: as it came when it is one, else encoded at `quality` (1..100). None when it cannot be."""
    if shot.jpeg is not None:
        return shot.jpeg
    if shot.pixels is None:
        return None
    import cv2

    try:
        done, data = cv2.imencode(".jpg", shot.pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        return None
    return data.tobytes() if done else None
