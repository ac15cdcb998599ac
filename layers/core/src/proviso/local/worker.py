"""One function in its own process under AWS's runtime client, with the environment that the template gives it.

Its output goes to a file, which is read on from where the invocation began: everything that the function wrote before
it answered is in that file when the answer arrives. A timeout ends the process, as Lambda does; a crash is noticed at
once, because the process is watched and not only its answers.
"""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proviso.local.runtime_api import Call, RuntimeApi
from proviso.local.template import ACCOUNT, REGION

RESPONSE_LIMIT = 6 * 1024 * 1024 + 100
_INIT_S = 60.0


@dataclass(frozen=True)
class Function:
    """What a worker needs to know of a function, resolved."""

    logical_id: str
    name: str
    handler: str
    timeout_s: float
    memory_mb: int
    environment: Mapping[str, str]
    in_vpc: bool
    log_format: str = "Text"
    layers: tuple[str, ...] = ()
    snap_start: bool = False

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"


@dataclass(frozen=True)
class Place:
    """Where a function runs: by which Python, in which folder, with what to import from, and what lies under /opt."""

    python: Path
    folder: Path
    path: tuple[Path, ...]
    layers: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Invocation:
    """How one invocation went. `error` is what Lambda would answer (errorType, errorMessage, stackTrace), or None."""

    function: str
    request_id: str
    payload: Any
    error: dict[str, Any] | None
    log: tuple[str, ...]
    duration_ms: float
    cold: bool

    @property
    def ok(self) -> bool:
        return self.error is None


class Worker:
    """A process for one function: one invocation at a time, started at the first one or by `start`."""

    def __init__(self, function: Function, environment: Mapping[str, str], place: Place, log: Path) -> None:
        self.function = function
        self._environment = dict(environment)
        self._place = place
        self._log = log
        self._lock = threading.Lock()
        self._api = RuntimeApi()
        self._process: subprocess.Popen[bytes] | None = None
        self._call: Call | None = None
        self._closed = False
        self._served = False
        self._started_at_byte = 0
        log.parent.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """What its process finds there, but for the address of its Runtime API."""
        return self._environment

    @property
    def place(self) -> Place:
        """Where its process runs."""
        return self._place

    @property
    def runtime_api(self) -> RuntimeApi:
        """What its process talks to now."""
        return self._api

    @property
    def busy(self) -> bool:
        return self._lock.locked()

    def start(self) -> None:
        """Begin the process, so that the first invocation need not wait for its imports."""
        with self._lock:
            if not self._closed and (self._process is None or self._process.poll() is not None):
                self._spawn()

    def wait_ready(self, timeout_s: float) -> bool:
        """Has the process ended its imports? False when it did not within the time, or ended altogether."""
        deadline = time.monotonic() + timeout_s
        while not self._api.ready.wait(0.05):
            ended = self._process is None or self._process.poll() is not None
            if self._closed or ended or time.monotonic() > deadline:
                return False
        return True

    def _spawn(self) -> None:
        if self._process is not None:
            # A connection of the former process may still wait at the former server and would take the next call.
            threading.Thread(target=self._api.close, daemon=True).start()
            self._api = RuntimeApi()
        self._served = False
        self._started_at_byte = self._log.stat().st_size if self._log.exists() else 0
        environment = self._api.environment(self._environment, snap_start=self.function.snap_start)
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(self._place.python), "-m", "awslambdaric", self.function.handler],
                cwd=self._place.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()
        if self._closed:  # closed meanwhile
            self._kill()

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        status = process.wait()
        call = self._call
        if call is None or process is not self._process:
            return
        if (fault := self._api.init_error or self._api.restore_error) is not None:
            call.finish(error=fault)
            return
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        message = f"RequestId: {call.request_id} Error: Runtime exited with error: {how}"
        call.finish(error={"errorType": "Runtime.ExitError", "errorMessage": message})

    def invoke(self, event: Any, timeout_s: float | None = None) -> Invocation:
        """Run the function on one event (bytes are taken as JSON already). Never raises for what the function does."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        limit = self.function.timeout_s if timeout_s is None else timeout_s
        with self._lock:
            if self._closed:
                error = {"errorType": "Local.Closed", "errorMessage": "the local cloud is closing"}
                return Invocation(self.function.logical_id, "", None, error, (), 0.0, False)
            call = Call(str(uuid.uuid4()), payload, self.function.arn, limit)
            if self._process is None or self._process.poll() is not None:
                self._spawn()
            cold = not self._served
            begin = self._started_at_byte if cold else self._log.stat().st_size
            self._call = call
            self._api.submit(call)
            self._await(call, limit)
            self._call = None
            self._served = True
            return self._result(call, cold, begin)

    def _await(self, call: Call, limit: float) -> None:
        process = self._process
        if process is not None and process.poll() is not None:  # it ended before the call was known to the watch
            self._watch(process)
        if not call.started.wait(_INIT_S):
            self._kill()
            call.finish(
                error={"errorType": "Runtime.InitTimeout", "errorMessage": f"init did not end within {_INIT_S:.0f} s"}
            )
        if not call.done.wait(max(0.0, limit - (time.monotonic() - call.started_at)) if call.started_at else 0.0):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            message = f"{stamp} {call.request_id} Task timed out after {limit:.2f} seconds"
            call.finish(error={"errorType": "Sandbox.Timedout", "errorMessage": message})
            self._kill()
            self._note(message)

    def _result(self, call: Call, cold: bool, begin: int) -> Invocation:
        payload, error = None, call.error
        if error is None and call.answer is not None:
            if len(call.answer) > RESPONSE_LIMIT:
                message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
                error = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
            else:
                payload = json.loads(call.answer) if call.answer else None
        duration = max(0.0, call.finished_at - call.started_at) * 1000 if call.started_at else 0.0
        lines = tuple(self._read(begin))
        self._note(f"REPORT RequestId: {call.request_id} Duration: {duration:.2f} ms{' Cold' if cold else ''}")
        return Invocation(self.function.logical_id, call.request_id, payload, error, lines, duration, cold)

    def _read(self, begin: int) -> list[str]:
        with self._log.open("rb") as source:
            source.seek(begin)
            return source.read().decode(errors="replace").splitlines()

    def _note(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as out:
            out.write(line + "\n")

    def _kill(self) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End the process. Safe to call twice, and while an invocation runs: that one is answered with an error."""
        self._closed = True
        call = self._call
        if call is not None:
            call.finish(error={"errorType": "Local.Closed", "errorMessage": "the local cloud is closing"})
        self._kill()
        self._api.close()


class WorkerPool:
    """The workers of one function; an invocation takes the first that is free."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers
        self.function = workers[0].function
        self._free = threading.Condition()
        self._idle = list(workers)

    @property
    def busy(self) -> bool:
        return len(self._idle) < len(self.workers)

    def invoke(self, event: Any, timeout_s: float | None = None) -> Invocation:
        with self._free:
            while not self._idle:
                self._free.wait()
            worker = self._idle.pop()
        try:
            return worker.invoke(event, timeout_s)
        finally:
            with self._free:
                self._idle.append(worker)
                self._free.notify()

    def start(self) -> None:
        """Begin every process, one after the other, so that they do not take the processor from what runs already."""
        for worker in self.workers:
            worker.start()
            worker.wait_ready(_INIT_S)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
