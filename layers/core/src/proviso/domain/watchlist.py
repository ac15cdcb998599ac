"""Watchlists: who may be looked for, on what ground, and the immutable build that a deployment is bound to (S06)."""

from dataclasses import dataclass
from datetime import date, datetime

from proviso.domain.canonical import digest
from proviso.domain.face import Template
from proviso.domain.frame import Region
from proviso.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A named list under one policy, with the rules that it was made under and that the database holds it to."""

    id: str
    name: str
    policy: str
    categories: tuple[str, ...]
    max_entries: int
    created_by: str
    created_at: datetime
    consent_required: bool
    under_18_allowed: bool
    image_refuse_age_years: int
    entries: int = 0
    references: int = 0
    delete_requested_at: datetime | None = None

    def made_under(self, policy: Policy) -> bool:
        """Is everybody on it listed by rules at least as strict as this version of its policy's?"""
        return (
            self.policy == policy.name
            and set(self.categories) <= set(policy.categories)
            and self.consent_required >= policy.consent_required
            and self.under_18_allowed <= policy.under_18_allowed
            and self.image_refuse_age_years <= policy.image_refuse_age_years
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A person on a watchlist. `reference_no` stays after deletion (S31); `label` is the name shown to the
    watchlist officer, kept out of logs, notices and the reviewer's first view, and deleted with the list (S23)."""

    id: str
    watchlist_id: str
    reference_no: str
    label: str
    category: str
    reason: str
    source: str
    lawful_holding: str
    image_date: date
    consent_reference: str | None
    added_by: str
    added_at: datetime
    removed_at: datetime | None = None
    references: int = 0
    under_18: bool = False
    harm_reason: str | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None

    @property
    def waits_for_approval(self) -> bool:
        """An entry under 18 is in no build before a second person approved it (S09)."""
        return self.under_18 and self.approved_by is None

    def __repr__(self) -> str:
        return f"<Entry {self.id} of {self.watchlist_id}>"


@dataclass(frozen=True, slots=True)
class Reference:
    """An enrolled template. The image it came from lies in the enrolment bucket under `image_key`; `face` is where the
    face is in it."""

    id: str
    entry_id: str
    watchlist_id: str
    template: Template
    image_key: str
    image_digest: str
    added_by: str
    added_at: datetime
    face: Region | None = None

    @property
    def pipeline(self) -> str:
        return self.template.pipeline


@dataclass(frozen=True, slots=True)
class Build:
    """An immutable snapshot of a watchlist for one pipeline. `digest` covers its references, entries and images."""

    id: str
    watchlist_id: str
    pipeline: str
    digest: str
    entries: int
    references: int
    built_by: str
    built_at: datetime


def build_digest(watchlist_id: str, pipeline: str, references: list[tuple[str, str, str]]) -> str:
    """SHA-256 over the build's (reference id, entry id, image digest) rows, sorted."""
    return digest({"watchlist": watchlist_id, "pipeline": pipeline, "references": sorted(map(list, references))})


def enrolment_key(watchlist_id: str, entry_id: str, reference_id: str) -> str:
    """Where an enrolment picture lies in the enrolment bucket."""
    return f"enrolment/{watchlist_id}/{entry_id}/{reference_id}.jpg"
