"""A request for a deployment at the level of the stage alone, under any policy, with the list and build it needs."""

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from proviso.domain.deployment import Grounds, RealTimeGrounds
from proviso.domain.people import Role
from proviso.domain.policy import Policy
from proviso.domain.watchlist import Build, Watchlist
from proviso.stages.deployment import DeploymentRequest, request
from tests.fakes.cloud import FakeDue
from tests.samples import NOW, PIPELINE, SOFTWARE, START, grounds, principal


class Lists:
    """A store with one list, made under this policy, and one build of so many entries."""

    def __init__(self, policy: Policy, entries: int) -> None:
        self.policy, self.entries = policy, entries

    def work(self) -> "Lists":
        return self

    def __enter__(self) -> "Lists":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def build(self, build_id: str) -> Build:
        return Build(build_id, "list-1", PIPELINE, "b" * 64, self.entries, self.entries, "officer", NOW)

    def watchlist(self, watchlist_id: str) -> Watchlist:
        rules = self.policy
        return Watchlist(
            id=watchlist_id,
            name="List",
            policy=rules.name,
            categories=rules.categories,
            max_entries=rules.max_entries,
            created_by="officer",
            created_at=NOW,
            consent_required=rules.consent_required,
            under_18_allowed=rules.under_18_allowed,
            image_refuse_age_years=rules.image_refuse_age_years,
            entries=self.entries,
        )

    def unknown_migrations(self) -> list[str]:
        return []

    def trial_at(self, pipeline: str, place: str) -> None:
        return None

    def calibration_for(self, pipeline: str) -> None:
        return None

    def add_deployment(self, asked: object) -> None:
        pass

    def audit(self, act: object) -> None:
        pass


def asked_under(policy: Policy, *, list_policy: Policy | None = None, entries: int = 1, **changed: Any) -> Any:
    """What becomes of a request that this policy allows, but for what is changed in it."""
    wanted = {
        "use": policy.uses[0],
        "place": "Gate 1",
        "premises": policy.premises[0],
        "cameras": ("gate-1",),
        "starts_at": START,
        "ends_at": START + timedelta(minutes=policy.max_duration_minutes),
        "passages_expected": 100,
        "watchlist_id": "list-1",
        "build_id": "build-1",
        "threshold": Decimal("0.5"),
        "grounds": _grounds(policy),
        "real_time": _real_time(policy),
        **changed,
    }
    return request(
        principal=principal("requester", Role.REQUESTER),
        wanted=DeploymentRequest(**wanted),
        policy=policy,
        software_build=SOFTWARE,
        store=Lists(list_policy or policy, entries),
        due=FakeDue(),
        clock=lambda: NOW,
        new_id=lambda: "d-1",
    )


def _grounds(policy: Policy) -> Grounds:
    return grounds(operator_kind=policy.operator_kinds[0])


def _real_time(policy: Policy) -> RealTimeGrounds | None:
    if not policy.decision_required:
        return None
    stated = dict.fromkeys((field.name for field in fields(RealTimeGrounds)), "for the test")
    return RealTimeGrounds(**{**stated, "objective": policy.uses[0]})
