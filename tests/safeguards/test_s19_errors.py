"""S19: who is surely wrong too often on tests is refused to look and to decide, and so is who has decided too many.

The ways round: a decision by SQL, two decisions at once, one dated out of the hour, and answers that count from before.
"""

import threading
from datetime import timedelta

import psycopg
import pytest

from functions.review.reviewers import _view
from proviso.domain.candidate import Decision, Review
from proviso.domain.people import Person, Role
from proviso.domain.rates import rate
from proviso.domain.reasons import Reason
from proviso.stages import people
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.safeguards.seeded import (
    WRITE_REVIEW,
    asking,
    candidates,
    err,
    give,
    given_to,
    look,
    picture,
    shown_answers,
    waiting,
)

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def tested(house: House) -> House:
    return asking(house, candidates_per_reviewer_hour=1000)


def answers_of(house: House, who: str = "reviewer"):
    return next(one for one in shown_answers(house) if one.sub == who)


# --- wrong too often --------------------------------------------------------------------------------------------------


def test_who_confirms_three_strangers_neither_looks_nor_decides_any_more(tested: House):
    (candidate,) = candidates(tested, 1)
    other = give(tested)
    err(tested)
    refused = [
        waiting(tested),
        look(tested, candidate),
        picture(tested, candidate),
        tested.decide(candidate),
        look(tested, other),
        tested.decide(other),
    ]
    assert {one.reason for one in refused} == {Reason.ERRS_TOO_OFTEN}
    for role in ("review", "master"):
        with broken("PV219"):
            tested.sql(role, WRITE_REVIEW, who="reviewer", candidate=candidate)
        with broken("PV219"):
            tested.sql(
                role,
                "UPDATE test_candidate SET decision = 'reject', reason = 'x', decided_at = now() WHERE id = %(id)s",
                id=other,
            )
    assert [one.id for one in waiting(tested, "second").candidates] == [c["id"] for c in reversed(tested.candidates)]


def test_the_store_refuses_who_began_to_err_after_the_look(tested: House):
    (candidate,) = candidates(tested, 1)
    err(tested)
    with tested.reviews.work() as work:
        made = Review("r", candidate, "reviewer", Decision.CONFIRM, "x", tested.now())
        assert work.decide(made, tested.now()).reason is Reason.ERRS_TOO_OFTEN


def test_a_confirmation_is_still_taken_back(tested: House):
    tested.see(3)
    candidate = tested.candidates[0]["id"]
    tested.decide(candidate, Decision.CONFIRM)
    err(tested)
    assert tested.withdraw(candidate).candidate.state.value == "withdrawn"


def test_one_or_two_errors_are_not_surely_too_many(tested: House):
    err(tested, 2)
    assert not answers_of(tested).denied
    assert waiting(tested).candidates == ()


def test_the_authoriser_sees_why_and_nobody_else_does(tested: House):
    err(tested)
    tested.decide(give(tested, who="second"), Decision.REJECT, by="second")
    tested.decide(give(tested, who="second"), Decision.CANNOT_TELL, by="second")
    denied, fine = (answers_of(tested, who) for who in ("reviewer", "second"))
    shown = _view(denied)
    assert (shown["tests"], shown["non_mates"], shown["confirmed_non_mates"], shown["mates"]) == (3, 3, 3, 0)
    assert (shown["error_rate"], shown["high"], shown["limit"], shown["denied"]) == (1.0, 1.0, 0.2, True)
    assert shown["low"] == pytest.approx(rate(3, 3).low, abs=1e-4)
    assert shown["strangers_confirmed"] == {"rate": 1.0, "low": shown["low"], "high": 1.0}
    assert shown["mates_rejected"] is None
    shown = _view(fine)
    assert (shown["tests"], shown["cannot_tell"], shown["error_rate"], shown["denied"]) == (2, 1, 0.0, False)
    for other in ("reviewer", "requester", "officer", "auditor", "protector"):
        assert shown_answers(tested, other).reason is Reason.ROLE_MISSING


def test_who_was_not_tested_is_not_measured(tested: House):
    shown = _view(answers_of(tested))
    assert (shown["tests"], shown["error_rate"], shown["low"], shown["high"]) == (0, None, None, None)
    assert not shown["denied"]


