"""The public record as CSV: one row a figure, the same columns for every deployment."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

COLUMNS = ("deployment", "revision", "figure", "count", "of", "low", "high", "unit")
_COUNTED = {
    "faces": ("detected", "refused_by_quality", "searched", "not_searched", "passages_expected"),
    "candidates": None,
    "truth": None,
    "outcomes": None,
    "actions": None,
}
_UNITS = {"faces": "faces", "actions": "candidates with an outcome"}


def record_csv(records: Iterable[Mapping[str, Any]]) -> str:
    """All figures of these records. Counts have no denominator and no interval; rates have both."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for record in records:
        for row in _rows(record):
            writer.writerow((record["deployment"], record["revision"], *map(_plain, row)))
    return out.getvalue()


def _rows(record: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    yield "cameras", record["cameras"], "", "", "", "cameras"
    yield "list: entries", record["list"]["entries"], "", "", "", "people"
    for one in record["list"]["by_category"] or ():
        yield f"list: {one['category']}", one["entries"], "", "", "", "people"
    for part, names in _COUNTED.items():
        for name in names or record[part]:
            unit = "passages" if name == "passages_expected" else _UNITS.get(part, "candidates")
            yield f"{part}: {name}", record[part][name], "", "", "", unit
    yield "frames: searched", record["frames"]["searched"], "", "", "", "frames"
    for one in record["frames"]["not_searched"]:
        reason = f" ({one['reason']})" if one["reason"] else ""
        yield f"frames: {one['outcome']}{reason}", one["frames"], "", "", "", "frames"
    for one in record["rates"]:
        yield f"rate: {one['figure']}", one["count"], one["of"], one["low"], one["high"], one["unit"]


def _plain(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell
