"""The contract of the port `Pipeline`, run against each pack: the default, `sface`, and `dlib` where it is installed.

The weights of SFace are not at hand where only package registries are; its adapter runs here over a generated file
of the same signature (`data` [1, 3, 112, 112] to `fc1` [1, 128]). What that file computes tells pictures apart, but
not people, so the one test about people leaves it out.
"""

import hashlib
import importlib.util
import struct
from dataclasses import replace

import numpy as np
import pytest

from bench.vision_scenes import astronaut_jpeg, backdrop, hopper_jpeg, model_folders, placed, three_faces, to_jpeg
from proviso.domain.errors import ConfigurationFault
from proviso.domain.face import Face, QualityGate, Template
from proviso.domain.frame import Image, Jpeg
from proviso.domain.ports import Pipeline
from proviso.domain.reasons import Reason, Refused
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest, pipeline_digest
from proviso.vision.pipeline import build_pipeline, load_pipeline

# --- a small ONNX file, written by hand: field numbers are those of onnx.proto ---


def _varint(number):
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def _field(number, value):
    """One protobuf field: an int as a varint, text and bytes length-delimited."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor(name, array):
    dims = b"".join(_field(1, size) for size in array.shape)
    return dims + _field(2, 1) + _field(8, name) + _field(9, array.astype("<f4").tobytes())


def _value(name, shape):
    dims = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def _ints(name, values):
    return _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, 7)


def _node(kind, inputs, outputs, *attributes):
    return (
        b"".join(_field(1, name) for name in inputs)
        + b"".join(_field(2, name) for name in outputs)
        + _field(4, kind)
        + b"".join(_field(5, attribute) for attribute in attributes)
    )


def sface_like_model():
    """SFace's signature over a small computation that depends on channel order: cell means, two mixtures of the
    channels, flattened to 128 figures."""
    weights = np.random.default_rng(11).normal(size=(2, 3, 1, 1))
    bias = -128.0 * weights.sum(axis=(1, 2, 3))
    pooled = _node("AveragePool", ["data"], ["cells"], _ints("kernel_shape", (14, 14)), _ints("strides", (14, 14)))
    mixed = _node("Conv", ["cells", "weights", "bias"], ["mixed"], _ints("kernel_shape", (1, 1)))
    flat = _node("Flatten", ["mixed"], ["fc1"])
    graph = (
        b"".join(_field(1, node) for node in (pooled, mixed, flat))
        + _field(2, "sface_like")
        + _field(5, _tensor("weights", weights))
        + _field(5, _tensor("bias", bias))
        + _field(11, _value("data", (1, 3, 112, 112)))
        + _field(12, _value("fc1", (1, 128)))
    )
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


# --- the pipelines ---


def _mobilefacenet(_):
    folders = model_folders()
    try:
        find_files(load_manifest("mobilefacenet"), folders)
    except ConfigurationFault as absent:
        pytest.skip(str(absent))
    return load_pipeline("mobilefacenet", folders=folders)


def _sface(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sface")
    model = sface_like_model()
    manifest = load_manifest("sface")
    detector, embedder = manifest.file("detector"), manifest.file("embedder")
    (folder / embedder.name).write_bytes(model)
    generated = replace(embedder, sha256=hashlib.sha256(model).hexdigest(), size=len(model))
    manifest = replace(manifest, files=(detector, generated))
    folders = [folder, *model_folders()]
    try:
        find_files(manifest, folders)
    except ConfigurationFault as absent:
        pytest.skip(str(absent))
    return build_pipeline(manifest, folders=folders)


def _dlib(_):
    if importlib.util.find_spec("dlib") is None:
        pytest.skip("dlib is not installed; `make install-dlib` installs it")
    return load_pipeline("dlib", folders=[])


MAKERS = {"mobilefacenet": _mobilefacenet, "sface": _sface, "dlib": _dlib}


@pytest.fixture(scope="module", params=MAKERS)
def pack(request):
    return request.param


@pytest.fixture(scope="module")
def pipeline(pack, tmp_path_factory):
    return MAKERS[pack](tmp_path_factory)


def image_of(pipeline, jpeg):
    image = pipeline.decode(Jpeg(jpeg))
    assert isinstance(image, Image)
    return image


def vector(template):
    return np.array(template.floats())


class TestPipelineContract:
    def test_it_fulfils_the_port(self, pipeline):
        port: Pipeline = pipeline
        assert isinstance(port.search_gate, QualityGate)
        assert isinstance(port.enrolment_gate, QualityGate)
        assert port.dimension == 128

    def test_the_digest_names_the_pipeline(self, pack, pipeline):
        assert len(bytes.fromhex(pipeline.digest)) == 32
        if pack != "sface":  # its embedder is generated here
            assert pipeline.digest == pipeline_digest(load_manifest(pack))

    def test_what_is_no_frame_is_refused_by_name(self, pipeline):
        good = hopper_jpeg()
        for data, reason in (
            (b"", Reason.EMPTY),
            (b"\x89PNG\r\n\x1a\n" + bytes(60), Reason.WRONG_TYPE),
            (b"no picture at all", Reason.NOT_AN_IMAGE),
            (good[: len(good) // 2], Reason.TRUNCATED),
            (bytes(9 * 1024 * 1024), Reason.TOO_MANY_BYTES),
        ):
            refused = pipeline.decode(Jpeg(data))
            assert isinstance(refused, Refused)
            assert refused.reason is reason

    def test_a_portrait_has_one_face_with_its_landmarks_in_place(self, pipeline):
        image = image_of(pipeline, hopper_jpeg())
        (face,) = pipeline.detect(image)
        box = face.box
        assert 250 < box.x + box.width / 2 < 285
        assert 200 < box.y + box.height / 2 < 260
        right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        for x, y in face.landmarks:
            assert box.x <= x <= box.x + box.width
            assert box.y <= y <= box.y + box.height
        assert 0.0 < face.detector_confidence <= 1.0
        assert pipeline.search_gate.judge(face) is None
        assert pipeline.enrolment_gate.judge(face) is None

    def test_a_frame_without_people_has_no_face(self, pipeline):
        assert pipeline.detect(image_of(pipeline, to_jpeg(backdrop()))) == []

    def test_faces_of_a_frame_come_largest_first_where_they_are(self, pipeline):
        faces = pipeline.detect(image_of(pipeline, three_faces()))
        assert len(faces) == 3
        areas = [face.box.area for face in faces]
        assert areas == sorted(areas, reverse=True)
        middles = sorted(face.box.x + face.box.width / 2 for face in faces)
        assert middles == pytest.approx([60 + 134, 420 + 224, 980 + 107], abs=14)

    def test_templates_come_one_a_face_in_their_order_and_of_length_one(self, pipeline):
        image = image_of(pipeline, three_faces())
        faces = pipeline.detect(image)
        templates = pipeline.templates(image, faces)
        backwards = pipeline.templates(image, faces[::-1])
        assert len(templates) == len(faces)
        for template in templates:
            assert isinstance(template, Template)
            assert (template.dimension, template.pipeline) == (pipeline.dimension, pipeline.digest)
            assert np.linalg.norm(vector(template)) == pytest.approx(1.0, abs=1e-5)
        assert [t.packed for t in backwards[::-1]] == [t.packed for t in templates]
        assert pipeline.templates(image, []) == []

    def test_a_face_that_came_as_a_message_gives_the_same_template(self, pipeline):
        """match reads box and landmarks from a queue and the frame anew."""
        image = image_of(pipeline, hopper_jpeg())
        (face,) = pipeline.detect(image)
        sent = Face(face.box, face.landmarks, face.detector_confidence, face.quality)
        again = image_of(pipeline, hopper_jpeg())
        assert pipeline.templates(again, [sent]) == pipeline.templates(image, [face])

    def test_one_person_is_nearer_to_herself_than_to_another(self, pack, pipeline):
        if pack == "sface":
            pytest.skip("the weights of SFace are not here; the generated file does not know people")
        frame = image_of(pipeline, to_jpeg(placed(backdrop(), hopper_jpeg(), 500, 200, 0.35), quality=70))
        (probe,) = pipeline.templates(frame, pipeline.detect(frame))
        similarity = []
        for jpeg in (hopper_jpeg(), astronaut_jpeg()):
            image = image_of(pipeline, jpeg)
            (reference,) = pipeline.templates(image, pipeline.detect(image)[:1])
            similarity.append(float(vector(probe) @ vector(reference)))
        threshold = float(load_manifest(pack).demo_threshold)
        assert similarity[0] >= threshold > similarity[1]

    def test_evidence_shows_the_candidate_and_nobody_else(self, pipeline):
        image = image_of(pipeline, three_faces())
        faces = pipeline.detect(image)
        for candidate in faces:
            picture = image_of(pipeline, pipeline.evidence(image, candidate, [face.box for face in faces]).jpeg.data)
            (found,) = pipeline.detect(picture)
            assert found.box.x + found.box.width / 2 == pytest.approx(candidate.box.x + candidate.box.width / 2, abs=12)

    def test_nothing_alters_the_image(self, pipeline):
        image = image_of(pipeline, three_faces())
        before = image.pixels.copy()
        faces = pipeline.detect(image)
        pipeline.templates(image, faces)
        pipeline.evidence(image, faces[0], [face.box for face in faces[1:]])
        assert np.array_equal(image.pixels, before)


# --- sface: the input is what OpenCV's own FaceRecognizerSF gives ---


def test_the_generated_file_is_read_as_opencv_reads_it(tmp_path):
    """Channel order and scale of SFace's input are OpenCV's, held against OpenCV's own class over the same file."""
    import cv2

    model = sface_like_model()
    path = tmp_path / "sface.onnx"
    path.write_bytes(model)
    if not hasattr(cv2, "FaceRecognizerSF"):
        pytest.skip("this OpenCV has no FaceRecognizerSF")
    crop = np.random.default_rng(2).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    crop[:, :, 0] //= 4  # little blue, so that the order of channels matters
    theirs = cv2.FaceRecognizerSF.create(str(path), "").feature(crop).ravel()

    from proviso.vision.embedder import OnnxEmbedder
    from proviso.vision.sessions import load_session

    settings = load_manifest("sface").embedder
    session = load_session(model, threads=1)
    assert [each.name for each in session.get_inputs()] == ["data"]
    ours = OnnxEmbedder(
        lambda: session,
        mean=[float(figure) for figure in settings["mean"].split()],
        std=[float(figure) for figure in settings["std"].split()],
        dimension=128,
    ).embed(crop)
    unpacked = np.array(struct.unpack("<128f", ours))
    assert unpacked == pytest.approx(theirs / np.linalg.norm(theirs), abs=1e-5)


