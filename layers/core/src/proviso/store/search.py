"""The store of match: the gate, the one exact scan, and what a hit becomes (rules 2, 5 and 7).

The scan runs over the templates of the permit's build, one a person, for all probes at once; what reaches the threshold
(a handful of rows) is then kept only if its entry is not removed. So the join costs nothing, and recall is 1.0 by
construction: there is no index that could lose a match.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from psycopg import sql

from proviso.domain.candidate import Candidate, CandidateState, Hit, OpenCandidate
from proviso.domain.deployment import Deployment, DeploymentState, Grounds
from proviso.domain.errors import Fault, PipelineMismatch, TransientFault
from proviso.domain.face import Template
from proviso.domain.frame import Counts
from proviso.domain.permit import CheckedPermit
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused
from proviso.store import rows
from proviso.store.audit import AuditTable
from proviso.store.connection import Connector, Query, RuleBroken, Session, Store
from proviso.store.deployments import SHARE_DEPLOYMENT
from proviso.store.halfvec import HalfVector

MAX_PROBES = 256

# The gate (S01, S04): `clock_timestamp()` is read after the locks of the statement before were granted.
_GATE = """
SELECT d.id, d.state, d.use, d.place, d.premises, d.starts_at, d.ends_at, d.passages_expected, d.watchlist_id,
       d.build_id, d.pipeline, d.threshold, d.policy, d.calibration_id, d.software_build, d.requested_by,
       d.requested_at, d.authorised_digest, d.search_until, d.burst_frames, d.exposure,
       b.digest AS build_digest,
       (SELECT array_agg(k.camera) FROM deployment_camera k WHERE k.deployment_id = d.id) AS cameras,
       clock_timestamp() AS database_now, is_suspended(d.id) AS suspended
FROM deployment d JOIN build b ON b.id = d.build_id
WHERE d.id = %(deployment)s
FOR SHARE OF d
"""
_SEARCH = """
WITH hit AS MATERIALIZED (
    SELECT t.entry_id, {similarities}
    FROM build_template t
    WHERE t.build_id = %(build)s
      AND t.pipeline = %(pipeline)s
      AND ({reached})
)
SELECT hit.* FROM hit JOIN entry e ON e.id = hit.entry_id
WHERE e.removed_at IS NULL
"""
_LOCK_ENTRIES = """
SELECT pg_advisory_xact_lock(hashtextextended(%(deployment)s || '/' || id, 0))::text
FROM (SELECT DISTINCT id FROM unnest(%(entries)s::text[]) AS u (id) ORDER BY id) AS sorted
"""
# Where the time to decide is over, nobody can decide any more, whether or not retain has written `expired` down: such a
# candidate silences nothing (S18, S21).
_OPEN_CANDIDATES = """
SELECT id, entry_id, state, last_sighting_at FROM candidate
WHERE deployment_id = %(deployment)s AND entry_id = ANY (%(entries)s)
  AND (state = 'confirmed' OR state = 'raised' AND clock_timestamp() < decide_by)
ORDER BY entry_id, last_sighting_at, id
FOR NO KEY UPDATE
"""
_ADD_CANDIDATE = """
INSERT INTO candidate (id, deployment_id, entry_id, camera, place, frame_key, captured_at, raised_at, decide_by,
                       last_sighting_at, state, similarity, threshold, pipeline, policy, calibrated, evidence_key,
                       evidence_digest, correlation_id, face)
VALUES (%(id)s, %(deployment_id)s, %(entry_id)s, %(camera)s, %(place)s, %(frame_key)s, %(captured_at)s, %(raised_at)s,
        %(decide_by)s, %(last_sighting_at)s, %(state)s, %(similarity)s, %(threshold)s, %(pipeline)s, %(policy)s,
        %(calibrated)s, %(evidence_key)s, %(evidence_digest)s, %(correlation_id)s, %(face)s)
