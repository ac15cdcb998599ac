"""What a start asks for, and how many false candidates are to be expected (S08, S12, S13, S33, S37)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.calibration import Calibration, CalibrationPoint, expected_false_candidates
from proviso.domain.conditions import Attestation, Attested, Conditions, PriorAuthorisation
from proviso.domain.reasons import Reason
from tests.samples import DEPLOYMENT, NOW, PIPELINE, START, policy
from tests.samples import conditions as standing

RATES = st.floats(0, 1)


def point(size: int = 10, floor: str = "0.4", *rates: float) -> CalibrationPoint:
    return CalibrationPoint(size, Decimal(floor), *(rates or (0.001, 0.002)))


def calibration(*points: CalibrationPoint, **changed) -> Calibration:
    return replace(Calibration("c-1", PIPELINE, "laboratory", "", NOW, points), **changed)


# --- calibrations -----------------------------------------------------------------------------------------------------


@given(st.sets(st.integers(1, 1000), max_size=8), st.integers(1, 1000))
def test_the_point_is_the_smallest_size_that_is_not_exceeded(sizes, entries):
    found = calibration(*(point(size) for size in sorted(sizes, reverse=True))).point(entries)
    fitting = sorted(size for size in sizes if size >= entries)
    assert (found.list_size if found else None) == (fitting[0] if fitting else None)


@given(st.integers(1, 10**8), st.tuples(RATES, RATES).map(sorted))
def test_with_the_fpir_of_a_passage_the_interval_is_passages_times_it(passages, rates):
    found = expected_false_candidates(passages, 5, calibration(point(10, "0.4", 0.0, 1.0, *rates)))
    assert (found.low, found.high) == (passages * rates[0], passages * rates[1])
    assert "per passage" in found.sentence


@given(st.integers(1, 10**8), st.tuples(RATES, RATES).map(sorted))
def test_with_that_of_a_face_it_is_a_range_that_holds_it_and_no_more_than_everybody(passages, rates):
    found = expected_false_candidates(passages, 5, calibration(point(10, "0.4", *rates)))
    assert found.low == passages * rates[0]
    assert passages * rates[1] <= found.high <= passages
    assert found.high == pytest.approx(min(passages, 30 * passages * rates[1]))
    assert "per face" in found.sentence


@given(st.integers(1, 10**8), st.tuples(RATES, RATES).map(sorted))
def test_no_figure_is_written_as_a_power_of_ten(passages, rates):
    sentence = expected_false_candidates(passages, 5, calibration(point(10, "0.4", *rates))).sentence
    figures = sentence.split(" of ")[0]
    assert "e+" not in figures
    assert "e-" not in figures


@pytest.mark.parametrize(
    ("rate", "figure"), [(0, "0"), (0.0000001, "less than 0.001"), (0.0012, "1.2"), (0.01234, "12"), (1, "1000")]
)
def test_figures_as_people_read_them(rate, figure):
    found = expected_false_candidates(1000, 5, calibration(point(10, "0.4", 0, 1, rate, rate)))
    assert found.sentence.startswith(f"{figure} to {figure} of 1000 passages")


@pytest.mark.parametrize("known", [None, calibration(), calibration(point(4))])
def test_what_was_not_measured_is_never_a_figure(known):
    found = expected_false_candidates(1000, 5, known)
    assert (found.low, found.high) == (None, None)
    assert found.sentence.startswith("not measured")


@pytest.mark.parametrize(
    ("rules", "found", "reason"),
    [
        ({}, {}, None),
        ({"calibration_required": True}, {}, Reason.NOT_CALIBRATED),
        ({"calibration_required": True}, {"calibration": calibration(point())}, None),
        ({"calibration_required": True}, {"calibration": calibration(point(), pipeline="x")}, Reason.NOT_CALIBRATED),
        ({"calibration_required": True}, {"calibration": calibration(point()), "entries": 11}, Reason.NOT_CALIBRATED),
        ({"calibration_required": True}, {"calibration": calibration(point(10, "0.5"))}, None),
        ({"calibration_required": True}, {"calibration": calibration(point(10, "0.51"))}, Reason.THRESHOLD_TOO_LOW),
        ({"site_trial_required": True}, {}, Reason.NOT_CALIBRATED),
        ({"site_trial_required": True}, {"trial": calibration(point(), kind="site_trial", site="Gate 1")}, None),
    ],
)
def test_calibrated_as_the_policy_asks(rules, found, reason):
    refused = standing(**found).uncalibrated(policy(**rules), PIPELINE, Decimal("0.5"))
    assert (refused.reason if refused else None) is reason


# --- the public is told -----------------------------------------------------------------------------------------------


def attested(kind: Attested, since=None) -> Attestation:
    return Attestation(DEPLOYMENT, kind, "x", "authoriser", START, since)


SIGNAGE, WAIVER = attested(Attested.SIGNAGE), attested(Attested.NOTICE_WAIVED)


def notice(hours: float) -> Attestation:
    return attested(Attested.PUBLIC_NOTICE, NOW - timedelta(hours=hours))


@pytest.mark.parametrize(
    ("made", "waivable", "missing"),
    [
        ((), True, "signage"),
        ((notice(30),), True, "signage"),
        ((WAIVER,), True, "signage"),
        ((SIGNAGE,), True, "public notice"),
        ((SIGNAGE, notice(23.99)), True, "24 h"),
        ((SIGNAGE, notice(24)), True, None),
        ((SIGNAGE, WAIVER), True, None),
        ((SIGNAGE, WAIVER), False, "public notice"),
        ((SIGNAGE, WAIVER, notice(1)), False, "24 h"),
        ((SIGNAGE, attested(Attested.PUBLIC_NOTICE)), True, "public notice"),
    ],
)
def test_the_public_notice_stands_and_so_does_the_signage(made, waivable, missing):
    rules = policy(public_notice_hours=24, public_notice_waivable=waivable)
    refused = standing(attestations=made).unannounced(rules, NOW)
    assert (refused is None) == (missing is None)
    if missing:
        assert refused.reason is Reason.NOT_ANNOUNCED
        assert missing in refused.detail


# --- the decision -----------------------------------------------------------------------------------------------------


def decision(**changed) -> PriorAuthorisation:
    made = PriorAuthorisation("x", DEPLOYMENT, "the court", "C-1", NOW.date(), "d" * 64, True, "Gate 1",
                              NOW - timedelta(hours=1), NOW + timedelta(hours=1), ("R-1", "R-2"), "a", NOW)  # fmt: skip
    return replace(made, **changed)


def undecided(*decisions: PriorAuthorisation, urgent: bool = False, listed=("R-1",), now=NOW):
    found: Conditions = standing(decisions=decisions, listed=listed)
    return found.undecided("Gate 1", now, urgent=urgent)


def test_a_decision_for_this_place_now_and_everybody_allows_it():
    assert undecided(decision()) is None
    assert undecided(decision(place="Gate 2"), decision()) is None


@pytest.mark.parametrize("urgent", [True, False])
@pytest.mark.parametrize(
    "changed",
    [
        {"place": "Gate 2"},
        {"valid_from": NOW + timedelta(seconds=1)},
        {"valid_until": NOW},
        {"persons": ("R-2",)},
        {"granted": False},
    ],
)
def test_any_other_does_not_and_then_urgency_does_not_help(changed, urgent):
    assert undecided(decision(**changed), urgent=urgent).reason is Reason.NO_DECISION


def test_two_that_name_everybody_between_them_allow_nothing():
    halves = (decision(persons=("R-1",)), decision(persons=("R-2",)))
    assert undecided(*halves, listed=("R-1", "R-2")).reason is Reason.NO_DECISION


def test_a_refusal_outweighs_whatever_was_granted():
    for decisions in ((decision(), decision(granted=False)), (decision(granted=False), decision())):
        assert undecided(*decisions, urgent=True).detail == "it was refused"


def test_without_any_only_urgency_goes_first():
    assert undecided().reason is Reason.NO_DECISION
    assert undecided(urgent=True) is None


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_nobody_is_searched_whom_the_decision_does_not_name(listed, named):
    allowed = undecided(decision(persons=tuple(named)), listed=tuple(listed)) is None
    assert allowed == (listed <= named)
