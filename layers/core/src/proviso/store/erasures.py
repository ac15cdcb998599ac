"""What retain erases beside a closing: evidence past its hours (S24), lists by themselves, and once more what a
restored backup brought back (S23)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from proviso.domain.deployment import LIVE, Deployment
from proviso.domain.retention import ListStanding, StoreCount
from proviso.store.deployments import DeploymentTables

ERASE_LIST: tuple[LiteralString, ...] = (
    """
    DELETE FROM build_reference USING build b WHERE b.id = build_id AND b.watchlist_id = %(watchlist)s
    """,
    "DELETE FROM build_template WHERE watchlist_id = %(watchlist)s",
    "DELETE FROM reference_template WHERE watchlist_id = %(watchlist)s",
    "DELETE FROM reference WHERE watchlist_id = %(watchlist)s",
    """
    UPDATE entry
    SET label = '', reason = '', source = '', lawful_holding = '', image_date = NULL, consent_reference = NULL,
        harm_reason = NULL, erased_at = clock_timestamp()
    WHERE watchlist_id = %(watchlist)s AND erased_at IS NULL
    """,
    """
    UPDATE watchlist SET erased_at = clock_timestamp() WHERE id = %(watchlist)s AND erased_at IS NULL
    """,
)
_LIST_LEFT: LiteralString = """
SELECT 'templates', count(*) FROM reference_template WHERE watchlist_id = %(watchlist)s
UNION ALL SELECT 'templates in builds', count(*) FROM build_template WHERE watchlist_id = %(watchlist)s
UNION ALL SELECT 'references', count(*) FROM reference WHERE watchlist_id = %(watchlist)s
UNION ALL SELECT 'references in builds', count(*)
          FROM build_reference r JOIN build b ON b.id = r.build_id WHERE b.watchlist_id = %(watchlist)s
UNION ALL SELECT 'entry particulars', count(*)
          FROM entry WHERE watchlist_id = %(watchlist)s AND erased_at IS NULL
"""
_EVIDENCE_DUE: LiteralString = """
SELECT c.deployment_id, c.id
FROM candidate c JOIN deployment d ON d.id = c.deployment_id
WHERE c.evidence_key <> '' AND NOT is_held(c.id)
  AND (d.state = 'closed'
       OR c.raised_at + make_interval(hours => COALESCE((d.policy ->> 'evidence_hours')::integer, 0)) <= %(now)s)
