"""What calibrations ask of govern's store."""

from typing import Protocol

from proviso.domain.calibration import Calibration
from proviso.domain.reasons import Refused
from proviso.domain.trial import Readings


class CalibrationWork(Protocol):
    """Part of a transaction of govern."""

    def calibration_for(self, pipeline: str) -> Calibration | None:
        """The latest laboratory calibration of exactly this pipeline (S13)."""

    def trial_at(self, pipeline: str, place: str) -> Calibration | None:
        """The latest site trial of exactly this pipeline at exactly this place."""

    def calibrations(self) -> list[Calibration]:
        """All, newest first, without their rates of strangers."""

    def readings(self, deployment_id: str) -> Readings | None:
        """What a deployment recorded, for a site trial; None unless everybody before its cameras had consented and it
        is over."""

    def record_trial(self, trial: Calibration) -> Refused | None:
        """Write a site trial down. The database looks at it again: NOT_AS_RECORDED where it claims more than there is,
        TRIAL_TOO_SMALL, SAME_PERSON, WRONG_STATE where this deployment has one already or is no trial."""
