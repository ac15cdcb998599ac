"""`proviso camera`: the camera agent on the command line."""

import random
import re
import threading
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from proviso.cli import session
from proviso.cli.api import ApiFault
from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.sources import SourceFault, open_source, without_password
from proviso.cli.camera.uploader import s3_put
from proviso.cli.output import console, errors, fail, interactive, plain_faults, say
from proviso.domain.frame import CAMERA_PATTERN
from proviso.local.running import find_running


def camera(
    camera: Annotated[str, typer.Option(help="The camera's name, as the deployment lists it")],
    source: Annotated[
        str, typer.Option(help="A folder of pictures, a video file, rtsp://..., /dev/videoN or a number")
    ],
    fps: Annotated[float, typer.Option(min=0.01, max=30.0, help="Frames to upload a second")] = 1.0,
    skip_unchanged: Annotated[bool, typer.Option(help="Leave out frames in which nothing changed")] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality, where a frame must be encoded")] = 85,
    age_limit: Annotated[float, typer.Option(min=1.0, help="Seconds after which a frame is dropped")] = 60.0,
    endpoint: Annotated[str, typer.Option(help="S3 endpoint; the running local cloud's, or AWS")] = "",
    bucket: Annotated[str, typer.Option(help="Frames bucket; the running local cloud's is found by itself")] = "",
) -> None:
    """Sample a source and upload its frames. Ctrl-C ends it with a count."""
    if not re.fullmatch(CAMERA_PATTERN, camera):
        fail(f"{camera!r} is no camera name: small letters, digits and hyphens, at most 63")
    stop = threading.Event()
    latest = Tally()
    with plain_faults(), console.status("") as status:
        client, name = frames_bucket(endpoint, bucket)

        def watch(tally: Tally) -> None:
            nonlocal latest
            latest = tally
            if interactive():
                status.update(summary(tally))

        say(f"{camera}: {without_password(source)} at {fps:g} frames a second to {name}")
        options = AgentOptions(camera, fps, skip_unchanged, quality, age_limit)
        try:
            latest = run_agent(
                open_source(source),
                options,
                put=s3_put(client, name),
                clock=lambda: datetime.now(UTC),
                random=random.random,
                stop=stop,
                watch=watch,
            )
        except SourceFault:
            say(summary(latest))
            raise
    say(summary(latest))
    if latest.last_fault:
        errors.print(f"last fault: {latest.last_fault}", markup=False)
    if latest.failed or latest.unreadable or (latest.captured and not latest.uploaded + latest.unchanged):
        raise typer.Exit(1)


def summary(tally: Tally) -> str:
    """The count, in one line."""
    waiting = f", {tally.waiting} waiting" if tally.waiting else ""
    return (
        f"{tally.captured} captured, {tally.unchanged} skipped unchanged, {tally.uploaded} uploaded, "
        f"{tally.dropped} dropped, {tally.failed} failed, {tally.unreadable} unreadable{waiting}"
    )


def frames_bucket(endpoint: str, bucket: str) -> tuple[Any, str]:
    """An S3 client and the bucket's name: as given, else of the running local cloud. ApiFault when neither."""
    running = None if endpoint or bucket else find_running(session.here())
    if running is None and not bucket:
        raise ApiFault(
            "no local cloud is running; start one with `proviso local`, or name --bucket (and sign in to AWS)"
        )
    client = _s3(endpoint or (running.aws_endpoint if running else ""), local=running is not None)
    return client, bucket or (running.names["FramesBucket"] if running else "")


def _s3(endpoint: str, *, local: bool) -> Any:
    import boto3
    from botocore.config import Config

    # The agent's own age limit governs tries, so botocore's are off and its waits short.
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=15)
    # The local cloud takes any credentials; these are not secret.
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "eu-west-2"} if local else {}
    make: Any = boto3.Session(**keys).client  # type: ignore[arg-type]
    return make("s3", endpoint_url=endpoint or None, config=config)
