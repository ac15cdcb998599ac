"""S28: nothing about a person's group is inferred by a model, or recorded anywhere.

EU AI Act 5(1)(g). The ways round: a column or field that somebody adds in passing, a body with one more field, a
function's role that adds a column, and a model in a pack that is neither a detector nor an embedder.
"""

import json
from pathlib import Path

import psycopg
import pytest
from pydantic import ValidationError

from functions.review.routes import CandidateDecisionBody
from proviso.vision import pack
from tests.safeguards.demographics import columns, fields_of_the_domain, telling
from tests.safeguards.house import House
from tests.samples import faces_message, notice

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


def test_the_words_would_be_found():
    """The control."""
    named = ["review.gender", "candidate.skin_tone", "Face.estimated_age", "person.ethnic_group"]
    assert telling(named) == named
    assert telling(["entry.image_date", "frame_age_limit_s", "trace_id", "message_prefix"]) == []


def test_no_column_is_for_it(house: House):
    names = columns(house)
    assert len(names) > 100
    assert telling(names) == []


def test_no_field_of_the_domain_and_no_key_of_a_message_is_for_it():
    names = fields_of_the_domain()
    assert "Quality.sharpness" in names
    assert telling(names) == []
    for body in (faces_message().to_json(), notice().to_json()):
        assert telling(list(json.loads(body))) == []


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "review", "retain", "report"])
def test_no_functions_role_makes_room_for_it(house: House, role):
    for statement in ("ALTER TABLE candidate ADD COLUMN gender text", "CREATE TABLE demographics (gender text)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            house.sql(role, statement)


def test_a_decision_takes_no_such_word():
    with pytest.raises(ValidationError, match="ethnicity"):
        CandidateDecisionBody.model_validate({"decision": "reject", "reason": "another person", "ethnicity": "x"})


def test_a_pack_holds_models_for_finding_and_comparing_alone():
    """The one that guesses an age or a gender has no role to be loaded in."""
    names = [file.stem for file in (Path(pack.__file__).parent / "packs").glob("*.toml")]
    assert "mobilefacenet" in names
    for name in names:
        manifest = pack.load_manifest(name)
        assert {file.role for file in manifest.files} <= {"detector", "embedder", "landmarks5", "landmarks68"}, name
