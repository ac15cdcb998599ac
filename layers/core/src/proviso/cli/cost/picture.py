"""The estimate as a picture that can be read on a phone: three bars' worth of lines, large type, no legend to look up."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from proviso.cli.cost import model

if TYPE_CHECKING:
    from proviso.cli.cost.command import Estimate

_INK, _BAR, _OVER, _MARK = "#1d2433", "#2f6f9f", "#b4531f", "#7a1f3d"


def draw(found: "Estimate", path: Path) -> None:
    """Write a PNG. ValueError for another kind of file, OSError where it cannot be written."""
    if path.suffix.lower() != ".png":
        raise ValueError("the picture is a PNG: its name must end in .png")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(6.4, 9.6), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    parts = [found.million] if found.million else []
    grid = figure.add_gridspec(len(parts) + 1, 1, left=0.27, right=0.95, top=0.87, bottom=0.1, hspace=0.42)
    one = found.scenario
    figure.text(0.03, 0.965, "What Proviso costs at AWS", fontsize=19, color=_INK, weight="bold", va="top")
    free = "free tier taken off" if found.free else "no free tier"
    figure.text(
        0.03, 0.93,
        f"{one.cameras} cameras, {one.hours:g} h a month, {one.fps:g} frames a second, a face in {one.faces_share:.0%}\n"
        f"{found.prices.region}, {free}, prices of {found.prices.read}",
        fontsize=11.5, color=_INK, va="top",
    )  # fmt: skip
    if found.million:
        _bars(
            figure.add_subplot(grid[0]), found.million, f"A million frames: ${found.million_total:.2f}",
            f"target ${model.TARGET_MILLION:.0f}", found.million_total <= model.TARGET_MILLION,
        )  # fmt: skip
    _bars(
        figure.add_subplot(grid[-1]), found.idle.by_service(), f"An idle month: ${found.idle.total:.2f}",
        f"target under ${model.TARGET_IDLE:.0f}", found.idle.total < model.TARGET_IDLE,
    )  # fmt: skip
    other = found.rekognition
    figure.text(
        0.03, 0.022,
        f"This month: ${found.month.total:,.2f}, notices included.\n"
        f"Amazon Rekognition's calls for the same frames: ${other.all_faces:,.0f}.",
        fontsize=12.5, color=_INK, va="bottom",
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _bars(axes: Any, amounts: dict[str, float], title: str, target: str, met: bool) -> None:
    shown = sorted(((name, value) for name, value in amounts.items() if value >= 0.005), key=lambda one: one[1])
    names, values = [name for name, _ in shown], [value for _, value in shown]
    axes.barh(names, values, color=_BAR if met else _OVER, height=0.68)
    most = max(values, default=1.0)
    for place, value in enumerate(values):
        axes.text(value + most * 0.015, place, f"${value:.2f}", va="center", fontsize=12.5, color=_INK)
    axes.set_xlim(0, most * 1.22)
    axes.set_title(f"{title}   ({target}: {'met' if met else 'missed'})", fontsize=13.5, loc="right", color=_INK,
                   weight="bold", pad=9)
    axes.tick_params(axis="y", labelsize=12.5, length=0, colors=_INK)
    axes.xaxis.set_visible(False)
    for side in axes.spines.values():
        side.set_visible(False)
