"""Where pictures come from: a folder, a video file, an RTSP address or a device.

A source hands out shots at the pace that was asked for. What cannot be opened at all is a `SourceFault` with a sentence
for people; a single picture that cannot be read is handed out as unreadable, counted, and the next one follows.
OpenCV is imported when a source that needs it is opened, not before.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from proviso.cli.camera.bursts import due_s, step_s

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
JPEG_START = b"\xff\xd8\xff"
_OPEN_TIMEOUT_MS = 8000
_READ_TIMEOUT_MS = 8000
_REOPEN_TRIES = 5
_REOPEN_WAIT_S = 2.0
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")

Wait = Callable[[float], bool]
"""Wait so many seconds; True when the agent was told to end meanwhile."""
Monotonic = Callable[[], float]


class SourceFault(Exception):
    """The source cannot be used. The message says why and what to do; it never holds a password."""


@dataclass(frozen=True, slots=True, repr=False)
class Shot:
    """One picture: either a JPEG as it came (`jpeg`), or decoded pixels (`pixels`, BGR uint8), or a fault. `burst` is
    the number of the burst that it was taken for."""

    name: str
    jpeg: bytes | None = None
    pixels: Any = None
    fault: str = ""
    burst: int = 0

    def __repr__(self) -> str:
        return f"<Shot {self.name}>"


class Source(Protocol):
    """Anything that hands out shots, paced by itself."""

    def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
        """Bursts of so many shots, `fps` of them a second, until the source ends or `wait` says so. SourceFault when it
        cannot be read."""


def without_password(address: str) -> str:
    """The address as it may be shown."""
    return _CREDENTIALS.sub("", address)


def open_source(address: str, monotonic: Monotonic = time.monotonic) -> Source:
    """The source that an address names. SourceFault when there is no such folder, file or kind of source."""
    if address.startswith(("rtsp://", "rtsps://")):
        return LiveSource(address, monotonic)
    if address.isdigit() or address.startswith("/dev/"):
        if address.startswith("/dev/") and not Path(address).exists():
            raise SourceFault(f"there is no device {address}; `ls /dev/video*` lists those that there are")
        return LiveSource(int(address) if address.isdigit() else address, monotonic)
    if "://" in address:
        raise SourceFault(
            f"{without_password(address)} is not a kind of source; use rtsp://, a device, a file or a folder"
        )
    path = Path(address).expanduser()
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return VideoSource(path, monotonic)
    raise SourceFault(f"there is no folder, video file or device {address}")


class FolderSource:
    """The pictures of a folder in the order of their names, each once; neighbours make a burst."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
        try:
            files = sorted(path for path in self.folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
        except OSError as error:
            raise SourceFault(f"the folder {self.folder} cannot be read: {error.strerror}") from error
        if not files:
            raise SourceFault(f"the folder {self.folder} holds no pictures ({', '.join(PICTURES)})")
        for number, path in enumerate(files):
            if number and wait(due_s(number, fps, burst) - due_s(number - 1, fps, burst)):
                return
            yield replace(_read_picture(path), burst=number // burst)


def _read_picture(path: Path) -> Shot:
    """A file that is a JPEG is handed on as it is, whole or not: what a camera sends is judged behind the upload."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Shot(path.name, fault=f"cannot be read: {error.strerror}")
    if data.startswith(JPEG_START):
        return Shot(path.name, jpeg=data)
    pixels = decoded(data)
    return Shot(path.name, pixels=pixels) if pixels is not None else Shot(path.name, fault="is not a picture")


def decoded(data: bytes) -> Any:
    """BGR pixels of an encoded picture, or None when it cannot be decoded."""
    if not data:
        return None
    cv2 = _opencv()
    import numpy as np

    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None


class VideoSource:
    """A video file, played once at its own speed and sampled."""

    def __init__(self, path: Path, monotonic: Monotonic) -> None:
        self.path = path
        self.monotonic = monotonic

    def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
        cv2 = _opencv()
        capture = cv2.VideoCapture(str(self.path))
        try:
            if not capture.isOpened():
                raise SourceFault(f"{self.path} cannot be opened as a video; is it complete, and its format known?")
            native = capture.get(cv2.CAP_PROP_FPS)
            native = native if 0.1 <= native <= 1000 else 25.0  # some files do not say
            began, number, taken = self.monotonic(), 0, 0
            while capture.grab():
                at = number / native
                number += 1
                if at + 1e-9 < due_s(taken, fps, burst):
                    continue
                of_burst = taken // burst
                taken += 1
                ahead = began + at - self.monotonic()
                if wait(max(0.0, ahead)):
                    return
                found, pixels = capture.retrieve()
                name = f"{self.path.name} at {at:.2f} s"
                yield Shot(name, pixels=pixels, burst=of_burst) if found else Shot(name, fault="cannot be decoded")
            if number == 0:
                raise SourceFault(f"{self.path} was opened, but it holds no picture that can be read")
        finally:
            capture.release()


class LiveSource:
    """A camera as it is now: every picture is taken off the line, so that none waits in a buffer and grows old."""

    def __init__(self, address: str | int, monotonic: Monotonic) -> None:
        self.address = address
        self.monotonic = monotonic

    @property
    def name(self) -> str:
        return f"device {self.address}" if isinstance(self.address, int) else without_password(self.address)

    @property
    def _is_device(self) -> bool:
        return isinstance(self.address, int) or self.address.startswith("/dev/")

    def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
        capture = self._open()
        try:
            due = following = self.monotonic()
            number, left = 0, 0  # of the burst that is being taken, and how many of its shots are still to come
            while not wait(0.0):
                if not capture.grab():
                    capture.release()
                    capture = self._again(wait)
                    if capture is None:
                        return
                    left = 0  # what was begun before the line was lost is not gone on with
                    continue
                now = self.monotonic()
                if now < due:
                    continue
                if left == 0:
                    number, left, following = number + 1, burst, max(due + 1.0 / fps, now)
                left -= 1
                due = now + step_s(fps, burst) if left else following
                found, pixels = capture.retrieve()
                unread = Shot(self.name, fault="cannot be decoded")
                yield Shot(self.name, pixels=pixels, burst=number) if found else unread
        finally:
            if capture is not None:
                capture.release()

    def _again(self, wait: Wait) -> Any:
        """Open it once more after the line was lost; None when told to end. SourceFault when it stays away."""
        for attempt in range(_REOPEN_TRIES):
            if wait(_REOPEN_WAIT_S * (attempt + 1)):
                return None
            try:
                return self._open()
            except SourceFault:
                continue
        raise SourceFault(f"{self.name} stopped answering and could not be opened again")

    def _open(self) -> Any:
        cv2 = _opencv()
        if self._is_device:
            capture = cv2.VideoCapture(self.address)
        else:
            limits = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                _OPEN_TIMEOUT_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                _READ_TIMEOUT_MS,
            ]
            capture = cv2.VideoCapture(self.address, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            if self._is_device:
                raise SourceFault(
                    f"{self.name} cannot be opened: it is not there, is in use, or you may not read it;"
                    " `ls -l /dev/video*` lists those that there are"
                )
            raise SourceFault(
                f"{self.name} cannot be opened; check the address, the password, the network and its power"
            )
        return capture


def _opencv() -> Any:
    """OpenCV without its own messages on the terminal: what matters is said by us."""
    # Read by its FFmpeg part when a stream is opened; -8 is AV_LOG_QUIET.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
