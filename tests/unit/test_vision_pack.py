"""Manifests are complete, and the digest moves with all that moves similarities and with nothing else."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import QualityGate
from proviso.vision.pack import PACKS, load_manifest, parse_manifest, pipeline_digest

every_pack = pytest.mark.parametrize("name", PACKS)


@every_pack
def test_a_manifest_says_where_from_under_what_terms_and_how_large(name):
    manifest = load_manifest(name)
    assert manifest.name == name
    assert manifest.dimension == 128
    assert manifest.cleared_for_operational_use in ("no", "unknown")
    assert manifest.code_licence
    assert manifest.weights_licence
    assert manifest.training_data
    assert manifest.terms
    assert manifest.demo_threshold_basis
    assert 0.0 < float(manifest.demo_threshold) < 1.0
    for file in manifest.files:
        assert len(file.sha256) == 64
        assert file.size > 100_000
        assert file.package or all(url.startswith("https://") for url in file.urls)
        assert file.package or file.urls


def test_the_withdrawal_of_the_training_data_is_told():
    assert "withdrawn" in load_manifest("mobilefacenet").terms
    assert "commercial" in load_manifest("dlib").terms


@every_pack
def test_enrolment_asks_at_least_what_a_search_asks(name):
    search, enrolment = load_manifest(name).gate("search"), load_manifest(name).gate("enrolment")
    for field in QualityGate.__dataclass_fields__:
        stricter = getattr(enrolment, field) - getattr(search, field)
        assert (stricter <= 0) if field.startswith("max") else (stricter >= 0), field


def test_the_three_pipelines_have_three_digests():
    digests = {pipeline_digest(load_manifest(name)) for name in PACKS}
    assert len(digests) == 3
    assert all(len(digest) == 64 for digest in digests)


def changed_file(manifest):
    return replace(manifest, files=(replace(manifest.files[0], sha256="0" * 64), *manifest.files[1:]))


def changed_gate(manifest):
    return replace(manifest, gates={**manifest.gates, "search": {**manifest.gates["search"], "min_box_px": "33"}})


@pytest.mark.parametrize(
    "change",
    [
        changed_file,
        changed_gate,
        lambda m: replace(m, precision="int8"),
        lambda m: replace(m, fusion="mirror"),
        lambda m: replace(m, dimension=512),
        lambda m: replace(m, detector={**m.detector, "input_rule": "square"}),
        lambda m: replace(m, embedder={**m.embedder, "mean": "0 0 0"}),
    ],
)
def test_what_moves_similarities_moves_the_digest(change):
    manifest = load_manifest("mobilefacenet")
    assert pipeline_digest(change(manifest)) != pipeline_digest(manifest)


def test_what_moves_none_leaves_the_digest():
    manifest = load_manifest("mobilefacenet")
    files = tuple(replace(file, urls=(), urls_checked=True) for file in manifest.files)
    other = replace(manifest, demo_threshold="0.9", terms="others", files=files)
    assert pipeline_digest(other) == pipeline_digest(manifest)


def test_a_change_of_this_wing_moves_the_digest(monkeypatch):
    manifest = load_manifest("mobilefacenet")
    before = pipeline_digest(manifest)
    monkeypatch.setattr("proviso.vision.pack.VISION_VERSION", "other")
    assert pipeline_digest(manifest) != before


def test_an_unknown_pack_is_a_configuration_fault_that_lists_them():
    with pytest.raises(ConfigurationFault, match="mobilefacenet, sface, dlib"):
        load_manifest("../../etc")


def test_a_manifest_that_lacks_something_says_what():
    with pytest.raises(ConfigurationFault, match="pack"):
        parse_manifest({"gates": {}})


def test_the_digest_needs_no_heavy_import():
    heavy = ("numpy", "cv2", "onnxruntime", "dlib", "simplejpeg")
    code = (
        "import sys\n"
        "from proviso.vision.pack import load_manifest, pipeline_digest\n"
        "from proviso.vision.locate import find_files\n"
        "from proviso.vision.pipeline import load_pipeline\n"
        "load_pipeline('mobilefacenet', folders=[]).digest\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
