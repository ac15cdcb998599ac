"""The one place that joins stages with the wings: once a process, and each part at its first use.

A function that needs no database imports no psycopg, one that needs no pixels no onnxruntime: imports of the wings
stand inside the functions on purpose. Here alone are the environment, the clock, sleep and chance read. What runs by
the clock, sweep and retain, is joined in `wiring.retention`.
"""

from __future__ import annotations

import os
import secrets
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proviso import settings
from proviso.domain.errors import TransientFault
from proviso.domain.journey import Step, untold
from proviso.domain.policy import Policy
from proviso.domain.timing import Span, Stopwatch, unspanned

if TYPE_CHECKING:
    from collections.abc import Callable

    from proviso.domain.camera import UploadGrant
    from proviso.domain.contact_ports import ContactBoard
    from proviso.domain.frame import LedgerEntry
    from proviso.domain.govern_ports import GovernStore
    from proviso.domain.messages import FacesMessage
    from proviso.domain.pairs import PairStore
    from proviso.domain.people import Principal
    from proviso.domain.permit import Permit
    from proviso.domain.ports import (
        Anchors,
        CameraRegistry,
        Clock,
        DueStore,
        Outbox,
        PermitStore,
        PictureStore,
        Pipeline,
        StopSpool,
    )
    from proviso.domain.reasons import Refused
    from proviso.domain.recipient_ports import RecipientStore
    from proviso.domain.retain_ports import RetainStore
    from proviso.domain.review_ports import Changes, ReviewStore
    from proviso.domain.subject_ports import SubjectKeys

SettingsT = TypeVar("SettingsT", bound=settings.Settings)
_TO_REPORT = timedelta(seconds=4)
"""What match keeps of its time, after a last attempt to connect, to end in order: its fault must still reach the batch
response."""
_CONNECTED_BEFORE_THE_END = timedelta(seconds=5)
"""And where it is connected: of a batch whose first frame woke the database the others are searched in the same call.
What comes back does so after three minutes, and is stale."""
_ANSWER_CONNECT_S = 15
"""How long one who asks the API waits for a sleeping database before 503 says: come again. The function has 29 s, the
gateway 30 s, and what follows a connection needs its own; where that gives up nobody is told when to come."""
_ABANDON_AFTER_S = 60


def now() -> datetime:
    """The clock: UTC-aware."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random identifier (UUIDv4)."""
    return str(uuid.uuid4())


def tracing_is_on() -> bool:
    """Is the template's parameter Tracing Active?"""
    return os.environ.get("POWERTOOLS_TRACE_DISABLED", "true") == "false"


@cache
def _read(kind: type[SettingsT]) -> SettingsT:
    return kind.read(os.environ)


# --- frames ----------------------------------------------------------------------------------------------------------


def detect_invocation(span: Span = unspanned) -> Callable[[str], LedgerEntry]:
    """detect for one invocation: a camera's permit is read once in it, and never kept for the next (rule 1)."""
    from proviso.stages.detect import detect

    read = _read(settings.Detect)
    frames, ledger, queue, permits = _detect_parts()
    pipeline = _pipeline(read.proviso_pack, read.proviso_models)
    permitted: dict[str, Permit | None] = {}

    def permit_for(camera: str) -> Permit | None:
        if camera not in permitted:
            permitted[camera] = permits.read(camera)
        return permitted[camera]

    def one(key: str) -> LedgerEntry:
        return detect(
            key=key,
            clock=now,
            stopwatch=Stopwatch(time.perf_counter, span=span),
            permit_for=permit_for,
            frames=frames,
            ledger=ledger,
            pipeline=pipeline,
            queue=queue,
            abandon_after_s=_ABANDON_AFTER_S,
        )

    return one


@cache
def _detect_parts() -> Any:
    from proviso.cloud.clients import client
    from proviso.cloud.frames import S3Frames
    from proviso.cloud.ledger import DynamoLedger
    from proviso.cloud.permits import S3Permits
    from proviso.cloud.queues import SqsFaces

    read = _read(settings.Detect)
    return (
        S3Frames(client("s3"), read.frames_bucket),
        DynamoLedger(client("dynamodb"), read.ledger_table, now),
        SqsFaces(client("sqs"), read.faces_queue_url),
        S3Permits(client("s3"), read.permits_bucket),
    )


def match_invocation(
    remaining_ms: Callable[[], int], step: Step = untold, span: Span = unspanned
) -> Callable[[FacesMessage], LedgerEntry]:
    """match for one invocation, which gives up in time to report what it could not do. `step` is told what became of
    candidates."""
    from proviso.stages.match import CONNECT_LEAST_S, match

    before_the_end = timedelta(seconds=CONNECT_LEAST_S) + _TO_REPORT
    room = replace(_match_room(), step=step)
    ends_at = now() + timedelta(milliseconds=remaining_ms())

    def one(message: FacesMessage) -> LedgerEntry:
        give_up_at = ends_at - (_CONNECTED_BEFORE_THE_END if room.store.connected else before_the_end)
        if now() >= give_up_at:
            raise TransientFault(f"no time is left in this call for frame {message.frame_key}")
        stopwatch = Stopwatch(time.perf_counter, message.stages, span)
        return match(message=message, room=room, stopwatch=stopwatch, give_up_at=give_up_at)

    return one


