"""Processes that are started cold under AWS's runtime client, and what each costs up to its first answer and from then
on. Used by cold_start.py."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proviso.local.runtime_api import Call, RuntimeApi

ANSWER_S = 60.0
_CPU_OF_A_PROCESS = 2  # CPUCLOCK_SCHED, all threads, those that ended included; see clock_getcpuclockid(3)


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
    """One process: its invocations in their order, and the most memory that it held at the first and at the last."""

    answers: tuple[Answer, ...]
    first_mb: float
    peak_mb: float


class NoAnswer(Exception):
    """The function failed, or did not answer in time. With what it wrote."""


def run(packaged: Packaged, events: Sequence[Any], log: Path) -> Started:
    """Start a process, hand it each event, end it. NoAnswer."""
    api = RuntimeApi()
    environment = {**packaged.environment, "AWS_LAMBDA_RUNTIME_API": api.address}
    arn = f"arn:aws:lambda:local:000000000000:function:{packaged.handler.split('.')[-3]}"
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [packaged.python, "-m", "awslambdaric", packaged.handler],
            cwd=packaged.task, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        answers, first_mb, spent = [], 0.0, 0.0
        for event in events:
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


def python_path(*folders: Path) -> str:
    """As PYTHONPATH has it."""
    return os.pathsep.join(map(str, folders))
