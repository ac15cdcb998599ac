"""The public record of a deployment (S32): what was done, in counts and rates, for anybody to read.

A record is made of the deployment's terms and of counts that the database gives, and holds nothing else: no name, no
account, no reference number, no time of a single candidate. It is the same bytes whenever it is made of the same. What
comes to be known after the close (outcomes, the last backup) makes another revision; none is ever changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import StrEnum
from typing import Any

from proviso.domain.canonical import canonical_bytes
from proviso.domain.deployment import Deployment
from proviso.domain.rates import rate

FORMAT = "proviso-record/1"
STATES = ("confirmed", "rejected", "expired", "frozen", "withdrawn")
RESULTS = ("engaged_right", "engaged_wrong", "not_engaged", "not_recorded", "open")
ACTIONS = ("conversation", "help", "search", "arrest", "removal")
CAVEAT = (
    "Faces of one passage are not independent of one another, so the true interval of a rate per searched face is wider"
    " than the one given. Who passed and was not found is not known to anybody, so no rate of that is given."
)
FRAMES_REMARK = (
    "Frames that were not searched are counted by camera and hour: frames of the same cameras before the start and"
    " after the end, in the same hours, are among them."
)


class Why(StrEnum):
    """Why a revision was published."""

    CLOSED = "closed"
    FINAL = "final"
    CORRECTED = "corrected"
    RESTORED = "restored"


CHANGES = {
    Why.CLOSED: "first publication, at the close",
    Why.FINAL: "outcomes are closed and the last backup has expired: these figures are final",
    Why.CORRECTED: "something came to be known after the final figures",
    Why.RESTORED: "the database was restored from a backup; earlier revisions stand as they were published",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A revision as it stands in the database. `put`: waiting, put, or taken (the bucket holds another)."""

    deployment_id: str
    revision: int
    body: bytes
    settled: bool
    put: str


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """The bytes that are stored and served: canonical JSON with a line's end."""
    return canonical_bytes(dict(record)) + b"\n"


