"""One byte form for what is hashed."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.canonical import canonical_bytes, digest

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_it_is_json_of_the_same_value(value):
    assert json.loads(canonical_bytes(value)) == value


@given(st.dictionaries(st.text("abc", max_size=3), st.integers(), min_size=2), st.randoms())
def test_the_order_of_keys_does_not_matter(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert canonical_bytes({key: value[key] for key in keys}) == canonical_bytes(value)


def test_its_exact_form():
    assert canonical_bytes({"b": [1, True, None], "a": "é"}) == '{"a":"é","b":[1,true,null]}'.encode()
    assert canonical_bytes((1, 2)) == canonical_bytes([1, 2])
    assert digest([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


@pytest.mark.parametrize(
    "odd", [0.5, [1, 0.0], {"x": {"y": 1.5}}, b"x", {1: 2}, {None: 1}, {1}, Decimal(1), datetime.now(UTC), object()]
)
def test_floats_and_strangers_have_no_canonical_form(odd):
    with pytest.raises(TypeError):
        canonical_bytes(odd)
