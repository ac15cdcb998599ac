"""The curves and histograms of a report, drawn twice: for a light page and for a dark one.

Data for a picture is counted by pure functions; what is drawn says in its alternative text what it shows.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proviso.evaluation.identification import Lists
from proviso.evaluation.people import Mask
from proviso.evaluation.searches import MISSED, OneList
from proviso.evaluation.verification import Compared

Floats = NDArray[np.float64]
# Told apart by lightness and line style too, so that colour alone carries nothing.
_STYLES = ("-", "--", "-.", ":")
_LIGHT = {
    "text": "#1b2230",
    "grid": "#d5dae1",
    "back": "#ffffff",
    "lines": ("#0b57b0", "#a1480a", "#0d6e4f", "#6a3fa0"),
}
_DARK = {"text": "#e7ebf1", "grid": "#333c48", "back": "#1b212a", "lines": ("#8fbcff", "#ffb27a", "#7fdcb8", "#cdb2ff")}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as two data addresses, its size in CSS pixels, and what it shows in words."""

    title: str
    light: str
    dark: str
    width: int
    height: int
    alt: str
    caption: str


def det(false: Floats, wrong: Floats) -> tuple[Floats, Floats]:
    """The detection error trade-off: at every threshold that changes anything, the share of `false` at or above it, and
    the share of `wrong` (mated searches; MISSED where nothing was found) below it. Both (k,), thresholds rising."""
    thresholds = np.unique(np.concatenate((false, wrong[wrong > MISSED])))
    above = 1 - np.searchsorted(np.sort(false), thresholds, side="left") / len(false)
    below = np.searchsorted(np.sort(wrong), thresholds, side="left") / len(wrong)
    return above, below


def searched(each: Sequence[OneList], tried: Mask) -> tuple[Floats, Floats]:
    """Similarities of all lists together: what strangers reach, and what mated searches reach that name their own entry
    (MISSED for the others)."""
    best = np.concatenate([one.best[tried[one.strangers]] for one in each])
    own = np.concatenate([np.where(one.first, one.own, MISSED) for one in each])
    return best, own


def draw(lists: Lists, identification: Sequence[dict[str, Any]], compared: Compared | None) -> list[Drawn]:
    """All pictures of a report."""
    drawn = []
    sizes = sorted(size for size, each in lists.by_size.items() if each[0].mated.size)
    if sizes:
        drawn.append(_identification_curves(lists, sizes, identification))
        drawn.append(_identification_histogram(lists, sizes[-1], identification))
    if compared is not None and compared.same.any() and not compared.same.all():
        drawn.append(_verification_curves(compared))
        drawn.append(_verification_histogram(compared))
    return drawn


def _identification_curves(lists: Lists, sizes: Sequence[int], rows: Sequence[dict[str, Any]]) -> Drawn:
    curves, limit = [], 0.0
    for size in sizes:
        each = lists.by_size[size]
        curves.append((f"{size} on the list", *det(*searched(each, lists.tried))))
        limit = max(limit, 3 / min(int(lists.tried[one.strangers].sum()) for one in each))
    facts = [
        f"list of {row['list_size']}: FNIR {row['fnir']:.1%} at FPIR {row['fpir_achieved']:.2%}"
        for row in rows
        if not row["refused"] and row["list"] == lists.composition and row["tpir"] is not None
    ]
    return _drawn(
        "Missed people against false matches",
        lambda axes, look: _curves(axes, look, curves, "FPIR: strangers taken for somebody", "FNIR: missed", limit),
        "Detection error trade-off of identification. " + "; ".join(facts),
        "Averaged over the lists. Left of the dotted line (3 divided by the number of strangers) it says nothing.",
    )


def _identification_histogram(lists: Lists, size: int, rows: Sequence[dict[str, Any]]) -> Drawn:
    best, own = searched(lists.by_size[size], lists.tried)
    there = own[own > MISSED]
    threshold = next(
        (
            r["threshold"]
            for r in rows
            if r["list_size"] == size and r["list"] == lists.composition and not r["refused"]
        ),
        None,
    )
    parts = [("strangers, most similar entry", best), ("listed people, own entry", there)]
    return _drawn(
        f"Similarities on a list of {size}",
        lambda axes, look: _histogram(axes, look, parts, threshold),
        f"Histogram: the middle stranger reaches {np.median(best):.2f}, the middle listed person "
        f"{np.median(there) if there.size else 0:.2f}" + (f"; threshold {threshold:.4f}" if threshold else ""),
        "Strangers: the highest similarity that each reaches with anybody listed. Listed people: with their own entry.",
    )


