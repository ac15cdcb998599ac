"""A permit says everything exactly, or nothing at all (S01, S36)."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.errors import PermitUnreadable
from proviso.domain.frame import FrameKey
from proviso.domain.permit import Permit
from proviso.domain.reasons import Reason
from tests.samples import CAMERA, END, NOW, START, permit

BODY = json.loads(permit().to_json())


def test_it_comes_back_as_it_was_written():
    assert Permit.from_json(permit().to_json()) == permit()
    assert Permit.from_json(permit().to_json().encode()) == permit()


def without(name):
    return json.dumps({key: value for key, value in BODY.items() if key != name})


DAMAGED = {
    **{f"without {name}": without(name) for name in BODY if name != "burst_frames"},
    **{f"{name} null": json.dumps({**BODY, name: None}) for name in BODY},
    **{f"{name} a list": json.dumps({**BODY, name: []}) for name in BODY},
    **{f"{name} empty": json.dumps({**BODY, name: ""}) for name in BODY},
    **{f"{name} a truth": json.dumps({**BODY, name: True}) for name in BODY},
    **{
        f"{name} {odd}": json.dumps({**BODY, name: odd})
        for name in ("frame_age_limit_s", "clock_skew_s", "burst_frames")
        for odd in (float("inf"), float("-inf"), float("nan"), -1, 1.5, "60", 10**400)
    },
    "no frame": json.dumps({**BODY, "burst_frames": 0}),
    "six frames": json.dumps({**BODY, "burst_frames": 6}),
    "limit zero": json.dumps({**BODY, "frame_age_limit_s": 0}),
    "another version": json.dumps({**BODY, "version": 2}),
    "version as text": json.dumps({**BODY, "version": "1"}),
    "ends before it starts": json.dumps({**BODY, "ends_at": BODY["starts_at"]}),
    "time without zone": json.dumps({**BODY, "starts_at": "2026-11-22T20:00:00"}),
    "time that is none": json.dumps({**BODY, "starts_at": "soon"}),
    "time out of range": json.dumps({**BODY, "ends_at": "9999-12-31T23:59:59-23:59"}),
    "empty": "",
    "cut off": permit().to_json()[:-20],
    "not an object": "[1]",
    "a string": '"permit"',
    "null": "null",
    "not UTF-8": b"\xff\xfe\x00",
    "deep": "[" * 200_000,
}


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
def test_every_damaged_body_is_unreadable(body):
    with pytest.raises(PermitUnreadable):
        Permit.from_json(body)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise_is_unreadable(body):
    with pytest.raises(PermitUnreadable):
        Permit.from_json(body)


@given(st.data())
def test_one_changed_byte_is_unreadable_or_another_permit(data):
    """A damaged permit never stops the reader with anything but PermitUnreadable."""
    body = bytearray(permit().to_json().encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    try:
        read = Permit.from_json(bytes(body))
    except PermitUnreadable:
        return
    assert isinstance(read, Permit)


def test_a_permit_from_before_bursts_allows_single_frames_only():
    assert Permit.from_json(without("burst_frames")).burst_frames == 1
    assert Permit.from_json(permit(burst_frames=5).to_json()) == permit(burst_frames=5)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_burst_needs_a_permit_for_more_than_one_frame(most):
    allowed = permit(burst_frames=most)
    refused = allowed.check(FrameKey(CAMERA, NOW, 1, "mjpeg"), NOW)
    assert (refused.reason if refused else None) is (Reason.TOO_MANY_FRAMES if most == 1 else None)
    assert allowed.check(FrameKey(CAMERA, NOW, 1), NOW) is None
    assert allowed.check(FrameKey(CAMERA, NOW, 1, "mjpeg"), END).reason is Reason.OUTSIDE_WINDOW


ms = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("captured_at", "now", "reason"),
    [
        (NOW, NOW, None),
        (START, START, None),
        (START - ms, START, Reason.OUTSIDE_WINDOW),
        (START - ms, START - ms, Reason.OUTSIDE_WINDOW),
        (START, START - ms, Reason.OUTSIDE_WINDOW),
        (END - ms, END - ms, None),
        (END - ms, END, Reason.OUTSIDE_WINDOW),
        (END, END - ms, Reason.OUTSIDE_WINDOW),
        (NOW, NOW + timedelta(seconds=60), None),
        (NOW, NOW + timedelta(seconds=60) + ms, Reason.STALE),
        (NOW + timedelta(seconds=5), NOW, None),
        (NOW + timedelta(seconds=5) + ms, NOW, Reason.CLOCK_SKEW),
        (END + timedelta(days=1), NOW, Reason.CLOCK_SKEW),
    ],
)
def test_its_limits_to_the_millisecond(captured_at, now, reason):
    refused = permit().check(FrameKey(CAMERA, captured_at, 1), now)
    assert (refused.reason if refused else None) is reason


def test_another_camera_is_refused_whatever_the_time():
    assert permit().check(FrameKey("gate-2", NOW, 1), NOW).reason is Reason.CAMERA_NOT_LISTED
