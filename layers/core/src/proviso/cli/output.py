"""How the command line speaks: one console, one way to end with a sentence, tables that say what is in them."""

import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proviso.cli.api import ApiFault
from proviso.cli.camera.sources import SourceFault
from proviso.domain.errors import Fault

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=120)  # nobody's window: as wide as the tables want


def say(text: str) -> None:
    """One line, its square brackets shown as they are."""
    console.print(escape(text), soft_wrap=True)


def fail(sentence: str, code: int = 1) -> NoReturn:
    """End with a sentence on standard error and an exit code."""
    errors.print(f"[red]{escape(sentence)}[/red]", soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def plain_faults(code: int = 1) -> Iterator[None]:
    """What goes wrong for a known reason ends with its sentence and this code, not with a traceback."""
    try:
        yield
    except (Fault, ApiFault, SourceFault) as error:
        fail(str(error), code)
    except KeyboardInterrupt:
        fail("interrupted", 130)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table, or a line that says that there is nothing. Where the window is too narrow for it, a block a row:
    identifiers are there to be copied, so nothing is ever cut or broken."""
    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        drawn.add_column(column, no_wrap=True)
    cells = [[_shown(value) for value in row] for row in rows]
    for row in cells:
        drawn.add_row(*map(escape, row))
    if not cells:
        say(f"{title}: none")
    elif console.measure(drawn, options=console.options.update(max_width=10_000)).maximum <= console.width:
        console.print(drawn)
    else:
        console.print(f"[bold]{escape(title)}[/bold]")
        for row in cells:
            details(dict(zip(columns, row, strict=True)))
            say("")


def details(values: dict[str, Any]) -> None:
    """Name and value, a line each; lists joined, empty values left out."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if value in (None, "", [], {}):
            continue
        label = escape(name.replace("_", " ")).ljust(width)
        console.print(f"[bold]{label}[/bold]  {escape(_shown(value))}", soft_wrap=True)


def _shown(value: Any) -> str:
    """A value of the API as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return moment(value)
    return str(value)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def moment(text: str) -> str:
    """A time of the API to the second, which is as much as people read; without its date when that is today's."""
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        return str(text)
    today = found.date() == datetime.now(UTC).date()
    return found.strftime("%H:%M:%S UTC" if today else "%Y-%m-%d %H:%M:%S UTC")


def until_interrupted() -> None:
    """Wait for Ctrl-C or SIGTERM. A second one does not break into the tidying up, which takes a second."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(1.0)
    for late in (signal.SIGINT, signal.SIGTERM):
        signal.signal(late, signal.SIG_IGN)
    say("ending")


def interactive() -> bool:
    """Is somebody watching, so that a moving line is of use?"""
    return console.is_terminal and sys.stdout.isatty()
