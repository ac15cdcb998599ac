"""Monitoring (S26, S27): the database counts, tests and suspends; here it is read, and a review is written.

What suspends has no way in from here: no login role may write a suspension but for its review and for the note that it
stands in the audit.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString

from proviso.domain.monitoring import Cause, Suspension
from proviso.domain.reasons import Reason, Refused
from proviso.store.connection import RuleBroken, Session
from proviso.store.deployments import HOLD_DEPLOYMENT

_SUSPENSIONS: LiteralString = """
SELECT s.id, s.deployment_id, s.operator, s.pipeline, s.kind, s.figures, s.suspended_at, s.stopped, s.reviewed_by,
       s.reviewed_at, s.finding
FROM suspension s
"""
_OF_THE_SAME: LiteralString = (
    _SUSPENSIONS
    + """
    JOIN deployment d ON d.id = %(deployment)s AND s.pipeline = d.pipeline AND s.operator = operator_of(d.grounds)
    """
)
_NEWEST_FIRST: LiteralString = "ORDER BY s.suspended_at DESC, s.id"


class MonitoringTables:
    """MonitoringWork."""

    _session: Session

    def monitoring(self, deployment_id: str) -> Mapping[str, Any] | None:
        """The figures, counted and worked out by the database."""
        found: Mapping[str, Any] | None = self._session.value(
            "SELECT monitoring_of(%(deployment)s)", {"deployment": deployment_id}
        )
        return found

    def suspensions(self, deployment_id: str | None = None) -> list[Suspension]:
        """Of a deployment's operator and pipeline, or all; newest first."""
        if deployment_id is None:
            return _made(self._session.rows(_SUSPENSIONS + _NEWEST_FIRST))
        return _made(self._session.rows(_OF_THE_SAME + _NEWEST_FIRST, {"deployment": deployment_id}))

    def suspension(self, suspension_id: str) -> Suspension | None:
        """One of them."""
        found = self._session.rows(_SUSPENSIONS + "WHERE s.id = %(id)s", {"id": suspension_id})
        return _made(found)[0] if found else None

    def suspended(self, deployment_id: str) -> Refused | None:
        """Which of its operator and pipeline wait for a review."""
        waiting = [one.id for one in reversed(self.suspensions(deployment_id)) if one.reviewed_at is None]
        return Refused(Reason.SUSPENDED, ", ".join(waiting)) if waiting else None

    def review_suspension(self, suspension_id: str, by: str, at: datetime, finding: str) -> Refused | None:
        """What somebody found. The database asks once more who may, and sets its own time."""
        try:
            with self._session.attempt():
                changed = self._session.change(
                    """
                    UPDATE suspension SET reviewed_by = %(by)s, reviewed_at = %(at)s, finding = %(finding)s
                    WHERE id = %(id)s AND reviewed_at IS NULL
                    """,
                    {"id": suspension_id, "by": by, "at": at, "finding": finding},
                )
        except RuleBroken as broken:
            if broken.rule != "PV126":
                raise
            return Refused(Reason.SAME_PERSON, "another authoriser reviews a suspension than who asked or authorised")
        return None if changed == 1 else Refused(Reason.WRONG_STATE, "it is reviewed already")

    def authorisers(self) -> frozenset[str]:
        """Everybody with that role."""
        found = self._session.tuples("SELECT sub FROM person WHERE 'authoriser' = ANY (roles)")
        return frozenset(str(row[0]) for row in found)


class SuspensionTable:
    """SuspensionWork."""

    _session: Session

    def to_look_at(self) -> list[str]:
        """Active deployments, and others at which somebody should have looked."""
        return [str(row[0]) for row in self._session.tuples("SELECT to_look_at()")]

    def look_at(self, deployment_id: str) -> None:
        """What it finds it writes. In a transaction of its own: it holds up who else is looked at."""
        self._session.tuples("SELECT look_again(%(deployment)s)::text", {"deployment": deployment_id})

    def to_stop(self) -> list[str]:
        """Suspended while somebody was in it, and live still."""
        return [str(row[0]) for row in self._session.tuples("SELECT to_stop()")]

    def stop_suspended(self, deployment_id: str) -> None:
        """Stop it. Waits for searches that have begun, as every stop does."""
        given = {"deployment": deployment_id}
        self._session.tuples(HOLD_DEPLOYMENT, given)
        self._session.tuples("SELECT stop_suspended(%(deployment)s)::text", given)

    def unaudited_suspensions(self) -> list[Suspension]:
        """Oldest first."""
        return _made(self._session.rows(_SUSPENSIONS + "WHERE s.audited_at IS NULL ORDER BY s.suspended_at, s.id"))

    def suspensions_of(self, deployment_id: str) -> list[str]:
        """Their ids."""
        found = self._session.tuples(
            "SELECT id FROM suspension WHERE deployment_id = %(deployment)s ORDER BY id", {"deployment": deployment_id}
        )
        return [str(row[0]) for row in found]

    def suspension_audited(self, suspension_id: str, at: datetime) -> bool:
        """Once."""
        return (
            self._session.change(
                "UPDATE suspension SET audited_at = %(at)s WHERE id = %(id)s AND audited_at IS NULL",
                {"id": suspension_id, "at": at},
            )
            == 1
        )


def _made(found: list[dict[str, Any]]) -> list[Suspension]:
    return [Suspension(**{**row, "kind": Cause(row["kind"])}) for row in found]
