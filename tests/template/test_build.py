"""What goes into functions and layers: pins that agree, targets for each function, and validation by AWS's tools."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import build, python313
from tests.template.conftest import Template


@pytest.fixture(scope="module")
def compiler() -> str:
    """Named to make, which else looks for it in each of its calls."""
    found = python313.find()
    if found is None:
        pytest.skip("there is no Python 3.13 here to compile archives by")
    return f"PYTHON313={found}"


def pins(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("layer", ["core", "vision"])
def test_layers_carry_the_versions_that_are_tested(root: Path, layer: str) -> None:
    tested = pins(root / "requirements/run.txt")
    for name, version in pins(root / "layers" / layer / "requirements.txt").items():
        assert tested.get(name) == version, name


def test_each_function_has_a_build_target(template: Template, root: Path, tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in template.of("AWS::Lambda::Function"):
        command = [
            "make",
            "--no-print-directory",
            "--dry-run",
            "-f",
            "build.mk",
            f"build-{name}",
            f"ARTIFACTS_DIR={tmp_path}",
        ]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        stage = name.removesuffix("Function").lower()
        assert f"functions/{stage}/*.py" in done.stdout


def test_no_function_s_archive_holds_the_local_sign_in(
    template: Template, root: Path, tmp_path: Path, compiler: str
) -> None:
    """A function's archive is its own folder; what it could bring along of the local cloud is nothing."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in template.of("AWS::Lambda::Function"):
        built = tmp_path / name
        command = ["make", "-s", "-f", "build.mk", f"build-{name}", f"ARTIFACTS_DIR={built}", compiler]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        files = [path for path in built.rglob("*") if path.is_file()]
        assert any(path.name == "app.py" for path in files)
        for path in files:
            text = path.read_bytes()
            assert b"proviso.local" not in text, path
            assert b"/local/oauth2" not in text, path


def test_the_pages_are_in_the_archive_of_the_function_that_serves_them(
    root: Path, tmp_path: Path, compiler: str
) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    command = ["make", "--no-print-directory", "-f", "build.mk", compiler]
    for name in ("ReviewFunction", "ReportFunction"):
        subprocess.run([*command, f"build-{name}", f"ARTIFACTS_DIR={tmp_path / name}"], cwd=root, check=True)
    built = tmp_path / "ReviewFunction/functions/review"
    assert {path.name for path in (built / "page").iterdir()} == {
        path.name for path in (root / "functions/review/page").iterdir()
    }
    assert (built / "pages.py").is_file()
    assert not (tmp_path / "ReportFunction/functions/report/page").exists()


