"""The permit: one object a camera in S3, from which detect learns whether a frame may be opened at all (S01).

It saves work; it is not the gate. The gate is the deployment's row, which match locks for share in the same
transaction as the search (rule 2). `CheckedPermit` is what that gate hands out, and only a search takes it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from proviso.domain.burst import MOST_FRAMES
from proviso.domain.errors import PermitUnreadable
from proviso.domain.frame import FrameKey
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused


def ahead_of_clock(captured_at: datetime, now: datetime, skew_s: int) -> Refused | None:
    """CLOCK_SKEW when a frame claims to be from further in the future than clocks may differ (S36)."""
    if captured_at > now + timedelta(seconds=skew_s):
        return Refused(Reason.CLOCK_SKEW, f"{(captured_at - now).total_seconds():.0f} s ahead")
    return None


def past_age(captured_at: datetime, now: datetime, limit_s: int) -> Refused | None:
    """STALE when a frame is older than its age limit."""
    if now - captured_at > timedelta(seconds=limit_s):
        return Refused(Reason.STALE, f"{(now - captured_at).total_seconds():.0f} s old")
    return None


@dataclass(frozen=True, slots=True)
class Permit:
    """What a deployment lets one camera do, from when to when. `digest` is what was authorised (S03), `burst_frames`
    how many frames an upload may hold: 1 where only single frames are taken."""

    deployment_id: str
    digest: str
    camera: str
    starts_at: datetime
    ends_at: datetime
    pipeline: str
    frame_age_limit_s: int
    clock_skew_s: int
    burst_frames: int = 1

    def check(self, key: FrameKey, now: datetime) -> Refused | None:
        """May this frame be processed at this moment? STALE is its own outcome; all else is a refusal."""
        if key.camera != self.camera:
            return Refused(Reason.CAMERA_NOT_LISTED, key.camera)
        if refused := ahead_of_clock(key.captured_at, now, self.clock_skew_s):
            return refused
        for moment, name in ((key.captured_at, "capture"), (now, "now")):
            if not self.starts_at <= moment < self.ends_at:
                return Refused(Reason.OUTSIDE_WINDOW, name)
        if stale := past_age(key.captured_at, now, self.frame_age_limit_s):
            return stale
        if key.is_burst and self.burst_frames < 2:
            return Refused(Reason.TOO_MANY_FRAMES, "a burst, where single frames were authorised")
        return None

    def to_json(self) -> str:
        """The object's body."""
        return json.dumps(
            {
                "version": 1,
                "deployment_id": self.deployment_id,
                "digest": self.digest,
                "camera": self.camera,
                "starts_at": self.starts_at.isoformat(),
                "ends_at": self.ends_at.isoformat(),
                "pipeline": self.pipeline,
                "frame_age_limit_s": self.frame_age_limit_s,
                "clock_skew_s": self.clock_skew_s,
                "burst_frames": self.burst_frames,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, body: bytes | str) -> "Permit":
        """Read the object's body. PermitUnreadable when anything in it is missing or odd (S36)."""
        try:
            values: dict[str, Any] = json.loads(body)
            if _whole(values, "version") != 1:
                raise PermitUnreadable("the permit has an unknown version")
            permit = cls(
                deployment_id=_text(values, "deployment_id"),
                digest=_text(values, "digest"),
                camera=_text(values, "camera"),
                starts_at=_moment(values, "starts_at"),
                ends_at=_moment(values, "ends_at"),
                pipeline=_text(values, "pipeline"),
                frame_age_limit_s=_whole(values, "frame_age_limit_s"),
                clock_skew_s=_whole(values, "clock_skew_s"),
                # A permit from before bursts says nothing of them, and so allows none.
                burst_frames=_whole(values, "burst_frames") if "burst_frames" in values else 1,
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise PermitUnreadable(f"the permit cannot be read: {type(error).__name__}") from error
        if permit.starts_at >= permit.ends_at or permit.frame_age_limit_s <= 0 or permit.clock_skew_s < 0:
            raise PermitUnreadable("the permit contradicts itself")
        if not 1 <= permit.burst_frames <= MOST_FRAMES:
            raise PermitUnreadable("the permit contradicts itself")
        return permit


@dataclass(frozen=True, slots=True)
class CheckedPermit:
    """Proof that the gate opened: built by the store from the locked deployment row, valid in its transaction only."""

    deployment_id: str
    digest: str
    build_id: str
    pipeline: str
    threshold: Decimal
    place: str
    camera: str
    ends_at: datetime
    policy: Policy
    calibrated: bool
    burst_frames: int = 1


def _text(values: dict[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value


def _whole(values: dict[str, Any], name: str) -> int:
    """An integer of at most a day of seconds. A truth value or a number in quotes is none: int() would take both."""
    value = values[name]
    if type(value) is not int or not 0 <= value <= 86400:
        raise ValueError(name)
    return value


def _moment(values: dict[str, Any], name: str) -> datetime:
    moment = datetime.fromisoformat(_text(values, name))
    if moment.tzinfo is None:
        raise ValueError(name)
    return moment.astimezone(UTC)
