"""Looks for people who were searched and not found, in anything that was written down (S14).

It knows who passed: their templates, computed from the same frames by the same pipeline, and their aligned crops. It
looks for them in three ways, so that nobody need guess how somebody would have written them:

- by the letter: four numbers of a template in each usual writing, or 24 pixels of a crop, at any byte of any place;
- by meaning: any run of 128 numbers, as text or as floats of 2, 4 or 8 bytes at any byte, that is like them;
- by sight: any picture, in which the pipeline finds one of them.

What is written as hexadecimal digits, base64, byte escapes, numbers of bytes or gzip is read as what it stands for.
"""

import base64
import binascii
import codecs
import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from proviso.domain.face import Box, Face, Quality, Template
from proviso.domain.frame import Image
from proviso.vision.alignment import SIDE, TEMPLATE
from tests.safeguards.test_s14_templates import forms

LIKE = 0.5
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_FLOATS = ("<f2", ">f2", "<f4", ">f4", "<f8")
_NUMBER = re.compile(rb"-?\d+\.\d+(?:[eE][-+]?\d+)?|-?\d+[eE]-\d+")
_WRITINGS = {
    "hex": re.compile(rb"(?:[0-9a-fA-F]{2}){32,}"),
    "base64": re.compile(rb"[A-Za-z0-9+/_\-]{40,}={0,2}"),
    "escapes": re.compile(rb"(?:\\x[0-9a-f]{2}|[ -~]){24,}"),
    "numbers": re.compile(rb"(?:\d{1,3}[,; \n]{1,3}){32,}\d{1,3}"),
}


@dataclass(frozen=True)
class Passed:
    """Who passed and is not to be found: templates as computed, and each aligned crop (112, 112, 3)."""

    templates: Sequence[Template]
    crops: Sequence[Any]

    @cached_property
    def mean(self) -> Any:
        """What they have in common: all are frames of one person."""
        middle = np.mean([one.floats() for one in self.templates], axis=0)
        return (middle / np.linalg.norm(middle)).astype(np.float32)

    @cached_property
    def pieces(self) -> "Pieces":
        found = [form for template in self.templates for form in forms(template)]
        return Pieces([*found, *(part for crop in self.crops for part in _rows(crop))])

    def like(self, template: Template) -> bool:
        return float(np.dot(template.floats(), self.mean)) > LIKE


def _rows(crop: Any) -> Iterator[bytes]:
    """24 bytes from the middle of some rows, in either order of colours, together and apart."""
    for row in range(20, 100, 16):
        line = crop[row]
        for pixels in (line[40:48], line[40:48, ::-1], *(line[40:64, colour] for colour in range(3))):
            part = np.ascontiguousarray(pixels).tobytes()
            if len(set(part)) >= 10:  # not a plain ground
                yield part


