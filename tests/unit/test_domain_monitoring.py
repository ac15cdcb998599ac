"""What the database counts, in sentences: a figure where there is one, and why not where there is none (S26, S27)."""

from decimal import Decimal

import pytest

from proviso.domain.monitoring import DIMENSIONS, MISSED, Cause, Exposure, may_review
from proviso.domain.people import Role
from proviso.domain.reasons import Reason
from tests.samples import monitoring, principal


def test_each_series_and_each_group_is_there_measured_or_not():
    found = monitoring()
    assert [(one.kind, one.span) for one in found.series] == [
        (Cause.FALSE_MATCHES, "deployment"),
        (Cause.FALSE_MATCHES, "operator"),
        (Cause.FALSE_CANDIDATES, "deployment"),
        (Cause.FALSE_CANDIDATES, "operator"),
    ]
    assert len(found.groups) == sum(map(len, DIMENSIONS.values())) == 11
    assert all((one.evidence is None) == bool(one.why_not) for one in (*found.series, *found.groups))


def test_sentences_say_what_cannot_be_said():
    said = monitoring().sentences
    assert said[0].startswith(
        "false hits among searched faces, this deployment: 3 of 2 candidates in 400, where at most"
    )
    assert "sex female: with 3 false candidates nothing could be seen yet" in said
    assert said[-1] == MISSED


def test_the_gap_that_could_be_seen_is_said_with_its_number():
    many = {"dimension": "sex", "value": "female", "x": 3, "ns": [4, 3], "highs": [0.1, 0.1], "ln_e": 0.4}
    (said,) = [one for one in monitoring(groups=[many]).sentences if one.startswith("sex female")]
    assert said.startswith("sex female: with 7 false candidates nothing below a factor 66")


@pytest.mark.parametrize(
    ("n", "missing", "says"), [(4, 4, "says nothing"), (6, 2, "enough"), (6, 3, "enough"), (6, 4, "not testable")]
)
def test_how_many_are_unrecorded(n, missing, says):
    assert says in monitoring(false_candidates=n, unrecorded=missing).sentences[-2]


def test_a_number_too_large_to_show_is_shown_as_large():
    row = {"kind": "false_matches", "span": "deployment", "deployments": 1, "f": 900, "candidates": 900, "m": 900.0}
    found = monitoring(series=[{**row, "expected": 0.9, "together": 1.0, "ln_e": 2600.0, "bar": 5.99}])
    assert found.series[0].evidence > 1e300


def test_a_declared_share_comes_back_as_it_was():
    one = Exposure("sex", "female", Decimal("0.480"), Decimal(1), "census")
    assert one.as_mapping() == {"dimension": "sex", "group": "female", "low": "0.48", "high": "1", "source": "census"}
    assert Exposure.from_mapping(one.as_mapping()) == one
    assert Exposure("sex", "male", Decimal("0E-3"), Decimal(0), "x").as_mapping()["low"] == "0"


def test_another_authoriser_reviews_where_there_is_one():
    one, other = principal("one", Role.AUTHORISER), principal("other", Role.AUTHORISER)
    both, alone = frozenset({"one", "other"}), frozenset({"one"})
    assert may_review(one, "requester", "one", both).reason is Reason.SAME_PERSON
    assert may_review(other, "requester", "one", both) is None
    assert may_review(one, "requester", "one", alone) is None
    assert may_review(principal("x", Role.AUDITOR), "requester", "one", both).reason is Reason.ROLE_MISSING
