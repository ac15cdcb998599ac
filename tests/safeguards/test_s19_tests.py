"""S19: reviewers are given tests of which the answer is known; nothing gives one away, and nothing else counts one.

EU AI Act 26(2). The ways round: fewer tests than the policy says, tests that the one person in them never agreed to,
telling a test from a candidate before the decision, and a test that sends, counts or is published like a candidate.
"""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from functions.review import routes
from proviso.domain.candidate import Age, Decision, Ethnicity, Sex
from proviso.domain.deployment import DeploymentState
from proviso.domain.frame import Jpeg
from proviso.domain.people import Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import holdings, pairs, review
from tests.doubles import people as frame_of
from tests.fakes.cloud import FakeFrames
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken, never_starts
from tests.safeguards.seeded import asking, candidates, come_due, give, given_to, look, picture, waiting
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
STORE = Path(__file__).parents[2] / "layers/core/src/proviso/store"


@pytest.fixture
def tested(house: House) -> House:
    return asking(house, candidates_per_reviewer_hour=1000, reviewer_error_limit_percent=50)


def counts(house: House) -> tuple[int, int, int]:
    given = given_to(house)
    mates = sum(test["mated"] for test in given)
    return house.one("SELECT count(*) FROM review"), mates, len(given) - mates


# --- how many, and of which kind --------------------------------------------------------------------------------------


def test_at_every_moment_one_in_twenty_is_a_test_and_more_show_different_people(tested: House):
    draws = iter([0.01, 0.9, 0.3, 0.6] * 1000)
    for number, candidate in enumerate(candidates(tested, 45)):
        tested.decide(candidate, Decision.REJECT, chance=lambda: next(draws))
        decided, mates, non_mates = counts(tested)
        assert decided == number + 1
        assert (mates + non_mates) * 100 >= 5 * (decided + mates + non_mates), decided
        assert non_mates > mates
    assert mates > 0, "and some show the same person"


def test_those_who_always_draw_the_same_person_still_get_more_strangers(tested: House):
    for candidate in candidates(tested, 8):
        tested.decide(candidate, Decision.REJECT, chance=lambda: 0.0)
    _, mates, non_mates = counts(tested)
    assert mates + non_mates >= 8  # beside the owed ones, by chance
    assert non_mates == mates + 1 or non_mates > mates + 1
    for role in ("review", "master"):
        give(tested, False)
        with broken("PV019"):
            for _ in range(20):
                give(tested, True, role=role)


def test_without_pictures_of_one_person_a_test_shows_two(tested: House):
    for pair in tested.sql("master", "SELECT id FROM test_pair WHERE mated"):
        tested.remove_pair(pair["id"])
    for candidate in candidates(tested, 4):
        tested.decide(candidate, Decision.REJECT, chance=lambda: 0.0)
    assert counts(tested) == (4, 0, 4)


def test_without_any_pictures_the_decision_stands_and_the_record_says_so(tested: House):
    for pair in tested.sql("master", "SELECT id FROM test_pair"):
        tested.remove_pair(pair["id"])
    (candidate,) = candidates(tested, 1)
    assert tested.decide(candidate, Decision.REJECT).own.decision is Decision.REJECT
    with tested.govern.work() as work:
        bodies = [json.loads(record.body) for record in work.audit_records(tested.active.id)]
    (missing,) = [body for body in bodies if body["action"] == "tests_without_pictures"]
    assert missing["details"] == {"reviewer": "reviewer", "not_given": 1}


def test_nobody_is_tested_with_a_pair_that_they_added(tested: House):
    with tested.govern.work() as work:
        both = frozenset({Role.REVIEWER, Role.WATCHLIST_OFFICER})
        work.register(Person("reviewer", both, tested.now() + timedelta(days=30)))
    for pair in tested.sql("master", "SELECT id FROM test_pair"):
        tested.remove_pair(pair["id"])
    for mated in (True, False):
        assert not isinstance(tested.add_pair(mated, by="reviewer"), Refused)
    (candidate,) = candidates(tested, 1)
    tested.decide(candidate, Decision.REJECT)
    assert given_to(tested) == []
    with tested.meddling() as master:
        master.execute("DELETE FROM test_pair WHERE removed_at IS NOT NULL")
    with broken("PV019"):
        give(tested)


