"""JPEG bytes to pixels, with every refusal before the costly part.

What arrives here may come from a broken camera or from somebody who means harm. So the header is read first, in
plain Python and with bounds, and only a picture whose claims are acceptable reaches the decoder. The decoder is
libjpeg-turbo through simplejpeg in its strict mode: OpenCV pads a truncated picture with grey and says nothing.
Measured at 720p on one core, same run: 2.7 ms against 5.1 ms for OpenCV's decoder, and the pixels are identical.
"""

import struct
from dataclasses import dataclass
from typing import Any

from proviso.domain.frame import MAX_FRAME_BYTES, MAX_FRAME_PIXELS, Image, Jpeg
from proviso.domain.reasons import Reason, Refused

# A progressive file may hold any number of scans, each of which costs a pass over all pixels. Encoders write about ten.
MAX_SCANS = 100
# OpenCV's warps take sides below 32,768, and no camera writes a strip like that.
MAX_SIDE_PX = 16_384

_OTHER_TYPES = (
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
)
_ISO_MEDIA = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}
_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DECODABLE = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended sequential, progressive; all Huffman coded
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_EXIF = b"Exif\x00\x00"
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Header:
    """What a JPEG says of itself before its pixels. `orientation` is EXIF's 1..8, 1 when it says nothing; `end` is
    where in the data the frame header ends."""

    width: int
    height: int
    components: int
    orientation: int
    end: int


def read_header(data: bytes) -> Header | Refused:
    """Walk the segments up to the frame header (ITU-T T.81, annex B). Never raises: anything odd is a refusal."""
    if not data:
        return Refused(Reason.EMPTY)
    if data[:2] != bytes((0xFF, _START)):
        return _not_a_jpeg(data)
    orientation = 1
    at = 2
    while True:
        while data[at : at + 2] == b"\xff\xff":  # fill bytes are allowed before a marker
            at += 1
        if at + 2 > len(data):
            return Refused(Reason.TRUNCATED, "ends inside the header")
        if data[at] != 0xFF:
            return Refused(Reason.NOT_AN_IMAGE, "the header has no marker where one must be")
        marker = data[at + 1]
        at += 2
        if marker in _ALONE:
            continue
        if marker in (_START, _SCAN, _END, 0x00):
            return Refused(Reason.NOT_AN_IMAGE, "no frame header before the picture data")
        if at + 2 > len(data):
            return Refused(Reason.TRUNCATED, "ends inside the header")
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2:
            return Refused(Reason.NOT_AN_IMAGE, "a header segment has no length")
        if at + length > len(data):
            return Refused(Reason.TRUNCATED, "ends inside the header")
        body = data[at + 2 : at + length]
        if marker in _FRAME_HEADERS:
            return _frame_header(marker, body, orientation, at + length)
        if marker == 0xE1 and body.startswith(_EXIF):
            orientation = _orientation(body[len(_EXIF) :])
        at += length


def decode(jpeg: Jpeg, *, max_bytes: int = MAX_FRAME_BYTES, max_pixels: int = MAX_FRAME_PIXELS) -> Image | Refused:
    """Decode to BGR uint8 (height, width, 3), upright.

    EXIF orientation is honoured for frames and enrolment pictures alike: telephones store portraits lying down, and
    a camera that states an orientation means it. All other metadata is left behind.
    """
    data = jpeg.data
    if len(data) > max_bytes:
        return Refused(Reason.TOO_MANY_BYTES, f"{len(data)} bytes, at most {max_bytes}")
    header = read_header(data)
    if isinstance(header, Refused):
        return header
    pixels = header.width * header.height
    if pixels > max_pixels:
        return Refused(Reason.TOO_MANY_PIXELS, f"{header.width}x{header.height}, at most {max_pixels} pixels")
    if max(header.width, header.height) > MAX_SIDE_PX:
        return Refused(Reason.TOO_MANY_PIXELS, f"{header.width}x{header.height}, at most {MAX_SIDE_PX} a side")
    if header.components not in (1, 3):
        return Refused(Reason.WRONG_TYPE, f"a JPEG of {header.components} colour components")
    if data.count(b"\xff\xda") > MAX_SCANS:
        return Refused(Reason.NOT_AN_IMAGE, f"more than {MAX_SCANS} scans")
    return _decode_pixels(data, header)


def _decode_pixels(data: bytes, header: Header) -> Image | Refused:
    import numpy as np
    import simplejpeg

    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace="BGR", fastdct=False, fastupsample=False, strict=True)
    except ValueError as wrong:
        ended = data.find(bytes((0xFF, _END)), header.end) >= 0
        if not ended or "premature end" in str(wrong).lower():
            return Refused(Reason.TRUNCATED, "the picture data ends early")
        return Refused(Reason.NOT_AN_IMAGE, "the decoder refuses it")
    if pixels.shape != (header.height, header.width, 3):
        return Refused(Reason.NOT_AN_IMAGE, "the picture is not as large as its header says")
    if header.orientation != 1:
        pixels = _upright(pixels, header.orientation)
    height, width = pixels.shape[:2]
    return Image(np.ascontiguousarray(pixels), width, height)


def _upright(pixels: Any, orientation: int) -> Any:
    """Undo EXIF's orientation (CIPA DC-008, tag 274). Array (h, w, 3) in, a view of it out."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _not_a_jpeg(data: bytes) -> Refused:
    for magic, name in _OTHER_TYPES:
        if data.startswith(magic):
            return Refused(Reason.WRONG_TYPE, name)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Refused(Reason.WRONG_TYPE, "WebP")
    if data[4:8] == b"ftyp":
        return Refused(Reason.WRONG_TYPE, _ISO_MEDIA.get(data[8:12], "ISO media"))
    if data == b"\xff":
        return Refused(Reason.TRUNCATED, "ends inside the header")
    return Refused(Reason.NOT_AN_IMAGE, "no JPEG begins like this")


def _frame_header(marker: int, body: bytes, orientation: int, end: int) -> Header | Refused:
    if marker not in _DECODABLE:
        return Refused(Reason.WRONG_TYPE, "a kind of JPEG that cameras do not write (lossless or arithmetic)")
    if len(body) < 6:
        return Refused(Reason.NOT_AN_IMAGE, "the frame header is too short")
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8:
        return Refused(Reason.WRONG_TYPE, f"a JPEG of {precision} bits a sample")
    if width == 0 or height == 0:
        return Refused(Reason.NOT_AN_IMAGE, "the header gives no size")
    return Header(width, height, components, orientation, end)


def _orientation(tiff: bytes) -> int:
    """EXIF orientation from the first directory of a TIFF block; 1 when absent or damaged."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    (start,) = struct.unpack(f"{order}I", tiff[4:8])
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack(f"{order}H", tiff[start : start + 2])
    for index in range(min(count, 200)):
        entry = tiff[start + 2 + 12 * index : start + 14 + 12 * index]
        if len(entry) < 12:
            return 1
        tag, kind = struct.unpack(f"{order}HH", entry[:4])
        if tag == _ORIENTATION_TAG and kind == 3:
            (value,) = struct.unpack(f"{order}H", entry[8:10])
            return value if 1 <= value <= 8 else 1
    return 1
