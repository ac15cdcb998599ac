"""What is no frame is refused by name, before any pixel of it is decoded; nothing that arrives raises."""

import struct

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proviso.domain.frame import MAX_FRAME_BYTES, Image, Jpeg
from proviso.domain.reasons import Reason, Refused
from proviso.vision import decoding
from proviso.vision.decoding import Header, decode, read_header


def gradient(width=96, height=64):
    ys, xs = np.mgrid[0:height, 0:width]
    return np.stack((xs * 2, ys * 3, (xs + ys)), axis=-1).astype(np.uint8)


def jpeg_of(pixels, **settings):
    return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=95, colorspace="BGR", **settings)


GOOD = jpeg_of(gradient())


def with_size(data, width, height):
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def with_exif_orientation(data, value, order=">"):
    mark = b"MM" if order == ">" else b"II"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, value, 0)
    tiff = mark + struct.pack(f"{order}HIH", 42, 8, 1) + entry + bytes(4)
    body = b"Exif\x00\x00" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def reason(data):
    answer = decode(Jpeg(data))
    assert isinstance(answer, Refused), answer
    return answer.reason


def test_a_good_jpeg_gives_its_pixels():
    image = decode(Jpeg(GOOD))
    assert isinstance(image, Image)
    assert (image.width, image.height, image.pixels.shape) == (96, 64, (64, 96, 3))
    assert np.array_equal(image.pixels, cv2.imdecode(np.frombuffer(GOOD, np.uint8), cv2.IMREAD_COLOR))


def test_a_grey_and_a_progressive_jpeg_are_decoded_too():
    grey = simplejpeg.encode_jpeg(gradient()[:, :, :1].copy(), quality=90, colorspace="GRAY")
    progressive = cv2.imencode(".jpg", gradient(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    for data in (grey, progressive):
        image = decode(Jpeg(data))
        assert isinstance(image, Image)
        assert image.pixels.shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Reason.EMPTY),
        (cv2.imencode(".png", gradient())[1].tobytes(), Reason.WRONG_TYPE),
        (cv2.imencode(".webp", gradient())[1].tobytes(), Reason.WRONG_TYPE),
        (cv2.imencode(".bmp", gradient())[1].tobytes(), Reason.WRONG_TYPE),
        (b"GIF89a" + bytes(40), Reason.WRONG_TYPE),
        (b"\x00\x00\x00\x18ftypheic" + bytes(40), Reason.WRONG_TYPE),
        (b"this is a text", Reason.NOT_AN_IMAGE),
        (bytes(5000), Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff\xd9", Reason.NOT_AN_IMAGE),
        (b"\xff\xd8", Reason.TRUNCATED),
        (b"\xff", Reason.TRUNCATED),
        (GOOD[:100], Reason.TRUNCATED),
        (with_size(GOOD, 0, 64), Reason.NOT_AN_IMAGE),
        (bytes(MAX_FRAME_BYTES + 1), Reason.TOO_MANY_BYTES),
    ],
)
def test_each_wrong_object_is_refused_with_its_reason(data, expected):
    assert reason(data) is expected


def test_the_type_of_a_wrong_file_is_named():
    assert decode(Jpeg(cv2.imencode(".png", gradient())[1].tobytes())).detail == "PNG"


def test_a_cmyk_jpeg_is_of_the_wrong_type():
    data = simplejpeg.encode_jpeg(np.zeros((8, 8, 4), np.uint8), colorspace="CMYK")
    assert reason(data) is Reason.WRONG_TYPE


@pytest.mark.parametrize("share", [0.35, 0.6, 0.9, 0.99])
def test_a_picture_cut_short_is_truncated_wherever_the_cut_lies(share):
    random = np.random.default_rng(3).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    data = jpeg_of(random)
    assert reason(data[: int(len(data) * share)]) is Reason.TRUNCATED


def test_a_picture_cut_short_and_closed_again_is_truncated():
    random = np.random.default_rng(3).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    data = jpeg_of(random)
    assert reason(data[: len(data) // 2] + b"\xff\xd9") is Reason.TRUNCATED


def test_a_missing_end_marker_is_truncated_and_bytes_after_it_do_no_harm():
    assert reason(GOOD[:-2]) is Reason.TRUNCATED
    assert isinstance(decode(Jpeg(GOOD + b"trailer of some camera")), Image)


def test_a_pixel_bomb_is_refused_before_any_pixel_is_decoded(monkeypatch):
    def never(*_):
        raise AssertionError("the decoder was asked")

    monkeypatch.setattr(decoding, "_decode_pixels", never)
    answer = decode(Jpeg(with_size(GOOD, 65500, 65500)))
    assert answer == Refused(Reason.TOO_MANY_PIXELS, "65500x65500, at most 24000000 pixels")


def test_a_strip_that_no_camera_writes_is_refused():
    assert reason(with_size(GOOD, 65500, 100)) is Reason.TOO_MANY_PIXELS


def test_a_file_of_endless_scans_is_refused_before_any_pixel_is_decoded(monkeypatch):
    monkeypatch.setattr(decoding, "_decode_pixels", lambda *_: pytest.fail("the decoder was asked"))
    progressive = cv2.imencode(".jpg", gradient(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    assert reason(progressive[:-2] + scan * 500 + b"\xff\xd9") is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("value", range(1, 9))
def test_exif_orientation_is_honoured_as_opencv_does(value, order):
    data = with_exif_orientation(GOOD, value, order)
    image = decode(Jpeg(data))
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert (image.height, image.width) == expected.shape[:2]
    assert np.array_equal(image.pixels, expected)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none_is_passed_over(value):
    header = read_header(with_exif_orientation(GOOD, value))
    assert isinstance(header, Header)
    assert header.orientation == 1


@given(st.binary(max_size=400))
@example(b"\xff\xd8\xff\xe1\x00\x08Exif\x00\x00")
@example(b"\xff\xd8" + b"\xff" * 300)
def test_any_bytes_give_an_answer(data):
    assert isinstance(decode(Jpeg(data)), Refused | Image)


@given(st.binary(max_size=200))
def test_any_bytes_after_a_jpegs_beginning_give_an_answer(tail):
    assert isinstance(decode(Jpeg(b"\xff\xd8" + tail)), Refused | Image)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=6))
def test_any_damage_to_a_jpeg_gives_an_answer(at, patch):
    assert isinstance(decode(Jpeg(GOOD[:at] + patch + GOOD[at + len(patch) :])), Refused | Image)


@given(st.integers(0, len(GOOD) - 1))
def test_no_true_beginning_of_a_jpeg_passes_as_a_picture(length):
    answer = decode(Jpeg(GOOD[:length]))
    assert isinstance(answer, Refused)
    assert answer.reason in (Reason.TRUNCATED, Reason.EMPTY)


@given(st.binary(max_size=120))
def test_any_exif_block_gives_an_answer(tiff):
    body = b"Exif\x00\x00" + tiff
    data = GOOD[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + GOOD[2:]
    assert isinstance(decode(Jpeg(data)), Image)


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_the_header_tells_the_size(width, height):
    header = read_header(with_size(GOOD, width, height))
    assert (header.width, header.height, header.components) == (width, height, 3)
