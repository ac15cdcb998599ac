"""Candidates as a reviewer sees them: before their own decision, and what is added after it."""

from datetime import datetime
from typing import Any

from proviso.domain.candidate import CandidateState, Decision
from proviso.domain.review_ports import (
    OtherDecision,
    Revealed,
    Shown,
    ShownReference,
    StoppedByItself,
    StrangerOnceIn,
)
from proviso.store.calibrations import STRANGER_ONCE_IN
from proviso.store.connection import Session

RULES = """
       d.policy ->> 'message_prefix' AS message_prefix,
       COALESCE((d.policy ->> 'reviewers_required')::integer, 1) AS reviewers_required,
       COALESCE((d.policy ->> 'reviewer_error_limit_percent')::integer, 20) AS error_limit_percent
"""
"""The rules of the deployment's policy that a review goes by, each with what holds where it says nothing."""

OPEN = """
    d.state = 'active' AND d.starts_at <= %(now)s AND %(now)s < LEAST(d.ends_at, d.search_until)
    AND EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = d.id AND m.sub = %(reviewer)s
                AND m.role = 'reviewer' AND m.removed_at IS NULL)
"""
_SHOWN = (
    """
SELECT c.id, c.deployment_id, c.camera, c.place, c.captured_at, c.raised_at, c.decide_by, c.state, c.evidence_key,
       c.face, c.correlation_id,
       d.state <> 'closed' AND e.removed_at IS NULL AND clock_timestamp() < c.raised_at + interval '12 hours'
           AS open_to_view,"""
    + RULES
    + """FROM candidate c JOIN deployment d ON d.id = c.deployment_id JOIN entry e ON e.id = c.entry_id
"""
)
_PENDING = (
    _SHOWN
    + """WHERE c.state = 'raised' AND %(now)s < c.decide_by
  AND NOT EXISTS (SELECT FROM review r WHERE r.candidate_id = c.id AND r.reviewer = %(reviewer)s) AND """
    + OPEN
)
_DECIDED = (
    _SHOWN.replace("c.face,", "c.face, r.decision, r.decided_at,")
    + """JOIN review r ON r.candidate_id = c.id AND r.reviewer = %(reviewer)s WHERE r.decided_at >= %(since)s"""
)
_CONFIRMED = """WHERE c.state = 'confirmed' AND c.decided_at >= %(since)s AND d.state <> 'closed'
  AND NOT EXISTS (SELECT FROM review r WHERE r.candidate_id = c.id AND r.reviewer = %(reviewer)s)
  AND EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = d.id AND m.sub = %(reviewer)s
              AND m.role = 'reviewer' AND m.removed_at IS NULL)
ORDER BY c.decided_at DESC, c.id"""
_REFERENCES = """
SELECT r.id, r.image_key, r.face
FROM candidate c
JOIN deployment d ON d.id = c.deployment_id
JOIN build_reference b ON b.build_id = d.build_id AND b.entry_id = c.entry_id
JOIN reference r ON r.id = b.reference_id
WHERE c.id = %(candidate)s ORDER BY r.id
"""
_REVEALED = """
SELECT c.deployment_id, c.similarity, c.threshold, c.calibrated, c.policy,
       CASE WHEN e.removed_at IS NULL AND e.erased_at IS NULL THEN e.category END AS category,
       CASE WHEN e.removed_at IS NULL THEN NULLIF(e.reason, '') END AS listing_reason,
       EXISTS (SELECT FROM demographics g WHERE g.candidate_id = c.id AND g.reviewer = %(reviewer)s) AS said
FROM candidate c JOIN entry e ON e.id = c.entry_id
WHERE c.id = %(candidate)s
"""
_OTHERS = """
SELECT decision, reason, decided_at FROM review
WHERE candidate_id = %(candidate)s AND reviewer <> %(reviewer)s ORDER BY decided_at, id
"""


