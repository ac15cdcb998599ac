"""The whole way in one process: the real stages on the real database, each with its own login role, and fakes for AWS.

So a test can try the way round a safeguard as a user (through a stage), as a function's role (`sql("match", ...)`), or
as somebody who writes into a bucket or a queue (`permits.objects`, `match(message)`).
"""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from proviso.domain.calibration import Calibration
from proviso.domain.candidate import Decision
from proviso.domain.conditions import Attested
from proviso.domain.deployment import Deployment
from proviso.domain.frame import FrameKey, Jpeg, LedgerEntry
from proviso.domain.messages import FacesMessage
from proviso.domain.people import Member, Person, Principal, Role
from proviso.domain.policy import Policy
from proviso.domain.reasons import Refused
from proviso.domain.retention import QueuesSeen
from proviso.domain.timing import Stopwatch
from proviso.notices import all_wordings
from proviso.stages import (
    alert,
    conditions,
    deployment,
    deployments_shown,
    detect,
    enrol,
    match,
    pairs,
    people,
    retain,
    review,
    sweep,
    watchlist,
)
from proviso.store.connection import Connector
from proviso.store.govern import PostgresGovernStore
from proviso.store.migrations import migrate
from proviso.store.pairs import PostgresPairStore
from proviso.store.retention import PostgresRetainStore
from proviso.store.review import PostgresReviewStore
from proviso.store.search import PostgresSearchStore
from tests.doubles import FakePipeline
from tests.doubles import burst as burst_of
from tests.doubles import people as frame_of
from tests.embedded_database import Database
from tests.fakes.cloud import (
    FakeAnchors,
    FakeChanges,
    FakeContacts,
    FakeDue,
    FakeFacesQueue,
    FakeFrames,
    FakeLedger,
    FakeNotices,
    FakeOutbox,
    FakePermits,
    FakePictures,
    FakePublisher,
    FakeQueueGauge,
    FakeQueueLook,
    FakeRecords,
    FakeStops,
    FakeSubjects,
    FakeWaker,
)
from tests.samples import CAMERA, ENTRY, SOFTWARE, contact, grounds, policy

ROLES = {
    "requester": Role.REQUESTER,
    "authoriser": Role.AUTHORISER,
    "officer": Role.WATCHLIST_OFFICER,
    "reviewer": Role.REVIEWER,
    "second": Role.REVIEWER,
    "recipient": Role.RECIPIENT,
    "auditor": Role.AUDITOR,
    "protector": Role.DATA_PROTECTION_OFFICER,
}


CANDIDATE_COLUMNS = (
    "id",
    "deployment_id",
    "entry_id",
    "camera",
    "place",
    "frame_key",
    "captured_at",
    "raised_at",
    "decide_by",
    "last_sighting_at",
    "state",
    "similarity",
    "threshold",
    "pipeline",
    "policy",
    "calibrated",
    "evidence_key",
    "evidence_digest",
    "correlation_id",
)


