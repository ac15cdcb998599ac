"""S31: reference numbers stay when a list is deleted, so that "was I on it?" can be answered, by reference or by place,
time and slip; never by a face search; the answer goes to the data protection officer.

Bridges. The ways round: asking in another role; learning by trying numbers or slips; an answer to a stopped person that
tells of the person they were taken for; the number that was asked for in the audit; asking below the API, as another
function's role; any route, command or stage that takes a picture and says who it is.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer

from functions.govern.requests import SubjectAccessBody
from functions.govern.subjects import _answer
from proviso.cli.main import app
from proviso.domain.candidate import Decision, short_reference
from proviso.domain.errors import Fault, StorageFault
from proviso.domain.permit import CheckedPermit
from proviso.domain.ports import SearchWork
from proviso.domain.reasons import Reason
from proviso.stages import subject_access, watchlist
from proviso.stages.enrol import Enrolled
from proviso.stages.subject_access import BY_REFERENCE, BY_SLIP
from tests.safeguards.house import House
from tests.samples import ENTRY, axis

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
NUMBER = "CASE-4711-7"
OTHERS = ["officer", "requester", "authoriser", "reviewer", "auditor"]


@pytest.fixture
def raised(house: House) -> House:
    """Two people listed, one of them seen and confirmed by mistake; nothing is closed yet."""
    house.list_id = house.watchlist()
    house.entry = house.add(house.list_id, reference_no=NUMBER).id
    house.enrol(house.list_id, house.entry, b"people 3")
    house.enrol(house.list_id, house.add(house.list_id, reference_no="OTHER-1").id, b"people 4")
    house.active = house.running(house.list_id)
    house.see(3)
    house.candidate = house.candidates[0]
    house.decide(house.candidate["id"], Decision.CONFIRM)
    return house


@pytest.fixture
def gone(raised: House) -> House:
    """The same with the list deleted and certified."""
    raised.stop(raised.active.id)
    raised.due.put(raised.active.id, raised.now())
    assert raised.retain().closed == (raised.active.id,)
    return raised


def by_reference(house: House, number: str = NUMBER, by: str = "protector", purpose: str = "request 5"):
    return subject_access.by_reference(
        principal=house.person(by),
        reference_no=number,
        purpose=purpose,
        store=house.govern,
        subjects=house.subjects,
        clock=house.now,
    )


def by_slip(house: House, by: str = "protector", **changed):
    given = {
        "place": "Gate 1",
        "when": house.candidate["captured_at"],
        "slip": short_reference(house.candidate["id"]),
        "purpose": "request 6",
        **changed,
    }
    return subject_access.by_slip(principal=house.person(by), store=house.govern, clock=house.now, **given)


def lookups(house: House) -> list[dict]:
    rows = house.sql(
        "master",
        "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM audit_event WHERE chain = 'system' ORDER BY sequence",
    )
    return [row["body"] for row in rows if row["body"]["action"] == "subject_access"]


# --- by reference -----------------------------------------------------------------------------------------------------


def test_a_number_is_answered_for_after_its_list_is_deleted(gone: House):
    assert gone.one("SELECT bool_and(label = '') FROM entry") is True
    (listing,) = by_reference(gone).listings
    assert (listing.listed.watchlist_id, listing.listed.category) == (gone.list_id, ENTRY["category"])
    assert listing.listed.added_at < listing.listed.erased_at
    (use,) = listing.uses
    assert (use.deployment_id, use.operator, use.place, use.state) == (gone.active.id, "Example", "Gate 1", "closed")
    assert (use.starts_at, use.ends_at) == (gone.active.starts_at, gone.active.ends_at)
    assert use.started_at < use.finished_at
    (candidate,) = listing.raised
    assert candidate.slip == short_reference(gone.candidate["id"])
    assert (candidate.state, candidate.evidence) == ("confirmed", "deleted")


def test_a_number_on_two_lists_has_two_answers_and_a_removal_is_told(raised: House):
    other = raised.watchlist()
    raised.add(other, reference_no=NUMBER)
    watchlist.remove_entry(
        principal=raised.person("officer"),
        watchlist_id=raised.list_id,
        entry_id=raised.entry,
        store=raised.govern,
        subjects=raised.subjects,
        anchors=raised.anchors,
        clock=raised.now,
    )
    first, second = by_reference(raised, f" {NUMBER} ").listings
    assert first.listed.removed_at is not None
    assert (second.listed.watchlist_id, second.listed.removed_at) == (other, None)
    assert (second.uses, second.raised) == ((), ())


@pytest.mark.parametrize("number", ["CASE-4711", "case-4711-7", "%", "CASE-4711-7'", "OTHER"])
def test_only_the_very_number_is_answered_for(raised: House, number):
    assert by_reference(raised, number).kept is False


def test_the_same_is_answered_while_the_list_lives_and_no_name_is_in_it(raised: House):
    answer = by_reference(raised)
    assert len(answer.listings[0].raised) == 1
    shown = json.dumps(_answer(answer))
    for value in (ENTRY["label"], NUMBER, "OTHER-1", raised.entry, raised.candidate["id"], ENTRY["lawful_holding"]):
        assert value not in shown
    assert "similarity" not in shown


# --- by place, time and slip ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-11.9, 0, 11.9])
@pytest.mark.parametrize("place", ["Gate 1", " GATE 1", "gate 1 "])
def test_somebody_who_was_stopped_is_answered(gone: House, hours, place):
    ((candidate, use),) = by_slip(
        gone, place=place, when=gone.candidate["captured_at"] + timedelta(hours=hours)
    ).candidates
    assert (candidate.candidate_id, candidate.state) == (gone.candidate["id"], "confirmed")
    assert (use.deployment_id, use.watchlist_id) == (gone.active.id, gone.list_id)


def test_it_tells_nothing_of_the_person_they_were_taken_for(raised: House):
    shown = _answer(by_slip(raised))
    (candidate,) = shown["candidates"]
    assert set(candidate) == {
        "slip",
        "deployment_id",
        "place",
        "captured_at",
        "raised_at",
        "state",
        "decided_at",
        "evidence",
        "deployment",
    }
    assert shown["listings"] == []
    for value in (NUMBER, raised.entry, raised.candidate["id"], ENTRY["label"], ENTRY["category"], ENTRY["reason"]):
        assert value not in json.dumps(shown)


def test_evidence_is_there_held_or_deleted(raised: House):
    def evidence():
        return by_slip(raised).candidates[0][0].evidence

    assert evidence() == "kept"
    raised.sql(
        "govern",
        "INSERT INTO evidence_hold (id, candidate_id, kind, reason, held_by, held_at, until)"
        " VALUES ('h', %(candidate)s, 'complaint', 'x', 'x', now(), now() + interval '1 hour')",
        candidate=raised.candidate["id"],
    )
    assert evidence() == "held"
    raised.sql("govern", "UPDATE evidence_hold SET released_by = 'x', released_at = now()")
    assert evidence() == "kept"
    raised.sql("retain", "UPDATE candidate SET evidence_key = ''")
    assert evidence() == "deleted"


@pytest.mark.parametrize(
    "changed",
    [
        {"slip": "AAAAAA"},
        {"place": "Gate 2"},
        {"place": "Gate"},
        {"place": "%"},
        {"hours": 12.1},
        {"hours": -12.1},
        {"slip": "AAAAAA", "place": "Gate 2"},
    ],
)
def test_a_wrong_slip_place_or_time_all_look_the_same(raised: House, changed):
    hours = changed.pop("hours", 0)
    answer = by_slip(raised, when=raised.candidate["captured_at"] + timedelta(hours=hours), **changed)
    assert _answer(answer) == {"kept": False, "listings": [], "candidates": []}
    assert _answer(by_reference(raised, "nobody's")) == _answer(answer)


def test_every_letter_of_the_slip_counts(raised: House):
    slip = short_reference(raised.candidate["id"])
    for place in range(6):
        other = slip[:place] + ("A" if slip[place] != "A" else "B") + slip[place + 1 :]
        assert not by_slip(raised, slip=other).kept
    assert by_slip(raised, slip=slip.lower()).kept


@pytest.mark.parametrize(
    "changed", [{"slip": "ABC"}, {"slip": "%%%%%%"}, {"place": " "}, {"purpose": " "}, {"purpose": "x" * 201}]
)
def test_what_cannot_be_asked_is_said(raised: House, changed):
    assert by_slip(raised, **changed).reason is Reason.INVALID
    naive = raised.candidate["captured_at"].replace(tzinfo=None)
    assert "time zone" in by_slip(raised, when=naive).detail


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reference_no": ""},
        {"place": "Gate 1"},
        {"place": "Gate 1", "slip": "ABCDEF"},
        {"reference_no": "1", "place": "Gate 1"},
        {"reference_no": "1", "place": "Gate 1", "time": "2026-11-22T20:15:00Z", "slip": "ABCDEF"},
        {"place": "Gate 1", "time": "2026-11-22T20:15:00", "slip": "ABCDEF"},
        {"reference_no": "1", "picture": "x"},
    ],
)
def test_a_request_is_one_of_the_two_and_nothing_else(body):
    with pytest.raises(ValueError):
        SubjectAccessBody.model_validate(body)


# --- who asks, and what is recorded of it -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", OTHERS)
def test_nobody_but_the_data_protection_officer_is_answered(raised: House, by):
    assert by_reference(raised, by=by).reason is Reason.ROLE_MISSING
    assert by_slip(raised, by=by).reason is Reason.ROLE_MISSING
    assert lookups(raised) == []


def test_a_lookup_is_recorded_under_the_pseudonym_while_there_is_one(raised: House):
    by_reference(raised)
    (found,) = lookups(raised)
    assert found["subject"] == raised.subjects.pseudonym(raised.list_id, raised.entry)
    assert (found["actor"], found["purpose"]) == ("protector", "request 5")
    assert found["details"] == {"listings": 1, "candidates": 1}


def test_a_lookup_of_somebody_deleted_or_unknown_is_recorded_without_them(gone: House):
    by_reference(gone)
    by_reference(gone, "nobody's")
    by_slip(gone, slip="AAAAAA")
    by_slip(gone)
    assert [one["subject"] for one in lookups(gone)] == [BY_REFERENCE, BY_REFERENCE, BY_SLIP, gone.candidate["id"]]
    assert NUMBER not in json.dumps(lookups(gone))
    assert "nobody's" not in json.dumps(lookups(gone))


def test_the_purpose_may_not_name_the_number(raised: House):
    refused = by_reference(raised, purpose=f"asks about {NUMBER.lower()}")
    assert refused.reason is Reason.INVALID
    assert NUMBER not in refused.sentence
    assert lookups(raised) == []


def test_what_cannot_be_recorded_is_not_answered(raised: House):
    right = "EXECUTE ON FUNCTION audit_append(text, bigint, bytea)"
    raised.sql("master", f"REVOKE {right} FROM proviso_govern")
    try:
        for ask in (by_reference, by_slip):
            with pytest.raises(Fault, match="not recorded"):
                ask(raised)
    finally:
        raised.sql("master", f"GRANT {right} TO proviso_govern")
    raised.subjects.faults["*"] = StorageFault("away")
    with pytest.raises(StorageFault):
        by_reference(raised)


# --- below the API ----------------------------------------------------------------------------------------------------

NUMBERS = "SELECT reference_no FROM entry"


@pytest.mark.parametrize("role", ["match", "review", "retain"])
def test_other_roles_do_not_read_reference_numbers(gone: House, role):
    """report may, for the counts of its public record; enrol and govern list people by them."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        gone.sql(role, NUMBERS)


