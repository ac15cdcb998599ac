"""Where a running local cloud is: a small file in its data folder, for other commands of the same machine."""

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_FILE = "current.json"


@dataclass(frozen=True)
class RunningCloud:
    """The addresses of a running cloud. `names` are the physical names by logical id, `uploads_endpoint` is where
    cameras upload: the check in front of S3."""

    pid: int
    api_url: str
    aws_endpoint: str
    inbox_url: str
    lambda_endpoint: str
    database_url: str | None
    names: Mapping[str, str] = field(default_factory=dict)
    uploads_endpoint: str = ""


def publish(data: Path, cloud: RunningCloud) -> None:
    """Write the file, readable by its owner only (the database may be reached with what it says)."""
    partial = data / f".{_FILE}.{os.getpid()}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(asdict(cloud), out, indent=1)
    partial.replace(data / _FILE)


def withdraw(data: Path) -> None:
    """Remove the file when it is ours."""
    found = _read(data)
    if found is not None and found.pid == os.getpid():
        (data / _FILE).unlink(missing_ok=True)


def find_running(data: Path) -> RunningCloud | None:
    """The cloud that runs with this data folder, or None. A file left by one that was killed does not count."""
    found = _read(data)
    if found is None:
        return None
    try:
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's process: whether it is a cloud, its port tells
    url = urlsplit(found.api_url)
    try:
        socket.create_connection((url.hostname or "", url.port or 0), timeout=1).close()
    except OSError:
        return None  # the number was given to another process since
    return found


def _read(data: Path) -> RunningCloud | None:
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        return RunningCloud(**json.loads((data / _FILE).read_text(encoding="utf-8")))
    return None
