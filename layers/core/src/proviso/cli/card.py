"""`proviso card`: a pack's model card, from what comes with the pack."""

from pathlib import Path
from typing import Annotated

import typer

from proviso.cli.api import ApiFault
from proviso.cli.output import plain_faults, say
from proviso.evaluation.calibrate import read_evaluation
from proviso.evaluation.card import card as written
from proviso.vision.calibrations import shipped_calibration
from proviso.vision.pack import load_manifest


def card(
    pack: Annotated[str, typer.Argument(help="mobilefacenet, sface or dlib")],
    evaluation: Annotated[Path | None, typer.Option(help="JSON of `proviso evaluate --json`, of this pipeline")] = None,
    out: Annotated[Path | None, typer.Option(help="Write it there; else it is printed")] = None,
) -> None:
    """What the models are, what they were trained on, where they fail, and what nobody has measured."""
    with plain_faults():
        try:
            text = written(
                load_manifest(pack), shipped_calibration(pack), read_evaluation(evaluation) if evaluation else None
            )
        except ValueError as error:
            raise ApiFault(str(error)) from error
        if out is None:
            print(text, end="")
            return
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, "utf-8")
        except OSError as error:
            raise ApiFault(f"{out} cannot be written: {error.strerror}") from error
    say(f"written to {out}")