def test_the_limit_is_the_strictest_of_what_is_not_over(tested: House):
    tested.permitted = tested.active.policy.__class__.from_mapping(
        {**tested.active.policy.as_mapping(), "reviewer_error_limit_percent": 10, "version": "strict"}
    )
    strict = tested.requested(tested.list_id, cameras=("gate-2",))
    assert answers_of(tested).limit_percent == 10
    tested.stop(strict.id)
    assert answers_of(tested).limit_percent == 20
    tested.stop(None)
    assert answers_of(tested).limit_percent == 20  # of the policies' default, where nothing says


def test_cannot_tell_is_neither_right_nor_wrong(tested: House):
    for mated in (False, False, True, False):
        tested.decide(give(tested, mated), Decision.CANNOT_TELL)
    assert tested.sql("master", "SELECT * FROM test_answers('reviewer')") == [{"answered": 0, "wrong": 0}]
    found = answers_of(tested)
    assert (found.cannot_tell, found.wrong, found.denied) == (4, None, False)


def test_what_was_left_until_too_late_is_shown_and_counts_as_no_error(tested: House):
    give(tested)
    with tested.meddling() as master:
        master.execute("UPDATE test_candidate SET raised_at = raised_at - interval '1 hour', decide_by = now()")
    found = answers_of(tested)
    assert (found.unanswered, found.tests, found.denied) == (1, 0, False)


@pytest.mark.parametrize("mated", [True, False])
def test_right_is_what_the_pair_says(tested: House, mated: bool):
    give(tested, False)
    give(tested, False)
    right, wrong = (Decision.CONFIRM, Decision.REJECT) if mated else (Decision.REJECT, Decision.CONFIRM)
    tested.decide(give(tested, mated), right)
    assert tested.sql("master", "SELECT * FROM test_answers('reviewer')") == [{"answered": 1, "wrong": 0}]
    if mated:
        give(tested, False)
        give(tested, False)
    tested.decide(give(tested, mated), wrong)
    assert tested.sql("master", "SELECT * FROM test_answers('reviewer')") == [{"answered": 2, "wrong": 1}]


def test_the_database_and_the_interval_agree_at_every_boundary(house: House):
    """The lower end of the Clopper-Pearson interval at 95 % above the limit, and nothing else, is "too often"."""
    totals = [*range(1, 26), 60, 400, 3000]
    cases = {(total, wrong) for total in totals[:25] for wrong in range(total + 1)}
    for total in totals[25:]:
        for percent in (5, 20, 50):
            edge = next(k for k in range(total + 1) if rate(k, total).low > percent / 100)
            cases |= {(total, wrong) for wrong in (edge - 1, edge, 0, total)}
    with house.meddling() as master:
        master.cursor().executemany(
            "INSERT INTO person (sub, roles, rated_from) VALUES (%(a)s || '/' || %(b)s, '{reviewer}', '-infinity')",
            [{"a": str(total), "b": str(wrong)} for total, wrong in cases],
        )
        master.execute(
            "INSERT INTO test_candidate SELECT p.sub || '#' || n, 'd', p.sub, 'p', false, 'c', 'x', now(), now(),"
            " now() + interval '1 hour', CASE WHEN n <= split_part(p.sub, '/', 2)::int THEN 'confirm' ELSE 'reject'"
            " END, 'x', now() FROM person p, generate_series(1, split_part(p.sub, '/', 1)::int) AS n"
            " WHERE p.sub LIKE '%/%'"
        )
    for percent in (1, 5, 10, 20, 33, 50):
        found = house.sql(
            "review",
            "SELECT sub, errs_too_often(sub, %(limit)s) AS too_often FROM person WHERE sub LIKE '%%/%%'",
            limit=percent,
        )
        assert len(found) == len(cases)
        for row in found:
            total, wrong = (int(part) for part in row["sub"].split("/"))
            assert row["too_often"] == (rate(wrong, total).low > percent / 100), (wrong, total, percent)


# --- training anew ----------------------------------------------------------------------------------------------------


def registered(house: House, until, by: str = "authoriser"):
    person = Person("reviewer", frozenset({Role.REVIEWER}), until)
    return people.register(
        principal=house.person(by), person=person, store=house.govern, board=house.desk, clock=house.now
    )


def until_of(house: House):
    return house.one("SELECT trained_until FROM person WHERE sub = 'reviewer'")