def shown(row: dict[str, Any], *, seeded: bool) -> Shown:
    """A row with the columns of _SHOWN."""
    names = (
        "id",
        "deployment_id",
        "camera",
        "place",
        "captured_at",
        "raised_at",
        "decide_by",
        "message_prefix",
        "evidence_key",
        "open_to_view",
        "reviewers_required",
        "error_limit_percent",
    )
    return Shown(
        **{name: row[name] for name in names},
        state=CandidateState(row["state"]),
        face=tuple(row["face"]) if row["face"] else None,
        seeded=seeded,
        correlation_id="" if seeded else row["correlation_id"],
    )


_SUSPENDED = """
SELECT d.id, d.place, d.finished_at, replace(d.finished_by, 'safeguard:', '') FROM deployment d
WHERE d.finished_by LIKE 'safeguard:%%' AND d.finished_at >= %(since)s
  AND EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = d.id AND m.sub = %(reviewer)s
              AND m.role = 'reviewer' AND m.removed_at IS NULL)
ORDER BY d.finished_at DESC, d.id
"""
_PER_HOUR = """
SELECT min(COALESCE((d.policy ->> 'candidates_per_reviewer_hour')::integer, 30)) FROM deployment d
WHERE """


class ShownCandidates:
    """What a reviewer sees of real candidates, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending(self, now: datetime, reviewer: str) -> list[Shown]:
        """Raised and in time, of active deployments that name this reviewer, not yet decided by them."""
        return [shown(row, seeded=False) for row in self._session.rows(_PENDING, {"now": now, "reviewer": reviewer})]

    def decided(self, since: datetime, reviewer: str) -> list[tuple[datetime, Shown, Decision]]:
        """What they decided since then."""
        found = self._session.rows(_DECIDED, {"since": since, "reviewer": reviewer})
        return [(row["decided_at"], shown(row, seeded=False), Decision(row["decision"])) for row in found]

    def per_hour(self, reviewer: str, now: datetime) -> int | None:
        """The lowest cap of the deployments that run now and name this reviewer."""
        found = self._session.value(_PER_HOUR + OPEN, {"now": now, "reviewer": reviewer})
        return int(found) if found is not None else None

    def confirmed_by_others(self, since: datetime, reviewer: str) -> list[Shown]:
        """What others confirmed in this reviewer's deployments."""
        found = self._session.rows(_SHOWN + _CONFIRMED, {"since": since, "reviewer": reviewer})
        return [shown(row, seeded=False) for row in found]

    def suspended(self, since: datetime, reviewer: str) -> list[StoppedByItself]:
        """What a safeguard stopped of this reviewer's deployments."""
        found = self._session.tuples(_SUSPENDED, {"since": since, "reviewer": reviewer})
        return [StoppedByItself(*row) for row in found]

    def one(self, candidate_id: str) -> Shown | None:
        """One candidate as it stands."""
        found = self._session.row(_SHOWN + "WHERE c.id = %(candidate)s", {"candidate": candidate_id})
        return shown(found, seeded=False) if found else None

    def references(self, candidate_id: str) -> list[ShownReference]:
        """The pictures of its entry, of the deployment's build."""
        found = self._session.tuples(_REFERENCES, {"candidate": candidate_id})
        return [ShownReference(row[0], row[1], tuple(row[2]) if row[2] else None) for row in found]

    def revealed(self, candidate_id: str, reviewer: str) -> Revealed | None:
        """Similarity, category, reason for listing, others' decisions: for after one's own."""
        given = {"candidate": candidate_id, "reviewer": reviewer}
        found = self._session.row(_REVEALED, given)
        if found is None:
            return None
        others = self._session.tuples(_OTHERS, given)
        rare = self._session.row(
            STRANGER_ONCE_IN, {"deployment": found["deployment_id"], "similarity": found["similarity"]}
        )
        return Revealed(
            similarity=found["similarity"],
            threshold=found["threshold"],
            calibrated=found["calibrated"],
            policy=found["policy"],
            category=found["category"],
            listing_reason=found["listing_reason"],
            others=tuple(OtherDecision(Decision(row[0]), row[1], row[2]) for row in others),
            demographics_recorded=found["said"],
            stranger_once_in=StrangerOnceIn(rare["low"], rare["high"]) if rare else None,
        )
