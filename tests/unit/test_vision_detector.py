"""The detector's arithmetic without its network: input size, raw outputs to boxes, suppression, back to the frame."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proviso.domain.frame import Image
from proviso.vision.detector import (
    STRIDES,
    NetworkSize,
    YuNet,
    decode_outputs,
    keep_best,
    network_size,
    with_large_faces,
)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1280, 720, NetworkSize(640, 360, 640, 384)),
        (1920, 1080, NetworkSize(960, 540, 960, 544)),
        (720, 1280, NetworkSize(360, 640, 384, 640)),
        (3840, 2160, NetworkSize(1920, 1080, 1920, 1088)),
        (6000, 4000, NetworkSize(1920, 1280, 1920, 1280)),
        (512, 600, NetworkSize(512, 600, 512, 608)),
        (92, 112, NetworkSize(92, 112, 96, 128)),
        (800, 600, NetworkSize(640, 480, 640, 480)),
        (1, 1, NetworkSize(1, 1, 32, 32)),
    ],
)
def test_half_scale_and_its_limits(width, height, expected):
    assert network_size(width, height, "half") == expected


@given(st.integers(1, 8000), st.integers(1, 8000), st.sampled_from(["half", "square"]))
def test_every_size_suits_the_network(width, height, rule):
    size = network_size(width, height, rule)
    assert size.padded_width % 32 == 0
    assert size.padded_height % 32 == 0
    assert 1 <= size.width <= min(width, size.padded_width)
    assert 1 <= size.height <= min(height, size.padded_height)
    if rule == "square":
        assert (size.padded_width, size.padded_height) == (640, 640)


def test_an_unknown_rule_is_a_value_error():
    with pytest.raises(ValueError, match="no such input rule"):
        network_size(10, 10, "third")


def outputs_for(faces, padded_width, padded_height):
    """What the network would say for faces given as (x, y, width, height) in network pixels; stride 8 only."""
    out = {}
    for stride in STRIDES:
        cells = (padded_width // stride) * (padded_height // stride)
        out |= {
            f"cls_{stride}": np.zeros((cells, 1), np.float32),
            f"obj_{stride}": np.zeros((cells, 1), np.float32),
            f"bbox_{stride}": np.zeros((cells, 4), np.float32),
            f"kps_{stride}": np.zeros((cells, 10), np.float32),
        }
    for x, y, width, height in faces:
        if not (0 <= x + width / 2 < padded_width and 0 <= y + height / 2 < padded_height):
            continue
        column, row = int((x + width / 2) // 8), int((y + height / 2) // 8)
        cell = row * (padded_width // 8) + column
        corner = np.array([column, row], np.float32)
        centre = np.array([x + width / 2, y + height / 2], np.float32)
        out["cls_8"][cell] = out["obj_8"][cell] = 0.9
        out["bbox_8"][cell] = np.concatenate((centre / 8 - corner, np.log(np.array([width, height]) / 8)))
        shares = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        points = np.array([x, y]) + shares * np.array([width, height])
        out["kps_8"][cell] = (points / 8 - corner).ravel()
    return out


class Network:
    """Stands where ONNX Runtime's session is: checks its input and answers with prepared outputs."""

    def __init__(self, answer):
        self.answer = answer
        self.shapes = []

    def get_inputs(self):
        return [type("Input", (), {"name": "input"})()]

    def run(self, names, feeds):
        (blob,) = feeds.values()
        self.shapes.append(blob.shape)
        out = self.answer(blob.shape[3], blob.shape[2])
        return [out[name][None] for name in names]


sizes = st.tuples(st.integers(200, 1920), st.integers(200, 1920))


