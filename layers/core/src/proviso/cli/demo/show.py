"""The end of the demonstration for people: what happened to every frame, how long it took, what went out."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from proviso.cli.demo.cameras import Sent
from proviso.cli.demo.verdict import Check, Findings, outcome_of
from proviso.domain.frame import LedgerEntry
from proviso.local.simulator import Message

_TILE, _CAPTION, _ACROSS = (320, 180), 44, 4


def frames_table(console: Console, found: Findings) -> None:
    """Every frame, from the ledger."""
    table = Table(title="What happened to every frame (from the ledger)", title_justify="left", title_style="bold")
    for name in ("frame", "camera", "outcome", "faces", "took", "expected"):
        table.add_column(name, justify="right" if name == "took" else "left")
    for sent in found.sent:
        row = found.rows.get(sent.key)
        outcome = outcome_of(row)
        right = "[green]as it is[/green]" if outcome == sent.expected else f"[red]{escape(sent.expected)}[/red]"
        table.add_row(sent.name, sent.camera, escape(outcome), _faces(row), _took(row), right)
    console.print(table)


def _faces(row: LedgerEntry | None) -> str:
    if row is None or not row.counts.detected:
        return ""
    refused = f", {row.counts.refused} too poor" if row.counts.refused else ""
    return f"{row.counts.detected} found, {row.counts.searched} searched{refused}"


def _took(row: LedgerEntry | None) -> str:
    if row is None or row.finished_at is None:
        return ""
    return f"{(row.finished_at - row.received_at).total_seconds() * 1000:.0f} ms"


def stages_table(console: Console, found: Findings) -> None:
    """The time in each stage, over all frames that went through it."""
    times: dict[str, list[float]] = {}
    for row in found.rows.values():
        for name, milliseconds in row.stages:
            times.setdefault(name, []).append(milliseconds)
    table = Table(title="Time in each stage", title_justify="left", title_style="bold")
    for name in ("stage", "frames", "median", "longest"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, values in times.items():
        table.add_row(name, str(len(values)), f"{median(values):.1f} ms", f"{max(values):.1f} ms")
    console.print(table)


def texts(console: Console, messages: Sequence[Message]) -> None:
    """The texts that went out, as they would be read."""
    for message in messages:
        kind = "SMS" if message.protocol == "sms" else "E-mail"
        subject = f"Subject: {message.subject}\n\n" if message.protocol != "sms" and message.subject else ""
        title = f"{kind} to {message.address}"
        console.print(Panel(escape(subject + message.text.rstrip()), title=escape(title), title_align="left", width=88))


def checks(console: Console, judged: Sequence[Check]) -> None:
    """Each thing that must hold, and what was found where it does not."""
    for check in judged:
        mark = "[green]✓[/green]" if check.held else "[red]✗[/red]"
        detail = "" if check.held or not check.detail else f" [red]({escape(check.detail)})[/red]"
        console.print(f"{mark} {escape(check.what)}{detail}", soft_wrap=True)


def contact_sheet(found: Findings, target: Path) -> Path | None:
    """All frames on one page with what became of them, since people would rather look than read. None when empty."""
    import cv2
    import numpy as np

    shown = [sent for sent in found.sent if sent.file is not None]
    if not shown:
        return None
    tiles = [_tile(sent, outcome_of(found.rows.get(sent.key))) for sent in shown]
    while len(tiles) % _ACROSS:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[at : at + _ACROSS]) for at in range(0, len(tiles), _ACROSS)]
    target.parent.mkdir(parents=True, exist_ok=True)
    return target if cv2.imwrite(str(target), np.vstack(rows)) else None


def _tile(sent: Sent, outcome: str) -> Any:
    import cv2
    import numpy as np

    width, height = _TILE
    tile = np.full((height + _CAPTION, width, 3), 255, np.uint8)
    pixels = None if sent.expected.startswith("unreadable") else cv2.imread(str(sent.file))
    if pixels is None:
        tile[:height] = 205
        cv2.putText(
            tile, "not opened as a picture", (58, 95), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (90, 90, 90), 1, cv2.LINE_AA
        )
    else:
        tile[:height] = cv2.resize(pixels, _TILE, interpolation=cv2.INTER_AREA)
    for line, (text, size) in enumerate([(sent.name, 0.45), (outcome, 0.5)]):
        colour = (40, 40, 40) if line == 0 else _colour(outcome)
        cv2.putText(tile, text, (6, height + 17 + 20 * line), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
    return tile


def _colour(outcome: str) -> tuple[int, int, int]:
    if outcome == "searched: candidate":
        return (20, 20, 200)
    return (30, 120, 30) if outcome.startswith("searched") or outcome == "no_face" else (150, 90, 0)
