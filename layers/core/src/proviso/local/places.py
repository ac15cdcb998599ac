"""Where a function runs: from the checkout with this machine's Python, or from what was built with a Python 3.13.

Of a built tree a function sees what Lambda would show it and nothing else: its own folder, the layers that the template
gives it, and the runtime client with boto3. So what a build has left out is missing here too.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local.worker import Function, Place

OPT = "/opt/"
_POLICIES = Path("python/proviso/policies/files")


def in_checkout(root: Path) -> Place:
    """This interpreter, on the sources as they lie in the checkout."""
    return Place(Path(sys.executable), root, (root, root / "layers/core/src"))


@dataclass(frozen=True)
class Built:
    """A built tree (`make build-host`). `overlay` is a folder of the local cloud for what it adds to a layer."""

    folder: Path
    pack: str
    overlay: Path
    core: Path

    def place(self, function: Function) -> Place:
        """Where a function of the template runs. ConfigurationFault when the tree does not hold it or a layer of it."""
        own = self.folder / function.logical_id
        layers = tuple(self.core if name == "CoreLayer" else self.folder / name for name in function.layers)
        for needed in (own, *layers):
            if not needed.is_dir():
                raise ConfigurationFault(f"{self.folder} holds no {needed.name}; `make build-host` makes it")
        path = (own, *(layer / "python" for layer in layers if (layer / "python").is_dir()))
        return Place(self.folder / "runtime/bin/python", own, path, layers)


def built(folder: Path, data: Path, root: Path, policies: Sequence[str], pack: str | None) -> Built:
    """A built tree to run functions from. `pack`: which one the caller means to use, None for whichever it holds.

    Policies that are for the local cloud alone are in no build. They are added to a copy of the core layer below
    `data`, the copy made of hard links where that can be. ConfigurationFault where the tree cannot be used.
    """
    described = _described(folder)
    if pack and pack != described["pack"]:
        raise ConfigurationFault(f"{folder} was built with the pack {described['pack']}, and {pack} is asked for")
    core = folder / "CoreLayer"
    added = [name for name in policies if not (core / _POLICIES / f"{name}.toml").is_file()]
    overlay = data / "built"
    shutil.rmtree(overlay, ignore_errors=True)
    if added and core.is_dir():
        shutil.copytree(core, overlay / "CoreLayer", copy_function=_link)
        core = overlay / "CoreLayer"
        for name in added:
            shipped = root / "layers/core/src" / _POLICIES.relative_to("python") / f"{name}.toml"
            if shipped.is_file():
                shutil.copyfile(shipped, core / _POLICIES / shipped.name)
    return Built(folder, described["pack"], overlay, core)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _described(folder: Path) -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConfigurationFault(f"{folder} is no built tree; `make build-host` makes one") from None
    if not (folder / "runtime/bin/python").exists():
        raise ConfigurationFault(f"{folder} has no Python to run functions by; `make build-host` makes one")
    return described


def under_opt(value: str, layers: Sequence[Path]) -> str:
    """A path below /opt as it lies in the first layer that holds it; unchanged where none does: then it is missing."""
    below = value.removeprefix(OPT)
    return next((str(layer / below) for layer in layers if (layer / below).exists()), value)
