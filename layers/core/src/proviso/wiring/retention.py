"""What runs by the clock, joined with its wings: sweep, retain, and the look into all that is held."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from proviso import settings
from proviso.domain.frame import LedgerEntry
from proviso.domain.journey import Step
from proviso.domain.people import Principal
from proviso.domain.reasons import Refused
from proviso.wiring import _changes, _connector, _principal, _read, now

CHECK_S = 15
"""After how long a look into all stores begins no other store: the API waits for 29 s."""


WAKES_WITHIN = timedelta(seconds=100)
"""For how long a run of retain waits for a sleeping database: twice what waking takes at most. What is due stays due,
but a run that gave up at once would be an alarm each time that it wakes."""


def sweep(tell: Callable[[LedgerEntry], None]) -> dict[str, int]:
    """One sweep; `tell` is told each frame that ended in it."""
    from proviso.cloud.clients import client
    from proviso.cloud.frames import S3Frames
    from proviso.cloud.ledger import DynamoLedger
    from proviso.cloud.permits import S3Due, S3QueueLook, S3Stops
    from proviso.cloud.queues import SqsGauge
    from proviso.cloud.waker import LambdaWaker
    from proviso.stages.sweep import sweep as sweep_once

    read = _read(settings.Sweep)
    return sweep_once(
        clock=now,
        age_limit_s=read.frame_age_limit_seconds,
        frames=S3Frames(client("s3"), read.frames_bucket),
        ledger=DynamoLedger(client("dynamodb"), read.ledger_table, now, page=1),
        due=S3Due(client("s3"), read.permits_bucket),
        spool=S3Stops(client("s3"), read.permits_bucket),
        gauge=SqsGauge(client("sqs"), read.queue_urls),
        look=S3QueueLook(client("s3"), read.permits_bucket),
        waker=LambdaWaker(client("lambda"), read.retain_function_name),
        tell=tell,
    )


def retain(step: Step) -> Any:
    """One run of retain; `step` is told what it did with candidates."""
    from proviso.stages.retain import retain as retain_once
    from proviso.stages.waking import when_awake

    room = replace(_retain_room(), step=step)
    when_awake(room.store.connect, clock=now, wait=time.sleep, give_up_at=now() + WAKES_WITHIN)
    return retain_once(room=room)


def anchors_late() -> int:
    """Of how many chains the heads should have been anchored and are not."""
    from proviso.stages.anchor import late

    return late(store=_retain_room().store, clock=now)


def retain_principal(sub: str) -> Principal | Refused:
    """Who asks retain for something."""
    return _principal(_retain_room().store, sub)


def check_retention(principal: Principal, purpose: str) -> Any:
    """What is held, in every store."""
    from proviso.cloud.clients import client
    from proviso.cloud.frames import S3Frames
    from proviso.stages.holdings import check

    read = _read(settings.Retain)
    return check(
        principal=principal,
        purpose=purpose,
        room=_retain_room(),
        frames=S3Frames(client("s3"), read.frames_bucket),
        age_limit_s=read.frame_age_limit_seconds,
        give_up_at=now() + timedelta(seconds=CHECK_S),
    )


@cache
def _retain_room() -> Any:
    from proviso.cloud.anchors import S3Anchors
    from proviso.cloud.clients import client
    from proviso.cloud.ledger import DynamoLedger
    from proviso.cloud.notices import DynamoNotices
    from proviso.cloud.outbox import S3Outbox
    from proviso.cloud.permits import S3Due, S3Permits, S3QueueLook, S3Stops
    from proviso.cloud.pictures import S3Pictures
    from proviso.cloud.records import S3RecordShelf
    from proviso.cloud.subjects import DynamoSubjects
    from proviso.stages.retain import RetainRoom
    from proviso.store.retention import PostgresRetainStore

    read = _read(settings.Retain)
    return RetainRoom(
        clock=now,
        store=PostgresRetainStore(_connector(read, "retain", connect_timeout_s=12)),
        permits=S3Permits(client("s3"), read.permits_bucket),
        due=S3Due(client("s3"), read.permits_bucket),
        spool=S3Stops(client("s3"), read.permits_bucket),
        evidence=S3Pictures(client("s3"), read.evidence_bucket),
        enrolment=S3Pictures(client("s3"), read.enrolment_bucket),
        outbox=S3Outbox(client("s3"), read.outbox_bucket),
        changes=_changes(read.permits_bucket),
        ledger=DynamoLedger(client("dynamodb"), read.ledger_table, now),
        subjects=DynamoSubjects(client("dynamodb"), read.subjects_table, os.urandom),
        anchors=S3Anchors(client("s3"), read.anchors_bucket),
        notices=DynamoNotices(client("dynamodb"), read.notices_table),
        queues=S3QueueLook(client("s3"), read.permits_bucket),
        records=S3RecordShelf(client("s3"), read.records_bucket),
        software_build=read.software_build,
        pack=read.proviso_pack,
    )
