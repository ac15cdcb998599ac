"""S28: what group somebody belongs to is inferred by nothing. A reviewer may say what they saw: after their own
decision, once, from a closed list, each part of it or none.

EU AI Act 5(1)(g). The ways round: a column or field that somebody adds in passing, a body with one more field, a
function's role that adds a column or writes the table, a word before the decision or in another's name, and a model in
a pack that is neither a detector nor an embedder.
"""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from functions.review.routes import CandidateDecisionBody, DemographicsBody
from proviso.domain.candidate import Age, Decision, Ethnicity, Sex
from proviso.domain.reasons import Reason
from proviso.stages import review
from proviso.vision import pack
from tests.safeguards.demographics import columns, fields_of_the_domain, telling
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.samples import faces_message, notice

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

INFERRING = ["match", "enrol"]
OTHERS = [*INFERRING, "govern", "retain", "report"]
SAID = (
    "INSERT INTO demographics (candidate_id, reviewer, sex, age, ethnicity, recorded_at)"
    " VALUES (%(id)s, {by}, {sex}, '18_34', 'not_stated', now())"
)
PACKAGE = Path(pack.__file__).parents[1]


@pytest.fixture
def raised(house: House) -> House:
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    house.candidate = house.candidates[0]["id"]
    return house


def say(house: House, by: str = "reviewer", **said: Any) -> Any:
    given = {"sex": Sex.FEMALE, "age": Age.FROM_18, "ethnicity": Ethnicity.NOT_STATED, **said}
    return review.record_demographics(
        principal=house.person(by), candidate_id=house.candidate, store=house.reviews, clock=house.now, **given
    )


def written(house: House, role: str, by: str = "reviewer", sex: str = "female") -> None:
    house.sql(role, SAID.format(by=f"'{by}'", sex=f"'{sex}'"), id=house.candidate)


def kept(house: House) -> list[tuple[str, str]]:
    return [
        (one["reviewer"], one["sex"]) for one in house.sql("master", "SELECT * FROM demographics ORDER BY reviewer")
    ]


# --- said by a person, after their decision, once ---------------------------------------------------------------------


def test_after_ones_own_decision_one_may_say_it(raised: House) -> None:
    """The control."""
    raised.decide(raised.candidate)
    assert say(raised) is True
    assert kept(raised) == [("reviewer", "female")]
    shown = review.look(
        principal=raised.person("reviewer"), candidate_id=raised.candidate, store=raised.reviews, clock=raised.now
    )
    assert shown.revealed.demographics_recorded


def test_what_was_seen_stands_in_no_audit(raised: House) -> None:
    """That it was said does."""
    raised.decide(raised.candidate)
    say(raised, ethnicity=Ethnicity.WHITE)
    bodies = b"".join(one["body"] for one in raised.sql("master", "SELECT body FROM audit_event"))
    assert b"demographics_recorded" in bodies
    assert not [word for word in (b"female", b"18_34", b"white") if word in bodies]


def test_a_decision_stands_without_it(raised: House) -> None:
    raised.decide(raised.candidate)
    assert raised.candidates[0]["state"] == "confirmed"
    assert kept(raised) == []
    assert DemographicsBody.model_validate({}) == DemographicsBody(
        sex=Sex.NOT_STATED, age=Age.NOT_STATED, ethnicity=Ethnicity.NOT_STATED
    )


def test_not_before_it(raised: House) -> None:
    assert say(raised).reason is Reason.WRONG_STATE
    for role in ("review", "master"):
        with broken("PV028"):
            written(raised, role)
    assert kept(raised) == []


def test_not_twice(raised: House) -> None:
    raised.decide(raised.candidate)
    say(raised)
    assert say(raised, sex=Sex.MALE).reason is Reason.WRONG_STATE
    for role in ("review", "master"):
        with broken("demographics_pkey"):
            written(raised, role, sex="male")
    assert kept(raised) == [("reviewer", "female")]


def test_not_in_anothers_name(raised: House) -> None:
    """The stage takes the name from who is signed in, and a body with one is refused."""
    raised.decide(raised.candidate)
    with pytest.raises(ValidationError, match="reviewer"):
        DemographicsBody.model_validate({"sex": "female", "reviewer": "second"})
    assert say(raised, by="second").reason is Reason.WRONG_STATE
    for role in ("review", "master"):
        for by in ("second", "requester", "nobody"):
            with broken("PV028"):
                written(raised, role, by=by)
    assert kept(raised) == []


@pytest.mark.parametrize("sub", ["requester", "authoriser", "officer", "auditor"])
def test_not_by_who_does_not_review(raised: House, sub: str) -> None:
    raised.decide(raised.candidate)
    assert say(raised, by=sub).reason is Reason.ROLE_MISSING


