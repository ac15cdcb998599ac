"""The report as one HTML page that stands alone: pictures inside, no script, nothing fetched."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from proviso.evaluation.identification import MIXED
from proviso.evaluation.pictures import draw
from proviso.evaluation.results import Evaluation

_NOTHING = "-"


def page(done: Evaluation) -> str:
    """The HTML. Everything that comes from data is escaped."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "share": share,
        "between": between,
        "figure": figure,
        "odds": odds,
        "words": words,
        "wanted": wanted,
    }
    text = resources.files("proviso.evaluation").joinpath("page.html").read_text("utf-8")
    figures = done.figures
    mixed = [row for row in figures["identification"] if row["list"] == MIXED]
    return environment.from_string(text).render(
        f=figures,
        mixed=mixed,
        headline=headline(mixed),
        compositions=compositions(figures),
        groups=[row for row in figures["groups"] if row["list"] == MIXED],
        pictures=draw(done.lists, figures["identification"], done.compared),
    )


def headline(mixed: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row to begin with: the largest list that gave figures, at the first wanted FPIR."""
    told = [row for row in mixed if not row["refused"] and row["tpir"] is not None]
    return max(told, key=lambda row: (row["list_size"], row["fpir_wanted"]), default=None)


def compositions(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists of one group beside the mixed list of the same size; `worst`: the highest FPIR among them."""
    own = [row for row in figures["groups"] if row["list"] != MIXED]
    rows: list[dict[str, Any]] = []
    for size in sorted({row["list_size"] for row in own}):
        at = [row for row in own if row["list_size"] == size]
        beside = [
            row
            for row in figures["identification"]
            if row["list"] == MIXED and row["list_size"] == size and row["fpir_wanted"] == at[0]["fpir_wanted"]
        ]
        for row in beside:
            rows.append(
                {
                    "size": size,
                    "name": "mixed",
                    "threshold": row["threshold"],
                    "fpir": row["fpir_achieved"],
                    "fpir_low": row["fpir_low"],
                    "fpir_high": row["fpir_high"],
                    "tpir": row["tpir"],
                    "tpir_low": row["tpir_low"],
                    "tpir_high": row["tpir_high"],
                    "strangers": row["non_mated_people"],
                    "mated": row["mated_people"],
                    "p": None,
                    "worst": False,
                    "remark": row["mark"],
                }
            )
        highest = max((row["fpir"] for row in at if row["fpir"] is not None), default=None)
        for row in at:
            rows.append(
                {
                    name: row[name]
                    for name in ("fpir", "fpir_low", "fpir_high", "tpir", "tpir_low", "tpir_high", "remark")
                }
                | {
                    "size": size,
                    "name": f"{row['column']}: {row['value']}",
                    "threshold": row["threshold"],
                    "strangers": row["n_non_mated"],
                    "mated": row["n_mated"],
                    "p": row["p_corrected_fpir"],
                    "worst": highest is not None and row["fpir"] == highest and len(at) > 1,
                }
            )
    return rows


def share(value: float | None) -> str:
    """A rate in per cent, with more digits the smaller it is."""
    if value is None:
        return _NOTHING
    return f"{value * 100:.2f} %" if value < 0.05 else f"{value * 100:.1f} %"


def wanted(value: float) -> str:
    """A rate that somebody chose."""
    return f"{value * 100:g} %"


def between(low: float | None, high: float | None) -> str:
    """An interval in per cent."""
    if low is None or high is None:
        return ""
    digits = 2 if high < 0.1 else 1
    return f"{low * 100:.{digits}f} to {high * 100:.{digits}f}"


def figure(value: float | None) -> str:
    """A similarity or a threshold, which has four decimals."""
    return _NOTHING if value is None else f"{value:.4f}"


def odds(value: float | None) -> str:
    """A corrected p-value."""
    if value is None:
        return _NOTHING
    return "below 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def words(name: str) -> str:
    """A reason code as words."""
    return name.replace("_", " ")