# --- nothing gives it away --------------------------------------------------------------------------------------------


def both_views(house: House) -> tuple[dict, dict]:
    """A candidate and a test as the API shows them before a decision."""
    one, other = candidates(house, 2)
    house.decide(one, Decision.REJECT, chance=lambda: 0.3)
    come_due(house)
    (test,) = given_to(house)
    return routes._view(look(house, other)), routes._view(look(house, test["id"]))


def test_before_the_decision_a_test_has_the_same_form_as_a_candidate(tested: House):
    candidate, test = both_views(tested)
    assert list(candidate) == list(test)
    assert [list(one) for one in candidate["references"]] == [list(one) for one in test["references"]]
    for view in (candidate, test):
        assert (view["state"], view["own_decision"]) == ("raised", None)
        assert re.fullmatch(r".*T\d\d:\d\d:\d\d(\.\d\d\d000)?\+00:00", view["captured_at"]), "frames say milliseconds"
        assert view["evidence"] == f"/candidates/{view['id']}/evidence"
    (real,) = [one["id"] for one in tested.candidates if one["frame_key"].endswith(".jpg")]  # the others: made by SQL
    assert UUID(real).version == UUID(test["id"]).version == 5
    paths = [view["references"][0]["path"].split("/") for view in (candidate, test)]
    assert [len(path) for path in paths] == [5, 5]
    assert [UUID(path[-1]).version for path in paths] == [4, 4]
    assert paths[1][-1] not in (test["id"], *[pair["id"] for pair in tested.sql("master", "SELECT id FROM test_pair")])
    listed = waiting(tested).candidates
    assert {one.id for one in listed} >= {candidate["id"], test["id"]}
    assert len({tuple(routes._brief(one)) for one in listed}) == 1


def test_its_reference_is_another_at_each_test_and_the_same_at_each_look(tested: House):
    first, second = give(tested), give(tested)
    names = [[look(tested, test).references[0].id for _ in range(2)] for test in (first, second)]
    assert names[0][0] == names[0][1]
    assert names[0] != names[1]


def test_it_was_captured_about_as_long_before_as_the_deployments_candidates(tested: House):
    candidates(tested, 1)
    with tested.meddling() as master:
        master.execute("UPDATE candidate SET captured_at = raised_at - interval '700 milliseconds'")
    for candidate in candidates(tested, 5):
        tested.decide(candidate, Decision.REJECT, chance=lambda: 0.01)
    lags = [(test["raised_at"] - test["captured_at"]).total_seconds() for test in given_to(tested)]
    assert lags
    assert all(0.55 < lag < 0.85 for lag in lags)


def test_its_pictures_are_given_and_recorded_like_those_of_a_candidate(tested: House):
    test = give(tested)
    shown = look(tested, test)
    assert picture(tested, test).data.startswith(b"evidence of")
    assert picture(tested, test, reference=shown.references[0].id).data == frame_of(51)
    assert picture(tested, test, reference=test).reason is Reason.NOT_FOUND


def demographics(house: House, candidate_id: str):
    return review.record_demographics(
        principal=house.person("reviewer"),
        candidate_id=candidate_id,
        sex=Sex.FEMALE,
        age=Age.NOT_STATED,
        ethnicity=Ethnicity.NOT_STATED,
        store=house.reviews,
        clock=house.now,
    )


def test_what_is_refused_before_the_decision_is_refused_in_the_same_words(tested: House):
    (candidate,) = candidates(tested, 1)
    test = give(tested)
    assert tested.withdraw(test) == tested.withdraw(candidate) == Refused(Reason.WRONG_STATE, "raised")
    assert demographics(tested, test) == demographics(tested, candidate)
    with tested.meddling() as master:
        for table in ("candidate", "test_candidate"):
            master.execute(f"UPDATE {table} SET raised_at = raised_at - interval '1 day', decide_by = now()")
    assert tested.decide(test) == tested.decide(candidate) == Refused(Reason.TOO_LATE, "nobody decided in time")