@cache
def _match_room() -> Any:
    from proviso.cloud.clients import client
    from proviso.cloud.frames import S3Frames
    from proviso.cloud.ledger import DynamoLedger
    from proviso.cloud.outbox import S3Outbox
    from proviso.cloud.permits import S3Permits
    from proviso.cloud.pictures import S3Pictures
    from proviso.stages.match import CONNECT_LEAST_S, MatchRoom
    from proviso.store.search import PostgresSearchStore

    read = _read(settings.Match)
    return MatchRoom(
        clock=now,
        wait=time.sleep,
        frames=S3Frames(client("s3"), read.frames_bucket),
        permits=S3Permits(client("s3"), read.permits_bucket),
        evidence=S3Pictures(client("s3"), read.evidence_bucket),
        outbox=S3Outbox(client("s3"), read.outbox_bucket),
        ledger=DynamoLedger(client("dynamodb"), read.ledger_table, now),
        # The least also for a connection that its server has ended, which is seen only in the search.
        store=PostgresSearchStore(_connector(read, "match", connect_timeout_s=CONNECT_LEAST_S)),
        changes=_changes(read.permits_bucket),
        pipeline=_pipeline(read.proviso_pack, read.proviso_models),
        software_build=read.software_build,
    )


# --- people ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GovernRoom:
    """What govern's routes work with. `pipeline` is a digest: this function has no pixels and needs none."""

    store: GovernStore
    permits: PermitStore
    due: DueStore
    spool: StopSpool
    subjects: SubjectKeys
    cameras: CameraRegistry
    anchors: Anchors
    board: ContactBoard
    changes: Changes
    pipeline: str
    software_build: str
    permitted_policies: frozenset[str]
    policy_folder: Path | None
    clock: Clock
    new_id: Callable[[], str]
    new_key: Callable[[], str]

    def policy_of(self, name: str) -> Policy | Refused:
        from proviso.policies import load

        return load(name, self.permitted_policies, self.policy_folder)

    def categories(self) -> frozenset[str]:
        """Of all policies that this installation has."""
        policies = (self.policy_of(name) for name in self.permitted_policies)
        return frozenset(one for policy in policies if isinstance(policy, Policy) for one in policy.categories)

    def anchor_now(self, deployment_id: str | None) -> None:
        """After a transition: the heads of its chain and of the system's, at once."""
        from proviso.stages.anchor import anchor_now

        anchor_now(store=self.store, anchors=self.anchors, due=self.due, clock=self.clock, deployment_id=deployment_id)
        self._tell_pages()

    def anchor_soon(self) -> None:
        """After any other act: within ten minutes, by retain."""
        from proviso.stages.anchor import anchor_soon

        anchor_soon(due=self.due, clock=self.clock)
        self._tell_pages()

    def _tell_pages(self) -> None:
        """A stop or a removal takes away what waits for a reviewer (S04, S06); other acts may change who sees it."""
        with suppress(TransientFault):
            self.changes.mark()

    def principal(self, sub: str) -> Principal | Refused:
        return _principal(self.store, sub)


@cache
def govern() -> GovernRoom:
    """govern's room."""
    from proviso.cloud.anchors import S3Anchors
    from proviso.cloud.cameras import DynamoCameras
    from proviso.cloud.clients import client
    from proviso.cloud.contacts import S3Contacts
    from proviso.cloud.permits import S3Due, S3Permits, S3Stops
    from proviso.cloud.subjects import DynamoSubjects
    from proviso.store.govern import PostgresGovernStore
    from proviso.vision.pack import load_manifest, pipeline_digest

    read = _read(settings.Govern)
    return GovernRoom(
        # A stop must be spooled before the function's time is over (29 s): after the wait for a database that resumes,
        # and two waits for a search that holds its row (with the audit and, if that fails, without).
        store=PostgresGovernStore(_connector(read, "govern", connect_timeout_s=_ANSWER_CONNECT_S, lock_timeout_s=4)),
        permits=S3Permits(client("s3"), read.permits_bucket),
        due=S3Due(client("s3"), read.permits_bucket),
        spool=S3Stops(client("s3"), read.permits_bucket),
        # A removal asks it first, and must not wait for a table that does not answer (S36).
        subjects=DynamoSubjects(client("dynamodb", hurried=True), read.subjects_table, os.urandom),
        cameras=DynamoCameras(client("dynamodb"), read.cameras_table),
        anchors=S3Anchors(client("s3"), read.anchors_bucket),
        board=S3Contacts(client("s3"), read.outbox_bucket),
        changes=_changes(read.permits_bucket),
        pipeline=pipeline_digest(load_manifest(read.proviso_pack)),
        software_build=read.software_build,
        permitted_policies=read.permitted_policies,
        policy_folder=read.policy_folder,
        clock=now,
        new_id=new_id,
        new_key=lambda: secrets.token_urlsafe(32),
    )


