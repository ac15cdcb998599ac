"""Outcomes: what a person can say, what a contact takes, and until when a picture is there (S22, S24)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proviso.domain.outcome import Action, Result, Takes, outcome_fault
from tests.samples import END, NOW, noticed, particulars, policy


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("action", Action)
def test_an_action_needs_an_engagement_and_nobody_says_not_recorded(result: Result, action: Action) -> None:
    fault = outcome_fault(result, action)
    engaged = result in (Result.ENGAGED_RIGHT, Result.ENGAGED_WRONG)
    allowed = result is not Result.NOT_RECORDED and (engaged or action is Action.NONE)
    assert (fault is None) == allowed
    if fault:
        assert fault.split(":")[0] in ("result", "action")


@pytest.mark.parametrize(
    ("places", "categories", "place", "category", "taken"),
    [
        ([], [], "Gate 1", "", True),
        (["gate  1 "], [], "Gate 1", "c", True),
        (["Gate 2", "Gate 1"], ["c"], "Gate 1", "c", True),
        (["Gate 2"], [], "Gate 1", "c", False),
        ([], ["d"], "Gate 1", "c", False),
        (["Gate 1"], ["d"], "Gate 1", "c", False),
        ([], ["C"], "Gate 1", "c", False),
    ],
)
def test_what_a_contact_takes(places: list[str], categories: list[str], place: str, category: str, taken: bool) -> None:
    assert Takes(tuple(places), tuple(categories)).takes(place, category) is taken


@pytest.mark.parametrize(
    ("hours", "over_at", "until"),
    [
        (24, END, END + timedelta(hours=12)),
        (1, END, NOW + timedelta(hours=1)),
        (24, END + timedelta(hours=20), NOW + timedelta(hours=24)),
        (24, NOW, NOW + timedelta(hours=12)),
    ],
)
def test_a_picture_is_promised_no_longer_than_it_is_there(hours: int, over_at: object, until: object) -> None:
    rules = replace(particulars(), rules=policy(evidence_hours=hours))
    assert rules.evidence_until(noticed(over_at=over_at)) == until
    assert rules.evidence_until(noticed(over_at=over_at, evidence_key="")) is None
