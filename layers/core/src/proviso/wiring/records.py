"""What report serves from: the records bucket, and nothing else."""

from functools import cache

from proviso import settings
from proviso.domain.record_ports import RecordShelfReader
from proviso.wiring import _read


@cache
def shelf() -> RecordShelfReader:
    """The published records."""
    from proviso.cloud.clients import client
    from proviso.cloud.records import S3RecordShelf

    return S3RecordShelf(client("s3"), _read(settings.Report).records_bucket)