def made(root: Path, layer: str, target: str, into: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A layer's Makefile, called as SAM calls it."""
    makefile = root / "layers" / layer / "Makefile"
    known = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "ARTIFACTS_DIR": str(into), **environment}
    return subprocess.run(
        ["make", "--makefile", str(makefile), target],
        cwd=makefile.parent,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_layer_s_makefile_says_what_is_wrong_and_what_to_do(root: Path, tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    nowhere = str(tmp_path / "nowhere.pem")
    no_certificate = tmp_path / "page.pem"
    no_certificate.write_text("<html>not found</html>")
    others = tmp_path / "others.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, "-keyout", os.devnull, "-out", others, "-subj", "/CN=Somebody"], check=True)
    for file, sentence in (
        (nowhere, "and there is no such file"),
        (str(no_certificate), "holds no certificate"),
        (str(others), "holds a certificate that is not one of Amazon RDS"),
    ):
        done = made(root, "core", "build-CoreLayer", tmp_path / "core", RDS_CA_BUNDLE=file)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert not (tmp_path / "core/python").exists()
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    done = made(root, "vision", "build-VisionLayer", tmp_path / "vision", **offline)
    assert done.returncode == 2
    assert "pip could not fetch the wheels of layers/vision/requirements.txt" in done.stderr
    assert "PIP_FIND_LINKS=/path/to/wheels" in done.stderr


def test_a_layer_s_folder_by_itself_says_that_it_is_not_enough(root: Path, tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copyfile(root / "layers/models/Makefile", tmp_path / "Makefile")
    done = subprocess.run(
        ["make", "build-ModelsLayer", "ARTIFACTS_DIR=out"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "layers are built in place: build_in_source = true in samconfig.toml" in done.stderr


def test_an_archive_is_not_made_without_a_python_to_compile_it(root: Path, tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    command = [
        "make",
        "-s",
        "-f",
        "build.mk",
        "build-SweepFunction",
        f"ARTIFACTS_DIR={tmp_path}",
        "PYTHON313=/bin/false",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "uv python install 3.13" in done.stderr


def test_what_sam_uploads_lies_under_the_stack_s_name(root: Path) -> None:
    """Where a teardown says that it is: in a bucket that all of an account's stacks share."""
    import tomllib

    given = tomllib.loads((root / "samconfig.toml").read_text("utf-8"))["default"]
    name = given["global"]["parameters"]["stack_name"]
    assert {given[of]["parameters"]["s3_prefix"] for of in ("deploy", "package")} == {name}
    guide = (root / "docs" / "operations.md").read_text("utf-8")
    named = [line for line in guide.splitlines() if "sam deploy --stack-name" in line]
    assert len(named) == 2
    assert all("--stack-name $STACK --s3-prefix $STACK " in line for line in named)


def test_layers_are_built_in_place_because_they_share_their_rules(root: Path) -> None:
    """SAM would copy a layer's folder alone otherwise, and layers/layer.mk is beside it."""
    import tomllib

    assert tomllib.loads((root / "samconfig.toml").read_text("utf-8"))["default"]["build"]["parameters"][
        "build_in_source"
    ]
    assert build.PACK_FOLDER.relative_to(root).as_posix() == "layers/models/pack"
    ignored = (root / ".gitignore").read_text("utf-8").splitlines()
    assert "/layers/models/pack/" in ignored


def test_every_package_that_functions_import_is_in_a_layer(root: Path) -> None:
    """Third-party imports of what goes into the core layer, against the layers and the runtime."""
    source = root / "layers/core/src/proviso"
    offline = {"local", "evaluation", "cli"}
    carried = set(pins(root / "layers/core/requirements.txt")) | set(pins(root / "layers/vision/requirements.txt"))
    runtime = {"boto3", "botocore", "snapshot_restore_py"}
    names = {n.replace("-", "_") for n in carried} | runtime | {"cv2", "proviso", "functions"}
    # Never in a deployment (the dlib pack), or for the type checker alone.
    allowed = {"dlib", "face_recognition_models"}
    files = [p for p in source.rglob("*.py") if p.relative_to(source).parts[0] not in offline]
    files += list((root / "functions").rglob("*.py"))
    missing: dict[str, str] = {}
    for path in files:
        text = path.read_text(encoding="utf-8")
        for module in re.findall(r"^\s*(?:from|import)\s+([a-zA-Z_]\w*)", text, re.MULTILINE):
            if module.startswith("mypy_boto3") or module in sys.stdlib_module_names | names | allowed:
                continue
            if re.search(rf"^\s*(?:from\s+{module}[\w.]*\s+import|import\s+{module}\b)", text, re.MULTILINE):
                missing[module] = str(path.relative_to(root))
    assert missing == {}


def test_sam_finds_nothing(root: Path, tmp_path: Path) -> None:
    sam = root / ".venv-sam/bin/sam"
    if not sam.is_file():
        pytest.skip("aws-sam-cli is not installed (its own environment, requirements/sam.txt)")
    environment = os.environ | {
        "AWS_DEFAULT_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "SAM_CLI_TELEMETRY": "0",
        "HOME": str(tmp_path),
    }
    # The two find different faults.
    for extra in ([], ["--lint"]):
        done = subprocess.run(
            [str(sam), "validate", *extra], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint_finds_nothing(root: Path) -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    if not lint.is_file():
        pytest.skip("cfn-lint is not installed (requirements/dev.txt)")
    files = ["template.yaml", *sorted(str(p.relative_to(root)) for p in (root / "infra").glob("*.yaml"))]
    done = subprocess.run([str(lint), *files], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