def record_of(body: bytes) -> dict[str, Any]:
    """The record in these bytes. ValueError when it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def make_record(
    deployment: Deployment,
    counts: Mapping[str, Any],
    *,
    why: Why,
    revision: int,
    before: Mapping[str, Any] | None,
    at: datetime,
    pack: str | None,
) -> dict[str, Any]:
    """The record of a closed deployment. `counts`: what record_counts gives (0012_record.sql). `before`: the revision
    before this one, whose differing figures are named. `pack`: the model pack, where it is known."""
    grounds, policy = deployment.grounds, deployment.policy
    candidates = {state: int(counts["candidates"].get(state, 0)) for state in STATES}
    candidates = {"total": sum(candidates.values()), **candidates}
    outcomes = {result: int(counts["outcomes"].get(result, 0)) for result in RESULTS}
    truth = _truth(candidates, outcomes)
    faces = _faces(deployment, counts["faces"])
    found: dict[str, Any] = {
        "format": FORMAT,
        "demonstration": policy.message_prefix or None,
        "deployment": deployment.id,
        "revision": revision,
        "published_at": moment(at),
        "figures": "final" if counts["settled"] else "outcomes may still come in",
        "operator": {"kind": grounds.operator_kind, "name": grounds.operator_name},
        "place": deployment.place,
        "premises": deployment.premises,
        "use": deployment.use,
        "times": _times(deployment),
        "legal_basis": grounds.legal_basis,
        "policy_document": grounds.policy_document,
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "title": policy.title,
            "extends": policy.extends,
            "differences": list(policy.differences),
            "digest": policy.digest,
        },
        "cameras": int(counts["cameras"]),
        "requested": {"role": "requester", "rank": counts["requested_rank"]},
        "authorised": {"role": "authoriser", "rank": counts["authorised_rank"]} if deployment.authorised_by else None,
        "notice": _notice(counts["attested"]),
        "list": _list(deployment, counts),
        "search": _search(deployment, counts["calibration"], pack),
        "faces": faces,
        "frames": {
            "searched": int(counts["faces"]["frames"]),
            "not_searched": [
                {"outcome": str(one["outcome"]), "reason": str(one["reason"]), "frames": int(one["frames"])}
                for one in counts["frames"]
            ],
            "remark": FRAMES_REMARK,
        },
        "candidates": candidates,
        "truth": truth,
        "outcomes": outcomes,
        "actions": {action: int(counts["actions"].get(action, 0)) for action in ACTIONS},
        "rates": _rates(faces, candidates, truth, outcomes),
        "caveat": CAVEAT,
        "stops": {
            "stopped_before_its_end": _stopped(deployment),
            "suspensions": None if counts["suspensions"] is None else int(counts["suspensions"]),
        },
        "deletion": _deletion(counts["certificate"]),
        "audit": {
            "chain": deployment.id,
            "sequence": int(counts["audit"]["sequence"]),
            "hash": counts["audit"]["hash"],
        },
    }
    found["changes"] = [CHANGES[why], *(_differences(before, found) if before else [])]
    return found


def _truth(candidates: Mapping[str, int], outcomes: Mapping[str, int]) -> dict[str, int]:
    """Each candidate once. False: rejected by a reviewer, or engaged and wrong."""
    return {
        "true": outcomes["engaged_right"],
        "false": candidates["rejected"] + outcomes["engaged_wrong"],
        "not_engaged": outcomes["not_engaged"],
        "unconfirmed": candidates["expired"] + candidates["frozen"],
        "not_recorded": outcomes["not_recorded"],
        "open": outcomes["open"],
    }


def _faces(deployment: Deployment, faces: Mapping[str, Any]) -> dict[str, Any]:
    """The four counts, never mixed."""
    return {
        "detected": int(faces["detected"]),
        "refused_by_quality": int(faces["refused"]),
        "searched": int(faces["searched"]),
        "not_searched": int(faces["not_searched"]),
        "passages": "not measured",
        "passages_expected": deployment.passages_expected,
    }


def _rates(
    faces: Mapping[str, Any], candidates: Mapping[str, int], truth: Mapping[str, int], outcomes: Mapping[str, int]
) -> list[dict[str, Any]]:
    told = candidates["confirmed"] + candidates["withdrawn"]
    known = truth["true"] + truth["false"]
    closed = told - outcomes["open"]  # what may still be recorded is no "nobody recorded it", and no other way wrong
    figures = (
        ("faces refused by quality", faces["refused_by_quality"], faces["detected"], "faces detected"),
        ("candidates", candidates["total"], faces["searched"], "faces searched"),
        ("false candidates", truth["false"], faces["searched"], "faces searched"),
        ("false candidates where the truth is known", truth["false"], known, "candidates found true or false"),
        ("candidates a person confirmed", told, candidates["total"], "candidates"),
        ("candidates a person rejected", candidates["rejected"], candidates["total"], "candidates"),
        ("candidates nobody decided", truth["unconfirmed"], candidates["total"], "candidates"),
        ("confirmations taken back", candidates["withdrawn"], told, "confirmed candidates"),
        (
            "confirmed, and engaged rightly",
            outcomes["engaged_right"],
            closed,
            "confirmed candidates whose outcome is closed",
        ),
        (
            "confirmed, and engaged wrongly",
            outcomes["engaged_wrong"],
            closed,
            "confirmed candidates whose outcome is closed",
        ),
        (
            "confirmed, and no outcome recorded",
            outcomes["not_recorded"],
            closed,
            "confirmed candidates whose outcome is closed",
        ),
    )
    return [rate_values(*figure) for figure in figures]


def rate_values(figure: str, count: int, of: int, unit: str) -> dict[str, Any]:
    """A rate with its denominator and Clopper-Pearson interval at 95 %; its ends are rounded outwards, as text."""
    found = rate(count, of)
    return {
        "figure": figure,
        "count": count,
        "of": of,
        "low": proportion(found.low, ROUND_FLOOR),
        "high": proportion(found.high, ROUND_CEILING),
        "unit": unit,
    }


def proportion(value: float, rounding: str) -> str:
    """Four figures, as a decimal without an exponent."""
    rounded = Context(prec=4, rounding=rounding).create_decimal_from_float(value)
    return format(min(max(rounded, Decimal(0)), Decimal(1)).normalize(), "f")


def _times(deployment: Deployment) -> dict[str, Any]:
    return {
        "starts_at": moment(deployment.starts_at),
        "ends_at": moment(deployment.ends_at),
        "started_at": moment(deployment.started_at),
        "finished_at": moment(deployment.finished_at),
        "closed_at": moment(deployment.closed_at),
    }


def _notice(attested: Mapping[str, Mapping[str, str | None]]) -> dict[str, str | None]:
    def when(kind: str, what: str) -> str | None:
        return _again(attested.get(kind, {}).get(what))

    return {
        "published_at": when("public_notice", "published_at"),
        "publication_attested_at": when("public_notice", "made_at"),
        "waived_at": when("notice_waived", "made_at"),
        "signage_attested_at": when("signage", "made_at"),
    }


def _list(deployment: Deployment, counts: Mapping[str, Any]) -> dict[str, Any]:
    built_at = datetime.fromisoformat(counts["built_at"])
    age = (deployment.started_at - built_at).total_seconds() if deployment.started_at else None
    categories = counts["categories"]
    return {
        "entries": int(counts["entries"]),
        "references": int(counts["references"]),
        "built_at": moment(built_at),
        "age_at_start_minutes": None if age is None else max(0, int(age // 60)),
        "by_category": None
        if categories is None
        else [{"category": name, "entries": int(categories[name])} for name in sorted(categories)],
        "by_group": "not recorded",
    }


def _search(deployment: Deployment, calibration: Mapping[str, Any] | None, pack: str | None) -> dict[str, Any]:
    return {
        "threshold": format(deployment.threshold.normalize(), "f"),
        "pipeline": deployment.pipeline,
        "pack": pack or (calibration["pack"] if calibration else None),
        "frames_an_upload": deployment.burst_frames,
        "software_build": deployment.software_build,
        "calibration": None
        if calibration is None
        else {
            "id": calibration["id"],
            "kind": calibration["kind"],
            "made_at": _again(calibration["made_at"]),
            "remark": calibration["remark"],
        },
    }


def _deletion(certificate: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "verified_at": _again(certificate["verified_at"]),
        "stores": [{"store": str(one["store"]), "left": int(one["left"])} for one in certificate["counts"]],
        "pictures_held": int(certificate["held"]),
        "backups_expire_at": _again(certificate["backups_expire_at"]),
        "backups_expired_at": _again(certificate["backups_expired_at"]),
    }


def _stopped(deployment: Deployment) -> bool:
    return deployment.finished_at is not None and deployment.finished_at < deployment.over_at


_TOLD = ("faces", "frames", "candidates", "truth", "actions", "stops", "deletion")


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Which numbers differ, as sentences. Zero counts by store and lists of outcomes are told by their sums."""
    found = []
    for part in _TOLD:
        for name in sorted(set(before[part]) | set(after[part])):
            was, now = (_sum(side[part].get(name)) for side in (before, after))
            if was != now:
                found.append(f"{part}, {name.replace('_', ' ')}: {_word(was)} before, {_word(now)} now")
    return found


def _sum(value: Any) -> Any:
    if isinstance(value, list):
        return sum(one.get("frames", one.get("left", 0)) for one in value)
    return value


def _word(value: Any) -> str:
    return "not known" if value is None else str(value)


def moment(at: datetime | None) -> str | None:
    """UTC, to the second."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _again(text: str | None) -> str | None:
    return None if text is None else moment(datetime.fromisoformat(text))
