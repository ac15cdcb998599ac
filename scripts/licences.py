# ruff: noqa: T201 - prints for people
"""The licences of what a build ships: a listing in each layer, under licences/, and a failure where a text is missing.

`packages` looks at the installed distributions of a layer, after it was trimmed. Each must have a licence text, and no
licence may have been trimmed away from what is still there. Standard library only: the layers' Makefiles call it.
"""

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

TEXT = re.compile(r"(licen[cs]e|notice|copying|thirdpartynotices)", re.IGNORECASE)
OWN = "licences/proviso-LICENSE"
EXCEPTIONS: dict[str, str] = {}
"""Distributions that may ship without a licence text, by name, with the reason. Short, or better empty."""


@dataclass(frozen=True)
class Distribution:
    """One installed distribution: `texts` are its licence files that are there, `lost` those that were taken away from
    a folder that is still there, `bundled` the shared libraries that its wheel brought along."""

    name: str
    version: str
    licence: str
    texts: tuple[str, ...]
    lost: tuple[str, ...]
    bundled: tuple[str, ...]


class NoLicence(Exception):
    """What has no licence text, in sentences."""


def distributions(python: Path) -> list[Distribution]:
    """What is installed in a layer's folder, by name."""
    return sorted((_read(one) for one in python.glob("*.dist-info")), key=lambda one: one.name.lower())


def _read(info: Path) -> Distribution:
    if not (info / "METADATA").is_file() or not (info / "RECORD").is_file():
        return Distribution(info.name, "(without metadata)", "unknown", (), (), ())
    metadata = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    recorded = list(_recorded(info))
    texts = sorted({name for name, _ in recorded if _is_text(name, info) and (info.parent / name).is_file()})
    kept = {digest for name, digest in recorded if name in texts}
    lost = [
        name
        for name, digest in recorded
        if _is_text(name, info)
        and not (info.parent / name).exists()
        and (info.parent / name).parent.is_dir()
        and digest not in kept
    ]
    bundled = sorted({Path(name).name for name, _ in recorded if ".libs/" in name and (info.parent / name).is_file()})
    return Distribution(
        metadata["Name"], metadata["Version"], _licence(metadata), tuple(texts), tuple(lost), tuple(bundled)
    )


def _recorded(info: Path) -> Iterator[tuple[str, str]]:
    with (info / "RECORD").open(encoding="utf-8", newline="") as record:
        for row in csv.reader(record):
            yield row[0], row[1]


def _is_text(name: str, info: Path) -> bool:
    path = Path(name)
    inside = path.parts[0] == info.name and "licenses" in path.parts
    return inside or (TEXT.match(path.name) is not None and path.suffix.lower() not in (".py", ".pyc", ".pyi", ".so"))


def _licence(metadata: Message) -> str:
    said = metadata["License-Expression"] or metadata["License"] or ""
    if not said or "\n" in said.strip():
        found = [str(one).split(" :: ")[-1] for one in metadata.get_all("Classifier", []) if "License ::" in str(one)]
        said = ", ".join(found)
    return " ".join(said.split()) or "see its text"


def faults(found: Sequence[Distribution]) -> list[str]:
    """What is wrong, a sentence each; empty when every distribution has its licence."""
    wrong = [
        f"{one.name} {one.version} has no licence text; take one up, or name it in scripts/licences.py with the reason"
        for one in found
        if not one.texts and one.name not in EXCEPTIONS
    ]
    wrong += [
        f"{one.name} {one.version} lost its licence {name}: it must not be trimmed"
        for one in found
        for name in one.lost
    ]
    return wrong


def listing(layer: str, found: Sequence[Distribution], own: bool = False) -> str:
    """The listing as text; paths are as they lie under /opt."""
    lines = [
        f"# What is in {layer}",
        "",
        "Each package with its version, its licence as its metadata state it, and its texts.",
        "",
    ]
    if own:
        lines += ["proviso: Apache-2.0", f"  {OWN}", ""]
    for one in found:
        lines += [f"{one.name} {one.version}: {one.licence}"]
        lines += [f"  {'none: ' + EXCEPTIONS[one.name]}"] if not one.texts else []
        lines += [f"  python/{name}" for name in one.texts]
        lines += [f"  brings along: {', '.join(one.bundled)}"] if one.bundled else []
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def packages(layer: str, python: Path, into: Path, own: Path | None = None) -> Path:
    """Write the listing of a layer. NoLicence when a text is missing. `own`: the licence of what is built here."""
    found = distributions(python)
    if not found:
        raise NoLicence(f"{python} holds no package")
    if wrong := faults(found):
        raise NoLicence("\n".join(wrong))
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{layer}.md"
    path.write_text(listing(layer, found, own is not None), encoding="utf-8")
    if own is not None:
        (into.parent / OWN).write_bytes(own.read_bytes())
    return path


def pack_listing(manifest: Any) -> str:
    """What the manifest of a model pack says of its licences and terms (`proviso.vision.pack.Manifest`)."""
    lines = ["# What is in ModelsLayer", "", f"Model pack {manifest.name}: {manifest.title}", ""]
    lines += [f"Code: {manifest.code_licence}", f"Weights: {manifest.weights_licence}"]
    lines += [f"Training data: {manifest.training_data}", f"Terms: {manifest.terms}"]
    lines += [f"Cleared for operational use: {manifest.cleared_for_operational_use}", ""]
    lines += [f"models/{file.name}: {file.role}, SHA-256 {file.sha256}" for file in manifest.files]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """0, or 1 with what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("packages")
    one.add_argument("--layer", required=True)
    one.add_argument("--python", type=Path, required=True)
    one.add_argument("--into", type=Path, required=True)
    one.add_argument("--own", type=Path, help="the licence of what is built here, to be put beside the listing")
    options = parser.parse_args(arguments)
    try:
        packages(options.layer, options.python, options.into, options.own)
    except NoLicence as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
