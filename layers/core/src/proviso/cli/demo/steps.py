"""Progress: what is being done now and how long each step took; plain lines where nobody watches a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Steps:
    """Tells steps on a console. `tick` gives seconds, monotonic."""

    def __init__(self, console: Console, tick: Callable[[], float] = time.perf_counter) -> None:
        self.console = console
        self.tick = tick
        self.began = tick()
        self.taken: list[tuple[str, float]] = []

    @property
    def elapsed(self) -> float:
        return self.tick() - self.began

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """One step; the block gets a function that tells what exactly is going on."""
        began = self.tick()
        moving = self.console.is_terminal
        with self.console.status(escape(title)) as status:

            def tell(text: str) -> None:
                if moving:
                    status.update(f"{escape(title)}: {escape(text)}")

            try:
                yield tell
            except BaseException:
                self._line("[red]✗[/red]", title, self.tick() - began)
                raise
        self.taken.append((title, self.tick() - began))
        self._line("[green]✓[/green]", title, self.tick() - began)

    def note(self, text: str) -> None:
        """Something worth knowing between two steps."""
        self.console.print(f"          [dim]{escape(text)}[/dim]", soft_wrap=True)

    def _line(self, mark: str, title: str, seconds: float) -> None:
        self.console.print(
            f"{self.elapsed:6.1f} s  {mark} {escape(title)} [dim]({seconds:.1f} s)[/dim]", soft_wrap=True
        )
