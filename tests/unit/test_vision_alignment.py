"""The alignment recovers what was done to a face: turn, size, place."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from proviso.vision.alignment import SIDE, TEMPLATE, aligned_crop, similarity_transform

similarities = st.tuples(
    st.floats(0.05, 20.0), st.floats(-math.pi, math.pi), st.floats(-4000, 4000), st.floats(-4000, 4000)
)


def matrix_of(scale, angle, x, y):
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def moved(matrix, points):
    return [tuple(matrix[:, :2] @ np.array(point) + matrix[:, 2]) for point in points]


@given(similarities)
def test_a_known_similarity_is_recovered(known):
    matrix = matrix_of(*known)
    found = similarity_transform(TEMPLATE, moved(matrix, TEMPLATE))
    assert_allclose(found, matrix, atol=1e-6 * (1 + abs(matrix).max()))


@given(similarities, st.integers(0, 2**32 - 1))
def test_no_similarity_near_it_fits_noisy_landmarks_better(known, seed):
    random = np.random.default_rng(seed)
    source = np.array(moved(matrix_of(*known), TEMPLATE)) + random.normal(0, known[0], (5, 2))
    best = similarity_transform([tuple(p) for p in source])

    def error(matrix):
        return float(((source @ matrix[:, :2].T + matrix[:, 2] - np.array(TEMPLATE)) ** 2).sum())

    for entry in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        a, b, x, y = (0.01 * value for value in entry)
        step = np.array([[a / known[0], -b / known[0], x], [b / known[0], a / known[0], y]])
        assert error(best) <= error(best + step) + 1e-6
        assert error(best) <= error(best - step) + 1e-6


def test_a_mirrored_face_is_not_mirrored_back():
    mirrored = [(112 - x, y) for x, y in TEMPLATE]
    matrix = similarity_transform(mirrored)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_landmarks_that_coincide_are_a_value_error():
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform([(5.0, 5.0)] * 5)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.4, 6.0), st.floats(-0.6, 0.6))
def test_the_crop_shows_the_same_picture_whatever_size_and_turn_the_face_had(scale, angle):
    # A smooth pattern in template coordinates, drawn as it would look after the similarity.
    side = 900
    centre = np.array([side / 2, side / 2]) - matrix_of(scale, angle, 0, 0)[:, :2] @ np.array([56.0, 72.0])
    matrix = matrix_of(scale, angle, *centre)
    inverse = np.linalg.inv(matrix[:, :2])
    ys, xs = np.mgrid[0:side, 0:side]
    u, v = np.moveaxis((np.stack((xs, ys), -1) - matrix[:, 2]) @ inverse.T, -1, 0)
    pattern = 128 + 60 * np.sin(u / 9) + 50 * np.cos(v / 11)
    picture = np.repeat(np.clip(pattern, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)

    crop = aligned_crop(picture, moved(matrix, TEMPLATE))

    assert crop.shape == (SIDE, SIDE, 3)
    v, u = np.mgrid[0:SIDE, 0:SIDE]
    expected = 128 + 60 * np.sin(u / 9) + 50 * np.cos(v / 11)
    inner = slice(30, 90)
    assert np.abs(crop[inner, inner, 0].astype(float) - expected[inner, inner]).mean() < 4.0