class Pictures(FakePictures):
    """FakePictures that knows of `stored_before` and takes everything for old."""

    def keys(self, prefix: str, stored_before: datetime | None = None) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.skew = timedelta(0)
        self.connectors: list[Connector] = []
        self.changes = FakeChanges()
        self.frames, self.permits, self.queue = FakeFrames(clock=self.now), FakePermits(), FakeFacesQueue()
        self.ledger, self.notices, self.publisher = FakeLedger(clock=self.now), FakeNotices(), FakePublisher()
        self.due, self.spool, self.outbox = FakeDue(), FakeStops(clock=self.now), FakeOutbox()
        self.anchors, self.desk = FakeAnchors(), FakeContacts()
        self.gauge, self.look = FakeQueueGauge(), FakeQueueLook()
        self.records = FakeRecords()
        self.evidence, self.enrolment = Pictures(), Pictures()
        self.subjects: Any = FakeSubjects()
        self.pipeline: Any = FakePipeline()
        self.govern = PostgresGovernStore(self.connector("govern"))
        self.enrol_store = PostgresGovernStore(self.connector("enrol"))
        self.pairs = PostgresPairStore(self.connector("enrol"))
        self.search = PostgresSearchStore(self.connector("match"))
        self.reviews = PostgresReviewStore(self.connector("review"))
        self.retains = PostgresRetainStore(self.connector("retain"))
        self._sequence = itertools.count(1)
        self.waits: list[float] = []
        self.permitted: Policy = policy()

    # --- the machine ---

    def connector(self, role: str, **settings: Any) -> Connector:
        made = Connector(lambda: self.database.url(role), connect_timeout_s=5, **settings)
        self.connectors.append(made)
        return made

    def close(self) -> None:
        for one in self.connectors:
            one.close()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def id(self) -> str:
        return str(uuid.uuid4())

    def sql(self, role: str, statement: str, **given: Any) -> list[dict[str, Any]]:
        """A statement at the level of a function's login role, or of the master: psycopg's own errors come out."""
        url = self.database.master_url if role == "master" else self.database.url(role)
        with psycopg.connect(url, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), given or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, **given: Any) -> Any:
        """The first value, read as master."""
        found = self.sql("master", statement, **given)
        return next(iter(found[0].values())) if found else None

    @contextmanager
    def meddling(self) -> Iterator[Any]:
        """As somebody who owns the database and switched its triggers off: beyond what SQL can prevent."""
        with psycopg.connect(self.database.master_url) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    # --- people ---

    def person(self, sub: str) -> Principal:
        with self.govern.work() as work:
            found = people.principal_of(work, sub)
        assert isinstance(found, Principal), found
        return found

    def register(self) -> None:
        """Everybody, with a contact where they are told something: in the bucket alone, as if it were confirmed."""
        with self.govern.work() as work:
            for sub, role in ROLES.items():
                work.register(Person(sub, frozenset({role}), self.now() + timedelta(days=30)))
                if role in (Role.REVIEWER, Role.RECIPIENT):
                    self.desk.cards[sub] = contact(sub, role)

    # --- a list, a deployment ---

    def watchlist(self) -> str:
        made = watchlist.create(
            principal=self.person("officer"),
            name="List",
            policy=self.permitted,
            store=self.govern,
            due=self.due,
            clock=self.now,
            new_id=self.id,
        )
        return made.id

    def add(self, list_id: str, **changed: Any) -> Any:
        added = watchlist.add_entry(
            principal=self.person("officer"),
            watchlist_id=list_id,
            request=watchlist.EntryRequest(**{**ENTRY, **changed}),
            policy_of=lambda name: self.permitted,
            store=self.govern,
            subjects=self.subjects,
            clock=self.now,
            new_id=self.id,
        )
        return added if isinstance(added, Refused) else added.entry

    def enrol(self, list_id: str, entry_id: str, picture: bytes) -> Any:
        return enrol.enrol(
            principal=self.person("officer"),
            watchlist_id=list_id,
            entry_id=entry_id,
            picture=Jpeg(picture),
            pipeline=self.pipeline,
            pictures=self.enrolment,
            store=self.enrol_store,
            subjects=self.subjects,
            clock=self.now,
            new_id=self.id,
        )

    def listed(self, *who: object) -> tuple[str, list[str]]:
        """A list with an entry a number, each with one reference."""
        list_id = self.watchlist()
        entries = []
        for number in who:
            entry = self.add(list_id)
            assert not isinstance(entry, Refused), entry
            assert not isinstance(self.enrol(list_id, entry.id, frame_of(number)), Refused)
            entries.append(entry.id)
        return list_id, entries

    def build(self, list_id: str) -> Any:
        return watchlist.build(
            principal=self.person("officer"),
            watchlist_id=list_id,
            pipeline=self.pipeline.digest,
            store=self.govern,
            clock=self.now,
            new_id=self.id,
        )

    def shown(self, deployment_id: str) -> deployments_shown.Shown:
        """As its authoriser sees it."""
        found = deployments_shown.show(
            principal=self.person("authoriser"),
            deployment_id=deployment_id,
            pipeline=self.pipeline.digest,
            software_build=SOFTWARE,
            store=self.govern,
            board=self.desk,
            clock=self.now,
        )
        assert isinstance(found, deployments_shown.Shown), found
        return found

    def ship(self, *calibrations: Calibration) -> None:
        """Put these into the database as a migration does with those of the packs."""
        migrate(
            self.database.master_url,
            first_authoriser=None,
            role_passwords=None,
            iam=False,
            clock=self.now,
            calibrations=calibrations,
        )

    def requested(self, list_id: str, by: str = "requester", **changed: Any) -> Any:
        wanted = deployment.DeploymentRequest(
            **{
                "use": "demonstration",
                "place": "Gate 1",
                "premises": "closed_premises",
                "passages_expected": 100,
                "cameras": (CAMERA,),
                "starts_at": self.now() - timedelta(minutes=15),
                "ends_at": self.now() + timedelta(minutes=40),
                "watchlist_id": list_id,
                "build_id": self.build(list_id).id,
                "threshold": Decimal("0.5"),
                "grounds": grounds(),
                **changed,
            }
        )
        asked = deployment.request(
            principal=self.person(by),
            wanted=wanted,
            policy=self.permitted,
            software_build=SOFTWARE,
            store=self.govern,
            due=self.due,
            clock=self.now,
            new_id=self.id,
        )
        if not isinstance(asked, Refused):
            self.announce(asked.id)
            self.name_reviewers(asked.id)
        return asked

    def attest(self, deployment_id: str, kind: Attested, by: str = "requester", **changed: Any) -> Any:
        since = self.now() if kind is Attested.PUBLIC_NOTICE else None
        return conditions.attest(
            principal=self.person(by),
            deployment_id=deployment_id,
            kind=kind,
            store=self.govern,
            clock=self.now,
            **{"statement": "at each door", "published_at": since, **changed},
        )

    def announce(self, deployment_id: str) -> None:
        """The public notice and the signage (S33)."""
        for kind in (Attested.PUBLIC_NOTICE, Attested.SIGNAGE):
            assert not isinstance(self.attest(deployment_id, kind), Refused)

    def name_reviewers(self, deployment_id: str) -> None:
        named = {"reviewer": Role.REVIEWER, "second": Role.REVIEWER, "recipient": Role.RECIPIENT}
        for sub, role in named.items():
            with self.govern.work() as work:
                if work.person(sub) is not None:
                    work.add_member(Member(deployment_id, sub, role, "requester", self.now()))

    def authorise(self, deployment_id: str, by: str = "authoriser", digest: str | None = None) -> Any:
        shown = digest or self.deployment(deployment_id).digest
        return deployment.authorise(
            principal=self.person(by),
            deployment_id=deployment_id,
            shown_digest=shown,
            store=self.govern,
            board=self.desk,
            clock=self.now,
        )

    def start(self, deployment_id: str, **changed: Any) -> Any:
        return deployment.start(
            principal=self.person("requester"),
            deployment_id=deployment_id,
            store=self.govern,
            permits=self.permits,
            due=self.due,
            board=self.desk,
            clock=self.now,
            **{"pipeline": self.pipeline.digest, "software_build": SOFTWARE, **changed},
        )

    def deployment(self, deployment_id: str) -> Deployment:
        with self.govern.work() as work:
            found = work.deployment(deployment_id)
        assert found is not None
        return found

    def certificate(self, deployment_id: str) -> Any:
        with self.govern.work() as work:
            return work.certificate(deployment_id)

    def running(self, list_id: str, **changed: Any) -> Deployment:
        asked = self.requested(list_id, **changed)
        assert isinstance(asked, Deployment), asked
        authorised = self.authorise(asked.id)
        assert isinstance(authorised, Deployment), authorised
        started = self.start(asked.id)
        assert isinstance(started, Deployment), started
        return started

    def stop(self, deployment_id: str | None, store: Any = None) -> Any:
        return deployment.stop(
            sub="anybody",
            deployment_id=deployment_id,
            store=store or self.govern,
            permits=self.permits,
            due=self.due,
            spool=self.spool,
            clock=self.now,
            new_id=self.id,
        )

    # --- the way of a frame ---

    def frame(self, *who: object, camera: str = CAMERA, at: datetime | None = None) -> str:
        """A camera's upload."""
        moment = at or self.now()
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        key = str(FrameKey(camera, moment, next(self._sequence)))
        self.frames.upload(key, frame_of(*who), self.now())
        return key

    def burst(self, *frames: Sequence[object], camera: str = CAMERA, at: datetime | None = None) -> str:
        """A camera's upload of several frames: who is in each."""
        moment = at or self.now()
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        key = str(FrameKey(camera, moment, next(self._sequence), "mjpeg"))
        self.frames.upload(key, burst_of(*frames), self.now())
        return key

    def burst_message(self, *frames: Sequence[object]) -> FacesMessage:
        """What detect sends for such a burst."""
        self.detect(self.burst(*frames))
        return self.queue.sent.pop()

    def see_burst(self, *frames: Sequence[object]) -> LedgerEntry:
        """A burst all the way to its outcome."""
        row = self.detect(self.burst(*frames))
        return self.match(self.queue.sent.pop()) if self.queue.sent else row

    def detect(self, key: str) -> LedgerEntry:
        return detect.detect(
            key=key,
            clock=self.now,
            stopwatch=Stopwatch(lambda: 0.0),
            permit_for=self.permits.read,
            frames=self.frames,
            ledger=self.ledger,
            pipeline=self.pipeline,
            queue=self.queue,
            abandon_after_s=60,
        )

    def room(self, store: Any = None) -> match.MatchRoom:
        return match.MatchRoom(
            clock=self.now,
            wait=self.waits.append,
            frames=self.frames,
            permits=self.permits,
            evidence=self.evidence,
            outbox=self.outbox,
            ledger=self.ledger,
            store=store or self.search,
            changes=self.changes,
            pipeline=self.pipeline,
            software_build=SOFTWARE,
        )

    def match(self, message: FacesMessage, store: Any = None, **changed: Any) -> LedgerEntry:
        return match.match(
            message=message,
            room=replace(self.room(store), **changed),
            stopwatch=Stopwatch(lambda: 0.0),
            give_up_at=self.now() - timedelta(seconds=1),
        )

    def message(self, *who: object, camera: str = CAMERA, at: datetime | None = None) -> FacesMessage:
        """What detect sends for such a frame."""
        self.detect(self.frame(*who, camera=camera, at=at))
        return self.queue.sent.pop()

    def see(self, *who: object, at: datetime | None = None) -> LedgerEntry:
        """A frame all the way to its outcome."""
        key = self.frame(*who, at=at)
        row = self.detect(key)
        return self.match(self.queue.sent.pop()) if self.queue.sent else row

    # --- candidates, notices ---

    @property
    def candidates(self) -> list[dict[str, Any]]:
        return self.sql("master", "SELECT * FROM candidate ORDER BY raised_at, id")

    def copy_candidate(self, role: str, **changed: str) -> None:
        """As a login role, past all code: another row like the one that is there, but for these SQL expressions."""
        values = {name: name for name in CANDIDATE_COLUMNS} | {"id": "id || 'x'"} | changed
        columns, selected = ", ".join(values), ", ".join(values.values())
        self.sql(role, f"INSERT INTO candidate ({columns}) SELECT {selected} FROM candidate LIMIT 1")

    def decide(
        self, candidate_id: str, decision: Decision = Decision.CONFIRM, by: str = "reviewer", **changed: Any
    ) -> Any:
        return review.decide(
            principal=self.person(by),
            candidate_id=candidate_id,
            decision=decision,
            store=self.reviews,
            outbox=self.outbox,
            changes=self.changes,
            clock=self.now,
            new_id=self.id,
            **{"reason": "alike", "chance": lambda: 0.5, **changed},
        )

    # --- tests of reviewers ---

    def add_pair(self, mated: bool, by: str = "officer", **changed: Any) -> Any:
        """Two pictures of persons 50 and 50, or of 50 and 51."""
        pictures = {"probe": Jpeg(frame_of(50)), "reference": Jpeg(frame_of(50 if mated else 51))}
        return pairs.add(
            principal=self.person(by),
            mated=mated,
            pipeline=self.pipeline,
            pictures=self.enrolment,
            store=self.pairs,
            clock=self.now,
            new_id=self.id,
            **{"consent": "form 1", **pictures, **changed},
        )

    def pool(self, mates: int = 2, non_mates: int = 3) -> None:
        """Pairs that tests can be drawn from."""
        for mated in (*[True] * mates, *[False] * non_mates):
            assert not isinstance(self.add_pair(mated), Refused)

    def remove_pair(self, pair_id: str, by: str = "officer") -> Any:
        return pairs.remove(
            principal=self.person(by),
            pair_id=pair_id,
            store=self.pairs,
            pictures=self.enrolment,
            clock=self.now,
        )

    def withdraw(self, candidate_id: str, by: str = "reviewer", reason: str = "not the same person") -> Any:
        return review.withdraw(
            principal=self.person(by),
            candidate_id=candidate_id,
            reason=reason,
            store=self.reviews,
            outbox=self.outbox,
            changes=self.changes,
            clock=self.now,
        )

    def alert(self, key: str) -> str:
        room = alert.AlertRoom(
            clock=self.now,
            outbox=self.outbox,
            permits=self.permits,
            notices=self.notices,
            publisher=self.publisher,
            desk=self.desk,
            words=all_wordings(),
            zone=ZoneInfo("Europe/London"),
        )
        return alert.alert(key=key, room=room)

    def alert_all(self) -> list[str]:
        """Every notice in the outbox, as S3's events would bring them."""
        return [self.alert(key) for key in sorted(self.outbox.objects) if key.startswith("notices/")]

    @property
    def told(self) -> list[tuple[str, str]]:
        """(audience, kind) of everything that went out."""
        return [(audience, notice.kind.value) for audience, notice, _ in self.publisher.sent]

    # --- time ---

    def retain(self) -> Any:
        """As sweep wakes it: after a look into the queues."""
        self.look.seen = QueuesSeen(self.now(), tuple(sorted(self.gauge.counts().items())))
        return retain.retain(room=self.retain_room())

    def retain_room(self) -> Any:
        return retain.RetainRoom(
            clock=self.now,
            store=self.retains,
            permits=self.permits,
            due=self.due,
            spool=self.spool,
            evidence=self.evidence,
            enrolment=self.enrolment,
            outbox=self.outbox,
            changes=self.changes,
            ledger=self.ledger,
            subjects=self.subjects,
            anchors=self.anchors,
            notices=self.notices,
            queues=self.look,
            records=self.records,
            software_build=SOFTWARE,
            pack="mobilefacenet",
        )

    def sweep(self) -> dict[str, int]:
        return sweep.sweep(
            clock=self.now,
            age_limit_s=120,
            frames=self.frames,
            ledger=self.ledger,
            due=self.due,
            spool=self.spool,
            gauge=self.gauge,
            look=self.look,
            waker=FakeWaker(),
        )
