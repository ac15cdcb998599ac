"""S30: the audit holds pseudonyms of listed people; what would identify one is sealed with a key of its own, outside
the database and its backups. Destroying the key makes the records unreadable and unfindable, and the chain stays valid.

UK GDPR / DPA Part 3. The ways round: a record that says too much after a whole journey, refusals and removals included;
a key or an opened detail that lies in the database; looking after the destruction; a destruction that breaks the chain;
a certificate while a key is left; a removal that fails because the keys are away.
"""

import json
import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from proviso.cloud.subjects import DynamoSubjects
from proviso.domain.audit import first_fault
from proviso.domain.candidate import Decision
from proviso.domain.errors import Fault, StorageFault
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.subjects import UNAVAILABLE, UNLINKED
from proviso.stages import review, subjects, watchlist
from proviso.store.connection import RuleBroken
from tests.safeguards.house import House
from tests.samples import ENTRY, policy, principal

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration

NUMBER = "CASE-4711-7"


@pytest.fixture
def listed(house: House) -> House:
    """A list with one entry, enrolled; the same picture was refused twice before."""
    house.list_id = house.watchlist()
    entry = house.add(house.list_id, reference_no=NUMBER)
    house.entry = entry.id
    for picture in (b"people 3 4", b"people 3 4", b"people"):
        assert isinstance(house.enrol(house.list_id, house.entry, picture), Refused)
    assert not isinstance(house.enrol(house.list_id, house.entry, b"people 3"), Refused)
    return house


def chains(house: House) -> dict[str, list]:
    names = [row["chain"] for row in house.sql("master", "SELECT chain FROM audit_head ORDER BY chain")]
    with house.govern.work() as work:
        return {name: work.audit_records(name) for name in names}


def bodies(house: House) -> str:
    return "\n".join(one.body.decode() for records in chains(house).values() for one in records)


def acts(house: House, action: str) -> list[dict]:
    found = [json.loads(one.body) for one in chains(house)["system"]]
    return [body for body in found if body["action"] == action]


def look(house: House, by: str = "auditor", purpose: str = "inspection", entry: str | None = None):
    return subjects.audit_of(
        principal=house.person(by),
        watchlist_id=house.list_id,
        entry_id=entry or house.entry,
        purpose=purpose,
        store=house.govern,
        subjects=house.subjects,
        clock=house.now,
    )


def remove(house: House, entry: str) -> object:
    return watchlist.remove_entry(
        principal=house.person("officer"),
        watchlist_id=house.list_id,
        entry_id=entry,
        store=house.govern,
        subjects=house.subjects,
        anchors=house.anchors,
        clock=house.now,
    )


def journey(house: House) -> str:
    """Enrolled, searched, seen, looked at, decided, stopped; the deployment's id."""
    active = house.running(house.list_id)
    house.see(3)
    candidate = house.candidates[0]["id"]
    by = house.person("reviewer")
    given = {"store": house.reviews, "clock": house.now}
    seen = review.look(principal=by, candidate_id=candidate, **given)
    for reference in (None, *(one.id for one in seen.references)):
        pictures = {"evidence": house.evidence, "enrolment": house.enrolment}
        shown = review.picture(principal=by, candidate_id=candidate, reference_id=reference, **pictures, **given)
        assert not isinstance(shown, Refused)
    house.decide(candidate, Decision.CONFIRM)
    house.alert_all()
    assert remove(house, house.entry) is True
    house.stop(active.id)
    return active.id


def close(house: House, deployment_id: str) -> None:
    house.due.put(deployment_id, house.now())
    assert deployment_id in house.retain().closed


def identifying(house: House) -> dict[str, str]:
    """What stands in the database of the listed person, by column."""
    entry = house.sql("master", "SELECT * FROM entry")[0]
    names = ("id", "reference_no", "label", "reason", "source", "lawful_holding", "consent_reference")
    found = {name: entry[name] for name in names if entry[name]}
    for number, row in enumerate(house.sql("master", "SELECT id, image_digest, image_key FROM reference")):
        found |= {f"reference {name} {number}": value for name, value in row.items()}
    return found


