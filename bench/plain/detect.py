"""detect as it is written where nobody counts what a start costs: everything imported, made and loaded with the module.

What it does with a message is the project's own stage. Run by bench/cold_start.py as the comparator, and by nothing else.
"""

import os
import time
from typing import Any

import boto3
import cv2  # noqa: F401
import numpy as np  # noqa: F401
import onnxruntime as ort
import simplejpeg  # noqa: F401
from aws_lambda_powertools import Logger, Metrics, Tracer  # noqa: F401
from aws_lambda_powertools.utilities.batch import BatchProcessor  # noqa: F401
from aws_lambda_powertools.utilities.data_classes import S3Event, SQSEvent  # noqa: F401

from proviso import settings
from proviso.cloud.frames import S3Frames
from proviso.cloud.ledger import DynamoLedger
from proviso.cloud.permits import S3Permits
from proviso.cloud.queues import SqsFaces
from proviso.domain.candidate import correlation_id
from proviso.domain.timing import Stopwatch
from proviso.edge.batch import Event, each_message, s3_keys
from proviso.edge.telemetry import correlated, frame_line
from proviso.stages.detect import detect
from proviso.vision import pipeline as vision
from proviso.wiring import now

# As a tutorial has it: a session by its file's bytes, its threads as ONNX Runtime chooses them.
vision.load_session = lambda model, *, threads: ort.InferenceSession(model)
READ = settings.Detect.read(os.environ)
FRAMES = S3Frames(boto3.client("s3"), READ.frames_bucket)
PERMITS = S3Permits(boto3.client("s3"), READ.permits_bucket)
LEDGER = DynamoLedger(boto3.client("dynamodb"), READ.ledger_table, now)
QUEUE = SqsFaces(boto3.client("sqs"), READ.faces_queue_url)
PIPELINE = vision.load_pipeline(READ.proviso_pack, folders=[vision.Path(READ.proviso_models)], threads=-1)
PIPELINE._detector._session()


def handler(event: Event, context: Any) -> Event:
    """SQS batch of S3 notifications → partial batch response."""

    def message(body: str) -> None:
        for key in s3_keys(body):
            with correlated(correlation_id(key)):
                row = detect(
                    key=key,
                    clock=now,
                    stopwatch=Stopwatch(time.perf_counter),
                    permit_for=PERMITS.read,
                    frames=FRAMES,
                    ledger=LEDGER,
                    pipeline=PIPELINE,
                    queue=QUEUE,
                    abandon_after_s=60,
                )
                frame_line(row)

    return each_message(event, context, message)
