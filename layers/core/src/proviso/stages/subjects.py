"""What the audit says of a listed person: sealed as it is written, and opened for those who may look (S30).

Looking needs the person's key. Once it is destroyed, their records can neither be found nor read by anybody.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proviso.domain.audit import AuditRecord, purpose_fault, system_act
from proviso.domain.errors import StorageFault
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused
from proviso.domain.subject_ports import SubjectKeys
from proviso.domain.subjects import UNLINKED, Sealed


def sealed(subjects: SubjectKeys, watchlist_id: str, entry_id: str, details: Mapping[str, Any]) -> Sealed:
    """Details of an act on a listed person, sealed. StorageFault where there is no key: then the act is not done."""
    made = subjects.seal(watchlist_id, entry_id, details)
    if made is None:
        raise StorageFault("there is no key for the records of this entry")
    return made


@dataclass(frozen=True, slots=True)
class SubjectRecord:
    """A record about a person: its body as it stands in the chain, and its sealed details, opened."""

    record: AuditRecord
    body: dict[str, Any]
    opened: dict[str, Any] | None

    def __repr__(self) -> str:
        return f"<SubjectRecord {self.record.chain} #{self.record.sequence}>"


@dataclass(frozen=True, slots=True)
class SubjectRecords:
    """`linked` is False once the key is destroyed: then no record can be said to be about this person."""

    linked: bool
    records: tuple[SubjectRecord, ...] = ()


def audit_of(
    *,
    principal: Principal,
    watchlist_id: str,
    entry_id: str,
    purpose: str,
    store: GovernStore,
    subjects: SubjectKeys,
    clock: Clock,
) -> SubjectRecords | Refused:
    """Every record about one listed person, opened. The look is recorded, with its purpose."""
    if refused := principal.needs(Role.AUDITOR, Role.DATA_PROTECTION_OFFICER):
        return refused
    with store.work() as work:
        listed = work.listed(watchlist_id, entry_id)
        if listed is None:
            return Refused(Reason.NOT_FOUND, "entry")
        if refused := purpose_fault(purpose, entry_id, listed.reference_no):
            return refused
        subject = subjects.pseudonym(watchlist_id, entry_id)
        found = [(one, json.loads(one.body)) for one in work.records_about(subject)] if subject else []
        found = [(one, body) for one, body in found if body["subject"] == subject]
        texts = [str(body["details"].get("sealed", "")) for _, body in found]
        opened = subjects.open(watchlist_id, entry_id, texts)
        details = {"watchlist": watchlist_id, "records": len(found)}
        about = subject or UNLINKED
        work.audit(system_act(clock(), principal.sub, "subject_consulted", about, details, purpose=purpose))
    records = (SubjectRecord(one, body, said) for (one, body), said in zip(found, opened, strict=True))
    return SubjectRecords(subject is not None, tuple(records))
