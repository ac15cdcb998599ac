"""The store of retain: ending, expiring, erasing and certifying (S04, S18, S23, S31).

Erasing leaves counts, states, digests and reference numbers, so that "was I on it?" can be answered (S31) and the
record can be published; it leaves nothing by which a face could be found or a person named.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import LiteralString

from psycopg.types.json import Jsonb

from proviso.domain.candidate import Candidate
from proviso.domain.deployment import LIVE, OVER, Deployment, DeploymentState
from proviso.domain.errors import Fault
from proviso.domain.notice import Kind
from proviso.domain.outcome import ASKED_FOR
from proviso.domain.ports import StopRecord
from proviso.domain.retention import Certificate, StoreCount
from proviso.store import rows
from proviso.store.audit import AnchorTable, AuditTable
from proviso.store.certificates import CertificateTable
from proviso.store.connection import Connector, Session, Store
from proviso.store.erasures import ERASE_LIST, ErasureTables
from proviso.store.holdings import HoldingTables
from proviso.store.leftovers import LeftoverTables
from proviso.store.monitoring import SuspensionTable
from proviso.store.people import PeopleTable
from proviso.store.record import RecordTables

_EXPIRE = """
UPDATE candidate SET state = 'expired'
WHERE id IN (
    SELECT id FROM candidate WHERE state = 'raised' AND decide_by <= %(now)s ORDER BY id FOR UPDATE SKIP LOCKED
)
RETURNING id
"""
_UNANSWERED = """
SELECT c.id, c.deployment_id FROM candidate c
WHERE c.state IN ('confirmed', 'withdrawn') AND c.decided_at + %(asked_for)s <= LEAST(%(now)s, clock_timestamp())
  AND NOT EXISTS (SELECT FROM outcome o WHERE o.candidate_id = c.id)
ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
"""
_NOT_RECORDED = """
INSERT INTO outcome (id, candidate_id, result, action, recorded_by, recorded_at)
SELECT c.id || '/not-recorded', c.id, 'not_recorded', 'none', 'function:retain', LEAST(%(now)s, clock_timestamp())
FROM candidate c
WHERE c.id = ANY (%(candidates)s) AND NOT EXISTS (SELECT FROM outcome o WHERE o.candidate_id = c.id)
RETURNING candidate_id
"""
_NEXT_OUTCOME = """
SELECT min(c.decided_at) + %(asked_for)s FROM candidate c
WHERE c.state IN ('confirmed', 'withdrawn') AND NOT EXISTS (SELECT FROM outcome o WHERE o.candidate_id = c.id)
"""
_UNPUT = """
SELECT c.id, useful_until, COALESCE(e.category, '')
FROM candidate c
JOIN deployment d ON d.id = c.deployment_id
LEFT JOIN entry e ON e.id = c.entry_id AND e.erased_at IS NULL
LEFT JOIN withdrawal w ON w.candidate_id = c.id
CROSS JOIN LATERAL (
    SELECT CASE c.state
        WHEN 'raised' THEN c.decide_by
        WHEN 'confirmed' THEN
            LEAST(c.decided_at + make_interval(secs => (d.policy ->> 'notice_useful_s')::integer), d.ends_at,
                  d.search_until)
        WHEN 'withdrawn' THEN w.withdrawn_at + interval '24 hours'
    END AS useful_until
) AS useful
WHERE %(now)s < useful_until
  AND (d.state = 'active' AND c.state IN ('raised', 'confirmed') OR d.state <> 'closed' AND c.state = 'withdrawn')
"""
_ERASE_OWN: tuple[LiteralString, ...] = (
    """
    DELETE FROM runner_up USING candidate c WHERE c.id = candidate_id AND c.deployment_id = %(deployment)s
    """,
    """
    UPDATE candidate SET evidence_key = ''
    WHERE deployment_id = %(deployment)s AND evidence_key <> '' AND NOT is_held(id)
    """,
    """
    UPDATE review r SET reason = '' FROM candidate c
    WHERE c.id = r.candidate_id AND c.deployment_id = %(deployment)s AND r.reason <> ''
    """,
    """
    UPDATE withdrawal w SET reason = '' FROM candidate c
    WHERE c.id = w.candidate_id AND c.deployment_id = %(deployment)s AND w.reason <> ''
    """,
    # Which of them have a reason left is not for retain to read: all that were answered.
    "UPDATE test_candidate SET reason = '' WHERE deployment_id = %(deployment)s AND decided_at IS NOT NULL",
)
_CLOSE = """
WITH closing AS (
    UPDATE deployment SET state = 'closed', closed_at = %(at)s, closed_by = %(by)s
    WHERE id = %(deployment)s AND state IN ('stopped', 'ended')
    RETURNING id
)
INSERT INTO certificate (deployment_id, watchlist_id, counts, verified_at, backups_expire_at, held)
SELECT id, %(watchlist)s, %(counts)s, %(at)s, %(backups)s, %(held)s FROM closing
"""
_CERTIFY_BACKUPS = """
INSERT INTO backup_certificate (deployment_id, verified_at)
SELECT c.deployment_id, %(at)s FROM certificate c JOIN deployment d ON d.id = c.deployment_id
WHERE c.deployment_id = %(deployment)s AND d.state = 'closed'
  AND c.backups_expire_at <= LEAST(%(at)s, clock_timestamp())
