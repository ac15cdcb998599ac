"""The demonstration's cameras: pictures in folders, uploaded by the real camera agent under grants, and three objects
put by hand.

What no agent could upload (a wrong kind of file, a frame without a grant) is put into the bucket directly, so that one
sees what becomes of it there.
"""

import random
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proviso.cli.api import Api
from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.grants import GrantedPut, ask_api, post_form
from proviso.cli.camera.sources import FolderSource
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


@dataclass(slots=True)
class Cameras:
    """The cameras, each with its key. `api` is as the HTTP API knows a camera that shows a key; `client` puts what no
    agent sends. `clock` is the right time; a camera may have another."""

    api: Callable[[str], Api]
    keys: Mapping[str, str]
    client: Any
    bucket: str
    folder: Path
    studio: Studio
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _puts: dict[str, GrantedPut] = field(default_factory=dict)

    def put(self, camera: str) -> GrantedPut:
        """That camera's uploads, by a grant that it keeps and renews."""
        if camera not in self._puts:
            ask = ask_api(self.api(self.keys[camera]), camera)
            self._puts[camera] = GrantedPut(ask, post_form(lambda: secrets.token_hex(16)), self.clock)
        return self._puts[camera]

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
        tell("a slow clock, wrong names, a device that needs no grant")
        late = replace(late_scene(), camera=NORTH)
        apart = self.run(NORTH, (late,), age_limit_s, slow_s=age_limit_s + 30, folder=self.folder / "slow-clock")
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
            put=self.put(camera),
            clock=lambda: self.clock() - timedelta(seconds=slow_s),
            random=random.random,
            stop=threading.Event(),
            on_captured=captured,
        )
        if tally.uploaded != len(sent):
            raise UploadsMissing(f"{camera}: {tally.uploaded} of {len(sent)} frames were uploaded: {tally.last_fault}")
        return sent

    def refused_outside(self) -> str:
        """A registered camera that no deployment lists tries through its agent: why it got no grant. "" when it did."""
        outside = outside_scene()
        try:
            self.run(outside.camera, (outside,), age_limit_s=1.0)
        except UploadsMissing as missing:
            return str(missing)
        return ""

    def strangers(self) -> list[Sent]:
        """As a device might that found another way into the bucket: a frame of a camera without a permit, an object
        whose name is none, and one of another kind."""
        import cv2

        now = self.clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        outside = outside_scene()
        copy = self.folder / outside.camera / outside.file_name
        film(self.folder, self.studio, [outside])
        _, png = cv2.imencode(".png", self.studio.pixels(outside)[::4, ::4])
        foreign, wrong_name = str(FrameKey(outside.camera, now, 0)), f"{NORTH}/holiday.jpg"
        wrong_kind = str(FrameKey(SOUTH, now, 999, "png"))
        self._past_the_grant(foreign, copy.read_bytes())
        self._past_the_grant(wrong_name, self.studio.jpeg(scenes(60)[0]))
        self._past_the_grant(wrong_kind, png.tobytes())
        return [
            Sent(foreign, outside.name, outside.camera, outside.expected, copy),
            Sent(wrong_name, "x3-wrong-name", NORTH, BAD_KEY),
            Sent(wrong_kind, "x4-wrong-kind", SOUTH, WRONG_TYPE),
        ]

    def _past_the_grant(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="image/jpeg")


class UploadsMissing(Exception):
    """A camera agent could not upload all its frames."""
