"""proviso evaluate: how often the right person is found and a stranger is taken for one, on pictures of your own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proviso.cli import places
from proviso.cli.api import ApiFault
from proviso.cli.output import errors, fail, plain_faults, say, table

if TYPE_CHECKING:
    from proviso.evaluation.results import Progress

_DEFAULT_OUT = Path("out/evaluation")


def evaluate(
    folders: Annotated[list[Path] | None, typer.Argument(help="<identity>/<picture>, or several such sets")] = None,
    pack: Annotated[str, typer.Option(help="mobilefacenet, sface or dlib (slow)")] = "",
    pairs: Annotated[Path | None, typer.Option(help="CSV for verification: fold, same, file1, file2")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="CSV with `file` or `identity`, and groups; repeat")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Column of the labels to compare by; repeat")] = None,
    aliases: Annotated[Path | None, typer.Option(help="CSV id_a, id_b: two identities that are one person")] = None,
    references: Annotated[int, typer.Option(min=1, max=10, help="Pictures enrolled of each entry, where enough")] = 1,
    frames: Annotated[int, typer.Option(min=1, max=5, help="Pictures fused for each search")] = 1,
    burst_like: Annotated[bool, typer.Option(help="Imitate the frames of a search from one picture")] = False,
    fusion: Annotated[str, typer.Option(help="mean: one template of several; max: the best of all")] = "mean",
    fpir: Annotated[
        list[float] | None, typer.Option(help="Wanted FPIR, a share of searches; repeat [0.01, 0.003]")
    ] = None,
    list_size: Annotated[list[int] | None, typer.Option(help="Entries on a list; repeat [50, 100, 500]")] = None,
    lists: Annotated[int, typer.Option(min=1, max=1000, help="Lists drawn for each size")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Draws people and pictures")] = 0,
    conditions: Annotated[bool, typer.Option(help="Measure small faces and compression too")] = True,
    thresholds: Annotated[
        Path | None,
        typer.Option(help="Apply the frozen thresholds of another evaluation's JSON, or a calibration's lowest ones"),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report here")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for both; out/evaluation without --json, --html")] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes; 0: one for each core")] = 0,
    cache: Annotated[bool, typer.Option(help="Keep templates for the next run (in the user's cache, 0700)")] = True,
    clear_cache: Annotated[
        bool, typer.Option("--clear-cache", help="Delete what is kept, and do nothing else")
    ] = False,
) -> None:
    """Measure accuracy on pictures of your own: verification, open-set identification, groups, small faces."""
    with plain_faults():
        from proviso.evaluation import cache as kept

        where = places.cache_folder().parent / "evaluation"
        if clear_cache:
            say(f"{kept.clear(where)} caches deleted from {where}")
            return
        if not folders:
            fail("name a folder of pictures: proviso evaluate FOLDER", 2)
        from proviso.evaluation.results import Options, read_thresholds, to_json
        from proviso.evaluation.results import evaluate as run
        from proviso.evaluation.searches import Rules

        if fusion not in ("mean", "max"):
            fail(f"--fusion is mean or max, not {fusion}", 2)
        rates, sizes = fpir or [0.01, 0.003], list_size or [50, 100, 500]
        if not all(0 < rate < 1 for rate in rates):
            fail("--fpir lies between 0 and 1", 2)
        if not all(size >= 1 for size in sizes):
            fail("--list-size is 1 or more", 2)
        if group and not labels:
            fail("--group names a column of a label file; name the file too: --labels FILE", 2)
        options = Options(
            folders=folders,
            pack=pack or places.pack_name(),
            pairs=pairs,
            labels=labels or (),
            columns=group or (),
            aliases=aliases,
            rules=Rules(references, frames, fusion, burst_like),
            fpir=list(dict.fromkeys(rates)),
            list_sizes=sorted(set(sizes)),
            lists=lists,
            seed=seed,
            conditions=conditions,
            thresholds=read_thresholds(thresholds) if thresholds else None,
        )
        with _machine(options.pack, workers or _cores(), where if cache else None) as machine:
            done = run(options, machine)
        if not (json_file or html_file or out):
            out = _DEFAULT_OUT
        json_file = json_file or (out / "evaluation.json" if out else None)
        html_file = html_file or (out / "evaluation.html" if out else None)
        if json_file:
            _write(json_file, to_json(done.figures))
        show(done.figures)
        drawn = {row["list_size"] for row in done.figures["identification"]}
        if small := [str(size) for size in options.list_sizes if size not in drawn]:
            say(f"too few people for a list of {', '.join(small)}: take more people, or a smaller --list-size")
        if html_file:
            from proviso.evaluation.page import page

            _write(html_file, page(done))
        for path in filter(None, (json_file, html_file)):
            say(f"written: {path}")


def _cores() -> int:
    """The cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _machine(pack: str, workers: int, cache_folder: Path | None) -> Iterator[Any]:
    from proviso.evaluation.cache import Cache
    from proviso.evaluation.results import Machine
    from proviso.vision.pipeline import load_pipeline

    root = places.checkout()
    models = places.find_models(root, pack=pack)
    make = partial(load_pipeline, pack, folders=[models.folder])
    pipeline = make()
    if pack == "dlib":
        say("the pack dlib takes about half a second a picture")
    cache = Cache(cache_folder, pipeline.digest) if cache_folder else None
    try:
        with _progress() as progress:
            yield Machine(
                make=make,
                workers=workers,
                cache=cache,
                progress=progress,
                digest=pipeline.digest,
                dimension=pipeline.dimension,
                software=metadata.version("proviso"),
                clock=lambda: datetime.now(UTC),
            )
    finally:
        if cache:
            cache.close()


