"""S06: an entry has a category from the closed list, a reason, a source, a lawful-holding reference and an image date;
no free-text category. Removal is always allowed and works within 5 s.

Bridges, para 124; APP. The ways round: the function's role that inserts what the stage refused, rewriting an entry that
was accepted, adding people to a build that was authorised, and bringing back somebody who was removed.
"""

import itertools
from datetime import timedelta

import psycopg
import pytest

from proviso.domain.candidate import Decision
from proviso.domain.deployment import DeploymentState
from proviso.domain.frame import Outcome
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.domain.timing import Stopwatch
from proviso.stages import match, watchlist
from tests.safeguards.house import House
from tests.samples import axis, principal

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def listed(house: House) -> House:
    house.list_id, house.entries = house.listed(3, 4)
    return house


def entries(house: House) -> int:
    return house.one("SELECT count(*) FROM entry")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"category": ""}, Reason.INVALID),
        ({"category": "intelligence"}, Reason.POLICY_FORBIDS),
        ({"category": "public_domain_photograph; other"}, Reason.POLICY_FORBIDS),
        ({"reason": " "}, Reason.INVALID),
        ({"source": ""}, Reason.INVALID),
        ({"lawful_holding": "\n"}, Reason.INVALID),
    ],
)
def test_the_stage_refuses(listed: House, changed, reason):
    assert listed.add(listed.list_id, **changed).reason is reason
    assert entries(listed) == 2


COLUMNS = (
    "id",
    "watchlist_id",
    "reference_no",
    "label",
    "category",
    "reason",
    "source",
    "lawful_holding",
    "image_date",
    "consent_reference",
    "added_by",
    "added_at",
)


def insert(house: House, role: str, **changed: str) -> None:
    values = {name: name for name in COLUMNS} | {"id": "id || 'x'", "reference_no": "reference_no || 'x'"} | changed
    columns, selected = ", ".join(values), ", ".join(values.values())
    house.sql(role, f"INSERT INTO entry ({columns}) SELECT {selected} FROM entry LIMIT 1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(("category", "reason", "source", "lawful_holding", "label"), ("''", "'  '", "NULL")),
        ("image_date", "NULL"),
        ("added_by", "''"),
    ],
)  # fmt: skip
def test_sql_refuses_a_blank(listed: House, name, value):
    for role in ("govern", "master"):
        with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation)):
            insert(listed, role, **{name: value})
    insert(listed, "govern")  # as it stands it is taken
    assert entries(listed) == 3


def test_sql_refuses_an_unknown_category(listed: House):
    with pytest.raises(psycopg.Error):
        insert(listed, "govern", category="'intelligence'")


@pytest.mark.parametrize("role", ["match", "enrol", "review", "retain", "report"])
def test_no_other_functions_role_lists_anybody(listed: House, role):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        insert(listed, role)


