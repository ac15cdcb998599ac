"""A deployment: a named use, who asked, who authorised, why, where, when, and against which build.

What is authorised is a digest over everything that would change what the machine does (S03). Whoever changes one of
these has a deployment that nobody authorised, and the gate refuses it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from proviso.domain.canonical import digest
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused


class DeploymentState(StrEnum):
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    ACTIVE = "active"
    STOPPED = "stopped"
    ENDED = "ended"
    CLOSED = "closed"


OVER = (DeploymentState.STOPPED, DeploymentState.ENDED)


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
class Deployment:
    """One deployment as it stands. Times UTC-aware; `threshold` a cosine similarity as a decimal."""

    id: str
    state: DeploymentState
    use: str
    place: str
    cameras: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
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
    calibrated: bool = False

    @property
    def digest(self) -> str:
        """What is authorised (S03): policy, build, pipeline, threshold, cameras, times, place, use, software build."""
        return digest(
            {
                "deployment": self.id,
                "policy": self.policy.digest,
                "build": self.build_digest,
                "pipeline": self.pipeline,
                "threshold": format(self.threshold.normalize(), "f"),
                "cameras": sorted(self.cameras),
                "starts_at": _text(self.starts_at),
                "ends_at": _text(self.ends_at),
                "place": self.place,
                "use": self.use,
                "software_build": self.software_build,
            }
        )

    def may_authorise(self, by: str, shown_digest: str, now: datetime) -> Refused | None:
        """Another person than the requester, exactly what they were shown, before its end (S03)."""
        if self.state is not DeploymentState.REQUESTED:
            return Refused(Reason.WRONG_STATE, self.state)
        if by == self.requested_by:
            return Refused(Reason.SAME_PERSON, "a deployment is authorised by another person than its requester")
        if shown_digest != self.digest:
            return Refused(Reason.TERMS_CHANGED)
        if now >= self.ends_at:
            return Refused(Reason.TOO_LATE, "its window has ended")
        return None

    def may_start(self, now: datetime, pipeline: str, software_build: str, built_at: datetime) -> Refused | None:
        """Authorised as it stands, its window open, this very software and pipeline, calibrated, build fresh."""
        if self.state is not DeploymentState.AUTHORISED:
            return Refused(Reason.WRONG_STATE, self.state)
        running = replace(self, pipeline=pipeline, software_build=software_build)
        if self.authorised_digest != running.digest:
            return Refused(Reason.DIGEST_DIFFERS)
        if not self.starts_at <= now < self.ends_at:
            return Refused(Reason.OUTSIDE_WINDOW, "start within the window")
        if self.policy.calibration_required and not self.calibrated:
            return Refused(Reason.NOT_CALIBRATED, self.policy.name)
        if self.policy.site_trial_required:
            return Refused(Reason.NOT_CALIBRATED, f"{self.policy.name} asks for a site trial, and none is on record")
        if (now - built_at).total_seconds() > self.policy.build_max_age_hours * 3600:
            return Refused(Reason.BUILD_TOO_OLD, f"more than {self.policy.build_max_age_hours} h")
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
