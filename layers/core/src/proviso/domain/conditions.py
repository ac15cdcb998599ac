"""What must be there before a deployment starts, beside its authorisation: a calibration that fits (S12, S13), the
public notice and the signage (S33), and where the policy asks for it pictures for tests of its reviewers (S19) and the
decision of a court or authority (S37).

The database asks for the same in its own words at the change of state; this is what tells people what is missing.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from proviso.domain.calibration import Calibration, floor_of
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused


class Attested(StrEnum):
    PUBLIC_NOTICE = "public_notice"
    SIGNAGE = "signage"
    NOTICE_WAIVED = "notice_waived"


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a named person stood in for (S33). `published_at`: since when the public notice stands."""

    deployment_id: str
    kind: Attested
    statement: str
    made_by: str
    made_at: datetime
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PriorAuthorisation:
    """A decision of a court or an independent authority (AI Act 5(3)): its limits of place, time and persons.

    `persons` are reference numbers; `document_sha256` is that of the decision as it was issued.
    """

    id: str
    deployment_id: str
    body: str
    reference: str
    decided_on: date
    document_sha256: str
    granted: bool
    place: str
    valid_from: datetime
    valid_until: datetime
    persons: tuple[str, ...]
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Conditions:
    """What stands of all this for one deployment. `listed`: the reference numbers in its build, removed ones left
    out. `calibration`: the one it was asked for with, `superseded` where there is a later one of its pipeline; `trial`:
    the latest site trial of its pipeline at its place.
    `burst_frames`: how many frames an upload of it may hold.
    `test_pairs`: how many pairs of different people a test of a reviewer can be drawn from now (S19)."""

    built_at: datetime
    entries: int
    calibration: Calibration | None = None
    trial: Calibration | None = None
    burst_frames: int = 1
    attestations: tuple[Attestation, ...] = ()
    decisions: tuple[PriorAuthorisation, ...] = ()
    listed: tuple[str, ...] = ()
    test_pairs: int = 0
    superseded: bool = False

    def uncalibrated(self, policy: Policy, pipeline: str, threshold: Decimal) -> Refused | None:
        """NOT_CALIBRATED or THRESHOLD_TOO_LOW, or None (S12, S13). What is authorised names its calibration, so a later
        one asks for another request."""
        if self.superseded:
            return Refused(
                Reason.NOT_CALIBRATED,
                "there is a later calibration of its pipeline than the one it was asked for with; request it again",
            )
        if policy.calibration_required:
            if self.calibration is None or self.calibration.pipeline != pipeline:
                return Refused(Reason.NOT_CALIBRATED, policy.name)
            floor = floor_of(self.calibration, self.trial, self.entries, self.burst_frames)
            if floor is None:
                frames = f" and {self.burst_frames} frames an upload" if self.burst_frames > 1 else ""
                return Refused(Reason.NOT_CALIBRATED, f"no list of {self.entries} entries{frames} was measured")
            if threshold < floor:
                return Refused(Reason.THRESHOLD_TOO_LOW, f"at least {floor} for {self.entries} entries")
        if policy.site_trial_required and (self.trial is None or self.trial.pipeline != pipeline):
            return Refused(
                Reason.NOT_CALIBRATED, f"{policy.name} asks for a site trial at this place, and none is known"
            )
        return None

    def unannounced(self, policy: Policy, now: datetime) -> Refused | None:
        """NOT_ANNOUNCED, or None (S33). Signage is never waived; the public notice only where the policy says so."""
        made = {one.kind: one for one in self.attestations}
        if Attested.SIGNAGE not in made:
            return Refused(Reason.NOT_ANNOUNCED, "somebody must attest the signage at the place")
        if Attested.NOTICE_WAIVED in made and policy.public_notice_waivable:
            return None
        notice = made.get(Attested.PUBLIC_NOTICE)
        if notice is None or notice.published_at is None:
            return Refused(Reason.NOT_ANNOUNCED, "the public notice must be published, and that be recorded")
        if notice.published_at + timedelta(hours=policy.public_notice_hours) > now:
            return Refused(Reason.NOT_ANNOUNCED, f"it must stand for {policy.public_notice_hours} h before the start")
        return None

    def untested(self, policy: Policy) -> Refused | None:
        """NO_TEST_PAIRS, or None (S19)."""
        if policy.test_candidates_percent > 0 and self.test_pairs == 0:
            return Refused(Reason.NO_TEST_PAIRS, "at least one of two different people, not older than 30 days")
        return None

    def undecided(self, place: str, now: datetime, *, urgent: bool) -> Refused | None:
        """NO_DECISION, or None when one allows this place, now, and everybody listed, or an urgent start may go
        first."""
        if any(not one.granted for one in self.decisions):
            return Refused(Reason.NO_DECISION, "it was refused")
        for one in self.decisions:
            if one.place == place and one.valid_from <= now < one.valid_until and set(self.listed) <= set(one.persons):
                return None
        if self.decisions:
            return Refused(Reason.NO_DECISION, "none is for this place, now, and everybody on the list")
        return None if urgent else Refused(Reason.NO_DECISION)
