"""Looking into the audit: page by page, with a purpose, and each look is itself recorded in the system chain (S29)."""

from dataclasses import dataclass
from datetime import datetime

from proviso.domain.audit import SYSTEM_CHAIN, AuditRecord, Head, first_fault, purpose_fault, system_act
from proviso.domain.govern_ports import GovernStore
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused

MOST_RECORDS = 1000
MOST_BYTES = 1024 * 1024
"""Of bodies in one answer. Lambda answers at most 6 MB, and a body is quoted twice on its way."""


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
        details = {"records": len(records)}
        work.audit(system_act(clock(), principal.sub, "audit_consulted", deployment_id, details, purpose=purpose))
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
        details = {"after": after, "records": len(shown)}
        work.audit(system_act(clock(), principal.sub, "audit_consulted", chain, details, purpose=purpose))
    more = len(shown) < len(found) or len(found) == limit
    return AuditPage(chain, tuple(shown), shown[-1].sequence if more else None)


def chains(*, principal: Principal, purpose: str, store: GovernStore, clock: Clock) -> ChainList | Refused:
    """All chains with their heads."""
    if refused := _may_look(principal, purpose):
        return refused
    at = clock()  # before the reading: what was anchored by then is in what is read after it
    with store.work() as work:
        heads = work.heads()
        details = {"chains": len(heads)}
        work.audit(system_act(clock(), principal.sub, "audit_chains_consulted", SYSTEM_CHAIN, details, purpose=purpose))
    return ChainList(at, tuple(heads))


def _may_look(principal: Principal, purpose: str) -> Refused | None:
    return principal.needs(Role.AUDITOR, Role.AUTHORISER) or purpose_fault(purpose)


def _fitting(records: list[AuditRecord]) -> list[AuditRecord]:
    """As many as one answer takes, and at least one: otherwise nobody would ever get past it."""
    size = 0
    for count, record in enumerate(records):
        size += len(record.body)
        if size > MOST_BYTES and count:
            return records[:count]
    return records
