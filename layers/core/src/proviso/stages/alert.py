"""alert: the one function that talks to SNS. Reviewers first; recipients only after a recorded confirmation (S16).

What may go out is decided here once more, from things this function can see without a database: the notice's key
(IAM says who can put which), the permit object (gone after a stop: unsent notices are withheld, S04), the clock (a
stale notice is not sent, S20) and one DynamoDB item a candidate, so that duplicates and reordering send nothing twice.

Who is told is decided here too, for each notice: the deployment's members in its role, whose contact takes its place
and category. Each language is one call of SNS, and who was told is written down after it, so that a call that is tried
again leaves them out, and a withdrawal reaches everybody whom the confirmation reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from proviso.domain.contact_ports import AlertLedger, ContactDesk
from proviso.domain.contacts import Members, audience, by_language
from proviso.domain.errors import TransientFault
from proviso.domain.journey import Follow, unfollowed
from proviso.domain.notice import Kind, Notice
from proviso.domain.ports import Clock, NoticeClaim, Outbox, PermitStore, Publisher
from proviso.domain.wording import Wording, texts

LEASE_S = 30
NOBODY = "nobody"
IN_PART = "sent_in_part"


@dataclass(frozen=True, slots=True)
class AlertRoom:
    """What alert works with. `words` by language; `console_url` for e-mails, may be empty."""

    clock: Clock
    outbox: Outbox
    permits: PermitStore
    notices: AlertLedger
    publisher: Publisher
    desk: ContactDesk
    words: Mapping[str, Wording]
    zone: ZoneInfo
    console_url: str = ""


def alert(*, key: str, room: AlertRoom, follow: Follow = unfollowed) -> str:
    """Send one notice, or say why not: sent, nobody (there is nobody to tell), duplicate, superseded, not_tried, stale,
    withheld, sent_in_part (then it went stale or was withheld), gone, not_a_notice.

    Raises TransientFault when another call holds the notice, when nobody can say who is to be told, or AWS fails: the
    message then comes back, and is a dead letter with an alarm in the end.
    """
    try:
        notice = room.outbox.get(key)
    except ValueError:
        return "not_a_notice"
    if notice is None:
        return "gone"
    follow(notice.correlation_id)
    claim = room.notices.claim(notice, room.clock(), LEASE_S)
    if claim is NoticeClaim.BUSY:
        raise TransientFault(f"{key} is being sent by another call")
    if claim is NoticeClaim.MINE:
        outcome = _verdict(notice, room)
        if outcome == "sent":
            outcome = _tell(notice, room)
        if outcome in ("stale", "withheld") and room.notices.told(notice.candidate_id, notice.kind):
            outcome = IN_PART
        room.notices.settle(notice, outcome, room.clock())
    else:
        outcome = "duplicate" if claim is NoticeClaim.SENT else claim.value
    room.outbox.put_receipt(notice.candidate_id, notice.kind, outcome, room.clock())
    return outcome


def _tell(notice: Notice, room: AlertRoom) -> str:
    """One call of SNS a language, to whoever was not told yet."""
    groups = _audience(notice, room)
    told = room.notices.told(notice.candidate_id, notice.kind)
    outcome = _verdict(notice, room)  # the last thing before the sending: a stop while all this was read counts
    if outcome != "sent":
        return outcome
    if not groups and not told:
        return NOBODY
    topic = "reviewers" if notice.kind in (Kind.RAISED, Kind.SUSPENDED) else "recipients"
    waiting = [(language, to) for language, subs in groups.items() if (to := [sub for sub in subs if sub not in told])]
    # All words before the first is sent: what cannot be said in one language is said in none.
    words = {one: texts(notice, room.zone, room.words[one], room.console_url) for one, _ in waiting}
    for language, to in waiting:
        room.publisher.publish(topic, notice, words[language], to)
        room.notices.note_told(notice, to, room.clock())
    return "sent"


def _audience(notice: Notice, room: AlertRoom) -> dict[str, tuple[str, ...]]:
    """Who is told, by language. A withdrawal goes to those as well who were told of the confirmation, whatever their
    records say by now."""
    withdrawn = notice.kind is Kind.WITHDRAWN
    earlier = room.notices.told(notice.candidate_id, Kind.CONFIRMED) if withdrawn else frozenset()
    try:
        members = room.desk.members(notice.deployment_id)
    except ValueError:
        raise TransientFault(f"the members of deployment {notice.deployment_id} cannot be read") from None
    if members is None:
        if not withdrawn:
            raise TransientFault(f"nobody says who the members of deployment {notice.deployment_id} are")
        members = Members((), ())
    contacts = room.desk.contacts(sorted({*members.named(notice.kind), *earlier}))
    chosen = {sub for subs in audience(notice, members, contacts).values() for sub in subs}
    return by_language(contact for sub, contact in contacts.items() if sub in chosen | earlier)


def _verdict(notice: Notice, room: AlertRoom) -> str:
    """May it go out now? A withdrawal may always: it only takes something back. That a deployment was suspended is told
    when its permits are gone: that is what it says."""
    if notice.kind is Kind.WITHDRAWN:
        return "sent"
    now = room.clock()
    if now >= notice.expires_at:
        return "stale"
    if notice.kind is Kind.SUSPENDED:
        return "sent"
    permit = room.permits.read(notice.camera)
    in_force = permit is not None and permit.deployment_id == notice.deployment_id and now < permit.ends_at
    return "sent" if in_force else "withheld"
