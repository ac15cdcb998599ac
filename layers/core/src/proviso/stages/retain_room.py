"""What retain works on, and how one run goes on when a part of it fails.

A bucket that fails, or one deployment that cannot be closed, keeps no other from being closed: the first fault is kept,
the rest is done, and the fault is raised at the end. Only when the database is away is there nothing left to do.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from proviso.domain.deployment import Deployment
from proviso.domain.errors import DatabaseAway, Fault, PermitUnreadable
from proviso.domain.journey import Step, untold
from proviso.domain.ports import (
    Anchors,
    Clock,
    DueStore,
    Ledger,
    NoticeLedger,
    Outbox,
    PermitStore,
    PictureStore,
    StopSpool,
)
from proviso.domain.record_ports import RecordShelf
from proviso.domain.retain_ports import QueueLook, RetainStore
from proviso.domain.retention import close_after, over_since
from proviso.domain.review_ports import Changes
from proviso.domain.subject_ports import SubjectKeys

ACTOR = "function:retain"


@dataclass(frozen=True, slots=True)
class RetainRoom:
    """What retain works on. `software_build` and `pack`: of this very software; they say which pack a deployment of the
    same build used. `step` is told what was done with a candidate, for the log."""

    clock: Clock
    store: RetainStore
    permits: PermitStore
    due: DueStore
    spool: StopSpool
    evidence: PictureStore
    enrolment: PictureStore
    outbox: Outbox
    changes: Changes
    ledger: Ledger
    subjects: SubjectKeys
    anchors: Anchors
    notices: NoticeLedger
    queues: QueueLook
    records: RecordShelf
    software_build: str
    pack: str
    step: Step = untold

    def told(self, what: str, candidates: Collection[str]) -> None:
        """Say of these candidates, under their frames' correlation ids, that this was done. After the commit, and a
        fault changes nothing: what is done is done."""
        if not candidates:
            return
        with suppress(Fault):
            with self.store.work() as work:
                frames = work.correlations(sorted(candidates))
            for candidate, correlation in sorted(frames.items()):
                self.step(what, candidate, correlation)


@dataclass
class Faults:
    """The first fault of a run."""

    first: Fault | None = field(default=None)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What fails inside is kept for the end of the run. DatabaseAway ends it at once."""
        try:
            yield
        except DatabaseAway:
            raise
        except Fault as fault:
            self.first = self.first or fault

    def raise_first(self) -> None:
        if self.first is not None:
            raise self.first


def take_permits_back(room: RetainRoom, deployment: Deployment) -> int:
    """Its cameras' permits, and any of theirs that says nothing: doubt closes (S36). How many are left."""
    for camera in deployment.cameras:
        if _permits(room, deployment, camera):
            room.permits.delete(camera)
    return sum(_permits(room, deployment, camera) for camera in deployment.cameras)


def when_over(deployment: Deployment) -> datetime:
    """When a deployment that is over is closed if nobody closes it."""
    return over_since(deployment) + close_after(deployment.policy)


def after_the_end(room: RetainRoom, over: list[Deployment], faults: Faults) -> None:
    """What stands outside the database of deployments that are over. Closing does it too, should this fail."""
    for deployment in over:
        with faults.kept():
            take_permits_back(room, deployment)
            room.due.put(deployment.id, when_over(deployment))


def _permits(room: RetainRoom, deployment: Deployment, camera: str) -> bool:
    try:
        permit = room.permits.read(camera)
    except PermitUnreadable:
        return True
    return permit is not None and permit.deployment_id == deployment.id
