"""What building leans on: where a Python 3.13 is found, whose licence is missing, which pack lies in the layer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import build, licences, python313
from scripts.licences import Distribution, NoLicence

ROOT = Path(__file__).resolve().parents[2]


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_name_on_path_that_does_not_run_is_passed_over(tmp_path):
    """pyenv leaves such names, which answer that this version is not chosen."""
    shim = executable(tmp_path / "shims/python3.13")
    real = executable(tmp_path / "pyenv/versions/3.13.2/bin/python3.13")
    older = executable(tmp_path / "pyenv/versions/3.13.1/bin/python3.13")
    right = "cpython 3 13"

    def say(command):
        answers = {str(shim): None, str(real): right, str(older): right, "pyenv": str(tmp_path / "pyenv")}
        return answers.get(command[0])

    assert python313.find({"PATH": str(shim.parent)}, say) == str(real)


def test_the_named_one_is_taken_or_none(tmp_path):
    named = executable(tmp_path / "python3.13")
    other = executable(tmp_path / "elsewhere/python3.13")
    answers = {str(named): "cpython 3 12", str(other): "cpython 3 13"}
    environment = {"PYTHON313": str(named), "PATH": str(other.parent)}
    assert python313.find(environment, lambda command: answers.get(command[0])) is None
    answers[str(named)] = "cpython 3 13"
    assert python313.find(environment, lambda command: answers.get(command[0])) == str(named)


def test_uv_is_asked_last_and_downloads_nothing(tmp_path):
    asked = []

    def say(command):
        asked.append(command)
        return "/uv/python3.13" if command[0] == "uv" else "cpython 3 13" if command[0].startswith("/uv") else None

    assert python313.find({"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)}, say) == "/uv/python3.13"
    assert "--no-python-downloads" in next(one for one in asked if one[0] == "uv")


@pytest.mark.parametrize("script", [["python313.py"], ["build.py", "host"], ["build.py", "aws"]])
def test_without_one_it_says_how_to_get_one_and_exits_with_3(script):
    environment = {**os.environ, "PYTHON313": "/bin/false", "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/core/src'}"}
    command = [sys.executable, str(ROOT / "scripts" / script[0]), *script[1:]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "uv python install 3.13" in done.stderr
    assert done.stdout == ""


# --- licences ---------------------------------------------------------------------------------------------------------


def distribution(**changes) -> Distribution:
    return Distribution(**{
        "name": "parcel", "version": "1.0", "licence": "MIT", "texts": ("parcel-1.0.dist-info/LICENSE",), "lost": (),
        "bundled": (), **changes,
    })  # fmt: skip


def test_what_has_no_licence_text_is_named():
    assert licences.faults([distribution()]) == []
    (fault,) = licences.faults([distribution(texts=())])
    assert "parcel 1.0 has no licence text" in fault
    (fault,) = licences.faults([distribution(lost=("parcel/NOTICE",))])
    assert "parcel 1.0 lost its licence parcel/NOTICE" in fault


def test_an_exception_needs_its_reason_and_stands_in_the_listing(monkeypatch):
    monkeypatch.setitem(licences.EXCEPTIONS, "parcel", "in the public domain")
    found = [distribution(texts=())]
    assert licences.faults(found) == []
    assert "none: in the public domain" in licences.listing("CoreLayer", found)


def test_there_are_few_exceptions_and_each_says_why():
    assert len(licences.EXCEPTIONS) <= 3
    assert all(len(reason) > 10 for reason in licences.EXCEPTIONS.values())


def installed(python: Path, record: str, *files: str) -> None:
    info = python / "parcel-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: parcel\nVersion: 1.0\nClassifier: License :: OSI Approved :: MIT License\n\n")
    (info / "RECORD").write_text(record)
    for name in files:
        (python / name).parent.mkdir(parents=True, exist_ok=True)
        (python / name).write_text("text")


def test_texts_beside_the_code_count_and_those_of_removed_folders_are_not_missed(tmp_path):
    record = "parcel/LICENSE,sha256=a,1\nparcel/gone/LICENSE,sha256=b,1\nparcel/licence.py,sha256=c,1\n"
    installed(tmp_path, record, "parcel/LICENSE", "parcel/licence.py")
    (found,) = licences.distributions(tmp_path)
    assert (found.texts, found.lost, found.licence) == (("parcel/LICENSE",), (), "MIT License")


def test_a_text_that_lies_there_twice_may_be_trimmed_once(tmp_path):
    record = "parcel/LICENSE,sha256=a,1\nparcel/NOTICE.txt,sha256=a,1\nparcel/COPYING,sha256=b,1\n"
    installed(tmp_path, record, "parcel/LICENSE")
    (found,) = licences.distributions(tmp_path)
    assert found.lost == ("parcel/COPYING",)


def test_a_layer_without_packages_is_no_layer(tmp_path):
    with pytest.raises(NoLicence, match="holds no package"):
        licences.packages("CoreLayer", tmp_path, tmp_path / "licences")


def test_the_command_of_the_makefiles_fails_with_the_name(tmp_path, capsys):
    installed(tmp_path / "python", "parcel/code.py,,\n", "parcel/code.py")
    arguments = ["packages", "--layer", "CoreLayer", "--python", str(tmp_path / "python"), "--into", str(tmp_path)]
    assert licences.main(arguments) == 1
    assert "parcel 1.0 has no licence text" in capsys.readouterr().err


# --- the pack ---------------------------------------------------------------------------------------------------------


def test_only_packs_that_the_template_allows_can_be_in_a_layer(tmp_path):
    with pytest.raises(build.Failed, match="the template allows mobilefacenet, sface"):
        build.fill_pack("dlib", tmp_path / "pack")


def test_what_lay_in_the_layer_before_is_taken_away(tmp_path, monkeypatch):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "other.onnx").write_bytes(b"stale")
    found = tmp_path / "found.onnx"
    found.write_bytes(b"model")
    models = type("Models", (), {"files": {"detector": found}})
    verified = []
    monkeypatch.setattr(build, "find_models", lambda *rest, **more: models)
    monkeypatch.setattr(build, "verify", lambda path, file: verified.append((path, file.role)))
    build.fill_pack("mobilefacenet", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["ModelsLayer.md", "found.onnx"]
    assert verified == [(folder / "found.onnx", "detector")]


def test_a_pack_that_is_nowhere_stops_the_build_in_one_line(tmp_path, monkeypatch):
    from proviso.domain.errors import ConfigurationFault

    def missing(*rest, **more):
        raise ConfigurationFault("the pack is nowhere; put it there")

    monkeypatch.setattr(build, "find_models", missing)
    with pytest.raises(build.Failed, match="the pack is nowhere"):
        build.fill_pack("mobilefacenet", tmp_path / "pack")


def test_a_part_is_made_anew_when_what_goes_into_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "_INPUTS", {"CoreLayer": ("layers/core",)})
    source = tmp_path / "layers/core/src/module.py"
    source.parent.mkdir(parents=True)
    source.write_text("one = 1")
    first = build.digest("CoreLayer", "aarch64")
    assert build.digest("CoreLayer", "aarch64") == first
    assert build.digest("CoreLayer", "x86_64") != first
    (source.parent / "__pycache__").mkdir()
    (source.parent / "__pycache__/module.pyc").write_bytes(b"x")
    assert build.digest("CoreLayer", "aarch64") == first
    source.rename(source.parent / "renamed.py")
    assert build.digest("CoreLayer", "aarch64") != first


def test_a_stand_in_for_the_certificates_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    sam = tmp_path / ".venv-sam/bin/sam"
    sam.parent.mkdir(parents=True)
    sam.write_text("")
    bundle = build.stand_in(tmp_path / "stand-in.pem")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    with pytest.raises(build.Failed, match="good for proof only"):
        build.aws(sys.executable, "mobilefacenet", bundle)


def test_what_was_found_wrong_is_put_where_nothing_deploys_it(tmp_path):
    made = tmp_path / "build"
    for content in ("first", "second"):
        made.mkdir()
        (made / "template.yaml").write_text(content)
        aside = build.set_aside(made)
        assert not made.exists()
        assert (aside / "template.yaml").read_text() == content
