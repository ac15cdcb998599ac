# ruff: noqa: S603, T201 - runs make, openssl, sam and pip, and prints for people
"""Builds what is deployed, and what proves it on this machine. `make build`, `make build-host`.

aws    .aws-sam/build by `sam build`, without Docker, for the template's architecture; then it is looked at and measured
host   out/built for this machine by the same Makefiles without sam, with a Python 3.13 that runs functions from it
tree   the same as host for any architecture and folder, without a Python: for container images, and for tests

Exit codes: 0 built; 1 something went wrong; 3 there is no Python 3.13 here, so that nothing would be proved.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proviso.cli.places import find_models
from proviso.domain.errors import ConfigurationFault
from proviso.vision.locate import verify
from proviso.vision.pack import load_manifest
from scripts import built_sizes, check_build, licences, python313
from scripts.built_parts import LAYERS, MACHINES, ROOT, architecture, default_pack, functions, packs
from scripts.check_build import Build

AWS = ROOT / ".aws-sam/build"
HOST = ROOT / "out/built"
PACK_FOLDER = ROOT / "layers/models/pack"
STAND_IN = ROOT / "out/rds-stand-in.pem"
RUNTIME = ("awslambdaric", "boto3")
_SHARED = ("layers/layer.mk", "scripts/licences.py", "scripts/python313.py")
_INPUTS = {
    "CoreLayer": ("layers/core", "LICENSE", *_SHARED),
    "VisionLayer": ("layers/vision", *_SHARED),
    "ModelsLayer": ("layers/models", *_SHARED),
    "runtime": ("requirements/run.txt",),
}
_FUNCTIONS = ("functions", "build.mk", "scripts/python313.py")


class Failed(Exception):
    """Building stopped; the text says why and what to do."""


def fill_pack(name: str, folder: Path = PACK_FOLDER) -> None:
    """Put the verified files of a pack, and what is said of its licence, into a folder that then holds nothing else."""
    if name not in packs():
        raise Failed(f"the pack {name} cannot be in a function; the template allows {', '.join(packs())}")
    try:
        files = find_models(ROOT, pack=name, download=True).files
    except ConfigurationFault as missing:
        raise Failed(str(missing)) from None
    manifest = load_manifest(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for role, path in files.items():
        copied = folder / path.name
        shutil.copyfile(path, copied)
        copied.chmod(0o644)
        verify(copied, manifest.file(role))
    (folder / "ModelsLayer.md").write_text(licences.pack_listing(manifest), encoding="utf-8")


def stand_in(path: Path = STAND_IN) -> Path:
    """A certificate that is nobody's, whose subject says so: for proof, where the publisher's cannot be had."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        subject = f"/CN=Amazon RDS {check_build.STAND_IN}, for proof only"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run(
            [*command, "-days", "3650", "-keyout", os.devnull, "-out", str(path), "-subj", subject],
            "openssl",
            quiet=True,
        )
    return path


def run(
    command: Sequence[str], what: str, *, environment: Mapping[str, str] | None = None, quiet: bool = False
) -> None:
    """Run it at the root of the checkout; with `quiet` its output is shown only when it fails. Failed when it does."""
    known = dict(os.environ if environment is None else environment)
    done = subprocess.run(command, cwd=ROOT, env=known, capture_output=quiet, text=True, check=False)
    if done.returncode:
        said = f"\n{done.stdout}{done.stderr}".rstrip() if quiet else ""
        raise Failed(f"{what} failed{said}")


