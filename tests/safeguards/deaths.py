"""How a test kills a stage: after its first act on a port, then after its second, and so on to its last.

An act is any call on a port of the house, and the commit of a transaction. The death is no `Exception`, so that nothing
on the way can take it for a fault; an open transaction is rolled back, as the database does for a process that is gone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.safeguards.house import House

PORTS = (
    *("frames", "permits", "queue", "ledger", "notices", "publisher", "due", "spool", "outbox", "evidence"),
    *("enrolment", "govern", "enrol_store", "search", "reviews", "retains", "anchors", "subjects", "records"),
)
MOST = 140
"""No stage here has so many acts: a test that got this far would not be killing anything any more."""


class Died(BaseException):
    """The process is gone. No `except Exception` and no `except Fault` sees that."""


class Wire:
    """Counts the acts on all ports, and dies right after the one that it is told to."""

    def __init__(self, dies_after: int) -> None:
        self.dies_after = dies_after
        self.acts: list[str] = []

    def act(self, name: str) -> None:
        self.acts.append(name)
        if len(self.acts) == self.dies_after:
            raise Died(name)


class Wired:
    """A port, or the work of one transaction, with each call counted after it was done."""

    def __init__(self, port: Any, name: str, wire: Wire) -> None:
        self._port, self._name, self._wire = port, name, wire

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if method == "work":
            return self._transaction
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            result = found(*given, **named)
            self._wire.act(f"{self._name}.{method}")
            return result

        return call

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._port.work() as work:
            yield Wired(work, self._name, self._wire)
        self._wire.act(f"{self._name}.commit")


def dies(house: House, after: int, work: Callable[[], Any]) -> str | None:
    """Run `work` and die after that many acts. What the last one was, or None when it came to its end."""
    wire, ports = Wire(after), {name: getattr(house, name) for name in PORTS}
    for name, port in ports.items():
        setattr(house, name, Wired(port, name, wire))
    try:
        work()
        return None
    except Died as died:
        return str(died)
    finally:
        for name, port in ports.items():
            setattr(house, name, port)


def each_death(house: House, work_of: Callable[[int], Callable[[], Any]]) -> Iterator[tuple[int, str]]:
    """(number, last act) of each way in which the work can die. `work_of(n)` gives a fresh piece of the same work."""
    for number in range(1, MOST):
        work = work_of(number)
        last = dies(house, number, work)
        if last is None:
            assert number > 3, "hardly anything was done: the ports were not wired"
            return
        yield number, last
    pytest.fail(f"the work did not end after {MOST} acts")
