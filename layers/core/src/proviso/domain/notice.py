"""Notices: what goes out, to whom, in which words (S16, S20).

Reviewers are told to look. Recipients are told only after a person confirmed, in one SMS part, without a name, a
picture or a category. The document in the outbox carries no more than the texts need.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from proviso.domain.candidate import Candidate, ConfirmingReview, short_reference

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
SMS_SEPTETS = 160
PLACE_LENGTH = 30


class Kind(StrEnum):
    RAISED = "raised"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


REVISIONS = {Kind.RAISED: 1, Kind.CONFIRMED: 2, Kind.WITHDRAWN: 3}


@dataclass(frozen=True, slots=True)
class Notice:
    """One document in the outbox. `expires_at` is when it has lost its use: it is not sent after that."""

    candidate_id: str
    kind: Kind
    deployment_id: str
    camera: str
    place: str
    occurred_at: datetime
    expires_at: datetime
    message_prefix: str
    calibrated: bool
    correlation_id: str

    @property
    def revision(self) -> int:
        return REVISIONS[self.kind]

    @property
    def key(self) -> str:
        return notice_key(self.candidate_id, self.kind)

    def to_json(self) -> str:
        """The object's body."""
        return json.dumps(
            {
                "version": 1,
                "candidate_id": self.candidate_id,
                "revision": self.revision,
                "kind": self.kind.value,
                "deployment_id": self.deployment_id,
                "camera": self.camera,
                "place": self.place,
                "occurred_at": self.occurred_at.astimezone(UTC).isoformat(),
                "expires_at": self.expires_at.astimezone(UTC).isoformat(),
                "message_prefix": self.message_prefix,
                "calibrated": self.calibrated,
                "correlation_id": self.correlation_id,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, key: str, body: bytes | str) -> "Notice":
        """Read a document. ValueError when it is none, or when its key tells of another candidate, kind or revision:
        who may put which kind is a matter of the key (IAM), so the key is what counts."""
        try:
            values: dict[str, Any] = json.loads(body)
            notice = cls(
                candidate_id=str(values["candidate_id"]),
                kind=Kind(values["kind"]),
                deployment_id=str(values["deployment_id"]),
                camera=str(values["camera"]),
                place=str(values["place"]),
                occurred_at=datetime.fromisoformat(values["occurred_at"]),
                expires_at=datetime.fromisoformat(values["expires_at"]),
                message_prefix=str(values["message_prefix"]),
                calibrated=values["calibrated"] is True,
                correlation_id=str(values["correlation_id"]),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a notice: {type(error).__name__}") from error
        if notice.occurred_at.tzinfo is None or notice.expires_at.tzinfo is None:
            raise ValueError("not a notice: a time without its zone")
        if notice.key != key or values.get("version") != 1:
            raise ValueError("the notice does not belong to its key")
        return notice


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """What SNS is given: one SMS part, an e-mail subject (ASCII, under 100) and an e-mail body."""

    sms: str
    subject: str
    email: str


def notice_key(candidate_id: str, kind: Kind) -> str:
    """`notices/<candidate>/<revision>-<kind>.json`."""
    return f"notices/{candidate_id}/{REVISIONS[kind]}-{kind.value}.json"


def receipt_key(candidate_id: str, kind: Kind) -> str:
    """`receipts/<candidate>/<revision>-<kind>.json`."""
    return f"receipts/{candidate_id}/{REVISIONS[kind]}-{kind.value}.json"


def raised_notice(candidate: Candidate, message_prefix: str) -> Notice:
    """To reviewers: look now. Useful until the time for a decision has passed."""
    return _notice(candidate, Kind.RAISED, message_prefix, candidate.decide_by)


def lost_notice(candidate: Candidate, kind: Kind, message_prefix: str, useful_until: datetime) -> Notice:
    """A notice that was committed and never put, made again from its candidate: useful no longer than it was."""
    return _notice(candidate, kind, message_prefix, useful_until)


def confirmed_notice(proof: ConfirmingReview) -> Notice:
    """To recipients. Only a recorded confirmation makes one (S16)."""
    return _notice(proof.candidate, Kind.CONFIRMED, proof.message_prefix, proof.useful_until)


def withdrawn_notice(proof: ConfirmingReview) -> Notice:
    """To recipients: the confirmation no longer stands."""
    return _notice(proof.candidate, Kind.WITHDRAWN, proof.message_prefix, proof.useful_until)


def _notice(candidate: Candidate, kind: Kind, message_prefix: str, expires_at: datetime) -> Notice:
    return Notice(
        candidate_id=candidate.id,
        kind=kind,
        deployment_id=candidate.deployment_id,
        camera=candidate.camera,
        place=candidate.place,
        occurred_at=candidate.captured_at,
        expires_at=expires_at,
        message_prefix=message_prefix,
        calibrated=candidate.calibrated,
        correlation_id=candidate.correlation_id,
    )


def place_fault(place: str) -> str | None:
    """Why this place cannot stand in a one-part SMS, or None."""
    if not place.strip():
        return "a place needs a name"
    if len(place) > PLACE_LENGTH:
        return f"a place has at most {PLACE_LENGTH} characters, so that a notice is one SMS part"
    if odd := sorted(set(place) - GSM7 | set(place) & {"\n", "\r"}):
        return f"an SMS cannot carry {' '.join(odd)!r}; use letters of the GSM alphabet"
    return None


def texts(notice: Notice, zone: ZoneInfo) -> NoticeTexts:
    """The words of a notice in the place's local time. ValueError if the SMS would not be one part (S20)."""
    reference = short_reference(notice.candidate_id)
    local = notice.occurred_at.astimezone(zone)
    clock, day = local.strftime("%H:%M:%S"), local.strftime("%Y-%m-%d")
    prefix = f"{notice.message_prefix} " if notice.message_prefix else ""
    mark = "" if notice.calibrated else " Not calibrated."
    until = notice.expires_at.astimezone(zone).strftime("%H:%M:%S")
    if notice.kind is Kind.RAISED:
        sms = f"{prefix}Look now: {reference}, {clock}, {notice.place}. Decide by {until}.{mark}"
        subject = f"{prefix}Look now: {reference}"
        lines = [
            "A candidate waits for a reviewer's decision. Nobody else has been told.",
            f"Decide by {until}; undecided, it expires and nothing goes out.",
        ]
    elif notice.kind is Kind.CONFIRMED:
        sms = (
            f"{prefix}{reference} {clock} {notice.place}: possible match, checked by a reviewer; "
            f"not proof of identity: verify first.{mark}"
        )
        subject = f"{prefix}Possible match {reference}"
        lines = [
            "Possible match, checked by a reviewer; not proof of identity: verify first.",
            f"Of no use after {until}: do not act on it later.",
        ]
    else:
        sms = f"{prefix}WITHDRAWN: {reference} {clock} {notice.place}. Do not act on it.{mark}"
        subject = f"{prefix}Withdrawn: {reference}"
        lines = ["An earlier notice with this reference is withdrawn. Do not act on it."]
    if not notice.calibrated:
        lines.append("The threshold is not calibrated: how often a stranger reaches it is not known.")
    if len(sms) > SMS_SEPTETS or not GSM7.issuperset(sms):
        raise ValueError(f"the SMS is not one GSM-7 part ({len(sms)} characters)")
    first = [f"{notice.message_prefix}: this is not an operational notice.", ""] if notice.message_prefix else []
    facts = [f"Reference: {reference}", f"Place:     {notice.place}", f"Time:      {clock} on {day}"]
    body = [*first, *facts, "", *lines]
    return NoticeTexts(sms=sms, subject=subject.encode("ascii", "replace").decode()[:99], email="\n".join(body) + "\n")
