"""Each check of a built tree fails on what it is there for. The trees are made here: no compiler, no wheels."""

import hashlib
import shutil
import struct
from _imp import source_hash
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import built_sizes, check_build
from scripts.built_parts import LAYERS, Function, expected_archive, expected_package
from scripts.check_build import CHECKS, LIMIT_MB, MAGIC_313, MB, Build, faults

PUBLISHER = (
    "-----BEGIN CERTIFICATE-----\nQW1hem9uIFJEUw==\n-----END CERTIFICATE-----\n"  # "Amazon RDS", and no certificate
)
STAND_IN = "-----BEGIN CERTIFICATE-----\nQW1hem9uIFJEUyBzdGFuZC1pbg==\n-----END CERTIFICATE-----\n"  # "... stand-in"
MODEL = b"a model of this test"
METADATA = "Metadata-Version: 2.4\nName: Parcel\nVersion: 1.0\nLicense-Expression: MIT\n\n"


FUNCTIONS = (
    Function("DetectFunction", "functions.detect.app.handler", ("CoreLayer", "VisionLayer", "ModelsLayer")),
    Function("ReviewFunction", "functions.review.app.handler", ("CoreLayer",)),
    Function("SweepFunction", "functions.sweep.app.handler", ("CoreLayer",)),
)
CHECKOUT = (
    "functions/__init__.py",
    "functions/detect/app.py",
    "functions/review/app.py",
    "functions/review/page/console.js",
    "functions/sweep/app.py",
    "layers/core/src/proviso/__init__.py",
    "layers/core/src/proviso/cli/main.py",
    "layers/core/src/proviso/stages/sweep.py",
    "layers/core/src/proviso/policies/files/demo.toml",
    "layers/core/src/proviso/policies/files/volunteers.toml",
)


