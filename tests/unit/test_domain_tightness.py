"""Tighter, looser or other, for every value of a policy: what tightens allows nothing more, what loosens is named."""

from dataclasses import fields, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proviso.domain.policy import OPEN_TO_THE_PUBLIC, Policy
from proviso.domain.reasons import Reason
from proviso.domain.tightness import NEVER_LOOSER, ORDERS, Order, Verdict, compare, comparisons, differences, never
from proviso.policies import read_shipped, shipped

SHIPPED = [read_shipped(name).policy for name in shipped()]
RULING = [name for name, order in ORDERS.items() if order is not Order.NAMES]
OTHERS = ("crowd_control", "anybody")


def tighter(draw, order, value):
    """A value as tight as this one, or tighter."""
    if order is Order.SUBSET or (order is Order.RANKS and value):
        return tuple(draw(st.lists(st.sampled_from(value), min_size=1, unique=True)))
    if order is Order.RANKS:
        return draw(st.sampled_from([(), ("chief_constable",)]))
    if order is Order.LOWER:
        return draw(st.integers(0, value))
    if order is Order.HIGHER:
        return draw(st.integers(value, value + 1000))
    if order is Order.LONGER:
        return draw(st.sampled_from([value, f"{value} X".strip()]))
    return {Order.YES: value or draw(st.booleans()), Order.NO: value and draw(st.booleans())}.get(order, value)


def loosened(order, value):
    """A value that is looser, or other where neither way is tighter; None where there is none."""
    return {
        Order.SUBSET: lambda: (*value, "crowd_control"),
        Order.RANKS: lambda: () if value else None,
        Order.LOWER: lambda: value + 1,
        Order.HIGHER: lambda: value - 1 if value else None,
        Order.YES: lambda: False if value else None,
        Order.NO: lambda: None if value else True,
        Order.LONGER: lambda: "OTHER" if value else None,
        Order.NEITHER: lambda: value + 1,
    }[order]()


@st.composite
def tightenings(draw):
    """A shipped policy, and one that tightens any of its values."""
    base = draw(st.sampled_from(SHIPPED))
    changed = {name: tighter(draw, ORDERS[name], getattr(base, name)) for name in RULING}
    return base, replace(base, name="local", **changed)


def test_every_value_has_an_order_and_every_order_a_value():
    assert list(ORDERS) != []
    assert set(ORDERS) == {field.name for field in fields(Policy)}
    assert set(NEVER_LOOSER) == {"calibration_required", "decision_required", "message_prefix"}


@given(tightenings(), st.data())
def test_what_only_tightens_has_no_differences_and_allows_nothing_more(pair, data):
    base, local = pair
    assert differences(base, local) == ()
    assert never(base, local.as_mapping() | {"message_prefix": local.message_prefix}) == ()
    category = data.draw(st.sampled_from([*base.categories, *OTHERS]))
    entries = data.draw(st.integers(0, base.max_entries + 1))
    consent = data.draw(st.sampled_from([None, " ", "C-1"]))
    use, minutes = data.draw(st.sampled_from([*base.uses, *OTHERS])), data.draw(st.integers(0, 1000))
    kind = data.draw(st.sampled_from([*base.operator_kinds, "private_organisation", *OTHERS]))
    premises = data.draw(st.sampled_from([*base.premises, OPEN_TO_THE_PUBLIC, "nowhere"]))
    for allows, asked in (
        ("allows_entry", (category, entries, consent)),
        ("allows_use", (use, minutes)),
        ("allows_operator", (kind, premises)),
    ):
        if getattr(local, allows)(*asked) is None:
            assert getattr(base, allows)(*asked) is None


LOOSENINGS = [
    (base, name, value)
    for base in SHIPPED
    for name in RULING
    if (value := loosened(ORDERS[name], getattr(base, name))) is not None
]


def test_every_value_can_be_loosened_in_some_policy():
    assert {name for _, name, _ in LOOSENINGS} == set(RULING)


@pytest.mark.parametrize(("base", "name", "value"), LOOSENINGS, ids=lambda one: getattr(one, "name", None))
def test_whatever_is_loosened_is_named(base, name, value):
    (sentence,) = differences(base, replace(base, **{name: value}))
    assert sentence.startswith(f"{name}: ")
    assert f"{base.name} {base.version}" in sentence