@pytest.fixture
def really(house: House) -> Iterator[House]:
    """The keys in a real table's stand-in, with the real cryptography, instead of the fake."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-2")
        keys = (("list", "HASH"), ("subject", "RANGE"))
        client.create_table(
            TableName="subjects",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        )
        house.subjects = DynamoSubjects(client, "subjects", os.urandom)
        house.list_id = house.watchlist()
        house.entry = house.add(house.list_id, reference_no=NUMBER).id
        house.enrol(house.list_id, house.entry, b"people")
        house.enrol(house.list_id, house.entry, b"people 3")
        yield house


def test_the_same_with_the_real_keys(really: House):
    known, name = identifying(really), really.subjects.pseudonym(really.list_id, really.entry)
    deployment_id = journey(really)
    found = look(really).records
    assert [one.opened["entry"] for one in found if one.opened] == [really.entry] * 4
    close(really, deployment_id)
    assert [column for column, value in known.items() if value in bodies(really)] == []
    assert not look(really).linked
    assert really.subjects.count_list(really.list_id) == 0
    assert name in bodies(really)
    assert all(first_fault(records) is None for records in chains(really).values())


# --- what the audit says ----------------------------------------------------------------------------------------------


def test_after_a_whole_journey_no_record_says_who_was_listed(listed: House):
    known = identifying(listed)
    assert {"id", "reference_no", "label", "reference id 0", "reference image_digest 0"} <= set(known)
    deployment_id = journey(listed)
    before = bodies(listed)
    close(listed, deployment_id)
    after = bodies(listed)
    for text in (before, after):
        assert [name for name, value in known.items() if value in text] == []
    for action in ("entry_added", "reference_enrolled", "enrolment_refused", "entry_removed"):
        assert f'"action":"{action}"' in after, action


def test_every_act_on_an_entry_stands_under_its_pseudonym(listed: House):
    remove(listed, listed.entry)
    name = listed.subjects.pseudonym(listed.list_id, listed.entry)
    found = [json.loads(one.body) for one in chains(listed)["system"]]
    about = [body for body in found if "entry" in body["action"] or "enrol" in body["action"]]
    assert len(about) == 6
    assert {body["subject"] for body in about} == {name}
    assert all(set(body["details"]) <= {"watchlist", "sealed", "pipeline", "reason", "picture"} for body in about)


def test_an_approval_names_nobody_either(house: House):
    """S09's second person."""
    house.permitted = policy(under_18_allowed=True)
    house.list_id = house.watchlist()
    entry = house.add(house.list_id, under_18=True, harm_reason="for the test")
    approved = watchlist.approve_entry(
        principal=principal("authoriser", Role.AUTHORISER),
        watchlist_id=house.list_id,
        entry_id=entry.id,
        store=house.govern,
        subjects=house.subjects,
        clock=house.now,
    )
    assert approved.approved_by == "authoriser"
    assert acts(house, "entry_approved")[0]["subject"] == house.subjects.pseudonym(house.list_id, entry.id)
    assert entry.id not in bodies(house)


def test_refusals_are_counted_and_told_apart_without_the_picture_s_digest(listed: House):
    found = acts(listed, "enrolment_refused")
    assert [one["details"]["reason"] for one in found] == ["several_faces", "several_faces", "no_face"]
    assert len({one["details"]["picture"] for one in found}) == 2


# --- reading, while there is a key ------------------------------------------------------------------------------------


def test_with_the_key_a_person_s_records_are_found_and_opened_and_nobody_else_s(listed: House):
    other = listed.add(listed.list_id)
    found = look(listed)
    assert found.linked
    assert [one.body["action"] for one in found.records] == [
        "entry_added",
        "enrolment_refused",
        "enrolment_refused",
        "enrolment_refused",
        "reference_enrolled",
    ]
    assert found.records[0].opened == {
        "entry": listed.entry,
        "category": ENTRY["category"],
        "reference_no": NUMBER,
    }
    digest = listed.one("SELECT image_digest FROM reference")
    assert found.records[-1].opened["image"] == digest
    assert [one.opened["entry"] for one in look(listed, entry=other.id).records] == [other.id]


