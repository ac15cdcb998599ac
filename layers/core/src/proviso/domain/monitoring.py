"""Monitoring (S26, S27): what is measured of false candidates, what is not measurable and why, and what suspends.

The database counts, works out the e-values (`domain.evalues`) and suspends; here are the records of it and the
sentences for people. A share is a decimal between 0 and 1.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from proviso.domain.candidate import Age, Ethnicity, Sex
from proviso.domain.evalues import GROUPS, detectable_odds, detectable_rate
from proviso.domain.people import Principal, Role
from proviso.domain.reasons import Reason, Refused

NOT_STATED = "not_stated"
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "sex": tuple(one.value for one in Sex if one.value != NOT_STATED),
    "age": tuple(one.value for one in Age if one.value != NOT_STATED),
    "ethnicity": tuple(one.value for one in Ethnicity if one.value != NOT_STATED),
}
"""What may be said of somebody (S28), and so for what a share of passers-by may be declared."""
LEAST_UNRECORDED = 5
"""Below so many false candidates nobody asks of how many a group was recorded."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which share of those who pass is of a group: an interval, and where it is from."""

    dimension: str
    group: str
    low: Decimal
    high: Decimal
    source: str

    def as_mapping(self) -> dict[str, str]:
        """Plain text: what is stored and hashed."""
        return {
            "dimension": self.dimension,
            "group": self.group,
            "low": _share(self.low),
            "high": _share(self.high),
            "source": self.source,
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> "Exposure":
        """The inverse of `as_mapping`."""
        low, high = Decimal(values["low"]), Decimal(values["high"])
        return cls(values["dimension"], values["group"], low, high, values["source"])


def exposure_fault(declared: Iterable[Exposure]) -> str | None:
    """Why these shares cannot be declared, or None."""
    seen: set[tuple[str, str]] = set()
    lows: dict[str, Decimal] = {}
    highs: dict[str, list[Decimal]] = {}
    for one in declared:
        if one.group not in DIMENSIONS.get(one.dimension, ()):
            known = "; ".join(f"{name}: {', '.join(groups)}" for name, groups in DIMENSIONS.items())
            return f"exposure: no such group: {one.dimension[:20]} {one.group[:20]}; there are {known}"
        if not (Decimal(0) <= one.low <= one.high <= Decimal(1)) or any(
            int(share.normalize().as_tuple().exponent) < -6 for share in (one.low, one.high)
        ):
            return f"exposure: {one.group}: low and high are shares between 0 and 1, with at most six decimals"
        if not one.source.strip():
            return f"exposure: {one.group}: says where it is from"
        if (one.dimension, one.group) in seen:
            return f"exposure: {one.group} stands there twice"
        seen.add((one.dimension, one.group))
        lows[one.dimension] = lows.get(one.dimension, Decimal(0)) + one.low
        highs.setdefault(one.dimension, []).append(one.high)
    for dimension, low in lows.items():
        if low > 1:
            return f"exposure: {dimension}: the lowest shares are more than everybody"
        if len(highs[dimension]) == len(DIMENSIONS[dimension]) and sum(highs[dimension]) < 1:
            return f"exposure: {dimension}: the highest shares of all groups are less than everybody"
    return None


class Cause(StrEnum):
    """What led to a suspension. `not_testable` stops nothing: it is found when a deployment is over."""

    FALSE_MATCHES = "false_matches"
    FALSE_CANDIDATES = "false_candidates"
    GROUP = "group"
    NOT_TESTABLE = "not_testable"

    @property
    def safeguard(self) -> str:
        return "S26" if self in (Cause.FALSE_MATCHES, Cause.FALSE_CANDIDATES) else "S27"

    @property
    def sentence(self) -> str:
        """For people."""
        return _SENTENCES[self]


_SENTENCES = {
    Cause.FALSE_MATCHES: "more of the searched faces were false hits than is allowed",
    Cause.FALSE_CANDIDATES: "more of those who passed were false candidates than is allowed",
    Cause.GROUP: "false candidates fell on a group more often than it passes by",
    Cause.NOT_TESTABLE: "of too many false candidates no group was recorded, so that nobody can say whom they fall on",
}


@dataclass(frozen=True, slots=True)
class Suspension:
    """That a deployment was suspended, by what figures, and what somebody found who looked into it.

    `figures` as the database had them. `stopped`: it was running, and was ended by it. Until it is reviewed nothing of
    its operator (in the form in which names are compared) and pipeline is authorised or started.
    """

    id: str
    deployment_id: str
    operator: str
    pipeline: str
    kind: Cause
    figures: Mapping[str, Any]
    suspended_at: datetime
    stopped: bool
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    finding: str | None = None


def may_review(
    principal: Principal, requested_by: str, authorised_by: str | None, authorisers: frozenset[str]
) -> Refused | None:
    """An authoriser who neither asked for that deployment nor authorised it, where there is another one."""
    if refused := principal.needs(Role.AUTHORISER):
        return refused
    involved = {requested_by, authorised_by}
    if principal.sub in involved and authorisers - involved:
        return Refused(Reason.SAME_PERSON, "another authoriser reviews a suspension than who asked or authorised")
    return None


# --- what is measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Series:
    """A sequential test of false candidates (S26). `f` false ones of `m` searched faces, or passages; at most
    `expected` would be allowed. `together`: how many hits count as one, since those of one person come together.
    `evidence` suspends at `needed`. `detectable`: which factor above the limit would have
    been found by now, with 80 %. Where it is not measurable, `why_not` says so and the figures are None."""

    kind: Cause
    span: str
    unit: str
    f: int | None = None
    candidates: int | None = None
    m: float | None = None
    limit: float | None = None
    expected: float | None = None
    together: float | None = None
    evidence: float | None = None
    needed: float | None = None
    detectable: float | None = None
    deployments: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class GroupSeries:
    """A group among false candidates of all deployments of the operator and pipeline (S27). `x` of `n` were of it, and
    at most the share `high` of passers-by (the mean over the deployments)."""

    dimension: str
    group: str
    x: int | None = None
    n: int | None = None
    high: float | None = None
    evidence: float | None = None
    detectable: float | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Monitoring:
    """All that is measured of a deployment, and what is not."""

    deployment_id: str
    operator: str
    pipeline: str
    alpha: float
    face_limit: float
    calibrated: float | None
    series: tuple[Series, ...]
    groups: tuple[GroupSeries, ...]
    groups_evidence: float
    groups_needed: float
    false_candidates: int
    unrecorded: int
    unrecorded_limit_percent: float
    suspensions: tuple[Suspension, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What can be said, and what cannot."""
        return (*map(_of_series, self.series), *_of_groups(self), _of_records(self), MISSED)


MISSED = (
    "people who were missed: not measurable here; only passages of volunteers who were put there can show who is missed"
)
_SPANS = {"deployment": "this deployment", "operator": "all of this operator and pipeline since the last suspension"}
_UNITS = {Cause.FALSE_MATCHES: "searched faces", Cause.FALSE_CANDIDATES: "passages"}
_NO_TRIAL = "how many faces a passage has is not known: no trial was held at this place with this pipeline"


def monitoring_from(found: Mapping[str, Any], suspensions: tuple[Suspension, ...] = ()) -> Monitoring:
    """From the database's figures (`monitoring_of`)."""
    rows = {(Cause(one["kind"]), one["span"]): one for one in found["series"] or ()}
    limits = {Cause.FALSE_MATCHES: found["face_limit"], Cause.FALSE_CANDIDATES: found["passage_limit"]}
    groups = {(one["dimension"], one["value"]): one for one in found["groups"] or ()}
    bar = float(found["bar_groups"])
    return Monitoring(
        deployment_id=found["deployment_id"],
        operator=found["operator"],
        pipeline=found["pipeline"],
        alpha=float(found["alpha"]),
        face_limit=float(found["face_limit"]),
        calibrated=found["calibrated"],
        series=tuple(_series(kind, span, rows.get((kind, span)), limits[kind]) for kind in _UNITS for span in _SPANS),
        groups=tuple(
            _group(dimension, group, groups.get((dimension, group)), bar)
            for dimension, names in DIMENSIONS.items()
            for group in names
        ),
        groups_evidence=_exp(found["ln_e_groups"]),
        groups_needed=_exp(bar),
        false_candidates=int(found["false_candidates"]),
        unrecorded=int(found["unrecorded"]),
        unrecorded_limit_percent=float(found["unrecorded_limit"]),
        suspensions=suspensions,
    )


def _series(kind: Cause, span: str, row: Mapping[str, Any] | None, limit: float | None) -> Series:
    if row is None:
        return Series(kind, span, _UNITS[kind], why_not=_NO_TRIAL)
    expected, bar = float(row["expected"]), float(row["bar"])
    return Series(
        kind=kind,
        span=span,
        unit=_UNITS[kind],
        f=int(row["f"]),
        candidates=int(row["candidates"]),
        m=float(row["m"]),
        limit=limit,
        expected=expected,
        together=float(row["together"]),
        evidence=_exp(row["ln_e"]),
        needed=_exp(bar),
        detectable=detectable_rate(expected / float(row["together"]), bar),
        deployments=int(row["deployments"]),
    )


def _group(dimension: str, group: str, row: Mapping[str, Any] | None, bar: float) -> GroupSeries:
    if row is None:
        return GroupSeries(dimension, group, why_not="no share of passers-by was declared")
    parts = [(int(n), float(high)) for n, high in zip(row["ns"], row["highs"], strict=True)]
    n = sum(count for count, _ in parts)
    if all(high >= 1 for _, high in parts):
        return GroupSeries(dimension, group, int(row["x"]), n, 1.0, why_not="declared as up to everybody: says nothing")
    # What one group alone must reach, the others having shown nothing for it nor against it.
    alone = bar + math.log(GROUPS)
    weighed = sum(count * high for count, high in parts) / n if n else max(high for _, high in parts)
    return GroupSeries(
        dimension=dimension,
        group=group,
        x=int(row["x"]),
        n=n,
        high=weighed,
        evidence=_exp(row["ln_e"]),
        detectable=detectable_odds(parts, alone) if n else None,
    )


def _of_series(one: Series) -> str:
    name = f"false {'hits' if one.kind is Cause.FALSE_MATCHES else 'candidates'} among {one.unit}, {_SPANS[one.span]}"
    if one.f is None or one.m is None or one.expected is None:
        return f"{name}: not measurable: {one.why_not}"
    found = one.detectable
    seen = "nothing can be said yet" if found is None else f"nothing below a factor {found:.1f} could be seen"
    few = f" of {one.candidates} candidates" if one.together and one.together > 1 else ""
    return f"{name}: {one.f}{few} in {one.m:.0f}, where at most {one.expected:.2f} are allowed; {seen}"


def _of_groups(found: Monitoring) -> Iterable[str]:
    for one in found.groups:
        if one.why_not or one.n is None:
            yield f"{one.dimension} {one.group}: not measurable: {one.why_not}"
        elif one.detectable is None:
            yield f"{one.dimension} {one.group}: with {one.n} false candidates nothing could be seen yet"
        else:
            yield (
                f"{one.dimension} {one.group}: with {one.n} false candidates nothing below a factor"
                f" {one.detectable:.1f} could be seen"
            )


def _of_records(found: Monitoring) -> str:
    said = f"no group is recorded of {found.unrecorded} of {found.false_candidates} false candidates"
    if found.false_candidates < LEAST_UNRECORDED:
        return f"{said}; below {LEAST_UNRECORDED} that says nothing"
    late = found.unrecorded * 100 > found.false_candidates * found.unrecorded_limit_percent
    return f"{said}, where {found.unrecorded_limit_percent:.0f} % may be: {'not testable' if late else 'enough'}"


def _share(value: Decimal) -> str:
    return format(value.normalize(), "f") if value else "0"


def _exp(logarithm: Any) -> float:
    """Up to where a number can be shown."""
    return math.exp(min(float(logarithm), 700.0))