@given(tightenings(), st.sampled_from(RULING))
def test_tightening_all_else_does_not_hide_a_loosening(pair, name):
    base, local = pair
    value = loosened(ORDERS[name], getattr(base, name))
    assume(value is not None)
    found = differences(base, replace(local, **{name: value}))
    assert [one.split(":")[0] for one in found] == [name]


@pytest.mark.parametrize("name", sorted(NEVER_LOOSER))
def test_what_may_never_be_loosened_is_refused_with_its_reason(name):
    base = next(one for one in SHIPPED if loosened(ORDERS[name], getattr(one, name)) is not None)
    (sentence,) = never(base, {name: loosened(ORDERS[name], getattr(base, name))})
    assert sentence == f"{name}: may not be loosened: {NEVER_LOOSER[name]}"


@pytest.mark.parametrize(
    ("field", "first", "second", "verdict"),
    [
        ("uses", ("a", "b"), ("b", "a"), Verdict.SAME),
        ("uses", ("a", "b"), ("b",), Verdict.TIGHTER),
        ("uses", ("a", "b"), ("c",), Verdict.LOOSER),  # fewer, and one that was not allowed before
        ("authoriser_ranks", (), ("a",), Verdict.TIGHTER),
        ("authoriser_ranks", ("a", "b"), ("a",), Verdict.TIGHTER),
        ("authoriser_ranks", ("a",), ("a", "b"), Verdict.LOOSER),
        ("authoriser_ranks", ("a",), (), Verdict.LOOSER),
        ("urgent_start_hours", 0, 24, Verdict.LOOSER),
        ("public_notice_hours", 24, 0, Verdict.LOOSER),
        ("message_prefix", "", "TRIAL", Verdict.TIGHTER),
        ("message_prefix", "TRIAL", "TRIAL KENT", Verdict.TIGHTER),
        ("message_prefix", "TRIAL", "TRIALS", Verdict.LOOSER),
        ("message_prefix", "TRIAL", "NO TRIAL", Verdict.LOOSER),
        ("message_prefix", "TRIAL", "", Verdict.LOOSER),
        ("decide_within_s", 120, 60, Verdict.DIFFERS),
        ("name", "a", "b", Verdict.SAME),
    ],
)
def test_how_one_value_stands_to_another(field, first, second, verdict):
    assert compare(field, first, second) is verdict


def test_a_value_without_an_order_is_not_passed_over():
    with pytest.raises(KeyError):
        compare("new_value", 1, 2)


def test_a_comparison_leaves_out_names():
    first, second = SHIPPED[0], replace(SHIPPED[0], name="x", version="1", extends="y", differences=("z",))
    assert {one.verdict for one in comparisons(first, second)} == {Verdict.SAME}


@pytest.mark.parametrize("policy", SHIPPED, ids=lambda policy: policy.name)
def test_no_policy_is_for_a_private_operator_in_a_place_open_to_the_public(policy):
    widest = replace(policy, operator_kinds=("private_organisation",), premises=(OPEN_TO_THE_PUBLIC,))
    for one in (policy, widest):
        refused = one.allows_operator("private_organisation", OPEN_TO_THE_PUBLIC)
        assert refused.reason is Reason.POLICY_FORBIDS
        assert "private operator" in refused.sentence
        assert "volunteers" in refused.sentence  # what to do instead


def test_an_operator_or_premises_that_the_policy_does_not_name_are_refused():
    policy = next(one for one in SHIPPED if one.name == "uk-police")
    assert policy.allows_operator("police_force", OPEN_TO_THE_PUBLIC) is None
    assert "operator_kind must be one of police_force" in policy.allows_operator("council", "closed_premises").detail
    assert "premises must be one of" in policy.allows_operator("police_force", "somewhere").detail
    trial = next(one for one in SHIPPED if one.name == "volunteers")
    assert trial.allows_operator("private_organisation", "closed_premises") is None
    assert trial.allows_operator("police_force", OPEN_TO_THE_PUBLIC) is not None
