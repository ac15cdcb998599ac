"""A deployment: a named use, who asked, who authorised, why, where, when, and against which build.

What is authorised is a digest over everything that would change what the machine does (S03). Whoever changes one of
these has a deployment that nobody authorised, and the gate refuses it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from proviso.domain.canonical import digest
from proviso.domain.conditions import Conditions
from proviso.domain.monitoring import Exposure
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused


class DeploymentState(StrEnum):
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    WARMING = "warming"
    ACTIVE = "active"
    STOPPED = "stopped"
    ENDED = "ended"
    CLOSED = "closed"


OVER = (DeploymentState.STOPPED, DeploymentState.ENDED)
LIVE = (DeploymentState.REQUESTED, DeploymentState.AUTHORISED, DeploymentState.WARMING, DeploymentState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why it is necessary and proportionate, and the assessments made (S02). All are required, none may be blank."""

    operator_kind: str
    operator_name: str
    legal_basis: str
    policy_document: str
    necessity: str
    proportionality: str
    less_intrusive_means: str
    schedule_8_condition: str
    data_protection_assessment: str
    equality_assessment: str
    community_assessment: str


@dataclass(frozen=True, slots=True)
class RealTimeGrounds:
    """What the AI Act asks for beside (S37, articles 5(2), 27, 49). `urgency` is blank unless it is to start urgently,
    before there is a decision; all else is required under a policy that asks for one."""

    objective: str
    national_law: str
    rights_impact_assessment: str
    registration_number: str
    urgency: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment as it stands. Times UTC-aware; `threshold` a cosine similarity as a decimal.

    `passages_expected`: how many people are expected to pass all its cameras in all. `burst_frames`: how many frames an
    upload may hold, 1 for single frames only. `search_until`: until when may be
    searched, set by the database while it is active (S37); None before.
    """

    id: str
    state: DeploymentState
    use: str
    place: str
    premises: str
    cameras: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    passages_expected: int
    watchlist_id: str
    build_id: str
    build_digest: str
    pipeline: str
    threshold: Decimal
    policy: Policy
    software_build: str
    grounds: Grounds
    requested_by: str
    requested_at: datetime
    authorised_by: str | None = None
    authorised_at: datetime | None = None
    authorised_digest: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    finished_by: str | None = None
    closed_at: datetime | None = None
    calibration_id: str | None = None
    real_time: RealTimeGrounds | None = None
    search_until: datetime | None = None
    exposure: tuple[Exposure, ...] = ()
    """Declared shares of passers-by by group (S27); without any, nothing can be tested by group."""
    burst_frames: int = 1

    @property
    def calibrated(self) -> bool:
        return self.calibration_id is not None

    @property
    def over_at(self) -> datetime:
        """When no search begins any more, whether or not anybody stops it."""
        return min(self.ends_at, self.search_until or self.ends_at)

    @property
    def digest(self) -> str:
        """What is authorised (S03): policy, build, pipeline, threshold, cameras, frames an upload, times, place, use,
        software build."""
        return digest(
            {
                "deployment": self.id,
                "policy": self.policy.digest,
                "build": self.build_digest,
                "pipeline": self.pipeline,
                "threshold": format(self.threshold.normalize(), "f"),
                "cameras": sorted(self.cameras),
                "burst_frames": self.burst_frames,
                "starts_at": _text(self.starts_at),
                "ends_at": _text(self.ends_at),
                "place": self.place,
                "premises": self.premises,
                "passages_expected": self.passages_expected,
                "calibration": self.calibration_id,
                "use": self.use,
                "software_build": self.software_build,
                "exposure": [one.as_mapping() for one in self.exposure],
            }
        )

    def may_authorise(self, by: str, rank: str | None, shown_digest: str, now: datetime) -> Refused | None:
        """Another person than the requester, of the rank that the policy asks for, exactly what they were shown,
        before its end (S03)."""
        if self.state is not DeploymentState.REQUESTED:
            return Refused(Reason.WRONG_STATE, self.state)
        if by == self.requested_by:
            return Refused(Reason.SAME_PERSON, "a deployment is authorised by another person than its requester")
        ranks = self.policy.authoriser_ranks
        if ranks and rank not in ranks:
            return Refused(Reason.ROLE_MISSING, f"{self.policy.name} asks for the rank of {' or '.join(ranks)}")
        if shown_digest != self.digest:
            return Refused(Reason.TERMS_CHANGED)
        if now >= self.ends_at:
            return Refused(Reason.TOO_LATE, "its window has ended")
        return None

    def may_start(self, now: datetime, pipeline: str, software_build: str, conditions: Conditions) -> Refused | None:
        """Authorised as it stands (S03), its window open, this very software and pipeline, a build that is not too old
        (S07), and all the policy's conditions (S13, S19, S33, S37)."""
        if self.state not in (DeploymentState.AUTHORISED, DeploymentState.WARMING):
            return Refused(Reason.WRONG_STATE, self.state)
        running = replace(self, pipeline=pipeline, software_build=software_build)
        if self.authorised_digest != running.digest:
            return Refused(Reason.DIGEST_DIFFERS)
        if not self.starts_at <= now < self.ends_at:
            return Refused(Reason.OUTSIDE_WINDOW, "start within the window")
        if (now - conditions.built_at).total_seconds() > self.policy.build_max_age_hours * 3600:
            return Refused(Reason.BUILD_TOO_OLD, f"more than {self.policy.build_max_age_hours} h")
        return (
            conditions.uncalibrated(self.policy, self.pipeline, self.threshold)
            or conditions.unannounced(self.policy, now)
            or conditions.untested(self.policy)
            or self._undecided(now, conditions)
        )

    def _undecided(self, now: datetime, conditions: Conditions) -> Refused | None:
        """S37: what a court or an independent authority decided, or an urgent start that says why."""
        if not self.policy.decision_required:
            return None
        if self.real_time is None:
            return Refused(Reason.NO_DECISION, f"{self.policy.name} asks for objective, national law and registration")
        urgent = self.policy.urgent_start_hours > 0 and bool(self.real_time.urgency.strip())
        return conditions.undecided(self.place, now, urgent=urgent)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
