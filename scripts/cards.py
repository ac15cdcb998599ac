"""Write the model cards, docs/models/<pack>.md, from what comes with the packs: what `make cards` does."""

import json
import sys
from pathlib import Path
from typing import Any

from proviso.evaluation.card import card
from proviso.vision.calibrations import shipped_calibration
from proviso.vision.pack import PACKS, load_manifest

MODELS = Path(__file__).resolve().parent.parent / "docs/models"


def text(pack: str) -> str:
    """The card as it should stand."""
    figures = [_read(MODELS / f"{pack}.{kind}.json") for kind in ("evaluation", "floors")]
    return card(load_manifest(pack), shipped_calibration(pack), *figures)


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def main() -> int:
    """0 when all are written, 1 when one cannot be: its figures are of another pipeline."""
    MODELS.mkdir(parents=True, exist_ok=True)
    failed = 0
    for each in PACKS:
        try:
            (MODELS / f"{each}.md").write_text(text(each), "utf-8")
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
