"""Schedules: rate(...) rules, fired by a clock of their own. The first firing is one period after the start."""

import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proviso.domain.errors import ConfigurationFault
from proviso.local.template import ACCOUNT, REGION

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True)
class Schedule:
    """A rule and the function that it calls."""

    name: str
    function_arn: str
    period_s: float

    def event(self) -> dict[str, Any]:
        """The event that EventBridge sends."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}"],
            "detail": {},
        }


def period_of(expression: str, place: str) -> float:
    """Seconds of rate(N unit). ConfigurationFault for anything else."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip())
    if found is None:
        raise ConfigurationFault(f"{place}: the local cloud knows schedules of the form rate(...), not {expression}")
    return int(found[1]) * _SECONDS[found[2]]


class Scheduler:
    """One thread for all schedules; each firing is handed to `fire` and not waited for."""

    def __init__(self, schedules: list[Schedule], fire: Callable[[str, Any], None]) -> None:
        self._schedules = schedules
        self._fire = fire
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        due = {one.name: time.monotonic() + one.period_s for one in self._schedules}
        while due and not self._stop.wait(max(0.0, min(due.values()) - time.monotonic())):
            for one in self._schedules:
                if due[one.name] <= time.monotonic():
                    due[one.name] += one.period_s
                    self._fire(one.function_arn, one.event())
