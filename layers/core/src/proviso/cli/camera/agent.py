"""The agent itself: one thread samples, another uploads, and what is captured is not held up by what is tried again.

Between them stands a short queue. When it is full the oldest frame is dropped: the newest is worth the most.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from proviso.cli.camera.bursts import Taken, uploads
from proviso.cli.camera.sampler import Change, encoded
from proviso.cli.camera.sources import Shot, Source, Wait
from proviso.cli.camera.uploader import Delivered, Delivery, Put, deliver
from proviso.domain.burst import LONGEST_BURST_S
from proviso.domain.frame import FrameKey

QUEUE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How one camera is sampled: `fps` uploads a second, of `burst` frames each. `age_limit_s` is that of the
    deployment's policy."""

    camera: str
    fps: float
    skip_unchanged: bool = False
    quality: int = 85
    age_limit_s: float = 60.0
    finish_s: float = 10.0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Tally:
    """In uploads, of one frame or a burst: captured = unchanged + uploaded + dropped + failed + waiting. Unreadable
    pictures never became frames."""

    captured: int = 0
    unchanged: int = 0
    uploaded: int = 0
    dropped: int = 0
    failed: int = 0
    unreadable: int = 0
    waiting: int = 0
    last_fault: str = ""


class _Line:
    """The queue between the two threads, and the count, under one lock."""

    def __init__(self, watch: Callable[[Tally], None], on_delivered: Callable[[Delivered], None]) -> None:
        self._items: deque[tuple[FrameKey, bytes]] = deque()
        self._condition = threading.Condition()
        self._tally = Tally()
        self._closed = False
        self._watch = watch
        self._on_delivered = on_delivered

    @property
    def tally(self) -> Tally:
        with self._condition:
            return self._tally

    def count(self, **changes: int | str) -> None:
        """Add to the counters, or set `last_fault`."""
        with self._condition:
            self._add(changes)
            tally = self._tally
        self._watch(tally)

    def _add(self, changes: dict[str, int | str]) -> None:
        values = {
            name: change if isinstance(change, str) else getattr(self._tally, name) + change
            for name, change in changes.items()
        }
        self._tally = replace(self._tally, **values)  # type: ignore[arg-type]

    def append(self, key: FrameKey, jpeg: bytes) -> None:
        with self._condition:
            if len(self._items) >= QUEUE_LENGTH:
                oldest, _ = self._items.popleft()
                self._add({"dropped": 1, "waiting": -1, "last_fault": f"{oldest}: the uploads cannot keep up"})
            self._items.append((key, jpeg))
            self._add({"captured": 1, "waiting": 1})
            self._condition.notify()
            tally = self._tally
        self._watch(tally)

    def take(self) -> tuple[FrameKey, bytes] | None:
        """The next frame, or None once the line is closed and empty."""
        with self._condition:
            while not self._items and not self._closed:
                self._condition.wait()
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def abandon(self) -> None:
        """Drop what waits."""
        with self._condition:
            left = len(self._items)
            self._items.clear()
            self._add({"dropped": left, "waiting": -left})

    def settle(self, delivered: Delivered) -> None:
        changes: dict[str, int | str] = {delivered.delivery.value: 1, "waiting": -1}
        if delivered.delivery is not Delivery.UPLOADED:
            changes["last_fault"] = delivered.fault
        self.count(**changes)
        self._on_delivered(delivered)


def run_agent(
    source: Source,
    options: AgentOptions,
    *,
    put: Put,
    clock: Callable[[], datetime],
    random: Callable[[], float],
    stop: threading.Event,
    wait: Wait | None = None,
    watch: Callable[[Tally], None] = lambda tally: None,
    on_delivered: Callable[[Delivered], None] = lambda delivered: None,
    on_captured: Callable[[FrameKey, str], None] = lambda key, name: None,
) -> Tally:
    """Sample, upload, count, until the source ends, `stop` is set or Ctrl-C. SourceFault when it cannot be opened.

    `on_captured` tells the key under which the picture of that name goes; `on_delivered` what became of each.
    """
    pause = wait or stop.wait
    line = _Line(watch, on_delivered)
    given_up = threading.Event()

    def upload() -> None:
        while (item := line.take()) is not None:
            key, jpeg = item
            line.settle(
                deliver(
                    key,
                    jpeg,
                    put=put,
                    age_limit_s=options.age_limit_s,
                    clock=clock,
                    wait=wait or given_up.wait,
                    random=random,
                )
            )

    uploader = threading.Thread(target=upload, name=f"upload-{options.camera}", daemon=True)
    uploader.start()
    try:
        _sample(source, options, line, clock, pause, on_captured)
    except KeyboardInterrupt:
        stop.set()
    finally:
        line.close()
        _finish(uploader, stop, options)
        if uploader.is_alive():
            line.abandon()
            given_up.set()
            uploader.join(options.finish_s)
    return line.tally


def _finish(uploader: threading.Thread, stop: threading.Event, options: AgentOptions) -> None:
    """Let what waits be uploaded: all of it when the source ended, a moment's worth after Ctrl-C."""
    try:
        uploader.join(options.finish_s if stop.is_set() else options.age_limit_s + options.finish_s)
    except KeyboardInterrupt:
        stop.set()


def _sample(
    source: Source,
    options: AgentOptions,
    line: _Line,
    clock: Callable[[], datetime],
    wait: Wait,
    on_captured: Callable[[FrameKey, str], None],
) -> None:
    change = Change()
    sequence = itertools.count()
    gathered: list[tuple[Shot, datetime]] = []

    def send() -> None:
        shots, gathered[:] = list(gathered), []
        if shots and options.skip_unchanged and not any(change.is_new(shot) for shot, _ in shots):
            line.count(captured=1, unchanged=1)
            return
        taken = []
        for shot, at in shots:
            jpeg = encoded(shot, options.quality)
            if jpeg is None:
                line.count(unreadable=1, last_fault=f"{shot.name} cannot be encoded")
            else:
                taken.append(Taken(shot.name, at, jpeg))
        for upload in uploads(taken):
            # The key carries milliseconds; the sequence tells apart what was taken within one.
            at = upload.at.replace(microsecond=upload.at.microsecond // 1000 * 1000)
            key = FrameKey(options.camera, at, next(sequence), upload.kind)
            for name in upload.names:
                on_captured(key, name)
            line.append(key, upload.data)

    try:
        for shot in source.shots(options.fps, wait, options.burst):
            taken_at = clock()
            if shot.fault:
                line.count(unreadable=1, last_fault=f"{shot.name} {shot.fault}")
                continue
            if gathered and not _belongs(shot, taken_at, *gathered[0]):
                send()
            gathered.append((shot, taken_at))
            if len(gathered) >= options.burst:
                send()
    finally:
        send()  # what there is of the last burst, whatever ended the source


def _belongs(shot: Shot, taken_at: datetime, first: Shot, first_at: datetime) -> bool:
    """Is this shot of the same burst as the first one, and within a second of it?"""
    return shot.burst == first.burst and (taken_at - first_at).total_seconds() <= LONGEST_BURST_S
