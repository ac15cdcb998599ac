"""S32: when a deployment closes its record is published: counts, rates with their denominators and intervals, and
nobody's
name. Headline counts are never suppressed; what comes to be known later makes another revision.

Met practice; EHRC. The ways round: publishing before the close, changing or taking away what was published, a record
that
says more than is described, one that a crash loses, and reading more than counts as the role of report.
"""

import hashlib
import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator

from proviso.domain.audit import system_act
from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.errors import StorageFault
from proviso.domain.outcome import Action, Result
from proviso.domain.record_schema import INDEX_SCHEMA, RECORD_SCHEMA, schema_fault
from proviso.store.migrations import ROLES
from tests.safeguards.house import ROLES as PEOPLE
from tests.safeguards.house import House
from tests.safeguards.past_the_code import broken
from tests.safeguards.receiving import DAY, Receiving
from tests.samples import CAMERA, ENTRY, grounds, policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def shift(house: House) -> Receiving:
    """Four candidates: one is engaged rightly, one rejected, one confirmed and open, one left undecided."""
    made = Receiving(house)
    list_id, _ = house.listed(3, 4, 5, 6)
    made.deployment = house.running(list_id).id
    made.named("recipient")
    made.candidate = made.another(3)
    made.record(made.candidate, Result.ENGAGED_RIGHT, action=Action.ARREST)
    house.see(4)
    (rejected,) = (one["id"] for one in house.candidates if one["state"] == "raised")
    house.decide(rejected, Decision.REJECT)
    made.another(5)
    house.see(6)
    house.see(99)
    return made


def close(shift: Receiving) -> Any:
    house = shift.house
    house.stop(shift.deployment)
    house.due.put(shift.deployment, house.now())
    done = house.retain()
    assert house.deployment(shift.deployment).state is DeploymentState.CLOSED
    return done


def record(shift: Receiving, revision: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shift.house.records.objects[f"records/{shift.deployment}/{revision}.json"])
    return found


def aged(shift: Receiving, by: timedelta) -> None:
    """As if all of it, the publications included, had been so long ago."""
    shift.later(by)
    with shift.house.meddling() as master:
        master.execute("UPDATE certificate SET backups_expire_at = backups_expire_at - %s", (by,))
        master.execute("UPDATE published_record SET published_at = published_at - %s", (by,))
        master.execute("UPDATE outcome SET recorded_at = recorded_at - %s", (by,))
        master.execute("UPDATE withdrawal SET withdrawn_at = withdrawn_at - %s", (by,))
    shift.house.due.put(shift.deployment, shift.house.now())


def settle(shift: Receiving) -> Any:
    aged(shift, DAY + timedelta(minutes=1))
    return shift.house.retain()


# --- what it says -----------------------------------------------------------------------------------------------------


def test_nothing_is_published_before_the_close(shift: Receiving) -> None:
    shift.house.retain()
    shift.house.stop(shift.deployment)
    assert shift.house.records.objects == {}


def test_at_the_close_it_is_published_with_all_counts_and_rates(shift: Receiving) -> None:
    done = close(shift)
    assert done.published == (f"{shift.deployment}/1",)
    found = record(shift)
    assert found["candidates"] == {
        "total": 4,
        "confirmed": 2,
        "rejected": 1,
        "expired": 0,
        "frozen": 1,
        "withdrawn": 0,
    }
    assert found["truth"] == {
        "true": 1,
        "false": 1,
        "not_engaged": 0,
        "unconfirmed": 1,
        "not_recorded": 0,
        "open": 1,
    }
    assert found["actions"]["arrest"] == 1
    assert (found["faces"]["searched"], found["faces"]["passages"]) == (5, "not measured")
    assert found["frames"]["searched"] == 5
    (false,) = [one for one in found["rates"] if one["figure"] == "false candidates"]
    assert (false["count"], false["of"], false["unit"]) == (1, 5, "faces searched")
    assert (false["low"], false["high"]) == ("0.00505", "0.7165")
    assert found["list"]["by_category"] == [{"category": ENTRY["category"], "entries": 4}]
    assert found["list"]["by_group"] == "not recorded"
    assert found["notice"]["signage_attested_at"]
    assert found["notice"]["published_at"]
    assert found["stops"]["stopped_before_its_end"] is True
    assert all(one["left"] == 0 for one in found["deletion"]["stores"])
    assert found["deletion"]["pictures_held"] == 1
    assert found["changes"] == ["first publication, at the close"]