@pytest.mark.parametrize("role", ["enrol"])
def test_who_lists_people_does_not_read_what_was_raised(gone: House, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        gone.sql(role, "SELECT id FROM candidate")


def test_govern_sees_that_somebody_was_raised_and_not_how_like_whom(gone: House):
    for column in ("similarity", "evidence_digest", "frame_key"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            gone.sql("govern", f"SELECT {column} FROM candidate")


@pytest.mark.parametrize("role", ["govern", "retain", "enrol", "report", "review", "match", "master"])
def test_nobody_deletes_or_rewrites_a_reference_number(gone: House, role):
    for statement in ("UPDATE entry SET reference_no = 'x'", "DELETE FROM entry"):
        with pytest.raises(psycopg.Error):
            gone.sql(role, statement)
    assert by_reference(gone).kept


# --- no face search outside a deployment, by anyone -------------------------------------------------------------------


def code(folder: str) -> dict[str, ast.Module]:
    return {str(p.relative_to(ROOT)): ast.parse(p.read_text("utf-8")) for p in sorted((ROOT / folder).rglob("*.py"))}


def called(tree: ast.Module) -> set[str]:
    """Names of what is called: `f` of `f(...)` and `m` of `x.m(...)`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            target = node.func
            found.add(target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", ""))
    return found


def test_two_routes_take_pictures_and_their_answers_name_nobody():
    """Enrolment, and the pairs for tests of reviewers: two pictures against one another, and no list (S19)."""
    taking = {path for path, tree in code("functions").items() if called(tree) & {"Jpeg", "body_bytes"}}
    assert taking == {"functions/enrol/app.py", "functions/enrol/pairs.py"}
    assert not {"search", "entries", "references", "hits"} & called(code("functions")["functions/enrol/pairs.py"])
    told = {field.name for field in Enrolled.__dataclass_fields__.values()}
    assert told == {"reference_id", "quality"}
    assert "templates" in inspect.getsource(inspect.getmodule(Enrolled))  # the stage that turns pictures into templates


def test_bodies_of_requests_are_text_and_numbers():
    from functions.govern import requests

    for name, kind in inspect.getmembers(requests, inspect.isclass):
        for field in getattr(kind, "model_fields", {}).values():
            assert not re.search("bytes|Jpeg|Base64|Template", str(field.annotation)), name


def test_only_the_stage_of_a_deployment_s_frames_searches_or_compares():
    source = code("layers/core/src/proviso")
    stages = {path for path, tree in source.items() if "/stages/" in path and "search" in called(tree)}
    assert {Path(path).name for path in stages} == {"match.py"}
    making = {path for path, tree in source.items() if "templates" in called(tree) and "/stages/" in path}
    assert {Path(path).name for path in making} == {"match.py", "enrol.py"}
    assert inspect.signature(SearchWork.search).parameters["permit"].annotation in (CheckedPermit, "CheckedPermit")
    permits = {path for path, tree in source.items() if "CheckedPermit" in called(tree)}
    assert {Path(path).name for path in permits} == {"search.py"}  # made by the gate alone


def test_a_permit_of_another_transaction_searches_nothing(raised: House):
    gate = {
        "deployment_id": raised.active.id,
        "digest": raised.active.digest,
        "camera": "gate-1",
        "captured_at": raised.now(),
        "now": raised.now(),
        "pipeline": raised.pipeline.digest,
        "software_build": raised.active.software_build,
    }
    with raised.search.work() as work:
        permit = work.gate(**gate)
        assert len(work.search(permit, [axis(3)])[0]) == 1
    with raised.search.work() as work, pytest.raises(Fault):
        work.search(permit, [axis(3)])
    raised.stop(raised.active.id)
    with raised.search.work() as work:
        refused = work.gate(**{**gate, "now": raised.now()})
        assert refused.reason is Reason.NOT_ACTIVE


@pytest.mark.parametrize("role", ["match", "enrol", "govern", "review", "retain", "report"])
@pytest.mark.parametrize("table", ["reference_template", "build_template"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT template FROM {table}",
        "SELECT 1 FROM {table} ORDER BY template <#> %(probe)s::halfvec LIMIT 1",
        "SELECT count(*) FROM {table} WHERE template <#> %(probe)s::halfvec < -0.5",
        "DELETE FROM {table} WHERE template <#> %(probe)s::halfvec < -0.5",
        "INSERT INTO {table} SELECT * FROM {table} RETURNING template",
        "COPY {table} TO STDOUT",
    ],
)
def test_no_other_role_reads_or_compares_a_template(raised: House, role, table, statement):
    """match compares, and only with a build's."""
    if (role, table) == ("match", "build_template") and not statement.startswith(("DELETE", "INSERT")):
        assert raised.sql(role, "SELECT count(*) FROM build_template")
        return
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raised.sql(role, statement.format(table=table), probe=str([1.0, *[0.0] * 127]))


def commands(group: typer.Typer, name: str = "") -> dict[str, Callable[..., Any]]:
    """Every command of the command line, by its whole name."""
    found = {f"{name} {one.name}".strip(): one.callback for one in group.registered_commands}
    for inner in group.registered_groups:
        found |= commands(inner.typer_instance, f"{name} {inner.name}".strip())
    return found


FILES_FOR = {
    "audit export": "a file to write the audit to",
    "audit verify": "an export, or anchored heads",
    "calibrate": "figures, and a file to write figures to",
    "card": "figures, and a file to write a card to",
    "cost": "figures: times and prices, and a file to draw them into",
    "camera": "its key; and frames, that a deployment's permit alone has searched",
    "candidates show": "a folder to write the pictures to that a reviewer may see",
    "demo": "a folder to write what was made",
    "deployment decision": "the document of a decision, for its digest",
    "deployment request": "the terms",
    "evaluate": "pictures that say themselves who they show, compared with one another: rates come out, and no name",
    "invoke": "an event, for one function under its own rights",
    "notice-sheet": "files to write the notice and the sign to",
    "report": "files and a folder to write public records to, or to read them from",
    "notices show": "a folder to write the pictures to that a recipient may see",
    "policy check": "a policy",
    "policy diff": "policies",
    "policy list": "policies",
    "policy show": "policies",
    "teardown": "an export of the audit, to see that it is whole",
    "tests add": "two pictures of consenting people, compared with one another and with nobody else",
    "trial plan": "a plan to write",
    "trial record": "figures of a trial",
    "trial result": "who walked when by number, and a file to write figures to",
    "watchlist add": "pictures to enrol: accepted, or rejected with a reason of quality",
    "watchlist import": "the same, many at once",
    "watchlist picture": "the same",
}
"""Each command that is given files, and what for."""


def test_no_command_takes_a_picture_and_says_who_it_is():
    """The commands that are given files. One that is new here has to be thought about: what does it answer?"""
    every = commands(app)
    given = {
        name: [one for one, kind in inspect.signature(run).parameters.items() if "Path" in str(kind.annotation)]
        for name, run in every.items()
    }
    assert {"subject-access", "subject audit", "watchlist add", "camera"} <= set(every)
    assert {name for name, files in given.items() if files} <= FILES_FOR.keys()
    module = inspect.getsource(inspect.getmodule(every["subject-access"]))
    assert not re.search("picture\\(|Path|bytes|templates", module)
