"""Durations of the parts of a frame's way, measured with a tick that is passed in (seconds, monotonic)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Collects milliseconds by stage name, in the order in which stages end."""

    def __init__(self, tick: Callable[[], float], earlier: tuple[tuple[str, float], ...] = ()) -> None:
        self._tick = tick
        self._laps: dict[str, float] = dict(earlier)

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        """Time the block; a stage timed twice adds up."""
        started = self._tick()
        try:
            yield
        finally:
            self._laps[stage] = self._laps.get(stage, 0.0) + (self._tick() - started) * 1000

    @property
    def laps(self) -> tuple[tuple[str, float], ...]:
        return tuple((name, round(ms, 2)) for name, ms in self._laps.items())
