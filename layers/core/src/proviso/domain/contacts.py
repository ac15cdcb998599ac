"""Contacts: where people who review or receive can be told, what they take, and whether they can be reached.

An address is a type of its own that shows nothing of itself: it reaches SNS and the page of whoever registers it, and
no log, queue, audit record or representation. Who is told what is decided here (`audience`), for each notice anew; the
subscriptions at SNS only carry it, each with one filter that never changes: its own account.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from proviso.domain.notice import Kind, Notice, place_fault
from proviso.domain.people import Member, Role
from proviso.domain.wording import LANGUAGES

LOOKED_WITHIN = timedelta(minutes=15)
"""How old the last look at somebody's subscriptions may be when a deployment starts."""
AUDIENCES = {
    Role.REVIEWER: "reviewers",
    Role.RECIPIENT: "recipients",
    Role.REQUESTER: "reviewers",
    Role.AUTHORISER: "reviewers",
}
"""Whoever is told by role, as topics are named. Who asks and who authorises is told of a suspension alone, over the
reviewers' topic: each subscription lets pass what names its account."""
RESPONSIBLE = (Role.REQUESTER, Role.AUTHORISER)
MOST_RULES = 50

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_CATEGORY = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Channel(StrEnum):
    """How somebody is told, by SNS's names of protocols."""

    EMAIL = "email"
    PHONE = "sms"

    @property
    def field(self) -> str:
        """Its name in documents and in the API."""
        return "email" if self is Channel.EMAIL else "phone"


