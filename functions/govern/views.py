"""What govern shows: the domain's records as JSON, with what people need beside them."""

import json
from typing import Any

from proviso.domain.audit import AuditRecord
from proviso.domain.camera import RegisteredCamera
from proviso.domain.deployment import Deployment
from proviso.domain.retention import Certificate
from proviso.domain.watchlist import Entry, Watchlist
from proviso.edge.http import plain


def deployment(shown: Deployment) -> dict[str, Any]:
    """A deployment with the digest that an authoriser authorises."""
    return {**plain(shown), "digest": shown.digest}


def watchlist(shown: tuple[Watchlist, list[Entry]]) -> dict[str, Any]:
    """A list and its entries."""
    names = ("id", "reference_no", "label", "category", "references", "removed_at")
    listed, entries = shown
    return {**plain(listed), "list": [{name: plain(getattr(entry, name)) for name in names} for entry in entries]}


def cameras(shown: list[RegisteredCamera]) -> dict[str, Any]:
    """Cameras, without the digests of their keys."""
    names = ("camera", "registered_by", "registered_at")
    return {"cameras": [{name: plain(getattr(one, name)) for name in names} for one in shown]}


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
