"""What of a review outlives a close, and for how long: reasons of ended holds (S24), groups of single candidates (S28).

No text and no group comes into the process: rows are emptied, or counted and deleted, where they are.
"""

from collections import Counter
from datetime import datetime
from typing import LiteralString

from proviso.domain.outcome import ASKED_FOR
from proviso.domain.retention import CLOSE_WITHIN
from proviso.store.connection import Session

_EMPTY: tuple[LiteralString, ...] = (
    """
    UPDATE evidence_hold h SET reason = '' FROM candidate c JOIN deployment d ON d.id = c.deployment_id
    WHERE c.id = h.candidate_id AND d.state = 'closed' AND h.reason <> ''
      AND (h.released_at IS NOT NULL OR h.until <= clock_timestamp())
    """,
    # Closed before there was a rule for it; and what a removal wrote while its deployment was being closed.
    """
    UPDATE review r SET reason = '' FROM candidate c JOIN deployment d ON d.id = c.deployment_id
    WHERE c.id = r.candidate_id AND d.state = 'closed' AND r.reason <> ''
    """,
    """
    UPDATE withdrawal w SET reason = '' FROM candidate c JOIN deployment d ON d.id = c.deployment_id
    WHERE c.id = w.candidate_id AND d.state = 'closed' AND w.reason <> ''
    """,
)
_COUNT: LiteralString = """
DELETE FROM demographics g USING candidate c WHERE c.id = g.candidate_id AND fate_is_known(c.id)
RETURNING c.deployment_id
"""
_NEXT: LiteralString = """
SELECT min(CASE WHEN fate_is_known(c.id) OR c.decided_at IS NULL THEN %(now)s
                ELSE GREATEST(c.decided_at + %(asked_for)s, %(now)s) END)
FROM demographics g JOIN candidate c ON c.id = g.candidate_id JOIN deployment d ON d.id = c.deployment_id
WHERE d.state IN ('stopped', 'ended', 'closed')
"""
_HELD: LiteralString = """
SELECT count(*), min(gone_by), max(gone_by)
FROM demographics g JOIN candidate c ON c.id = g.candidate_id
JOIN (SELECT id, GREATEST(LEAST(finished_at, ends_at, search_until), requested_at) + %(within)s AS gone_by
      FROM deployment) AS d ON d.id = c.deployment_id
"""


class LeftoverTables:
    """Emptying and counting, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def empty_reasons(self) -> int:
        """Reasons of holds that have ended, of deployments that are closed; how many."""
        return sum(self._session.change(statement) for statement in _EMPTY)

    def count_groups(self) -> dict[str, int]:
        """Make counts of what was said of candidates about which it is known what became of them, and delete it; how
        much, by deployment."""
        return dict(Counter(str(row[0]) for row in self._session.tuples(_COUNT)))

    def next_groups(self, now: datetime) -> datetime | None:
        """When the first of those that are left, of deployments that are over, can be counted; now at the earliest."""
        found: datetime | None = self._session.value(_NEXT, {"asked_for": ASKED_FOR, "now": now})
        return found

    def groups_held(self) -> tuple[int, datetime | None, datetime | None]:
        """How many single candidates' groups there are, and by when the first and the last of them must be gone."""
        [(count, first, last)] = self._session.tuples(_HELD, {"within": CLOSE_WITHIN})
        return int(count), first, last
