"""People and their roles: read at each request, so that a role taken away is gone at once."""

from proviso.domain.people import Person
from proviso.store import rows
from proviso.store.connection import Session


class PeopleTable:
    """People, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def person(self, sub: str) -> Person | None:
        """Who this account belongs to."""
        found = self._session.row("SELECT sub, roles, trained_until FROM person WHERE sub = %(sub)s", {"sub": sub})
        return rows.person(found) if found else None

    def people(self) -> list[Person]:
        """Everybody, by account."""
        return [
            rows.person(row) for row in self._session.rows("SELECT sub, roles, trained_until FROM person ORDER BY sub")
        ]

    def register(self, person: Person) -> None:
        """Write a person's roles and training, whether or not they were known before."""
        self._session.change(
            """
            INSERT INTO person (sub, roles, trained_until) VALUES (%(sub)s, %(roles)s, %(trained_until)s)
            ON CONFLICT (sub) DO UPDATE SET roles = EXCLUDED.roles, trained_until = EXCLUDED.trained_until
            """,
            {
                "sub": person.sub,
                "roles": sorted(role.value for role in person.roles),
                "trained_until": person.trained_until,
            },
        )
