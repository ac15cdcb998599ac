"""alert: the one function that talks to SNS. Reviewers first; recipients only after a recorded confirmation (S16).

What may go out is decided here once more, from things this function can see without a database: the notice's key
(IAM says who can put which), the permit object (gone after a stop: unsent notices are withheld, S04), the clock (a
stale notice is not sent, S20) and one DynamoDB item a candidate, so that duplicates and reordering send nothing twice.
"""

from zoneinfo import ZoneInfo

from proviso.domain.errors import TransientFault
from proviso.domain.notice import Kind, Notice, texts
from proviso.domain.ports import Clock, NoticeClaim, NoticeLedger, Outbox, PermitStore, Publisher

LEASE_S = 30


def alert(
    *,
    key: str,
    clock: Clock,
    outbox: Outbox,
    permits: PermitStore,
    notices: NoticeLedger,
    publisher: Publisher,
    zone: ZoneInfo,
) -> str:
    """Send one notice, or say why not: sent, duplicate, superseded, not_tried, stale, withheld, gone, not_a_notice.

    Raises TransientFault when another call holds the notice or AWS fails: the message then comes back.
    """
    try:
        notice = outbox.get(key)
    except ValueError:
        return "not_a_notice"
    if notice is None:
        return "gone"
    claim = notices.claim(notice, clock(), LEASE_S)
    if claim is NoticeClaim.BUSY:
        raise TransientFault(f"{key} is being sent by another call")
    if claim is not NoticeClaim.MINE:
        outcome = "duplicate" if claim is NoticeClaim.SENT else claim.value
        outbox.put_receipt(notice.candidate_id, notice.kind, outcome, clock())
        return outcome
    verdict = _verdict(notice, clock, permits)  # the last thing before the sending: a stop while it was claimed counts
    if verdict == "sent":
        audience = "reviewers" if notice.kind is Kind.RAISED else "recipients"
        publisher.publish(audience, notice, texts(notice, zone))
    notices.settle(notice, verdict, clock())
    outbox.put_receipt(notice.candidate_id, notice.kind, verdict, clock())
    return verdict


def _verdict(notice: Notice, clock: Clock, permits: PermitStore) -> str:
    """May it go out now? A withdrawal may always: it only takes something back."""
    if notice.kind is Kind.WITHDRAWN:
        return "sent"
    now = clock()
    if now >= notice.expires_at:
        return "stale"
    permit = permits.read(notice.camera)
    in_force = permit is not None and permit.deployment_id == notice.deployment_id and now < permit.ends_at
    return "sent" if in_force else "withheld"
