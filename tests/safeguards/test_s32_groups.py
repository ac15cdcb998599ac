"""S32, S27, S28: tables of groups over whole batches of deployments, each published once, one count a candidate.

The ways round: a table that grows by one deployment, a deployment in two tables, sums of a few candidates, a table
that is
changed, counts that somebody writes, and two reviewers who say something of the same candidate.
"""

import json
from typing import Any

import pytest

from proviso.domain.suppression import ENOUGH, LEAST
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.safeguards.receiving import Receiving
from tests.safeguards.test_s32_public_record import close, record, settle, shift

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
fixtures = (shift,)
MANY = """
INSERT INTO candidate (id, deployment_id, entry_id, camera, place, frame_key, captured_at, raised_at, decide_by,
                       last_sighting_at, state, similarity, threshold, pipeline, policy, calibrated, evidence_key,
                       evidence_digest, correlation_id, decided_by, decided_at)
SELECT 'many-' || n, deployment_id, entry_id, camera, place, frame_key || n, captured_at, raised_at, decide_by,
       last_sighting_at, 'rejected', similarity, threshold, pipeline, policy, calibrated, '', evidence_digest, 'c',
       'reviewer', decided_at
FROM (SELECT * FROM candidate WHERE state = 'rejected' LIMIT 1) AS one, generate_series(1, 90) AS n
"""
RIGHT = """
UPDATE candidate SET state = 'confirmed', confirming_review = 'r' WHERE id LIKE 'many-%' AND substr(id, 6)::int > 45;
INSERT INTO outcome SELECT 'o-' || id, id, 'engaged_right', 'none', 'recipient', decided_at FROM candidate
WHERE id LIKE 'many-%' AND state = 'confirmed'
"""
SAID = """
INSERT INTO demographics (candidate_id, reviewer, sex, age, ethnicity, recorded_at)
SELECT id, 'reviewer', CASE WHEN substr(id, 6)::int % 3 = 0 THEN 'female' ELSE 'male' END, '18_34', 'white', decided_at
FROM candidate WHERE id LIKE 'many-%' AND substr(id, 6)::int % 9 <> 0
"""
TWICE = """
INSERT INTO demographics (candidate_id, reviewer, sex, age, ethnicity, recorded_at)
SELECT candidate_id, 'second', sex, age, CASE WHEN substr(candidate_id, 6)::int < 20 THEN 'asian' ELSE ethnicity END,
       recorded_at
FROM demographics WHERE candidate_id LIKE 'many-%'
"""


@pytest.fixture
def many(shift: Receiving) -> Receiving:
    """45 more that were false and 45 that were true, of most of which two reviewers said something."""
    more = "UPDATE searched_frame SET detected = detected + 100, searched = searched + 100"
    with shift.house.meddling() as master:
        for statement in (more, MANY, *RIGHT.split(";"), SAID, TWICE):
            master.execute(statement)
    return shift


def files(house: House) -> list[dict[str, Any]]:
    return [json.loads(body) for key, body in house.records.objects.items() if key.startswith("groups/")]


def margins(house: House) -> dict[tuple[str, str, str], int]:
    found = house.sql("master", "SELECT * FROM group_margin")
    return {(one["axis"], one["value"], one["truth"]): one["counted"] for one in found}


def test_a_candidate_counts_once_and_where_reviewers_differ_nothing_is_taken_for_said(many: Receiving) -> None:
    close(many)
    settle(many)
    found = margins(many.house)
    assert found["sex", "female", "false"] == 10
    assert found["sex", "male", "false"] == 30
    assert found["ethnicity", "white", "false"] == 40 - 17
    assert ("ethnicity", "asian", "false") not in found


def test_a_batch_that_is_large_enough_is_published_once(many: Receiving) -> None:
    close(many)
    assert files(many.house) == []  # figures of the close may change
    done = settle(many)
    (batch,) = files(many.house)
    assert batch["batch"] in done.published
    assert batch["deployments"] == [many.deployment]
    assert batch["totals"] == {"true": 46, "false": 46, "other": record(many, 2)["candidates"]["total"] - 92}
    sex = next(table for table in batch["tables"] if table["axis"] == "sex")
    assert {(tuple(cell["groups"]), *cell["truth"]): cell["count"] for cell in sex["cells"]} == {
        (("female",), "true"): 10,
        (("female",), "false"): 10,
        (("male", "not recorded"), "true"): 36,
        (("male", "not recorded"), "false"): 36,
    }
    assert min(cell["count"] for table in batch["tables"] for cell in table["cells"]) >= LEAST
    index = json.loads(many.house.records.objects["index.json"])
    assert index["groups"] == [batch["batch"]]
    assert many.house.retain().published == ()
    assert len(files(many.house)) == 1


def test_too_few_make_no_batch(shift: Receiving) -> None:
    close(shift)
    settle(shift)
    assert files(shift.house) == []
    assert ENOUGH > 4


def test_sums_of_a_few_or_of_what_is_in_a_batch_are_given_to_nobody(many: Receiving) -> None:
    house = many.house
    for role in ("retain", "master"):
        with broken("PV032"):
            house.sql(role, "SELECT * FROM batch_margins(ARRAY['another'])")
    close(many)
    settle(many)
    for role in ("retain", "master"):
        with broken("PV032"):
            house.sql(role, "SELECT * FROM batch_margins(%(ids)s)", ids=[many.deployment])
    for table in ("group_margin", "group_count"):
        with broken("42501"):
            house.sql("retain", f"SELECT * FROM {table}")


def test_a_deployment_is_in_one_batch_for_good(many: Receiving) -> None:
    close(many)
    settle(many)
    again = (
        "INSERT INTO group_batch (operator, number, body, digest, published_at)"
        " SELECT operator, number + 1, body, digest, now() FROM group_batch"
    )
    many.house.sql("retain", again)
    member = "INSERT INTO group_batch_member SELECT deployment_id, operator, 2 FROM group_batch_member"
    with broken("group_batch_member_pkey"):
        many.house.sql("retain", member)
    for change, rule in (
        ("UPDATE group_batch_member SET number = 2", "PV029"),
        ("DELETE FROM group_batch_member", "PV029"),
        ("DELETE FROM group_batch", "PV029"),
        ("UPDATE group_batch SET body = '{}', digest = encode(sha256('{}'), 'hex')", "PV032"),
        ("UPDATE group_margin SET counted = counted + 1", "PV028"),
        ("DELETE FROM group_margin", "PV029"),
        ("INSERT INTO group_margin SELECT deployment_id, 'other', axis, value, 1 FROM group_margin", "PV028"),
    ):
        with broken(rule):
            many.house.sql("master", change)


def test_while_single_groups_wait_to_be_counted_their_deployment_waits(many: Receiving) -> None:
    close(many)
    settle(many)
    with many.house.meddling() as master:
        master.execute("DELETE FROM group_batch_member")
        master.execute(
            "INSERT INTO demographics SELECT id, 'third', 'male', '18_34', 'white', now() FROM candidate LIMIT 1"
        )
    with many.house.retains.work() as work:
        assert work.unbatched() == []


def test_said_plainly_the_role_of_retain_can_subtract_sums_from_one_another(many: Receiving) -> None:
    """Not prevented: who holds retain's login role can ask for the sums of several sets of deployments before they are
    in
    a batch, each of forty candidates or more, and subtract. It publishes what it likes of it only within the schema."""
    close(many)
    assert many.house.sql("retain", "SELECT * FROM batch_margins(%(ids)s)", ids=[many.deployment])
