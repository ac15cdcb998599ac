"""The default pack from a photograph to a match, over the sizes, lights and JPEG qualities that a camera brings."""

import numpy as np
import pytest

from bench.vision_scenes import astronaut_jpeg, backdrop, hopper_jpeg, model_folders, placed, to_jpeg
from proviso.domain.errors import ConfigurationFault
from proviso.domain.frame import Jpeg
from proviso.domain.reasons import Reason
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline

pytestmark = pytest.mark.integration

THRESHOLD = float(load_manifest("mobilefacenet").demo_threshold)


@pytest.fixture(scope="module")
def pipeline():
    folders = model_folders()
    try:
        find_files(load_manifest("mobilefacenet"), folders)
    except ConfigurationFault as absent:
        pytest.skip(str(absent))
    return load_pipeline("mobilefacenet", folders=folders)


@pytest.fixture(scope="module")
def reference(pipeline):
    image = pipeline.decode(Jpeg(hopper_jpeg()))
    (face,) = pipeline.detect(image)
    assert pipeline.enrolment_gate.judge(face) is None
    return np.array(pipeline.templates(image, [face])[0].floats())


def searched(pipeline, jpeg):
    """Templates of the faces that pass the search gate, as the stages do it."""
    image = pipeline.decode(Jpeg(jpeg))
    faces = [face for face in pipeline.detect(image) if pipeline.search_gate.judge(face) is None]
    return [np.array(template.floats()) for template in pipeline.templates(image, faces)]


def lit(frame, factor):
    return np.clip(frame * factor, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3, 0.22])
@pytest.mark.parametrize("quality", [95, 70, 40])
@pytest.mark.parametrize("light", [0.5, 1.0, 1.4])
def test_hopper_is_matched_and_the_astronaut_is_not(pipeline, reference, scale, quality, light):
    frame = placed(backdrop(), hopper_jpeg(), 60, 60, scale)
    frame = placed(frame, astronaut_jpeg(), 700, 60, max(scale, 0.45))
    probes = searched(pipeline, to_jpeg(lit(frame, light), quality))
    found = sorted((float(probe @ reference) for probe in probes), reverse=True)
    assert len(found) == 2
    assert found[0] >= THRESHOLD > found[1]


def test_a_face_that_is_too_small_is_found_and_not_searched(pipeline):
    frame = placed(backdrop(), hopper_jpeg(), 500, 200, 0.14)  # about 25 px
    image = pipeline.decode(Jpeg(to_jpeg(frame, 90)))
    (face,) = pipeline.detect(image)
    assert pipeline.search_gate.judge(face) is Reason.FACE_TOO_SMALL


def test_a_frame_in_the_dark_is_not_searched(pipeline):
    frame = lit(placed(backdrop(), hopper_jpeg(), 500, 100, 0.5), 0.15)
    image = pipeline.decode(Jpeg(to_jpeg(frame, 90)))
    assert all(pipeline.search_gate.judge(face) is Reason.UNDER_EXPOSED for face in pipeline.detect(image))


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3000, 4000), (720, 1280)])
def test_other_sizes_of_frame_are_searched_too(pipeline, reference, width, height):
    frame = placed(backdrop(width, height), hopper_jpeg(), width // 3, height // 4, 0.5)
    (probe,) = searched(pipeline, to_jpeg(frame, 90))
    assert float(probe @ reference) >= THRESHOLD


def test_a_portrait_of_twelve_megapixels_filled_by_one_face_can_be_enrolled(pipeline, reference):
    """As a telephone takes it: the face is larger than the network knows at half scale."""
    frame = placed(backdrop(3000, 3600), hopper_jpeg(), 0, 0, 5.9)
    (probe,) = searched(pipeline, to_jpeg(frame, 90))
    assert float(probe @ reference) >= 0.9
