"""The port of govern and enrol: lists, deployments, people, and all that acts are recorded with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proviso.domain.calibration_ports import CalibrationWork
from proviso.domain.contacts import ContactWork
from proviso.domain.holds import HoldWork
from proviso.domain.monitoring_ports import MonitoringWork
from proviso.domain.ports import AnchorWork
from proviso.domain.subject_ports import SubjectWork

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from proviso.domain.audit import Act, AuditRecord
    from proviso.domain.conditions import Attestation, Conditions, PriorAuthorisation
    from proviso.domain.deployment import Deployment
    from proviso.domain.people import Member, Person, Role
    from proviso.domain.reasons import Refused
    from proviso.domain.retention import Certificate
    from proviso.domain.watchlist import Build, Entry, Reference, Watchlist


class GovernWork(AnchorWork, CalibrationWork, HoldWork, SubjectWork, ContactWork, MonitoringWork, Protocol):
    """One transaction of govern or enrol."""

    def person(self, sub: str) -> Person | None: ...
    def people(self) -> list[Person]: ...
    def register(self, person: Person) -> None: ...
    def add_member(self, member: Member) -> None:
        """Name somebody as a deployment's reviewer or recipient."""

    def remove_member(self, deployment_id: str, sub: str, role: Role, at: datetime) -> bool: ...
    def members(self, deployment_id: str) -> list[Member]: ...

    def add_watchlist(self, watchlist: Watchlist) -> None: ...
    def watchlist(self, watchlist_id: str, *, lock: bool = False) -> Watchlist | None: ...
    def watchlists(self) -> list[Watchlist]: ...
    def add_entry(self, entry: Entry) -> None: ...
    def entry(self, watchlist_id: str, entry_id: str) -> Entry | None: ...
    def entries(self, watchlist_id: str) -> list[Entry]: ...
    def reference_taken(self, watchlist_id: str, reference_no: str) -> bool: ...
    def remove_entry(self, watchlist_id: str, entry_id: str, at: datetime) -> bool:
        """A tombstone, effective at once in every search. False when there is no such entry."""

    def reference_of(self, entry_id: str, image_digest: str, pipeline: str) -> str | None:
        """The id of the reference that this very picture (SHA-256) of this entry has in this pipeline."""

    def approve_entry(self, watchlist_id: str, entry_id: str, by: str, at: datetime) -> bool:
        """A second person's approval of an entry under 18 (S09). False when none waits for this person's."""

    def request_deletion(self, watchlist_id: str, by: str, at: datetime) -> bool:
        """The list is to be erased by retain; from now on nothing is added to it. False when it is gone already."""

    def in_use(self, watchlist_id: str) -> list[str]:
        """The deployments on this list that are not closed."""

    def add_reference(self, reference: Reference) -> None: ...
    def add_build(self, build_id: str, watchlist_id: str, pipeline: str, by: str, at: datetime) -> Build | Refused:
        """Snapshot the list's usable references of this pipeline. BUILD_EMPTY when there are none."""

    def build(self, build_id: str) -> Build | None: ...

    def add_deployment(self, deployment: Deployment) -> None: ...
    def deployment(self, deployment_id: str, *, lock: bool = False) -> Deployment | None: ...
    def deployments(self) -> list[Deployment]: ...
    def authorise(self, deployment_id: str, by: str, at: datetime, digest: str) -> Refused | None:
        """requested → authorised, conditional on state and on `by` not being the requester. WRONG_STATE, SUSPENDED."""

    def begin_warming(self, deployment_id: str, at: datetime) -> Refused | None:
        """authorised → warming. WRONG_STATE, OUTSIDE_WINDOW, or the condition of the start that the database misses."""

    def activate(self, deployment_id: str, at: datetime) -> Refused | None:
        """warming → active. CAMERA_BUSY by constraint, WRONG_STATE when it is not warming, or the missing condition."""

    def stop(self, deployment_id: str | None, by: str, at: datetime) -> list[Deployment]:
        """What is live → stopped (None: all); pending candidates freeze in the same statement."""

    def end_due(self, now: datetime) -> list[Deployment]:
        """active → ended for those whose window is over; pending candidates freeze."""

    def warm(self, build_id: str) -> int:
        """Run the search's query shape once over the build; the number of references that a search would compare."""

    def unknown_migrations(self) -> list[str]:
        """What was applied to the database by a newer build than this."""

    def conditions(self, deployment: Deployment) -> Conditions | None:
        """What stands of all that its start asks for; None when its build is gone."""

    def attest(self, attestation: Attestation) -> bool:
        """Once a kind (S33). False when it is there already."""

    def attestations(self, deployment_id: str) -> list[Attestation]: ...
    def record_decision(self, decision: PriorAuthorisation) -> None:
        """What a court or authority decided (S37); it counts at once. RuleBroken when it does not fit."""

    def decisions(self, deployment_id: str) -> list[PriorAuthorisation]: ...

    def certificate(self, deployment_id: str) -> Certificate | None: ...

    def audit(self, act: Act) -> None: ...
    def audit_records(self, chain: str) -> list[AuditRecord]: ...
    def audit_page(self, chain: str, after: int, limit: int) -> list[AuditRecord]:
        """At most `limit` records of a chain, from the one after `after` on."""


class GovernStore(Protocol):
    def work(self) -> AbstractContextManager[GovernWork]:
        """DatabaseAway when it cannot be opened."""
