"""The audit chain: an append-only record of every act, each hash covering the one before (S29).

hash = sha256(previous hash ‖ body), where body is the stored canonical bytes. One chain a deployment, and one for the
system. Verification needs nothing but the records. What records alone cannot show is a chain whose end was cut off, or
that was written anew as a whole: for that there are heads, kept elsewhere (ports.Anchors).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from proviso.domain.canonical import canonical_bytes
from proviso.domain.reasons import Reason, Refused

SYSTEM_CHAIN = "system"
MOST_PURPOSE = 200
"""Characters of a purpose."""
GENESIS = b"\x00" * 32
ANCHOR_EVERY = timedelta(minutes=10)
"""How often the heads of chains in which something happens are anchored; transitions are anchored at once."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done: by whom, what, on what, why. `details` holds identifiers, counts and digests only."""

    chain: str
    at: datetime
    actor: str
    action: str
    subject: str
    purpose: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def body(self, sequence: int) -> bytes:
        """The canonical bytes that are stored and hashed, the record's place in its chain included."""
        return canonical_bytes(
            {
                "chain": self.chain,
                "sequence": sequence,
                "at": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "actor": self.actor,
                "action": self.action,
                "subject": self.subject,
                "purpose": self.purpose,
                "details": self.details,
            }
        )


def system_act(
    at: datetime, actor: str, action: str, subject: str, details: Mapping[str, Any], *, purpose: str = ""
) -> Act:
    """An act that belongs to no single deployment: it goes into the system chain."""
    return Act(SYSTEM_CHAIN, at, actor, action, subject, purpose.strip(), dict(details))


def purpose_fault(purpose: str, *identifying: str) -> Refused | None:
    """What is wrong with a purpose: it is recorded in the clear and for good, so it may not say who it is about."""
    said = purpose.strip()
    if not said or len(purpose) > MOST_PURPOSE:
        return Refused(Reason.INVALID, f"purpose: say what the look is for, in 1 to {MOST_PURPOSE} characters")
    if any(one and one.casefold() in said.casefold() for one in identifying):
        return Refused(Reason.INVALID, "purpose: it is recorded in the clear, so leave the reference number out of it")
    return None


def deployment_act(deployment_id: str, at: datetime, actor: str, action: str, details: Mapping[str, Any]) -> Act:
    """An act on a deployment as a whole: it goes into that deployment's chain."""
    return Act(deployment_id, at, actor, action, deployment_id, details=dict(details))


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One stored record."""

    chain: str
    sequence: int
    body: bytes
    previous: bytes
    hash: bytes


def chain_hash(previous: bytes, body: bytes) -> bytes:
    """sha256(previous ‖ body)."""
    return hashlib.sha256(previous + body).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain at some time. `at`: when it was anchored; None for what the database itself says."""

    chain: str
    sequence: int
    hash: bytes
    at: datetime | None = None


def behind(anchored: Iterable[Head], current: Iterable[Head]) -> list[str]:
    """The chains whose head lies before an anchored one, or is another at the same place: records are missing, because
    an older database was restored or an end was cut off."""
    now = {head.chain: head for head in current}

    def holds(head: Head) -> bool:
        there = now.get(head.chain)
        if there is None or there.sequence == head.sequence:
            return there is not None and there.hash == head.hash
        return there.sequence > head.sequence

    return sorted({head.chain for head in anchored if not holds(head)})


