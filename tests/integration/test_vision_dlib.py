"""The fallback where only the Python package index can be reached: the real dlib pack, from files to a match."""

import importlib.util

import numpy as np
import pytest

from bench.vision_scenes import astronaut_jpeg, backdrop, hopper_jpeg, placed, to_jpeg
from proviso.domain.frame import Jpeg
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        importlib.util.find_spec("dlib") is None, reason="dlib is not installed; `make install-dlib` installs it"
    ),
]

THRESHOLD = float(load_manifest("dlib").demo_threshold)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """No folder and no cache: the files come from the installed package alone."""
    return load_pipeline("dlib", folders=[tmp_path_factory.mktemp("empty")])


@pytest.fixture(scope="module")
def reference(pipeline):
    """Hopper, enrolled as the enrolment stage does it: one face, through the gate."""
    image = pipeline.decode(Jpeg(hopper_jpeg()))
    (face,) = pipeline.detect(image)
    assert pipeline.enrolment_gate.judge(face) is None
    (template,) = pipeline.templates(image, [face])
    return np.array(template.floats())


def similarities(pipeline, jpeg, reference):
    image = pipeline.decode(Jpeg(jpeg))
    faces = [face for face in pipeline.detect(image) if pipeline.search_gate.judge(face) is None]
    return [float(np.array(t.floats()) @ reference) for t in pipeline.templates(image, faces)]


def test_the_files_are_found_in_the_package_and_are_the_manifests():
    found = find_files(load_manifest("dlib"), [])
    assert set(found) == {"landmarks5", "landmarks68", "embedder"}


@pytest.mark.parametrize(
    ("scale", "quality", "light"), [(0.5, 85, 1.0), (0.3, 85, 1.0), (0.5, 40, 1.0), (0.4, 85, 0.6), (0.4, 85, 1.3)]
)
def test_hopper_is_matched_in_another_scene(pipeline, reference, scale, quality, light):
    frame = np.clip(placed(backdrop(), hopper_jpeg(), 500, 150, scale) * light, 0, 255).astype(np.uint8)
    (similarity,) = similarities(pipeline, to_jpeg(frame, quality), reference)
    assert similarity >= THRESHOLD


def test_the_astronaut_is_not(pipeline, reference):
    for scale in (0.5, 1.0):
        found = similarities(pipeline, to_jpeg(placed(backdrop(), astronaut_jpeg(), 500, 100, scale)), reference)
        assert found
        assert max(found) < THRESHOLD


def test_together_only_hopper_is(pipeline, reference):
    frame = placed(placed(backdrop(), hopper_jpeg(), 100, 150, 0.5), astronaut_jpeg(), 600, 100, 1.0)
    above = [s for s in similarities(pipeline, to_jpeg(frame), reference) if s >= THRESHOLD]
    assert len(above) == 1