# --- bursts: taken apart and fused as the port says ---


def test_a_burst_comes_apart_and_its_faces_are_one_person_s(pack, pipeline):
    if pack == "sface":
        pytest.skip("the weights of SFace are not here; the generated file does not know people")
    frames = [to_jpeg(placed(backdrop(), hopper_jpeg(), 500 + 12 * n, 200, 0.35), quality=70) for n in range(3)]
    parts = pipeline.split(Jpeg(b"".join(frames)), 3)
    assert [part.data for part in parts] == frames
    templates = []
    for part in parts:
        image = image_of(pipeline, part.data)
        templates += pipeline.templates(image, pipeline.detect(image))
    stranger = image_of(pipeline, astronaut_jpeg())
    templates += pipeline.templates(stranger, pipeline.detect(stranger)[:1])
    assert pipeline.alike(templates) == [[0, 1, 2], [3]]
    fused = pipeline.fuse(templates[:3])
    reference = image_of(pipeline, hopper_jpeg())
    (listed,) = pipeline.templates(reference, pipeline.detect(reference)[:1])
    single = [float(vector(one) @ vector(listed)) for one in templates[:3]]
    assert float(vector(fused) @ vector(listed)) >= min(single)
    assert pipeline.split(Jpeg(b"".join(frames)), 2).reason is Reason.TOO_MANY_FRAMES
