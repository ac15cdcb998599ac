"""detect as it is written where nobody counts what a start costs: everything imported, made and loaded with the module.

What it does with an event is the project's own handler. Run by bench/cold_start.py as its comparator alone.
"""

import gc
import os

import boto3
import cv2  # noqa: F401
import numpy  # noqa: F401, ICN001
import onnxruntime
import simplejpeg  # noqa: F401
from aws_lambda_powertools import Logger, Metrics, Tracer  # noqa: F401
from aws_lambda_powertools.utilities.batch import BatchProcessor  # noqa: F401
from aws_lambda_powertools.utilities.data_classes import S3Event, SQSEvent  # noqa: F401

from proviso import wiring
from proviso.cloud import clients
from proviso.vision import pipeline

for service in ("s3", "dynamodb", "sqs"):
    clients._made[(service, None, False)] = boto3.client(service)
# As in any introduction: the session's threads are ONNX Runtime's own choice.
pipeline.load_session = lambda model, *, threads: onnxruntime.InferenceSession(model)
wiring._detect_parts()
wiring._pipeline(os.environ["PROVISO_PACK"], os.environ["PROVISO_MODELS"])._detector._session()

from functions.detect.app import handler  # noqa: E402, F401

gc.enable()  # which that module turns off