class Pieces:
    """Many byte strings of 8 bytes or more, looked for at once at every byte: first by their first eight."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._by_head: dict[int, list[bytes]] = {}
        for piece in pieces:
            if len(piece) >= 8:
                self._by_head.setdefault(int.from_bytes(piece[:8], "little"), []).append(piece)
        self._heads = np.array(sorted(self._by_head), dtype=np.uint64)
        # One byte of two says no to nearly everything, before the search in the long list.
        self._firsts = np.zeros(1 << 16, bool)
        self._firsts[(self._heads & np.uint64(0xFFFF)).astype(np.int64)] = True

    def inside(self, content: bytes, step: int = 1) -> bool:
        """Is one of them in there, at a multiple of `step`?"""
        for at in range(0, 8, step):
            words = np.frombuffer(content, np.uint64, max(0, (len(content) - at) // 8), at) if len(content) > at else []
            if not len(words):
                continue
            likely = np.flatnonzero(self._firsts[(words & np.uint64(0xFFFF)).astype(np.int64)])
            found = np.searchsorted(self._heads, words[likely])
            found[found == len(self._heads)] = 0
            for index in likely[self._heads[found] == words[likely]]:
                place = at + 8 * int(index)
                if any(content.startswith(piece, place) for piece in self._by_head[int(words[index])]):
                    return True
        return False


def readings(content: bytes) -> list[tuple[str, bytes]]:
    """(how it is read, what it then says): as it stands, and each writing in it as what it stands for."""
    found = [("", content)]
    for name, pattern in _WRITINGS.items():
        parts = [part for match in pattern.finditer(content) for part in _read(name, match[0])]
        if parts:
            found.append((name, b"\n".join(parts)))
    found += [("gzip", part) for part in _unzipped(content)]
    return found


def _read(name: str, run: bytes) -> list[bytes]:
    try:
        if name == "hex":
            return [binascii.unhexlify(run)]
        if name == "base64":
            plain = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
            cuts = (plain[start : start + (len(plain) - start) // 4 * 4] for start in range(4))
            return [base64.b64decode(cut) for cut in cuts]
        if name == "escapes":
            return [codecs.escape_decode(run)[0]] if run.count(b"\\x") > 3 else []  # type: ignore[attr-defined]
        numbers = [int(one) for one in re.findall(rb"\d+", run)]
        return [bytes(numbers)] if max(numbers) < 256 else []
    except (ValueError, binascii.Error):
        return []


def _unzipped(content: bytes) -> list[bytes]:
    if not content.startswith(b"\x1f\x8b"):
        return []
    try:
        return [gzip.decompress(content)]
    except OSError:
        return []


def numbers_like(content: bytes, mean: Any) -> bool:
    """Is there a run of as many numbers as a template has, in any writing of floats, that points the same way?"""
    written = np.array([float(one) for one in _NUMBER.findall(content)], np.float32)
    if _runs_like(written, mean):
        return True
    for kind in _FLOATS:
        size = np.dtype(kind).itemsize
        for at in range(size):
            count = (len(content) - at) // size
            if count >= len(mean):
                with np.errstate(all="ignore"):
                    numbers = np.frombuffer(content, kind, count, at).astype(np.float32)
                if _runs_like(numbers, mean):
                    return True
    return False


def _runs_like(numbers: Any, mean: Any) -> bool:
    if len(numbers) < len(mean):
        return False
    # A template's numbers are below 1; what is not would drown its neighbours.
    numbers = np.where(np.isfinite(numbers) & (np.abs(numbers) <= 1.5), numbers, 0).astype(np.float32)
    along = np.correlate(numbers, mean, "valid")
    squares = np.concatenate(([0.0], np.cumsum(numbers.astype(np.float64) ** 2)))
    lengths = np.sqrt(np.maximum(squares[len(mean) :] - squares[: -len(mean)], 1e-9))
    return bool(np.any((along > LIKE * lengths) & (lengths > 0.5) & (lengths < 2.0)))


def pictures(content: bytes) -> Iterator[Any]:
    """Every JPEG and PNG in it, decoded to BGR, wherever it begins."""
    import cv2

    for mark in _PICTURES:
        at = content.find(mark)
        while at >= 0:
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8, offset=at), cv2.IMREAD_COLOR)
            if pixels is not None and min(pixels.shape[:2]) >= 16:
                yield pixels
            at = content.find(mark, at + len(mark))


def shows(pixels: Any, passed: Passed, pipeline: Any) -> bool:
    """Does the pipeline find one of them in the picture: as it is, with a margin around it, or taken for a crop?"""
    import cv2

    height, width = pixels.shape[:2]
    margin = max(height, width) // 2
    framed = cv2.copyMakeBorder(pixels, *[margin] * 4, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    for seen in (pixels, framed):
        image = Image(seen, seen.shape[1], seen.shape[0])
        if any(passed.like(one) for one in pipeline.templates(image, pipeline.detect(image))):
            return True
    if max(height, width) > 4 * SIDE:
        return False
    crop: Any = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    whole = Face(Box(0, 0, SIDE, SIDE), TEMPLATE, 1.0, Quality(35, 100, 118, 0, 0))  # type: ignore[arg-type]
    return any(passed.like(one) for one in pipeline.templates(Image(crop, SIDE, SIDE), [whole]))


def found_in(places: dict[str, bytes], passed: Passed, pipeline: Any) -> list[str]:
    """`place: what`, for everything that gives somebody away. Empty is what it should be."""
    found: list[str] = []
    for place, content in places.items():
        for how, said in readings(content):
            where = f"{place}{' (' + how + ')' if how else ''}"
            if passed.pieces.inside(said):
                found.append(f"{where}: a piece of a template or crop")
            if numbers_like(said, passed.mean):
                found.append(f"{where}: numbers like a template")
            if any(shows(pixels, passed, pipeline) for pixels in pictures(said)):
                found.append(f"{where}: a picture of the person")
    return found
