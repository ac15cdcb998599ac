"""What is kept of listed people for good, for "was I on it?", and the audit's records about one of them (S30, S31).

Read under govern's login role, which may see of a candidate that and when it was raised, and neither whom it resembled
nor how much.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from proviso.domain.audit import AuditRecord
from proviso.domain.subjects import EvidenceState, Listed, ListUse, Raised, candidates_of_slip
from proviso.store.connection import Session

_LISTED: LiteralString = """
SELECT id AS entry_id, watchlist_id, reference_no, category, added_at, removed_at, erased_at FROM entry
"""
_USE: LiteralString = """
d.id AS deployment_id, d.watchlist_id, d.grounds ->> 'operator_name' AS operator, d.use, d.place, d.starts_at,
d.ends_at, d.started_at, d.finished_at, d.state
"""
_RAISED: LiteralString = """
c.id AS candidate_id, c.entry_id, c.deployment_id, c.place, c.captured_at, c.raised_at, c.state, c.decided_at,
CASE WHEN c.evidence_key = '' THEN 'deleted'
     WHEN EXISTS (SELECT FROM evidence_hold h WHERE h.candidate_id = c.id AND h.released_at IS NULL
                  AND clock_timestamp() < h.until) THEN 'held'
     ELSE 'kept' END AS evidence
"""
_UNDER_SLIP: LiteralString = """
FROM candidate c
WHERE c.id BETWEEN %(low)s AND %(high)s AND left(c.id, 8) BETWEEN left(%(low)s, 8) AND left(%(high)s, 8)
  AND lower(btrim(c.place)) = lower(btrim(%(place)s)) AND c.captured_at BETWEEN %(since)s AND %(until)s
ORDER BY c.captured_at, c.id
"""


class SubjectTables:
    """Subjects, in one transaction."""

    _session: Session

    def records_about(self, subject: str) -> list[AuditRecord]:
        """The system chain's records whose body holds this pseudonym, in their order."""
        found = self._session.tuples(
            """
            SELECT chain, sequence, body, previous, hash FROM audit_event
            WHERE chain = 'system' AND position(%(subject)s::bytea IN body) > 0 ORDER BY sequence
            """,
            {"subject": subject.encode()},
        )
        return [AuditRecord(*row) for row in found]

    def listed(self, watchlist_id: str, entry_id: str) -> Listed | None:
        """What is kept of an entry, be it erased or not."""
        found = self._session.row(
            _LISTED + "WHERE watchlist_id = %(watchlist)s AND id = %(entry)s",
            {"watchlist": watchlist_id, "entry": entry_id},
        )
        return Listed(**found) if found else None

    def listed_under(self, reference_no: str) -> list[Listed]:
        """Every entry with exactly this reference number, oldest first."""
        found = self._session.rows(
            _LISTED + "WHERE reference_no = %(number)s ORDER BY added_at, id", {"number": reference_no}
        )
        return [Listed(**row) for row in found]

    def uses_of(self, watchlist_ids: Sequence[str]) -> list[ListUse]:
        """The deployments of these lists, in the order of their beginning."""
        found = self._session.rows(
            "SELECT " + _USE + "FROM deployment d WHERE d.watchlist_id = ANY (%(lists)s) ORDER BY d.starts_at, d.id",
            {"lists": list(watchlist_ids)},
        )
        return [ListUse(**row) for row in found]

    def raised_for(self, entry_ids: Sequence[str]) -> list[Raised]:
        """The candidates of these entries, in the order of their time."""
        found = self._session.rows(
            "SELECT " + _RAISED + "FROM candidate c WHERE c.entry_id = ANY (%(entries)s) ORDER BY c.captured_at, c.id",
            {"entries": list(entry_ids)},
        )
        return [_raised(row) for row in found]

    def raised_under(self, slip: str, place: str, since: datetime, until: datetime) -> list[tuple[Raised, ListUse]]:
        """Candidates with this slip, at this place (capitals do not matter), captured between two times."""
        # The range is what the primary key's index serves: hexadecimal digits are in order under any collation. The
        # letters are compared once more, should one order them otherwise after all.
        low, high = candidates_of_slip(slip)
        found = self._session.rows(
            "SELECT " + _RAISED + _UNDER_SLIP,
            {"low": low, "high": high, "place": place, "since": since, "until": until},
        )
        uses = self._session.rows(
            "SELECT " + _USE + "FROM deployment d WHERE d.id = ANY (%(deployments)s)",
            {"deployments": sorted({row["deployment_id"] for row in found})},
        )
        by_id = {row["deployment_id"]: ListUse(**row) for row in uses}
        return [(_raised(row), by_id[row["deployment_id"]]) for row in found]


def _raised(row: dict[str, Any]) -> Raised:
    return Raised(**{**row, "evidence": EvidenceState(row["evidence"])})