@cache
def grant() -> Callable[[str, str], UploadGrant | Refused]:
    """grant: an upload right for a camera, by its name and the key that it shows."""
    from proviso.cloud.cameras import DynamoCameras
    from proviso.cloud.clients import client
    from proviso.cloud.grants import S3UploadGrants, signing_credentials
    from proviso.cloud.permits import S3Permits
    from proviso.stages.grant import grant as grant_one

    read = _read(settings.Grant)
    cameras = DynamoCameras(client("dynamodb"), read.cameras_table)
    permits = S3Permits(client("s3"), read.permits_bucket)
    grants = S3UploadGrants(client("s3"), signing_credentials(), read.frames_bucket)
    return lambda camera, key: grant_one(
        camera=camera, key=key, cameras=cameras, permits=permits, grants=grants, clock=now
    )


@dataclass(frozen=True, slots=True)
class EnrolRoom:
    """What enrol's routes work with."""

    store: GovernStore
    pairs: PairStore
    pictures: PictureStore
    subjects: SubjectKeys
    pipeline: Pipeline
    clock: Clock
    new_id: Callable[[], str]

    def principal(self, sub: str) -> Principal | Refused:
        return _principal(self.store, sub)


@cache
def enrol() -> EnrolRoom:
    """enrol's room."""
    from proviso.cloud.clients import client
    from proviso.cloud.pictures import S3Pictures
    from proviso.cloud.subjects import DynamoSubjects
    from proviso.store.govern import PostgresGovernStore
    from proviso.store.pairs import PostgresPairStore

    read = _read(settings.Enrol)
    connector = _connector(read, "enrol", connect_timeout_s=_ANSWER_CONNECT_S)
    return EnrolRoom(
        store=PostgresGovernStore(connector),
        pairs=PostgresPairStore(connector),
        pictures=S3Pictures(client("s3"), read.enrolment_bucket),
        subjects=DynamoSubjects(client("dynamodb"), read.subjects_table, os.urandom),
        pipeline=_pipeline(read.proviso_pack, read.proviso_models),
        clock=now,
        new_id=new_id,
    )


@dataclass(frozen=True, slots=True)
class ReviewRoom:
    """What review's routes work with. `chance` draws from 0 to 1, so that nobody foresees a test (S19); `complaints` is
    where the slip sends people to."""

    store: ReviewStore
    recipients: RecipientStore
    evidence: PictureStore
    enrolment: PictureStore
    outbox: Outbox
    changes: Changes
    clock: Clock
    new_id: Callable[[], str]
    chance: Callable[[], float]
    complaints: str

    def principal(self, sub: str) -> Principal | Refused:
        return _principal(self.store, sub)


@cache
def review() -> ReviewRoom:
    """review's room."""
    from proviso.cloud.clients import client
    from proviso.cloud.outbox import S3Outbox
    from proviso.cloud.pictures import S3Pictures
    from proviso.store.recipient import PostgresRecipientStore
    from proviso.store.review import PostgresReviewStore

    read = _read(settings.Review)
    connector = _connector(read, "review", connect_timeout_s=_ANSWER_CONNECT_S)
    return ReviewRoom(
        store=PostgresReviewStore(connector),
        recipients=PostgresRecipientStore(connector),
        evidence=S3Pictures(client("s3"), read.evidence_bucket),
        enrolment=S3Pictures(client("s3"), read.enrolment_bucket),
        outbox=S3Outbox(client("s3"), read.outbox_bucket),
        changes=_changes(read.permits_bucket),
        clock=now,
        new_id=new_id,
        chance=secrets.SystemRandom().random,
        complaints=read.complaints_contact,
    )


def _changes(bucket: str) -> Changes:
    from proviso.cloud.changes import S3Changes
    from proviso.cloud.clients import client

    return S3Changes(client("s3"), bucket, new_id)


def _principal(store: GovernStore | ReviewStore | RetainStore, sub: str) -> Principal | Refused:
    from proviso.stages.people import principal_of

    with store.work() as work:
        return principal_of(work, sub)


# --- shared ----------------------------------------------------------------------------------------------------------


@cache
def _pipeline(pack: str, folder: str) -> Pipeline:
    from proviso.vision.pipeline import load_pipeline

    return load_pipeline(pack, folders=[Path(folder)] if folder else [])


def _connector(read: settings.Database, application: str, **waits: Any) -> Any:
    from proviso.store.connection import Connector

    return Connector(_conninfo(read), application_name=f"proviso-{application}", **waits)


def _conninfo(read: settings.Database) -> Callable[[], str]:
    """DATABASE_URL, or host and user with an IAM token that is made anew for each connect."""
    if read.database_url:
        return lambda: read.database_url
    from psycopg.conninfo import make_conninfo

    from proviso.cloud.tokens import database_token

    token = database_token(
        host=read.database_host, port=read.database_port, user=read.database_user, region=read.aws_region
    )
    return lambda: make_conninfo(
        host=read.database_host,
        port=read.database_port,
        dbname=read.database_name,
        user=read.database_user,
        password=token(),
        sslmode="verify-full",
        sslrootcert=read.database_ca,
    )
