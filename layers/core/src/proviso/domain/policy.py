"""A policy: the published rules that constrain why, who, where and when, as values that code can hold to.

The files live in proviso/policies; this is what they mean. A deployment keeps the version under which it was
authorised (S34), so a policy travels as a plain mapping with a digest.
"""

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from proviso.domain.canonical import digest
from proviso.domain.reasons import Reason, Refused

PRIVATE_KINDS = ("private_organisation",)
OPEN_TO_THE_PUBLIC = "open_to_the_public"
PRIVATE_IN_PUBLIC = (
    "there is no policy for a private operator in a place open to the public: who passes there has not consented (UK"
    " GDPR article 9), and no published rules say whom such an operator may look for; on closed premises, with the"
    " consent of everybody, the policy volunteers is for it"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one policy version. Durations in the units of their names.

    `extends` is the shipped policy and version that a local one was made from, or empty; `differences` are sentences,
    one for each value in which it is looser than that one, or other than it where neither way is tighter. An empty
    `authoriser_ranks` asks for no rank; `urgent_start_hours` of 0 allows no urgent start (S37). What has a value here
    holds so for deployments from before there were such rules, so that these can still be closed and erased.
    """

    name: str
    version: str
    uses: tuple[str, ...]
    categories: tuple[str, ...]
    max_entries: int
    max_duration_minutes: int
    calibration_required: bool
    site_trial_required: bool
    reviewers_required: int
    consent_required: bool
    build_max_age_hours: int
    image_warn_age_years: int
    image_refuse_age_years: int
    frame_age_limit_s: int
    clock_skew_s: int
    same_entry_window_s: int
    decide_within_s: int
    notice_useful_s: int
    evidence_hours: int
    message_prefix: str
    extends: str
    differences: tuple[str, ...]
    operator_kinds: tuple[str, ...]
    premises: tuple[str, ...]
    authoriser_ranks: tuple[str, ...]
    under_18_allowed: bool
    public_notice_hours: int
    public_notice_waivable: bool
    decision_required: bool
    urgent_start_hours: int
    candidates_per_reviewer_hour: int = 30
    reviewer_error_limit_percent: int = 20
    test_candidates_percent: int = 0
    false_hits_per_million_faces: int = 1000
    false_candidates_per_million_passages: int = 1000
    suspend_alpha_percent: int = 1
    groups_unrecorded_limit_percent: int = 50

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, lists for tuples: what is stored and hashed."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> "Policy":
        """The inverse of `as_mapping`. Raises KeyError naming what is missing; unknown keys raise TypeError."""
        known = {f.name: f.default for f in fields(cls)}
        if unknown := set(mapping) - set(known):
            raise TypeError(f"unknown policy values: {', '.join(sorted(unknown))}")
        given = {name for name, default in known.items() if name in mapping or default is MISSING}
        return cls(**{name: _plain(mapping[name]) for name in given})

    @property
    def title(self) -> str:
        """How the policy is called wherever a deployment is shown: a looser one may not pass for the shipped one."""
        own = f"{self.name} {self.version}"
        if not self.extends:
            return own
        if not self.differences:
            return f"{own} ({self.extends}, tightened)"
        count = len(self.differences)
        return f"{own} (NOT {self.extends}: {count} difference{'s' if count > 1 else ''})"

    @property
    def digest(self) -> str:
        return digest(self.as_mapping())

    def allows_entry(self, category: str, entries: int, consent_reference: str | None) -> Refused | None:
        """May one more entry of this category be added to a list that has `entries` (S06, S08)?"""
        if category not in self.categories:
            return Refused(Reason.POLICY_FORBIDS, f"category must be one of {', '.join(self.categories)}")
        if entries >= self.max_entries:
            return Refused(Reason.POLICY_FORBIDS, f"at most {self.max_entries} entries under {self.name}")
        if self.consent_required and not (consent_reference or "").strip():
            return Refused(Reason.POLICY_FORBIDS, f"{self.name} lists only people with a recorded consent")
        return None

    def allows_use(self, use: str, minutes: float) -> Refused | None:
        """May a deployment be for this use and this long (S02, S05)?"""
        if use not in self.uses:
            return Refused(Reason.POLICY_FORBIDS, f"use must be one of {', '.join(self.uses)}")
        if minutes > self.max_duration_minutes:
            return Refused(Reason.POLICY_FORBIDS, f"at most {self.max_duration_minutes} minutes under {self.name}")
        return None

    def allows_operator(self, kind: str, premises: str) -> Refused | None:
        """May an operator of this kind deploy on such premises (S02)?

        A private operator in a place open to the public is refused whatever a policy says: none that ships is for it,
        and a local one cannot be made for it either.
        """
        if kind in PRIVATE_KINDS and premises == OPEN_TO_THE_PUBLIC:
            return Refused(Reason.POLICY_FORBIDS, PRIVATE_IN_PUBLIC)
        if kind not in self.operator_kinds:
            return Refused(
                Reason.POLICY_FORBIDS,
                f"operator_kind must be one of {', '.join(self.operator_kinds)} under {self.name}",
            )
        if premises not in self.premises:
            return Refused(
                Reason.POLICY_FORBIDS, f"premises must be one of {', '.join(self.premises)} under {self.name}"
            )
        return None


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
