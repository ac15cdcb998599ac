"""The reject report: a CSV for a spreadsheet and a page for people, on why each picture was not enrolled.

They name files and reference numbers and hold neither labels nor pictures: a report must not become a second list of
names or a second store of faces. The page needs no script and asks for nothing from anywhere.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from proviso.cli.imports.sending import CHANGED, DIFFERS, FAULT, REMOVED, UNREADABLE, Outcome, Result, Sent
from proviso.cli.private import write_private
from proviso.domain.reasons import Reason

HEADER = ("file", "line", "reference_no", "reason", "sentence", "what_to_do")
_AGAIN = "run the import again"
_SHARPER = "use a picture taken closer, in focus and not made larger afterwards"
_OTHER_LIGHT = "use a picture in even light, taken anew: brightening an old one does not bring back what is not in it"
_FRONTAL = "use a picture in which the person looks straight into the camera"
_FILE = "open the file; if it is no picture, remove it from the import, else save it as JPEG"
WHAT_TO_DO = {
    Reason.NO_FACE.value: "use a picture in which the face is visible, upright and not covered",
    Reason.SEVERAL_FACES.value: "cut the picture to this one person, or use another",
    Reason.FACE_TOO_SMALL.value: _SHARPER,
    Reason.NOT_SHARP.value: _SHARPER,
    Reason.UNDER_EXPOSED.value: _OTHER_LIGHT,
    Reason.OVER_EXPOSED.value: _OTHER_LIGHT,
    Reason.POSE_YAW.value: _FRONTAL,
    Reason.POSE_ROLL.value: "turn the picture upright, or use one with the head upright",
    Reason.FACE_CUT_OFF.value: "use a picture with the whole face and some space around it",
    Reason.NOT_AN_IMAGE.value: _FILE,
    Reason.WRONG_TYPE.value: _FILE,
    Reason.TRUNCATED.value: "copy the file anew from where it came from; its end is missing",
    Reason.EMPTY.value: "copy the file anew from where it came from; it is empty",
    Reason.TOO_MANY_BYTES.value: "save the picture smaller, below 4 MB",
    Reason.TOO_MANY_PIXELS.value: "save the picture with fewer pixels",
    Reason.POLICY_FORBIDS.value: "the policy says who may be on the list, and how many; ask who answers for it",
    Reason.INVALID.value: f"correct what the sentence names, then {_AGAIN}",
    Reason.TAKEN.value: "choose another reference number",
    UNREADABLE: f"see that the file is there and may be read, then {_AGAIN}",
    CHANGED: f"leave the files alone while they are imported, then {_AGAIN}",
    REMOVED: "leave this person out, or, if they are to be listed again, give them a new reference number",
    DIFFERS: "a number is one person: correct the label or category, or choose another number",
    FAULT: f"{_AGAIN}; if it fails again, tell whoever runs the system",
}
_ELSE = f"do what the sentence says, then {_AGAIN}"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with its denominator and 95% interval (Wilson), which takes the pictures as independent of one another."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        if not self.of:
            return "no picture was judged"
        rate = f"{self.count} of {self.of} judged pictures, {self.count / self.of:.1%}"
        return f"{rate} (95% interval {self.low:.1%} to {self.high:.1%})"


def failures_to_enrol(results: Sequence[Result]) -> Rate:
    """Of the pictures whose quality was judged, those that made no reference (ISO/IEC 2382-37).

    What was refused for its entry, or was not sent, was not judged and is in neither number.
    """
    judged = [one for one in results if one.judged]
    failed = sum(one.outcome is Outcome.REJECTED for one in judged)
    return Rate(failed, len(judged), *_wilson(failed, len(judged)))


def _wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's score interval at 95% (E. B. Wilson, 1927)."""
    if not of:
        return 0.0, 1.0
    rate, z2 = count / of, _Z_95**2
    middle = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 / (1 + z2 / of) * math.sqrt(rate * (1 - rate) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def refused(sent: Sent) -> list[Result]:
    """What was not enrolled, in the input's order."""
    return [one for one in sent.results if one.outcome in (Outcome.REJECTED, Outcome.FAILED)]


def what_to_do(reason: str) -> str:
    return WHAT_TO_DO.get(reason, _ELSE)


def write(folder: Path, watchlist: str, sent: Sent, at: datetime) -> tuple[Path, Path]:
    """rejects.csv and rejects.html in `folder`, whole or not at all, readable by their owner only."""
    paths = folder / "rejects.csv", folder / "rejects.html"
    for path, text in zip(paths, (as_csv(sent), as_page(watchlist, sent, at)), strict=True):
        write_private(path, text)
    return paths


def as_csv(sent: Sent) -> str:
    """One line for each picture that was not enrolled. A cell that a spreadsheet would take for a formula begins
    with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for one in refused(sent):
        picture = one.picture
        cells = (picture.name, picture.line or "", picture.entry.reference_no, one.reason, one.sentence)
        writer.writerow([_harmless(str(cell)) for cell in (*cells, what_to_do(one.reason))])
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def counts(sent: Sent) -> list[tuple[str, int]]:
    """How many pictures came to which end; those that were not tried too."""
    found = Counter(one.outcome for one in sent.results)
    rows = [(outcome.value, found[outcome]) for outcome in Outcome if outcome is not Outcome.FAILED or found[outcome]]
    rest = sent.total - len(sent.results)
    return [*rows, ("not tried", rest)] if rest else rows


def reasons(sent: Sent) -> list[tuple[str, int]]:
    """Reasons and how often, most often first."""
    found = Counter(one.reason for one in refused(sent))
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
caption{text-align:left;font-weight:600;padding:.4rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid #8886}
.n{text-align:right;width:5rem}
.warn{border-left:.3rem solid #b45309;padding:.2rem .8rem}
code{font-size:.95em}
@media(max-width:40rem){
.files thead{position:absolute;left:-999rem}
.files tr,.files td,.files th[scope=row]{display:block;border:0;padding:0}
.files tr{border-bottom:1px solid #8886;padding:.5rem 0}
.files td::before{content:attr(data-name) ": ";opacity:.75}
}
"""


def as_page(watchlist: str, sent: Sent, at: datetime) -> str:
    """The page: counts, the rate with its denominator, reasons, and under each reason its files."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        "<title>Pictures that were not enrolled</title>",
        f"<style>{_STYLE}</style></head><body><main>",
        "<h1>Pictures that were not enrolled</h1>",
        f"<p>Watchlist <code>{escape(watchlist)}</code>, import of {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC.</p>",
    ]
    if sent.ended:
        rest = sent.total - len(sent.results)
        parts.append(
            f'<p class="warn"><strong>The import did not come to its end: {escape(sent.ended)}.</strong> '
            f"{rest} of {sent.total} pictures were not tried. Run the same command again; it goes on.</p>"
        )
    parts += _two_columns("What became of the pictures", ("Outcome", "Pictures"), counts(sent))
    parts += [
        f"<p>Failures to enrol: {escape(str(failures_to_enrol(sent.results)))}. Pictures that were not judged, because "
        "their entry was refused or the file is no picture, are in neither number.</p>"
    ]
    if sent.bare:
        parts.append(
            '<p class="warn">On the list without any reference, so that no search finds them; add a picture or remove '
            f"the entry: {', '.join(f'<code>{escape(number)}</code>' for number in sent.bare)}.</p>"
        )
    if sent.warnings:
        parts.append("<h2>Entries with a warning</h2><ul>")
        parts += [f"<li><code>{escape(number)}</code>: {escape(text)}</li>" for number, text in sent.warnings]
        parts.append("</ul>")
    found = reasons(sent)
    if not found:
        parts.append("<p>No picture was rejected.</p>")
    else:
        parts += _two_columns("Reasons", ("Reason", "Pictures"), found)
    for reason, _ in found:
        parts += _files(reason, [one for one in refused(sent) if one.reason == reason])
    return "\n".join([*parts, "</main></body></html>", ""])


def _two_columns(caption: str, names: tuple[str, str], rows: Sequence[tuple[str, int]]) -> list[str]:
    return [
        f"<table><caption>{escape(caption)}</caption>",
        f'<thead><tr><th scope="col">{names[0]}</th><th scope="col" class="n">{names[1]}</th></tr></thead><tbody>',
        *(f'<tr><th scope="row">{escape(name)}</th><td class="n">{number}</td></tr>' for name, number in rows),
        "</tbody></table>",
    ]


def _files(reason: str, rows: Sequence[Result]) -> list[str]:
    lined = any(one.picture.line for one in rows)
    head = [
        f"<h2><code>{escape(reason)}</code>, {len(rows)}</h2>",
        f"<p>What to do: {escape(what_to_do(reason))}.</p>",
        '<table class="files"><thead><tr><th scope="col">File</th>'
        + ('<th scope="col">Line</th>' if lined else "")
        + '<th scope="col">Reference number</th><th scope="col">Why</th></tr></thead><tbody>',
    ]
    body = [
        f'<tr><th scope="row">{escape(one.picture.name)}</th>'
        + (f'<td data-name="Line">{one.picture.line}</td>' if lined else "")
        + f'<td data-name="Reference number">{escape(one.picture.entry.reference_no)}</td>'
        f'<td data-name="Why">{escape(one.sentence)}</td></tr>'
        for one in rows
    ]
    return [*head, *body, "</tbody></table>"]
