"""Real sources: folders of pictures, a video file, an RTSP address that nobody serves, and a real HTTP S3 endpoint."""

import random
import threading
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.sources import JPEG_START, LiveSource, Shot, SourceFault, VideoSource, open_source

pytestmark = pytest.mark.integration


class Ticks:
    """Monotonic seconds that move only with waiting, so that playing a video takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def tick(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds at 20 frames a second, each frame of its own grey."""
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (320, 240))
    if not writer.isOpened():
        pytest.skip("this build of OpenCV cannot write MJPG")
    for number in range(40):
        writer.write(np.full((240, 320, 3), 6 * number, np.uint8))
    writer.release()
    return path


def greys(shots: list[Shot]) -> list[int]:
    return [round(float(shot.pixels.mean()) / 6) for shot in shots]


@pytest.mark.parametrize(("fps", "expected"), [(2.0, [0, 10, 20, 30]), (5.0, list(range(0, 40, 4)))])
def test_a_video_is_sampled_at_its_own_speed(video: Path, fps: float, expected: list[int]) -> None:
    time = Ticks()
    shots = list(VideoSource(video, time.tick).shots(fps, time.wait))
    assert greys(shots) == pytest.approx(expected, abs=1)
    assert time.now == pytest.approx(expected[-1] / 20.0, abs=0.06)


def test_bursts_of_a_video_are_frames_a_tenth_of_a_second_apart(video: Path) -> None:
    time = Ticks()
    shots = list(VideoSource(video, time.tick).shots(1.0, time.wait, 3))
    assert greys(shots) == pytest.approx([0, 2, 4, 20, 22, 24], abs=1)
    assert [one.burst for one in shots] == [0, 0, 0, 1, 1, 1]


def test_sampling_faster_than_the_video_gives_each_frame_once(video: Path) -> None:
    time = Ticks()
    assert len(list(VideoSource(video, time.tick).shots(100.0, time.wait))) == 40


def test_a_video_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"this is no video" * 100)
    with pytest.raises(SourceFault, match=r"broken\.mp4"):
        list(open_source(str(path)).shots(1.0, lambda seconds: False))


def test_an_rtsp_address_that_does_not_answer_is_told_without_its_password() -> None:
    source = open_source("rtsp://viewer:secret@127.0.0.1:1/stream")
    assert isinstance(source, LiveSource)
    with pytest.raises(SourceFault) as raised:
        list(source.shots(1.0, lambda seconds: False))
    assert "rtsp://127.0.0.1:1/stream" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_device_that_is_not_there_is_told_in_a_sentence() -> None:
    if Path("/dev/video77").exists():
        pytest.skip("this machine has a device 77")
    with pytest.raises(SourceFault, match="device 77"):
        list(open_source("77").shots(1.0, lambda seconds: False))


def run(folder: Path, put: dict[str, bytes]) -> Tally:
    return run_agent(
        open_source(str(folder)),
        AgentOptions("hall-north", fps=200.0),
        put=put.__setitem__,
        clock=lambda: datetime.now(UTC),
        random=random.random,
        stop=threading.Event(),
    )


def test_a_folder_is_uploaded_in_the_order_of_names_and_bad_files_are_counted(tmp_path: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", picture)
    whole = jpeg.tobytes()
    (tmp_path / "1-whole.jpg").write_bytes(whole)
    (tmp_path / "2-truncated.JPG").write_bytes(whole[:200])
    cv2.imwrite(str(tmp_path / "3-other-kind.png"), picture)
    (tmp_path / "4-text.jpg").write_text("not a picture")
    (tmp_path / "5-empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("ignored")
    (tmp_path / "6-folder.jpg").mkdir()

    held: dict[str, bytes] = {}
    tally = run(tmp_path, held)

    assert (tally.captured, tally.uploaded, tally.unreadable) == (3, 3, 2)
    sent = list(held.values())
    assert sent[0] == whole  # as it came, not encoded again
    assert sent[1] == whole[:200]  # what a camera sends is judged behind the upload
    assert sent[2].startswith(JPEG_START)
    assert cv2.imdecode(np.frombuffer(sent[2], np.uint8), cv2.IMREAD_COLOR).shape == picture.shape


def test_a_file_that_may_not_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "there.jpg").write_bytes(JPEG_START + b"x")
    held: dict[str, bytes] = {}
    tally = run(tmp_path, held)
    assert (tally.captured, tally.uploaded) == (1, 1)