def elf(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + bytes(40)


def write(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # never through a hard link
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def compilation(source: Path, *, magic: bytes = MAGIC_313, flags: int = 1) -> Path:
    """As the compiler would leave it, head only: nothing here runs it."""
    head = magic + flags.to_bytes(4, "little")
    head += source_hash(int.from_bytes(MAGIC_313, "little"), source.read_bytes())
    return write(source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc", head)


def package(folder: Path, name: str, *extra: str, licence: bool = True) -> None:
    """An installed distribution of one module."""
    source = write(folder / name / "__init__.py")
    compilation(source)
    info = f"{name}-1.0.dist-info"
    write(folder / info / "METADATA", METADATA)
    texts = [f"{info}/licenses/LICENSE"] if licence else []
    for text in texts:
        write(folder / text, "permission is granted")
    write(folder / info / "RECORD", "".join(f"{one},sha256={one},1\n" for one in [*texts, *extra]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkout, and beside it the tree that was built of it."""
    root, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("whole")
    for name in CHECKOUT:
        write(root / name, 'name = "volunteers"' if name.endswith(".toml") else "")
    copies = [folder / "CoreLayer/python" / name for name in expected_package(root)]
    copies += [folder / one.name / name for one in FUNCTIONS for name in expected_archive(one, root)]
    for copied in copies:
        write(copied, 'name = "volunteers"' if copied.suffix == ".toml" else "")
        if copied.suffix == ".py":
            compilation(copied)
    write(folder / "root", str(root))
    for layer in ("CoreLayer", "VisionLayer"):
        package(folder / layer / "python", "parcel")
    write(folder / "VisionLayer/python/parcel/_native.so", elf(0xB7))
    write(folder / "CoreLayer/certs/rds-global-bundle.pem", PUBLISHER)
    write(folder / "ModelsLayer/models/model.onnx", MODEL)
    for layer in LAYERS:
        write(folder / layer / "licences" / f"{layer}.md", "Parcel 1.0: MIT\n")
    return folder


@pytest.fixture
def build(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """A tree in which nothing is wrong, for arm64, to be deployed."""

    class Manifest:
        files = (type("File", (), {"name": "model.onnx", "sha256": hashlib.sha256(MODEL).hexdigest()}),)

    monkeypatch.setattr(check_build, "load_manifest", lambda name: Manifest)
    folder = Path(shutil.copytree(whole, tmp_path / "built", copy_function=check_build_link))
    return Build(folder, FUNCTIONS, "aarch64", root=Path((whole / "root").read_text()))


def check_build_link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def test_a_whole_tree_has_no_fault(build: Build) -> None:
    assert faults(build) == []
    assert expected_package(build.root) == {
        "proviso/__init__.py",
        "proviso/stages/sweep.py",
        "proviso/policies/files/volunteers.toml",
    }


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no layer": (lambda at: shutil.rmtree(at / "VisionLayer"), "VisionLayer is missing or empty"),
    "no function": (lambda at: shutil.rmtree(at / "SweepFunction"), "SweepFunction is missing or empty"),
    "local": (lambda at: compiled(at / "CoreLayer/python/proviso/local/oauth.py"), "local/oauth.py must stay at home"),
    "cli": (lambda at: compiled(at / "CoreLayer/python/proviso/cli/main.py"), "cli/main.py must stay at home"),
    "evaluation": (
        lambda at: compiled(at / "CoreLayer/python/proviso/evaluation/page.py"),
        "evaluation/page.py must stay at home",
    ),
    "the demo policy": (
        lambda at: write(at / "CoreLayer/python/proviso/policies/files/demo.toml", 'name = "demo"'),
        "demo.toml is the local cloud's policy",
    ),
    "the demo policy under another name": (
        lambda at: write(at / "CoreLayer/policies/quiet.toml", 'name = "quiet"\nextends = "demo 1"'),
        "quiet.toml is the local cloud's policy",
    ),
    "the runtime's own": (
        lambda at: package(at / "CoreLayer/python", "boto3"),
        "CoreLayer: boto3 must not be in it",
    ),
    "of another name than its distribution": (
        lambda at: package(at / "VisionLayer/python", "skimage"),
        "VisionLayer: skimage must not be in it",
    ),
    "by its metadata alone": (
        lambda at: write(at / "VisionLayer/python/opencv_python-5.0.0.93.dist-info/LICENSE"),
        "VisionLayer: opencv_python-5.0.0.93.dist-info must not be in it",
    ),
    "in an archive": (
        lambda at: compiled(at / "SweepFunction/moto/__init__.py"),
        "SweepFunction: moto must not be in it",
    ),
    "not compiled": (
        lambda at: (at / "SweepFunction/functions/sweep/__pycache__/app.cpython-313.pyc").unlink(),
        "SweepFunction: functions/sweep/app.py is not compiled",
    ),
    "another Python's": (
        lambda at: compilation(at / "SweepFunction/functions/sweep/app.py", magic=b"\xa7\r\r\n"),
        "is of another Python than 3.13",
    ),
    "checked against its source": (
        lambda at: compilation(at / "SweepFunction/functions/sweep/app.py", flags=3),
        "not unchecked-hash",
    ),
    "by time": (
        lambda at: compilation(at / "SweepFunction/functions/sweep/app.py", flags=0),
        "not unchecked-hash",
    ),
    "of another source": (
        lambda at: write(at / "SweepFunction/functions/sweep/app.py", "changed = True"),
        "was not made of the source beside it",
    ),
    "of no source": (
        lambda at: (
            compilation(compiled(at / "SweepFunction/functions/sweep/gone.py"))
            and (at / "SweepFunction/functions/sweep/gone.py").unlink()
        ),
        "has no source beside it",
    ),
    "another architecture": (
        lambda at: write(at / "VisionLayer/python/parcel/_native.so", elf(0x3E)),
        "_native.so is for x86_64, and this is aarch64",
    ),
    "an unknown architecture, whatever its name": (
        lambda at: write(at / "VisionLayer/python/parcel/data.bin", elf(0x28)),
        "data.bin is for something else",
    ),
    "a stand-in": (
        lambda at: write(at / "CoreLayer/certs/rds-global-bundle.pem", STAND_IN),
        "is a stand-in",
    ),
    "no certificate in it": (
        lambda at: write(at / "CoreLayer/certs/rds-global-bundle.pem", "not found"),
        "is a stand-in",
    ),
    "no certificates": (
        lambda at: (at / "CoreLayer/certs/rds-global-bundle.pem").unlink(),
        "certs/rds-global-bundle.pem is missing",
    ),
    "another model": (lambda at: write(at / "ModelsLayer/models/model.onnx", b"other"), "is no pack"),
    "a model more": (lambda at: write(at / "ModelsLayer/models/more.onnx", b"more"), "is no pack"),
    "no module": (
        lambda at: (at / "CoreLayer/python/proviso/stages/sweep.py").unlink(),
        "CoreLayer: python/proviso/stages/sweep.py is missing",
    ),
    "no policy": (
        lambda at: (at / "CoreLayer/python/proviso/policies/files/volunteers.toml").unlink(),
        "policies/files/volunteers.toml is missing",
    ),
    "no page": (
        lambda at: (at / "ReviewFunction/functions/review/page/console.js").unlink(),
        "page/console.js is missing",
    ),
    "a file more": (
        lambda at: write(at / "ReviewFunction/functions/review/notes.txt", "x"),
        "notes.txt is in it, and not in the checkout",
    ),
    "a file of one's own": (
        lambda at: write(at / "ModelsLayer/models/model.onnx", MODEL).chmod(0o600),
        "models/model.onnx cannot be read by others",
    ),
    "a folder of one's own": (
        lambda at: (at / "ModelsLayer/models").chmod(0o700),
        "ModelsLayer: models cannot be read by others",
    ),
    "no listing": (
        lambda at: (at / "VisionLayer/licences/VisionLayer.md").unlink(),
        "licences/VisionLayer.md is missing",
    ),
    "not listed": (
        lambda at: write(at / "VisionLayer/licences/VisionLayer.md", "nothing"),
        "Parcel 1.0 is not in licences/VisionLayer.md",
    ),
    "no licence text": (
        lambda at: (at / "VisionLayer/python/parcel-1.0.dist-info/licenses/LICENSE").unlink(),
        "Parcel 1.0 has no licence text",
    ),
    "a licence trimmed away": (
        lambda at: package(at / "VisionLayer/python", "parcel", "parcel/NOTICE"),
        "Parcel 1.0 lost its licence parcel/NOTICE",
    ),
}


def compiled(path: Path) -> Path:
    write(path)
    compilation(path)
    return path


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_wrong_is_said(build: Build, what: str) -> None:
    spoil, sentence = SPOILT[what]
    spoil(build.folder)
    assert any(sentence in one for one in faults(build)), faults(build)


def test_a_function_that_is_too_large_with_its_layers_is_refused_for_the_architecture_of_aws_alone(
    build: Build,
) -> None:
    with write(build.folder / "VisionLayer/python/parcel/large.bin").open("wb") as large:
        large.truncate((LIMIT_MB + 1) * MB)  # a hole: it takes no room here
    found = faults(build)
    assert {one.split(" ")[0] for one in found} == {"DetectFunction"}
    assert all("230 MB is the limit" in one for one in found)
    proof = replace(build, architecture="x86_64")
    assert list(check_build.too_large(proof)) == []
    assert list(check_build.too_large(replace(build, archives=False))) == []
    assert "OVER" in built_sizes.table(build, zipped=False)
    assert "over, which counts at AWS alone" in built_sizes.table(proof, zipped=False)


def test_a_stand_in_will_do_for_proof(build: Build) -> None:
    write(build.folder / "CoreLayer/certs/rds-global-bundle.pem", STAND_IN)
    assert faults(replace(build, proof=True)) == []


def test_every_check_is_tried_here(build: Build) -> None:
    """A check that no spoilt tree sets off is a check that may be broken."""
    silent = {check.__name__ for check in CHECKS}
    for spoil, _ in SPOILT.values():
        if not silent:
            break
        copy = Path(shutil.copytree(build.folder, build.folder.parent / "again", copy_function=check_build_link))
        spoil(copy)
        spoilt = replace(build, folder=copy)
        silent -= {check.__name__ for check in CHECKS if check.__name__ in silent and list(check(spoilt))}
        shutil.rmtree(copy)
    assert silent == {"too_large"}  # the test above


def test_the_command_says_what_is_wrong_and_fails(
    build: Build, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_build, "functions", lambda: FUNCTIONS)
    monkeypatch.setattr(check_build, "CHECKS", (check_build.certificates, check_build.there))
    assert check_build.main([str(build.folder), "--architecture", "aarch64"]) == 0
    write(build.folder / "CoreLayer/certs/rds-global-bundle.pem", STAND_IN)
    assert check_build.main([str(build.folder), "--architecture", "aarch64"]) == 1
    assert "stand-in" in capsys.readouterr().err
    assert check_build.main([str(build.folder), "--architecture", "aarch64", "--proof"]) == 0