@pytest.mark.parametrize("decision", [Decision.REJECT, Decision.CANNOT_TELL])
def test_any_decision_of_ones_own_will_do(raised: House, decision: Decision) -> None:
    """False candidates are those that a test for groups needs most."""
    raised.decide(raised.candidate, decision)
    assert say(raised) is True


@pytest.mark.parametrize("change", ["UPDATE demographics SET sex = 'male'", "DELETE FROM demographics"])
def test_what_was_said_stays(raised: House, change: str) -> None:
    raised.decide(raised.candidate)
    say(raised)
    for role in ("review", *OTHERS):
        with broken("PV029" if role == "retain" and "DELETE" in change else "42501"):
            raised.sql(role, change)
    with pytest.raises(psycopg.Error, match="demographics"):
        raised.sql("master", change)
    assert kept(raised) == [("reviewer", "female")]


@pytest.mark.parametrize("body", [{"sex": "other"}, {"age": "42"}, {"ethnicity": "unknown"}, {"skin_tone": "3"}])
def test_there_is_no_other_word(raised: House, body: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DemographicsBody.model_validate(body)
    raised.decide(raised.candidate)
    for role in ("review", "master"):
        with broken("demographics_sex_check"):
            written(raised, role, sex="guessed")


def test_said_plainly_the_role_of_review_can_write_in_a_reviewers_name(raised: House) -> None:
    """Not prevented: who holds the login role of review can write it in the name of a reviewer who has decided. It then
    stands there without a record in the audit, and that person cannot say it any more."""
    raised.decide(raised.candidate)
    written(raised, "review")
    assert say(raised).reason is Reason.WRONG_STATE
    assert raised.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%demographics_recorded%%'::bytea") == 0


# --- inferred by nothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", OTHERS)
def test_no_role_that_sees_faces_or_rows_writes_it(raised: House, role: str) -> None:
    raised.decide(raised.candidate)
    with broken("42501"):
        written(raised, role)


def test_one_role_alone_may_and_one_statement_alone_does(house: House) -> None:
    found = house.sql(
        "master",
        "SELECT DISTINCT grantee, privilege_type AS may FROM information_schema.role_table_grants"
        " WHERE table_name = 'demographics' AND grantee LIKE 'proviso_%%' AND grantee <> 'proviso_migrate'",
    )
    assert {(one["grantee"], one["may"]) for one in found} == {
        ("proviso_review", "INSERT"),
        ("proviso_review", "SELECT"),
        ("proviso_retain", "DELETE"),  # which counts, and only what is over: test_s28_counts
    }
    writing = [path for path in PACKAGE.rglob("*.py") if "INTO demographics" in path.read_text()]
    assert [path.relative_to(PACKAGE).as_posix() for path in writing] == ["store/review.py"]
    for folder in ("vision", "stages", "store"):
        naming = {path.stem for path in (PACKAGE / folder).glob("*.py") if "Demographics(" in path.read_text()}
        assert naming <= {"review"}, folder


def test_the_words_would_be_found() -> None:
    """The control."""
    named = ["review.gender", "candidate.skin_tone", "Face.estimated_age", "person.ethnic_group"]
    assert telling(named) == named
    assert telling(["entry.image_date", "frame_age_limit_s", "trace_id", "message_prefix"]) == []


def test_no_other_column_is_for_it(house: House) -> None:
    names = columns(house)
    assert len(names) > 100
    named = {"candidate_id", "reviewer", "sex", "age", "ethnicity", "recorded_at"}
    counts = {"group_count.sex", "group_count.ethnicity"}  # of the same words, and of no candidate
    assert set(telling(names)) == {f"demographics.{name}" for name in named} | counts


def test_no_other_field_of_the_domain_and_no_key_of_a_message_is_for_it() -> None:
    names = fields_of_the_domain()
    assert "Quality.sharpness" in names
    others = [name for name in telling(names) if not name.startswith("Demographics.")]
    assert others == ["Revealed.demographics_recorded"]  # whether, and not what
    for body in (faces_message().to_json(), notice().to_json()):
        assert telling(list(json.loads(body))) == []


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "review", "retain", "report"])
def test_no_functions_role_makes_room_for_it(house: House, role: str) -> None:
    for statement in ("ALTER TABLE candidate ADD COLUMN gender text", "CREATE TABLE guessed (gender text)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            house.sql(role, statement)


def test_a_decision_takes_no_such_word() -> None:
    with pytest.raises(ValidationError, match="ethnicity"):
        CandidateDecisionBody.model_validate({"decision": "reject", "reason": "another person", "ethnicity": "x"})


def test_a_pack_holds_models_for_finding_and_comparing_alone() -> None:
    """The one that guesses an age or a gender has no role to be loaded in."""
    names = [file.stem for file in (Path(pack.__file__).parent / "packs").glob("*.toml")]
    assert "mobilefacenet" in names
    for name in names:
        manifest = pack.load_manifest(name)
        assert {file.role for file in manifest.files} <= {"detector", "embedder", "landmarks5", "landmarks68"}, name
