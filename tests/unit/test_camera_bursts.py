"""The agent's bursts: N frames within a second go as one upload, and what does not fit goes by itself."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.bursts import STEP_S, Taken, due_s, step_s, uploads
from proviso.cli.camera.grants import GrantedPut, Posted, Right, form
from proviso.cli.camera.sources import FolderSource, LiveSource, Shot, SourceFault, Wait
from proviso.cli.camera.uploader import UploadFault
from proviso.domain.frame import MAX_FRAME_BYTES, FrameKey, Jpeg
from proviso.vision.motion_jpeg import split

NOW = datetime(2026, 11, 22, 20, 0, 0, 123456, tzinfo=UTC)


def picture(width: int = 64, height: int = 48, grey: int = 90) -> bytes:
    import simplejpeg

    return simplejpeg.encode_jpeg(np.full((height, width, 3), grey, np.uint8), colorspace="BGR")


class Shots:
    """Given shots, each taken `apart_s` after the one before; an exception is raised."""

    def __init__(self, *items: Shot | Exception, apart_s: float = 0.1) -> None:
        self.items, self.apart_s, self.now, self.asked = items, apart_s, NOW, (0.0, 0)

    def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
        self.asked = (fps, burst)
        for number, item in enumerate(self.items):
            if not isinstance(item, Shot):
                raise item
            yield replace(item, burst=number // burst)
            self.now += timedelta(seconds=self.apart_s)


def shot(number: int, jpeg: bytes | None = None) -> Shot:
    return Shot(f"{number}.jpg", jpeg=jpeg or picture(grey=40 + number))


def play(source: Shots, burst: int = 3, **options: bool) -> tuple[Tally, dict[str, bytes], list[tuple[str, str]]]:
    held: dict[str, bytes] = {}
    named: list[tuple[str, str]] = []
    tally = run_agent(
        source,
        AgentOptions("hall-north", fps=1.0, finish_s=5.0, burst=burst, **options),
        put=held.__setitem__,
        clock=lambda: source.now,
        random=lambda: 0.0,
        stop=threading.Event(),
        on_captured=lambda key, name: named.append((str(key), name)),
    )
    return tally, held, named


def test_three_frames_are_one_upload_under_the_time_of_the_first() -> None:
    shots = [shot(n) for n in range(6)]
    tally, held, named = play(Shots(*shots))
    assert (tally.captured, tally.uploaded, tally.waiting) == (2, 2, 0)
    assert list(held) == [
        "hall-north/2026-11-22/200000.123Z_000000.mjpeg",
        "hall-north/2026-11-22/200000.423Z_000001.mjpeg",
    ]
    assert [name for _, name in named] == [f"{n}.jpg" for n in range(6)]
    for number, (key, data) in enumerate(held.items()):
        parsed = FrameKey.parse(key)
        assert isinstance(parsed, FrameKey)
        assert parsed.is_burst
        parts = split(Jpeg(data), 3)
        assert isinstance(parts, list)
        assert [part.data for part in parts] == [one.jpeg for one in shots[3 * number : 3 * number + 3]]


def test_what_is_left_at_the_end_is_a_shorter_burst_or_a_frame() -> None:
    assert [key[-8:] for key in play(Shots(*map(shot, range(5))))[1]] == ["00.mjpeg", "01.mjpeg"]
    assert [key[-8:] for key in play(Shots(*map(shot, range(4))))[1]] == ["00.mjpeg", "0001.jpg"]


def test_a_burst_that_was_begun_is_uploaded_when_the_source_breaks_off() -> None:
    source = Shots(shot(1), shot(2), SourceFault("gone"))
    held: dict[str, bytes] = {}
    with pytest.raises(SourceFault, match="gone"):
        run_agent(
            source,
            AgentOptions("hall-north", fps=1.0, burst=3),
            put=held.__setitem__,
            clock=lambda: source.now,
            random=lambda: 0.0,
            stop=threading.Event(),
        )
    assert [key[-5:] for key in held] == ["mjpeg"]


def test_no_burst_reaches_over_more_than_a_second() -> None:
    """A source that hands out slowly: the agent's own clock says what belongs together."""
    _, held, _ = play(Shots(*map(shot, range(5)), apart_s=0.4), burst=5)
    assert [(key[-12:-6], key.rsplit(".")[-1]) for key in held] == [("000000", "mjpeg"), ("000001", "mjpeg")]
    first = split(Jpeg(next(iter(held.values()))), 5)
    assert isinstance(first, list)
    assert len(first) == 3  # at 0, 0.4 and 0.8 s


def test_a_picture_that_cannot_be_read_does_not_take_the_others_along() -> None:
    tally, held, _ = play(Shots(shot(1), Shot("b.jpg", fault="is not a picture"), shot(3)))
    assert (tally.captured, tally.uploaded, tally.unreadable) == (1, 1, 1)
    assert len(held) == 1


def test_what_is_no_whole_jpeg_or_of_another_size_goes_by_itself() -> None:
    """Or the burst would be refused for it."""
    broken, wide = picture()[:-20], picture(80, 48)
    _, held, _ = play(Shots(shot(1), shot(2), shot(3, broken), shot(4), shot(5, wide)), burst=5)
    assert [key.rsplit(".")[-1] for key in held] == ["mjpeg", "jpg", "jpg", "jpg"]
    assert list(held.values())[1] == broken
    assert list(held.values())[3] == wide


