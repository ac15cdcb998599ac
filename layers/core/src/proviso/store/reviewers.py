"""How reviewers answered their tests since they were trained (S19). Read with review's rights."""

from datetime import datetime
from typing import LiteralString

from proviso.domain.reviewers import ReviewerAnswers
from proviso.store.connection import Session

# The strictest limit of what is not over; where nothing is, what holds for a policy that says nothing.
_REVIEWERS: LiteralString = """
SELECT p.sub, p.trained_until, NULLIF(p.rated_from, '-infinity') AS rated_from,
       count(*) FILTER (WHERE NOT t.mated AND t.decision IN ('confirm', 'reject')) AS non_mates,
       count(*) FILTER (WHERE NOT t.mated AND t.decision = 'confirm') AS confirmed_non_mates,
       count(*) FILTER (WHERE t.mated AND t.decision IN ('confirm', 'reject')) AS mates,
       count(*) FILTER (WHERE t.mated AND t.decision = 'reject') AS rejected_mates,
       count(*) FILTER (WHERE t.decision = 'cannot_tell') AS cannot_tell,
       (SELECT count(*) FROM test_candidate u JOIN test_pair a ON a.id = u.pair_id
        JOIN deployment d ON d.id = u.deployment_id
        WHERE u.reviewer = p.sub AND u.decision IS NULL AND u.decide_by <= %(now)s AND u.raised_at >= p.rated_from
          AND (a.removed_at IS NULL OR a.removed_at > u.decide_by)
          AND (d.finished_at IS NULL OR d.finished_at > u.decide_by)) AS unanswered,
       l.percent AS limit_percent, errs_too_often(p.sub, l.percent) AS denied
FROM person p
CROSS JOIN (SELECT COALESCE(min((policy ->> 'reviewer_error_limit_percent')::integer), 20) AS percent FROM deployment
            WHERE state IN ('requested', 'authorised', 'warming', 'active')) AS l
LEFT JOIN test_candidate t ON t.reviewer = p.sub AND t.decided_at >= p.rated_from
WHERE 'reviewer' = ANY (p.roles)
GROUP BY p.sub, l.percent ORDER BY p.sub
"""


class ReviewerTable:
    """Reviewers, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def reviewers(self, now: datetime) -> list[ReviewerAnswers]:
        """Everybody with the role, by account."""
        return [ReviewerAnswers(**row) for row in self._session.rows(_REVIEWERS, {"now": now})]
