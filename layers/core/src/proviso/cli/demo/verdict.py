"""What must have happened, held against what did: each a sentence with yes or no. The exit code is all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proviso.cli.demo.cameras import Sent
from proviso.cli.demo.scene import CANDIDATE, NONE
from proviso.domain.frame import LedgerEntry, Outcome
from proviso.domain.reasons import SENTENCES, Reason
from proviso.local.simulator import Message

NOT_PERMITTED = SENTENCES[Reason.NO_PERMIT]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; `detail` says what was found instead."""

    what: str
    held: bool
    detail: str = ""


@dataclass
class Findings:
    """What the demonstration saw, in the order in which it saw it."""

    sent: list[Sent] = field(default_factory=list)
    rows: dict[str, LedgerEntry] = field(default_factory=dict)
    outside: str = ""
    candidates: list[dict[str, Any]] = field(default_factory=list)
    before: list[Message] = field(default_factory=list)
    told_early: list[Message] = field(default_factory=list)
    after: list[Message] = field(default_factory=list)
    decided: dict[str, Any] = field(default_factory=dict)
    pictures: list[Any] = field(default_factory=list)
    frames_left: list[str] = field(default_factory=list)
    certificate: dict[str, Any] | None = None
    audit_records: int = 0
    audit_fault: str | None = ""
    extra: list[Check] = field(default_factory=list)


def outcome_of(row: LedgerEntry | None) -> str:
    """A ledger row in the words of the scenes."""
    if row is None:
        return "not in the ledger"
    if row.outcome is Outcome.SEARCHED:
        return CANDIDATE if row.counts.candidates else NONE
    if row.outcome in (Outcome.REFUSED, Outcome.UNREADABLE) and row.reason is not None:
        return f"{row.outcome}: {row.reason}"
    return str(row.outcome)


def judge(found: Findings, *, closed: bool) -> list[Check]:
    """Every check. With `closed` False the deployment was left running, and its end is not judged."""
    checks = [*_frames(found), *_people(found)]
    return [*checks, *found.extra, *(_end(found) if closed else [])]


def _frames(found: Findings) -> list[Check]:
    wrong = [
        f"{sent.name}: {outcome_of(found.rows.get(sent.key))} instead of {sent.expected}"
        for sent in found.sent
        if outcome_of(found.rows.get(sent.key)) != sent.expected
    ]
    strange = sorted(set(found.rows) - {sent.key for sent in found.sent})
    return [
        Check(
            f"each of {len(found.sent)} frames had its expected outcome",
            bool(found.sent) and not wrong,
            "; ".join(wrong),
        ),
        Check(
            "the camera outside the deployment got no upload right, and uploaded nothing",
            NOT_PERMITTED in found.outside,
            found.outside or "it got one, or never asked",
        ),
        Check("the ledger holds these frames and no other", not strange, ", ".join(strange)),
        Check("every uploaded frame was deleted", not found.frames_left, ", ".join(found.frames_left)),
    ]


def _people(found: Findings) -> list[Check]:
    count = len(found.candidates)
    early = ", ".join(message.protocol for message in found.told_early)
    return [
        Check("all frames of the listed person together made one candidate", count == 1, f"{count} candidates"),
        Check("reviewers got one SMS and one e-mail", _one_each(found.before), _kinds(found.before)),
        Check("recipients were told nothing before the decision", not found.told_early, early),
        Check(
            "a third person looked and confirmed",
            found.decided.get("state") == "confirmed",
            str(found.decided.get("state")),
        ),
        Check("recipients then got one SMS and one e-mail", _one_each(found.after), _kinds(found.after)),
        Check("the evidence picture was seen and written", any(p.name.startswith("evidence") for p in found.pictures)),
    ]


def _end(found: Findings) -> list[Check]:
    certificate = found.certificate or {}
    left = {count["store"]: count["left"] for count in certificate.get("counts", [])}
    over = ", ".join(f"{store}: {number}" for store, number in left.items() if number)
    over = over or f"complete: {certificate.get('complete')}"
    return [
        Check("at the end the list was deleted and every store counted", bool(left), "there is no certificate"),
        Check(
            "nothing was left: every count is zero",
            bool(left) and not any(left.values()) and certificate.get("complete") is True,
            over,
        ),
        Check(
            f"the audit is whole and unaltered ({found.audit_records} records in its chain)",
            found.audit_records > 0 and found.audit_fault is None,
            str(found.audit_fault),
        ),
    ]


def _one_each(messages: Sequence[Message]) -> bool:
    return sorted(message.protocol for message in messages) == ["email", "sms"]


def _kinds(messages: Sequence[Message]) -> str:
    return ", ".join(f"{message.protocol} to {message.address}" for message in messages) or "nothing"