ON CONFLICT DO NOTHING
"""


class PostgresRetainWork(
    ErasureTables,
    PeopleTable,
    AuditTable,
    AnchorTable,
    CertificateTable,
    HoldingTables,
    LeftoverTables,
    RecordTables,
    SuspensionTable,
):
    """RetainWork."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def carry_out_stop(self, record: StopRecord, now: datetime) -> list[Deployment]:
        """The stop that was asked for while the database was away. "All" means all that were there when it was said."""
        states = [state.value for state in LIVE]
        said_before = record.at if record.deployment_id is None else None
        return self._finish("stopped", states, record.actor, now, only=record.deployment_id, requested_by=said_before)

    def expire_candidates(self, now: datetime) -> list[str]:
        """raised → expired when the time to decide is over. One that is being decided right now is left alone."""
        return sorted(row[0] for row in self._session.tuples(_EXPIRE, {"now": now}))

    def close_outcomes(self, now: datetime) -> dict[str, list[str]]:
        """ "Not recorded" for those of which nobody said anything in time, by both clocks; by deployment. One that is
        being answered right now is left alone."""
        given = {"now": now, "asked_for": ASKED_FOR}
        unanswered = dict(self._session.tuples(_UNANSWERED, given))
        closed: dict[str, list[str]] = defaultdict(list)
        for (candidate_id,) in self._session.tuples(_NOT_RECORDED, {"now": now, "candidates": list(unanswered)}):
            closed[unanswered[candidate_id]].append(candidate_id)
        return dict(closed)

    def next_outcome(self) -> datetime | None:
        """When the first that nobody has answered is closed."""
        found: datetime | None = self._session.value(_NEXT_OUTCOME, {"asked_for": ASKED_FOR})
        return found

    def unput_notices(self, now: datetime) -> list[tuple[Candidate, str, Kind, datetime, str]]:
        """Of active deployments: raised ones until they must be decided, confirmed ones while the notice is of use. Of
        all that are not closed: what was withdrawn within a day. The last is the entry's category, empty once erased.
        """
        until = {row[0]: row[1:] for row in self._session.tuples(_UNPUT, {"now": now})}
        found = self._session.rows(
            rows.CANDIDATES + "WHERE c.id = ANY (%(wanted)s) ORDER BY c.raised_at, c.id", {"wanted": list(until)}
        )
        return [
            (rows.candidate(row), row["message_prefix"], Kind(row["state"]), *until[row["id"]])
            for row in found
            if row["state"] in set(Kind)
        ]

    def to_close(self, now: datetime) -> list[str]:
        """Over by now and not closed, whenever that was written down; the one that was over first comes first."""
        found = self._session.tuples(
            """
            SELECT id FROM deployment
            WHERE state IN ('stopped', 'ended') AND LEAST(finished_at, ends_at, search_until) <= %(now)s
            ORDER BY finished_at, id
            """,
            {"now": now},
        )
        return [row[0] for row in found]

    def candidates_of(self, deployment_id: str) -> list[str]:
        """The ids of all its candidates."""
        found = self._session.tuples(
            "SELECT id FROM candidate WHERE deployment_id = %(deployment)s ORDER BY id", {"deployment": deployment_id}
        )
        return [row[0] for row in found]

    def other_uses(self, watchlist_id: str, deployment_id: str) -> bool:
        """Is the list still needed by another deployment that is not closed?"""
        return bool(
            self._session.value(
                "SELECT list_used_by_another(%(watchlist)s, %(deployment)s)",
                {"watchlist": watchlist_id, "deployment": deployment_id},
            )
        )

    def erase(self, deployment_id: str) -> str | None:
        """Delete what the deployment holds of its own and, unless another still needs it, its list.

        The list's id, or None when the list stays. Doing it again changes nothing. Fault when it is not over.
        """
        deployment = self.deployment(deployment_id, lock=True)
        if deployment is None or deployment.state not in (*OVER, DeploymentState.CLOSED):
            raise Fault(f"deployment {deployment_id} is not over, so nothing of it is erased")
        given = {"deployment": deployment_id, "watchlist": deployment.watchlist_id}
        for statement in _ERASE_OWN:
            self._session.change(statement, given)
        # A new deployment on this list waits for this lock, and then finds the list erased.
        self._session.rows("SELECT id FROM watchlist WHERE id = %(watchlist)s FOR UPDATE", given)
        if self.other_uses(deployment.watchlist_id, deployment_id):
            return None
        for statement in ERASE_LIST:
            self._session.change(statement, given)
        return deployment.watchlist_id

    def left(self, deployment_id: str) -> list[StoreCount]:
        """What is left, by table. The list's tables are named only where nobody else needs the list any more."""
        found = self._session.tuples(
            "SELECT store, still FROM deployment_left(%(deployment)s)", {"deployment": deployment_id}
        )
        return [StoreCount(store, still) for store, still in found]

    def close(self, certificate: Certificate, by: str) -> None:
        """→ closed, with its certificate. RuleBroken when a count is not zero; Fault when it is not over."""
        changed = self._session.change(
            _CLOSE,
            {
                "deployment": certificate.deployment_id,
                "watchlist": certificate.watchlist_id,
                "counts": Jsonb([asdict(count) for count in certificate.counts]),
                "at": certificate.verified_at,
                "backups": certificate.backups_expire_at,
                "by": by,
                "held": certificate.held,
            },
        )
        if changed != 1:
            raise Fault(f"deployment {certificate.deployment_id} is not over, or is closed already")

    def pointers(self, deployment_id: str) -> list[str]:
        """Keys of the evidence pictures that its candidates name."""
        found = self._session.tuples(
            """
            SELECT evidence_key FROM candidate WHERE deployment_id = %(deployment)s AND evidence_key <> ''
            ORDER BY evidence_key
            """,
            {"deployment": deployment_id},
        )
        return [str(key) for (key,) in found]

    def backups_due(self, now: datetime) -> list[str]:
        """Closed deployments whose last backup has expired by now and is not certified."""
        return [deployment_id for deployment_id, expire_at in self.backups_waiting() if expire_at <= now]

    def certify_backups(self, deployment_id: str, at: datetime) -> bool:
        """The second certificate. False when it is not time yet, by the database's clock too, or when it is there."""
        return self._session.change(_CERTIFY_BACKUPS, {"deployment": deployment_id, "at": at}) == 1

    def hold_ends(self, deployment_id: str) -> datetime | None:
        """When the first of the holds ends that stand on its evidence, by the clock that decides about them."""
        found: datetime | None = self._session.value(
            """
            SELECT min(h.until) FROM evidence_hold h JOIN candidate c ON c.id = h.candidate_id
            WHERE c.deployment_id = %(deployment)s AND c.evidence_key <> '' AND h.released_at IS NULL
              AND clock_timestamp() < h.until
            """,
            {"deployment": deployment_id},
        )
        return found

    def searched(self, frame_keys: Sequence[str]) -> set[str]:
        """Those of these frames that have a searched frame's row."""
        found = self._session.tuples(
            "SELECT frame_key FROM searched_frame WHERE frame_key = ANY (%(keys)s)", {"keys": list(frame_keys)}
        )
        return {str(key) for (key,) in found}

    def folded_until(self) -> str | None:
        """The last hour of the ledger that is folded."""
        found = self._session.value("SELECT max(hour) FROM ledger_fold")
        return None if found is None else str(found)

    def fold(self, hours: Sequence[str], frames: int, at: datetime) -> bool:
        """Note the last of these hours, unless one of them is folded already. Two runs wait for one another here."""
        self._session.value("SELECT pg_advisory_xact_lock(hashtext('proviso ledger fold'))")
        folded = self.folded_until()
        if folded is not None and folded >= hours[0]:
            return False
        self._session.change(
            "INSERT INTO ledger_fold (hour, frames, folded_at) VALUES (%(hour)s, %(frames)s, %(at)s)",
            {"hour": hours[-1], "frames": frames, "at": at},
        )
        return True

    def without_row(self, evidence_keys: Sequence[str]) -> list[str]:
        """Those of these keys that no candidate names."""
        found = self._session.tuples(
            """
            SELECT given.key FROM unnest(%(keys)s::text[]) AS given (key)
            WHERE NOT EXISTS (SELECT FROM candidate WHERE evidence_key = given.key)
            """,
            {"keys": list(evidence_keys)},
        )
        return [str(key) for (key,) in found]

    def pair_pictures(self) -> dict[str, datetime]:
        """The pictures that pairs for tests of reviewers name (S19), and when each pair was added."""
        found = self._session.tuples(
            """
            SELECT key, added_at FROM test_pair CROSS JOIN LATERAL (VALUES (probe_key), (reference_key)) AS k (key)
            WHERE removed_at IS NULL
            """
        )
        return {str(key): added_at for key, added_at in found}


class PostgresRetainStore(Store[PostgresRetainWork]):
    """RetainStore."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, PostgresRetainWork)
