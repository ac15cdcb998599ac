"""Builders for the store's tests: a list, a build, a deployment, as the real stores make them. Nobody and nothing real.

Times are the machine's own, because the gate and the decisions ask the database's clock as well.
"""

import hashlib
import itertools
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proviso.domain.audit import Act
from proviso.domain.candidate import Candidate, CandidateState, Decision, Hit, Review, candidate_id, evidence_key
from proviso.domain.conditions import Attestation, Attested
from proviso.domain.deployment import Deployment, DeploymentState, Grounds
from proviso.domain.face import Template
from proviso.domain.frame import Counts
from proviso.domain.people import Member, Person, Role
from proviso.domain.permit import CheckedPermit
from proviso.domain.reasons import Refused
from proviso.domain.watchlist import Build, Entry, Reference, Watchlist, enrolment_key
from proviso.store.connection import Connector
from proviso.store.govern import PostgresGovernStore
from proviso.store.retention import PostgresRetainStore
from proviso.store.review import PostgresReviewStore
from proviso.store.search import PostgresSearchStore, PostgresSearchWork
from tests.embedded_database import Database
from tests.samples import policy

PIPELINE = "p" * 64
SOFTWARE = "build-1"
CAMERA = "gate-1"
POLICY = policy(
    name="trial",
    version="1",
    uses=("trial",),
    categories=("volunteer",),
    max_entries=50,
    max_duration_minutes=600,
    consent_required=True,
    image_warn_age_years=5,
    image_refuse_age_years=10,
    frame_age_limit_s=300,
    clock_skew_s=2,
    same_entry_window_s=60,
    decide_within_s=120,
    notice_useful_s=300,
    message_prefix="TRIAL",
    operator_kinds=("trial",),
)
GROUNDS = Grounds("trial", *[f"ground {i}" for i in range(1, 11)])
_numbers = itertools.count(1)


def name(kind: str) -> str:
    """An identifier that no other test uses."""
    return f"{kind}-{next(_numbers)}"


def now() -> datetime:
    return datetime.now(UTC)