def digest(part: str, *more: str) -> str:
    """SHA-256 over all that goes into a part: files with their names, and what else was said."""
    hasher = hashlib.sha256()
    for text in more:
        hasher.update(f"{text}\0".encode())
    for name in _INPUTS.get(part, _FUNCTIONS):
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                hasher.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
                hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One build of a folder at a time; a second waits, and then finds it done."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    path = ROOT / "out" / f".{folder.name}-{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tree(folder: Path, machine: str, python: str, pack: str, bundle: Path | None, *, runtime: bool) -> list[str]:
    """Bring a tree up to date; the answer names the parts that were made anew. What is no part of it is taken away.

    Without a `bundle` the publisher's certificates are fetched.
    """
    with alone(folder), alone(PACK_FOLDER):
        state = _read(folder / "build.json")
        version = _version(python)
        fill_pack(pack)
        said = (machine, version, pack, hashlib.sha256(bundle.read_bytes()).hexdigest() if bundle else "publisher")
        parts = [*LAYERS, *(one.name for one in functions()), *(["runtime"] if runtime else [])]
        made: dict[str, str] = {}
        done: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        for part in parts:
            made[part] = digest(part, part, *(said if part == "CoreLayer" else said[:3]))
            if state.get("parts", {}).get(part) == made[part] and (folder / part).is_dir():
                continue
            (folder / "build.json").unlink(missing_ok=True)
            _make(folder, part, machine, python, bundle)
            done.append(part)
        for stale in folder.iterdir():
            if stale.is_dir() and stale.name not in parts:
                shutil.rmtree(stale)
        described = {
            "architecture": machine,
            "python": version,
            "pack": pack,
            "rds_certificates": check_build.certificates_are(folder / "CoreLayer/certs/rds-global-bundle.pem"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "parts": made,
        }
        if done or not (folder / "build.json").is_file():
            (folder / "build.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return done


def _make(folder: Path, part: str, machine: str, python: str, bundle: Path | None) -> None:
    """Make one part beside where it belongs, and put it there when it is whole."""
    new = folder / f".{part}.new"
    shutil.rmtree(new, ignore_errors=True)
    if part == "runtime":
        # A virtual environment knows its own place, so this one is made there.
        shutil.rmtree(folder / part, ignore_errors=True)
        run([python, "-m", "venv", "--without-pip", str(folder / part)], "making the runtime", quiet=True)
        wanted = [sys.executable, "-m", "pip", "--python", str(folder / part / "bin/python"), "install", "--quiet"]
        wanted += ["--disable-pip-version-check", "--only-binary=:all:", "-c", "requirements/run.txt", *RUNTIME]
        run(wanted, "installing the runtime client (pip)", quiet=True)
        return
    new.mkdir()
    makefile = ["-C", f"layers/{LAYERS[part]}"] if part in LAYERS else ["-f", "build.mk"]
    told = [f"ARTIFACTS_DIR={new}", f"ARCH={machine}", f"PYTHON={sys.executable}", f"PYTHON313={python}"]
    told += [f"RDS_CA_BUNDLE={bundle or ''}"] if part == "CoreLayer" else []
    run(["make", "--no-print-directory", *makefile, f"build-{part}", *told], part, environment=_clean(), quiet=True)
    shutil.rmtree(folder / part, ignore_errors=True)
    new.rename(folder / part)


def _clean() -> dict[str, str]:
    """This process's environment without what an outer make left in it: its flags are not meant for the inner one."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def aws(python: str, pack: str, bundle: Path | None) -> None:
    """`sam build` for the template's architecture."""
    sam = ROOT / ".venv-sam/bin/sam"
    if not sam.is_file():
        raise Failed("the SAM command line is not installed: make build installs it into .venv-sam")
    if bundle is not None and check_build.certificates_are(bundle) == check_build.STAND_IN:
        raise Failed(f"{bundle} holds no certificate, or a stand-in for the database's that is good for proof only")
    with alone(PACK_FOLDER):
        fill_pack(pack)
        told = {"ARCH": architecture(), "PYTHON": sys.executable, "PYTHON313": python, "SAM_CLI_TELEMETRY": "0"}
        told["RDS_CA_BUNDLE"] = str(bundle) if bundle else ""
        print(f"sam build for {architecture()}, Python {_version(python)} ...", flush=True)
        run([str(sam), "build", "--template", "template.yaml"], "sam build", environment=_clean() | told, quiet=True)
    described = {
        "architecture": architecture(),
        "python": _version(python),
        "pack": pack,
        "rds_certificates": check_build.certificates_are(AWS / "CoreLayer/certs/rds-global-bundle.pem"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }
    (AWS.parent / "build.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def set_aside(build: Path) -> Path:
    """What was found wrong is not to be deployed: it goes beside, and `sam deploy` finds no template where it looks."""
    aside = build.with_name("refused")
    shutil.rmtree(aside, ignore_errors=True)
    build.rename(aside)
    return aside


def _version(python: str) -> str:
    return subprocess.run([python, "-IVV"], capture_output=True, text=True, check=True).stdout.split()[1]


def _commit() -> str:
    """Of the checkout, with a plus where something was changed since."""
    asked = [["git", "rev-parse", "--short=12", "HEAD"], ["git", "status", "--porcelain", "--untracked-files=no"]]
    said = [subprocess.run(one, cwd=ROOT, capture_output=True, text=True, check=False) for one in asked]
    if said[0].returncode:
        return "unknown"
    return said[0].stdout.strip() + ("+" if said[1].stdout.strip() else "")


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _bundle(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("RDS_CA_BUNDLE", "").strip()
    path = Path(named).expanduser().absolute() if named else None
    if path is not None and not path.is_file():
        raise Failed(f"RDS_CA_BUNDLE names {path}, and there is no such file")
    return path


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["aws", "host", "tree"])
    parser.add_argument("--pack", default=default_pack())
    parser.add_argument("--into", type=Path, default=HOST, help="for tree: the folder")
    parser.add_argument(
        "--architecture", choices=sorted(MACHINES.values()), default=platform.machine(), help="for tree"
    )
    parser.add_argument("--proof", action="store_true", help="for tree: a stand-in for the certificates will do")
    parser.add_argument("--image", action="store_true", help="for tree: for images, which may be larger")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Build, check, print the sizes."""
    options = _options(arguments)
    began = time.monotonic()
    python = python313.find()
    if python is None:
        print(f"nothing is built, and nothing proved: {python313.HELP}", file=sys.stderr)
        return 3
    try:
        bundle = _bundle(os.environ)
        if options.what == "aws":
            aws(python, options.pack, bundle)
            build = Build(AWS, tuple(functions()), architecture())
            print(built_sizes.table(build, zipped=True))
        else:
            proof = options.what == "host" or options.proof
            machine = platform.machine() if options.what == "host" else options.architecture
            into = HOST if options.what == "host" else options.into.absolute()
            runtime = options.what == "host"
            done = tree(into, machine, python, options.pack, bundle or (stand_in() if proof else None), runtime=runtime)
            build = Build(into, tuple(functions()), machine, proof, archives=not options.image)
            print(built_sizes.table(build, zipped=False))
            print(f"made anew: {', '.join(done) or 'nothing, all was up to date'}")
    except Failed as wrong:
        print(wrong, file=sys.stderr)
        return 1
    found = check_build.faults(build)
    for sentence in found:
        print(sentence, file=sys.stderr)
    print(f"{build.folder}: {len(found) or 'nothing'} wrong, after {time.monotonic() - began:.0f} s")
    if found and options.what == "aws":
        print(f"it was put into {set_aside(AWS)}, where sam deploy does not look", file=sys.stderr)
    elif options.what == "aws":
        print("next: sam deploy (docs/operations.md, step 3)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
