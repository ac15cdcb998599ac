"""People and their roles: read at each request, so that a role taken away is gone at once."""

from datetime import datetime

from proviso.domain.people import Member, Person, Role
from proviso.store import rows
from proviso.store.connection import Session


class PeopleTable:
    """People, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def person(self, sub: str) -> Person | None:
        """Who this account belongs to."""
        found = self._session.row(
            "SELECT sub, roles, trained_until, rank FROM person WHERE sub = %(sub)s", {"sub": sub}
        )
        return rows.person(found) if found else None

    def people(self) -> list[Person]:
        """Everybody, by account."""
        found = self._session.rows("SELECT sub, roles, trained_until, rank FROM person ORDER BY sub")
        return [rows.person(row) for row in found]

    def register(self, person: Person) -> None:
        """Write a person's roles, training and rank, whether or not they were known before."""
        self._session.change(
            """
            INSERT INTO person (sub, roles, trained_until, rank)
            VALUES (%(sub)s, %(roles)s, %(trained_until)s, %(rank)s)
            ON CONFLICT (sub) DO UPDATE
            SET roles = EXCLUDED.roles, trained_until = EXCLUDED.trained_until, rank = EXCLUDED.rank
            """,
            {
                "sub": person.sub,
                "roles": sorted(role.value for role in person.roles),
                "trained_until": person.trained_until,
                "rank": person.rank,
            },
        )

    def add_member(self, member: Member) -> None:
        """Name somebody for a deployment, again too if they were taken off it."""
        self._session.change(
            """
            INSERT INTO deployment_member (deployment_id, sub, role, added_by, added_at)
            VALUES (%(deployment_id)s, %(sub)s, %(role)s, %(added_by)s, %(added_at)s)
            ON CONFLICT (deployment_id, sub, role) DO UPDATE
            SET added_by = EXCLUDED.added_by, added_at = EXCLUDED.added_at, removed_at = NULL
            """,
            {
                "deployment_id": member.deployment_id,
                "sub": member.sub,
                "role": member.role.value,
                "added_by": member.added_by,
                "added_at": member.added_at,
            },
        )

    def remove_member(self, deployment_id: str, sub: str, role: Role, at: datetime) -> bool:
        """Take somebody off a deployment. False when they were not named for it."""
        changed = self._session.change(
            """
            UPDATE deployment_member SET removed_at = %(at)s
            WHERE deployment_id = %(deployment)s AND sub = %(sub)s AND role = %(role)s AND removed_at IS NULL
            """,
            {"deployment": deployment_id, "sub": sub, "role": role.value, "at": at},
        )
        return changed == 1

    def members(self, deployment_id: str) -> list[Member]:
        """Who reviews and who receives for a deployment, in the order in which they were named."""
        found = self._session.rows(
            """
            SELECT deployment_id, sub, role, added_by, added_at FROM deployment_member
            WHERE deployment_id = %(deployment)s AND removed_at IS NULL ORDER BY added_at, sub, role
            """,
            {"deployment": deployment_id},
        )
        return [Member(**{**row, "role": Role(row["role"])}) for row in found]
