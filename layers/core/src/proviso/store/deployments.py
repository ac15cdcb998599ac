"""Deployments: asked for, authorised, started, stopped, ended (S02 to S05, rule 9).

A search holds the deployment's row for share. Row locks alone would let a stream of searches hold up a stop for ever,
because PostgreSQL lets a new share pass a waiting writer. So both sides first take an advisory lock of the same name,
shared or alone, whose queue is fair: from the moment that a stop asks, the next search waits behind it (S04). The order
of this lock and all others stands in migrations/0011_monitoring.sql.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from proviso.domain.deployment import LIVE, Deployment
from proviso.domain.reasons import Reason, Refused
from proviso.store import rows
from proviso.store.connection import RuleBroken, Session

SHARE_DEPLOYMENT: LiteralString = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('deployment/' || %(deployment)s, 0))::text
"""
HOLD_DEPLOYMENT: LiteralString = """
SELECT pg_advisory_xact_lock(hashtextextended('deployment/' || %(deployment)s, 0))::text
"""
_HOLD_DEPLOYMENTS: LiteralString = """
SELECT pg_advisory_xact_lock(hashtextextended('deployment/' || id, 0))::text
FROM (SELECT id FROM unnest(%(deployments)s::text[]) AS u (id) ORDER BY id) AS sorted
"""
DEPLOYMENT_OF: LiteralString = "SELECT deployment_id FROM candidate WHERE id = %(candidate)s"
_ADD = """
INSERT INTO deployment (id, state, use, place, premises, starts_at, ends_at, passages_expected, watchlist_id, build_id,
                        pipeline, threshold, policy, calibrated, calibration_id, software_build, grounds,
                        real_time_grounds, burst_frames, requested_by, requested_at, exposure)
VALUES (%(id)s, %(state)s, %(use)s, %(place)s, %(premises)s, %(starts_at)s, %(ends_at)s, %(passages_expected)s,
        %(watchlist_id)s, %(build_id)s, %(pipeline)s, %(threshold)s, %(policy)s, %(calibrated)s, %(calibration_id)s,
        %(software_build)s, %(grounds)s, %(real_time)s, %(burst_frames)s, %(requested_by)s, %(requested_at)s,
        %(exposure)s)
"""
_FINISH = """
UPDATE deployment SET state = %(state)s, finished_at = %(at)s, finished_by = %(by)s
WHERE id = ANY (%(deployments)s) AND state = ANY (%(from)s)
  AND (%(over_by)s::timestamptz IS NULL OR LEAST(ends_at, search_until) <= %(over_by)s)
RETURNING id
"""
_CONDITIONS = {
    "PV007": Reason.BUILD_TOO_OLD,
    "PV008": Reason.POLICY_FORBIDS,
    "PV012": Reason.THRESHOLD_TOO_LOW,
    "PV013": Reason.NOT_CALIBRATED,
    "PV019": Reason.NO_TEST_PAIRS,
    "PV026": Reason.SUSPENDED,
    "PV033": Reason.NOT_ANNOUNCED,
    "PV037": Reason.NO_DECISION,
    "s04_started_in_window": Reason.OUTSIDE_WINDOW,
}


def _missing(broken: RuleBroken) -> Refused:
    """The condition that the database found missing, by its own clock and its own count. Any other rule is a fault."""
    if broken.rule not in _CONDITIONS:
        raise broken
    return Refused(_CONDITIONS[broken.rule], "the database's own clock and count say so")


