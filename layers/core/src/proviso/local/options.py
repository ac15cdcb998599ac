"""What a local cloud is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class LocalCloudOptions:
    """What to start. `functions` limits the workers (None: all); `max_window_s` caps batching windows (None: as the
    template has them); `concurrency` is the number of workers by function, 1 where not named. `built`: a built tree
    (`make build-host`), which functions are then run from under Python 3.13, instead of from the checkout."""

    root: Path
    data: Path
    port: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    functions: frozenset[str] | None = None
    extra_policies: tuple[str, ...] = ("demo",)
    max_window_s: float | None = None
    concurrency: Mapping[str, int] = field(default_factory=dict)
    built: Path | None = None
