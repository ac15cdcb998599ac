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


_WIDE = 92
_STYLE: Any = {"title_justify": "left", "title_style": "bold", "box": None, "padding": (0, 2, 0, 0)}
_MEANINGS = {
    "searched: candidate": "searched; it may show somebody on the list: a person must look",
    "searched: none": "searched; nobody on the list; frame and face data are gone",
    "no_face": "no face in it that is good enough to search; deleted",
    "unreadable": "not a whole, plain JPEG picture; deleted",
    "refused: no_permit": "no running deployment covers this camera; deleted unopened",
    "refused: bad_key": "not named as frames are named; deleted unopened",
    "stale": "older than the policy allows when it came; deleted unopened",
}
_STAGES = {
    "permit": "may this camera be searched now?",
    "read": "fetch the frame",
    "decode": "JPEG to pixels",
    "detect": "find faces, measure their quality",
    "connect": "reach the database",
    "read again": "fetch it in the matching function",
    "decode again": "JPEG to pixels there",
    "embed": "compute the faces' templates",
    "permit again": "was it taken back meanwhile?",
    "search": "permit, search, record, all in one",
    "notices": "put the notice to reviewers, if any",
    "delete": "delete the frame",
}


def frames_table(console: Console, found: Findings) -> None:
    """Every frame, from the ledger, and what the words mean. Cameras and times are left out of a narrow window."""
    wide = console.width >= _WIDE
    names = ["frame", "camera", "outcome", "faces", "searched", "after", "expected"]
    shown = [name for name in names if wide or name not in ("camera", "after")]
    table = Table(title="What became of every frame (from the ledger)", **_STYLE)
    for name in shown:
        right = name in ("faces", "searched", "after")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    outcomes = []
    for sent in found.sent:
        row = found.rows.get(sent.key)
        outcome = outcome_of(row)
        outcomes.append(outcome)
        # The verdict below says what was expected.
        expected = "[green]yes[/green]" if outcome == sent.expected else "[red]NO[/red]"
        found_any = row is not None and row.counts.detected > 0
        faces, searched = (str(row.counts.detected), str(row.counts.searched)) if row and found_any else ("", "")
        values = [sent.name, sent.camera, escape(outcome), faces, searched, _after(row), expected]
        table.add_row(*(value for name, value in zip(names, values, strict=True) if name in shown))
    console.print(table)
    console.print()
    for outcome, meaning in _MEANINGS.items():
        if any(one.startswith(outcome) for one in outcomes):
            console.print(f"  [dim]{outcome:19}  {meaning}[/dim]", soft_wrap=True)
    if wide:
        console.print("  [dim]after: from the first look at it to its outcome, waiting in queues included[/dim]")
    console.print()


def _after(row: LedgerEntry | None) -> str:
    if row is None or row.finished_at is None:
        return ""
    return f"{(row.finished_at - row.received_at).total_seconds():.2f} s"


def stages_table(console: Console, found: Findings) -> None:
    """The time in each stage, over all frames that went through it."""
    times: dict[str, list[float]] = {}
    for row in found.rows.values():
        for name, milliseconds in row.stages:
            times.setdefault(name, []).append(milliseconds)
    table = Table(title="Time in each stage, a frame (the longest are first calls)", **_STYLE)
    for name in ("stage", "frames", "median", "longest", "what it does"):
        table.add_column(name, justify="left" if name in ("stage", "what it does") else "right", no_wrap=True)
    for name, values in times.items():
        longest = f"{max(values):.1f} ms"
        table.add_row(name, str(len(values)), f"{median(values):.1f} ms", longest, _STAGES.get(name, ""))
    console.print(table)
    console.print()


def texts(console: Console, messages: Sequence[Message]) -> None:
    """The texts that went out, as they would be read."""
    console.print("[bold]What was sent, in order[/bold] (shown here; nothing leaves this machine)", soft_wrap=True)
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
