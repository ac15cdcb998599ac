"""`proviso policy`: what a policy says and where each value comes from; whether a local one holds; how two differ.

In this process and without a server, so that a policy can be read and checked before anything runs.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from proviso.cli import places
from proviso.cli.output import console, errors, fail, plain_faults, say, table
from proviso.domain.errors import ConfigurationFault
from proviso.domain.policy import Policy
from proviso.domain.tightness import Comparison, Verdict, comparisons, words
from proviso.policies import PolicyFault, PolicyFile, local, parse, read_local, read_shipped, shipped

group = typer.Typer(help="Policies: list, show, check a local one, compare two.", no_args_is_help=True)
Folder = Annotated[Path | None, typer.Option(help="Where local policies lie; else layers/core/policies")]
_COLOURS = {Verdict.TIGHTER: "green", Verdict.LOOSER: "red", Verdict.DIFFERS: "yellow"}


@group.command("list")
def listing(folder: Folder = None) -> None:
    """The policies that ship, and the local ones of a folder."""
    with plain_faults():
        where = _folder(folder)
        rows = [(name, read_shipped(name).policy.version, _shipped_as(name)) for name in shipped()]
        rows += [(name, *_local_as(where, name)) for name in local(where)]
    table("Policies", ("name", "version", "what it is"), rows)


@group.command("show")
def show(name: Annotated[str, typer.Argument(help="A policy's name, or a file")], folder: Folder = None) -> None:
    """Each value of a policy, and where it comes from."""
    with plain_faults():
        _print(_find(name, folder))


@group.command("check")
def check(file: Annotated[Path, typer.Argument(help="A policy file, .toml")]) -> None:
    """Does a policy file hold? What it extends, its values with sources, its differences; or code 1 and its faults."""
    try:
        found = _read(file)
    except PolicyFault as fault:
        for one in fault.faults:
            errors.print(f"[red]{escape(one)}[/red]", soft_wrap=True)
        fail(f"{file}: does not hold, {_many(len(fault.faults), 'fault')}; whatever names it is refused")
    _print(found)
    say(f"\n{file}: holds")


@group.command("diff")
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A policy's name, or a file")],
    second: Annotated[str, typer.Argument(metavar="B", help="A policy's name, or a file")],
    folder: Folder = None,
) -> None:
    """How B stands to A, value by value: tighter, looser, or other where neither way is tighter."""
    with plain_faults():
        a, b = _find(first, folder).policy, _find(second, folder).policy
    found = comparisons(a, b)
    changed = [one for one in found if one.verdict is not Verdict.SAME]
    say(f"A  {a.title}\nB  {b.title}\n")
    if changed:
        _print_changed(changed)
    counts = [f"{sum(one.verdict is verdict for one in found)} {verdict}" for verdict in Verdict]
    say(f"\nB against A: {', '.join(counts)}")
    if any(one.verdict is Verdict.LOOSER for one in changed):
        say("looser: it allows something that A does not")


def _print_changed(changed: list[Comparison]) -> None:
    """Side by side; where the window is too narrow for that, a block a value, since words are not broken."""
    drawn = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("value", "A", "B", "B is"):
        drawn.add_column(column, no_wrap=True)
    for one in changed:
        drawn.add_row(one.field, escape(_lines(one.first)), escape(_lines(one.second)), _coloured(one.verdict))
    if console.measure(drawn, options=console.options.update(max_width=10_000)).maximum <= console.width:
        console.print(drawn)
        return
    for one in changed:
        console.print(f"[bold]{one.field}[/bold]  B is {_coloured(one.verdict)}")
        for side, value in (("A", one.first), ("B", one.second)):
            block = Table.grid(padding=(0, 2, 0, 0))
            block.add_row("", side, escape(words(value)))
            console.print(block)


def _coloured(verdict: Verdict) -> str:
    return f"[{_COLOURS[verdict]}]{verdict}[/{_COLOURS[verdict]}]"


def _lines(value: object) -> str:
    """A list a line each: side by side that is what one can compare."""
    return "\n".join(value) or "none" if isinstance(value, tuple) else words(value)


def _print(file: PolicyFile) -> None:
    policy = file.policy
    console.print(f"[bold]{escape(policy.title)}[/bold]")
    console.print(escape(file.purpose))
    if policy.extends:
        say(f"extends {policy.extends}; values of its own: {', '.join(sorted(file.own)) or 'none'}")
    say(f"digest {policy.digest}")
    _print_differences(policy)
    say("")
    for name, source in file.sources.items():
        mark = " [dim](its own)[/dim]" if policy.extends and name in file.own else ""
        console.print(f"[bold]{name}[/bold]{mark}  {escape(words(getattr(policy, name)))}")
        console.print(Padding(f"[dim]{escape(source)}[/dim]", (0, 0, 0, 4), expand=False))


def _print_differences(policy: Policy) -> None:
    if policy.differences:
        say("")
        console.print(f"[red]It is not {policy.extends}. Wherever a deployment is shown, this stands there:[/red]")
        for one in policy.differences:
            console.print(Padding(f"[red]{escape(one)}[/red]", (0, 0, 0, 4), expand=False))
    elif policy.extends:
        say(f"differences: none; it only tightens {policy.extends}")


def _find(name: str, folder: Path | None) -> PolicyFile:
    """A shipped policy, a local one of the folder, or a file."""
    if name in shipped():
        return read_shipped(name)
    where = _folder(folder)
    if where is not None and name in local(where):
        return read_local(where / f"{name}.toml")
    if name.endswith(".toml") or Path(name).is_file():
        return _read(Path(name))
    known = ", ".join([*shipped(), *local(where)])
    raise ConfigurationFault(f"there is no policy {name!r}; there are {known}; a file's name ends in .toml")


def _read(file: Path) -> PolicyFile:
    """A local policy's file, or the very file of one that ships."""
    if file.stem in shipped() and file.is_file():
        shipped_one = read_shipped(file.stem)
        try:
            if parse(file.read_text(encoding="utf-8")) == shipped_one:
                return shipped_one
        except (PolicyFault, UnicodeDecodeError, OSError):
            pass  # then it is read as a local one, which says what is wrong
    return read_local(file)


def _folder(folder: Path | None) -> Path | None:
    if folder is not None:
        if not folder.is_dir():
            raise ConfigurationFault(f"there is no folder {folder}")
        return folder
    try:
        return places.checkout() / "layers" / "core" / "policies"
    except ConfigurationFault:
        return None  # installed without the checkout: there are the shipped ones


def _shipped_as(name: str) -> str:
    return "for the local cloud alone, in no build" if name == "demo" else "ships"


def _local_as(folder: Path | None, name: str) -> tuple[str, str]:
    """Version and what it is, of a local policy that may not hold."""
    if folder is None:
        return "", ""
    try:
        policy = read_local(folder / f"{name}.toml").policy
    except PolicyFault as fault:
        return "", f"does not hold: {_many(len(fault.faults), 'fault')}, shown by check"
    count = len(policy.differences)
    said = f"NOT {policy.extends}: {_many(count, 'difference')}" if count else f"{policy.extends}, tightened"
    return policy.version, said


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