def test_after_a_stop_neither_can_be_decided_and_both_look_frozen(tested: House):
    (candidate,) = candidates(tested, 1)
    test = give(tested)
    tested.stop(tested.active.id)
    assert tested.decide(test) == tested.decide(candidate) == Refused(Reason.NOT_ACTIVE, "stopped")
    assert look(tested, test).candidate.state is look(tested, candidate).candidate.state
    assert waiting(tested).candidates == ()
    for role in ("review", "master"):
        with broken("PV018"):
            answer_by_sql(tested, test, role)


def test_a_test_is_nobody_elses(tested: House):
    test = give(tested)
    assert [one.id for one in waiting(tested).candidates] == [test]
    assert waiting(tested, "second").candidates == ()
    gone = Refused(Reason.NOT_FOUND, "candidate")
    assert look(tested, test, "second") == picture(tested, test, "second") == tested.decide(test, by="second") == gone
    with broken("PV018"):
        tested.sql("master", "UPDATE test_candidate SET reviewer = 'second'")


def test_one_that_is_still_to_come_is_not_there(tested: House):
    (candidate,) = candidates(tested, 1)
    tested.decide(candidate, Decision.REJECT)
    (test,) = given_to(tested)
    assert test["raised_at"] > tested.now() + timedelta(seconds=5)
    assert look(tested, test["id"]).reason is tested.decide(test["id"]).reason is Reason.NOT_FOUND


# --- answered once, in time -------------------------------------------------------------------------------------------


def answer_by_sql(house: House, test: str, role: str = "review", at: str = "clock_timestamp()") -> None:
    house.sql(
        role,
        f"UPDATE test_candidate SET decision = 'confirm', reason = 'x', decided_at = {at} WHERE id = %(id)s",
        id=test,
    )


def test_it_is_answered_once_and_then_the_reviewer_is_told(tested: House):
    test = give(tested)
    view = tested.decide(test, Decision.CONFIRM)
    assert (view.own.decision, view.revealed.test_mated) == (Decision.CONFIRM, False)
    assert routes._view(view)["test"] == {"mated": False, "right": False}
    assert tested.decide(test, Decision.REJECT).reason is Reason.WRONG_STATE
    for role in ("review", "master"):
        with broken("PV018"):
            answer_by_sql(tested, test, role)
    with pytest.raises(psycopg.Error):
        tested.sql("master", "DELETE FROM test_candidate")


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        ("raised_at - interval '1 second'", "PV018"),
        ("decide_by", "s19_answered_in_time"),
        ("decide_by + interval '1 hour'", "PV018"),
    ],
)
def test_no_answer_is_dated_outside_its_time(tested: House, at: str, rule: str):
    test = give(tested)
    with broken(rule):
        answer_by_sql(tested, test, at=at)


# --- nothing else counts it -------------------------------------------------------------------------------------------


def test_answering_tests_sends_nothing_and_counts_in_nothing(tested: House):
    tested.see(3)
    before = (dict(tested.outbox.objects), dict(tested.ledger.rows), len(tested.candidates), tested.told)
    for mated, decision in ((False, Decision.CONFIRM), (False, Decision.REJECT), (False, Decision.REJECT),
                            (True, Decision.CONFIRM), (False, Decision.CANNOT_TELL)):  # fmt: skip
        assert not isinstance(tested.decide(give(tested, mated), decision), Refused)
    assert (dict(tested.outbox.objects), dict(tested.ledger.rows), len(tested.candidates), tested.told) == before
    assert tested.alert_all() == ["sent"]  # the candidate's own
    tested.retain()  # puts what was lost: nothing was
    assert {key.split("/")[1] for key in tested.outbox.objects} == {one["id"] for one in tested.candidates}
    for table in ("review", "outcome", "demographics", "withdrawal", "evidence_hold"):
        assert tested.one(f"SELECT count(*) FROM {table}") == 0, table
    with tested.govern.work() as work:
        bodies = [json.loads(record.body) for record in work.audit_records(tested.active.id)]
    ids = {test["id"] for test in given_to(tested)}
    about = [body for body in bodies if body["subject"] in ids]
    assert {body["action"] for body in about} == {"test_answered"}
    assert {body["purpose"] for body in about} == {"test of a reviewer"}
    assert not any(key in str(body["details"]) for body in about for key in ("confirm", "reject", "mated"))
    assert not [body for body in bodies if body["action"] in ("candidate_confirm", "candidate_reject")]