def test_an_unchanged_burst_is_left_out_and_a_changed_frame_keeps_it() -> None:
    same = [Shot("a", pixels=np.full((48, 64, 3), 90, np.uint8)) for _ in range(7)]
    other = Shot("b", pixels=np.full((48, 64, 3), 200, np.uint8))
    tally, held, _ = play(Shots(*same[:6], *same[:2], other), skip_unchanged=True)
    assert (tally.captured, tally.unchanged, tally.uploaded) == (3, 1, 2)
    assert len(held) == 2


def test_more_than_an_upload_may_hold_is_more_than_one_upload() -> None:
    padded = picture()[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 50 + picture()[2:]  # 3.3 MB
    taken = [Taken(str(n), NOW, padded) for n in range(3)]
    made = list(uploads(taken))
    assert [(one.kind, one.names) for one in made] == [("mjpeg", ("0", "1")), ("jpg", ("2",))]
    assert all(len(one.data) <= MAX_FRAME_BYTES for one in made)


def test_frames_of_a_burst_are_a_tenth_of_a_second_apart_or_as_far_as_there_is_time() -> None:
    assert [round(due_s(n, 1.0, 3), 3) for n in range(7)] == [0, 0.1, 0.2, 1, 1.1, 1.2, 2]
    assert [due_s(n, 2.0, 1) for n in range(3)] == [0, 0.5, 1]
    assert step_s(1.0, 5) == STEP_S
    assert step_s(10.0, 5) == pytest.approx(0.02)
    assert 4 * step_s(0.01, 5) <= 1.0


def test_a_folder_waits_between_bursts_and_a_little_within(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(picture())
    waits: list[float] = []
    shots = list(FolderSource(tmp_path).shots(1.0, lambda seconds: bool(waits.append(seconds)), 2))
    assert [one.burst for one in shots] == [0, 0, 1, 1, 2]
    assert waits == pytest.approx([0.1, 0.9, 0.1, 0.9])


class Capture:
    """A device of 50 pictures a second that loses its line once."""

    def __init__(self, ticks: list[float], lost_at: int | None = None) -> None:
        self.ticks, self.lost_at, self.number = ticks, lost_at, 0

    def grab(self) -> bool:
        self.number += 1
        self.ticks[0] += 0.02
        return self.number != self.lost_at

    def retrieve(self) -> tuple[bool, float]:
        return True, self.ticks[0]

    def release(self) -> None:
        pass


@pytest.mark.parametrize(("fps", "burst", "lost_at"), [(1.0, 3, None), (2.0, 5, None), (4.0, 1, None), (1.0, 5, 13)])
def test_a_live_source_takes_its_bursts_together(
    monkeypatch: pytest.MonkeyPatch, fps: float, burst: int, lost_at: int | None
) -> None:
    ticks = [0.0]
    captures = [Capture(ticks, lost_at), Capture(ticks)]
    source = LiveSource(0, lambda: ticks[0])
    monkeypatch.setattr(source, "_open", lambda: captures.pop(0))
    groups: dict[int, list[float]] = {}
    for one in source.shots(fps, lambda seconds: ticks[0] > 5.0, burst):
        groups.setdefault(one.burst, []).append(one.pixels)
    whole = list(groups.values())[:-1]
    assert len(whole) >= 4 * fps - 1
    for taken in whole[1 if lost_at else 0 :]:
        assert len(taken) == burst
        assert taken[-1] - taken[0] <= (burst - 1) * (step_s(fps, burst) + 0.02) + 1e-9
    starts = [taken[0] for taken in whole]
    assert all(later - earlier >= 1 / fps - 0.03 for earlier, later in pairwise(starts[1:]))


# --- the grant --------------------------------------------------------------------------------------------------------


def put(right: Right, posted: list[dict[str, str]]) -> GrantedPut:
    def post(url: str, fields: dict[str, str], key: str, jpeg: bytes) -> Posted:
        posted.append(dict(fields))
        return Posted(204)

    return GrantedPut(lambda: right, post, lambda: NOW)  # type: ignore[arg-type]


def test_each_kind_of_upload_goes_under_its_own_form() -> None:
    posted: list[dict[str, str]] = []
    one = put(Right("http://b", {"f": "single"}, NOW + timedelta(minutes=9), 3, {"f": "burst"}), posted)
    one("hall/2026-11-22/200000.000Z_000000.jpg", b"x")
    one("hall/2026-11-22/200000.000Z_000001.mjpeg", b"x")
    assert posted == [{"f": "single"}, {"f": "burst"}]


def test_a_burst_where_none_is_allowed_is_told_and_not_tried_again() -> None:
    posted: list[dict[str, str]] = []
    with pytest.raises(UploadFault, match="single frames only") as raised:
        put(Right("http://b", {}, NOW + timedelta(minutes=9)), posted)("hall/x.mjpeg", b"x")
    assert (raised.value.passing, posted) == (False, [])


def test_the_form_names_the_type_that_was_signed() -> None:
    assert b"Content-Type: video/x-motion-jpeg\r\n\r\nfile" in form(
        {"Content-Type": "video/x-motion-jpeg"}, "k", b"file", "m"
    )


@pytest.mark.parametrize(("allowed", "said"), [(1, "takes single frames, not of 3"), (2, "bursts of 2 frames at most")])
def test_a_longer_burst_than_was_authorised_is_told_before_anything_is_sampled(allowed: int, said: str) -> None:
    from proviso.cli.api import ApiFault
    from proviso.cli.upload import _first_right

    right = put(Right("http://b", {}, NOW + timedelta(minutes=9), allowed), [])
    with pytest.raises(ApiFault, match=f"use --burst {allowed}") as raised:
        _first_right(right, 3)
    assert said in str(raised.value)
    _first_right(right, allowed)