"""
_ADD_SIGHTING = """
INSERT INTO sighting (candidate_id, frame_key, captured_at, similarity)
VALUES (%(candidate)s, %(frame_key)s, %(captured_at)s, %(similarity)s)
"""
_ENTRY_REMOVED = "PV006"
_NOT_READ = Grounds(*[""] * 11)  # match has no right to the grounds, and they are not part of what is authorised


class PostgresSearchWork(AuditTable):
    """SearchWork."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._permit: CheckedPermit | None = None

    def was_searched(self, frame_key: str) -> bool:
        """Is there a committed row for this frame?"""
        found = self._session.tuples("SELECT 1 FROM searched_frame WHERE frame_key = %(frame)s", {"frame": frame_key})
        return bool(found)

    def gate(
        self,
        *,
        deployment_id: str,
        digest: str,
        camera: str,
        captured_at: datetime,
        now: datetime,
        pipeline: str,
        software_build: str,
    ) -> CheckedPermit | Refused:
        """The row, locked for share, and all that must hold of it now. A stop waits for this lock and then shuts it."""
        self._session.tuples(SHARE_DEPLOYMENT, {"deployment": deployment_id})
        row = self._session.row(_GATE, {"deployment": deployment_id})
        if row is None:
            return Refused(Reason.NO_PERMIT, "there is no such deployment")
        database_now, authorised = row.pop("database_now"), row["authorised_digest"]
        suspended = row.pop("suspended")
        deployment = Deployment(
            **{
                **row,
                "state": DeploymentState(row["state"]),
                "cameras": tuple(row["cameras"] or ()),
                "policy": Policy.from_mapping(row["policy"]),
                "exposure": rows.exposure(row["exposure"]),
                "grounds": _NOT_READ,
            }
        )
        if deployment.state is not DeploymentState.ACTIVE:
            return Refused(Reason.NOT_ACTIVE, deployment.state.value)
        if suspended:  # while somebody was in it: retain will stop it (S26, S27)
            return Refused(Reason.NOT_ACTIVE, "suspended")
        for moment, name in ((captured_at, "capture"), (now, "now")):
            if not deployment.starts_at <= moment < deployment.over_at:
                return Refused(Reason.OUTSIDE_WINDOW, name)
        if database_now >= deployment.over_at:
            return Refused(Reason.OUTSIDE_WINDOW, "by the database's clock")
        if camera not in deployment.cameras:
            return Refused(Reason.CAMERA_NOT_LISTED, camera)
        # Computed anew from the row and from what is running: a term changed underneath opens nothing (S03).
        running = replace(deployment, pipeline=pipeline, software_build=software_build)
        if authorised is None or digest != authorised or running.digest != authorised:
            return Refused(Reason.DIGEST_DIFFERS, _difference(deployment, digest, pipeline, software_build))
        self._permit = CheckedPermit(
            deployment_id=deployment.id,
            digest=authorised,
            build_id=deployment.build_id,
            pipeline=deployment.pipeline,
            threshold=deployment.threshold,
            place=deployment.place,
            camera=camera,
            ends_at=deployment.over_at,
            policy=deployment.policy,
            calibrated=deployment.calibrated,
            burst_frames=deployment.burst_frames,
        )
        return self._permit

    def search(self, permit: CheckedPermit, probes: Sequence[Template]) -> list[list[Hit]]:
        """Per probe the entries whose template reaches the threshold, most similar first, then by id.

        Similarities are inner products of half-precision vectors, accumulated by pgvector in float32 and compared as
        float8: `similarity >= threshold` holds for exactly what is returned. At most 256 probes.
        """
        self._holds(permit)
        if len(probes) > MAX_PROBES:
            raise Fault(f"at most {MAX_PROBES} probes in one search, not {len(probes)}")
        if any(probe.pipeline != permit.pipeline for probe in probes):
            raise PipelineMismatch("a probe was computed by another pipeline than the permit's")
        if not probes:
            return []
        given: dict[str, Any] = {f"p{i}": HalfVector(probe) for i, probe in enumerate(probes)}
        given |= {
            "build": permit.build_id,
            "pipeline": permit.pipeline,
            "limit": -float(permit.threshold),
        }
        return _best(self._session.tuples(_statement(len(probes)), given), len(probes), float(permit.threshold))

    def lock_entries(self, permit: CheckedPermit, entry_ids: Sequence[str]) -> dict[str, OpenCandidate]:
        """One lock an entry, in sorted order; then the latest candidate of each that suppresses (S21).

        The candidates' rows are locked too, so that none is rejected between this look and the joining.
        """
        self._holds(permit)
        given = {"deployment": permit.deployment_id, "entries": sorted(entry_ids)}
        self._session.tuples(_LOCK_ENTRIES, given)
        found = self._session.tuples(_OPEN_CANDIDATES, given)  # a new statement: it sees what the locks waited for
        return {entry: OpenCandidate(id_, entry, CandidateState(state), seen) for id_, entry, state, seen in found}

    def open(self, candidate: Candidate, runners_up: Sequence[Hit]) -> None:
        """Insert a raised candidate, its first sighting and the hits that it outdid."""
        names = (
            "id",
            "deployment_id",
            "entry_id",
            "camera",
            "place",
            "frame_key",
            "captured_at",
            "raised_at",
            "decide_by",
            "last_sighting_at",
            "similarity",
            "threshold",
            "pipeline",
            "policy",
            "calibrated",
            "evidence_key",
            "evidence_digest",
            "correlation_id",
        )
        values = {name: getattr(candidate, name) for name in names}
        face = list(candidate.face) if candidate.face else None
        self._once(_ADD_CANDIDATE, {**values, "state": candidate.state.value, "face": face})
        self._sighting(candidate.id, candidate.frame_key, candidate.captured_at, candidate.similarity)
        if runners_up:
            self._session.change(
                """
                INSERT INTO runner_up (candidate_id, entry_id, similarity)
                SELECT %(candidate)s, entry_id, similarity
                FROM unnest(%(entries)s::text[], %(similarities)s::float8[]) AS u (entry_id, similarity)
                """,
                {
                    "candidate": candidate.id,
                    "entries": [hit.entry_id for hit in runners_up],
                    "similarities": [hit.similarity for hit in runners_up],
                },
            )

    def join(self, open_candidate_id: str, frame_key: str, captured_at: datetime, similarity: float) -> None:
        """Add a sighting; only the time of the last one and their number change."""
        self._sighting(open_candidate_id, frame_key, captured_at, similarity)
        changed = self._session.change(
            """
            UPDATE candidate
            SET sightings = sightings + 1, last_sighting_at = GREATEST(last_sighting_at, %(captured_at)s)
            WHERE id = %(candidate)s AND state IN ('raised', 'confirmed')
            """,
            {"candidate": open_candidate_id, "captured_at": captured_at},
        )
        if changed != 1:
            raise Fault(f"candidate {open_candidate_id} takes no more sightings")

    def record_searched(
        self, *, frame_key: str, permit: CheckedPermit, captured_at: datetime, now: datetime, counts: Counts
    ) -> None:
        """The frame's row. TransientFault when another delivery of the frame committed its own first."""
        self._holds(permit)
        self._once(
            """
            INSERT INTO searched_frame (frame_key, deployment_id, camera, captured_at, searched_at, detected, refused,
                                        searched, not_searched, candidates)
            VALUES (%(frame_key)s, %(deployment_id)s, %(camera)s, %(captured_at)s, %(now)s, %(detected)s, %(refused)s,
                    %(searched)s, %(not_searched)s, %(candidates)s)
            """,
            {
                "frame_key": frame_key,
                "deployment_id": permit.deployment_id,
                "camera": permit.camera,
                "captured_at": captured_at,
                "now": now,
                "detected": counts.detected,
                "refused": counts.refused,
                "searched": counts.searched,
                "not_searched": counts.not_searched,
                "candidates": counts.candidates,
            },
        )

    def _sighting(self, candidate_id: str, frame_key: str, captured_at: datetime, similarity: float) -> None:
        given = {"candidate": candidate_id, "frame_key": frame_key, "captured_at": captured_at}
        self._once(_ADD_SIGHTING, {**given, "similarity": similarity})

    def _once(self, statement: Query, given: dict[str, Any]) -> None:
        try:
            self._session.change(statement, given)
        except RuleBroken as broken:
            if broken.rule == _ENTRY_REMOVED:
                # The others in the frame are still to be searched: trying again does it without who was removed (S06).
                raise TransientFault("an entry was removed while this frame was searched") from broken
            if not broken.duplicate:
                raise
            # Two deliveries of one frame at the same time: trying again finds the other's committed row.
            raise TransientFault(f"another delivery of this frame was committed first ({broken.rule})") from broken

    def _holds(self, permit: CheckedPermit) -> None:
        if permit is not self._permit:
            raise Fault("this permit was not given out by the gate of this transaction")