def test_a_new_training_is_on_record_and_begins_the_count_anew(tested: House):
    err(tested)
    later = until_of(tested) + timedelta(days=1)
    registered(tested, later)
    assert tested.one("SELECT convert_from(body, 'UTF8') FROM audit_event WHERE chain = 'system'"
                      " ORDER BY sequence DESC LIMIT 1").count(later.isoformat()) == 1  # fmt: skip
    found = answers_of(tested)
    assert (found.tests, found.denied, found.rated_from is not None) == (0, False, True)
    (candidate,) = candidates(tested, 1)
    assert tested.decide(candidate, Decision.REJECT).own.decision is Decision.REJECT
    assert len(given_to(tested)) >= 3, "the answers stay"


@pytest.mark.parametrize("days", [0, -1])
def test_the_same_or_an_earlier_date_begins_nothing_anew(tested: House, days: int):
    err(tested)
    registered(tested, until_of(tested) + timedelta(days=days))
    assert answers_of(tested).denied


def test_nobody_else_sets_from_when_answers_count(tested: House):
    err(tested)
    for role in ("govern", "review", "enrol"):
        with broken("42501"):
            tested.sql(role, "UPDATE person SET rated_from = now()")
    tested.sql("govern", "INSERT INTO person (sub, roles, rated_from) VALUES ('x', '{reviewer}', 'infinity')")
    assert tested.one("SELECT rated_from = '-infinity' FROM person WHERE sub = 'x'")


# --- the hour's cap ---------------------------------------------------------------------------------------------------


@pytest.fixture
def capped(house: House) -> House:
    return asking(house, candidates_per_reviewer_hour=2)


def test_the_one_over_the_cap_is_refused_and_tests_count_in_it(capped: House):
    one, other = candidates(capped, 2)
    capped.decide(give(capped), Decision.REJECT)
    capped.decide(one, Decision.REJECT)
    assert waiting(capped).decided == 2
    assert capped.decide(other).reason is Reason.REVIEWER_CAP
    assert capped.decide(give(capped)).reason is Reason.REVIEWER_CAP
    assert look(capped, other).own is None  # looking goes on
    for role in ("review", "master"):
        with broken("PV119"):
            capped.sql(role, WRITE_REVIEW, who="reviewer", candidate=other)
    assert capped.decide(other, Decision.REJECT, by="second").own.reviewer == "second"


def test_an_hour_later_it_goes_on(capped: House):
    one, two, three = candidates(capped, 3)
    for candidate in (one, two):
        capped.decide(candidate, Decision.REJECT)
    assert capped.decide(three).reason is Reason.REVIEWER_CAP
    with capped.meddling() as master:
        master.execute("UPDATE review SET decided_at = decided_at - interval '59 minutes'")
    assert capped.decide(three).reason is Reason.REVIEWER_CAP
    with capped.meddling() as master:
        master.execute("UPDATE review SET decided_at = decided_at - interval '1 minute'")
    assert capped.decide(three, Decision.REJECT).own.decision is Decision.REJECT


def test_two_at_once_do_not_pass_the_cap_together(capped: House):
    one, two, three = candidates(capped, 3)
    capped.decide(one, Decision.REJECT)
    url = capped.database.url("review")
    told: list[str] = []

    def second(ready: threading.Event) -> None:
        with psycopg.connect(url) as connection:
            ready.set()
            try:
                connection.execute(WRITE_REVIEW.encode(), {"who": "reviewer", "candidate": three})
            except psycopg.Error as error:
                told.append(str(error.sqlstate))

    with psycopg.connect(url) as first:
        first.execute(WRITE_REVIEW.encode(), {"who": "reviewer", "candidate": two})
        ready = threading.Event()
        thread = threading.Thread(target=second, args=(ready,))
        thread.start()
        ready.wait(10)
        thread.join(0.3)
        assert thread.is_alive(), "it waits for the first to be done"
    thread.join(10)
    assert told == ["PV119"]
    assert capped.one("SELECT count(*) FROM review WHERE reviewer = 'reviewer'") == 2


def test_no_decision_is_dated_out_of_the_hour(capped: House):
    (candidate,) = candidates(capped, 1)
    for role in ("review", "master"):
        with broken("PV018"):
            capped.sql(
                role,
                WRITE_REVIEW.replace("clock_timestamp()", "raised_at - interval '1 hour'"),
                who="reviewer",
                candidate=candidate,
            )


def test_a_clock_that_was_set_forward_makes_no_room(capped: House):
    one, two, three = candidates(capped, 3)
    for candidate in (one, two):
        capped.decide(candidate, Decision.REJECT)
    with broken("PV119"):
        capped.sql(
            "review",
            WRITE_REVIEW.replace("clock_timestamp()", "clock_timestamp() + interval '10 minutes'"),
            who="reviewer",
            candidate=three,
        )