@contextmanager
def _progress() -> Iterator["Progress"]:
    """A bar for each part; nothing where nobody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield step


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ApiFault(f"{path} cannot be written: {error.strerror}") from error


def show(figures: dict[str, Any]) -> None:
    """The figures that matter, on the terminal."""
    from proviso.evaluation.page import between, compositions, figure, odds, share

    def rate(row: dict[str, Any], name: str, of: str) -> str:
        return f"{share(row[name])} ({between(row[f'{of}_low'], row[f'{of}_high'])})" if row[name] is not None else "-"

    data, verification = figures["data"], figures["verification"]
    say(f"{data['name']}: {data['images']} pictures of {data['people']} people")
    for name in ("failures_to_acquire", "failures_to_enrol"):
        part = data[name]
        reasons = ", ".join(f"{reason} {count}" for reason, count in part["reasons"].items()) or "none"
        interval = between(part["low"], part["high"])
        say(f"{name.replace('_', ' ')}: {share(part['rate'])} of people ({interval}); pictures: {reasons}")
    for remark in data["remarks"]:
        say(f"  {remark}")
    if verification:
        interval = between(verification["accuracy_low"], verification["accuracy_high"])
        say(f"verification: {share(verification['accuracy'])} ({interval}) of {verification['pairs']} pairs")
        for row in verification["tmr_at_fmr"]:
            tmr = rate(row, "tmr", "tmr")
            say(f"  TMR {tmr} at FMR {row['fmr_wanted']:g} {row['mark']}")
    rows = [
        (
            row["list_size"],
            f"{row['fpir_wanted']:g}",
            figure(row["threshold"]),
            rate(row, "fpir_achieved", "fpir"),
            rate(row, "tpir", "tpir"),
            share(row["rank_1"]),
            f"{row['non_mated_people']}/{row['mated_people']}",
            "refused" if row["refused"] else "rough" if row["mark"] else "",
        )
        for row in figures["identification"]
        if row["list"] == "mixed"
    ]
    names = ("list", "wanted", "threshold", "FPIR achieved", "TPIR", "rank 1", "strangers/listed", "")
    table("Identification, mixed lists", names, rows)
    for row in figures["identification"]:
        if row["list"] == "mixed" and row["refused"]:
            say(f"list of {row['list_size']} at {row['fpir_wanted']:g}: {row['mark']}")
    if any(row[-1] == "rough" for row in rows):
        say("rough: below the rule of 30, so look at the interval; 95 %, over the people of one list")
    one_group = [
        (
            row["size"],
            row["name"],
            rate(row, "fpir", "fpir"),
            rate(row, "tpir", "tpir"),
            f"{row['strangers']} / {row['mated']}",
            odds(row["p"]),
            "highest" if row["worst"] else "",
        )
        for row in compositions(figures)
    ]
    if one_group:
        table("Lists of one group", ("list", "of", "FPIR", "TPIR", "strangers / listed", "p", ""), one_group)
    conditions = [
        (
            "as it is" if row["to"] is None else f"{row['by'].replace('_', ' ')} {row['to']}",
            rate(row, "tpir", "tpir"),
            f"{row['failures_to_acquire']} of {row['n']}",
            rate(row, "fpir", "fpir"),
        )
        for row in figures["conditions"]
    ]
    if conditions:
        table("Altered pictures", ("picture", "TPIR", "not searched", "FPIR"), conditions)
