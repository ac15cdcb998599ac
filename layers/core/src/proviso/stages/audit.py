"""Looking into the audit: page by page, with a purpose, and each look is itself recorded in the system chain (S29)."""

from dataclasses import dataclass
from datetime import datetime

from proviso.domain.audit import SYSTEM_CHAIN, Act, AuditRecord, Head, first_fault
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, GovernStore
from proviso.domain.reasons import Reason, Refused

MOST_RECORDS = 1000
MOST_BYTES = 1024 * 1024
"""Of bodies in one answer. Lambda answers at most 6 MB, and a body is quoted twice on its way."""
MOST_PURPOSE = 200


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Records of one chain. `next_after`: what to go on after; None when these are the last for now."""

    chain: str
    records: tuple[AuditRecord, ...]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class ChainList:
    """All chains by their heads. What was written by `at` is in them."""

    at: datetime
    heads: tuple[Head, ...]


def of_deployment(
    *, principal: Principal, deployment_id: str, purpose: str, store: GovernStore, clock: Clock
) -> tuple[list[AuditRecord], str | None] | Refused:
    """The deployment's whole chain and the first fault in it. Longer ones are read by pages."""
    if refused := _may_look(principal, purpose):
        return refused
    with store.work() as work:
        long = [head for head in work.heads([deployment_id]) if head.sequence > MOST_RECORDS]
        if long:
            return Refused(Reason.INVALID, f"the chain has {long[0].sequence} records; read it by pages, from /audit")
        records = work.audit_records(deployment_id)
        work.audit(_look(principal, clock, "audit_consulted", deployment_id, purpose, {"records": len(records)}))
    return records, first_fault(records)


def page(
    *,
    principal: Principal,
    chain: str,
    after: int,
    limit: int,
    purpose: str,
    store: GovernStore,
    clock: Clock,
) -> AuditPage | Refused:
    """At most `limit` records of a chain from the one after `after` on; fewer where they are long."""
    if refused := _may_look(principal, purpose):
        return refused
    if after < 0 or not 1 <= limit <= MOST_RECORDS:
        return Refused(Reason.INVALID, f"after is 0 or more, limit 1 to {MOST_RECORDS}")
    with store.work() as work:
        found = work.audit_page(chain, after, limit)
        shown = _fitting(found)
        if not found and not work.heads([chain]):
            return Refused(Reason.NOT_FOUND, "chain")
        details: dict[str, int] = {"after": after, "records": len(shown)}
        work.audit(_look(principal, clock, "audit_consulted", chain, purpose, details))
    more = len(shown) < len(found) or len(found) == limit
    return AuditPage(chain, tuple(shown), shown[-1].sequence if more else None)


def chains(*, principal: Principal, purpose: str, store: GovernStore, clock: Clock) -> ChainList | Refused:
    """All chains with their heads."""
    if refused := _may_look(principal, purpose):
        return refused
    at = clock()  # before the reading: what was anchored by then is in what is read after it
    with store.work() as work:
        heads = work.heads()
        work.audit(_look(principal, clock, "audit_chains_consulted", SYSTEM_CHAIN, purpose, {"chains": len(heads)}))
    return ChainList(at, tuple(heads))


def _may_look(principal: Principal, purpose: str) -> Refused | None:
    if refused := principal.needs(Role.AUDITOR, Role.AUTHORISER):
        return refused
    if not purpose.strip() or len(purpose) > MOST_PURPOSE:
        return Refused(Reason.INVALID, f"purpose: say what the look is for, in 1 to {MOST_PURPOSE} characters")
    return None


def _look(principal: Principal, clock: Clock, action: str, subject: str, purpose: str, details: dict[str, int]) -> Act:
    return Act(SYSTEM_CHAIN, clock(), principal.sub, action, subject, purpose.strip(), dict(details))


def _fitting(records: list[AuditRecord]) -> list[AuditRecord]:
    """As many as one answer takes, and at least one: otherwise nobody would ever get past it."""
    size = 0
    for count, record in enumerate(records):
        size += len(record.body)
        if size > MOST_BYTES and count:
            return records[:count]
    return records
