"""match as it is written where nobody counts what a start costs: everything imported, made and loaded with the module.

What it does with a message is the project's own stage. Run by bench/cold_start.py as the comparator, and by nothing else.
"""

import os
import time
from datetime import timedelta
from typing import Any

import boto3
import cv2  # noqa: F401
import numpy as np  # noqa: F401
import onnxruntime as ort
import psycopg  # noqa: F401
import simplejpeg  # noqa: F401
from aws_lambda_powertools import Logger, Metrics, Tracer  # noqa: F401
from aws_lambda_powertools.utilities.batch import BatchProcessor  # noqa: F401
from aws_lambda_powertools.utilities.data_classes import SQSEvent  # noqa: F401

from proviso import settings
from proviso.cloud.changes import S3Changes
from proviso.cloud.frames import S3Frames
from proviso.cloud.ledger import DynamoLedger
from proviso.cloud.outbox import S3Outbox
from proviso.cloud.permits import S3Permits
from proviso.cloud.pictures import S3Pictures
from proviso.domain.messages import FacesMessage
from proviso.domain.timing import Stopwatch
from proviso.edge.batch import Event, each_message
from proviso.edge.telemetry import correlated, count, frame_line
from proviso.stages.match import MatchRoom, match
from proviso.store.connection import Connector
from proviso.store.search import PostgresSearchStore
from proviso.vision import pipeline as vision
from proviso.wiring import new_id, now

# As a tutorial has it: a session by its file's bytes, its threads as ONNX Runtime chooses them.
vision.load_session = lambda model, *, threads: ort.InferenceSession(model)
READ = settings.Match.read(os.environ)
PIPELINE = vision.load_pipeline(READ.proviso_pack, folders=[vision.Path(READ.proviso_models)], threads=-1)
PIPELINE._embedder._embedder._session()
ROOM = MatchRoom(
    clock=now,
    wait=time.sleep,
    frames=S3Frames(boto3.client("s3"), READ.frames_bucket),
    permits=S3Permits(boto3.client("s3"), READ.permits_bucket),
    evidence=S3Pictures(boto3.client("s3"), READ.evidence_bucket),
    outbox=S3Outbox(boto3.client("s3"), READ.outbox_bucket),
    ledger=DynamoLedger(boto3.client("dynamodb"), READ.ledger_table, now),
    store=PostgresSearchStore(Connector(lambda: READ.database_url, application_name="proviso-match")),
    changes=S3Changes(boto3.client("s3"), READ.permits_bucket, new_id),
    pipeline=PIPELINE,
    software_build=READ.software_build,
)


def handler(event: Event, context: Any) -> Event:
    """SQS batch of faces messages → partial batch response."""
    give_up_at = now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - timedelta(seconds=12)

    def message(body: str) -> None:
        faces = FacesMessage.from_json(body)
        with correlated(faces.correlation_id):
            row = match(
                message=faces,
                room=ROOM,
                stopwatch=Stopwatch(time.perf_counter, faces.stages),
                give_up_at=give_up_at,
            )
            frame_line(row)
            if row.counts.candidates:
                count("Candidates", row.counts.candidates)

    return each_message(event, context, message, last_receive=4)
