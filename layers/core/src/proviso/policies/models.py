"""The form of a policy file: which values there are, of what kind, each with its source.

A rule that nobody can trace is not a rule, so a value without a source does not hold. Lists are closed by being words
of a known form; one that lets anything in ("intelligence", "other") is no list (S06; Bridges para 124).
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

CATCH_ALL = ("intelligence", "other")
_MONTH_HOURS = 31 * 24


def _closed(words: list[str]) -> list[str]:
    for word in words:
        for open_ended in CATCH_ALL:
            if open_ended in word:
                raise ValueError(f"{word!r} lets anybody be listed: a category with {open_ended!r} is not closed (S06)")
    return words


def _once(words: list[str]) -> list[str]:
    if len(set(words)) != len(words):
        raise ValueError("the same word stands there twice")
    return words


_Word = Annotated[str, Field(pattern=r"^[a-z][a-z_]*$", max_length=60)]
_OperatorKind = Literal[
    "police_force",
    "law_enforcement_authority",
    "public_body",
    "research_body",
    "private_organisation",
    "demonstration",
]
_Some = Field(min_length=1)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Sourced(_Form):
    source: Annotated[str, Field(min_length=10)]


class _Words(_Sourced):
    value: Annotated[list[_Word], _Some, AfterValidator(_once)]


class _Categories(_Sourced):
    value: Annotated[list[_Word], _Some, AfterValidator(_once), AfterValidator(_closed)]


class _OperatorKinds(_Sourced):
    value: Annotated[list[_OperatorKind], _Some, AfterValidator(_once)]


class _Premises(_Sourced):
    value: Annotated[list[Literal["closed_premises", "open_to_the_public"]], _Some, AfterValidator(_once)]


class _Ranks(_Sourced):
    """The one list that may be empty: no rank is asked for."""

    value: Annotated[list[_Word], AfterValidator(_once)]


class _Number(_Sourced):
    value: Annotated[int, Field(ge=1)]


class _FrameAge(_Sourced):
    """Sweep deletes every frame at 120 s, unless the stack is told otherwise (S14)."""

    value: Annotated[int, Field(ge=1, le=120)]


class _EvidenceHours(_Sourced):
    """The buckets' own rule deletes evidence after 31 days, whatever a policy says (S24, S25)."""

    value: Annotated[int, Field(ge=1, le=_MONTH_HOURS)]


class _Hours(_Sourced):
    value: Annotated[int, Field(ge=0)]


class _ErrorLimit(_Sourced):
    """Half of all answers wrong is what a coin does."""

    value: Annotated[int, Field(ge=1, le=50)]


class _PerMillion(_Sourced):
    value: Annotated[int, Field(ge=1, le=1_000_000)]


class _Alpha(_Sourced):
    """How often a deployment with which nothing is wrong may be suspended: one in ten at the most."""

    value: Annotated[int, Field(ge=1, le=10)]


class _Percent(_Sourced):
    value: Annotated[int, Field(ge=0, le=100)]


def _worth_it(percent: int) -> int:
    if 0 < percent < 5:
        raise ValueError("tests of reviewers are 0 (none) or at least 5 percent: fewer measure nobody (S19)")
    return percent


class _TestShare(_Sourced):
    value: Annotated[int, Field(ge=0, le=50), AfterValidator(_worth_it)]


class _Switch(_Sourced):
    value: bool


class _Prefix(_Sourced):
    """At most 14 signs, so that a notice stays one part of an SMS (S20)."""

    value: Annotated[str, Field(max_length=14, pattern=r"^([A-Z]+( [A-Z]+)*)?$")]


class Values(_Form):
    """The values of a policy: the fields of `domain.policy.Policy` but its names."""

    # who operates it, for what, where
    operator_kinds: _OperatorKinds
    uses: _Words
    premises: _Premises
    # who may be listed
    categories: _Categories
    max_entries: _Number
    consent_required: _Switch
    under_18_allowed: _Switch
    image_warn_age_years: _Number
    image_refuse_age_years: _Number
    build_max_age_hours: _Number
    # who authorises it, and how long
    authoriser_ranks: _Ranks
    max_duration_minutes: _Number
    decision_required: _Switch
    urgent_start_hours: _Hours
    public_notice_hours: _Hours
    public_notice_waivable: _Switch
    # how well it must be known to work
    calibration_required: _Switch
    site_trial_required: _Switch
    # who decides on a candidate, and how soon
    reviewers_required: _Number
    decide_within_s: _Number
    notice_useful_s: _Number
    candidates_per_reviewer_hour: _Number
    reviewer_error_limit_percent: _ErrorLimit
    test_candidates_percent: _TestShare
    same_entry_window_s: _Number
    message_prefix: _Prefix
    # when it is suspended
    false_hits_per_million_faces: _PerMillion
    false_candidates_per_million_passages: _PerMillion
    suspend_alpha_percent: _Alpha
    groups_unrecorded_limit_percent: _Percent
    # what is kept
    frame_age_limit_s: _FrameAge
    clock_skew_s: _Number
    evidence_hours: _EvidenceHours

    @model_validator(mode="after")
    def _warned_before_refused(self) -> Self:
        if self.image_warn_age_years.value > self.image_refuse_age_years.value:
            raise ValueError("image_warn_age_years: may not be more than image_refuse_age_years")
        return self


class _Head(_Form):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
    version: Annotated[str, Field(pattern=r"^\d{4}\.\d{1,2}\.\d+$")]
    purpose: Annotated[str, Field(min_length=10)]


class ShippedFile(_Head):
    """A policy that ships: every value stands in it."""

    values: Values


class LocalFile(_Head):
    """A policy that extends a shipped one: `values` is what it changes, already laid over the other's."""

    extends: Annotated[str, Field(pattern=r"^[a-z][a-z-]*( \d{4}\.\d{1,2}\.\d+)?$")]
    values: Values