def unit(rng: np.random.Generator, count: int = 1) -> NDArray[np.float32]:
    """(count, 128) random unit vectors."""
    found = rng.standard_normal((count, 128)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def near(vector: NDArray[np.float32], similarity: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A unit vector at about this cosine similarity to `vector`."""
    other = unit(rng)[0]
    other -= (other @ vector) * vector
    other /= np.linalg.norm(other)
    return np.asarray(similarity * vector + np.sqrt(1 - similarity**2) * other, dtype=np.float32)


def template(vector: NDArray[np.float32], pipeline: str = PIPELINE) -> Template:
    return Template(struct.pack("<128f", *vector), 128, pipeline)


def connector(url: str, **settings: Any) -> Connector:
    return Connector(lambda: url, connect_timeout_s=5, **settings)


@dataclass
class House:
    """The four stores, each with its own login role, and what tests put in through them."""

    database: Database
    connectors: list[Connector] = field(default_factory=list)
    kept: dict[str, PostgresGovernStore] = field(default_factory=dict)

    def connect(self, role: str, **settings: Any) -> Connector:
        """A connection of its own for each caller."""
        made = connector(self.database.url(role), **settings)
        self.connectors.append(made)
        return made

    def search(self) -> PostgresSearchStore:
        return PostgresSearchStore(self.connect("match"))

    def govern(self, role: str = "govern") -> PostgresGovernStore:
        if role not in self.kept:
            self.kept[role] = PostgresGovernStore(self.connect(role))
        return self.kept[role]

    def review(self) -> PostgresReviewStore:
        return PostgresReviewStore(self.connect("review"))

    def retain(self) -> PostgresRetainStore:
        return PostgresRetainStore(self.connect("retain"))

    def close(self) -> None:
        for one in self.connectors:
            one.close()

    def people(self) -> None:
        everybody = [
            Person("requester", frozenset({Role.REQUESTER})),
            Person("authoriser", frozenset({Role.AUTHORISER})),
            Person("officer", frozenset({Role.WATCHLIST_OFFICER})),
            Person("reviewer", frozenset({Role.REVIEWER}), now() + timedelta(days=1)),
            Person("second-reviewer", frozenset({Role.REVIEWER}), now() + timedelta(days=1)),
        ]
        with self.govern().work() as work:
            for person in everybody:
                work.register(person)

    def watchlist(self) -> Watchlist:
        made = Watchlist(
            id=name("list"),
            name="List",
            policy=POLICY.name,
            categories=POLICY.categories,
            max_entries=POLICY.max_entries,
            created_by="officer",
            created_at=now(),
            consent_required=POLICY.consent_required,
            under_18_allowed=POLICY.under_18_allowed,
            image_refuse_age_years=POLICY.image_refuse_age_years,
        )
        with self.govern().work() as work:
            work.add_watchlist(made)
        return made

    def entry(self, watchlist_id: str, **changes: Any) -> Entry:
        values: dict[str, Any] = {
            "id": name("entry"),
            "watchlist_id": watchlist_id,
            "reference_no": name("R"),
            "label": "Volunteer",
            "category": "volunteer",
            "reason": "took part",
            "source": "own consent",
            "lawful_holding": "consent form",
            "image_date": date(2026, 1, 2),
            "consent_reference": "C-1",
            "added_by": "officer",
            "added_at": now(),
        }
        made = Entry(**{**values, **changes})
        with self.govern().work() as work:
            work.add_entry(made)
        return made

    def reference(self, entry: Entry, vector: NDArray[np.float32], pipeline: str = PIPELINE) -> Reference:
        identifier = name("reference")
        made = Reference(
            id=identifier,
            entry_id=entry.id,
            watchlist_id=entry.watchlist_id,
            template=template(vector, pipeline),
            image_key=enrolment_key(entry.watchlist_id, entry.id, identifier),
            image_digest=hashlib.sha256(identifier.encode()).hexdigest(),
            added_by="officer",
            added_at=now(),
        )
        with self.govern("enrol").work() as work:
            work.add_reference(made)
        return made

    def build(self, watchlist_id: str, pipeline: str = PIPELINE) -> Build:
        with self.govern().work() as work:
            made = work.add_build(name("build"), watchlist_id, pipeline, "officer", now())
        assert not isinstance(made, Refused)
        return made

    def requested(self, build: Build, **changes: Any) -> Deployment:
        values: dict[str, Any] = {
            "id": name("deployment"),
            "state": DeploymentState.REQUESTED,
            "use": "trial",
            "place": "Gate 1",
            "premises": "closed_premises",
            "passages_expected": 100,
            "cameras": (CAMERA, "gate-2"),
            "starts_at": now() - timedelta(minutes=5),
            "ends_at": now() + timedelta(minutes=55),
            "watchlist_id": build.watchlist_id,
            "build_id": build.id,
            "build_digest": build.digest,
            "pipeline": build.pipeline,
            "threshold": Decimal("0.5"),
            "policy": POLICY,
            "software_build": SOFTWARE,
            "grounds": GROUNDS,
            "requested_by": "requester",
            "requested_at": now(),
        }
        made = Deployment(**{**values, **changes})
        with self.govern().work() as work:
            work.add_deployment(made)
        return made

    def authorised(self, build: Build, **changes: Any) -> Deployment:
        made = self.requested(build, **changes)
        with self.govern().work() as work:
            assert work.authorise(made.id, "authoriser", now(), made.digest) is None
        return made

    def attest(self, deployment_id: str) -> None:
        """What its start asks for under a policy without a calibration, and its reviewers (where they are
        registered)."""
        with self.govern().work() as work:
            for kind, since in ((Attested.SIGNAGE, None), (Attested.PUBLIC_NOTICE, now())):
                work.attest(Attestation(deployment_id, kind, "as usual", "authoriser", now(), since))
            for sub in ("reviewer", "second-reviewer"):
                work.add_member(Member(deployment_id, sub, Role.REVIEWER, "requester", now()))

    def warming(self, build: Build, **changes: Any) -> Deployment:
        made = self.authorised(build, **changes)
        self.attest(made.id)
        with self.govern().work() as work:
            assert work.begin_warming(made.id, now()) is None
        return made

    def active(self, build: Build, **changes: Any) -> Deployment:
        made = self.warming(build, **changes)
        with self.govern().work() as work:
            assert work.activate(made.id, now()) is None
            found = work.deployment(made.id)
        assert found is not None
        return found

    def scene(self, seed: int = 1, **changes: Any) -> "Scene":
        """One list with one entry and one reference, and an active deployment on it."""
        self.people()
        face = unit(np.random.default_rng(seed))[0]
        entry = self.entry(self.watchlist().id)
        self.reference(entry, face)
        return Scene(self, entry, face, self.active(self.build(entry.watchlist_id), **changes))


@dataclass(frozen=True)
class Scene:
    house: House
    entry: Entry
    face: NDArray[np.float32]
    deployment: Deployment

    def gate(self, work: PostgresSearchWork, **changes: Any) -> CheckedPermit | Refused:
        given: dict[str, Any] = {
            "deployment_id": self.deployment.id,
            "digest": self.deployment.digest,
            "camera": CAMERA,
            "captured_at": now(),
            "now": now(),
            "pipeline": PIPELINE,
            "software_build": SOFTWARE,
        }
        return work.gate(**{**given, **changes})

    def permit(self, work: PostgresSearchWork) -> CheckedPermit:
        found = self.gate(work)
        assert isinstance(found, CheckedPermit), found
        return found

    def candidate(self, permit: CheckedPermit, frame_key: str, **changes: Any) -> Candidate:
        identifier = candidate_id(permit.deployment_id, frame_key, self.entry.id)
        at = now()
        values: dict[str, Any] = {
            "id": identifier,
            "deployment_id": permit.deployment_id,
            "entry_id": self.entry.id,
            "camera": permit.camera,
            "place": permit.place,
            "frame_key": frame_key,
            "captured_at": at,
            "raised_at": at,
            "decide_by": at + timedelta(seconds=60),
            "last_sighting_at": at,
            "state": CandidateState.RAISED,
            "similarity": 0.75,
            "threshold": permit.threshold,
            "pipeline": permit.pipeline,
            "policy": "trial 1",
            "calibrated": False,
            "evidence_key": evidence_key(permit.deployment_id, identifier),
            "evidence_digest": "e" * 64,
            "correlation_id": "c" * 36,
        }
        return Candidate(**{**values, **changes})

    def raised(self, runners_up: Sequence[Hit] = (), **changes: Any) -> Candidate:
        """A candidate as match leaves it: searched frame, candidate, audit, committed."""
        frame_key = f"{CAMERA}/2026-11-22/{name('frame')}.jpg"
        with self.house.search().work() as work:
            permit = self.permit(work)
            work.lock_entries(permit, [self.entry.id])
            made = self.candidate(permit, frame_key, **changes)
            work.open(made, runners_up)
            counts = Counts(detected=2, refused=1, searched=1, candidates=1)
            work.record_searched(
                frame_key=frame_key, permit=permit, captured_at=made.captured_at, now=now(), counts=counts
            )
            work.audit(act(self.deployment.id, "frame_searched", frame_key))
        return made


def act(chain: str, action: str = "tried", subject: str = "something") -> Act:
    return Act(chain, now(), "function:match", action, subject, details={"faces": 1})


def decision(candidate: Candidate, what: Decision = Decision.CONFIRM, by: str = "reviewer") -> Review:
    return Review(name("review"), candidate.id, by, what, "same person", now())


@contextmanager
def house(database: Database) -> Iterator[House]:
    made = House(database)
    try:
        yield made
    finally:
        made.close()
