"""The agent: what is captured is counted to the last frame, whatever becomes of it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from proviso.cli.camera.agent import QUEUE_LENGTH, AgentOptions, Tally, run_agent
from proviso.cli.camera.sampler import Change, encoded
from proviso.cli.camera.sources import JPEG_START, FolderSource, Shot, SourceFault, Wait, open_source, without_password
from proviso.cli.camera.uploader import Delivered, UploadFault
from proviso.domain.frame import FrameKey

NOW = datetime(2026, 11, 22, 20, 0, 0, 123456, tzinfo=UTC)
PICTURE = JPEG_START + b"rest"


class Shots:
    """A source of given shots; a number is a wait before the next one, an exception is raised."""

    def __init__(self, *items: Shot | Exception | type[BaseException]) -> None:
        self.items = items

    def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
        for item in self.items:
            if not isinstance(item, Shot):
                raise item
            yield item


def jpeg(number: int = 0) -> Shot:
    return Shot(f"{number}.jpg", jpeg=PICTURE + bytes([number]))


def play(
    source: Shots | FolderSource,
    put: object = None,
    skip_unchanged: bool = False,
    delivered: list[Delivered] | None = None,
) -> tuple[Tally, dict[str, bytes]]:
    held: dict[str, bytes] = {}
    tally = run_agent(
        source,
        AgentOptions("hall-north", fps=1000.0, skip_unchanged=skip_unchanged, finish_s=5.0),
        put=put or held.__setitem__,  # type: ignore[arg-type]
        clock=lambda: NOW,
        random=lambda: 0.0,
        stop=threading.Event(),
        on_delivered=(delivered if delivered is not None else []).append,
    )
    return tally, held


def test_keys_carry_the_capture_time_in_milliseconds_and_a_sequence() -> None:
    tally, held = play(Shots(jpeg(1), jpeg(2)))
    assert (tally.captured, tally.uploaded, tally.waiting) == (2, 2, 0)
    assert list(held) == [
        "hall-north/2026-11-22/200000.123Z_000000.jpg",
        "hall-north/2026-11-22/200000.123Z_000001.jpg",
    ]
    assert all(isinstance(FrameKey.parse(key), FrameKey) for key in held)


def test_an_unreadable_picture_is_counted_and_the_next_one_follows() -> None:
    tally, held = play(Shots(jpeg(1), Shot("b.jpg", fault="is not a picture"), jpeg(2)))
    assert (tally.captured, tally.uploaded, tally.unreadable) == (2, 2, 1)
    assert tally.last_fault == "b.jpg is not a picture"
    assert len(held) == 2


def test_a_refused_upload_is_counted_as_failed() -> None:
    def refuse(key: str, data: bytes) -> None:
        raise UploadFault("AccessDenied", passing=False)

    seen: list[Delivered] = []
    tally, _ = play(Shots(jpeg(1), jpeg(2)), refuse, delivered=seen)
    assert (tally.captured, tally.failed, tally.uploaded, tally.waiting) == (2, 2, 0, 0)
    assert tally.last_fault == "AccessDenied"
    assert [each.fault for each in seen] == ["AccessDenied", "AccessDenied"]


def test_ctrl_c_ends_it_with_a_count() -> None:
    tally, _ = play(Shots(jpeg(1), jpeg(2), KeyboardInterrupt))
    assert (tally.captured, tally.uploaded, tally.waiting) == (2, 2, 0)


def test_a_source_that_breaks_off_says_so_after_what_it_gave_was_uploaded() -> None:
    held: dict[str, bytes] = {}
    with pytest.raises(SourceFault, match="gone"):
        play(Shots(jpeg(1), SourceFault("gone")), held.__setitem__)
    assert len(held) == 1


def test_when_uploads_cannot_keep_up_the_oldest_are_dropped_and_counted() -> None:
    filled = threading.Event()

    def put(key: str, data: bytes) -> None:
        assert filled.wait(10)

    class Burst(Shots):
        def shots(self, fps: float, wait: Wait, burst: int = 1) -> Iterator[Shot]:
            yield from super().shots(fps, wait, burst)
            filled.set()

    tally, _ = play(Burst(*[jpeg(n % 256) for n in range(QUEUE_LENGTH + 20)]), put)
    assert tally.captured == QUEUE_LENGTH + 20
    assert tally.dropped in (19, 20)  # one may be in the uploader's hands
    assert tally.uploaded + tally.dropped == tally.captured


def grey(value: int) -> Shot:
    return Shot("grey", pixels=np.full((720, 1280, 3), value, np.uint8))


def with_patch(value: int, side: int) -> Shot:
    shot = grey(value)
    shot.pixels[300 : 300 + side, 600 : 600 + side] = 255 - value
    return shot


def test_unchanged_frames_are_skipped_and_noise_is_no_change() -> None:
    noise = np.random.default_rng(1).integers(-6, 7, (720, 1280, 3))
    noisy = Shot("noisy", pixels=(grey(90).pixels.astype(np.int16) + noise).astype(np.uint8))
    tally, held = play(Shots(grey(90), grey(90), noisy, with_patch(90, 100)), skip_unchanged=True)
    assert (tally.captured, tally.unchanged, tally.uploaded) == (4, 2, 2)
    assert len(held) == 2


def test_a_small_face_is_a_change_and_slow_drift_becomes_one() -> None:
    change = Change()
    assert change.is_new(grey(90))
    assert change.is_new(with_patch(90, 60))
    assert change.is_new(grey(90))
    assert not change.is_new(grey(96))
    assert change.is_new(grey(104))  # compared with what was last sent, not with what was last seen


def test_what_is_a_jpeg_goes_out_as_it_came_and_pixels_are_encoded() -> None:
    assert encoded(jpeg(3), 10) == PICTURE + bytes([3])
    small, large = encoded(with_patch(90, 200), 20), encoded(with_patch(90, 200), 95)
    assert small is not None
    assert large is not None
    assert small.startswith(JPEG_START)
    assert len(small) < len(large)
    assert encoded(Shot("empty", pixels=np.zeros((0, 0, 3), np.uint8)), 80) is None


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://user:secret@camera/1") == "rtsp://camera/1"
    with pytest.raises(SourceFault) as raised:
        open_source("http://user:secret@camera/1")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("address", ["/dev/video99", "no-such-folder", "ftp://camera/1"])
def test_a_source_that_is_none_is_told_in_a_sentence(address: str) -> None:
    with pytest.raises(SourceFault):
        open_source(address)


def test_an_empty_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="holds no pictures"):
        play(FolderSource(tmp_path))