def test_a_deployments_certificate_counts_no_test_and_its_end_takes_no_consenting_persons_picture(tested: House):
    tested.decide(give(tested), Decision.CONFIRM)
    kept = {key for key in tested.enrolment.objects if key.startswith("tests/")}
    tested.stop(tested.active.id)
    tested.due.put(tested.active.id, tested.now())
    assert tested.retain().closed == (tested.active.id,)
    assert tested.deployment(tested.active.id).state is DeploymentState.CLOSED
    stores = {count.store for count in tested.certificate(tested.active.id).counts}
    named = [name for name in stores if "test" in name or "pair" in name]
    assert named == ["reasons of tests"]  # S23: what a reviewer wrote, and nothing of the test
    assert set(tested.enrolment.objects) == kept


def test_no_statement_but_those_of_tests_reads_them():
    """Who sends, counts, closes or publishes names neither table; retain counts rows, finds strays and empties
    reasons, and no more."""
    named = {path.stem for path in STORE.glob("*.py") if re.search(r"\btest_(pair|candidate)\b", path.read_text())}
    assert named == {"seeds", "pairs", "reviewers", "conditions", "retention", "holdings"}
    assert re.findall(r"\btest_candidate\b.*?(?= WHERE)", (STORE / "retention.py").read_text()) == [
        "test_candidate SET reason = ''"
    ]
    assert len(re.findall(r"\btest_candidate\b", (STORE / "holdings.py").read_text())) == 1
    for folder in ("report", "alert", "match", "sweep"):
        for path in (Path(__file__).parents[2] / "functions" / folder).glob("*.py"):
            assert "test_candidate" not in path.read_text()


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "report"])
def test_no_other_function_may_read_what_was_given(tested: House, role: str):
    with broken("42501"):
        tested.sql(role, "SELECT count(*) FROM test_candidate")


def test_no_function_but_review_learns_how_somebody_answered(tested: House):
    with broken("42501"):
        tested.sql("retain", "SELECT decision FROM test_candidate")


# --- pairs ------------------------------------------------------------------------------------------------------------


def acts_of(house: House) -> list[dict]:
    with house.govern.work() as work:
        return [json.loads(record.body) for record in work.audit_records("system")]


def test_a_pair_is_an_evidence_picture_and_a_reference_with_their_similarity_alone(house: House):
    made = house.add_pair(True, consent="consent form 77")
    assert (made.similarity, made.mated) == (1.0, True)
    assert house.enrolment.objects == {
        f"tests/{made.id}-probe.jpg": b"evidence of 100",
        f"tests/{made.id}-reference.jpg": frame_of(50),
    }
    assert house.add_pair(False).similarity == 0.0
    added = [body for body in acts_of(house) if body["action"] == "test_pair_added"]
    assert [body["purpose"] for body in added] == ["tests of reviewers"] * 2
    assert "consent form" not in json.dumps(acts_of(house))
    assert house.one("SELECT count(*) FROM reference_template") == 0


@pytest.mark.parametrize("which", ["probe", "reference"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"no picture", Reason.NOT_AN_IMAGE), (b"people", Reason.NO_FACE), (frame_of(1, 2), Reason.SEVERAL_FACES),
     (frame_of("~9"), Reason.NOT_SHARP)],
)  # fmt: skip
def test_a_picture_that_no_gate_lets_through_is_refused_by_name_and_not_kept(house: House, which, data, reason):
    refused = house.add_pair(False, **{which: Jpeg(data)})
    assert (refused.reason, which in refused.detail) == (reason, True)
    assert house.enrolment.objects == {}
    assert house.one("SELECT count(*) FROM test_pair") == 0
    (told,) = [body for body in acts_of(house) if body["action"] == "test_pair_refused"]
    assert told["details"] == {"picture": which, "reason": reason.value, "pipeline": house.pipeline.digest}


