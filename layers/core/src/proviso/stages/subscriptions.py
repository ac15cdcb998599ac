"""alert beside the notices: SNS's subscriptions follow the contacts, and are looked at every five minutes.

A subscription is made with one filter for its account and never changed, because a changed filter takes SNS up to
fifteen minutes: who is told what is decided for each notice (`domain.contacts.audience`). What was not confirmed, or
vanished, blocks the start of a deployment and is counted for an alarm.
"""

from dataclasses import dataclass
from datetime import timedelta

from proviso.domain.contact_ports import ContactDesk, Subscriptions
from proviso.domain.contacts import Contact, Line, Reach
from proviso.domain.errors import StorageFault
from proviso.domain.ports import Clock
from proviso.domain.subscriptions import Listing, note, plan, standing_of, strays, wanted


@dataclass(frozen=True, slots=True)
class SubscriptionRoom:
    """What this works on. `settles`: how long SNS may need until a new filter holds everywhere."""

    clock: Clock
    desk: ContactDesk
    subscriptions: Subscriptions
    settles: timedelta


def follow(*, sub: str, room: SubscriptionRoom) -> str:
    """One account's contact was written or removed: followed, removed, or unreadable, and then nothing is changed."""
    listing = room.subscriptions.listing()
    try:
        contact = room.desk.contact(sub)
    except ValueError:
        return "unreadable"
    _settle(sub, contact, listing, room)
    return "removed" if contact is None else "followed"


def check(*, room: SubscriptionRoom) -> dict[str, int]:
    """Look at every subscription; ask again for what vanished, end what no contact needs. Counts: contacts, those that
    are unreachable, and subscriptions that were ended.

    SNS is listed first: what is subscribed meanwhile is then not in the listing, and is not taken for a stray.
    """
    listing = room.subscriptions.listing()
    subs = room.desk.subs()
    contacts = room.desk.contacts(subs)
    unreachable = sum(sub not in contacts or not _reachable(sub, contacts[sub], listing, room) for sub in subs)
    for sub in room.desk.reached():
        if sub not in subs:
            _settle(sub, None, listing, room)
    ended: tuple[str, ...] = ()
    if len(contacts) == len(subs):  # of a contact that cannot be read nobody knows what it needs
        ended = strays(listing, {one.key for contact in contacts.values() for one in wanted(contact)})
        for arn in ended:
            room.subscriptions.unsubscribe(arn)
    return {"contacts": len(subs), "unreachable": unreachable, "ended": len(ended)}


def _reachable(sub: str, contact: Contact, listing: Listing, room: SubscriptionRoom) -> bool:
    """An address that SNS does not take keeps nobody else from being looked after."""
    try:
        return not _settle(sub, contact, listing, room).unreachable
    except StorageFault:
        return False


def _settle(sub: str, contact: Contact | None, listing: Listing, room: SubscriptionRoom) -> Reach:
    reach = room.desk.reach(sub)
    needed, wanting = wanted(contact), plan(contact, reach, listing)
    before = standing_of(needed, reach, listing)
    for arn in wanting.unsubscribe:
        room.subscriptions.unsubscribe(arn)
    asked: dict[Line, str | None] = {}
    for one in wanting.subscribe:
        given = room.subscriptions.subscribe(one.audience, one.channel, one.address, sub)
        asked[one.line] = given
        if given is None and (foreign := listing.get(one.key)):
            # Another account's, or nobody's. Asked for at the next look: at once, SNS may still answer with the old.
            room.subscriptions.unsubscribe(foreign)
    found = note(needed, before, asked, room.subscriptions.listing() if asked else listing, room.clock(), room.settles)
    if contact is None:
        room.desk.remove_reach(sub)
    else:
        room.desk.put_reach(sub, found)
    return found