def test_each_look_is_recorded_with_its_purpose_and_without_the_person(listed: House):
    look(listed, by="protector", purpose="complaint 12")
    recorded = acts(listed, "subject_consulted")[-1]
    assert (recorded["actor"], recorded["purpose"]) == ("protector", "complaint 12")
    assert recorded["subject"] == listed.subjects.pseudonym(listed.list_id, listed.entry)
    assert recorded["details"] == {"watchlist": listed.list_id, "records": 5}
    assert look(listed).records[-1].body["actor"] == "protector"  # and the next who looks sees the look


@pytest.mark.parametrize("purpose", ["", "   ", "x" * 201, f"about {NUMBER.lower()}", "entry {entry}"])
def test_a_purpose_is_needed_and_may_not_say_who_it_is_about(listed: House, purpose):
    refused = look(listed, purpose=purpose.format(entry=listed.entry))
    assert refused.reason is Reason.INVALID
    assert NUMBER not in refused.sentence
    assert acts(listed, "subject_consulted") == []


@pytest.mark.parametrize("by", ["officer", "requester", "authoriser", "reviewer"])
def test_nobody_else_looks(listed: House, by):
    assert look(listed, by=by).reason is Reason.ROLE_MISSING


def test_a_look_that_cannot_be_recorded_shows_nothing(listed: House):
    listed.sql("master", "REVOKE EXECUTE ON FUNCTION audit_append(text, bigint, bytea) FROM proviso_govern")
    try:
        with pytest.raises(Fault, match="not recorded"):
            look(listed)
    finally:
        listed.sql("master", "GRANT EXECUTE ON FUNCTION audit_append(text, bigint, bytea) TO proviso_govern")


# --- destroyed --------------------------------------------------------------------------------------------------------


def test_after_the_destruction_nothing_is_linked_or_opened_and_the_chain_holds(listed: House):
    name = listed.subjects.pseudonym(listed.list_id, listed.entry)
    deployment_id = journey(listed)
    close(listed, deployment_id)
    assert listed.subjects.keys == {}
    for by in ("auditor", "protector"):
        found = look(listed, by=by)
        assert (found.linked, found.records) == (False, ())
    assert {one["subject"] for one in acts(listed, "subject_consulted")} == {UNLINKED}
    assert name in bodies(listed)  # the records are there
    for chain, records in chains(listed).items():
        assert first_fault(records) is None, chain
    # Who kept the pseudonym still reads no details, and who knows the entry makes no pseudonym.
    sealed = [one["details"]["sealed"] for one in acts(listed, "entry_added")]
    assert listed.subjects.open(listed.list_id, listed.entry, sealed) == [None]
    listed.subjects.make(listed.list_id, listed.entry, listed.now())
    assert listed.subjects.open(listed.list_id, listed.entry, sealed) == [None]
    assert listed.subjects.pseudonym(listed.list_id, listed.entry) != name


def test_the_certificate_counts_the_keys(listed: House):
    deployment_id = journey(listed)
    close(listed, deployment_id)
    counts = listed.one("SELECT counts FROM certificate")
    assert {"store": "subject keys", "left": 0} in counts


def test_a_list_that_is_deleted_by_itself_takes_its_keys_along(listed: House):
    watchlist.delete(
        principal=listed.person("officer"),
        watchlist_id=listed.list_id,
        store=listed.govern,
        due=listed.due,
        clock=listed.now,
    )
    assert listed.retain().lists_erased == (listed.list_id,)
    assert listed.subjects.keys == {}
    assert look(listed).linked is False
    assert listed.entry not in bodies(listed)


