"""How long a call of a function is charged for: from what was measured on one machine, or from the user's CloudWatch.

A call's time is taken apart: processor time, which another processor changes (`speed`), the database's with it; and
answers of AWS, for which there are assumptions (`usage.WAIT_MS`). Lambda gives a function memory/1769 of a processor
core, and no single thread more than one.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from math import ceil, isfinite
from pathlib import Path
from typing import Any

from proviso.cli.cost import usage

CORE_MB = 1769
"""The memory at which a function has one core, in AWS's words."""
_FUNCTIONS = {
    one.removesuffix("Function").lower(): one
    for one in (usage.DETECT, usage.MATCH, usage.ALERT, usage.SWEEP, usage.RETAIN, usage.REVIEW, usage.GRANT)
}


class DurationsFault(ValueError):
    """A file of durations cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measured kind of call: milliseconds of processor, of the database's, and bytes of log."""

    cpu_ms: float
    database_ms: float
    log_bytes: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured. `cold` are milliseconds of processor until the first answer, beyond a warm call's."""

    cases: Mapping[str, Case]
    cold: Mapping[str, float]
    memory_mb: Mapping[str, int]
    about: str

    def case(self, name: str) -> Case:
        if name not in self.cases:
            raise DurationsFault(f"nothing was measured under {name!r}")
        return self.cases[name]

    def detect(self, faces: int | None) -> Case:
        """One upload. `faces`: None for no usable one."""
        return self.case("detect, no face") if faces is None else self._at("detect, {n} faces", faces)

    def detect_each(self) -> Case:
        """Of `detect(None)` what each further upload of a batch adds."""
        one, ten = self.case("detect, no face"), self.case("detect, no face, ten frames")
        return Case(max(0.0, ten.cpu_ms - one.cpu_ms) / 9, 0.0, max(0.0, ten.log_bytes - one.log_bytes) / 9)

    def match(self, faces: int, listed: int) -> Case:
        """One upload with so many faces and entries; the search grows with both."""
        base = self._at("match, {n} faces, list 1", faces)
        small, large = self.case("match, 3 faces, list 1"), self.case("match, 3 faces, list 10000")
        search = max(0.0, large.database_ms - small.database_ms) / (3 * 9999) * faces * max(0, listed - 1)
        return Case(base.cpu_ms, base.database_ms + search, base.log_bytes)

    def _at(self, form: str, faces: int) -> Case:
        low, high = self.case(form.format(n=1)), self.case(form.format(n=6))
        share = (faces - 1) / 5
        return Case(
            max(0.0, low.cpu_ms + (high.cpu_ms - low.cpu_ms) * share),
            max(0.0, low.database_ms + (high.database_ms - low.database_ms) * share),
            low.log_bytes,
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns measured calls into charged ones. `speed`: one core of Lambda against the measured one; `waits` scales what
    is assumed of AWS's answers; `billed` are means of the user's own account by function, which then go first."""

    measured: Measured
    speed: float = 0.4
    waits: float = 1.0
    billed: Mapping[str, float] | None = None

    def call_ms(self, function: str, case: Case, asked: usage.Asked, memory_mb: int) -> float:
        """What a warm call is charged for, rounded up to a millisecond."""
        if self.billed is not None and function in self.billed:
            return self.billed[function]
        trips = usage.DATABASE_TRIPS.get(function, 0)
        waiting = (usage.waits_ms(asked) + trips) * self.waits + case.database_ms / self.speed
        return ceil(self.cpu_ms(case.cpu_ms, memory_mb) + waiting)

    def cpu_ms(self, cpu_ms: float, memory_mb: int) -> float:
        """Processor time as it is there."""
        return cpu_ms / self.speed / min(1.0, memory_mb / CORE_MB)

    def cold_ms(self, function: str, memory_mb: int) -> float:
        """What a cold start is charged for beyond a warm call. With the account's own means it is in them."""
        if self.billed is not None and function in self.billed:
            return 0.0
        return self.cpu_ms(self.measured.cold.get(function, 0.0), memory_mb)


def shipped() -> Measured:
    """What was measured on this project's own functions (bench/durations.py)."""
    return measured(json.loads((files(__package__) / "durations.json").read_text("utf-8")))


def measured(values: Mapping[str, Any]) -> Measured:
    """From the JSON of bench/durations.py. DurationsFault when it has another form."""
    try:
        machine = values["machine"]
        about = (
            f"measured {values['measured_at'][:10]} on {machine['processor']} ({machine['cores']} cores), "
            f"{machine['runtime_client']}, pack {values['pack']}, {values['frame']}"
        )
        return Measured(
            {name: Case(one["cpu_ms"], one["database_ms"], one["log_bytes"]) for name, one in values["cases"].items()},
            {name: one["init_cpu_ms"] + one["first_cpu_ms"] for name, one in values["cold"].items()},
            dict(values["peak_memory_mb"]),
            about,
        )
    except (KeyError, TypeError) as error:
        raise DurationsFault(f"not the form of bench/durations.py: {type(error).__name__} at {error}") from None


def read_export(path: Path) -> dict[str, float]:
    """Mean charged milliseconds by function from CloudWatch Logs Insights: the JSON of `aws logs get-query-results`, or
    the CSV of the console. A row needs the log group (@log) and a column with "billed" in its name.

    DurationsFault where nothing of a known function is in it.
    """
    try:
        text = path.read_text("utf-8-sig")
        rows = _json_rows(text) if text.lstrip().startswith(("{", "[")) else list(csv.DictReader(io.StringIO(text)))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise DurationsFault(f"{path} cannot be read: {error}") from None
    found: dict[str, float] = {}
    for row in rows:
        group = str(row.get("@log") or row.get("log") or "")
        function = _FUNCTIONS.get(group.rstrip("/").rsplit("/", 1)[-1].lower())
        column = next((name for name in row if name and "billed" in name.lower()), None)
        if function is None or column is None:
            continue
        found[function] = _positive(row[column], f"{path}, {group}")
    if not found:
        raise DurationsFault(
            f"{path}: no row has a log group of Proviso (@log, ending in /detect and the like) and a column with "
            "'billed' in its name; docs/cost.md has the query"
        )
    return found


def _json_rows(text: str) -> list[dict[str, Any]]:
    values = json.loads(text)
    results = values.get("results", []) if isinstance(values, dict) else values
    rows = []
    for one in results if isinstance(results, list) else []:
        if isinstance(one, list):
            rows.append({str(cell.get("field")): cell.get("value") for cell in one if isinstance(cell, dict)})
        elif isinstance(one, dict):
            rows.append({str(name): value for name, value in one.items()})
    return rows


def _positive(value: Any, where: str) -> float:
    try:
        amount = float(str(value).replace(",", ""))
    except ValueError:
        raise DurationsFault(f"{where}: {value!r} is no number of milliseconds") from None
    if not isfinite(amount) or amount <= 0:
        raise DurationsFault(f"{where}: {value!r} is no number of milliseconds above 0")
    return amount
