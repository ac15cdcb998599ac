"""All published records on one page, with a chart and the tables of groups; served, and written into a folder."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proviso.domain.record import rate_values
from proviso.publication.figures import WORDS, interval, said, value, when
from proviso.publication.markup import Markup, html, joined, links, page, section, table
from proviso.publication.record_page import demonstration, elsewhere

Record = Mapping[str, Any]
_LEAST = -7  # the chart's left end: one in ten million
_WIDTH, _HEIGHT, _EDGE = 400, 34, 14
MOST_DRAWN = 60
"""Deployments in the chart, the newest; the table holds all."""


def gallery_page(
    entries: Sequence[Record],
    groups: Sequence[Record],
    *,
    address: Callable[[Record], str],
    files: Sequence[tuple[str, str]] = (),
) -> str:
    """`entries`: of the index, newest first. `address`: of a record's page."""
    parts: list[Markup] = [section("All deployments", _overview(entries, address), long=True)]
    if entries:
        parts.append(section("Candidates per face searched", *_chart(entries), long=True))
    parts.append(section("Groups", *(_groups(groups)), long=True))
    parts.append(section("What others publish", elsewhere()))
    header = joined(
        (
            html("<h1>Public records of live facial recognition</h1>"),
            html(
                '<p class="lead">One for each deployment that is closed. Figures are counts of what the machine and'
                " people did; each rate stands with its denominator and its interval.</p>"
            ),
            links(files),
        )
    )
    return page("Public records", header, joined(parts))


def _overview(entries: Sequence[Record], address: Callable[[Record], str]) -> Markup:
    if not entries:
        return html("<p>No deployment has been closed yet.</p>")
    columns = ("deployment", "operator", "use", "faces searched", "candidates", "known to be false", "figures")
    rows = (
        (
            joined(
                (
                    html('<a href="{}">{}, {}</a>', address(one), one["place"], _day(one["started_at"])),
                    html(" <strong>{}</strong>", one["demonstration"]) if one["demonstration"] else "",
                )
            ),
            one["operator"],
            said(one["use"]),
            one["faces_searched"],
            one["candidates"],
            one["false_candidates"],
            "final" if one["figures"] == "final" else "of the close",
        )
        for one in entries
    )
    return table(f"{len(entries)} published", columns, rows, right=(3, 4, 5))


def _day(moment: str | None) -> str:
    return moment[:10] if moment else "never started"


# --- the chart --------------------------------------------------------------------------------------------------------


def _chart(entries: Sequence[Record]) -> list[Markup]:
    rows = [_row(entry) for entry in entries[:MOST_DRAWN] if entry["faces_searched"]]
    if not rows:
        return [html("<p>Nothing was searched.</p>")]
    scale = html('<li aria-hidden="true"><span></span>{}</li>', _scale())
    key = html(
        '<p class="key"><span>{}all candidates</span><span>{}known to be false</span></p>',
        _sample("all"),
        _sample("false"),
    )
    note = html(
        '<p class="small quiet">The mark is the rate, the line its 95 % interval, on a scale of powers of ten. Where'
        " none was counted there is no mark, and the line begins at the left end. The figures stand in each"
        " record.</p>"
    )
    return [key, html('<ul class="chart">{}</ul>', joined((scale, *rows))), note]


def _row(entry: Record) -> Markup:
    searched = entry["faces_searched"]
    every, false = (
        rate_values(name, entry[name], searched, "faces searched") for name in ("candidates", "false_candidates")
    )
    spoken = f"all candidates {value(every)}, between {interval(every)}; "
    spoken += f"false ones {value(false)}, between {interval(false)}"
    drawn = html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        _WIDTH,
        _HEIGHT,
        spoken,
        _grid(),
        _mark(every, 11, "all"),
        _mark(false, 24, "false"),
    )
    return html("<li><span>{}, {}</span>{}</li>", entry["place"], _day(entry["started_at"]), drawn)


