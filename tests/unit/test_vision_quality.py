"""Quality measures answer to what they are named after, and the pose signs are as the domain defines them."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.face import Box
from proviso.vision.alignment import TEMPLATE
from proviso.vision.quality import measure, yaw

PATTERN = np.random.default_rng(5).integers(40, 200, (300, 300, 3), dtype=np.uint8)
LANDMARKS = tuple((x + 90.0, y + 80.0) for x, y in TEMPLATE)
BOX = Box(100.0, 90.0, 90.0, 110.0)


def test_a_frontal_face_has_no_yaw_and_no_roll():
    quality = measure(PATTERN, BOX, LANDMARKS)
    assert abs(quality.yaw) < 0.03
    assert abs(quality.roll_deg) < 1
    assert quality.inter_eye_px == pytest.approx(35.2, abs=0.1)
    assert quality.inside_share == 1.0


def test_blur_lowers_sharpness_and_light_raises_luminance():
    plain = measure(PATTERN, BOX, LANDMARKS)
    blurred = measure(cv2.GaussianBlur(PATTERN, (0, 0), 3), BOX, LANDMARKS)
    bright = measure(cv2.add(PATTERN, (50, 50, 50, 0)), BOX, LANDMARKS)
    assert blurred.sharpness < plain.sharpness / 20
    assert bright.luminance > plain.luminance + 40


@given(st.floats(-1.4, 1.4), st.floats(0.1, 30.0))
def test_roll_is_the_eye_lines_angle_and_yaw_does_not_depend_on_turn_or_size(angle, scale):
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turned = [(cos * x - sin * y, sin * x + cos * y) for x, y in LANDMARKS]
    assert yaw(turned) == pytest.approx(yaw(LANDMARKS), abs=1e-6)
    level = math.degrees(math.atan2(LANDMARKS[1][1] - LANDMARKS[0][1], LANDMARKS[1][0] - LANDMARKS[0][0]))
    right_eye, left_eye = turned[0], turned[1]
    roll = math.degrees(math.atan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0]))
    assert roll == pytest.approx(level + math.degrees(angle), abs=1e-6)


def test_a_nose_to_the_images_right_is_a_positive_yaw():
    points = list(LANDMARKS)
    points[2] = (points[2][0] + 10, points[2][1])
    assert yaw(points) > 0.25


def test_eyes_that_coincide_count_as_profile():
    assert yaw([(5.0, 5.0), (5.0, 5.0), (6.0, 8.0), (5.0, 9.0), (5.0, 9.0)]) == 1.0
