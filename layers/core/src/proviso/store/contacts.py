"""Contacts: where reviewers and recipients are told. Only govern's login reads or writes them."""

from datetime import datetime
from typing import Any, LiteralString

from proviso.domain.contacts import AUDIENCES, Address, Contact, Kept
from proviso.domain.people import Role
from proviso.store.connection import Session

_CONTACTS: LiteralString = """
SELECT c.sub, c.email, c.phone, c.language, c.places, c.categories, c.set_by, c.set_at, p.roles
FROM contact c JOIN person p ON p.sub = c.sub
WHERE c.removed_at IS NULL
"""


class ContactTable:
    """Contacts, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def contact(self, sub: str) -> Kept | None:
        """What stands for this account."""
        found = self._session.row(_CONTACTS + "AND c.sub = %(sub)s", {"sub": sub})
        return _kept(found) if found else None

    def contacts(self) -> list[Kept]:
        """All that stand, by account."""
        return [_kept(row) for row in self._session.rows(_CONTACTS + "ORDER BY c.sub")]

    def set_contact(self, kept: Kept) -> None:
        """Write it in place of what was there, also where that was removed."""
        contact = kept.contact
        self._session.change(
            """
            INSERT INTO contact (sub, email, phone, language, places, categories, set_by, set_at)
            VALUES (%(sub)s, %(email)s, %(phone)s, %(language)s, %(places)s, %(categories)s, %(by)s, %(at)s)
            ON CONFLICT (sub) DO UPDATE
            SET email = EXCLUDED.email, phone = EXCLUDED.phone, language = EXCLUDED.language,
                places = EXCLUDED.places, categories = EXCLUDED.categories,
                set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at, removed_at = NULL
            """,
            {
                "sub": contact.sub,
                "email": contact.email.value if contact.email else None,
                "phone": contact.phone.value if contact.phone else None,
                "language": contact.language,
                "places": list(contact.places),
                "categories": list(contact.categories),
                "by": kept.set_by,
                "at": contact.set_at,
            },
        )

    def remove_contact(self, sub: str, at: datetime) -> bool:
        """Its addresses are gone from the row, which says that there was one."""
        changed = self._session.change(
            """
            UPDATE contact SET removed_at = %(at)s, email = NULL, phone = NULL, places = '{}', categories = '{}'
            WHERE sub = %(sub)s AND removed_at IS NULL
            """,
            {"sub": sub, "at": at},
        )
        return changed == 1

    def deployments_naming(self, sub: str) -> list[str]:
        """Those that are not closed and name this account, by id."""
        found = self._session.tuples(
            """
            SELECT DISTINCT d.id FROM deployment d JOIN deployment_member m ON m.deployment_id = d.id
            WHERE m.sub = %(sub)s AND m.removed_at IS NULL AND d.state <> 'closed' ORDER BY d.id
            """,
            {"sub": sub},
        )
        return [str(one) for (one,) in found]


def _kept(row: dict[str, Any]) -> Kept:
    contact = Contact(
        sub=row["sub"],
        language=row["language"],
        email=Address(row["email"]) if row["email"] else None,
        phone=Address(row["phone"]) if row["phone"] else None,
        places=tuple(row["places"]),
        categories=tuple(row["categories"]),
        roles=frozenset(Role(role) for role in row["roles"]) & AUDIENCES.keys(),
        set_at=row["set_at"],
    )
    return Kept(contact, row["set_by"])