def test_it_is_as_its_schema_describes_it_and_the_schema_is_json_schema(shift: Receiving) -> None:
    close(shift)
    Draft202012Validator.check_schema(RECORD_SCHEMA)
    Draft202012Validator(RECORD_SCHEMA).validate(record(shift))
    Draft202012Validator(INDEX_SCHEMA).validate(json.loads(shift.house.records.objects["index.json"]))


def test_it_names_nobody_and_no_single_candidate(shift: Receiving) -> None:
    close(shift)
    settle(shift)
    for body in shift.house.records.objects.values():
        text = body.decode()
        for one in shift.house.candidates:
            assert one["id"] not in text
            assert one["raised_at"].strftime("T%H:%M:%S.%f") not in text
        for secret in (*PEOPLE, ENTRY["label"], ENTRY.get("reference_no", "R-1"), "alike"):
            assert f'"{secret}"' not in text.replace('"role":"requester"', "").replace('"role":"authoriser"', ""), (
                secret
            )
        assert "accura" not in text.lower()


def test_a_demonstration_says_so(shift: Receiving) -> None:
    close(shift)
    assert record(shift)["demonstration"] == policy().message_prefix


def fold(shift: Receiving, digest: str, **changed: Any) -> None:
    """As retain writes into the audit what was never searched (rule 3)."""
    hour = shift.house.now().strftime("%Y-%m-%dT%H")
    given = {"camera": CAMERA, "hour": hour, "outcome": "no_face", "reason": "", "frames": 7, **changed}
    with shift.house.retains.work() as work:
        details = {**given, "frames_digest": digest}
        work.audit(system_act(shift.house.now(), "function:retain", "frames_not_searched", CAMERA, details))


def test_frames_that_were_not_searched_count_once_and_by_its_cameras_and_hours(shift: Receiving) -> None:
    fold(shift, "a")
    fold(shift, "a")  # folded twice, after a crash
    fold(shift, "b", frames=5)
    fold(shift, "c", outcome="refused", reason="no_permit", frames=1)
    fold(shift, "d", camera="another")
    fold(shift, "e", hour="2020-01-01T00")
    close(shift)
    assert record(shift)["frames"]["not_searched"] == [
        {"outcome": "no_face", "reason": "", "frames": 12},
        {"outcome": "refused", "reason": "no_permit", "frames": 1},
    ]


def test_one_that_nobody_authorised_is_published_too(house: House) -> None:
    made = Receiving(house)
    made.deployment = house.requested(house.listed(3)[0]).id
    close(made)
    found = record(made)
    assert (found["authorised"], found["times"]["started_at"], found["faces"]["searched"]) == (None, None, 0)
    assert found["list"]["age_at_start_minutes"] is None


def test_suspensions_are_counted_where_there_is_a_table_of_them(shift: Receiving) -> None:
    close(shift)
    with psycopg.connect(shift.house.database.master_url) as master:
        master.execute("CREATE TABLE IF NOT EXISTS suspension (deployment_id text)")
        counted = master.execute("SELECT record_counts(%s) -> 'suspensions'", [shift.deployment]).fetchone()
        master.rollback()
    assert counted == (0,)


# --- revisions --------------------------------------------------------------------------------------------------------