def test_a_removal_that_a_restored_backup_undid_names_nobody_when_it_is_done_again(listed: House):
    name = listed.subjects.pseudonym(listed.list_id, listed.entry)
    remove(listed, listed.entry)
    with listed.meddling() as connection:
        connection.execute("UPDATE entry SET removed_at = NULL")
    assert listed.retain().replayed == 1
    assert listed.one("SELECT removed_at IS NOT NULL FROM entry") is True
    (replayed,) = acts(listed, "erasure_replayed")
    assert (replayed["subject"], replayed["details"]) == (name, {"kind": "entry", "watchlist": listed.list_id})
    assert listed.entry not in bodies(listed)


def test_while_a_key_is_left_nothing_is_certified(listed: House):
    deployment_id = journey(listed)
    listed.subjects.destroy_list = lambda watchlist_id: 0
    listed.due.put(deployment_id, listed.now())
    assert listed.retain().not_closed == (deployment_id,)
    del listed.subjects.destroy_list
    close(listed, deployment_id)


def test_a_list_that_another_deployment_needs_keeps_its_keys(listed: House):
    first = listed.running(listed.list_id)
    listed.requested(listed.list_id, cameras=("gate-2",))
    listed.stop(first.id)
    close(listed, first.id)
    assert look(listed).linked


def test_a_key_of_an_entry_that_was_never_committed_goes_with_the_list(listed: House):
    """A crash between the key and the row leaves a key; nothing else."""
    deployment_id = journey(listed)
    listed.subjects.make(listed.list_id, "never-committed", listed.now())
    close(listed, deployment_id)
    assert listed.subjects.keys == {}


# --- where the keys are -----------------------------------------------------------------------------------------------


def test_no_key_is_in_the_database(listed: House):
    """So none is in its backups: every row of every table, and of the keys only what the audit may hold."""
    journey(listed)
    tables = listed.sql("master", "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    dump = "\n".join(
        row["text"] for t in tables for row in listed.sql("master", f"SELECT t::text AS text FROM {t['name']} t")
    )
    assert listed.entry in dump
    assert len(listed.subjects.keys) == 1
    for key in listed.subjects.keys.values():
        assert key not in dump
        assert key.encode().hex() not in dump


# --- when the keys are away -------------------------------------------------------------------------------------------


def test_a_removal_works_and_is_recorded_when_the_keys_are_away(listed: House):
    """S36."""
    listed.running(listed.list_id)
    listed.subjects.faults["*"] = StorageFault("away")
    assert remove(listed, listed.entry) is True
    assert listed.one("SELECT removed_at IS NOT NULL FROM entry") is True
    (recorded,) = acts(listed, "entry_removed")
    assert (recorded["subject"], recorded["details"]) == (UNAVAILABLE, {"watchlist": listed.list_id})
    assert listed.see(3).counts.candidates == 0


def test_nobody_is_added_or_enrolled_when_the_keys_are_away(listed: House):
    """An act that could only be recorded by naming somebody does not happen."""
    before = len(chains(listed)["system"])
    listed.subjects.faults["*"] = StorageFault("away")
    for attempt in (
        lambda: listed.add(listed.list_id),
        lambda: listed.enrol(listed.list_id, listed.entry, b"people 3 "),
        lambda: listed.enrol(listed.list_id, listed.entry, b"people"),
    ):
        with pytest.raises(StorageFault):
            attempt()
    assert listed.one("SELECT count(*) FROM entry") == 1
    assert listed.one("SELECT count(*) FROM reference") == 1
    assert len(chains(listed)["system"]) == before


def test_an_entry_whose_row_does_not_commit_leaves_no_record(listed: House):
    """The database refuses a category that the code let through."""
    listed.permitted = policy(categories=("public_domain_photograph", "made_up"))
    with pytest.raises(RuleBroken):
        listed.add(listed.list_id, category="made_up")
    assert len(acts(listed, "entry_added")) == 1
    assert len(listed.subjects.keys) == 2  # a key to nothing, which goes with the list's others
