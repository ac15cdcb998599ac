"""The ports of monitoring: what govern shows and reviews, and what retain does after a suspension (S26, S27)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from proviso.domain.monitoring import Suspension
from proviso.domain.reasons import Refused


class MonitoringWork(Protocol):
    """Part of a transaction of govern."""

    def monitoring(self, deployment_id: str) -> Mapping[str, Any] | None:
        """The database's figures for `monitoring_from`; None when there is no such deployment."""

    def suspensions(self, deployment_id: str | None = None) -> list[Suspension]:
        """Those of a deployment's operator and pipeline, or all; newest first."""

    def suspension(self, suspension_id: str) -> Suspension | None: ...

    def suspended(self, deployment_id: str) -> Refused | None:
        """SUSPENDED while one of its operator and pipeline waits for its review."""

    def review_suspension(self, suspension_id: str, by: str, at: datetime, finding: str) -> Refused | None:
        """Once. WRONG_STATE when it is reviewed already, SAME_PERSON when the database asks for another authoriser."""

    def authorisers(self) -> frozenset[str]:
        """Everybody with that role."""


class SuspensionWork(Protocol):
    """Part of a transaction of retain."""

    def to_look_at(self) -> list[str]:
        """Every active deployment, since time alone makes undecided ones false; and what was stopped since the last
        look, or could not be looked at."""

    def look_at(self, deployment_id: str) -> None:
        """As if something had just been counted. In a transaction of its own."""

    def to_stop(self) -> list[str]:
        """Suspended while a search was in it, and so not stopped yet; nothing passes in it any more."""

    def stop_suspended(self, deployment_id: str) -> None:
        """Stop such a one."""

    def unaudited_suspensions(self) -> list[Suspension]:
        """Those that came by themselves and of which nothing else knows yet, oldest first."""

    def suspensions_of(self, deployment_id: str) -> list[str]:
        """The ids of a deployment's: each had a notice."""

    def suspension_audited(self, suspension_id: str, at: datetime) -> bool:
        """False when somebody else did it."""