def test_when_outcomes_are_closed_and_backups_gone_a_second_revision_is_final(shift: Receiving) -> None:
    close(shift)
    assert shift.house.retain().published == ()  # nothing new
    first = shift.house.records.objects[f"records/{shift.deployment}/1.json"]
    assert settle(shift).published == (f"{shift.deployment}/2",)
    found = record(shift, 2)
    assert (found["figures"], found["truth"]["not_recorded"], found["truth"]["open"]) == ("final", 1, 0)
    assert found["deletion"]["backups_expired_at"] is not None
    assert "truth, not recorded: 0 before, 1 now" in found["changes"]
    assert shift.house.records.objects[f"records/{shift.deployment}/1.json"] == first
    index = json.loads(shift.house.records.objects["index.json"])
    assert [(one["deployment"], one["revision"]) for one in index["records"]] == [(shift.deployment, 2)]
    assert shift.house.retain().published == ()


def test_an_outcome_alone_makes_no_revision_by_which_its_time_would_be_known(shift: Receiving) -> None:
    close(shift)
    open_one = shift.house.one(
        "SELECT id FROM candidate c WHERE state = 'confirmed' AND id <> %(id)s", id=shift.candidate
    )
    shift.record(open_one, Result.ENGAGED_WRONG)
    assert shift.house.retain().published == ()
    settle(shift)
    assert record(shift, 2)["truth"]["false"] == 2


def test_what_is_taken_back_after_the_final_figures_makes_a_correction(shift: Receiving) -> None:
    close(shift)
    settle(shift)
    aged(shift, timedelta(minutes=1))
    shift.house.withdraw(shift.candidate)
    aged(shift, timedelta(minutes=1))
    assert shift.house.retain().published == (f"{shift.deployment}/3",)
    assert "candidates, withdrawn: 0 before, 1 now" in record(shift, 3)["changes"]


def test_each_publication_stands_in_the_deployments_chain(shift: Receiving) -> None:
    close(shift)
    settle(shift)
    acts = shift.acts("record_published")
    for revision, act in enumerate(acts, 1):
        body = shift.house.records.objects[f"records/{shift.deployment}/{revision}.json"]
        assert json.loads(act)["details"]["digest"] == hashlib.sha256(body).hexdigest()
    assert len(acts) == 2
    audit = record(shift)["audit"]
    held = shift.house.one(
        "SELECT encode(hash, 'hex') FROM audit_event WHERE chain = %(chain)s AND sequence = %(sequence)s",
        chain=audit["chain"],
        sequence=audit["sequence"],
    )
    assert held == audit["hash"]


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_a_bucket_that_fails_keeps_nothing_from_closing_and_gets_the_same_bytes_later(shift: Receiving) -> None:
    shift.house.records.faults["put"] = StorageFault("away")
    shift.house.stop(shift.deployment)
    shift.house.due.put(shift.deployment, shift.house.now())
    with pytest.raises(StorageFault):
        shift.house.retain()
    assert shift.house.deployment(shift.deployment).state is DeploymentState.CLOSED
    assert "records" in shift.house.due.objects
    written = shift.house.one("SELECT body FROM published_record")
    shift.house.records.faults.clear()
    aged(shift, timedelta(hours=1))
    assert shift.house.retain().published == ()
    assert shift.house.records.objects[f"records/{shift.deployment}/1.json"] == bytes(written)
    assert "records" not in shift.house.due.objects


def test_after_a_restore_what_was_published_stands_and_the_next_number_says_so(shift: Receiving) -> None:
    key = f"records/{shift.deployment}/1.json"
    shift.house.records.objects[key] = b'{"as it was": "published"}'
    close(shift)
    assert shift.house.records.objects[key] == b'{"as it was": "published"}'
    aged(shift, timedelta(minutes=2))
    assert shift.house.retain().published == (f"{shift.deployment}/2",)
    assert "restored" in record(shift, 2)["changes"][0]


# --- the ways round ---------------------------------------------------------------------------------------------------