@given(sizes, st.floats(0.05, 0.6), st.floats(0.05, 0.6), st.floats(0.1, 0.35))
def test_a_box_in_the_network_is_the_same_region_of_the_frame(frame, left, top, side):
    width, height = frame
    size = network_size(width, height, "half")
    assume(max(size.padded_width, size.padded_height) <= 960)  # above, there is a second pass; it is tested below
    face = (left * size.width, top * size.height, side * size.width, side * size.height)
    detector = YuNet(
        lambda: Network(lambda w, h: outputs_for([face], w, h)),
        input_rule="half",
        min_confidence=0.6,
        max_overlap=0.3,
    )

    (found,) = detector.detect(Image(np.zeros((height, width, 3), np.uint8), width, height))

    near = pytest.approx
    tolerance = max(width, height) / 1000
    assert found.box.x == near(left * width, abs=tolerance)
    assert found.box.y == near(top * height, abs=tolerance)
    assert found.box.width == near(side * width, abs=tolerance)
    assert found.box.height == near(side * height, abs=tolerance)
    assert found.landmarks[2] == near(((left + side / 2) * width, (top + 0.6 * side) * height), abs=tolerance)
    assert found.detector_confidence == near(0.9, abs=1e-6)


def test_faces_come_largest_first():
    faces = [(10, 10, 40, 40), (200, 50, 90, 90), (400, 200, 60, 60)]
    detector = YuNet(
        lambda: Network(lambda w, h: outputs_for(faces, w, h)), input_rule="half", min_confidence=0.6, max_overlap=0.3
    )
    found = detector.detect(Image(np.zeros((720, 1280, 3), np.uint8), 1280, 720))
    assert [round(face.box.width) for face in found] == [180, 120, 80]


def test_a_large_picture_is_looked_at_once_more_coarsely_and_a_frame_is_not():
    network = Network(lambda w, h: outputs_for([], w, h))
    detector = YuNet(lambda: network, input_rule="half", min_confidence=0.6, max_overlap=0.3)
    assert detector.detect(Image(np.zeros((2400, 1800, 3), np.uint8), 1800, 2400)) == []
    assert network.shapes == [(1, 3, 1216, 928), (1, 3, 480, 384)]
    network.shapes.clear()
    assert detector.detect(Image(np.zeros((1080, 1920, 3), np.uint8), 1920, 1080)) == []
    assert network.shapes == [(1, 3, 544, 960)]


def test_a_large_face_of_the_coarse_look_takes_the_place_of_its_parts():
    fine = rows_of([(100, 100, 60, 0.9), (900, 900, 40, 0.9)])
    coarse = rows_of([(0, 0, 300, 0.8), (900, 900, 44, 0.9)])
    assert with_large_faces(fine, coarse, 256)[:, 0].tolist() == [900, 0]
    assert with_large_faces(fine, coarse[:0], 256)[:, 0].tolist() == [100, 900]


def test_confidence_is_the_geometric_mean_and_the_limit_holds():
    out = outputs_for([(100, 100, 40, 40)], 640, 384)
    out["cls_8"][out["cls_8"] > 0] = 0.5
    rows = decode_outputs(out, 640, 0.6)
    assert rows[:, 14] == pytest.approx([np.sqrt(0.45)])
    assert len(decode_outputs(out, 640, 0.68)) == 0


def rows_of(boxes):
    rows = np.zeros((len(boxes), 15), np.float32)
    for row, (x, y, side, confidence) in zip(rows, boxes, strict=True):
        row[:4], row[14] = (x, y, side, side), confidence
    return rows


def test_the_most_confident_of_overlapping_boxes_stays():
    rows = rows_of([(0, 0, 10, 0.7), (1, 1, 10, 0.9), (50, 50, 10, 0.8), (8, 8, 10, 0.6)])
    assert keep_best(rows, 0.3) == [1, 2, 3]


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(4, 40), st.floats(0.5, 1.0, width=32)),
        max_size=25,
    )
)
def test_no_two_kept_boxes_overlap_too_much_and_each_dropped_one_overlaps_a_kept_one(boxes):
    rows = rows_of(boxes)
    kept = keep_best(rows, 0.3)

    def iou(a, b):
        across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
        down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
        shared = max(0, across) * max(0, down)
        return shared / (a[2] * a[3] + b[2] * b[3] - shared)

    for i in range(len(rows)):
        others = [iou(rows[i], rows[k]) for k in kept if k != i]
        assert (max(others, default=0) <= 0.3 + 1e-6) if i in kept else (max(others) > 0.3 - 1e-6)
