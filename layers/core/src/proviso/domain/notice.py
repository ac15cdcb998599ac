"""Notices: what goes out, to whom, in which words (S16, S20).

Reviewers are told to look. Recipients are told only after a person confirmed, in one SMS part, without a name, a
picture or a category. The document in the outbox carries no more than the texts and the choice of who is told need:
the category is there for that choice only, and in no text (`wording`).
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from proviso.domain.candidate import Candidate, ConfirmingReview
from proviso.domain.deployment import Deployment
from proviso.domain.monitoring import Suspension

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet of an SMS without its extension table, whose signs ([ ] { } ~ ^ | and the euro) count twice:
with these alone, a text has as many septets as characters."""
SMS_SEPTETS = 160
PLACE_LENGTH = 30
VERSION = 2


class Kind(StrEnum):
    RAISED = "raised"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    """Of a deployment, not of a candidate: `candidate_id` is then the suspension's id."""


_KEY = re.compile(r"notices/([0-9a-f-]{36})/\d-([a-z]+)\.json")
REVISIONS = {Kind.RAISED: 1, Kind.CONFIRMED: 2, Kind.WITHDRAWN: 3, Kind.SUSPENDED: 1}
SUSPENSION_USEFUL = timedelta(hours=24)
"""For how long it is of use to hear that a deployment was suspended; it stands on the console after that."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One document in the outbox. `expires_at` is when it has lost its use: it is not sent after that.

    `category`: the entry's, for recipients' notices only; empty where it is not known (any more). It chooses who is
    told, and is told to nobody. `safeguard`: which one suspended a deployment; empty in every other notice.
    """

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
    category: str = ""
    safeguard: str = ""

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
                "version": VERSION,
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
                "category": self.category,
                **({"safeguard": self.safeguard} if self.safeguard else {}),
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
                category=values["category"],
                safeguard=str(values.get("safeguard", "")),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a notice: {type(error).__name__}") from error
        if notice.occurred_at.tzinfo is None or notice.expires_at.tzinfo is None:
            raise ValueError("not a notice: a time without its zone")
        if notice.key != key or values.get("version") != VERSION:
            raise ValueError("the notice does not belong to its key")
        if not isinstance(notice.category, str) or (notice.category and notice.kind in (Kind.RAISED, Kind.SUSPENDED)):
            raise ValueError("not a notice: reviewers' notices carry no category")
        if (notice.kind is Kind.SUSPENDED) != (notice.safeguard in ("S26", "S27")):
            raise ValueError("not a notice: a suspension, and nothing else, names its safeguard")
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


def named_in(key: str) -> tuple[str, str] | None:
    """The candidate and the kind that a notice's key names; None for any other key."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def receipt_key(candidate_id: str, kind: Kind) -> str:
    """`receipts/<candidate>/<revision>-<kind>.json`."""
    return f"receipts/{candidate_id}/{REVISIONS[kind]}-{kind.value}.json"


def raised_notice(candidate: Candidate, message_prefix: str) -> Notice:
    """To reviewers: look now. Useful until the time for a decision has passed."""
    return _notice(candidate, Kind.RAISED, message_prefix, candidate.decide_by)


def lost_notice(
    candidate: Candidate, kind: Kind, message_prefix: str, useful_until: datetime, category: str = ""
) -> Notice:
    """A notice that was committed and never put, made again from its candidate: useful no longer than it was."""
    return _notice(candidate, kind, message_prefix, useful_until, "" if kind is Kind.RAISED else category)


def confirmed_notice(proof: ConfirmingReview) -> Notice:
    """To recipients. Only a recorded confirmation makes one (S16)."""
    return _notice(proof.candidate, Kind.CONFIRMED, proof.message_prefix, proof.useful_until, proof.category)


def withdrawn_notice(proof: ConfirmingReview) -> Notice:
    """To recipients: the confirmation no longer stands."""
    return _notice(proof.candidate, Kind.WITHDRAWN, proof.message_prefix, proof.useful_until, proof.category)


def suspended_notice(suspension: Suspension, deployment: Deployment) -> Notice:
    """To who asked for it, who authorised it, and its reviewers: it was suspended by itself (S26, S27)."""
    return Notice(
        candidate_id=suspension.id,
        kind=Kind.SUSPENDED,
        deployment_id=deployment.id,
        camera=deployment.cameras[0],
        place=deployment.place,
        occurred_at=suspension.suspended_at,
        expires_at=suspension.suspended_at + SUSPENSION_USEFUL,
        message_prefix=deployment.policy.message_prefix,
        calibrated=deployment.calibrated,
        correlation_id=suspension.id,
        safeguard=suspension.kind.safeguard,
    )


def _notice(candidate: Candidate, kind: Kind, message_prefix: str, expires_at: datetime, category: str = "") -> Notice:
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
        category=category,
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
