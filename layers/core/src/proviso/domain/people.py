"""People who act: their roles are read from the database at each request, never from a token."""

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
    DATA_PROTECTION_OFFICER = "data_protection_officer"


STAFF = tuple(role for role in Role if role is not Role.RECIPIENT)
"""Who may see a deployment with its grounds: everybody with a role but those who only receive notices."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account: `sub` as the identity provider names them, roles, training until when (S19), and the
    rank that some policies ask of an authoriser (S03)."""

    sub: str
    roles: frozenset[Role]
    trained_until: datetime | None = None
    rank: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who reviews or receives for one deployment. Nobody does for a deployment that does not name them."""

    deployment_id: str
    sub: str
    role: Role
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, from a verified token and the database. Built by wiring only; stages take it as proof."""

    person: Person

    @property
    def sub(self) -> str:
        return self.person.sub

    def needs_training(self, now: datetime) -> Refused | None:
        """None while this person's training is current (S19)."""
        if self.person.trained_until is not None and now < self.person.trained_until:
            return None
        return Refused(Reason.NOT_TRAINED)

    def needs(self, *roles: Role) -> Refused | None:
        """None when the person holds one of these roles."""
        if self.person.roles & set(roles):
            return None
        return Refused(Reason.ROLE_MISSING, " or ".join(roles))
