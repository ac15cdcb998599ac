"""Processes that are started cold under AWS's runtime client, and what each costs up to its first answer and from then
on. Used by cold_start.py."""

import json
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proviso.local.runtime_api import Call, RuntimeApi

ANSWER_S = 60.0
_CPU_OF_A_PROCESS = 2  # CPUCLOCK_SCHED: user and system time of all threads, ended ones too (clock_getcpuclockid(3))


@dataclass(frozen=True)
class Packaged:
    """A function as it is deployed: the interpreter, the handler, where its archive lies, and its environment."""

    python: Path
    handler: str
    task: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One invocation: CPU and time in milliseconds since the one before, or since the start, and what was answered."""

    cpu_ms: float
    wall_ms: float
    payload: Any


@dataclass(frozen=True)
class Started:
    """One process: its invocations in their order, and the most memory that it held up to the first and the last."""

    answers: tuple[Answer, ...]
    first_mb: float
    peak_mb: float


class NoAnswer(Exception):
    """The function failed, or did not answer in time. With what it wrote."""


def run(packaged: Packaged, events: Sequence[Any], log: Path, *, restored: bool = False) -> Started:
    """Start a process, hand it each event, end it. NoAnswer.

    `restored`: it starts for a snapshot, and the clocks of the first answer begin with the restore.
    """
    api = RuntimeApi()
    api.may_restore.clear()
    environment = api.environment(packaged.environment, snap_start=restored)
    with log.open("wb") as out:
        began, spent = time.perf_counter(), 0.0
        process = subprocess.Popen(
            [packaged.python, "-m", "awslambdaric", packaged.handler],
            cwd=packaged.task, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        if restored:
            if not api.snapshot_taken.wait(ANSWER_S):
                raise NoAnswer(f"no snapshot: {api.init_error}")
            began, spent = time.perf_counter(), _cpu_s(process.pid)
            api.may_restore.set()
        answers: list[Answer] = []
        first_mb = 0.0
        for event in events:
            arn = f"arn:aws:lambda:local:000000000000:function:{packaged.task.name}"
            call = Call(str(uuid.uuid4()), json.dumps(event).encode(), arn, ANSWER_S)
            api.submit(call)
            _await(call, process, log)
            ended, cpu = time.perf_counter(), _cpu_s(process.pid)
            answers.append(Answer((cpu - spent) * 1000, (ended - began) * 1000, json.loads(call.answer or b"null")))
            first_mb = first_mb or _most_memory_mb(process.pid)
            began, spent = time.perf_counter(), _cpu_s(process.pid)
        return Started(tuple(answers), first_mb, _most_memory_mb(process.pid))
    finally:
        process.kill()
        process.wait()
        api.close()


def _await(call: Call, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + ANSWER_S
    while not call.done.wait(0.5):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoAnswer(f"no answer, exit status {process.poll()}: {log.read_text(errors='replace')[-3000:]}")
    if call.error is not None:
        raise NoAnswer(f"{call.error}")


def _cpu_s(pid: int) -> float:
    """User and system time of the whole process so far, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | _CPU_OF_A_PROCESS)


def _most_memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise NoAnswer("no VmHWM in the process's status")