@pytest.mark.parametrize("consent", ["", "  ", "x" * 201, "two\nlines"])
def test_no_pair_without_a_consent_on_record(house: House, consent: str):
    assert house.add_pair(False, consent=consent).reason is Reason.INVALID
    with broken("test_pair_consent_reference_check"):
        house.sql(
            "enrol",
            "INSERT INTO test_pair VALUES ('x', false, 0, ' ', 'tests/x-probe.jpg', '{0,0,1,1}',"
            " 'tests/x-reference.jpg', '{0,0,1,1}', 'officer', now())",
        )


@pytest.mark.parametrize("by", ["requester", "reviewer", "auditor", "protector"])
def test_others_neither_add_nor_see_nor_remove_pairs(house: House, by: str):
    made = house.add_pair(False)
    seen = pairs.listed(principal=house.person(by), store=house.pairs, clock=house.now)
    refused = [house.add_pair(False, by=by), seen, house.remove_pair(made.id, by)]
    assert {one.reason for one in refused} == {Reason.ROLE_MISSING}


@pytest.mark.parametrize("key", ["enrolment/list/entry/reference.jpg", "tests/another-probe.jpg", "evidence/d/c.jpg"])
def test_no_pair_points_at_a_listed_persons_or_a_passers_by_picture(house: House, key: str):
    house.add_pair(False)
    for role in ("enrol", "master"):
        with broken("s19_pictures_of_its_own"):
            house.sql(
                role,
                "INSERT INTO test_pair SELECT 'x', mated, similarity, 'c', %(key)s, probe_face,"
                " 'tests/x-reference.jpg', reference_face, 'officer', now() FROM test_pair",
                key=key,
            )


def test_a_removed_pair_is_gone_with_its_pictures_and_its_unanswered_tests(tested: House):
    test = give(tested)
    pair = tested.one("SELECT pair_id FROM test_candidate")
    removed = tested.remove_pair(pair)
    assert removed.removed_at is not None
    assert not [key for key in tested.enrolment.objects if pair in key]
    assert waiting(tested).candidates == ()
    assert picture(tested, test).reason is Reason.TOO_LATE
    assert tested.decide(test) == Refused(Reason.WRONG_STATE, "frozen")
    with broken("PV018"):
        answer_by_sql(tested, test)
    acts = len(acts_of(tested))
    tested.enrolment.put(f"tests/{pair}-probe.jpg", Jpeg(b"left"))  # as if the deletion had failed the first time
    assert tested.remove_pair(pair).removed_at == removed.removed_at
    assert not [key for key in tested.enrolment.objects if pair in key]
    assert len(acts_of(tested)) == acts
    assert tested.remove_pair("unknown").reason is Reason.NOT_FOUND


def test_it_is_removed_once_and_for_good(tested: House):
    pair = tested.one("SELECT id FROM test_pair")
    tested.remove_pair(pair)
    for role in ("enrol", "master"):
        with broken("PV019"):
            tested.sql(role, "UPDATE test_pair SET removed_at = NULL, probe_key = 'x' WHERE removed_at IS NOT NULL")


def test_a_call_that_dies_before_its_commit_leaves_pictures_that_retain_deletes(house: House):
    house.pool(1, 1)
    kept = set(house.enrolment.objects)
    fault = RuntimeError("the call ends here")

    class Dying:
        def work(self):
            raise fault

    with pytest.raises(RuntimeError):
        pairs.add(
            principal=house.person("officer"), mated=True, consent="c", probe=Jpeg(frame_of(1)),
            reference=Jpeg(frame_of(1)), pipeline=house.pipeline, pictures=house.enrolment, store=Dying(),
            clock=house.now, new_id=house.id,
        )  # fmt: skip
    assert len(house.enrolment.objects) == len(kept) + 2
    assert house.retain().stray_test_pictures == 2
    assert set(house.enrolment.objects) == kept


