"""Contacts, as govern keeps them; nobody else reads an address."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import psycopg
import pytest

from proviso.domain.contacts import Address, Contact, Kept
from proviso.domain.people import Role
from tests.contract.store_samples import House, house, now
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        made.people()
        yield made


def kept(sub: str = "reviewer", at: datetime | None = None) -> Kept:
    contact = Contact(
        sub=sub,
        language="cy",
        email=Address(f"{sub}@example.com"),
        phone=None,
        places=("Gate 1", "Gate 2"),
        categories=("missing",),
        roles=frozenset({Role.REVIEWER}),
        set_at=at or now(),
    )
    return Kept(contact, "requester")


def test_a_contact_comes_back_until_it_is_removed(rooms: House) -> None:
    with rooms.govern().work() as work:
        assert work.contact("reviewer") is None
        work.set_contact(kept())
        changed = kept()
        changed = replace(changed, contact=replace(changed.contact, phone=Address("+447700900001"), places=()))
        work.set_contact(changed)
        assert work.contact("reviewer") == changed
        assert work.contacts() == [changed]
        assert work.remove_contact("reviewer", now())
        assert not work.remove_contact("reviewer", now())
        assert work.contact("reviewer") is None
        assert work.contacts() == []
        work.set_contact(changed)
        assert work.contact("reviewer") == changed


def test_a_removed_one_keeps_nothing_of_it(rooms: House) -> None:
    with rooms.govern().work() as work:
        work.set_contact(kept())
        work.remove_contact("reviewer", now())
    with psycopg.connect(rooms.database.master_url) as connection:
        (row,) = connection.execute("SELECT email, phone, places, categories FROM contact").fetchall()
    assert row == (None, None, [], [])


def test_its_roles_are_the_persons_and_only_those_that_are_told(rooms: House) -> None:
    with rooms.govern().work() as work:
        for sub in ("reviewer", "officer"):
            work.set_contact(kept(sub))
        roles = {one.contact.sub: one.contact.roles for one in work.contacts()}
    assert roles == {"reviewer": frozenset({Role.REVIEWER}), "officer": frozenset()}


def test_which_deployments_name_somebody(rooms: House) -> None:
    with rooms.govern().work() as work:
        assert work.deployments_naming("reviewer") == []
