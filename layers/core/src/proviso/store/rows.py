"""Rows into the domain's dataclasses, and the columns that go with them. No statement says SELECT *."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from proviso.domain.candidate import Candidate, CandidateState, Decision, Review
from proviso.domain.deployment import Deployment, DeploymentState, Grounds, RealTimeGrounds
from proviso.domain.monitoring import Exposure
from proviso.domain.people import Person, Role
from proviso.domain.policy import Policy
from proviso.domain.watchlist import Build, Entry, Watchlist

Row = Mapping[str, Any]

BUILDS = 'SELECT id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at FROM build\n'
CANDIDATES = """
SELECT c.id, c.deployment_id, c.entry_id, c.camera, c.place, c.frame_key, c.captured_at, c.raised_at, c.decide_by,
       c.last_sighting_at, c.state, c.similarity, c.threshold, c.pipeline, c.policy, c.calibrated, c.evidence_key,
       c.evidence_digest, c.correlation_id, c.revision, c.sightings, c.decided_by, c.decided_at,
       c.face,
       d.policy ->> 'message_prefix' AS message_prefix
FROM candidate c JOIN deployment d ON d.id = c.deployment_id
"""
DEPLOYMENTS = """
SELECT d.id, d.state, d.use, d.place, d.premises, d.starts_at, d.ends_at, d.passages_expected, d.watchlist_id,
       d.build_id, d.pipeline, d.threshold, d.policy, d.calibration_id, d.software_build, d.grounds,
       d.real_time_grounds AS real_time, d.search_until, d.burst_frames, d.exposure, d.requested_by, d.requested_at,
       d.authorised_by, d.authorised_at, d.authorised_digest, d.started_at, d.finished_at, d.finished_by, d.closed_at,
       b.digest AS build_digest,
       (SELECT array_agg(k.camera ORDER BY k.position) FROM deployment_camera k WHERE k.deployment_id = d.id) AS cameras
FROM deployment d JOIN build b ON b.id = d.build_id
"""
REVIEWS = "SELECT id, candidate_id, reviewer, decision, reason, decided_at FROM review\n"


def person(row: Row) -> Person:
    return Person(row["sub"], frozenset(Role(role) for role in row["roles"]), row["trained_until"], row["rank"])


def watchlist(row: Row) -> Watchlist:
    return Watchlist(**{**row, "categories": tuple(row["categories"])})


def entry(row: Row) -> Entry:
    return Entry(**row)


def build(row: Row) -> Build:
    return Build(**row)


def deployment(row: Row) -> Deployment:
    """A row of DEPLOYMENTS."""
    return Deployment(
        **{
            **row,
            "state": DeploymentState(row["state"]),
            "cameras": tuple(row["cameras"] or ()),
            "policy": Policy.from_mapping(row["policy"]),
            "grounds": Grounds(**row["grounds"]),
            "real_time": RealTimeGrounds(**row["real_time"]) if row["real_time"] else None,
            "exposure": exposure(row["exposure"]),
        }
    )


def exposure(values: list[dict[str, str]]) -> tuple[Exposure, ...]:
    """Declared shares, in the order in which they were declared: it is part of what is authorised."""
    return tuple(Exposure.from_mapping(one) for one in values)


def grounds(values: Grounds) -> dict[str, str]:
    """As they are stored."""
    return asdict(values)


def candidate(row: Row) -> Candidate:
    """A row of CANDIDATES."""
    values = {name: value for name, value in row.items() if name != "message_prefix"}
    face = tuple(values["face"]) if values["face"] else None
    return Candidate(**{**values, "state": CandidateState(values["state"]), "face": face})


def review(row: Row) -> Review:
    return Review(**{**row, "decision": Decision(row["decision"])})