def _verification_curves(compared: Compared) -> Drawn:
    false, true = _split(compared)
    far, missed = det(false, true)
    limit = 3 / max(1, len(false))
    at = int(np.argmin(np.abs(far - missed)))
    return _drawn(
        "Verification: missed pairs against false matches",
        lambda axes, look: _curves(axes, look, [("pairs", far, missed)], "FMR: false matches", "FNMR: missed", limit),
        f"Detection error trade-off of verification: errors of both kinds are equal at about {far[at]:.2%}",
        f"{len(false)} non-mated and {len(true)} mated pairs. Left of the dotted line the curve says nothing.",
    )


def _verification_histogram(compared: Compared) -> Drawn:
    false, true = _split(compared)
    there = true[true > MISSED]
    return _drawn(
        "Verification: similarities of pairs",
        lambda axes, look: _histogram(axes, look, [("two people", false[false > MISSED]), ("one person", there)], None),
        f"Histogram: the middle pair of two people has {np.median(false):.2f}, of one person {np.median(true):.2f}",
        "Each labelled pair once.",
    )


def _split(compared: Compared) -> tuple[Floats, Floats]:
    values = np.where(np.isnan(compared.similarity), MISSED, compared.similarity)
    return values[~compared.same], values[compared.same]


def _curves(
    axes: Any, look: dict[str, Any], curves: Sequence[tuple[str, Floats, Floats]], across: str, up: str, limit: float
) -> None:
    for number, (name, false, missed) in enumerate(curves):
        colour, style = look["lines"][number % len(look["lines"])], _STYLES[number % len(_STYLES)]
        axes.plot(false, missed, style, color=colour, label=name, linewidth=1.8)
    axes.axvline(limit, color=look["text"], linestyle=(0, (1, 2)), linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
    axes.set_xlim(max(limit / 10, 1e-5), 1)
    lowest = min((float(missed[missed > 0].min()) for _, _, missed in curves if (missed > 0).any()), default=0.01)
    axes.set_ylim(max(10.0 ** np.floor(np.log10(lowest)), 1e-3), 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(
            lambda value, _: f"{value:.3%}".rstrip("0%").rstrip(".") + " %" if value < 1 else "100 %"
        )
        axis.set_minor_formatter(lambda _value, _place: "")
    if len(curves) > 1:
        axes.legend(frameon=False, labelcolor=look["text"], fontsize=9)


def _histogram(axes: Any, look: dict[str, Any], parts: Sequence[tuple[str, Floats]], threshold: float | None) -> None:
    low = min(float(values.min()) for _, values in parts if values.size)
    bins = np.linspace(low, 1.0, 61)
    for number, (name, values) in enumerate(parts):
        if not values.size:
            continue
        shares = np.full(len(values), 100 / len(values))
        colour = look["lines"][number]
        axes.hist(values, bins, weights=shares, histtype="stepfilled", alpha=0.25, color=colour)
        axes.hist(values, bins, weights=shares, histtype="step", linewidth=1.6, linestyle=_STYLES[number], color=colour)
        axes.plot([], [], _STYLES[number], color=colour, label=name, linewidth=1.6)
    if threshold is not None:
        axes.axvline(threshold, color=look["text"], linestyle=(0, (1, 2)), linewidth=1.2, label="threshold")
    axes.set(xlabel="similarity", ylabel="share of searches, %")
    axes.legend(frameon=False, labelcolor=look["text"], fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0))


_INCHES = (4.2, 3.5)


def _drawn(title: str, paint: Any, alt: str, caption: str) -> Drawn:
    light, dark = (_address(paint, look) for look in (_LIGHT, _DARK))
    return Drawn(title, light, dark, round(_INCHES[0] * 96), round(_INCHES[1] * 96), alt, caption)


def _address(paint: Any, look: dict[str, Any]) -> str:
    """The picture as a data address: nothing is fetched, and no window is opened (the Agg canvas, without pyplot)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=192, layout="constrained", facecolor=look["back"])
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=look["back"])
    paint(axes, look)
    axes.grid(color=look["grid"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=look["text"], labelsize=9)
    for spine in axes.spines.values():
        spine.set_color(look["grid"])
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=look["text"], fontsize=10)
    stream = io.BytesIO()
    # No Software tag: the same figures give the same bytes.
    canvas.print_png(stream, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
