"""What govern shows: the domain's records as JSON, with what people need beside them."""

import json
from typing import Any

from proviso.domain.audit import AuditRecord
from proviso.domain.audit_export import record_values
from proviso.domain.deployment import Deployment
from proviso.domain.retention import Certificate
from proviso.domain.watchlist import Entry, Watchlist
from proviso.edge.http import plain
from proviso.stages.audit import AuditPage, ChainList


def deployment(shown: Deployment) -> dict[str, Any]:
    """A deployment with the digest that an authoriser authorises."""
    return {**plain(shown), "digest": shown.digest}


def watchlist(shown: tuple[Watchlist, list[Entry]]) -> dict[str, Any]:
    """A list and its entries."""
    names = ("id", "reference_no", "label", "category", "references", "removed_at")
    listed, entries = shown
    return {**plain(listed), "list": [{name: plain(getattr(entry, name)) for name in names} for entry in entries]}


def certificate(shown: Certificate) -> dict[str, Any]:
    """What was deleted, with the count of what is left in each store."""
    return {**plain(shown), "complete": shown.complete}


def audit(shown: tuple[list[AuditRecord], str | None]) -> dict[str, Any]:
    """A chain as it was written, and the first fault in it."""
    records, fault = shown
    return {
        "records": [
            {
                "chain": record.chain,
                "sequence": record.sequence,
                "body": json.loads(record.body),
                "canonical": record.body.decode(),
                "previous": record.previous.hex(),
                "hash": record.hash.hex(),
            }
            for record in records
        ],
        "fault": fault,
    }


def audit_page(shown: AuditPage) -> dict[str, Any]:
    """Records as an export holds them, and after which to go on."""
    records = [record_values(record) for record in shown.records]
    return {"chain": shown.chain, "records": records, "next_after": shown.next_after}


def audit_chains(shown: ChainList) -> dict[str, Any]:
    """Each chain with its last record."""
    heads = [{"chain": head.chain, "sequence": head.sequence, "hash": head.hash.hex()} for head in shown.heads]
    return {"at": plain(shown.at), "chains": heads}
