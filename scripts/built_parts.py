"""What a build consists of: its functions with their layers, as the template says, and what should lie in each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proviso.local.template import read_yaml

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {"CoreLayer": "core", "VisionLayer": "vision", "ModelsLayer": "models"}
"""Logical ids of the layers and their folders below layers/."""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's words for an architecture, and those of wheels."""

OFFLINE = ("local", "cli", "evaluation")
"""The parts of the package that no layer may hold."""


@dataclass(frozen=True)
class Function:
    """A function of the template: what it is called, its handler, and its layers in the order in which they count."""

    name: str
    handler: str
    layers: tuple[str, ...]

    @property
    def stage(self) -> str:
        """The folder below functions/."""
        return self.handler.split(".")[1]


def functions(template: Path = ROOT / "template.yaml") -> list[Function]:
    """All of them. SAM joins the layers of Globals with a function's own, Globals first."""
    raw = read_yaml(template)
    everywhere = raw.get("Globals", {}).get("Function", {})
    found = []
    for name, resource in raw["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            own: Mapping[str, Any] = resource["Properties"]
            layers = [one["Ref"] for one in [*everywhere.get("Layers", []), *own.get("Layers", [])]]
            found.append(Function(name, own["Handler"], tuple(layers)))
    return found


def architecture(template: Path = ROOT / "template.yaml") -> str:
    """The one of AWS, in the word of wheels: aarch64."""
    (word,) = read_yaml(template)["Globals"]["Function"]["Architectures"]
    return MACHINES[word]


def default_pack(template: Path = ROOT / "template.yaml") -> str:
    return str(read_yaml(template)["Parameters"]["ModelPack"]["Default"])


def packs(template: Path = ROOT / "template.yaml") -> list[str]:
    """Those that a function can carry."""
    return [str(one) for one in read_yaml(template)["Parameters"]["ModelPack"]["AllowedValues"]]


def expected_package(root: Path = ROOT) -> set[str]:
    """Files of the package that belong into the core layer, as paths below python/, without what is compiled."""
    source = root / "layers/core/src/proviso"
    return {
        f"proviso/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and _deployed(path.relative_to(source))
    }


def _deployed(path: Path) -> bool:
    demo = path.parts[0] == "policies" and "demo" in path.name.lower()
    return path.parts[0] not in OFFLINE and not demo and "__pycache__" not in path.parts


def expected_archive(function: Function, root: Path = ROOT) -> set[str]:
    """Files that belong into a function's archive, without what is compiled."""
    folder = root / "functions" / function.stage
    found = {"functions/__init__.py"}
    found |= {path.relative_to(root).as_posix() for path in folder.glob("*.py")}
    return found | {path.relative_to(root).as_posix() for path in (folder / "page").rglob("*") if path.is_file()}