class DeploymentTables:
    """Deployments, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_deployment(self, deployment: Deployment) -> None:
        """A request with its cameras. RuleBroken when a ground is missing (S02) or the list is erased."""
        names = (
            "id",
            "use",
            "place",
            "premises",
            "starts_at",
            "ends_at",
            "passages_expected",
            "watchlist_id",
            "build_id",
            "pipeline",
            "threshold",
            "calibrated",
            "calibration_id",
            "software_build",
            "burst_frames",
            "requested_by",
            "requested_at",
        )
        self._session.change(
            _ADD,
            {
                **{name: getattr(deployment, name) for name in names},
                "state": deployment.state.value,
                "policy": Jsonb(deployment.policy.as_mapping()),
                "grounds": Jsonb(rows.grounds(deployment.grounds)),
                "real_time": Jsonb(asdict(deployment.real_time)) if deployment.real_time else None,
                "exposure": Jsonb([one.as_mapping() for one in deployment.exposure]),
            },
        )
        self._session.change(
            """
            INSERT INTO deployment_camera (deployment_id, position, camera)
            SELECT %(deployment)s, position, camera
            FROM unnest(%(cameras)s::text[]) WITH ORDINALITY AS u (camera, position)
            """,
            {"deployment": deployment.id, "cameras": list(deployment.cameras)},
        )

    def deployment(self, deployment_id: str, *, lock: bool = False) -> Deployment | None:
        """One deployment. `lock`: no search under it and no other change of it until the transaction ends."""
        given = {"deployment": deployment_id}
        if lock:
            self._hold([deployment_id])
            self._session.rows("SELECT id FROM deployment WHERE id = %(deployment)s FOR UPDATE", given)
        found = self._session.row(rows.DEPLOYMENTS + "WHERE d.id = %(deployment)s", given)
        return rows.deployment(found) if found else None

    def deployments(self) -> list[Deployment]:
        """All, newest request first."""
        found = self._session.rows(rows.DEPLOYMENTS + "ORDER BY d.requested_at DESC, d.id")
        return [rows.deployment(row) for row in found]

    def authorise(self, deployment_id: str, by: str, at: datetime, digest: str) -> Refused | None:
        """requested → authorised, by another person than the requester (S03), before the window is over, and while no
        suspension of its operator and pipeline waits for its review (S26, S27)."""
        try:
            with self._session.attempt():
                changed = self._session.change(
                    """
                    UPDATE deployment
                    SET state = 'authorised', authorised_by = %(by)s, authorised_at = %(at)s,
                        authorised_digest = %(digest)s
                    WHERE id = %(deployment)s AND state = 'requested' AND requested_by <> %(by)s AND %(at)s < ends_at
                    """,
                    {"deployment": deployment_id, "by": by, "at": at, "digest": digest},
                )
        except RuleBroken as broken:
            if broken.rule != "PV026":
                raise
            return Refused(Reason.SUSPENDED)
        return None if changed == 1 else Refused(Reason.WRONG_STATE)

    def begin_warming(self, deployment_id: str, at: datetime) -> Refused | None:
        """authorised → warming. The database asks for every condition of the start once more, by rule (S07 to S37)."""
        given = {"deployment": deployment_id, "at": at}
        try:
            with self._session.attempt():
                changed = self._session.change(
                    """
                    UPDATE deployment SET state = 'warming'
                    WHERE id = %(deployment)s AND state = 'authorised' AND starts_at <= %(at)s AND %(at)s < ends_at
                    """,
                    given,
                )
        except RuleBroken as broken:
            return _missing(broken)
        return None if changed else self._why_not(given, "authorised")

    def activate(self, deployment_id: str, at: datetime) -> Refused | None:
        """warming → active; its cameras are taken in the same statement."""
        given = {"deployment": deployment_id, "at": at}
        try:
            with self._session.attempt():
                changed = self._session.change(
                    """
                    UPDATE deployment SET state = 'active', started_at = %(at)s
                    WHERE id = %(deployment)s AND state = 'warming' AND starts_at <= %(at)s AND %(at)s < ends_at
                    """,
                    given,
                )
        except RuleBroken as broken:
            if broken.rule == "one_active_deployment_a_camera":
                return Refused(Reason.CAMERA_BUSY, ", ".join(self._busy_cameras(deployment_id)))
            return _missing(broken)
        return None if changed else self._why_not(given, "warming")

    def _why_not(self, given: dict[str, Any], expected: str) -> Refused:
        state = self._session.value("SELECT state FROM deployment WHERE id = %(deployment)s", given)
        if state == expected:
            return Refused(Reason.OUTSIDE_WINDOW)
        return Refused(Reason.WRONG_STATE, str(state)) if state else Refused(Reason.NOT_FOUND, "deployment")

    def stop(self, deployment_id: str | None, by: str, at: datetime) -> list[Deployment]:
        """What is live → stopped (None: all of it). Waits for searches that have begun."""
        return self._finish("stopped", [state.value for state in LIVE], by, at, only=deployment_id)

    def end_due(self, now: datetime) -> list[Deployment]:
        """What is over, by its window or because an urgent start was never decided (S37) → ended; what nobody
        authorised → stopped, to be closed."""
        ended = self._finish("ended", ["authorised", "warming", "active"], "the end of its window", now, over_by=now)
        return ended + self._finish("stopped", ["requested"], "the end of its window", now, over_by=now)

    def _finish(
        self,
        state: str,
        states: list[str],
        by: str,
        at: datetime,
        *,
        only: str | None = None,
        over_by: datetime | None = None,
        requested_by: datetime | None = None,
    ) -> list[Deployment]:
        found = self._session.tuples(
            """
            SELECT id FROM deployment
            WHERE state = ANY (%(from)s) AND (%(only)s::text IS NULL OR id = %(only)s)
              AND (%(over_by)s::timestamptz IS NULL OR LEAST(ends_at, search_until) <= %(over_by)s)
              AND (%(requested_by)s::timestamptz IS NULL OR requested_at <= %(requested_by)s)
            ORDER BY id
            """,
            {"from": states, "only": only, "over_by": over_by, "requested_by": requested_by},
        )
        if not found:
            return []
        wanted = [row[0] for row in found]
        self._hold(wanted)
        changed = self._session.tuples(
            _FINISH,
            {"state": state, "at": at, "by": by, "deployments": wanted, "from": states, "over_by": over_by},
        )
        finished = self._session.rows(
            rows.DEPLOYMENTS + "WHERE d.id = ANY (%(deployments)s) ORDER BY d.id",
            {"deployments": [row[0] for row in changed]},
        )
        return [rows.deployment(row) for row in finished]

    def _hold(self, deployment_ids: Sequence[str]) -> None:
        self._session.tuples(_HOLD_DEPLOYMENTS, {"deployments": list(deployment_ids)})

    def _busy_cameras(self, deployment_id: str) -> list[str]:
        found = self._session.tuples(
            """
            SELECT other.camera FROM deployment_camera other JOIN deployment_camera mine USING (camera)
            WHERE mine.deployment_id = %(deployment)s AND other.deployment_id <> %(deployment)s AND other.active
            ORDER BY other.camera
            """,
            {"deployment": deployment_id},
        )
        return [row[0] for row in found]
