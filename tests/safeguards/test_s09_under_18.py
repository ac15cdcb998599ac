"""S09: an entry under 18 needs a policy that allows it, a stated harm reason and a second person's approval; before
that it is in no build.

South Wales Police's procedure. The ways round: approving one's own entry, an approval that is there from the start or
comes from somebody without the role, taking the mark off, and a build made by hand.
"""

from datetime import timedelta

import pytest

from proviso.domain.people import Member, Person, Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages import watchlist
from tests.safeguards.house import House
from tests.safeguards.past_the_code import OTHERS, WRITERS, broken, copied
from tests.safeguards.test_s06_entries import COLUMNS
from tests.samples import policy

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
CHILD = {"under_18": True, "harm_reason": "has been missing from home since Monday"}
ALL = (*COLUMNS, "under_18", "harm_reason")


@pytest.fixture
def house(house: House) -> House:
    with house.govern.work() as work:
        work.register(Person("officer-2", frozenset({Role.WATCHLIST_OFFICER})))
    return house


@pytest.fixture
def child(house: House) -> House:
    """A list with somebody under 18 on it, enrolled and not approved."""
    house.permitted = policy(under_18_allowed=True)
    house.list_id = house.watchlist()
    house.entry = house.add(house.list_id, **CHILD)
    house.enrol(house.list_id, house.entry.id, b"people 3")
    return house


def approve(house: House, by: str = "officer-2"):
    return watchlist.approve_entry(
        principal=house.person(by),
        watchlist_id=house.list_id,
        entry_id=house.entry.id,
        subjects=house.subjects,
        store=house.govern,
        clock=house.now,
    )


def insert(house: House, role: str, **changed: str) -> None:
    house.sql(role, copied(ALL, "entry", {"id": "id || 'x'", "reference_no": "reference_no || 'x'", **changed}))


def test_where_the_policy_does_not_allow_it_nobody_under_18_is_listed(house: House):
    list_id = house.watchlist()
    assert house.add(list_id, **CHILD).reason is Reason.POLICY_FORBIDS
    house.add(list_id)
    for role in WRITERS:
        with broken("PV009"):
            insert(house, role, under_18="true", harm_reason="'x'")
    for role, rule in (("govern", "42501"), ("master", "PV006")):
        with broken(rule):
            house.sql(role, "UPDATE watchlist SET under_18_allowed = true")
    assert house.one("SELECT count(*) FROM entry") == 1


@pytest.mark.parametrize("said", [None, "", "  \n"])
def test_the_harm_to_be_averted_is_stated(child: House, said):
    assert child.add(child.list_id, under_18=True, harm_reason=said).reason is Reason.INVALID
    for role in WRITERS:
        with broken("s09_harm_reason"):
            insert(child, role, harm_reason="NULL" if said is None else f"'{said.strip()}'")


def test_nobody_unapproved_is_in_a_build(child: House):
    assert child.build(child.list_id).reason is Reason.BUILD_EMPTY
    grown = child.add(child.list_id)
    child.enrol(child.list_id, grown.id, b"people 4")
    assert child.build(child.list_id).entries == 1
    assert child.one("SELECT count(*) FROM build_reference WHERE entry_id = %(id)s", id=child.entry.id) == 0
    assert approve(child).approved_by == "officer-2"
    assert child.build(child.list_id).entries == 2


def test_a_build_with_somebody_unapproved_is_not_made_by_sql(child: House):
    forged = """
    INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)
    SELECT 'forged', watchlist_id, pipeline, 'd', 1, 1, 'officer', now() FROM reference LIMIT 1;
    INSERT INTO build_reference (build_id, reference_id, entry_id)
    SELECT 'forged', id, entry_id FROM reference;
    """
    for role in WRITERS:
        with broken("PV009"):
            child.sql(role, forged)
    approve(child)
    child.sql("govern", forged)  # nothing else refused it


def test_who_added_it_does_not_approve_it(child: House):
    with child.govern.work() as work:
        work.register(Person("officer", frozenset({Role.WATCHLIST_OFFICER, Role.AUTHORISER})))
    assert approve(child, "officer").reason is Reason.SAME_PERSON
    for role in WRITERS:
        with broken("s09_second_person"):
            child.sql(role, "UPDATE entry SET approved_by = added_by, approved_at = now()")


@pytest.mark.parametrize("by", ["requester", "reviewer", "auditor"])
def test_who_lacks_the_role_does_not_approve_it(child: House, by):
    assert approve(child, by).reason is Reason.ROLE_MISSING
    for role in WRITERS:
        for name in (by, "nobody-known"):
            with broken("PV009"):
                child.sql(role, f"UPDATE entry SET approved_by = '{name}', approved_at = now()")


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_functions_role_approves_at_all(child: House, role):
    with broken("42501"):
        child.sql(role, "UPDATE entry SET approved_by = 'officer-2', approved_at = now()")


def test_an_entry_does_not_begin_approved(child: House):
    for role in WRITERS:
        with broken("PV009"):
            insert(child, role, approved_by="'officer-2'", approved_at="now()")


def test_the_mark_is_not_taken_off_again(child: House):
    for role, rule in (("govern", "42501"), ("master", "PV006")):
        with broken(rule):
            child.sql(role, "UPDATE entry SET under_18 = false")
        with broken(rule):
            child.sql(role, "UPDATE entry SET harm_reason = 'another'")


def test_an_approval_stays_as_it_was_given(child: House):
    approve(child)
    assert approve(child, "authoriser").reason is Reason.WRONG_STATE
    for role in WRITERS:
        for change in ("approved_by = 'authoriser'", "approved_by = NULL, approved_at = NULL", "approved_at = now()"):
            with broken("PV006"):
                child.sql(role, f"UPDATE entry SET {change}")


def test_who_was_removed_is_not_approved_any_more(child: House):
    watchlist.remove_entry(
        principal=child.person("officer"),
        watchlist_id=child.list_id,
        entry_id=child.entry.id,
        subjects=child.subjects,
        anchors=child.anchors,
        store=child.govern,
        clock=child.now,
    )
    assert isinstance(approve(child), Refused)
    with broken("PV009"):
        child.sql("govern", "UPDATE entry SET approved_by = 'officer-2', approved_at = now()")


def test_nobody_of_age_is_approved(child: House):
    grown = child.add(child.list_id)
    for role in WRITERS:
        with broken("PV009"):
            child.sql(role, f"UPDATE entry SET approved_by = 'officer-2', approved_at = now() WHERE id = '{grown.id}'")


def test_who_approved_an_entry_has_listed_that_person_and_does_not_review(child: House):
    both = frozenset({Role.WATCHLIST_OFFICER, Role.REVIEWER})
    with child.govern.work() as work:
        work.register(Person("officer-2", both, child.now() + timedelta(days=1)))
    approve(child)
    running = child.running(child.list_id)
    with child.govern.work() as work:
        work.add_member(Member(running.id, "officer-2", Role.REVIEWER, "requester", child.now()))
    child.see(3)
    (candidate,) = child.candidates
    assert child.decide(candidate["id"], by="officer-2").reason is Reason.SAME_PERSON


def test_said_plainly_the_role_of_govern_can_approve_in_anothers_name(child: House):
    """Not prevented: who holds the login role of govern can name another officer. It stays in the row for good."""
    child.sql("govern", "UPDATE entry SET approved_by = 'officer-2', approved_at = now()")
    assert child.build(child.list_id).entries == 1
