"""Durations of the parts of a frame's way, measured with a tick that is passed in (seconds, monotonic)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

Span = Callable[[str], AbstractContextManager[None]]
"""What else is put around a stage that is timed: a tracer's subsegment, where one is on."""


def unspanned(_: str) -> AbstractContextManager[None]:
    """Nothing around a stage."""
    return nullcontext()


class Stopwatch:
    """Collects milliseconds by stage name, in the order in which stages end."""

    def __init__(
        self, tick: Callable[[], float], earlier: tuple[tuple[str, float], ...] = (), span: Span = unspanned
    ) -> None:
        self._tick = tick
        self._span = span
        self._laps: dict[str, float] = dict(earlier)

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        """Time the block; a stage timed twice adds up."""
        started = self._tick()
        try:
            with self._span(stage):
                yield
        finally:
            self._laps[stage] = self._laps.get(stage, 0.0) + (self._tick() - started) * 1000

    @property
    def laps(self) -> tuple[tuple[str, float], ...]:
        return tuple((name, round(ms, 2)) for name, ms in self._laps.items())
