"""Which subscriptions at SNS an account's contact needs, and how they stand after a look (S20).

Pure: `plan` compares what is wanted with what SNS shows and says what to do, `note` writes down what was found after
it. A subscription is ours when its ARN is the one that SNS gave us with our filter; any other at the same address is
asked for once more, which SNS answers with the same ARN where the filter is the same, and refuses where it is not.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from proviso.domain.contacts import AUDIENCES, Address, Channel, Contact, Line, Reach, Standing, State

Listing = Mapping[tuple[str, Channel, str], str]
"""SNS's subscriptions to both topics: (audience, channel, address in small letters) to ARN, which is empty until it is
confirmed. It holds addresses in plain: it is not shown and not kept."""
_WAS_GOOD = (State.CONFIRMED, State.SETTLING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One subscription that a contact needs."""

    audience: str
    channel: Channel
    address: Address

    @property
    def line(self) -> Line:
        return self.audience, self.channel

    @property
    def key(self) -> tuple[str, Channel, str]:
        return self.audience, self.channel, self.address.value.casefold()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do at SNS: ARNs to end, and subscriptions to ask for."""

    unsubscribe: tuple[str, ...]
    subscribe: tuple[Wanted, ...]


def wanted(contact: Contact | None) -> tuple[Wanted, ...]:
    """One an audience that the account's roles belong to, and address."""
    if contact is None:
        return ()
    audiences = sorted({AUDIENCES[role] for role in contact.roles})
    return tuple(Wanted(a, channel, address) for a in audiences for channel, address in contact.addresses.items())


def plan(contact: Contact | None, reach: Reach | None, listing: Listing) -> Plan:
    """What brings SNS to what the contact says."""
    needed = wanted(contact)
    keys = {one.key for one in needed}
    listed = {arn: key for key, arn in listing.items() if arn}
    known = [standing.arn for standing in (reach.lines.values() if reach else ()) if standing.arn]
    ended = tuple(arn for arn in known if arn in listed and listed[arn] not in keys)
    ours = standing_of(needed, reach, listing)
    return Plan(ended, tuple(one for one in needed if _ask(ours.get(one.line), listing.get(one.key))))


def _ask(old: Standing | None, arn: str | None) -> bool:
    if old is None or not old.arn or arn is None:
        return True  # never asked for, refused when it was, or gone
    if arn == "":
        return old.state in _WAS_GOOD  # SNS took its confirmation back: the person must be asked again
    return arn != old.arn


def standing_of(needed: tuple[Wanted, ...], reach: Reach | None, listing: Listing) -> dict[Line, Standing]:
    """What is known of the wanted subscriptions; nothing of one whose ARN is listed under another address."""
    listed = {arn: key for key, arn in listing.items() if arn}
    lines = reach.lines if reach else {}
    return {
        one.line: lines[one.line]
        for one in needed
        if one.line in lines and listed.get(lines[one.line].arn, one.key) == one.key
    }


def note(
    needed: tuple[Wanted, ...],
    before: Mapping[Line, Standing],
    asked: Mapping[Line, str | None],
    listing: Listing,
    now: datetime,
    settles: timedelta,
) -> Reach:
    """How they stand now. `before`: `standing_of` before the plan; `asked`: what SNS answered; `listing`: after it."""
    lines: dict[Line, Standing] = {}
    for one in needed:
        old = before.get(one.line)
        arn = asked.get(one.line, old.arn if old else "")
        same = old is not None and old.arn == arn
        if arn and listing.get(one.key) == arn:
            since = old.since if old is not None and same and old.state in _WAS_GOOD else now
            state = State.CONFIRMED if now - since >= settles else State.SETTLING
        else:
            had = old is not None and old.state in (*_WAS_GOOD, State.VANISHED)
            state = State.VANISHED if had else State.PENDING
            since = old.since if old is not None and old.state is state else now
        lines[one.line] = Standing(state, since, arn or "")
    return Reach(now, lines)


def strays(listing: Listing, needed: Set[tuple[str, Channel, str]]) -> tuple[str, ...]:
    """ARNs of confirmed subscriptions that no contact needs."""
    return tuple(sorted(arn for key, arn in listing.items() if arn and key not in needed))
