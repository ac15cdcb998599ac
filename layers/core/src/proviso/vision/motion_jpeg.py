"""A burst taken apart into its JPEGs, and put together, by their own markers (ITU-T T.81, annex B).

The bytes that end a JPEG stand elsewhere in it too: in a thumbnail inside its metadata, in a comment, in any table. So
nothing is searched for. Segments are stepped over by their stated lengths, and only in entropy-coded data, where a
marker cannot be hidden, is the next one looked for. What does not come out even is refused whole: an upload of which
one part is not understood may be something else than what its deployment allows.
"""

import re

from proviso.domain.burst import MOST_FRAMES
from proviso.domain.frame import MAX_BURST_PIXELS, MAX_FRAME_BYTES, MAX_FRAME_PIXELS, Jpeg
from proviso.domain.reasons import Reason, Refused
from proviso.vision.decoding import MAX_SCANS, Header, read_header

MAX_SEGMENTS = 4096
"""Of one frame. Each costs a step in Python; a camera writes a dozen, an editor with a large profile some hundred."""

_BEGIN, _END, _SCAN = 0xD8, 0xD9, 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_FILL = re.compile(rb"\xff+")
# In entropy-coded data FF is followed by 00 (a stuffed byte), D0 to D7 (a restart), FF (fill), or the marker that ends
# it. So no byte in there can be taken for a marker that is none.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def split(burst: Jpeg, most: int = MOST_FRAMES) -> list[Jpeg] | Refused:
    """The frames of a burst: two or more whole JPEGs of one size, nothing before, between or after them.

    Only markers and headers are read. TOO_MANY_FRAMES for more than `most`, before what follows is looked at;
    NOT_A_BURST, TRUNCATED, TOO_MANY_BYTES, TOO_MANY_PIXELS, or a header's own reason. The detail names the frame,
    counted from 1. Takes time in proportion to the size, whatever the bytes are.
    """
    data = burst.data
    if len(data) > MAX_FRAME_BYTES:
        return Refused(Reason.TOO_MANY_BYTES, f"{len(data)} bytes, at most {MAX_FRAME_BYTES}")
    if not data:
        return Refused(Reason.EMPTY)
    frames: list[Jpeg] = []
    first: Header | None = None
    at = 0
    while at < len(data):
        number = len(frames) + 1
        if data[at : at + 2] != bytes((0xFF, _BEGIN)):
            where = f"after frame {len(frames)}" if frames else "at the beginning"
            return Refused(Reason.NOT_A_BURST, f"bytes that belong to no frame {where}")
        if len(frames) == most:
            return Refused(Reason.TOO_MANY_FRAMES, f"more than {most}")
        end = _end_of(data, at, number)
        if isinstance(end, Refused):
            return end
        frame = Jpeg(data[at:end])
        header = read_header(frame.data)
        if isinstance(header, Refused):
            return Refused(header.reason, f"frame {number}: {header.detail}")
        first = first or header
        if refused := _size_fault(header, first, number):
            return refused
        frames.append(frame)
        at = end
    if len(frames) == 1:
        return Refused(Reason.NOT_A_BURST, "one frame only; a single frame is uploaded as .jpg")
    if first is not None and len(frames) * first.width * first.height > MAX_BURST_PIXELS:
        shown = f"{len(frames)} times {first.width}x{first.height}"
        return Refused(Reason.TOO_MANY_PIXELS, f"{shown}, at most {MAX_BURST_PIXELS} pixels in all")
    return frames


def one_whole(data: bytes) -> Header | Refused:
    """What a single JPEG says of itself, if it is whole and nothing follows it: whether it may be part of a burst."""
    if data[:2] != bytes((0xFF, _BEGIN)):
        return Refused(Reason.NOT_AN_IMAGE, "no JPEG begins like this")
    end = _end_of(data, 0, 1)
    if isinstance(end, Refused):
        return end
    if end != len(data):
        return Refused(Reason.NOT_A_BURST, "bytes after its end")
    return read_header(data)


def _size_fault(header: Header, first: Header, number: int) -> Refused | None:
    if header.width * header.height > MAX_FRAME_PIXELS:
        return Refused(Reason.TOO_MANY_PIXELS, f"frame {number} is {header.width}x{header.height}")
    if _upright(header) != _upright(first):
        one, other = ("x".join(map(str, _upright(each))) for each in (header, first))
        return Refused(Reason.NOT_A_BURST, f"frame {number} is {one}, the first {other}")
    if header.orientation != first.orientation:
        return Refused(Reason.NOT_A_BURST, f"frame {number} lies another way than the first")
    return None


def _upright(header: Header) -> tuple[int, int]:
    lying = header.orientation in (5, 6, 7, 8)
    return (header.height, header.width) if lying else (header.width, header.height)


def _end_of(data: bytes, start: int, number: int) -> int | Refused:
    """Where the JPEG that begins at `start` ends: one past its end marker."""
    at, scans, segments = start + 2, 0, 0
    cut_off = Refused(Reason.TRUNCATED, f"frame {number} ends before its end marker")
    while True:
        segments += 1
        if segments > MAX_SEGMENTS:
            return Refused(Reason.NOT_AN_IMAGE, f"frame {number} has more than {MAX_SEGMENTS} segments")
        if at >= len(data):
            return cut_off
        fill = _FILL.match(data, at)  # any number of FF may stand before a marker
        if fill is None:
            return Refused(Reason.NOT_AN_IMAGE, f"frame {number} has no marker where one must be")
        at = fill.end()
        if at >= len(data):
            return cut_off
        marker = data[at]
        at += 1
        if marker == _END:
            return at
        if marker in _ALONE:
            continue
        if marker in (0x00, _BEGIN):
            return Refused(Reason.NOT_AN_IMAGE, f"frame {number} holds another one, or data outside a scan")
        length = int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or at + length > len(data):
            return cut_off
        if length < 2:
            return Refused(Reason.NOT_AN_IMAGE, f"frame {number} has a segment without length")
        at += length
        if marker == _SCAN:
            scans += 1
            if scans > MAX_SCANS:
                return Refused(Reason.NOT_AN_IMAGE, f"frame {number} has more than {MAX_SCANS} scans")
            found = _NEXT_MARKER.search(data, at)
            if found is None:
                return cut_off
            at = found.start()
