"""The demonstration's cameras: pictures in folders, uploaded by the real camera agent, and two objects put by hand.

What no agent sends (a wrong name, another kind of file) is put directly, as a wrongly set up device would.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.sources import FolderSource
from proviso.cli.camera.uploader import Put, s3_put
from proviso.cli.demo.scene import BAD_KEY, NORTH, SOUTH, WRONG_TYPE, Scene, Studio, late_scene, outside_scene, scenes
from proviso.domain.frame import FrameKey


@dataclass(frozen=True, slots=True)
class Sent:
    """One uploaded object: its key, what it shows, what must become of it, and where a copy lies for people to see."""

    key: str
    name: str
    camera: str
    expected: str
    file: Path | None = None


def film(folder: Path, studio: Studio, drawn: Sequence[Scene]) -> dict[str, Scene]:
    """Write each scene into its camera's folder; the scenes by file name."""
    for scene in drawn:
        target = folder / scene.camera / scene.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(studio.jpeg(scene))
    return {scene.file_name: scene for scene in drawn}


@dataclass(frozen=True, slots=True)
class Cameras:
    """Uploads to one bucket. `clock` is the right time; a camera may have another."""

    client: Any
    bucket: str
    folder: Path
    studio: Studio
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def put(self) -> Put:
        return s3_put(self.client, self.bucket)

    def run_all(self, smallest_face_px: int, age_limit_s: float, tell: Callable[[str], None]) -> list[Sent]:
        """Both cameras of the deployment at once, then what does not belong. In the order of their keys."""
        inside = scenes(smallest_face_px)
        film(self.folder, self.studio, inside)
        found: dict[str, list[Sent]] = {}
        threads = [
            threading.Thread(target=lambda c=camera: found.update({c: self.run(c, inside, age_limit_s)}), daemon=True)
            for camera in (NORTH, SOUTH)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tell("a camera outside the deployment, a slow clock, wrong names")
        outside, late = outside_scene(), replace(late_scene(), camera=NORTH)
        apart = [*self.run(outside.camera, (outside,), age_limit_s)]
        apart += self.run(NORTH, (late,), age_limit_s, slow_s=age_limit_s + 30, folder=self.folder / "slow-clock")
        return sorted([*found.get(NORTH, []), *found.get(SOUTH, []), *apart, *self.strangers()], key=lambda s: s.name)

    def run(
        self,
        camera: str,
        drawn: Sequence[Scene],
        age_limit_s: float,
        *,
        slow_s: float = 0.0,
        fps: float = 4.0,
        folder: Path | None = None,
    ) -> list[Sent]:
        """One camera through the real agent; its clock is `slow_s` seconds behind."""
        place = folder or self.folder
        by_file = film(place, self.studio, [scene for scene in drawn if scene.camera == camera])
        sent: list[Sent] = []

        def captured(key: FrameKey, name: str) -> None:
            scene = by_file[name]
            sent.append(Sent(str(key), scene.name, camera, scene.expected, place / camera / name))

        tally: Tally = run_agent(
            FolderSource(place / camera),
            AgentOptions(camera, fps, age_limit_s=age_limit_s),
            put=self.put,
            clock=lambda: self.clock() - timedelta(seconds=slow_s),
            random=random.random,
            stop=threading.Event(),
            on_captured=captured,
        )
        if tally.uploaded != len(sent):
            raise UploadsMissing(f"{camera}: {tally.uploaded} of {len(sent)} frames were uploaded: {tally.last_fault}")
        return sent

    def strangers(self) -> list[Sent]:
        """An object whose name is none, and one of another kind."""
        import cv2

        now = self.clock().replace(microsecond=0)
        _, png = cv2.imencode(".png", self.studio.pixels(outside_scene())[::4, ::4])
        wrong_name, wrong_kind = f"{NORTH}/holiday.jpg", str(FrameKey(SOUTH, now, 999, "png"))
        self.put(wrong_name, self.studio.jpeg(scenes(60)[0]))
        self.put(wrong_kind, png.tobytes())
        return [
            Sent(wrong_name, "x3-wrong-name", NORTH, BAD_KEY),
            Sent(wrong_kind, "x4-wrong-kind", SOUTH, WRONG_TYPE),
        ]


class UploadsMissing(Exception):
    """The camera agent could not upload all its frames."""
