"""The command `proviso watchlist import`: its options, its progress, its summary, its exit codes."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proviso.cli import output, session
from proviso.cli.imports import report
from proviso.cli.imports.journal import Journal
from proviso.cli.imports.plan import read_plan
from proviso.cli.imports.sending import Outcome, Sender, Sent, Tally
from proviso.cli.output import errors, fail, interactive, plain_faults, say, table
from proviso.cli.people import As
from proviso.cli.pictures import as_jpeg

_FAULTS_SHOWN = 100
_SHOWN = 10
_LINE_EVERY_S = 10.0
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def import_pictures(
    watchlist: str,
    source: Annotated[Path, typer.Argument(help="A folder with a sub-folder a reference number, or a CSV file")],
    category: Annotated[str, typer.Option(help="From the policy's closed list")] = "",
    reason: Annotated[str, typer.Option(help="Why these people are on the list")] = "",
    source_of: Annotated[str, typer.Option("--source", help="Where the pictures come from")] = "",
    lawful_holding: Annotated[str, typer.Option(help="Why the pictures may be held")] = "",
    image_date: Annotated[str, typer.Option(help="When the pictures were taken, YYYY-MM-DD")] = "",
    consent_prefix: Annotated[str, typer.Option(help="Consent reference: this and the reference number")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only check the input; send nothing")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Send what the journal has as settled once more")] = False,
    at_once: Annotated[int, typer.Option(min=1, max=4, help="Pictures on their way at the same time")] = 2,
    acting: As = "",
) -> None:
    """Import many pictures. It can be interrupted and repeated: what is there stays as it is.

    A folder holds one sub-folder a person, named by their reference number; the options say the rest for all. A CSV
    has the columns file, reference_no, label, category, reason, source, lawful_holding, image_date, consent_reference,
    under_18, harm_reason; options stand in for columns that it does not have.

    Exit codes: 0 all are enrolled; 1 some were rejected, see the report; 2 it could not go on; 130 interrupted.
    """
    given = {
        "category": category,
        "reason": reason,
        "source": source_of,
        "lawful_holding": lawful_holding,
        "image_date": image_date,
    }
    with plain_faults(2):
        if not _SAFE_NAME.fullmatch(watchlist):
            fail(f"{watchlist!r} is no watchlist's id; `proviso watchlist show` lists them", 2)
        plan, faults = read_plan(source, given, datetime.now(UTC).date(), consent_prefix)
        if faults:
            _tell_faults(faults)
        size = sum(picture.size for picture in plan.pictures)
        say(f"checked: {len(plan.pictures)} pictures of {plan.entries} people, {size / 1e6:.1f} MB")
        if check:
            return
        api = session.api(acting, say)
        api.patience_s = 0.0  # the sender waits, and can be stopped while it does
        folder = session.here() / "imports" / watchlist
        with watching(len(plan.pictures)) as watch:
            sender = Sender(
                api=api,
                watchlist=watchlist,
                plan=plan,
                journal=Journal(folder / "journal.jsonl"),
                convert=as_jpeg,
                watch=watch,
                notify=say,
                at_once=at_once,
                anew=anew,
            )
            sent = sender.run()
        paths = report.write(folder, watchlist, sent, datetime.now(UTC))
    summarise(sent)
    for path in paths:
        say(f"report: {path}")
    _end(sent)


def _tell_faults(faults: list[str]) -> None:
    for fault in faults[:_FAULTS_SHOWN]:
        errors.print(fault, markup=False, soft_wrap=True)
    if len(faults) > _FAULTS_SHOWN:
        errors.print(f"and {len(faults) - _FAULTS_SHOWN} more", markup=False)
    fail(f"{len(faults)} {'thing is' if len(faults) == 1 else 'things are'} wrong; nothing was sent", 2)


def summarise(sent: Sent) -> None:
    """Counts, reasons and the rate, on the console."""
    table("Pictures", ("outcome", "pictures"), report.counts(sent))
    if found := report.reasons(sent):
        table("Reasons", ("reason", "pictures", "what to do"), [(*row, report.what_to_do(row[0])) for row in found])
    say(f"failures to enrol: {report.failures_to_enrol(sent.results)}")
    if sent.bare:
        numbers = ", ".join(sent.bare[:_SHOWN]) + (" ..." if len(sent.bare) > _SHOWN else "")
        say(f"on the list without a reference, found by no search; add a picture or remove them: {numbers}")
    for number, sentence in sent.warnings[:_SHOWN]:
        say(f"warning  {number}: {sentence}")
    if len(sent.warnings) > _SHOWN:
        say(f"warning  and {len(sent.warnings) - _SHOWN} more, in the report")


def _end(sent: Sent) -> None:
    if sent.ended:
        rest = sent.total - len(sent.results)
        fail(f"{sent.ended}; {rest} of {sent.total} pictures are left. The same command goes on", _code(sent))
    if any(one.outcome in (Outcome.REJECTED, Outcome.FAILED) for one in sent.results):
        raise typer.Exit(1)
    say("then: proviso watchlist build (a build never changes, so a new one is needed)")


def _code(sent: Sent) -> int:
    return 130 if sent.interrupted else 2


@contextmanager
def watching(total: int, monotonic: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Tally], None]]:
    """A bar where somebody watches; else a line now and then, and one at the end."""
    if not interactive():
        yield _Lines(monotonic)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=output.console) as progress:
        task = progress.add_task("pictures", total=total, counts="")
        yield lambda tally: progress.update(task, completed=tally.done, counts=shown(tally))


def shown(tally: Tally) -> str:
    """The counts in one line."""
    failed = f", {tally.failed} failed" if tally.failed else ""
    return f"{tally.accepted} accepted, {tally.rejected} rejected, {tally.already} already there{failed}"


class _Lines:
    """A line every ten seconds, with the time left as the pace so far has it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began = self._told = monotonic()
        self._skipped: int | None = None

    def __call__(self, tally: Tally) -> None:
        now = self._monotonic()
        if self._skipped is None:
            self._skipped = tally.done if tally.done > 1 else 0  # what the journal had settled took no time
        if now - self._told < _LINE_EVERY_S and tally.done < tally.total:
            return
        self._told = now
        sent = tally.done - self._skipped
        left = (now - self._began) / sent * (tally.total - tally.done) if sent else 0.0
        rest = f", about {left:.0f} s left" if tally.done < tally.total and sent else ""
        say(f"{tally.done} of {tally.total}: {shown(tally)}{rest}")
