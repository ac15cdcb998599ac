"""The calibrations that come with the packs: numbers, read as package data, in the standard library alone."""

import json
from importlib import resources
from typing import Any

from proviso.domain.calibration import PACK, Calibration
from proviso.domain.calibration_json import from_json
from proviso.domain.errors import ConfigurationFault
from proviso.vision.pack import PACKS


def shipped_calibration(pack: str) -> Calibration | None:
    """The calibration of this pack; None where it ships none. ConfigurationFault when the file is no calibration."""
    file = resources.files("proviso.vision").joinpath("packs", f"{pack}.calibration.json")
    if not file.is_file():
        return None
    return from_json(_values(file.read_text("utf-8"), pack), f"the calibration of {pack}", recorded_by=PACK)


def shipped_calibrations() -> list[Calibration]:
    """Those of all packs that ship one."""
    return [found for pack in PACKS if (found := shipped_calibration(pack)) is not None]


def _values(text: str, pack: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationFault(f"the calibration of {pack} cannot be read: {error}") from error
