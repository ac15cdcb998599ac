"""A frame's name is read exactly or not at all; pixels show themselves nowhere."""

import copy
import json
import logging
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proviso.domain.face import Template
from proviso.domain.frame import CAMERA_PATTERN, FrameKey, Image, Jpeg
from proviso.domain.reasons import Reason, Refused
from tests.samples import axis

cameras = st.from_regex(rf"\A{CAMERA_PATTERN}\Z")
moments = st.integers(0, 4_000_000_000_000).map(
    lambda ms: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
KEY = "gate-1/2026-11-22/201530.250Z_000001.jpg"


@given(cameras, moments, st.integers(0, 999_999_999), st.sampled_from(["jpg", "mjpeg"]))
def test_a_key_comes_back_as_it_was_written(camera, captured_at, sequence, kind):
    key = FrameKey(camera, captured_at, sequence, kind)
    assert FrameKey.parse(str(key)) == key
    assert FrameKey.parse(str(key)).is_burst is (kind == "mjpeg")


@given(moments)
def test_a_key_is_written_in_utc(moment):
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert str(FrameKey("gate-1", elsewhere, 1)) == str(FrameKey("gate-1", moment, 1))


@given(st.text() | st.from_regex(r"[a-z0-9/._Z-]{5,60}"))
@example(KEY + "\n")
@example("gate-1/\uff12\uff10\uff12\uff16-11-22/201530.250Z_000001.jpg")
@example("gate-1/2026-11-22/201530.250Z_\u0660\u0660\u0660\u0660\u0660\u0661.jpg")
@example("../permits/gate-1/2026-11-22/201530.250Z_000001.jpg")
def test_what_is_read_is_exactly_what_would_be_written(text):
    """Nothing is guessed: a key is taken only if it is the very name that this frame has."""
    parsed = FrameKey.parse(text)
    assert isinstance(parsed, Refused) or str(parsed) == text


@pytest.mark.parametrize(
    "key",
    [
        "",
        "holiday.jpg",
        "gate-1/holiday.jpg",
        "gate-1/2026-11-22/201530.250Z_000001",
        "gate-1/2026-11-22/201530.250_000001.jpg",
        "gate-1/2026-11-22/201530Z_000001.jpg",
        "gate-1/2026-02-30/201530.250Z_000001.jpg",
        "gate-1/2026-11-22/246060.250Z_000001.jpg",
        "gate-1/0000-11-22/201530.250Z_000001.jpg",
        "gate-1/2026-11-22/201530.250Z_1.jpg",
        "-gate/2026-11-22/201530.250Z_000001.jpg",
        "Gate-1/2026-11-22/201530.250Z_000001.jpg",
        "gate 1/2026-11-22/201530.250Z_000001.jpg",
        "x/gate-1/2026-11-22/201530.250Z_000001.jpg",
        f"{'a' * 64}/2026-11-22/201530.250Z_000001.jpg",
        KEY + "\n",
        "\n" + KEY,
    ],
)
def test_every_other_name_is_refused(key):
    refused = FrameKey.parse(key)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.BAD_KEY


def test_another_kind_of_file_is_named_as_such():
    assert FrameKey.parse(KEY.replace(".jpg", ".png")) == Refused(Reason.WRONG_TYPE, "png")


def test_a_refused_name_is_quoted_only_so_far():
    assert len(FrameKey.parse("x" * 5000).detail) <= 200


SECRET = b"SECRETPIXELS"


def private_things():
    return [Jpeg(SECRET), Image(SECRET, 4, 1), Template(b"\x00\x00\x80\x3f" * 4, 4, "p" * 64), axis(3)]


@pytest.mark.parametrize("thing", private_things(), ids=lambda thing: type(thing).__name__)
def test_private_things_show_nothing(thing, caplog):
    shown = [repr(thing), str(thing), f"{thing}", f"{thing!r:>40}", repr([thing]), repr({"x": (thing,)}), "%s" % thing]  # noqa: UP031
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").warning("%s %r", thing, thing, extra={"thing": thing})
    shown.append(caplog.text)
    for text in shown:
        assert "SECRET" not in text
        assert "1.0" not in text
        assert "\\x80" not in text
        assert not re.search(r"0\.\d", text)


@pytest.mark.parametrize("thing", private_things(), ids=lambda thing: type(thing).__name__)
@pytest.mark.parametrize(
    "way",
    [
        *(lambda thing, n=n: pickle.dumps(thing, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)),
        lambda thing: pickle.dumps({"inside": [thing]}),
        copy.copy,
        copy.deepcopy,
        json.dumps,
        lambda thing: json.dumps({"inside": [thing]}),
        vars,
        list,
        bytes,
    ],
)
def test_private_things_are_not_serialised(thing, way):
    with pytest.raises(TypeError) as refusal:
        way(thing)
    assert "SECRET" not in str(refusal.value)
