"""Calibrations in the database: what comes with a pack, put there at a migration, and site trials (S08, S12, S13, S27).

Written once: nothing changes or deletes a row. Rates of strangers are read one at a time, where a reviewer asks.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from proviso.domain.audit import system_act
from proviso.domain.calibration import LABORATORY, PACK, Calibration, CalibrationPoint, GroupRate, TrialCounts
from proviso.domain.reasons import Reason, Refused
from proviso.domain.trial import Readings, SearchedFrame, Sighting
from proviso.store.audit import AuditTable
from proviso.store.connection import RuleBroken, Session

CALIBRATIONS: LiteralString = """
SELECT c.id, c.pipeline, c.kind, c.site, c.made_at, c.pack, c.data, c.remark, c.fpir_wanted, c.recorded_by, c.trial,
       (SELECT jsonb_agg(to_jsonb(p) - 'calibration_id' ORDER BY p.list_size, p.frames_per_probe)
        FROM calibration_point p WHERE p.calibration_id = c.id) AS points,
       (SELECT jsonb_agg(to_jsonb(g) - 'calibration_id' ORDER BY g.list_size, g.frames_per_probe, g."group")
        FROM calibration_group g WHERE g.calibration_id = c.id) AS groups
FROM calibration c
"""
_ADD = """
INSERT INTO calibration (id, pipeline, kind, site, made_at, recorded_by, data, remark, {more})
VALUES (%(id)s, %(pipeline)s, %(kind)s, %(site)s, %(made_at)s, %(recorded_by)s, %(data)s, %(remark)s, {values})
"""
_ADD_PACK: LiteralString = _ADD.replace("{more}", "pack, fpir_wanted").replace("{values}", "%(pack)s, %(fpir_wanted)s")
_ADD_TRIAL: LiteralString = _ADD.replace("{more}", "deployment_id, trial").replace(
    "{values}", "%(deployment_id)s, %(trial)s"
)
_ADD_POINT = """
INSERT INTO calibration_point (calibration_id, list_size, threshold_floor, face_fpir_low, face_fpir_high,
                               passage_fpir_low, passage_fpir_high, frames_per_probe, worst_list, worst_people,
                               measured_floor)
VALUES (%(calibration)s, %(list_size)s, %(threshold_floor)s, %(face_fpir_low)s, %(face_fpir_high)s,
        %(passage_fpir_low)s, %(passage_fpir_high)s, %(frames_per_probe)s, %(worst_list)s, %(worst_people)s,
        %(measured_floor)s)
"""
_ADD_STRANGER = """
INSERT INTO calibration_stranger (calibration_id, list_size, frames_per_probe, similarity, searches, reached,
                                  once_in_low, once_in_high)
VALUES (%(calibration)s, %(list_size)s, %(frames_per_probe)s, %(similarity)s, %(searches)s, %(reached)s,
        %(once_in_low)s, %(once_in_high)s)
"""
_ADD_GROUP = """
INSERT INTO calibration_group (calibration_id, list_size, frames_per_probe, "group", people, fpir_low, fpir_high,
                               lower_limit, remark)
VALUES (%(calibration)s, %(list_size)s, %(frames_per_probe)s, %(group)s, %(people)s, %(fpir_low)s, %(fpir_high)s,
        %(lower_limit)s, %(remark)s)
