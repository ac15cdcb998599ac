"""A burst is taken apart by its markers: whole or not at all, whatever the bytes look like."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proviso.domain.frame import MAX_FRAME_BYTES, Image, Jpeg
from proviso.domain.reasons import Reason, Refused
from proviso.vision.decoding import decode
from proviso.vision.motion_jpeg import one_whole, split


def picture(width=64, height=48, seed=1, progressive=False, restarts=0):
    import cv2

    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive), cv2.IMWRITE_JPEG_RST_INTERVAL, restarts]
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


def segment(marker, body):
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def with_segment(jpeg, marker, body):
    """A JPEG with one more segment right after its beginning."""
    return jpeg[:2] + segment(marker, body) + jpeg[2:]


ONE, TWO, THREE = picture(), picture(seed=2), picture(seed=3)
EXIF_TURNED = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def parts(*jpegs, most=5):
    found = split(Jpeg(b"".join(jpegs)), most)
    return [one.data for one in found] if isinstance(found, list) else found


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_a_burst_comes_apart_into_what_it_was_made_of(number):
    made = [picture(seed=n) for n in range(number)]
    assert parts(*made) == made


@pytest.mark.parametrize(
    "odd",
    [
        picture(progressive=True),
        picture(restarts=2),
        with_segment(ONE, 0xE1, b"Exif\0\0 with a thumbnail: " + TWO),
        with_segment(ONE, 0xFE, b"a comment with ends \xff\xd9 and beginnings \xff\xd8\xff\xe0"),
        with_segment(with_segment(ONE, 0xE0, b"\xff\xd9\xff\xd8" * 500), 0xED, b"\xff"),
        ONE[:2] + b"\xff" * 9 + ONE[2:],
        ONE[:-2] + b"\xff\xff\xff\xd9",
    ],
    ids=["progressive", "restart markers", "thumbnail", "comment", "application data", "fill", "fill at the end"],
)
def test_bytes_that_look_like_an_end_or_a_beginning_mislead_nobody(odd):
    assert parts(odd, TWO, odd) == [odd, TWO, odd]
    assert not isinstance(one_whole(odd), Refused)


@pytest.mark.parametrize(
    ("burst", "reason", "said"),
    [
        ([], Reason.EMPTY, ""),
        ([ONE], Reason.NOT_A_BURST, "one frame only"),
        ([ONE] * 6, Reason.TOO_MANY_FRAMES, "more than 5"),
        ([b"\0", ONE, TWO], Reason.NOT_A_BURST, "at the beginning"),
        ([b"--boundary\r\nContent-Type: image/jpeg\r\n\r\n", ONE, TWO], Reason.NOT_A_BURST, "at the beginning"),
        ([ONE, b"\0", TWO], Reason.NOT_A_BURST, "after frame 1"),
        ([ONE, TWO, b"\r\n"], Reason.NOT_A_BURST, "after frame 2"),
        ([ONE, TWO, b"\xff"], Reason.NOT_A_BURST, "after frame 2"),
        ([ONE, TWO, ONE[: len(ONE) // 2]], Reason.TRUNCATED, "frame 3"),
        ([ONE, TWO[:-1]], Reason.TRUNCATED, "frame 2"),
        ([ONE, TWO[:-2]], Reason.TRUNCATED, "frame 2"),
        ([ONE, TWO[:-2], THREE], Reason.NOT_AN_IMAGE, "frame 2 holds another one"),
        ([ONE, b"\xff\xd8"], Reason.TRUNCATED, "frame 2"),
        ([ONE, b"\xff\xd8\xff\xd9"], Reason.NOT_AN_IMAGE, "frame 2"),
        ([ONE, picture(48, 64)], Reason.NOT_A_BURST, "frame 2 is 48x64, the first 64x48"),
        ([ONE, TWO, picture(64, 40)], Reason.NOT_A_BURST, "frame 3 is 64x40"),
        ([ONE, with_segment(picture(48, 64), 0xE1, EXIF_TURNED)], Reason.NOT_A_BURST, "frame 2 lies another way"),
        ([ONE, ONE[:2] + b"\xff\xe0\0\1" + ONE[2:]], Reason.NOT_AN_IMAGE, "frame 2 has a segment without length"),
        ([ONE, ONE[:2] + b"rubbish" + ONE[2:]], Reason.NOT_AN_IMAGE, "frame 2 has no marker"),
        ([ONE, ONE[:2] + b"\xff\xfe\0\2" * 5000 + ONE[2:]], Reason.NOT_AN_IMAGE, "frame 2 has more than 4096 segments"),
        ([ONE, b"\x89PNG\r\n\x1a\n"], Reason.NOT_A_BURST, "after frame 1"),
        ([ONE, TWO, bytes(MAX_FRAME_BYTES)], Reason.TOO_MANY_BYTES, "at most"),
    ],
)
def test_what_is_no_burst_is_refused_by_name(burst, reason, said):
    refused = parts(*burst)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert said in refused.detail


def test_more_than_is_allowed_is_told_before_the_rest_is_looked_at():
    assert parts(ONE, TWO, THREE, b"rubbish", most=3) == Refused(
        Reason.NOT_A_BURST, "bytes that belong to no frame after frame 3"
    )
    assert parts(ONE, TWO, THREE[:10], most=2) == Refused(Reason.TOO_MANY_FRAMES, "more than 2")


def claims(width, height):
    """A JPEG whose header states another size than its data has."""
    at = ONE.index(b"\xff\xc0") + 5
    return ONE[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + ONE[at + 4 :]


@pytest.mark.parametrize(
    ("size", "number", "said"),
    [((6000, 5000), 2, "frame 1 is 6000x5000"), ((5000, 4000), 3, "3 times 5000x4000")],
)
def test_pixels_are_counted_before_one_is_decoded_for_each_and_for_all(size, number, said):
    refused = parts(*[claims(*size)] * number)
    assert refused.reason is Reason.TOO_MANY_PIXELS
    assert said in refused.detail


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_damage_makes_it_raise_and_what_is_taken_is_all_there_is(data):
    """Any change of the bytes: refused, or taken apart into pieces that put together are the same bytes again."""
    burst = bytearray(ONE + TWO + THREE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(burst) - 1))
        piece = data.draw(st.binary(max_size=3) | st.sampled_from([b"\xff\xd9", b"\xff\xd8", b"\xff\xda", b"\xff"]))
        burst[at : at + data.draw(st.integers(0, 3))] = piece
    found = split(Jpeg(bytes(burst)))
    if isinstance(found, Refused):
        return
    assert 2 <= len(found) <= 5
    assert b"".join(one.data for one in found) == bytes(burst)
    for one in found:
        decoded = decode(one)
        assert isinstance(decoded, Refused | Image)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(data):
    assert isinstance(split(Jpeg(data)), Refused)


@given(st.lists(st.binary(max_size=60), min_size=2, max_size=5), st.lists(st.sampled_from([0xE0, 0xE1, 0xED, 0xFE])))
def test_any_metadata_is_stepped_over(bodies, markers):
    made = []
    for number, body in enumerate(bodies):
        one = picture(seed=number % 3)
        for marker in [*markers[:3], 0xFE]:
            one = with_segment(one, marker, b"\xff\xd8\xff\xd9" + body)
        made.append(one)
    assert parts(*made) == made


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\x00", b"\xff\xd0", b"\xff\x01", b"\xff\xfe\x00\x02", b"\xff\xd8"])
def test_it_does_not_take_long_whatever_fills_it(filling):
    """At the largest size, with what costs most a byte: a call has half a minute."""
    data = (ONE[:-2] + filling * (MAX_FRAME_BYTES // len(filling)))[:MAX_FRAME_BYTES]
    began = time.perf_counter()
    assert isinstance(split(Jpeg(data)), Refused)
    assert time.perf_counter() - began < 5


def test_a_single_one_is_known_as_whole_or_not():
    header = one_whole(ONE)
    assert (header.width, header.height) == (64, 48)
    for odd in (b"", b"x", ONE[:-1], ONE + b"\0", ONE + TWO, ONE[:2]):
        assert isinstance(one_whole(odd), Refused)