class PostgresSearchStore(Store[PostgresSearchWork]):
    """SearchStore."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, PostgresSearchWork)

    def candidates_of_frame(self, frame_key: str) -> list[tuple[Candidate, str]]:
        """What this frame opened, with the prefix of its messages: for going on after the commit."""
        with self._connector.transaction() as session:
            found = session.rows(rows.CANDIDATES + "WHERE c.frame_key = %(frame)s ORDER BY c.id", {"frame": frame_key})
        return [(rows.candidate(row), row["message_prefix"]) for row in found]

    def counts_of_frame(self, frame_key: str) -> Counts:
        """The counts as they were committed with the search; zeros for a frame that was not searched."""
        with self._connector.transaction() as session:
            found = session.row(
                "SELECT detected, refused, searched, not_searched, candidates FROM searched_frame"
                " WHERE frame_key = %(frame)s",
                {"frame": frame_key},
            )
        return Counts(**found) if found else Counts()


@cache
def _statement(probes: int) -> sql.Composed:
    names = [sql.Placeholder(f"p{i}") for i in range(probes)]
    distance = [sql.SQL("(t.template <#> {}::halfvec)").format(name) for name in names]
    return sql.SQL(_SEARCH).format(
        similarities=sql.SQL(", ").join(
            sql.SQL("-{} AS {}").format(d, sql.Identifier(f"s{i}")) for i, d in enumerate(distance)
        ),
        reached=sql.SQL(" OR ").join(sql.SQL("{} <= %(limit)s::float8").format(d) for d in distance),
    )


def _best(found: list[tuple[Any, ...]], probes: int, threshold: float) -> list[list[Hit]]:
    """Rows (entry, similarity a probe) into each probe's hits, most similar first. Ties go to the smaller id."""
    hits: list[list[Hit]] = [[] for _ in range(probes)]
    for entry_id, *similarities in found:
        for reached, similarity in zip(hits, similarities, strict=True):
            if similarity >= threshold:
                # Half precision leaves a vector's length off by up to 1 in 2048; a cosine is never above 1.
                reached.append(Hit(entry_id, min(1.0, similarity)))
    return [sorted(reached, key=lambda hit: (-hit.similarity, hit.entry_id)) for reached in hits]


def _difference(deployment: Deployment, digest: str, pipeline: str, software_build: str) -> str:
    if deployment.pipeline != pipeline:
        return "another pipeline is running"
    if deployment.software_build != software_build:
        return "another software build is running"
    return "the frame was sent under another permit" if digest != deployment.authorised_digest else "its terms changed"
