"""The Runtime API of Lambda, as far as AWS's own runtime client needs it: hand over one invocation, take its answer.

One server a worker process, because the client knows its worker by the address alone. For SnapStart it plays the
moment between snapshot and restore too, and gives credentials as they are given there: by an address, and only after
the restore. The process is the same before and after; its memory is not written down and read again.
"""

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

_PREFIX = "/2018-06-01/runtime/"
_CREDENTIALS = "/2021-04-23/credentials"
_CREDENTIALS_S = 3600
_KEYS = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "Token": "AWS_SESSION_TOKEN",
}


@dataclass
class Call:
    """One invocation on its way through a worker. `started` is set when the runtime has fetched it."""

    request_id: str
    payload: bytes
    arn: str
    timeout_s: float
    started: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    started_at: float = 0.0
    finished_at: float = 0.0
    answer: bytes | None = None
    error: dict[str, Any] | None = None

    def finish(self, *, answer: bytes | None = None, error: dict[str, Any] | None = None) -> None:
        """The first answer counts."""
        if not self.done.is_set():
            self.answer, self.error = answer, error
            self.finished_at = time.monotonic()
            self.done.set()
            self.started.set()


class QuietServer(ThreadingHTTPServer):
    """A server on 127.0.0.1 that keeps quiet about clients that went away."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is the other side's affair."""


class QuietHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 with kept connections and without a line on stderr for every request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # 40 ms a call without it
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Silence."""

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """One complete answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def body(self) -> bytes:
        """The request's body, chunked or not."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class RuntimeApi:
    """The Runtime API of one worker. One call at a time. Clear `may_restore`, and a snapshot lies until it is set."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.snapshot_taken = threading.Event()
        self.may_restore = threading.Event()
        self.may_restore.set()
        self.restore_error: dict[str, Any] | None = None
        self.credentials_given = 0
        self._waiting: queue.Queue[Call | None] = queue.Queue()
        self._current: Call | None = None
        self.init_error: dict[str, Any] | None = None
        self.ready = threading.Event()  # the runtime has asked for its first invocation
        api = self

        class Handler(_RuntimeHandler):
            owner: ClassVar[RuntimeApi] = api

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def submit(self, call: Call) -> None:
        self._waiting.put(call)

    def credentials(self) -> dict[str, str] | None:
        """Such as a role's; none before the restore."""
        if not (self.snapshot_taken.is_set() and self.may_restore.is_set()):
            return None
        self.credentials_given += 1
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _CREDENTIALS_S))
        return {**self.keys, "Expiration": ends}

    def environment(self, given: Mapping[str, str], *, snap_start: bool) -> dict[str, str]:
        """A worker's environment with this API in it. Where it starts for a snapshot its keys are not in there, as in
        Lambda: it has an address to ask for them."""
        made = {**given, "AWS_LAMBDA_RUNTIME_API": self.address}
        if snap_start:
            self.keys = {name: made.pop(variable, "local") for name, variable in _KEYS.items()}
            made["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
            made["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://{self.address}{_CREDENTIALS}"
            made["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "local"  # noqa: S105 - nobody asks for it here
        return made

    def close(self) -> None:
        self.may_restore.set()
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next_call(self) -> Call | None:
        """Wait for the next call; None when the server closes."""
        self.ready.set()
        call = self._waiting.get()
        if call is not None:
            self._current = call
            call.started_at = time.monotonic()
            call.started.set()
        return call

    def finish(self, request_id: str, *, answer: bytes | None = None, error: dict[str, Any] | None = None) -> bool:
        call = self._current
        if call is None or call.request_id != request_id:
            return False
        self._current = None
        call.finish(answer=answer, error=error)
        return True


class _RuntimeHandler(QuietHandler):
    owner: ClassVar[RuntimeApi]

    def do_GET(self) -> None:
        if self.path == _CREDENTIALS:
            given = self.owner.credentials()
            return self.reply(200, json.dumps(given).encode()) if given else self.reply(403)
        if self.path == _PREFIX + "restore/next":
            self.owner.snapshot_taken.set()
            self.owner.may_restore.wait()
            return self.reply(200)
        if self.path != _PREFIX + "invocation/next":
            return self.reply(404)
        call = self.owner.next_call()
        if call is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return None
        trace = f"Root=1-{int(time.time()):08x}-{call.request_id.replace('-', '')[:24]};Sampled=0"
        return self.reply(
            200,
            call.payload,
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": call.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + call.timeout_s) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": call.arn,
                "Lambda-Runtime-Trace-Id": trace,
            },
        )

    def do_POST(self) -> None:
        body = self.body()
        if self.path == _PREFIX + "init/error":
            self.owner.init_error = _json(body)
            return self.reply(202, b'{"status":"OK"}')
        if self.path == _PREFIX + "restore/error":
            self.owner.restore_error = _json(body)
            return self.reply(202, b'{"status":"OK"}')
        parts = self.path.removeprefix(_PREFIX).split("/")
        if len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            if parts[2] == "response":
                known = self.owner.finish(parts[1], answer=body)
            else:
                known = self.owner.finish(parts[1], error=_json(body))
            return self.reply(202 if known else 400, b'{"status":"OK"}')
        return self.reply(404)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {"errorType": "Runtime.Unknown", "errorMessage": body.decode(errors="replace")[:1000]}
    return found if isinstance(found, dict) else {"errorType": "Runtime.Unknown", "errorMessage": str(found)[:1000]}