"""
# A burst may come down to one frame, so what is said holds for all numbers of frames up to the deployment's own. The
# next similarity below is taken: reaching more is at least as rare.
STRANGER_ONCE_IN = """
WITH asked AS (
    SELECT d.calibration_id, d.burst_frames,
           (SELECT count(DISTINCT entry_id) FROM build_reference b WHERE b.build_id = d.build_id) AS entries
    FROM deployment d WHERE d.id = %(deployment)s
), enough AS (
    SELECT s.calibration_id, s.list_size, s.frames_per_probe
    FROM calibration_stranger s JOIN asked a USING (calibration_id)
    WHERE a.entries > 0 AND s.list_size >= a.entries AND s.frames_per_probe >= a.burst_frames
    ORDER BY s.list_size, s.frames_per_probe LIMIT 1
), near AS (
    SELECT DISTINCT ON (s.frames_per_probe) s.once_in_low, s.once_in_high
    FROM calibration_stranger s JOIN enough e
        ON s.calibration_id = e.calibration_id AND s.list_size = e.list_size
        AND s.frames_per_probe <= e.frames_per_probe
    WHERE s.similarity <= %(similarity)s
    ORDER BY s.frames_per_probe, s.similarity DESC
)
SELECT min(once_in_low) AS low, CASE WHEN bool_and(once_in_high IS NOT NULL) THEN max(once_in_high) END AS high
FROM near HAVING count(*) > 0
"""


class CalibrationTables:
    """CalibrationWork, in one transaction."""

    _session: Session

    def calibration_for(self, pipeline: str) -> Calibration | None:
        """The latest laboratory calibration of exactly this pipeline (S13)."""
        return self._latest("c.kind = 'laboratory' AND c.pipeline = %(pipeline)s", {"pipeline": pipeline})

    def trial_at(self, pipeline: str, place: str) -> Calibration | None:
        """The latest site trial of this pipeline at this place."""
        return self._latest(
            "c.kind = 'site_trial' AND c.pipeline = %(pipeline)s AND c.site = %(place)s",
            {"pipeline": pipeline, "place": place},
        )

    def _latest(self, condition: LiteralString, given: dict[str, Any]) -> Calibration | None:
        found = self._session.row(CALIBRATIONS + "WHERE " + condition + " ORDER BY c.made_at DESC, c.id LIMIT 1", given)
        return calibration(found) if found else None

    def calibrations(self) -> list[Calibration]:
        """All, newest first, without their rates of strangers."""
        return [calibration(row) for row in self._session.rows(CALIBRATIONS + "ORDER BY c.made_at DESC, c.id")]

    def readings(self, deployment_id: str) -> Readings | None:
        """What a deployment recorded; the two functions answer only for one that was a trial and is over."""
        given = {"deployment": deployment_id}
        frames = self._session.tuples("SELECT camera, captured_at, faces FROM trial_frames(%(deployment)s)", given)
        if not frames:
            return None
        seen = self._session.tuples(
            "SELECT camera, captured_at, reference_no FROM trial_sightings(%(deployment)s)", given
        )
        listed = self._session.tuples(
            """
            SELECT e.reference_no FROM deployment d JOIN build b ON b.id = d.build_id
            JOIN entry e ON e.watchlist_id = d.watchlist_id
            WHERE d.id = %(deployment)s AND e.added_at <= b.built_at
              AND (e.removed_at IS NULL OR e.removed_at > d.started_at)
            """,
            given,
        )
        return Readings(
            tuple(Sighting(*row) for row in seen),
            tuple(SearchedFrame(*row) for row in frames),
            frozenset(str(row[0]) for row in listed),
        )

    def record_trial(self, trial: Calibration) -> Refused | None:
        """A site trial with its step. What the database refuses of it is NOT_AS_RECORDED."""
        if trial.trial is None:
            raise ValueError(f"{trial.id} counts no trial")
        try:
            with self._session.attempt():
                self._session.change(
                    _ADD_TRIAL,
                    {
                        **_own(trial),
                        "deployment_id": trial.trial.deployment_id,
                        "trial": Jsonb(asdict(trial.trial)),
                    },
                )
                _points(self._session, trial)
        except RuleBroken as broken:
            if broken.duplicate:
                return Refused(Reason.WRONG_STATE, "the trial of this deployment is recorded already")
            if broken.rule == "PV013":
                return Refused(Reason.NOT_AS_RECORDED, "the database's own count says so")
            raise
        return None


def put_shipped(session: Session, shipped: Iterable[Calibration], clock: Callable[[], datetime]) -> list[str]:
    """Put there what comes with the packs and is not there yet: the ids of what was added, each audited. Done by the
    owner of the tables alone, at a migration; done again it changes nothing."""
    added = []
    for one in shipped:
        if one.kind != LABORATORY:
            raise ValueError(f"{one.id} comes with a pack and is of no laboratory")
        if session.row("SELECT id FROM calibration WHERE id = %(id)s", {"id": one.id}):
            continue
        session.change(_ADD_PACK, {**_own(one), "recorded_by": PACK, "pack": one.pack, "fpir_wanted": one.fpir_wanted})
        _points(session, one)
        for stranger in one.strangers:
            session.change(_ADD_STRANGER, {"calibration": one.id, **asdict(stranger)})
        for group in one.groups:
            session.change(_ADD_GROUP, {"calibration": one.id, **asdict(group)})
        details = {"pack": one.pack, "pipeline": one.pipeline, "kind": one.kind}
        AuditTable(session).audit(system_act(clock(), "function:migrate", "calibration_recorded", one.id, details))
        added.append(one.id)
    return added


def calibration(row: dict[str, Any]) -> Calibration:
    """A row of CALIBRATIONS."""
    points = tuple(
        CalibrationPoint(**{**point, **{name: _decimal(point[name]) for name in ("threshold_floor", "measured_floor")}})
        for point in row["points"] or ()
    )
    groups = tuple(
        GroupRate(**{**group, "lower_limit": _decimal(group["lower_limit"])}) for group in row["groups"] or ()
    )
    trial = TrialCounts(**row["trial"]) if row["trial"] else None
    return Calibration(**{**row, "points": points, "groups": groups, "trial": trial})


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _own(one: Calibration) -> dict[str, Any]:
    names = ("id", "pipeline", "kind", "site", "made_at", "recorded_by", "data", "remark")
    return {name: getattr(one, name) for name in names}


def _points(session: Session, one: Calibration) -> None:
    for point in one.points:
        session.change(_ADD_POINT, {"calibration": one.id, **asdict(point)})