@dataclass(frozen=True, slots=True)
class Address:
    """A telephone number or an e-mail address. It does not show itself."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """Where an account is told, in which language, and of what: `places` and `categories`, each empty for all of them.
    `roles`: those of its roles that are told anything; they follow the person's."""

    sub: str
    language: str
    email: Address | None
    phone: Address | None
    places: tuple[str, ...]
    categories: tuple[str, ...]
    roles: frozenset[Role]
    set_at: datetime

    @property
    def addresses(self) -> dict[Channel, Address]:
        """Those that there are."""
        given = {Channel.EMAIL: self.email, Channel.PHONE: self.phone}
        return {channel: address for channel, address in given.items() if address is not None}

    def takes(self, notice: Notice) -> bool:
        """Is it told of this? Reviewers' notices have no category, so only the place counts in those. Of a suspension
        everybody hears who has to do with it, whatever else they take."""
        return notice.kind is Kind.SUSPENDED or (
            self.takes_place(notice.place)
            and (notice.kind is Kind.RAISED or not self.categories or notice.category in self.categories)
        )

    def takes_place(self, place: str) -> bool:
        """Is it told of what happens there?"""
        return not self.places or same_place(place, self.places)

    def to_json(self) -> str:
        """The object's body, from which alert knows where to tell."""
        return json.dumps(
            {
                "version": 1,
                "sub": self.sub,
                "language": self.language,
                "email": self.email.value if self.email else None,
                "phone": self.phone.value if self.phone else None,
                "places": list(self.places),
                "categories": list(self.categories),
                "roles": sorted(self.roles),
                "set_at": self.set_at.astimezone(UTC).isoformat(),
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, sub: str, body: bytes | str) -> "Contact":
        """Read it. ValueError, which quotes nothing, when it is none or another account's."""
        try:
            values: dict[str, Any] = json.loads(body)
            made = cls(
                sub=str(values["sub"]),
                language=str(values["language"]),
                email=_address(values["email"]),
                phone=_address(values["phone"]),
                places=_texts(values["places"]),
                categories=_texts(values["categories"]),
                roles=frozenset(Role(role) for role in _texts(values["roles"])) & AUDIENCES.keys(),
                set_at=_moment(values["set_at"]),
            )
            if values["version"] != 1 or made.sub != sub or made.language not in LANGUAGES:
                raise ValueError("version, account or language")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a contact: {type(error).__name__}") from None
        return made


@dataclass(frozen=True, slots=True)
class Kept:
    """A contact as it is recorded, and by whom."""

    contact: Contact
    set_by: str


def contact_fault(contact: Contact, categories: Collection[str]) -> str | None:
    """Why this cannot be recorded, or None. `categories`: those of the policies that this installation has."""
    if not contact.addresses:
        return "give an e-mail address, a telephone number, or both"
    if contact.email and (len(contact.email.value) > 254 or not _EMAIL.fullmatch(contact.email.value)):
        return "email: an address such as name@example.com, in ASCII"
    if contact.phone and not _PHONE.fullmatch(contact.phone.value):
        return "phone: in international form (E.164), as +44..., digits only"
    if contact.language not in LANGUAGES:
        return f"language: one of {', '.join(LANGUAGES)}"
    if max(len(contact.places), len(contact.categories)) > MOST_RULES:
        return f"at most {MOST_RULES} places and {MOST_RULES} categories"
    for place in contact.places:
        if fault := place_fault(place):
            return f"places: {fault}"
    if odd := [c for c in contact.categories if c not in categories or not _CATEGORY.fullmatch(c)]:
        return f"categories: no policy here has {', '.join(odd)[:120]}; there are {', '.join(sorted(categories))}"
    return None


@dataclass(frozen=True, slots=True)
class Members:
    """Who reviews and who receives for one deployment, by account; and who asked for it and authorised it."""

    reviewers: tuple[str, ...]
    recipients: tuple[str, ...]
    responsible: tuple[str, ...] = ()

    @classmethod
    def of(cls, members: Iterable[Member], responsible: Iterable[str] = ()) -> "Members":
        """From a deployment's members, and from who is responsible for it."""
        named = sorted({(member.role, member.sub) for member in members})
        return cls(
            tuple(sub for role, sub in named if role is Role.REVIEWER),
            tuple(sub for role, sub in named if role is Role.RECIPIENT),
            tuple(sorted(set(responsible))),
        )

    def named(self, kind: Kind) -> tuple[str, ...]:
        """Who hears of this kind."""
        if kind is Kind.SUSPENDED:
            return tuple(dict.fromkeys((*self.responsible, *self.reviewers)))
        return self.reviewers if kind is Kind.RAISED else self.recipients

    def to_json(self) -> str:
        """The object's body."""
        return json.dumps(
            {
                "version": 1,
                "reviewers": list(self.reviewers),
                "recipients": list(self.recipients),
                "responsible": list(self.responsible),
            }
        )

    @classmethod
    def from_json(cls, body: bytes | str) -> "Members":
        """Read it. ValueError when it is none."""
        try:
            values: dict[str, Any] = json.loads(body)
            if values["version"] != 1:
                raise ValueError("version")
            return cls(_texts(values["reviewers"]), _texts(values["recipients"]), _texts(values.get("responsible", [])))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a list of members: {type(error).__name__}") from None


def audience(notice: Notice, members: Members, contacts: Mapping[str, Contact]) -> dict[str, tuple[str, ...]]:
    """Who is told of this notice, by language: the deployment's members in its role, with a contact that takes it."""
    roles = {
        Kind.RAISED: {Role.REVIEWER},
        Kind.SUSPENDED: {Role.REVIEWER, *RESPONSIBLE},
    }.get(notice.kind, {Role.RECIPIENT})
    named = set(members.named(notice.kind))
    told = [c for sub, c in contacts.items() if sub in named and roles & c.roles and c.takes(notice)]
    return by_language(told)


def by_language(contacts: Iterable[Contact]) -> dict[str, tuple[str, ...]]:
    """Accounts by the language in which they are told."""
    groups: dict[str, list[str]] = {}
    for contact in contacts:
        groups.setdefault(contact.language, []).append(contact.sub)
    return {language: tuple(sorted(groups[language])) for language in LANGUAGES if language in groups}


class ContactWork(Protocol):
    """Part of a transaction of govern."""

    def contact(self, sub: str) -> Kept | None:
        """What stands; None when there is none, or it was removed."""

    def contacts(self) -> list[Kept]:
        """All that stand, by account."""

    def set_contact(self, kept: Kept) -> None:
        """Write it in place of what was there."""

    def remove_contact(self, sub: str, at: datetime) -> bool:
        """Its addresses are gone from the row. False when there was none."""

    def deployments_naming(self, sub: str) -> list[str]:
        """The deployments that are not closed and name this account."""


# --- can they be reached? --------------------------------------------------------------------------------------------


class State(StrEnum):
    """How one subscription stands, as it was last seen; the worst first.

    vanished: it was confirmed and is no more. pending: asked for, and not confirmed. settling: confirmed, while SNS may
    not know its filter everywhere yet. none: there is no such address.
    """

    VANISHED = "vanished"
    PENDING = "pending"
    SETTLING = "settling"
    CONFIRMED = "confirmed"
    NONE = "none"


Line = tuple[str, Channel]
"""A subscription of one account: audience and channel. There is one address to each."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one subscription stands since when; `arn` is empty where SNS gave none."""

    state: State
    since: datetime
    arn: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the last look at SNS found of one account's subscriptions."""

    checked_at: datetime
    lines: Mapping[Line, Standing]

    def channel(self, channel: Channel) -> Standing:
        """The worst of this channel's subscriptions."""
        found = [standing for (_, one), standing in self.lines.items() if one is channel]
        order = list(State)
        return min(found, key=lambda s: order.index(s.state), default=Standing(State.NONE, self.checked_at))

    @property
    def unreachable(self) -> bool:
        """Is there an address at which nothing arrives?"""
        return any(standing.state in (State.PENDING, State.VANISHED) for standing in self.lines.values())

    def ready(self, contact: Contact, role: Role, now: datetime) -> bool:
        """May a deployment start on it: every address confirmed and settled, by a look that is not old, and that came
        after the contact was last changed."""
        lines = [self.lines.get((AUDIENCES[role], channel)) for channel in contact.addresses]
        fresh = contact.set_at <= self.checked_at and now - self.checked_at <= LOOKED_WITHIN
        return fresh and all(line is not None and line.state is State.CONFIRMED for line in lines)

    def to_json(self) -> str:
        """The object's body: the state of each channel, and of each subscription."""
        return json.dumps(
            {
                "version": 1,
                "checked_at": self.checked_at.astimezone(UTC).isoformat(),
                **{channel.field: _standing_json(self.channel(channel)) for channel in Channel},
                "subscriptions": [
                    {"audience": audience, "channel": channel.value, **_standing_json(one), "arn": one.arn}
                    for (audience, channel), one in sorted(self.lines.items())
                ],
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, body: bytes | str) -> "Reach":
        """Read it. ValueError when it is none."""
        try:
            values: dict[str, Any] = json.loads(body)
            if values["version"] != 1:
                raise ValueError("version")
            lines = {
                (str(one["audience"]), Channel(one["channel"])): Standing(
                    State(one["state"]), _moment(one["since"]), str(one["arn"])
                )
                for one in values["subscriptions"]
            }
            return cls(_moment(values["checked_at"]), lines)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a record of subscriptions: {type(error).__name__}") from None


def _standing_json(standing: Standing) -> dict[str, str]:
    return {"state": standing.state.value, "since": standing.since.astimezone(UTC).isoformat()}


def same_place(place: str, places: Iterable[str]) -> bool:
    """Is it one of these? They are names that people typed: case and spaces do not count."""
    return " ".join(place.split()).casefold() in {" ".join(one.split()).casefold() for one in places}


def _address(value: object) -> Address | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ValueError("address")
    return Address(value)


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("list")
    return tuple(values)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("zone")
    return moment.astimezone(UTC)
