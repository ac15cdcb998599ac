"""The public record in the database (S32): counts that may be published, and what was published, byte for byte."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from proviso.domain.record import Published, Why
from proviso.domain.record_ports import Batch
from proviso.domain.suppression import Counts
from proviso.store.connection import Session

# Only what is closed. Final when outcomes are closed and the last backup has expired; later changes make a correction.
_DUE: LiteralString = """
SELECT d.id, CASE
    WHEN p.revision IS NULL THEN 'closed'
    WHEN p.put = 'taken' THEN 'restored'
    WHEN NOT p.settled THEN 'final'
    ELSE 'corrected' END
FROM deployment d
LEFT JOIN LATERAL (
    SELECT revision, settled, put, published_at FROM published_record
    WHERE deployment_id = d.id ORDER BY revision DESC LIMIT 1
) AS p ON true
WHERE d.state = 'closed' AND (
    p.revision IS NULL OR p.put = 'taken'
    OR NOT p.settled
       AND EXISTS (SELECT FROM backup_certificate b WHERE b.deployment_id = d.id)
       AND NOT EXISTS (SELECT FROM candidate c WHERE c.deployment_id = d.id AND NOT fate_is_known(c.id))
    OR p.settled AND EXISTS (
        SELECT FROM candidate c
        LEFT JOIN withdrawal w ON w.candidate_id = c.id LEFT JOIN outcome o ON o.candidate_id = c.id
        WHERE c.deployment_id = d.id AND (w.withdrawn_at > p.published_at OR o.recorded_at > p.published_at)
    )
)
ORDER BY d.closed_at, d.id
"""
_RECORDS: LiteralString = "SELECT deployment_id, revision, body, settled, put FROM published_record\n"
_LATEST: LiteralString = """
SELECT DISTINCT ON (deployment_id) deployment_id, revision, body, settled, put FROM published_record
WHERE put = 'put' ORDER BY deployment_id, revision DESC
"""
_UNBATCHED: LiteralString = """
SELECT DISTINCT ON (p.deployment_id) p.body FROM published_record p
WHERE p.settled AND p.put = 'put'
  AND NOT EXISTS (SELECT FROM group_batch_member m WHERE m.deployment_id = p.deployment_id)
  AND NOT EXISTS (SELECT FROM demographics g JOIN candidate c ON c.id = g.candidate_id
                  WHERE c.deployment_id = p.deployment_id)
ORDER BY p.deployment_id, p.revision
"""
_BATCHES: LiteralString = """
SELECT operator, number, operator || '-' || number AS name, body FROM group_batch
WHERE (put = 'waiting') = %(waiting)s AND put <> 'taken' ORDER BY operator, number
"""


class RecordTables:
    """RecordWork, mixed into retain's work."""

    _session: Session

    def records_due(self) -> list[tuple[str, Why]]:
        """Those of which a revision is to be published, the one that was closed first before others."""
        return [(str(row[0]), Why(row[1])) for row in self._session.tuples(_DUE)]

    def record_counts(self, deployment_id: str) -> dict[str, Any]:
        """Numbers, times, states and digests of a closed deployment. RuleBroken when it is not closed."""
        found: dict[str, Any] = self._session.value("SELECT record_counts(%(id)s)", {"id": deployment_id})
        return found

    def last_record(self, deployment_id: str) -> Published | None:
        """Its last revision, wherever that lies."""
        row = self._session.row(
            _RECORDS + "WHERE deployment_id = %(id)s ORDER BY revision DESC LIMIT 1", {"id": deployment_id}
        )
        return _published(row) if row else None

    def add_record(self, record: Published, why: Why, at: datetime) -> None:
        """Keep a revision. RuleBroken when it does not follow the one before, or its deployment is not closed."""
        self._session.change(
            """
            INSERT INTO published_record (deployment_id, revision, why, settled, body, digest, published_at)
            VALUES (%(id)s, %(revision)s, %(why)s, %(settled)s, %(body)s, %(digest)s, %(at)s)
            """,
            {
                "id": record.deployment_id,
                "revision": record.revision,
                "why": why.value,
                "settled": record.settled,
                "body": record.body,
                "digest": hashlib.sha256(record.body).hexdigest(),
                "at": at,
            },
        )

    def records_waiting(self) -> list[Published]:
        """Revisions that are to be put, in their order."""
        found = self._session.rows(_RECORDS + "WHERE put = 'waiting' ORDER BY deployment_id, revision")
        return [_published(row) for row in found]

    def mark_record(self, deployment_id: str, revision: int, put: str) -> None:
        """It lies in the bucket, or another does there."""
        self._session.change(
            """
            UPDATE published_record SET put = %(put)s
            WHERE deployment_id = %(id)s AND revision = %(revision)s AND put = 'waiting'
            """,
            {"id": deployment_id, "revision": revision, "put": put},
        )

    def latest_records(self) -> list[Published]:
        """Of each deployment the last revision that lies in the bucket."""
        return [_published(row) for row in self._session.rows(_LATEST)]

    def unbatched(self) -> list[bytes]:
        """The first final record of each deployment that is in no batch, when nothing of it waits to be counted."""
        return [bytes(row[0]) for row in self._session.tuples(_UNBATCHED)]

    def batch_margins(self, deployment_ids: Sequence[str]) -> dict[str, Counts]:
        """By axis, (group, truth) → candidates of these deployments together. RuleBroken for few, or for a member."""
        found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        rows = self._session.tuples(
            "SELECT axis, value, truth, counted FROM batch_margins(%(ids)s)", {"ids": list(deployment_ids)}
        )
        for axis, value, truth, counted in rows:
            found[axis][value, truth] = int(counted)
        return dict(found)

    def next_batch_number(self, operator: str) -> int:
        """Batches of an operator are numbered from 1."""
        found: int = self._session.value(
            "SELECT COALESCE(max(number), 0) + 1 FROM group_batch WHERE operator = %(operator)s", {"operator": operator}
        )
        return found

    def add_batch(self, batch: Batch, deployment_ids: Sequence[str], at: datetime) -> None:
        """Keep a batch and its members. RuleBroken when one of them is in a batch already."""
        given = {"operator": batch.operator, "number": batch.number}
        self._session.change(
            """
            INSERT INTO group_batch (operator, number, body, digest, published_at)
            VALUES (%(operator)s, %(number)s, %(body)s, %(digest)s, %(at)s)
            """,
            {**given, "body": batch.body, "digest": hashlib.sha256(batch.body).hexdigest(), "at": at},
        )
        self._session.change(
            """
            INSERT INTO group_batch_member (deployment_id, operator, number)
            SELECT unnest(%(ids)s::text[]), %(operator)s, %(number)s
            """,
            {**given, "ids": list(deployment_ids)},
        )

    def batches(self, *, waiting: bool) -> list[Batch]:
        """Those that wait to be put, or those that lie in the bucket."""
        found = self._session.rows(_BATCHES, {"waiting": waiting})
        return [Batch(row["operator"], row["number"], row["name"], bytes(row["body"])) for row in found]

    def mark_batch(self, batch: Batch, put: str) -> None:
        """It lies in the bucket, or another does there."""
        self._session.change(
            """
            UPDATE group_batch SET put = %(put)s
            WHERE operator = %(operator)s AND number = %(number)s AND put = 'waiting'
            """,
            {"operator": batch.operator, "number": batch.number, "put": put},
        )


def _published(row: dict[str, Any]) -> Published:
    return Published(**{**row, "body": bytes(row["body"])})
