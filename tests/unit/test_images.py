"""The container images hold what layers and archives hold, and their template says the same but for the packaging."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts import images
from scripts.built_parts import LAYERS, ROOT, functions
from tests.template.conftest import read


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A small tree: a file in each part, and what belongs into no image beside it."""
    images.prepare("x86_64", tmp_path)
    for layer in LAYERS:
        for name in (f"python/{layer.lower()}.py", f"licences/{layer}.md"):
            write(tmp_path / "x86_64" / layer / name, layer)
    for one in functions():
        write(tmp_path / "x86_64" / one.name / "functions/__init__.py", "")
        write(tmp_path / "x86_64" / one.name / f"functions/{one.stage}/app.py", one.stage)
    write(tmp_path / "x86_64/build.json", "{}")
    write(tmp_path / "x86_64/runtime/bin/python", "")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_image_holds_what_the_layers_and_archives_of_its_functions_hold(context: Path) -> None:
    assert images.faults(context, "x86_64") == []
    copied = {one.target for one in images.files(context / "Dockerfile.vision", context, "x86_64")}
    assert "/opt/python/visionlayer.py" in copied
    assert "/var/task/functions/detect/app.py" in copied
    assert "/var/task/functions/review/app.py" not in copied
    light = {one.target for one in images.files(context / "Dockerfile.light", context, "x86_64")}
    assert "/opt/python/visionlayer.py" not in light
    assert not any("build.json" in one or "runtime" in one for one in copied | light)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("${ARCHITECTURE}/MatchFunction/ ", "", "/var/task/functions/match/app.py is not copied"),
        ("COPY ${ARCHITECTURE}/ModelsLayer/ /opt/\n", "", "/opt/python/modelslayer.py is not copied"),
        ("ModelsLayer/ /opt/", "ModelsLayer/ /opt/models/", "/opt/models/python/modelslayer.py is in no layer"),
        ("/MatchFunction/ ", "/MatchFunction/ ${ARCHITECTURE}/ReviewFunction/ ", "review/app.py is in no layer"),
    ],
)
def test_what_a_dockerfile_leaves_out_or_adds_is_said(context: Path, old: str, new: str, sentence: str) -> None:
    file = context / "Dockerfile.vision"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert any(sentence in one for one in images.faults(context, "x86_64"))


def test_two_parts_may_not_disagree_about_a_file(context: Path) -> None:
    write(context / "x86_64/VisionLayer/python/corelayer.py", "another")
    assert any("in two parts, and not the same" in one for one in images.faults(context, "x86_64"))


@pytest.mark.parametrize("instruction", ["RUN pip install moto", "ADD https://example.org/x /opt/", "USER root"])
def test_what_cannot_be_evaluated_is_refused(context: Path, instruction: str) -> None:
    file = context / "Dockerfile.light"
    file.write_text(f"{file.read_text()}{instruction}\n")
    with pytest.raises(ValueError, match="is not evaluated here"):
        images.files(file, context, "x86_64")


def test_the_ignore_file_lets_through_what_is_copied_and_nothing_else(context: Path) -> None:
    file = context / ".dockerignore"
    for path, out in [
        ("x86_64/CoreLayer/python/proviso/__init__.py", False),
        ("aarch64/DetectFunction/functions/detect/app.py", False),
        ("x86_64/build.json", True),
        ("x86_64/runtime/bin/python", True),
        ("template.yaml", True),
        ("x86_64/.CoreLayer.new/python/x.py", True),
    ]:
        assert images.ignored(path, file) is out, path


def test_each_function_is_in_the_image_of_its_group() -> None:
    for one in functions():
        for name, file in images.GROUPS.items():
            text = (ROOT / "images" / file).read_text("utf-8")
            assert (f"/{one.name}/" in text) == (images.group(one) == name), (one.name, file)


def test_the_template_of_images_is_the_template_but_for_the_packaging(tmp_path: Path) -> None:
    """Rights, variables, memory, queues and routes are the same, as AWS's translator expands both."""
    made = tmp_path / "out/images"
    path = images.prepare("aarch64", made)
    written = yaml.safe_load(path.read_text("utf-8"))
    for one in written["Resources"].values():
        if one["Type"] == "AWS::Serverless::Function":
            assert (made / one["Metadata"]["DockerContext"] / one["Metadata"]["Dockerfile"]).is_file()
            one["Properties"]["ImageUri"] = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/proviso:1"
        if one["Type"] == "AWS::Serverless::Application":
            assert (made / one["Properties"]["Location"]).resolve().is_file()
    path.write_text(yaml.safe_dump(written))
    ours, theirs = read(ROOT / "template.yaml"), read(path)
    packaging = {"Code", "Handler", "Runtime", "Layers", "PackageType", "ImageConfig", "SnapStart", "Architectures"}
    for name, function in ours.of("AWS::Lambda::Function").items():
        other = theirs.of("AWS::Lambda::Function")[name]
        assert other["PackageType"] == "Image"
        assert other["ImageConfig"] == {"Command": [function["Handler"]]}
        assert other["Architectures"] == ["arm64"]
        assert not {"Handler", "Runtime", "Layers", "SnapStart"} & set(other)
        assert {k: v for k, v in other.items() if k not in packaging} == {
            k: v for k, v in function.items() if k not in packaging
        }
    versions = ("AWS::Lambda::LayerVersion", "AWS::Lambda::Version", "AWS::Lambda::Function")
    rest = {name: one for name, one in ours.resources.items() if one["Type"] not in versions}
    for name, one in rest.items():
        if one["Type"] not in ("AWS::Lambda::Alias", "AWS::CloudFormation::Stack"):
            assert theirs.resources[name].get("Properties") == one.get("Properties"), name


def test_the_base_is_named_with_a_tag() -> None:
    for file in images.GROUPS.values():
        text = (ROOT / "images" / file).read_text("utf-8")
        assert ("FROM", "amazon/aws-lambda-python:3.13") in images.instructions(text)


def test_hadolint_finds_nothing() -> None:
    lint = ROOT / ".venv-images/bin/hadolint"
    if not lint.is_file() and shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed (its own environment, requirements/images.txt)")
    command = [str(lint) if lint.is_file() else "hadolint", "--config", "images/.hadolint.yaml"]
    done = subprocess.run(
        [*command, *(f"images/{file}" for file in images.GROUPS.values())],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