WRITE = """
INSERT INTO published_record (deployment_id, revision, why, settled, body, digest, published_at)
SELECT %(id)s, %(revision)s, 'closed', false, b, encode(sha256(b), 'hex'), now()
FROM (SELECT convert_to(%(body)s, 'UTF8') AS b) AS x
"""


@pytest.mark.parametrize("role", ["retain", "master"])
def test_by_sql_neither_is_published_before_the_close(shift: Receiving, role: str) -> None:
    for over in (False, True):
        if over:
            shift.house.stop(shift.deployment)
        body = json.dumps({"deployment": shift.deployment, "revision": 1})
        with broken("PV032"):
            shift.house.sql(role, WRITE, id=shift.deployment, revision=1, body=body)
        with broken("PV032"):
            shift.house.sql(role, "SELECT record_counts(%(id)s)", id=shift.deployment)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE published_record SET body = '{}', digest = encode(sha256('{}'), 'hex')", "PV032"),
        ("UPDATE published_record SET published_at = now()", "PV032"),
        ("UPDATE published_record SET revision = 2", "PV032"),
        ("UPDATE published_record SET put = 'waiting'", "PV032"),
        ("DELETE FROM published_record", "PV029"),
        ("TRUNCATE published_record", "PV029"),
    ],
)
def test_nobody_changes_a_published_record(shift: Receiving, change: str, rule: str) -> None:
    close(shift)
    with broken(rule):
        shift.house.sql("master", change)
    if "put =" not in change:
        with broken("42501"):
            shift.house.sql("retain", change)


def test_a_record_of_another_or_out_of_order_is_none(shift: Receiving) -> None:
    close(shift)
    for revision, body in (
        (3, {"deployment": shift.deployment, "revision": 3}),
        (2, {"deployment": shift.deployment, "revision": 1}),
        (2, {"deployment": "another", "revision": 2}),
    ):
        with broken("PV032"):
            shift.house.sql("retain", WRITE, id=shift.deployment, revision=revision, body=json.dumps(body))


@pytest.mark.parametrize(
    "more",
    [
        {"names": ["x"]},
        {"operator": {"kind": "a", "name": "b", "account": "c"}},
        {"candidates": {"total": 1}},
        {"revision": True},
        {"cameras": -1},
        {"deployment": "../x"},
        {"times": None},
        {"deletion": None},
    ],
)
def test_what_says_more_than_is_described_is_no_record(shift: Receiving, more: dict[str, Any]) -> None:
    close(shift)
    found = record(shift)
    assert schema_fault(found, RECORD_SCHEMA) is None
    assert schema_fault({**found, **more}, RECORD_SCHEMA)
    assert not Draft202012Validator(RECORD_SCHEMA).is_valid({**found, **more})


def test_free_text_of_an_operator_goes_in_as_text(house: House) -> None:
    hostile = "<script>alert(1)</script>\"' & ©"
    made = Receiving(house)
    said = grounds(operator_name=hostile, legal_basis=hostile)
    made.deployment = house.running(house.listed(3)[0], grounds=said).id
    close(made)
    assert record(made)["operator"]["name"] == hostile


@pytest.mark.parametrize(
    "table",
    ["entry", "review", "person", "reference_template", "deployment", "candidate", "audit_event", "published_record"],
)
def test_the_role_of_report_reads_nothing(house: House, table: str) -> None:
    """It needs no database: it serves files. So a fault in what answers anybody reads nothing that is not public."""
    with broken("42501"):
        house.sql("report", f"SELECT * FROM public.{table}")


def test_no_function_of_the_house_but_retain_may_count_or_publish(house: House) -> None:
    for role in sorted(set(ROLES) - {"proviso_retain"}):
        with broken("42501"):
            house.sql(role, "SELECT public.record_counts('x')")
        with broken("42501"):
            house.sql(role, "INSERT INTO public.published_record VALUES ('x')")
