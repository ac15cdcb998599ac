"""What govern shows: the domain's records as JSON, with what people need beside them."""

import json
from typing import Any

from proviso.domain.audit import AuditRecord
from proviso.domain.audit_export import record_values
from proviso.domain.calibration import Calibration
from proviso.domain.camera import RegisteredCamera
from proviso.domain.deployment import Deployment
from proviso.domain.retention import Certificate
from proviso.domain.trial import Readings
from proviso.domain.watchlist import Entry, Watchlist
from proviso.edge.http import plain
from proviso.stages.audit import AuditPage, ChainList
from proviso.stages.deployments_shown import Shown
from proviso.stages.watchlist import Added


def deployment(shown: Deployment) -> dict[str, Any]:
    """A deployment with the digest that an authoriser authorises, and its policy's title and differences."""
    return {
        **plain(shown),
        "calibrated": shown.calibrated,
        "digest": shown.digest,
        "policy_title": shown.policy.title,
        "policy_differences": list(shown.policy.differences),
    }


def shown_deployment(shown: Shown) -> dict[str, Any]:
    """A deployment with what its authoriser must see (S08, S12, S27, S33, S37)."""
    conditions = shown.conditions
    return {
        **deployment(shown.deployment),
        "expected_false_candidates": {**plain(shown.expected), "sentence": shown.expected.sentence},
        "calibration": _measured(conditions.calibration) if conditions else None,
        "site_trial": _measured(conditions.trial) if conditions else None,
        "threshold_floor": plain(shown.floor),
        "floor_set_by": shown.floor_set_by,
        "groups": plain(shown.groups),
        "entries": conditions.entries if conditions else None,
        "attestations": plain(conditions.attestations) if conditions else [],
        "decisions": plain(conditions.decisions) if conditions else [],
        "members": [{"sub": one.sub, "role": one.role.value} for one in shown.members],
        "missing": shown.missing.sentence if shown.missing else None,
        "warnings": list(shown.warnings),
    }


def _measured(shown: Calibration | None) -> dict[str, Any] | None:
    names = ("id", "kind", "site", "made_at", "data", "remark", "fpir_wanted")
    return {name: plain(getattr(shown, name)) for name in names} if shown else None


def calibration(shown: Calibration) -> dict[str, Any]:
    """A calibration, without its rates of strangers: those answer one question of a reviewer."""
    return {name: value for name, value in plain(shown).items() if name != "strangers"}


def readings(shown: Readings, camera: str) -> dict[str, Any]:
    """What a trial is counted from, of one camera."""
    return {
        "listed": sorted(shown.listed),
        "sightings": plain([one for one in shown.sightings if one.camera == camera]),
        "frames": plain([one for one in shown.frames if one.camera == camera]),
    }


def added(shown: Added) -> dict[str, Any]:
    """An entry as added, with what its officer should know."""
    return {"id": shown.entry.id, "reference_no": shown.entry.reference_no, "warnings": list(shown.warnings)}


def watchlist(shown: tuple[Watchlist, list[Entry]]) -> dict[str, Any]:
    """A list and its entries."""
    names = ("id", "reference_no", "label", "category", "references", "removed_at", "under_18", "waits_for_approval")
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


def audit_page(shown: AuditPage) -> dict[str, Any]:
    """Records as an export holds them, and after which to go on."""
    records = [record_values(record) for record in shown.records]
    return {"chain": shown.chain, "records": records, "next_after": shown.next_after}


def audit_chains(shown: ChainList) -> dict[str, Any]:
    """Each chain with its last record."""
    heads = [{"chain": head.chain, "sequence": head.sequence, "hash": head.hash.hex()} for head in shown.heads]
    return {"at": plain(shown.at), "chains": heads}