ORDER BY c.deployment_id, c.id
"""


class ErasureTables(DeploymentTables):
    """Erasing, in one transaction."""

    # --- evidence ---

    def evidence_due(self, now: datetime) -> dict[str, list[str]]:
        """By deployment, candidates whose evidence has to go: past its hours, or left where a hold has ended."""
        found: dict[str, list[str]] = defaultdict(list)
        for deployment_id, candidate_id in self._session.tuples(_EVIDENCE_DUE, {"now": now}):
            found[deployment_id].append(candidate_id)
        return dict(found)

    def free_evidence(self, candidate_ids: Sequence[str]) -> list[str]:
        """Take away the pointers but where a hold stands; the keys of the pictures that nobody names from now on.

        RuleBroken when a hold was set in this very moment: then none is taken, and the next run sees the hold.
        """
        found = self._session.tuples(
            """
            WITH free AS (
                SELECT id, evidence_key FROM candidate
                WHERE id = ANY (%(candidates)s) AND evidence_key <> '' AND NOT is_held(id)
                ORDER BY id FOR UPDATE
            )
            UPDATE candidate c SET evidence_key = '' FROM free WHERE c.id = free.id
            RETURNING free.evidence_key
            """,
            {"candidates": list(candidate_ids)},
        )
        return sorted(str(key) for (key,) in found)

    # --- lists ---

    def list_standing(self, watchlist_id: str) -> ListStanding | None:
        """What decides whether the list goes by itself."""
        found = self._session.row(
            """
            SELECT id, created_at, delete_requested_at, erased_at, list_used_by_another(id, '') AS used
            FROM watchlist WHERE id = %(watchlist)s
            """,
            {"watchlist": watchlist_id},
        )
        return ListStanding(**found) if found else None

    def lists_due(self, made_by: datetime) -> list[str]:
        """Lists that nobody needs and that are asked to go, or were made by then."""
        found = self._session.tuples(
            """
            SELECT id FROM watchlist
            WHERE erased_at IS NULL AND (delete_requested_at IS NOT NULL OR created_at <= %(made_by)s)
              AND NOT list_used_by_another(id, '')
            ORDER BY id
            """,
            {"made_by": made_by},
        )
        return [str(row[0]) for row in found]

    def erase_list(self, watchlist_id: str, *, replay: bool = False) -> bool:
        """Erase a list under its lock. Doing it again changes nothing. False when a deployment needs it: in a replay
        only a live one does, because what is over was erased once already."""
        given = {"watchlist": watchlist_id}
        # A new deployment on this list waits for this lock, and then finds the list erased.
        self._session.rows("SELECT id FROM watchlist WHERE id = %(watchlist)s FOR UPDATE", given)
        if self._live_users(watchlist_id) if replay else self._used(watchlist_id):
            return False
        for statement in ERASE_LIST:
            self._session.change(statement, given)
        return True

    def list_left(self, watchlist_id: str) -> list[StoreCount]:
        """What is left of a list, by table."""
        found = self._session.tuples(_LIST_LEFT, {"watchlist": watchlist_id})
        return [StoreCount(store, still) for store, still in found]

    # --- after a restore ---

    def contradicted(self, erased: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of these erasures, those that the database does not know of."""
        lists = self._session.tuples(
            "SELECT 'list', id FROM watchlist WHERE id = ANY (%(wanted)s) AND erased_at IS NULL ORDER BY id",
            {"wanted": [name for kind, name in erased if kind == "list"]},
        )
        entries = self._session.tuples(
            "SELECT 'entry', id FROM entry WHERE id = ANY (%(wanted)s) AND removed_at IS NULL ORDER BY id",
            {"wanted": [name for kind, name in erased if kind == "entry"]},
        )
        return [(str(kind), str(name)) for kind, name in (*lists, *entries)]

    def erased(self) -> set[tuple[str, str]]:
        """Erased lists, and removed entries of those that are not."""
        found = self._session.tuples(
            """
            SELECT 'list', id FROM watchlist WHERE erased_at IS NOT NULL
            UNION ALL SELECT 'entry', id FROM entry WHERE removed_at IS NOT NULL AND erased_at IS NULL
            """
        )
        return {(str(kind), str(name)) for kind, name in found}

    def stop_users(self, watchlist_id: str, by: str, now: datetime) -> list[Deployment]:
        """Every live deployment on the list → stopped."""
        states = [state.value for state in LIVE]
        return [
            stopped
            for deployment_id in self._live_users(watchlist_id)
            for stopped in self._finish("stopped", states, by, now, only=deployment_id)
        ]

    def users(self, watchlist_id: str) -> list[str]:
        """The deployments on the list that are over and not closed."""
        return self._users(watchlist_id, ["stopped", "ended"])

    def remove_again(self, entry_id: str, at: datetime) -> str | None:
        """The tombstone of an entry, set again; what waits for a decision about it freezes. Its list, or None when it
        is there already."""
        found = self._session.value(
            """
            UPDATE entry SET removed_at = %(at)s WHERE id = %(entry)s AND removed_at IS NULL RETURNING watchlist_id
            """,
            {"entry": entry_id, "at": at},
        )
        return None if found is None else str(found)

    def _used(self, watchlist_id: str) -> bool:
        query: LiteralString = "SELECT list_used_by_another(%(watchlist)s, '')"
        return bool(self._session.value(query, {"watchlist": watchlist_id}))

    def _live_users(self, watchlist_id: str) -> list[str]:
        return self._users(watchlist_id, [state.value for state in LIVE])

    def _users(self, watchlist_id: str, states: list[str]) -> list[str]:
        found = self._session.tuples(
            "SELECT id FROM deployment WHERE watchlist_id = %(watchlist)s AND state = ANY (%(states)s) ORDER BY id",
            {"watchlist": watchlist_id, "states": states},
        )
        return [str(row[0]) for row in found]
