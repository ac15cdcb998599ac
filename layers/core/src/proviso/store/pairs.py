"""The pairs of pictures that tests of reviewers are made of (S19): rows of enrol, read by review."""

from datetime import datetime
from typing import Any, LiteralString

from proviso.domain.pairs import Pair
from proviso.store.audit import AuditTable
from proviso.store.connection import Connector, Session, Store
from proviso.store.people import PeopleTable

_PAIRS: LiteralString = """
SELECT id, mated, similarity, consent_reference AS consent, probe_key, probe_face, reference_key, reference_face,
       added_by, added_at, removed_at
FROM test_pair
"""
_ADD = """
INSERT INTO test_pair (id, mated, similarity, consent_reference, probe_key, probe_face, reference_key, reference_face,
                       added_by, added_at)
VALUES (%(id)s, %(mated)s, %(similarity)s, %(consent)s, %(probe_key)s, %(probe_face)s, %(reference_key)s,
        %(reference_face)s, %(added_by)s, %(added_at)s)
"""
_REMOVE = """
UPDATE test_pair SET removed_at = %(at)s, probe_key = '', reference_key = ''
WHERE id = %(pair)s AND removed_at IS NULL
"""


class PostgresPairWork(PeopleTable, AuditTable):
    """PairWork."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_pair(self, pair: Pair) -> None:
        """A new pair. RuleBroken when its keys are not those of its own pictures."""
        names = ("id", "mated", "similarity", "consent", "probe_key", "reference_key", "added_by", "added_at")
        faces = {"probe_face": list(pair.probe_face), "reference_face": list(pair.reference_face)}
        self._session.change(_ADD, {**{name: getattr(pair, name) for name in names}, **faces})

    def pairs(self) -> list[Pair]:
        """All there ever were, newest first."""
        return [_pair(row) for row in self._session.rows(_PAIRS + "ORDER BY added_at DESC, id")]

    def pair(self, pair_id: str) -> Pair | None:
        """One pair."""
        found = self._session.row(_PAIRS + "WHERE id = %(pair)s", {"pair": pair_id})
        return _pair(found) if found else None

    def remove_pair(self, pair_id: str, at: datetime) -> bool:
        """Empty its keys. False when it is removed already, or not there."""
        return self._session.change(_REMOVE, {"pair": pair_id, "at": at}) == 1


class PostgresPairStore(Store[PostgresPairWork]):
    """PairStore."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, PostgresPairWork)


def _pair(row: dict[str, Any]) -> Pair:
    faces = {"probe_face": tuple(row["probe_face"]), "reference_face": tuple(row["reference_face"])}
    return Pair(**{**row, **faces})