def lines(house: House) -> dict[str, holdings.Holding]:
    found = holdings.check(
        principal=house.person("auditor"), purpose="x", room=house.retain_room(), frames=FakeFrames(), age_limit_s=120,
        give_up_at=house.now() + timedelta(minutes=1),
    )  # fmt: skip
    return {one.what: one for one in found.holdings}


def test_what_is_held_names_pictures_for_tests_by_themselves(tested: House):
    give(tested)
    tested.enrolment.put("tests/nobody-probe.jpg", Jpeg(b"x"))
    found = lines(tested)
    assert (found["pictures for tests"].count, found["pictures for tests"].overdue) == (10, False)
    assert found["pictures for tests that no pair names"].count == 1
    assert (found["tests of reviewers"].count, found["pairs for tests"].count) == (1, 5)
    with tested.meddling() as master:
        master.execute("UPDATE test_pair SET added_at = now() - interval '34 days'")
    assert lines(tested)["pictures for tests"].overdue


# --- no start without them --------------------------------------------------------------------------------------------


def asked_for(house: House) -> str:
    house.permitted = policy(test_candidates_percent=5, version="tests")
    asked = house.requested(house.listed(3)[0])
    house.authorise(asked.id)
    return asked.id


def test_nothing_starts_without_pictures_of_two_different_people(house: House):
    house.pool(2, 0)
    deployment_id = asked_for(house)
    assert house.start(deployment_id).reason is Reason.NO_TEST_PAIRS
    never_starts(house, deployment_id, "PV019")
    house.add_pair(False)
    assert house.start(deployment_id).state is DeploymentState.ACTIVE


def test_the_stage_that_does_not_ask_is_told_by_the_database(house: House):
    deployment_id = asked_for(house)
    with house.govern.work() as work:
        assert work.begin_warming(deployment_id, house.now()).reason is Reason.NO_TEST_PAIRS


@pytest.mark.parametrize("gone", ["removed", "too old"])
def test_pairs_that_are_gone_start_nothing_and_are_not_drawn(house: House, gone: str):
    house.pool(0, 1)
    if gone == "removed":
        house.remove_pair(house.one("SELECT id FROM test_pair"))
    else:
        with house.meddling() as master:
            master.execute("UPDATE test_pair SET added_at = now() - interval '30 days 1 second'")
    _, (listed,) = pairs.listed(principal=house.person("officer"), store=house.pairs, clock=house.now)
    assert listed.state(house.now()).value == ("removed" if gone == "removed" else "expired")
    deployment_id = asked_for(house)
    assert house.start(deployment_id).reason is Reason.NO_TEST_PAIRS
    never_starts(house, deployment_id, "PV019")


def test_one_that_grew_too_old_is_not_drawn_either(tested: House):
    with tested.meddling() as master:
        master.execute("UPDATE test_pair SET added_at = now() - interval '31 days'")
    with broken("PV019"):
        give(tested)
    (candidate,) = candidates(tested, 1)
    tested.decide(candidate, Decision.REJECT)
    assert given_to(tested) == []


def test_a_policy_without_tests_needs_no_pictures_and_gives_none(house: House):
    house.active = house.running(house.listed(3)[0])
    house.pool(1, 1)
    house.see(3)
    house.decide(house.candidates[0]["id"], Decision.REJECT, chance=lambda: 0.0)
    assert given_to(house) == []
    with broken("PV019"):
        give(house)


def test_a_policy_may_ask_for_none_or_for_one_in_twenty_at_least(house: House):
    assert replace(policy(), test_candidates_percent=0).test_candidates_percent == 0
    from proviso.policies import read_shipped

    shares = {name: read_shipped(name).policy.test_candidates_percent for name in ("uk-police", "eu", "volunteers")}
    assert shares == {"uk-police": 5, "eu": 5, "volunteers": 0}