class Breach(StrEnum):
    """In which way a chain is broken."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    EXCHANGED = "exchanged"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first broken record of a chain. `sentence` says in words which, and what is wrong with it."""

    chain: str
    sequence: int
    breach: Breach
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the verification of one chain. `records`: how many were read; `head`: the last of them.

    `anchored`: the last anchored head that its records confirm. `later`: how many heads lie beyond the end and were
    anchored only after the records were read, so that they say nothing of it.
    """

    chain: str
    records: int
    head: bytes
    anchored: Head | None
    later: int
    fault: ChainFault | None


def verify(
    records: Iterable[AuditRecord],
    heads: Iterable[Head] = (),
    *,
    only: Iterable[str] | None = None,
    as_of: datetime | None = None,
) -> list[Verdict]:
    """Verify many chains in one pass: a verdict a chain, by name. Records of one chain come in their order; how chains
    are interleaved does not matter. Nothing of a record is kept but its hash, so a chain may be of any length.

    `only`: the chains that the records were asked for; heads of others are left out. `as_of`: when the records were
    read; a head anchored after it may lie beyond their end.
    """
    wanted = None if only is None else frozenset(only)
    chains: dict[str, _Chain] = {}
    for head in heads:
        if wanted is None or head.chain in wanted:
            chains.setdefault(head.chain, _Chain(head.chain)).expect(head)
    for record in records:
        chains.setdefault(record.chain, _Chain(record.chain)).read(record)
    return [chains[name].verdict(as_of) for name in sorted(chains)]


def first_fault(records: Iterable[AuditRecord], heads: Iterable[Head] = ()) -> str | None:
    """The first fault among these records, in words, or None when every chain holds."""
    for verdict in verify(records, heads):
        if verdict.fault is not None:
            return verdict.fault.sentence
    return None


class _Chain:
    """The verification of one chain, as far as it was read. After its first fault it only counts, and looks whether a
    record that was missing stands somewhere else."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.records = 0
        self.previous = GENESIS
        self.fault: ChainFault | None = None
        self.heads: dict[int, dict[bytes, Head]] = {}
        self.anchored: Head | None = None

    def expect(self, head: Head) -> None:
        """Of several heads that say the same, the one that was anchored first counts."""
        same = self.heads.setdefault(head.sequence, {})
        known = same.get(head.hash)
        if known is None or known.at is None or (head.at is not None and head.at < known.at):
            same[head.hash] = head

    def read(self, record: AuditRecord) -> None:
        self.records += 1
        if self.fault is None:
            self.fault = self._fault(record)
            self.previous = record.hash
            self._confirm(record)
        elif self.fault.breach is Breach.MISSING and record.sequence == self.fault.sequence:
            name = f"{self.name} #{record.sequence}"
            self.fault = self._broken(
                record.sequence, Breach.REORDERED, f"{name} is out of order: it stands after records that follow it"
            )

    def verdict(self, as_of: datetime | None) -> Verdict:
        beyond = [head for place, same in self.heads.items() if place > self.records for head in same.values()]
        later = [head for head in beyond if as_of is not None and head.at is not None and head.at > as_of]
        missed = [head for head in beyond if head not in later]
        fault = self.fault
        if fault is None and missed:
            fault = self._cut_off(max(missed, key=lambda head: head.sequence))
        return Verdict(self.name, self.records, self.previous, self.anchored, len(later), fault)

    def _fault(self, record: AuditRecord) -> ChainFault | None:
        expected, name = self.records, f"{self.name} #{record.sequence}"
        if record.sequence > expected:
            gap = f"record {expected}" if record.sequence == expected + 1 else f"records {expected} to "
            gap += "" if record.sequence == expected + 1 else str(record.sequence - 1)
            verb = "is" if record.sequence == expected + 1 else "are"
            after = f"after #{expected - 1}" if expected > 1 else "at the beginning"
            return self._broken(
                expected, Breach.MISSING, f"{gap} of {self.name} {verb} missing: {after} comes #{record.sequence}"
            )
        if record.sequence < expected:
            return self._broken(
                record.sequence, Breach.REORDERED, f"{name} is out of order or stands there twice: #{expected} was due"
            )
        if record.hash != chain_hash(record.previous, record.body):
            return self._broken(expected, Breach.CHANGED, f"{name} was changed after it was written")
        if (place := _place(record.body)) is None:
            return self._broken(expected, Breach.UNREADABLE, f"{name} cannot be read: its body names no place")
        if place[0] != self.name:
            return self._broken(
                expected, Breach.EXCHANGED, f"{name} was written for {_short(place[0])}: its chain was exchanged"
            )
        if place[1] != expected:
            return self._broken(
                expected, Breach.REORDERED, f"{name} was written as #{place[1]}: records were reordered"
            )
        if record.previous != self.previous:
            said = "the record before it was rewritten, or it was" if expected > 1 else "a chain begins with zeros"
            return self._broken(expected, Breach.CHANGED, f"{name} does not follow the record before it: {said}")
        for head in self.heads.get(expected, {}).values():
            if head.hash != record.hash:
                return self._broken(expected, Breach.REWRITTEN, _rewritten(name, head))
        return None

    def _confirm(self, record: AuditRecord) -> None:
        if self.fault is None:
            for head in self.heads.get(record.sequence, {}).values():
                if head.at is not None:
                    self.anchored = head

    def _cut_off(self, head: Head) -> ChainFault:
        if not self.records:
            sentence = f"{self.name} is not there at all, and #{head.sequence} of it {_anchored(head)}"
            return self._broken(1, Breach.ABSENT, sentence)
        sentence = f"{self.name} is cut off after #{self.records}: #{head.sequence} of it {_anchored(head)}"
        return self._broken(self.records + 1, Breach.TRUNCATED, sentence)

    def _broken(self, sequence: int, breach: Breach, sentence: str) -> ChainFault:
        return ChainFault(self.name, sequence, breach, sentence)


def _rewritten(name: str, head: Head) -> str:
    if head.at is None:
        return f"{name} is not the one that the chain's head names: it, or a record before it, was rewritten"
    return f"{name} was rewritten after it was anchored at {_moment(head.at)}: it, or a record before it"


def _anchored(head: Head) -> str:
    return "is named by its head" if head.at is None else f"was anchored at {_moment(head.at)}"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _place(body: bytes) -> tuple[str, int] | None:
    """The chain and number that a record was written for. Without this, two whole chains could change their names."""
    try:
        said = json.loads(body)
        chain, sequence = said["chain"], said["sequence"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    known = isinstance(chain, str) and isinstance(sequence, int) and not isinstance(sequence, bool)
    return (chain, sequence) if known else None
