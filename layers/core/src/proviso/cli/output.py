"""How the command line speaks: one console, one way to end with a sentence, tables that say what is in them."""

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
def plain_faults() -> Iterator[None]:
    """What goes wrong for a known reason ends with its sentence and code 1, not with a traceback."""
    try:
        yield
    except (Fault, ApiFault, SourceFault) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted", 130)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table, or a line that says that there is nothing. The first column is what one copies: it is never broken."""
    drawn = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for number, column in enumerate(columns):
        drawn.add_column(column, overflow="fold", no_wrap=number == 0)
    count = 0
    for row in rows:
        count += 1
        drawn.add_row(*(escape("" if value is None else str(value)) for value in row))
    if count:
        console.print(drawn)
    else:
        say(f"{title}: none")


def details(values: dict[str, Any]) -> None:
    """Name and value, a line each; lists joined, empty values left out."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if value in (None, "", [], {}):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        console.print(
            f"[bold]{escape(name.replace('_', ' ')).ljust(width)}[/bold]  {escape(str(shown))}", soft_wrap=True
        )


def moment(text: str) -> str:
    """A time of the API to the second, which is as much as people read."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (TypeError, ValueError):
        return str(text)


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
