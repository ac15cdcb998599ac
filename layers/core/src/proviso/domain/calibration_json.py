"""A calibration as a file: `proviso-calibration/1`, which a pack ships and a site trial gives. Numbers only."""

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from proviso.domain.calibration import (
    LABORATORY,
    SITE_TRIAL,
    Calibration,
    CalibrationPoint,
    GroupRate,
    StrangerRate,
    TrialCounts,
)
from proviso.domain.errors import ConfigurationFault

FORMAT = "proviso-calibration/1"
_DECIMALS = ("threshold_floor", "measured_floor", "similarity", "lower_limit")
_TEXTS = ("id", "pack", "pipeline", "kind", "site", "data", "remark")
_Row = TypeVar("_Row", CalibrationPoint, StrangerRate, GroupRate, TrialCounts)


def to_json(calibration: Calibration) -> dict[str, Any]:
    """The calibration as plain values. Who recorded it is not part of the file."""
    return {
        "format": FORMAT,
        **{name: getattr(calibration, name) for name in _TEXTS},
        "made_at": calibration.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fpir_wanted": calibration.fpir_wanted,
        "points": [_plain(one) for one in calibration.points],
        "strangers": [_plain(one) for one in calibration.strangers],
        "groups": [_plain(one) for one in calibration.groups],
        "trial": _plain(calibration.trial) if calibration.trial else None,
    }


def from_json(values: Any, where: str, recorded_by: str = "") -> Calibration:
    """A calibration from a file's values. ConfigurationFault naming `where` and what is wrong with it."""
    try:
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        found = Calibration(
            **{name: _text(values, name) for name in _TEXTS},
            made_at=datetime.fromisoformat(_text(values, "made_at")).astimezone(UTC),
            points=tuple(_row(CalibrationPoint, one) for one in values["points"]),
            fpir_wanted=values["fpir_wanted"],
            recorded_by=recorded_by,
            strangers=tuple(_row(StrangerRate, one) for one in values["strangers"]),
            groups=tuple(_row(GroupRate, one) for one in values["groups"]),
            trial=_row(TrialCounts, values["trial"]) if values["trial"] else None,
        )
        if not found.id or not found.pipeline or found.kind not in (LABORATORY, SITE_TRIAL):
            raise ValueError("it has no id, no pipeline, or a kind that is none")
    except (KeyError, TypeError, ValueError, InvalidOperation) as wrong:
        raise ConfigurationFault(f"{where} is no calibration: {wrong or type(wrong).__name__}") from wrong
    return found


def _text(values: Mapping[str, Any], name: str) -> str:
    if not isinstance(values[name], str):
        raise ValueError(f"{name} is not text")
    return str(values[name])


def _plain(row: CalibrationPoint | StrangerRate | GroupRate | TrialCounts) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in asdict(row).items()}


def _row(kind: type[_Row], values: Mapping[str, Any]) -> _Row:
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{unknown[0]} is not known")
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is no number")
    decimals = {name: Decimal(str(values[name])) for name in _DECIMALS if values.get(name) is not None}
    return kind(**{**values, **decimals})
