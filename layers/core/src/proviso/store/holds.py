"""Holds on evidence, as govern sets and releases them (S24). The database refuses one whose picture is gone."""

from datetime import datetime

from proviso.domain.holds import HeldCandidate, Hold, HoldKind
from proviso.store.connection import RuleBroken, Session

_EVIDENCE_GONE = "PV024"


class HoldTable:
    """Holds, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def held_candidate(self, candidate_id: str) -> HeldCandidate | None:
        """What a hold needs to know of a candidate."""
        found = self._session.row(
            """
            SELECT id, deployment_id, evidence_key <> '' AS has_evidence FROM candidate WHERE id = %(candidate)s
            """,
            {"candidate": candidate_id},
        )
        return HeldCandidate(**found) if found else None

    def add_hold(self, hold: Hold) -> bool:
        """Insert it; False when the evidence is gone, or is being deleted right now."""
        values = {
            "id": hold.id,
            "candidate": hold.candidate_id,
            "kind": hold.kind.value,
            "reason": hold.reason,
            "by": hold.held_by,
            "at": hold.held_at,
            "until": hold.until,
        }
        try:
            with self._session.attempt():
                self._session.change(
                    """
                    INSERT INTO evidence_hold (id, candidate_id, kind, reason, held_by, held_at, until)
                    VALUES (%(id)s, %(candidate)s, %(kind)s, %(reason)s, %(by)s, %(at)s, %(until)s)
                    """,
                    values,
                )
        except RuleBroken as broken:
            if broken.rule != _EVIDENCE_GONE:
                raise
            return False
        return True

    def holds(self, candidate_id: str) -> list[Hold]:
        """All holds there ever were on a candidate, in the order in which they were set."""
        found = self._session.rows(
            """
            SELECT id, candidate_id, kind, reason, held_by, held_at, until, released_by, released_at
            FROM evidence_hold WHERE candidate_id = %(candidate)s ORDER BY held_at, id
            """,
            {"candidate": candidate_id},
        )
        return [Hold(**{**row, "kind": HoldKind(row["kind"])}) for row in found]

    def release_hold(self, candidate_id: str, hold_id: str, by: str, at: datetime) -> bool:
        """Release a hold that stands. False when there is none of that name, or it does not stand any more."""
        changed = self._session.change(
            """
            UPDATE evidence_hold SET released_by = %(by)s, released_at = %(at)s
            WHERE id = %(hold)s AND candidate_id = %(candidate)s AND released_at IS NULL AND %(at)s < until
            """,
            {"hold": hold_id, "candidate": candidate_id, "by": by, "at": at},
        )
        return changed == 1
