"""The Runtime API of Lambda, as far as AWS's own runtime client needs it: hand over one invocation, take its answer.

One server a worker process, because the client knows its worker by the address alone.
"""

import contextlib
import json
import queue
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

_PREFIX = "/2018-06-01/runtime/"


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
    """The Runtime API of one worker. One call at a time."""

    def __init__(self) -> None:
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

    def close(self) -> None:
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
