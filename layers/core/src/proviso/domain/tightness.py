"""Which of two policies is the tighter one, value by value: what lets a local policy extend a shipped one (S34).

A local policy may only tighten. Where it loosens, or changes a value of which neither way is tighter, it is another
policy and says so in a sentence a value; a few values may not be loosened at all. Every field of a policy has an order
here: one without would be a way round (a test fails for it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from proviso.domain.policy import Policy


class Order(Enum):
    """Which way a value is tighter."""

    NAMES = "names the policy, and rules nothing"
    SUBSET = "fewer of them"
    RANKS = "fewer of them; none at all asks for no rank, which is the loosest"
    LOWER = "lower"
    HIGHER = "higher"
    YES = "yes"
    NO = "no"
    LONGER = "begins with the other's words"
    NEITHER = "neither way is tighter"


class Verdict(StrEnum):
    SAME = "same"
    TIGHTER = "tighter"
    LOOSER = "looser"
    DIFFERS = "differs"


ORDERS: dict[str, Order] = {
    "name": Order.NAMES,
    "version": Order.NAMES,
    "extends": Order.NAMES,
    "differences": Order.NAMES,
    "uses": Order.SUBSET,
    "categories": Order.SUBSET,
    "operator_kinds": Order.SUBSET,
    "premises": Order.SUBSET,
    "authoriser_ranks": Order.RANKS,
    "max_entries": Order.LOWER,
    "max_duration_minutes": Order.LOWER,
    "build_max_age_hours": Order.LOWER,
    "image_warn_age_years": Order.LOWER,
    "image_refuse_age_years": Order.LOWER,
    "frame_age_limit_s": Order.LOWER,
    "clock_skew_s": Order.LOWER,
    "evidence_hours": Order.LOWER,
    "urgent_start_hours": Order.LOWER,
    "candidates_per_reviewer_hour": Order.LOWER,
    "reviewer_error_limit_percent": Order.LOWER,
    "false_hits_per_million_faces": Order.LOWER,
    "false_candidates_per_million_passages": Order.LOWER,
    "groups_unrecorded_limit_percent": Order.LOWER,
    "reviewers_required": Order.HIGHER,
    "public_notice_hours": Order.HIGHER,
    "test_candidates_percent": Order.HIGHER,
    # With a higher one less evidence suspends, and so sooner.
    "suspend_alpha_percent": Order.HIGHER,
    "calibration_required": Order.YES,
    "site_trial_required": Order.YES,
    "consent_required": Order.YES,
    "decision_required": Order.YES,
    "under_18_allowed": Order.NO,
    "public_notice_waivable": Order.NO,
    "message_prefix": Order.LONGER,
    # A longer window hides more repetitions, a shorter one disturbs the same person more often; less time to decide is
    # a more hurried decision, more time a staler one.
    "same_entry_window_s": Order.NEITHER,
    "decide_within_s": Order.NEITHER,
    "notice_useful_s": Order.NEITHER,
}

NEVER_LOOSER: dict[str, str] = {
    "calibration_required": "a threshold without a calibration is a guess, and only demo may run on one (S13)",
    "decision_required": "a court's or an independent authority's decision cannot be waived by a file (S37)",
    "message_prefix": "messages begin with the words of the policy that is extended, and more words may follow them",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value of two policies, and how the second stands to the first."""

    field: str
    first: Any
    second: Any
    verdict: Verdict


def compare(field: str, first: Any, second: Any) -> Verdict:
    """How `second` stands to `first`. KeyError for a field that has no order."""
    order = ORDERS[field]
    if order is Order.NAMES or first == second:
        return Verdict.SAME
    if order is Order.NEITHER:
        return Verdict.DIFFERS
    if order in (Order.SUBSET, Order.RANKS) and set(first) == set(second):
        return Verdict.SAME  # in another order
    return Verdict.TIGHTER if _tighter(order, first, second) else Verdict.LOOSER


def comparisons(first: Policy, second: Policy) -> tuple[Comparison, ...]:
    """Value by value, in the order of the table; names and versions left out."""
    return tuple(
        Comparison(field, a, b, compare(field, a, b))
        for field, order in ORDERS.items()
        if order is not Order.NAMES
        for a, b in [(getattr(first, field), getattr(second, field))]
    )


def differences(base: Policy, local: Policy) -> tuple[str, ...]:
    """A sentence for each value in which `local` is looser than `base`, or other where neither way is tighter."""
    return tuple(
        _sentence(one, f"{base.name} {base.version}")
        for one in comparisons(base, local)
        if one.verdict in (Verdict.LOOSER, Verdict.DIFFERS)
    )


def never(base: Policy, values: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence for each of these values that is looser than `base` where nothing may be."""
    return tuple(
        f"{field}: may not be loosened: {why}"
        for field, why in NEVER_LOOSER.items()
        if field in values and compare(field, getattr(base, field), values[field]) is Verdict.LOOSER
    )


def words(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return str(value) or "none"


def _tighter(order: Order, first: Any, second: Any) -> bool:
    if order is Order.SUBSET:
        return set(second) < set(first)
    if order is Order.RANKS:
        return bool(second) and (not first or set(second) < set(first))
    if order is Order.LOWER:
        return bool(second < first)
    if order is Order.HIGHER:
        return bool(second > first)
    if order is Order.LONGER:
        return not first or second.startswith(f"{first} ")
    return second is (order is Order.YES)


def _sentence(one: Comparison, base: str) -> str:
    how = "looser" if one.verdict is Verdict.LOOSER else "neither way is tighter"
    added = [value for value in one.second if value not in one.first] if isinstance(one.second, tuple) else []
    if added and one.first:
        return f"{one.field}: also {', '.join(added)}, not in {base} ({how})"
    return f"{one.field}: {words(one.second)} here, {words(one.first)} in {base} ({how})"
