"""What the database still holds, counted for whoever wants to know (S23, S24). Counts, identifiers and times only."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from proviso.domain.holdings import DeploymentHeld, ListHeld
from proviso.domain.retention import CLOSE_WITHIN
from proviso.store.connection import Session

_DEPLOYMENTS: LiteralString = """
SELECT d.id, d.state, d.watchlist_id,
       GREATEST(LEAST(d.finished_at, d.ends_at, d.search_until), d.requested_at) AS over_at,
       COALESCE((d.policy ->> 'evidence_hours')::integer, 0) AS evidence_hours,
       count(c.id) AS candidates,
       count(*) FILTER (WHERE c.evidence_key <> '' AND NOT is_held(c.id)) AS evidence,
       min(c.raised_at) FILTER (WHERE c.evidence_key <> '' AND NOT is_held(c.id)) AS oldest,
       count(*) FILTER (WHERE c.evidence_key <> '' AND is_held(c.id)) AS held,
       (SELECT max(h.until) FROM evidence_hold h JOIN candidate k ON k.id = h.candidate_id
        WHERE k.deployment_id = d.id AND k.evidence_key <> '' AND h.released_at IS NULL) AS held_until
FROM deployment d LEFT JOIN candidate c ON c.deployment_id = d.id
WHERE d.state <> 'closed' OR EXISTS (SELECT FROM candidate k WHERE k.deployment_id = d.id AND k.evidence_key <> '')
GROUP BY d.id ORDER BY d.requested_at, d.id
"""
_LISTS: LiteralString = """
SELECT w.id, w.created_at, w.delete_requested_at,
       (SELECT max(GREATEST(LEAST(d.finished_at, d.ends_at, d.search_until), d.requested_at)) + %(within)s
        FROM deployment d WHERE d.watchlist_id = w.id AND d.state <> 'closed') AS gone_by,
       (SELECT count(*) FROM entry e WHERE e.watchlist_id = w.id AND e.erased_at IS NULL) AS entries,
       (SELECT count(*) FROM reference_template t WHERE t.watchlist_id = w.id) AS references
FROM watchlist w WHERE w.erased_at IS NULL ORDER BY w.created_at, w.id
"""
_KEPT: LiteralString = """
SELECT 'audit records', sum(sequence) FROM audit_head
UNION ALL SELECT 'reference numbers of erased lists', count(*) FROM entry WHERE erased_at IS NOT NULL
UNION ALL SELECT 'candidates of closed deployments', count(*)
          FROM candidate c JOIN deployment d ON d.id = c.deployment_id WHERE d.state = 'closed'
UNION ALL SELECT 'searched frames', count(*) FROM searched_frame
UNION ALL SELECT 'certificates', count(*) FROM certificate
UNION ALL SELECT 'pairs for tests', count(*) FROM test_pair
UNION ALL SELECT 'tests of reviewers', count(*) FROM test_candidate
UNION ALL SELECT 'reviews', count(*) FROM review
UNION ALL SELECT 'withdrawals', count(*) FROM withdrawal
UNION ALL SELECT 'outcomes', count(*) FROM outcome
UNION ALL SELECT 'holds of evidence', count(*) FROM evidence_hold
UNION ALL SELECT 'groups in counts', sum(counted) FROM group_count
UNION ALL SELECT 'groups in sums', sum(counted) FROM group_margin
UNION ALL SELECT 'published records', count(*) FROM published_record
UNION ALL SELECT 'published tables of groups', count(*) FROM group_batch
UNION ALL SELECT 'groups of false candidates in counts', sum(counted) FROM false_group
UNION ALL SELECT 'suspensions', count(*) FROM suspension
"""


class HoldingTables:
    """Counts of what is held, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def deployments_held(self) -> list[DeploymentHeld]:
        """Deployments that are not closed, or of which evidence is left; oldest first."""
        return [DeploymentHeld(**row) for row in self._session.rows(_DEPLOYMENTS)]

    def lists_held(self) -> list[ListHeld]:
        """Lists that are not erased; oldest first."""
        return [ListHeld(**row) for row in self._session.rows(_LISTS, {"within": CLOSE_WITHIN})]

    def backups_waiting(self) -> list[tuple[str, datetime]]:
        """Certificates whose backups are not certified as expired, and when they expire."""
        found = self._session.tuples(
            """
            SELECT c.deployment_id, c.backups_expire_at FROM certificate c
            WHERE NOT EXISTS (SELECT FROM backup_certificate b WHERE b.deployment_id = c.deployment_id)
            ORDER BY c.backups_expire_at, c.deployment_id
            """
        )
        return [(str(deployment_id), expire_at) for deployment_id, expire_at in found]

    def deployments_of(self, candidate_ids: Sequence[str]) -> dict[str, str]:
        """Which deployment each of these candidates, or suspensions, belongs to; what is not there is left out."""
        found = self._session.tuples(
            """
            SELECT id, deployment_id FROM candidate WHERE id = ANY (%(candidates)s)
            UNION ALL SELECT id, deployment_id FROM suspension WHERE id = ANY (%(candidates)s)
            """,
            {"candidates": list(candidate_ids)},
        )
        return {str(candidate): str(deployment) for candidate, deployment in found}

    def correlations(self, candidate_ids: Sequence[str]) -> dict[str, str]:
        """The correlation id of each one's frame; what is no candidate is left out."""
        found = self._session.tuples(
            "SELECT id, correlation_id FROM candidate WHERE id = ANY (%(candidates)s)",
            {"candidates": list(candidate_ids)},
        )
        return {str(candidate): str(correlation) for candidate, correlation in found}

    def live(self) -> set[str]:
        """Deployments that are active."""
        found = self._session.tuples("SELECT id FROM deployment WHERE state = 'active'")
        return {str(row[0]) for row in found}

    def kept(self) -> dict[str, int]:
        """What stays for good, by name."""
        return {str(name): int(count or 0) for name, count in self._session.tuples(_KEPT)}
