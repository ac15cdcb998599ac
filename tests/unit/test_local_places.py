"""Where the local cloud runs a function: in the checkout, or in a built tree of which it sees its own layers alone."""

import json
import sys
from pathlib import Path

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.local.environment import environment_of
from proviso.local.places import built, in_checkout, under_opt
from proviso.local.worker import Function

FILES = Path("python/proviso/policies/files")


def function(*layers: str, **variables: str) -> Function:
    return Function("SweepFunction", "sweep", "functions.sweep.app.handler", 3.0, 128, variables, False, layers=layers)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "built"
    for name in (
        "SweepFunction/functions",
        "ModelsLayer/models",
        f"CoreLayer/{FILES}",
        "CoreLayer/certs",
        "runtime/bin",
    ):
        (tree / name).mkdir(parents=True)
    (tree / "CoreLayer" / FILES / "volunteers.toml").write_text("shipped")
    (tree / "CoreLayer/certs/bundle.pem").write_text("certificates")
    (tree / "runtime/bin/python").touch()
    (tree / "build.json").write_text(json.dumps({"pack": "mobilefacenet"}))
    return tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    policies = tmp_path / "checkout/layers/core/src/proviso/policies/files"
    policies.mkdir(parents=True)
    (policies / "demo.toml").write_text("demo")
    return tmp_path / "checkout"


def test_a_function_sees_its_own_folder_and_its_own_layers(tree: Path, root: Path, tmp_path: Path) -> None:
    found = built(tree, tmp_path / "data", root, (), None)
    place = found.place(function("CoreLayer", "ModelsLayer"))
    assert place.python == tree / "runtime/bin/python"
    assert place.folder == tree / "SweepFunction"
    assert place.path == (tree / "SweepFunction", tree / "CoreLayer/python")  # the models are no Python
    assert place.layers == (tree / "CoreLayer", tree / "ModelsLayer")
    assert found.place(function()).path == (tree / "SweepFunction",)


def test_what_is_under_opt_is_found_in_its_own_layers_alone(tree: Path, root: Path, tmp_path: Path) -> None:
    variables = {"PROVISO_MODELS": "/opt/models", "DATABASE_CA": "/opt/certs/bundle.pem", "OTHER": "/optical"}
    caller = {"PROVISO_MODELS": str(tmp_path / "of-the-caller"), "PROVISO_PACK": "mobilefacenet"}
    found = built(tree, tmp_path / "data", root, (), None)

    def environment(*layers: str) -> dict[str, str]:
        one = function(*layers, **variables)
        return environment_of(one, found.place(one), root, caller, (), {})

    both = environment("CoreLayer", "ModelsLayer")
    assert both["PROVISO_MODELS"] == str(tree / "ModelsLayer/models")
    assert both["DATABASE_CA"] == str(tree / "CoreLayer/certs/bundle.pem")
    assert both["OTHER"] == "/optical"
    assert both["PYTHONPATH"] == f"{tree / 'SweepFunction'}:{tree / 'CoreLayer/python'}"
    assert both["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environment("CoreLayer")["PROVISO_MODELS"] == "/opt/models"  # missing, as it would be in AWS
    assert under_opt("/opt/models/gone", (tree / "ModelsLayer",)) == "/opt/models/gone"


def test_the_local_cloud_s_own_policy_is_added_to_a_copy(tree: Path, root: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    place = built(tree, data, root, ("demo", "volunteers"), None).place(function("CoreLayer"))
    assert place.layers == (data / "built/CoreLayer",)
    assert (place.layers[0] / FILES / "demo.toml").read_text() == "demo"
    assert (place.layers[0] / FILES / "volunteers.toml").samefile(tree / "CoreLayer" / FILES / "volunteers.toml")
    assert not (tree / "CoreLayer" / FILES / "demo.toml").exists()
    again = built(tree, data, root, ("volunteers",), None).place(function("CoreLayer"))
    assert again.layers == (tree / "CoreLayer",)
    assert not (data / "built").exists()


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("build.json", "is no built tree; `make build-host` makes one"),
        ("runtime/bin/python", "has no Python to run functions by"),
    ],
)
def test_what_is_no_whole_tree_is_refused(tree: Path, root: Path, tmp_path: Path, gone: str, sentence: str) -> None:
    (tree / gone).unlink()
    with pytest.raises(ConfigurationFault, match=sentence):
        built(tree, tmp_path / "data", root, (), None)


def test_a_layer_that_is_missing_and_another_pack_are_named(tree: Path, root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match="holds no VisionLayer"):
        built(tree, tmp_path / "data", root, (), "mobilefacenet").place(function("CoreLayer", "VisionLayer"))
    with pytest.raises(ConfigurationFault, match="was built with the pack mobilefacenet, and dlib is asked for"):
        built(tree, tmp_path / "data", root, (), "dlib")


def test_the_checkout_is_run_by_this_python(root: Path) -> None:
    place = in_checkout(root)
    assert place.python == Path(sys.executable)
    assert place.path == (root, root / "layers/core/src")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert environment_of(function(), place, root, {}, (), {})["AWS_EXECUTION_ENV"].endswith(version)
