"""`proviso calibrate`: evaluations become a calibration, in this process and without a server."""

import json
from pathlib import Path
from typing import Annotated

import typer

from proviso.cli.api import ApiFault
from proviso.cli.output import plain_faults, say, table
from proviso.domain.calibration import Calibration
from proviso.domain.calibration_json import to_json
from proviso.evaluation.calibrate import REMARK, read_evaluation
from proviso.evaluation.calibrate import calibrate as work_out


def calibrate(
    evaluations: Annotated[list[Path], typer.Argument(help="JSON of `proviso evaluate --json`, of one pipeline")],
    out: Annotated[Path, typer.Option(help="Where the calibration goes; a file that is there is replaced")],
    fpir: Annotated[
        float, typer.Option(help="False candidates a searched face, at most, on the worst measured list")
    ] = 0.01,
    remark: Annotated[str, typer.Option(help="Under which conditions the pictures were taken")] = REMARK,
) -> None:
    """The lowest thresholds that evaluations support (S12), how often strangers reach a similarity, how groups fare.

    What the data cannot bear is called not measured. A calibration of your own counts when it lies with its pack at the
    next deployment: vision/packs/<pack>.calibration.json.
    """
    with plain_faults():
        made = work_out([read_evaluation(path) for path in evaluations], fpir, remark)
        write(made, out)
    show(made)
    say(f"\nwritten to {out}: {made.id}, of the pipeline {made.pipeline[:12]}")


def write(calibration: Calibration, file: Path) -> None:
    """A row a line, so that two of them can be compared. ApiFault when it cannot be written."""
    values = to_json(calibration)
    parts = []
    for name in sorted(values):
        rows = values[name]
        if isinstance(rows, list) and rows:
            lines = ",\n".join("  " + json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
            parts.append(f" {json.dumps(name)}: [\n{lines}\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(rows, sort_keys=True, ensure_ascii=False)}")
    try:
        file.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")
    except OSError as error:
        raise ApiFault(f"{file} cannot be written: {error.strerror}") from error


def show(calibration: Calibration) -> None:
    """The figures as people read them."""
    rows = [
        (
            point.list_size,
            point.frames_per_probe,
            f"{point.threshold_floor:.3f}",
            interval(point.face_fpir_low, point.face_fpir_high),
            interval(point.passage_fpir_low, point.passage_fpir_high),
            point.set_by,
        )
        for point in calibration.points
    ]
    columns = ("list up to", "frames", "lowest threshold", "FPIR a face, measured lists", "FPIR a passage", "set by")
    table(f"Calibration: {calibration.data}", columns, rows)
    say(f"\n{calibration.remark}")


def interval(low: float | None, high: float | None) -> str:
    """A rate between two ends, in per cent; "not measured" where there is none."""
    if high is None:
        return "not measured"
    if low is None:
        return f"not measured (at most {high:.2%})"
    return f"{low:.2%} to {high:.2%}"
