"""`proviso camera`: the camera agent on the command line; `proviso frames`: what became of what it uploaded."""

import random
import secrets
import signal
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from proviso.cli import cameras, session
from proviso.cli.api import ApiFault
from proviso.cli.camera.agent import AgentOptions, Tally, run_agent
from proviso.cli.camera.grants import GrantedPut, ask_api, post_form
from proviso.cli.camera.sources import SourceFault, open_source, without_password
from proviso.cli.camera.uploader import UploadFault
from proviso.cli.output import console, errors, interactive, plain_faults, say, table
from proviso.domain.burst import MOST_FRAMES
from proviso.domain.frame import LedgerEntry, Outcome
from proviso.domain.reasons import SENTENCES
from proviso.local.running import find_running


def camera(
    camera: Annotated[str, typer.Option(help="The camera's name, as the deployment lists it")],
    source: Annotated[
        str, typer.Option(help="A folder of pictures, a video file, rtsp://..., /dev/videoN or a number")
    ],
    fps: Annotated[float, typer.Option(min=0.01, max=30.0, help="Uploads a second")] = 1.0,
    burst: Annotated[
        int, typer.Option(min=1, max=MOST_FRAMES, help="Frames an upload, where the deployment allows as many")
    ] = 1,
    skip_unchanged: Annotated[bool, typer.Option(help="Leave out frames in which nothing changed")] = False,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality, where a frame must be encoded")] = 85,
    age_limit: Annotated[float, typer.Option(min=1.0, help="Seconds after which a frame is dropped")] = 60.0,
    key_file: Annotated[
        Path | None, typer.Option(help="The camera's key; else PROVISO_CAMERA_KEY, else the one kept here")
    ] = None,
) -> None:
    """Sample a source and upload its frames, one by one or in bursts, with the camera's own key. Ctrl-C ends it with a
    count."""
    stop = threading.Event()
    latest = Tally()
    with plain_faults(), console.status("") as status:
        data = session.here()
        api = cameras.api_of(data, cameras.key_of(data, cameras.checked(camera), key_file))
        put = GrantedPut(ask_api(api, camera), post_form(lambda: secrets.token_hex(16)), _now, say)

        def watch(tally: Tally) -> None:
            nonlocal latest
            latest = tally
            if interactive():
                status.update(summary(tally))

        opened = open_source(source)
        _first_right(put, burst)
        say(f"{camera}: {without_password(source)}, {_rate(fps, burst)} a second, by {api.url}; Ctrl-C ends it")
        # A service manager ends it with SIGTERM: the same tidy end, with its count.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        options = AgentOptions(camera, fps, skip_unchanged, quality, age_limit, burst=burst)
        try:
            latest = run_agent(
                opened,
                options,
                put=put,
                clock=_now,
                random=random.random,
                stop=stop,
                watch=watch,
            )
        except SourceFault:
            if latest.captured or latest.unreadable:
                say(summary(latest))
            raise
    say(summary(latest))
    if latest.uploaded and find_running(data) is not None:
        say("what became of them: proviso frames")
    if latest.last_fault:
        errors.print(f"last fault: {latest.last_fault}", markup=False)
    if latest.failed or latest.unreadable or (latest.captured and not latest.uploaded + latest.unchanged):
        raise typer.Exit(1)


def summary(tally: Tally) -> str:
    """The count, in one line; what did not happen is left out."""
    rest = [
        f", {number} {name}"
        for number, name in (
            (tally.unchanged, "skipped unchanged"),
            (tally.dropped, "dropped"),
            (tally.failed, "failed"),
            (tally.unreadable, "unreadable"),
            (tally.waiting, "waiting"),
        )
        if number
    ]
    return f"{tally.captured} captured, {tally.uploaded} uploaded{''.join(rest)}"


def frames() -> None:
    """What became of the frames uploaded to the running local cloud, by camera, from its ledger."""
    with plain_faults():
        running = find_running(session.here())
        if running is None:
            raise ApiFault("no local cloud is running; start one with `proviso local`")
        from proviso.cloud.ledger import DynamoLedger

        client = _local_client("dynamodb", running.aws_endpoint)
        table_name = running.names["LedgerTable"]
        entries = DynamoLedger(client, table_name, lambda: datetime.now(UTC)).entries()
    rows = Counter((entry.key.split("/")[0], *became(entry)) for entry in entries)
    table("Frames", ("camera", "outcome", "frames", "why"), [(*key[:2], n, key[2]) for key, n in sorted(rows.items())])


def became(entry: LedgerEntry) -> tuple[str, str]:
    """The outcome in two words, and what it means or what to do."""
    if entry.outcome is Outcome.SEARCHED:
        return ("searched: candidate", "a reviewer must look") if entry.counts.candidates else ("searched: none", "")
    if entry.outcome is Outcome.NO_FACE and entry.counts.detected:
        return "no_face", "a face was found, but too small or too poor to search"
    if entry.outcome is Outcome.RECEIVED:
        return "received", "not finished yet"
    return str(entry.outcome), SENTENCES[entry.reason] if entry.reason is not None else ""


def _rate(fps: float, burst: int) -> str:
    """How often what is uploaded, in words."""
    one, many = ("frame", "frames") if burst == 1 else (f"burst of {burst} frames", f"bursts of {burst} frames")
    return f"1 {one}" if fps == 1 else f"{fps:g} {many}"


def _first_right(put: GrantedPut, burst: int) -> None:
    """Ask before anything is sampled: a key that is not accepted is told at once, and a burst that is longer than was
    authorised; a permit that is not there is not waited for here. ApiFault."""
    try:
        right = put.right()
        if burst > right.burst_frames:
            allowed = f"bursts of {right.burst_frames} frames at most" if right.burst_frames > 1 else "single frames"
            raise ApiFault(f"the deployment takes {allowed}, not of {burst}; use --burst {right.burst_frames}")
    except UploadFault as refused:
        if not refused.passing:
            raise ApiFault(str(refused)) from refused


def _now() -> datetime:
    return datetime.now(UTC)


def _local_client(service: str, endpoint: str) -> Any:
    """A client of the local cloud, which takes any credentials; these are not secret."""
    import boto3

    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "eu-west-2"}
    make: Any = boto3.Session(**keys).client  # type: ignore[arg-type]
    return make(service, endpoint_url=endpoint)
