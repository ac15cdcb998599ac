# ruff: noqa: T201 - prints for people
"""The same functions as container images: for x86_64, where layers would be too large, or for larger model packs.

prepare    fills out/images: a built tree for an architecture, the Dockerfiles, and the template with PackageType Image
check      evaluates what the Dockerfiles copy from that tree, and compares it with what layers and archives hold
"""

import argparse
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proviso.local.template import read_yaml
from scripts.built_parts import LAYERS, MACHINES, ROOT, Function, functions

SOURCE = ROOT / "images"
CONTEXT = ROOT / "out/images"
GROUPS = {"vision": "Dockerfile.vision", "light": "Dockerfile.light"}
OPT, TASK = "/opt", "/var/task"
_ONLY_ZIP = ("Runtime", "Handler", "Layers", "CodeUri")


def group(function: Function) -> str:
    """Which of the two images a function runs in."""
    return "vision" if "VisionLayer" in function.layers else "light"


@dataclass(frozen=True)
class Copied:
    """One file of an image: where it comes from, below the context."""

    target: str
    source: Path


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile in order, as (word, rest); continued lines joined, comments left out."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    words = [line.strip().split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(one[0].upper(), one[1] if len(one) > 1 else "") for one in words]


def files(dockerfile: Path, context: Path, architecture: str) -> list[Copied]:
    """What an image holds beside its base. ValueError for an instruction that this cannot evaluate, RUN among them.

    As Docker does it: of a folder its contents are copied, and what a .dockerignore leaves out is not there.
    """
    arguments = {"ARCHITECTURE": architecture}
    found: list[Copied] = []
    for word, rest in instructions(dockerfile.read_text(encoding="utf-8")):
        if word == "COPY":
            *sources, target = (_filled(one, arguments) for one in shlex.split(rest))
            if any(one.startswith("--") for one in sources) or not target.endswith("/"):
                raise ValueError(f"{dockerfile.name}: COPY {rest} is more than this understands")
            for source in sources:
                found += _below(context, source, target)
        elif word not in ("FROM", "ARG", "CMD"):
            raise ValueError(f"{dockerfile.name}: {word} {rest} is not evaluated here")
    return found


def _filled(text: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda name: arguments[name.group(1)], text)


def _below(context: Path, source: str, target: str) -> Iterator[Copied]:
    folder = context / source
    if not folder.is_dir():
        raise ValueError(f"{source} is not in the context")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not ignored(path.relative_to(context).as_posix(), context / ".dockerignore"):
            yield Copied(f"{target}{path.relative_to(folder).as_posix()}", path)


def ignored(path: str, file: Path) -> bool:
    """Whether the .dockerignore leaves a file of the context out: the last pattern that matches it decides."""
    out = False
    for line in file.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            plain = pattern.removeprefix("!").strip("/")
            expression = "".join("[^/]*" if one == "*" else re.escape(one) for one in plain)
            if re.fullmatch(f"{expression}(/.*)?", path):
                out = not pattern.startswith("!")
    return out


def faults(context: Path, architecture: str) -> list[str]:
    """What an image has more or less than the layers and archives of its functions, in sentences."""
    wrong: list[str] = []
    known = functions()
    for name, dockerfile in GROUPS.items():
        mine = [one for one in known if group(one) == name]
        expected: dict[str, bytes] = {}
        for part, target in [
            *((layer, OPT) for layer in LAYERS if any(layer in one.layers for one in mine)),
            *((one.name, TASK) for one in mine),
        ]:
            folder = context / architecture / part
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    place = f"{target}/{path.relative_to(folder).as_posix()}"
                    if expected.setdefault(place, path.read_bytes()) != path.read_bytes():
                        wrong.append(f"{dockerfile}: {place} is in two parts, and not the same")
        copied = {one.target: one.source.read_bytes() for one in files(context / dockerfile, context, architecture)}
        wrong += [f"{dockerfile}: {place} is not copied" for place in sorted(set(expected) - set(copied))]
        wrong += [f"{dockerfile}: {place} is in no layer or archive" for place in sorted(set(copied) - set(expected))]
        wrong += [
            f"{dockerfile}: {place} is another" for place, data in copied.items() if expected.get(place, data) != data
        ]
    return wrong


def template(architecture: str, context: Path = CONTEXT, source: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """template.yaml with its functions as images. What cannot be with images (layers, SnapStart) is taken out."""
    raw = read_yaml(source)
    word = next(one for one, machine in MACHINES.items() if machine == architecture)
    everywhere = raw["Globals"]["Function"]
    for name in _ONLY_ZIP:
        everywhere.pop(name, None)
    everywhere["Architectures"] = [word]
    raw["Resources"] = {
        name: one for name, one in raw["Resources"].items() if one["Type"] != "AWS::Serverless::LayerVersion"
    }
    for one in functions(source):
        resource = raw["Resources"][one.name]
        properties = resource["Properties"]
        for name in (*_ONLY_ZIP, "SnapStart"):
            properties.pop(name, None)
        properties["PackageType"] = "Image"
        properties["ImageConfig"] = {"Command": [one.handler]}
        resource["Metadata"] = {
            **{key: value for key, value in resource.get("Metadata", {}).items() if key != "BuildMethod"},
            "Dockerfile": GROUPS[group(one)],
            "DockerContext": ".",
            "DockerTag": architecture,
            "DockerBuildArgs": {"ARCHITECTURE": architecture},
        }
    _drop(raw, "Conditions", "WithSnapStart")
    _drop(raw, "Parameters", "SnapStart")
    for resource in raw["Resources"].values():
        location = resource.get("Properties", {}).get("Location")
        if isinstance(location, str):
            resource["Properties"]["Location"] = os.path.relpath(source.parent / location, context)
    return raw


def _drop(raw: dict[str, Any], section: str, name: str) -> None:
    """Take out what nothing names any more."""
    declared = raw[section].pop(name, None)
    if declared is not None and f'"{name}"' in json.dumps(raw):
        raw[section][name] = declared


def prepare(architecture: str, context: Path = CONTEXT) -> Path:
    """Put Dockerfiles and template beside the tree; the template's path."""
    context.mkdir(parents=True, exist_ok=True)
    for name in (*GROUPS.values(), ".dockerignore"):
        shutil.copyfile(SOURCE / name, context / name)
    path = context / "template.yaml"
    path.write_text(yaml.safe_dump(template(architecture, context), sort_keys=False, width=120), encoding="utf-8")
    return path


def main(arguments: Sequence[str]) -> int:
    """0 when the images would hold what the layers and archives hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prepare", "check"])
    parser.add_argument("--architecture", choices=sorted(MACHINES.values()), default="x86_64")
    options = parser.parse_args(arguments)
    if options.what == "prepare":
        print(f"written: {prepare(options.architecture).relative_to(ROOT)}")
        return 0
    found = faults(CONTEXT, options.architecture)
    print("\n".join(found) or "the images hold what layers and archives hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
