"""The estimate as a picture that can be read on a phone: bars with their dollars, large type, no legend."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from proviso.cli.cost import model

if TYPE_CHECKING:
    from proviso.cli.cost.estimate import Estimate

_INK, _BAR, _OVER = "#1d2433", "#2f6f9f", "#b4531f"
_MOST, _WIDE = 8, 24


def drawable(path: Path) -> str:
    """Why no picture can be there; "" when it can."""
    if path.suffix.lower() != ".png":
        return f"{path}: the picture is a PNG, its name must end in .png"
    return f"{path} is a folder" if path.is_dir() else ""


def draw(found: "Estimate", path: Path) -> None:
    """Write a PNG. OSError where it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(6.4, 10.4), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2 if found.million else 1, 1, left=0.38, right=0.96, top=0.815, bottom=0.115, hspace=0.3)
    one, other = found.scenario, found.rekognition
    free = "less the free tier" if found.free else "at list price"
    uploads = f"uploads of {one.burst}" if one.burst > 1 else "them"
    _say(figure, 0.975, "What Proviso costs at AWS", 19, weight="bold")
    _say(
        figure,
        0.938,
        f"{one.cameras} cameras, {one.hours:g} hours a month, {one.fps:g} frames a second,\n"
        f"a face in {one.faces_share:.0%} of {uploads}; {found.prices.region}, {free}",
        12,
    )
    _say(
        figure,
        0.889,
        f"A month of it: ${found.month_totals[0]:,.2f} to ${found.month_totals[1]:,.2f}",
        14,
        weight="bold",
    )
    if found.million:
        title = f"A million frames: ${found.million_total:.2f}"
        met = found.million_total <= model.TARGET_MILLION
        _bars(figure.add_subplot(grid[0]), found.million, title, f"target ${model.TARGET_MILLION:.0f}", met)
    idle = {f"{service}: {what}": amount for (service, what), amount in found.idle_free.by_line().items()}
    met = found.idle_free.total < model.TARGET_IDLE
    title = f"An idle month: ${found.idle_free.total:.2f}"
    _bars(figure.add_subplot(grid[-1]), idle, title, f"target under ${model.TARGET_IDLE:.0f}", met)
    _say(
        figure,
        0.085,
        f"Lower figure and idle month: less AWS's lasting free tier.\n"
        f"Idle at list price: ${found.idle_list.total:.2f}. SMS: in the month alone.\n"
        f"Amazon Rekognition's calls for the same frames: ${other.all_faces:,.0f}.",
        13,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _say(figure: Any, height: float, text: str, size: float, **more: Any) -> None:
    """Dollar signs are dollars here and begin no formula."""
    figure.text(0.03, height, text, fontsize=size, color=_INK, va="top", linespacing=1.35, parse_math=False, **more)


def _bars(axes: Any, amounts: dict[str, float], title: str, target: str, met: bool) -> None:
    """The largest, the rest as one."""
    falling = sorted(amounts.items(), key=lambda one: -one[1])
    shown, rest = falling[:_MOST], sum(value for _, value in falling[_MOST:])
    shown = [one for one in [*shown, ("the rest", rest)] if one[1] >= 0.005][::-1]
    values = [value for _, value in shown]
    axes.barh([_short(name) for name, _ in shown], values, color=_BAR if met else _OVER, height=0.68)
    most = max(values, default=1.0)
    for place, value in enumerate(values):
        axes.text(
            value + most * 0.015, place, f"${value:.2f}", va="center", fontsize=12.5, color=_INK, parse_math=False
        )
    axes.set_xlim(0, most * 1.25)
    verdict = f"{title}  ({target}: {'met' if met else 'missed'})"
    axes.text(
        -0.6, 1.03, verdict, transform=axes.transAxes, fontsize=14, color=_INK, weight="bold", parse_math=False
    )  # fmt: skip
    axes.tick_params(axis="y", labelsize=12, length=0, colors=_INK)
    axes.xaxis.set_visible(False)
    for side in axes.spines.values():
        side.set_visible(False)


def _short(name: str) -> str:
    """A label fits beside its bar; the service goes where the line says enough without it."""
    text = name.partition(": ")[2] if len(name) > _WIDE else name
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"