def _mark(rate: Record, y: int, kind: str) -> Markup:
    low, high = _x(float(rate["low"])), _x(float(rate["high"]))
    line = f'<path d="M{low:.1f} {y}H{high:.1f}M{high:.1f} {y - 4}v8" stroke-width="2" fill="none" class="{kind}"/>'
    if not rate["count"]:
        return Markup(line)
    at = _x(rate["count"] / rate["of"])
    shape = (
        f'<circle cx="{at:.1f}" cy="{y}" r="5" class="all"/>'
        if kind == "all"
        else f'<path d="M{at:.1f} {y - 6}l6 6l-6 6l-6 -6z" class="false"/>'
    )
    return Markup(line + shape)


def _x(rate: float) -> float:
    """Where a rate stands, by its logarithm; what is smaller than the least stands at the left end."""
    place = 0.0 if rate <= 10**_LEAST else 1 - math.log10(min(rate, 1.0)) / _LEAST
    return _EDGE + place * (_WIDTH - 2 * _EDGE)


def _grid() -> Markup:
    lines = "".join(f"M{_x(10.0**power):.1f} 0v{_HEIGHT}" for power in range(_LEAST, 1))
    return Markup(f'<path class="grid" d="{lines}"/>')


def _scale() -> Markup:
    words = {0: "all", -1: "1 in 10", -3: "1,000", -5: "100,000", -7: "10 million"}
    texts = "".join(
        f'<text x="{min(max(_x(10.0**power), 26), _WIDTH - 12):.1f}" y="12">{word}</text>'
        for power, word in words.items()
    )
    return Markup(f'<svg viewBox="0 0 {_WIDTH} 16">{texts}</svg>')


def _sample(kind: str) -> Markup:
    shape = (
        '<circle cx="16" cy="8" r="5" class="all"/>'
        if kind == "all"
        else '<path d="M16 2l6 6l-6 6l-6 -6z" class="false"/>'
    )
    line = f'<path d="M2 8H30" stroke-width="2" fill="none" class="{kind}"/>'
    return Markup(f'<svg viewBox="0 0 32 16" aria-hidden="true">{line}{shape}</svg>')


# --- groups -----------------------------------------------------------------------------------------------------------


def _groups(batches: Sequence[Record]) -> list[Markup]:
    told = html(
        '<p class="small quiet">Over batches of deployments, each published once. No cell holds fewer than ten'
        " candidates; groups are merged, or a table is withheld, so that none can be worked out. A group is what a"
        " reviewer said. How many of each group passed is not known here, so no rate follows from these counts.</p>"
    )
    if not batches:
        return [told, html("<p>No batch is large enough yet.</p>")]
    return [told, *(part for batch in batches for part in _batch(batch))]


def _batch(batch: Record) -> list[Markup]:
    title = html(
        "<h3>{}, batch {}: {} deployments, published {}</h3>{}",
        batch["operator"]["name"],
        batch["number"],
        len(batch["deployments"]),
        when(batch["published_at"]),
        demonstration(batch["demonstration"]),
    )
    totals = batch["totals"]
    counted = html(
        "<p>{} candidates were true, {} false; of {} neither is known.</p>",
        totals["true"],
        totals["false"],
        totals["other"],
    )
    return [title, counted, *(_table(one) for one in batch["tables"])]


def _table(found: Record) -> Markup:
    axis = {"sex": "sex", "age": "age", "ethnicity": "ethnicity"}[found["axis"]]
    if found["withheld"]:
        return html("<p>By {}: withheld, since a cell would hold fewer than ten.</p>", axis)
    columns = list(dict.fromkeys(tuple(cell["truth"]) for cell in found["cells"]))
    rows = list(dict.fromkeys(tuple(cell["groups"]) for cell in found["cells"]))
    count = {(tuple(cell["groups"]), tuple(cell["truth"])): cell["count"] for cell in found["cells"]}
    return table(
        f"By {axis}",
        ("group", *(" or ".join(WORDS[one].partition(":")[0] for one in column) for column in columns)),
        ((" or ".join(map(_group, row)), *(count[row, column] for column in columns)) for row in rows),
        right=range(1, len(columns) + 1),
    )


def _group(name: str) -> str:
    return {"under_18": "under 18", "18_34": "18 to 34", "35_54": "35 to 54", "55_plus": "55 and over"}.get(name, name)
