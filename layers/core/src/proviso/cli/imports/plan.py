"""What is to be imported, from a folder or a CSV, checked as a whole: a half-read list is a list that nobody made.

A folder holds one sub-folder a person, named by their reference number, with pictures in it. A CSV names a picture a
line; several lines with one reference number are pictures of one entry and must say the same of it. Faults are
sentences that name their line. Labels are people's names: they are in no sentence, and in no repr.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

GROUNDS = ("category", "reason", "source", "lawful_holding", "image_date")
"""What must be said of each entry, by a column or by an option for all."""
COLUMNS = ("file", "reference_no", "label", *GROUNDS, "consent_reference", "under_18", "harm_reason")
_OPTIONAL = ("consent_reference", "under_18", "harm_reason")  # may stand empty in their column
_LONGEST = {"reason": 4000, "harm_reason": 4000}
_LONGEST_LINE = 200
_NO_PICTURES = ("thumbs.db", "desktop.ini")
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WantedEntry:
    """A person as they are to be listed. `labelled`: the label was given, and is not the number standing in for it."""

    reference_no: str
    label: str = field(repr=False)
    category: str
    reason: str = field(repr=False)
    source: str = field(repr=False)
    lawful_holding: str = field(repr=False)
    image_date: str
    consent_reference: str | None = field(default=None, repr=False)
    under_18: bool | None = None
    harm_reason: str | None = field(default=None, repr=False)
    labelled: bool = True

    def body(self) -> dict[str, object]:
        """What the API takes; what was not given is left out."""
        given: dict[str, object | None] = {
            name: getattr(self, name) for name in ("reference_no", "label", *GROUNDS, *_OPTIONAL)
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to send. `name` is how its input names it; `line` is 0 where that is a folder; `digest` is its SHA-256."""

    path: Path
    name: str
    line: int
    entry: WantedEntry
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All pictures in their order."""

    pictures: tuple[Picture, ...]

    @property
    def entries(self) -> int:
        return len({picture.entry.reference_no for picture in self.pictures})


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    file: str
    values: Mapping[str, str]

    @property
    def where(self) -> str:
        return f"line {self.line}" if self.line else self.file


def read_plan(source: Path, given: Mapping[str, str], today: date, consent_prefix: str = "") -> tuple[Plan, list[str]]:
    """The plan, and everything that is wrong with the input; with any fault nothing is to be sent.

    `given`: options that hold for all, by column name. `consent_prefix`: each entry's consent reference is this and
    its reference number. Files are read once, in pieces, for their digests.
    """
    if source.is_dir():
        rows, base, faults = _of_folder(source)
    elif source.is_file():
        rows, base, faults = _of_csv(source, given, consent_prefix)
    else:
        return Plan(()), [f"there is no folder or CSV file {source}"]
    if not faults and not rows:
        return Plan(()), [f"{source} names no picture"]
    missing = [] if faults else _missing(rows, given)
    if faults or missing:
        return Plan(()), [*faults, *missing]
    return _checked(rows, base, given, today, consent_prefix)


# --- the two inputs ---


def _of_folder(source: Path) -> tuple[list[_Row], Path, list[str]]:
    rows: list[_Row] = []
    faults: list[str] = []
    for folder in _visible(source):
        if not folder.is_dir():
            faults.append(f"{folder.name}: lies beside the sub-folders; put it into the one of its person")
            continue
        inside = _visible(folder)
        if not inside:
            faults.append(f"{folder.name}: this folder is empty; put a picture into it or remove it")
        for file in inside:
            if file.is_dir():
                faults.append(f"{folder.name}/{file.name}: is a folder; pictures lie directly in their person's folder")
            else:
                rows.append(_Row(0, f"{folder.name}/{file.name}", {"reference_no": folder.name}))
    return rows, source, faults


def _visible(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(path for path in found if path.name.lower() not in _NO_PICTURES)


def _of_csv(source: Path, given: Mapping[str, str], consent_prefix: str) -> tuple[list[_Row], Path, list[str]]:
    base = source.parent
    try:
        text = source.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return [], base, [f"{source.name} is not UTF-8; save it as CSV (UTF-8)"]
    except OSError as error:
        return [], base, [f"{source.name} cannot be read: {error.strerror}"]
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",")
    rows: list[_Row] = []
    faults: list[str] = []
    header: list[str] = []
    ended = 0
    try:
        for cells in reader:
            line, ended = ended + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip().lower() for cell in cells]
                if faults := _header_faults(header, line, given, consent_prefix):
                    return [], base, faults
                continue
            if len(cells) > len(header):
                faults.append(f"line {line}: has {len(cells)} cells, but the header has {len(header)}")
                continue
            padded = [*cells, *[""] * (len(header) - len(cells))]
            values = {name: cell.strip() for name, cell in zip(header, padded, strict=True)}
            rows.append(_Row(line, values.pop("file"), values))
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: cannot be read as CSV: {error}")
    if not header:
        faults.append(f"{source.name} is empty; its first line names its columns: {', '.join(COLUMNS)}")
    return rows, base, faults


def _header_faults(header: list[str], line: int, given: Mapping[str, str], consent_prefix: str) -> list[str]:
    where = f"line {line}"
    known = f"known are {', '.join(COLUMNS)}"
    unknown = [name for name in header if name not in COLUMNS]
    faults = [
        f"{where}: {f'there is no column {name!r}' if name else 'a column has no name'}; {known}" for name in unknown
    ]
    faults += [f"{where}: the column {name} stands there twice" for name in COLUMNS if header.count(name) > 1]
    faults += [f"{where}: the column {name} is missing" for name in ("file", "reference_no") if name not in header]
    twice = [name for name in GROUNDS if given.get(name) and name in header]
    faults += [f"{where}: {name} is a column and {_option(name)} was given too; keep one of them" for name in twice]
    if consent_prefix and "consent_reference" in header:
        faults.append(f"{where}: consent_reference is a column and --consent-prefix was given too; keep one of them")
    return faults


def _missing(rows: list[_Row], given: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is missing: give {_option(name)}" + (f", or a column {name}" if rows[0].line else "")
        for name in GROUNDS
        if not given.get(name, "").strip() and name not in rows[0].values
    ]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


# --- the checks ---


def _checked(
    rows: list[_Row], base: Path, given: Mapping[str, str], today: date, consent_prefix: str
) -> tuple[Plan, list[str]]:
    faults: list[str] = []
    entries: dict[str, tuple[_Row, WantedEntry]] = {}
    pictures: list[Picture] = []
    stands: dict[str, Picture] = {}
    for row in rows:
        wanted = _entry(row, given, consent_prefix)
        wrong = list(_row_faults(row, wanted, today))
        if wanted.reference_no and not wrong:
            first, known = entries.setdefault(wanted.reference_no, (row, wanted))
            wrong += _contradictions(row, wanted, first, known)
            wanted = known
        picture = _picture(row, base, wanted)
        if isinstance(picture, str):
            wrong.append(picture)
        else:
            pictures.append(picture)
            wrong += _elsewhere(picture, stands.setdefault(picture.digest, picture), row)
        faults += [f"{row.where}: {fault}" for fault in wrong]
    return Plan(tuple(pictures)), faults


def _entry(row: _Row, given: Mapping[str, str], consent_prefix: str) -> WantedEntry:
    number = row.values.get("reference_no", "")
    value = {name: row.values.get(name, given.get(name, "").strip()) for name in COLUMNS}
    return WantedEntry(
        reference_no=number,
        label=row.values.get("label", number),
        category=value["category"],
        reason=value["reason"],
        source=value["source"],
        lawful_holding=value["lawful_holding"],
        image_date=value["image_date"],
        consent_reference=(f"{consent_prefix}{number}" if consent_prefix else value["consent_reference"]) or None,
        under_18={"yes": True, "no": False}.get(value["under_18"].lower()),
        harm_reason=value["harm_reason"] or None,
        labelled="label" in row.values,
    )


def _row_faults(row: _Row, wanted: WantedEntry, today: date) -> Iterator[str]:
    for name in ("reference_no", "label", *GROUNDS):
        if not getattr(wanted, name):
            yield f"{name} is empty"
    for name in COLUMNS[1:]:
        value = getattr(wanted, name)
        longest = _LONGEST.get(name, _LONGEST_LINE)
        if isinstance(value, str) and len(value) > longest:
            yield f"{name} has {len(value)} characters, and at most {longest} are taken"
    if row.values.get("under_18", "").lower() not in ("", "yes", "no"):
        yield "under_18 is neither yes nor no"
    if wanted.image_date:
        try:
            day = date.fromisoformat(wanted.image_date)
        except ValueError:
            yield f"image_date {wanted.image_date!r} is not a date; write it as YYYY-MM-DD"
        else:
            if day.isoformat() != wanted.image_date:
                yield f"image_date {wanted.image_date!r}: write it as {day.isoformat()}"
            elif day > today:
                yield f"image_date {wanted.image_date} lies in the future"


def _contradictions(row: _Row, wanted: WantedEntry, first: _Row, known: WantedEntry) -> Iterable[str]:
    """Two lines of one entry that do not say the same; which of them is right, a machine cannot know."""
    for name in ("label", *GROUNDS, *_OPTIONAL):
        if getattr(wanted, name) != getattr(known, name):
            more = "; an entry has one date, that of its oldest picture" if name == "image_date" else ""
            yield f"{name} of {wanted.reference_no} is not what {first.where} says{more}"


def _picture(row: _Row, base: Path, entry: WantedEntry) -> Picture | str:
    if not row.file:
        return "file is empty"
    path = base / row.file
    try:
        if not path.is_file():
            return f"{row.file} is a folder" if path.is_dir() else f"there is no file {row.file}"
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as opened:
            while piece := opened.read(_PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return f"{row.file!r} cannot be read: {getattr(error, 'strerror', None) or error}"
    return Picture(path, row.file, row.line, entry, digest.hexdigest(), size)


def _elsewhere(picture: Picture, first: Picture, row: _Row) -> Iterable[str]:
    """One picture cannot show two people. The same twice for one person is harmless: the server keeps one."""
    if picture.entry.reference_no != first.entry.reference_no:
        where = f"line {first.line}" if first.line else first.name
        yield f"is the same picture as {where}, which is of {first.entry.reference_no}; a picture shows one person"
