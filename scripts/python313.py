# ruff: noqa: S603, T201 - runs other Pythons to ask their version, and prints for people
"""Finds a Python 3.13, which the functions run under: layers are compiled for it, and built functions are proved by it.

Looked for in this order: $PYTHON313, python3.13 on PATH, pyenv's versions, uv's. A name that does not run is passed
over (pyenv leaves such a name on PATH for every version that it ever had). Prints the path; exit code 3 where there is
none, with what to do. Standard library only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

WANTED = (3, 13)
HELP = (
    "there is no Python 3.13 here, and layers are compiled for it. Get one by one of these:\n"
    "  uv python install 3.13\n"
    "  pyenv install 3.13\n"
    "  sudo apt-get install python3.13-venv      (where the distribution has it)\n"
    "or name one that lies elsewhere: PYTHON313=/path/to/python3.13"
)
Say = Callable[[list[str]], str | None]


def said(command: list[str]) -> str | None:
    """What a command prints; None where it fails, is not there, or takes longer than 20 s."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def candidates(environment: Mapping[str, str], say: Say = said) -> Iterator[str]:
    """Where one may be. With PYTHON313 set there, nowhere else is looked."""
    named = environment.get("PYTHON313", "").strip()
    if named:
        yield shutil.which(named, path=environment.get("PATH")) or named
        return
    for folder in environment.get("PATH", "").split(os.pathsep):
        path = Path(folder or ".") / "python3.13"
        if os.access(path, os.X_OK) and path.is_file():
            yield str(path)
    pyenv = say(["pyenv", "root"]) or environment.get("PYENV_ROOT") or str(Path.home() / ".pyenv")
    found = [path / "bin" / "python3.13" for path in Path(pyenv).glob("versions/3.13*")]
    yield from (str(path) for path in sorted(found, key=_number, reverse=True) if path.is_file())
    uv = say(["uv", "python", "find", "--no-python-downloads", "3.13"])
    if uv:
        yield uv


def _number(path: Path) -> list[int]:
    return [int(part) if part.isdigit() else -1 for part in path.parent.parent.name.split(".")]


def runs(python: str, say: Say = said) -> bool:
    """Whether it starts, is CPython, and of the wanted version."""
    text = say([python, "-I", "-c", "import sys; print(sys.implementation.name, *sys.version_info[:2])"])
    return text == f"cpython {WANTED[0]} {WANTED[1]}"


def find(environment: Mapping[str, str] | None = None, say: Say = said) -> str | None:
    """The first that runs, as an absolute path; None where none does."""
    known = os.environ if environment is None else environment
    return next((str(Path(one).absolute()) for one in candidates(known, say) if runs(one, say)), None)


def main() -> int:
    python = find()
    if python is None:
        named = os.environ.get("PYTHON313", "").strip()
        print(f"PYTHON313={named} is no Python 3.13 that runs\n{HELP}" if named else HELP, file=sys.stderr)
        return 3
    print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
