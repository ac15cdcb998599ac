"""People who act: their roles are read from the database at each request, never from a token (design, section 3)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from proviso.domain.reasons import Reason, Refused


class Role(StrEnum):
    REQUESTER = "requester"
    AUTHORISER = "authoriser"
    WATCHLIST_OFFICER = "watchlist_officer"
    REVIEWER = "reviewer"
    RECIPIENT = "recipient"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account: `sub` as the identity provider names them, roles, and training until when (S19)."""

    sub: str
    roles: frozenset[Role]
    trained_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, from a verified token and the database. Built by wiring only; stages take it as proof."""

    person: Person

    @property
    def sub(self) -> str:
        return self.person.sub

    def needs(self, *roles: Role) -> Refused | None:
        """None when the person holds one of these roles."""
        if self.person.roles & set(roles):
            return None
        return Refused(Reason.ROLE_MISSING, " or ".join(roles))
