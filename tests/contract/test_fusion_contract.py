"""Fusing behind the port `Pipeline`: the real one of each pack and the double of the tests keep the same rules.

No model file is needed: templates are made up here.
"""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.errors import PipelineMismatch
from proviso.domain.face import Template
from proviso.vision.pack import PACKS, load_manifest
from proviso.vision.pipeline import load_pipeline
from tests.doubles import FakePipeline

KINDS = ("fake", *PACKS)
PIPELINES: dict[str, Any] = {
    "fake": FakePipeline(),
    **{pack: load_pipeline(pack, folders=[]) for pack in PACKS},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def least_of(kind: str) -> float:
    return 0.5 if kind == "fake" else float(load_manifest(kind).track_similarity)


def template(kind: str, values: Any, length: float = 1.0) -> Template:
    vector = np.zeros(128)
    vector[: len(values)] = values
    vector *= length / np.linalg.norm(vector)
    return Template(vector.astype("<f4").tobytes(), 128, PIPELINES[kind].digest)


def at(kind: str, degrees: float) -> Template:
    return template(kind, [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def floats(one: Template) -> Any:
    return np.array(one.floats())


@every_kind
class TestFusion:
    def test_one_comes_back_as_it_is(self, kind: str) -> None:
        one = at(kind, 20)
        assert PIPELINES[kind].fuse([one]) == one
        assert PIPELINES[kind].alike([one]) == [[0]]

    def test_several_become_their_normalised_mean(self, kind: str) -> None:
        fused = PIPELINES[kind].fuse([at(kind, 0), at(kind, 30)])
        assert floats(fused)[:2] == pytest.approx(floats(at(kind, 15))[:2], abs=1e-6)
        assert (fused.dimension, fused.pipeline) == (128, PIPELINES[kind].digest)
        assert np.linalg.norm(floats(fused)) == pytest.approx(1.0, abs=1e-6)

    def test_each_counts_the_same_however_long_it_is(self, kind: str) -> None:
        long = template(kind, [0.0, 1.0], length=7.0)
        assert floats(PIPELINES[kind].fuse([at(kind, 0), long]))[:2] == pytest.approx(
            floats(at(kind, 45))[:2], abs=1e-6
        )

    def test_their_order_says_nothing(self, kind: str) -> None:
        three = [at(kind, 0), at(kind, 10), at(kind, 35)]
        one, other = PIPELINES[kind].fuse(three), PIPELINES[kind].fuse(three[::-1])
        assert floats(one) == pytest.approx(floats(other), abs=1e-7)

    def test_another_pipeline_s_are_refused(self, kind: str) -> None:
        foreign = Template(at(kind, 0).packed, 128, "0" * 64)
        for ask in (PIPELINES[kind].fuse, PIPELINES[kind].alike):
            for given_ in ([foreign], [at(kind, 0), foreign]):
                with pytest.raises(PipelineMismatch):
                    ask(given_)

    def test_nothing_and_what_cancels_out_is_refused(self, kind: str) -> None:
        for given_ in ([], [at(kind, 0), at(kind, 180)]):
            with pytest.raises(ValueError):
                PIPELINES[kind].fuse(given_)

    def test_nothing_of_a_template_is_said(self, kind: str) -> None:
        with pytest.raises(ValueError) as raised:
            PIPELINES[kind].fuse([at(kind, 0), at(kind, 180)])
        assert not any(character.isdigit() for character in str(raised.value))

    def test_what_is_alike_is_told_from_what_is_not(self, kind: str) -> None:
        near = math.degrees(math.acos(least_of(kind)))
        assert PIPELINES[kind].alike([at(kind, 0), at(kind, near - 0.5)]) == [[0, 1]]
        assert PIPELINES[kind].alike([at(kind, 0), at(kind, near + 0.5)]) == [[0], [1]]

    def test_a_chain_does_not_lead_from_one_person_to_another(self, kind: str) -> None:
        step = 0.6 * math.degrees(math.acos(least_of(kind)))
        assert PIPELINES[kind].alike([at(kind, 0), at(kind, step), at(kind, 2 * step)]) == [[0, 1], [2]]

    def test_two_people_who_cross_come_apart(self, kind: str) -> None:
        one, other = at(kind, 0), at(kind, 90)
        assert PIPELINES[kind].alike([one, one, other, one, other]) == [[0, 1, 3], [2, 4]]


@every_kind
@given(st.lists(st.floats(0, 360), min_size=1, max_size=5))
def test_groups_hold_each_index_once_and_only_what_agrees(kind: str, angles: list[float]) -> None:
    templates = [at(kind, angle) for angle in angles]
    groups = PIPELINES[kind].alike(templates)
    assert sorted(index for group in groups for index in group) == list(range(len(angles)))
    for group in groups:
        for one in group:
            for other in group:
                assert float(floats(templates[one]) @ floats(templates[other])) >= least_of(kind) - 1e-5


def test_a_template_without_length_is_refused() -> None:
    nothing = Template(struct.pack("<128f", *[0.0] * 128), 128, PIPELINES["mobilefacenet"].digest)
    with pytest.raises(ValueError, match="without length"):
        PIPELINES["mobilefacenet"].fuse([nothing, at("mobilefacenet", 0)])
