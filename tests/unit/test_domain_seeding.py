"""Seeded tests of reviewers (S19): how many, of which kind, and when."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.seeding import EARLIEST_S, LATEST_S, missing, plan, shown_reference_id
from tests.samples import END, NO_TESTS, NOW

ASKED = replace(NO_TESTS, percent=5)


def planned(setting, draws=0.5, now=NOW):
    chances = iter(draws) if isinstance(draws, list) else iter(lambda: draws, None)
    names = iter(f"t-{n}" for n in range(1000))
    return plan(
        setting,
        deployment_id="d",
        reviewer="r",
        now=now,
        chance=lambda: next(chances),
        new_id=lambda: next(names),
    )


@given(decided=st.integers(0, 500), percent=st.integers(5, 50))
def test_so_many_are_tests_as_the_policy_asks_for_at_every_moment(decided, percent):
    tests = missing(replace(ASKED, decided=decided, percent=percent))
    assert tests * 100 >= percent * (decided + tests)
    assert decided == 0 or (tests - 1) * 100 < percent * (decided + tests - 1)


def test_none_where_the_policy_asks_for_none():
    assert planned(replace(NO_TESTS, decided=100)) == []


def test_what_was_given_is_not_given_again():
    assert missing(replace(ASKED, decided=19, given=1)) == 0
    assert missing(replace(ASKED, decided=20, given=1)) == 1


@pytest.mark.parametrize(("mates", "non_mates", "mated"), [(0, 0, False), (0, 1, False), (0, 2, True), (2, 3, False)])
def test_more_show_different_people_than_the_same(mates, non_mates, mated):
    """Even where chance would always have it otherwise."""
    (test,) = planned(replace(ASKED, mates=mates, non_mates=non_mates), 0.0)
    assert test.mated is mated


def test_it_comes_some_time_after_the_decision_and_looks_newly_captured():
    for draw in (0.0, 0.5, 0.999):
        (test,) = planned(ASKED, draw)
        wait = (test.raised_at - NOW).total_seconds()
        assert EARLIEST_S <= wait <= LATEST_S
        assert test.captured_at <= test.raised_at < test.decide_by
        assert test.camera in ASKED.cameras


def test_none_begins_after_the_end():
    assert planned(ASKED, now=END - timedelta(seconds=EARLIEST_S)) == []
    (test,) = planned(ASKED, 0.0, now=END - timedelta(seconds=EARLIEST_S + 1))
    assert test.decide_by == END


def test_beside_those_that_are_owed_they_come_by_chance_so_that_nobody_can_count_them():
    owed_none = replace(ASKED, decided=10, given=1)
    assert len(planned(owed_none, 0.049)) == 1
    assert planned(owed_none, 0.05) == []
    draw = Random(7).random
    given, gaps, last = 1, [], 0
    for decided in range(1, 2001):
        setting = replace(ASKED, decided=decided, given=given, non_mates=given)
        if made := len(plan(setting, deployment_id="d", reviewer="r", now=NOW, chance=draw, new_id=lambda: "n")):
            given += made
            gaps.append(decided - last)
            last = decided
    assert 0.05 <= given / (given + 2000) <= 0.08
    assert len(set(gaps)) > 20


def test_its_id_has_the_form_of_a_candidates_and_its_reference_that_of_a_reference():
    (test,) = planned(ASKED)
    assert UUID(test.id).version == 5
    name = shown_reference_id(test.id, "pair")
    assert UUID(name).version == 4
    assert name == shown_reference_id(test.id, "pair") != shown_reference_id(test.id, "another")


@given(draw=st.floats(0, 0.999), lag=st.floats(0.05, 5))
def test_it_was_captured_in_whole_milliseconds_as_long_before_as_candidates_are(draw, lag):
    (test,) = planned(replace(ASKED, lags_s=(lag, lag)), draw)
    assert test.captured_at.microsecond % 1000 == 0
    assert 0.8 * lag <= (test.raised_at - test.captured_at).total_seconds() + 1e-6
    assert (test.raised_at - test.captured_at).total_seconds() <= 1.2 * lag + 0.002
