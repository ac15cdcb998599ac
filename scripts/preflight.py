# ruff: noqa: T201, UP006, UP035 - prints for people; must be readable by Pythons older than the house
"""Checks before anything is installed, with the bare system Python: what is there, what will be downloaded.

Kept to the standard library and to syntax that older Pythons can read, so that a wrong one is told apart by a sentence
and not by a traceback. Each thing that is missing comes with one command that mends it.
"""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Iterator, List, Tuple

ROOT = Path(__file__).resolve().parent.parent
ENOUGH_GB = 2.5
PACKAGES_MB = 254  # the wheels of requirements/run.txt
PACK_FILES = {"yunet_n_dynamic.onnx": 0.3, "MobileFaceNet.onnx": 4.0}
DLIB_MB = 100


def checks() -> Iterator[Tuple[str, bool, str, str]]:
    """Each check as (name, whether it holds, what was found, how to mend it)."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield (
        "Python",
        sys.version_info >= (3, 11),
        f"{version}; 3.11 or later is needed",
        "sudo apt-get install python3.11 python3.11-venv, then: make demo PYTHON=python3.11",
    )
    venv = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
    made = (ROOT / ".venv" / "bin" / "python").exists()
    yield (
        "venv",
        venv or made,
        "there" if venv else "made before" if made else "the module venv or ensurepip is missing",
        "sudo apt-get install python3-venv",
    )
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    yield (
        "disk",
        free >= ENOUGH_GB,
        f"{free:.1f} GB free; packages take 1.2 GB, the package cache 0.3 GB, a demonstration 0.1 GB",
        f"free {max(ENOUGH_GB - free, 0.1):.1f} GB below {ROOT}",
    )


def downloads() -> Iterator[str]:
    """What will be fetched, in sentences."""
    if (ROOT / ".venv" / ".run").exists() or (ROOT / ".venv" / ".dev").exists():
        yield "packages: installed before; only what changed since"
    else:
        yield f"packages: about {PACKAGES_MB} MB from the package index (less where pip's cache has them)"
    pack = os.environ.get("PROVISO_PACK", "")
    if pack == "dlib":
        yield f"models: about {DLIB_MB} MB from the package index (the dlib pack)"
        return
    if pack not in ("", "mobilefacenet"):
        yield f"models: those of the pack {pack}, where they are not on this machine"
        return
    missing = [name for name in PACK_FILES if not any((folder / name).is_file() for folder in model_folders())]
    if missing:
        size = sum(PACK_FILES[name] for name in missing)
        yield (
            f"models: {', '.join(missing)}, {size:.1f} MB; where the network does not give them, "
            f"the dlib pack instead, about {DLIB_MB} MB"
        )
    else:
        yield "models: nothing, they are on this machine"


def model_folders() -> List[Path]:
    """The same places in the same order as the command line looks into."""
    named = [Path(part).expanduser() for part in os.environ.get("PROVISO_MODELS", "").split(os.pathsep) if part]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"))
    return [*named, ROOT / "models", ROOT.parent / "shared" / "models", cache / "proviso" / "models"]


def main() -> int:
    """Print all of it; exit code 1 when something must be mended first."""
    wrong = 0
    print("Checks before anything is installed")
    for name, held, found, mend in checks():
        print(f"  {'ok' if held else 'WRONG':6} {name}: {found}")
        if not held:
            wrong += 1
            print(f"         mend it with: {mend}")
    if wrong:
        return 1
    print("What will be downloaded")
    for line in downloads():
        print("  " + line)
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
