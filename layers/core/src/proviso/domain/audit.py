"""The audit chain: an append-only record of every act, each hash covering the one before (S29).

hash = sha256(previous hash ‖ body), where body is the stored canonical bytes. One chain a deployment, and one for the
system. Verification needs nothing but the records.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from proviso.domain.canonical import canonical_bytes

SYSTEM_CHAIN = "system"
GENESIS = b"\x00" * 32


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


def system_act(at: datetime, actor: str, action: str, subject: str, details: Mapping[str, Any]) -> Act:
    """An act that belongs to no single deployment: it goes into the system chain."""
    return Act(SYSTEM_CHAIN, at, actor, action, subject, details=dict(details))


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


def first_fault(records: Iterable[AuditRecord]) -> str | None:
    """The first broken, missing or reordered record of one chain, in words, or None when it holds."""
    previous = GENESIS
    for expected, record in enumerate(records, start=1):
        name = f"{record.chain} #{record.sequence}"
        if record.sequence != expected:
            return f"record {expected} of {record.chain} is missing or out of order: found {name}"
        if record.previous != previous:
            return f"{name} does not follow the record before it"
        if record.hash != chain_hash(record.previous, record.body):
            return f"{name} was changed after it was written"
        if _place(record.body) != (record.chain, record.sequence):
            return f"{name} was written for another place: its chain was exchanged"
        previous = record.hash
    return None


def _place(body: bytes) -> tuple[str, int] | None:
    """The chain and number that a record was written for. Without this, two whole chains could change their names."""
    try:
        said = json.loads(body)
        return said["chain"], said["sequence"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