@pytest.mark.parametrize(
    "change",
    [
        "category = 'x'",
        "reason = 'x'",
        "label = 'x'",
        "source = 'x'",
        "lawful_holding = 'x'",
        "image_date = now()",
        "added_by = 'x'",
        "watchlist_id = 'x'",
        "reference_no = 'x'",
    ],
)
def test_an_entry_is_never_rewritten(listed: House, change):
    for role in ("govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            listed.sql(role, f"UPDATE entry SET {change}")


# --- removal ----------------------------------------------------------------------------------------------------------


def remove(house: House, entry_id: str, by: str = "officer"):
    return watchlist.remove_entry(
        principal=house.person(by),
        watchlist_id=house.list_id,
        entry_id=entry_id,
        store=house.govern,
        subjects=house.subjects,
        anchors=house.anchors,
        clock=house.now,
    )


def test_the_very_next_search_does_not_find_who_was_removed(listed: House):
    active = listed.running(listed.list_id)
    assert listed.see(3, 4).counts.candidates == 2
    for candidate in listed.candidates:
        listed.decide(candidate["id"], Decision.REJECT)
    assert remove(listed, listed.entries[0]) is True
    assert listed.see(3, 4).counts.candidates == 1
    assert listed.deployment(active.id).state is DeploymentState.ACTIVE  # nothing had to be authorised again
    assert listed.candidates[-1]["entry_id"] == listed.entries[1]


def test_a_removal_does_not_wait_for_searches(listed: House):
    """A search that has found the person, and holds its locks, is under way: the removal goes through beside it."""
    active = listed.running(listed.list_id)
    with listed.search.work() as work:
        permit = work.gate(
            deployment_id=active.id,
            digest=active.digest,
            camera="gate-1",
            captured_at=listed.now(),
            now=listed.now(),
            pipeline=listed.pipeline.digest,
            software_build=active.software_build,
        )
        found = work.search(permit, [axis(3)])
        work.lock_entries(permit, [found[0][0].entry_id])
        assert remove(listed, listed.entries[0]) is True
        assert work.search(permit, [axis(3)]) == [[]]  # and even this transaction's next look honours it


@pytest.mark.parametrize("state", ["requested", "authorised", "active", "stopped"])
@pytest.mark.parametrize("by", ["officer", "authoriser", "requester"])
def test_removal_is_allowed_in_every_state(listed: House, state, by):
    asked = listed.requested(listed.list_id)
    if state in ("authorised", "active"):
        listed.authorise(asked.id)
    if state == "active":
        listed.start(asked.id)
    if state == "stopped":
        listed.stop(asked.id)
    assert remove(listed, listed.entries[0], by) is True
    assert remove(listed, listed.entries[0], by) is True  # again changes nothing


def test_who_was_removed_does_not_come_back(listed: House):
    remove(listed, listed.entries[0])
    for role in ("govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            listed.sql(role, "UPDATE entry SET removed_at = NULL")
    assert listed.enrol(listed.list_id, listed.entries[0], b"people 3").reason is Reason.NOT_FOUND
    assert listed.build(listed.list_id).entries == 1


def test_adding_needs_a_new_build_and_a_new_authorisation(listed: House):
    active = listed.running(listed.list_id)
    entry = listed.add(listed.list_id)
    listed.enrol(listed.list_id, entry.id, b"people 7")
    assert listed.see(7).counts.candidates == 0
    for role in ("govern", "enrol", "master"):
        with pytest.raises(psycopg.Error):
            listed.sql(
                role,
                "INSERT INTO build_reference (build_id, reference_id, entry_id)"
                " SELECT %(build)s, id, entry_id FROM reference WHERE entry_id = %(entry)s",
                build=active.build_id,
                entry=entry.id,
            )
    assert listed.see(7).counts.candidates == 0


def test_who_has_no_part_in_it_does_not_remove(listed: House):
    refused = watchlist.remove_entry(
        principal=principal("x", Role.REVIEWER, Role.AUDITOR, Role.RECIPIENT),
        watchlist_id=listed.list_id,
        entry_id=listed.entries[0],
        store=listed.govern,
        subjects=listed.subjects,
        anchors=listed.anchors,
        clock=listed.now,
    )
    assert isinstance(refused, Refused)


def test_nobody_decides_any_more_about_who_was_removed(listed: House):
    """A candidate that waits for a decision freezes with the removal, and no notice goes out for it."""
    listed.running(listed.list_id)
    listed.see(3, 4)
    waiting = {one["entry_id"]: one["id"] for one in listed.candidates}
    assert remove(listed, listed.entries[0]) is True
    assert isinstance(listed.decide(waiting[listed.entries[0]]), Refused)
    states = {one["entry_id"]: one["state"] for one in listed.candidates}
    assert states == {listed.entries[0]: "frozen", listed.entries[1]: "raised"}
    listed.alert_all()
    assert "recipients" not in {audience for audience, _ in listed.told}


def test_a_search_that_found_somebody_before_the_removal_raises_nobody_after_it(listed: House):
    """The way round: the row of the candidate written when the tombstone is there already."""
    listed.running(listed.list_id)
    listed.see(3)
    remove(listed, listed.entries[0])
    with pytest.raises(psycopg.Error, match="its entry was removed"):
        listed.copy_candidate("match", id="id || 'x'", state="'raised'")


def test_a_removal_in_the_midst_of_a_search_does_not_cost_the_others_theirs(listed: House):
    """Who was removed is not raised; whoever else is in the frame is, within the same call."""
    listed.running(listed.list_id)
    message, evidence = listed.message(3, 4), listed.pipeline.evidence

    def removed_first(*given):
        remove(listed, listed.entries[0])
        return evidence(*given)

    listed.pipeline.evidence = removed_first
    row = match.match(
        message=message,
        room=listed.room(),
        stopwatch=Stopwatch(lambda: 0.0),
        give_up_at=listed.now() + timedelta(seconds=20),
    )
    assert (row.outcome, row.counts.candidates) == (Outcome.SEARCHED, 1)
    assert [one["entry_id"] for one in listed.candidates] == [listed.entries[1]]
    assert listed.waits


# --- the list's own rules ---------------------------------------------------------------------------------------------


def test_sql_refuses_one_more_than_the_cap(listed: House):
    cap = listed.one("SELECT max_entries FROM watchlist")
    for number in range(cap - entries(listed)):
        insert(listed, "govern", id=f"'e{number}'", reference_no=f"'n{number}'")
    for role in ("govern", "master"):
        with pytest.raises(psycopg.Error, match="is full"):
            insert(listed, role, id="'more'", reference_no="'more'")
    assert entries(listed) == cap


@pytest.mark.parametrize(
    "change", ["categories = categories || '{intelligence}'", "max_entries = 1000", "policy = 'x'"]
)
def test_a_list_keeps_the_rules_it_was_made_under(listed: House, change):
    for role in ("govern", "retain", "master"):
        with pytest.raises(psycopg.Error):
            listed.sql(role, f"UPDATE watchlist SET {change}")
