"""A pytest plugin (`-p tests.safeguards.attempts`, as `make safeguards` says): a line for each attempt to get round a
safeguard, with what really stopped it.

Nothing of that is written down in the tests. It is seen while they run: each statement that the database refused and by
which rule, each `Refused` and each fault and where in the code it was made, each exception that a test expected, each
right that a compiled role does not have. So is what was used: a statement past the code, triggers switched off, a
permit or a document that no stage wrote, a message that came back, a clock that jumps, a process that is killed.
A statement that failed by a mistake of the test's own (no such column) stopped nothing, and is a failure here.
"""

import functools
import json
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NEED_TWO = ("S01", "S03", "S04", "S06", "S14", "S23", "S29", "S35", "S36", "S37")
"""Each of these is tried at least twice, and at least once below the API."""
WRITTEN_TO = Path("out/safeguards.txt")
_GRANT, _PLPGSQL_RAISE, _OWN = "42501", "P0001", "PV"
_MISTAKES = ("42", "26", "0A", "08P")  # syntax, names, types: nothing to do with a safeguard
_HELD_BACK = ("withheld", "stale", "superseded", "not_a_notice", "not_tried")
_DOUBLES = ("tests/doubles.py", "tests/fakes/", "tests/safeguards/house.py")


# --- what is noted while a test runs ----------------------------------------------------------------------------------


@dataclass
class Noted:
    """What one test used, what stopped it, and what came out where nothing refused (`soft`)."""

    used: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    soft: Counter[str] = field(default_factory=Counter)
    mistakes: Counter[str] = field(default_factory=Counter)

    @property
    def stopped(self) -> str:
        """In words, most telling first; how often where it was more than once."""
        found = self.stops or self.soft
        return "; ".join(f"{what} ({times}x)" if times > 1 else what for what, times in found.items())


@dataclass
class Made:
    """What the stages themselves made in this test, its fixtures included: whatever else turns up was forged."""

    permits: list[Any] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)


_noted: list[Noted] = []
"""The test that runs now, if one does: its body alone, not its fixtures."""
_made: list[Made] = []


def used(what: str) -> None:
    """Note a means below the API. Helpers of tests that do such a thing by themselves say so with this."""
    for noted in _noted:
        noted.used[what] += 1


def stopped(what: str) -> None:
    """Note what stopped an attempt."""
    for noted in _noted:
        noted.stops[what] += 1


def soft(what: str) -> None:
    """Note an end without a refusal; shown where nothing else stopped the attempt."""
    for noted in _noted:
        noted.soft[what] += 1


def place_of(code: Any) -> str | None:
    """`stages/review.decide` for a place in the package, `the double` for what stands in for a part, else None."""
    path = code.co_filename.replace("\\", "/")
    if "/src/proviso/" in path:
        module = path.split("/src/proviso/")[1].removesuffix(".py").removesuffix("/__init__")
        name = re.sub(r"<locals>\.|\.?<\w+>", "", code.co_qualname)
        return f"{module}.{name.split('.')[-1] or name}"
    return "the double" if any(part in path for part in _DOUBLES) else None


def rule_of(error: Any) -> str:
    """What in the database refused: a grant, a constraint or a trigger by name. `error` is psycopg's."""
    state, told = error.sqlstate or "", error.diag
    if state == _GRANT:
        return "grant: " + re.sub(r"^permission denied for ", "", told.message_primary or "none")
    if state.startswith(_OWN):
        function = re.search(r"function (\w+)\(", told.context or "")
        return f"trigger {function[1] + ' ' if function else ''}{state}"
    if state.startswith("23"):
        column = f"NOT NULL {told.table_name}.{told.column_name}" if state == "23502" else state
        return f"constraint {told.constraint_name or column}"
    return f"database: {type(error).__name__}"


def _statement(connection: Any, query: Any, error: Any) -> None:
    """A statement was run. Those of the code go through a connection that bears its name; others go past it."""
    past = connection.info.parameter_status("application_name") != "proviso"
    text = query.decode() if isinstance(query, bytes) else str(query)
    master = connection.info.user in ("postgres", "proviso_migrate")
    if past and not (master and re.match(r"\s*(SELECT|BEGIN|COMMIT|WITH|SHOW)\b", text)):
        used("triggers switched off" if "replication_role" in text else f"SQL as {connection.info.user}")
    if error is None or (error.sqlstate or "").startswith(_PLPGSQL_RAISE):
        return
    state = error.sqlstate or ""
    if past and state != _GRANT and state.startswith(_MISTAKES):
        for noted in _noted:
            noted.mistakes[f"{type(error).__name__}: {error.diag.message_primary}"] += 1
    elif state.startswith((_GRANT, _OWN, "23")):
        stopped(rule_of(error))


# --- where it is looked -----------------------------------------------------------------------------------------------


def _around(owner: Any, name: str, wrapped: Callable[..., Callable[..., Any]]) -> Callable[[], None]:
    original = owner.__dict__[name]
    setattr(owner, name, functools.wraps(original)(wrapped(original)))
    return lambda: setattr(owner, name, original)


def _init(say: Callable[[Any], str | None]) -> Callable[..., Callable[..., None]]:
    """An `__init__` that notes where in the package the object was made."""

    def wrapped(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: Any, *given: Any, **named: Any) -> None:
            original(self, *given, **named)
            frame = sys._getframe(1)
            while frame.f_back is not None and frame.f_code.co_name == "__init__":
                frame = frame.f_back
            where, what = place_of(frame.f_code), say(self)
            if _noted and where and what:
                (soft if where == "store/connection.translate" else stopped)(f"code: {what} in {where}")

        return init

    return wrapped


def _fault_name(fault: Any) -> str | None:
    """What the database refused was noted there, with the rule; and that something is gone is no refusal."""
    name = type(fault).__name__
    return None if name in ("RuleBroken", "Gone") else name


def _execute(original: Callable[..., Any]) -> Callable[..., Any]:
    import psycopg

    def execute(self: Any, query: Any, *given: Any, **named: Any) -> Any:
        try:
            done = original(self, query, *given, **named)
        except psycopg.Error as error:
            _statement(self.connection, query, error)
            raise
        _statement(self.connection, query, None)
        return done

    return execute


def _commit(original: Callable[..., Any]) -> Callable[..., Any]:
    """Rules that are asked at the end of a transaction."""
    import psycopg

    def commit(self: Any) -> None:
        try:
            original(self)
        except psycopg.Error as error:
            _statement(self, "COMMIT", error)
            raise

    return commit


def _expected(original: Callable[..., bool]) -> Callable[..., bool]:
    """`pytest.raises`: an exception of another kind than those above, by the innermost place in the package."""
    import psycopg

    from proviso.domain.errors import Fault

    def leave(self: Any, kind: Any, error: Any, trace: Any) -> bool:
        done = original(self, kind, error, trace)
        if done and _noted and not isinstance(error, psycopg.Error | Fault):
            where = None
            while trace is not None:
                where, trace = place_of(trace.tb_frame.f_code) or where, trace.tb_next
            if not isinstance(error, AssertionError):
                stopped(f"code: {type(error).__name__}" + (f" in {where}" if where else ""))
        return done

    return leave


def _method(name: str) -> Callable[..., Callable[..., Any]]:
    """A method of House: what went in that no stage made, and what came out."""

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *given: Any, **named: Any) -> Any:
            _went_in(name, self, given[0] if given else None)
            found = original(self, *given, **named)
            _came_out(name, found)
            return found

        return call

    return wrapped


def _went_in(name: str, house: Any, given: Any) -> None:
    for made in _made:
        if name == "match":
            if given not in made.messages:
                used("a message that detect did not send")
            if given.frame_key in made.matched:
                used("a message that comes back")
            made.matched.append(given.frame_key)
        elif name == "alert" and given in house.outbox.objects and given not in made.documents:
            used("a document that no stage wrote")
        elif name == "connector":
            used("a connection of its own")


def _came_out(name: str, found: Any) -> None:
    if name == "alert" and found in _HELD_BACK:
        stopped(f"code: notice {found} by stages/alert")
    elif name in ("detect", "match") and hasattr(found, "outcome"):
        reason = f" {found.reason.value}" if found.reason and found.reason.value != found.outcome.value else ""
        if found.outcome.value == "searched":
            soft("code: searched, no candidate" if not found.counts.candidates else "code: searched once, as asserted")
        elif found.outcome.value != "received" and not _noted_already(found.reason):
            stopped(f"code: {found.outcome.value}{reason} by stages/{name}")


def _noted_already(reason: Any) -> bool:
    """Was the refusal itself seen, with its place?"""
    said = f" {reason.value} in " if reason else None
    return said is not None and any(said in stop for noted in _noted for stop in noted.stops)


def _skewed(original: Callable[..., None]) -> Callable[..., None]:
    def set_(self: Any, name: str, value: Any) -> None:
        if name == "skew" and value:
            used("a clock that jumps")
        original(self, name, value)

    return set_


def _by_a_stage(kind: str, name: Callable[[Any], Any]) -> Callable[..., Callable[..., Any]]:
    """A port's write. (Setting what lies in a fake's `objects` is how a test gets past the stages.)"""

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: Any, what: Any, *rest: Any) -> Any:
            for made in _made:
                getattr(made, kind).append(name(what))
            return original(self, what, *rest)

        return write

    return wrapped


def _permit_read(original: Callable[..., Any]) -> Callable[..., Any]:
    def read(self: Any, camera: str) -> Any:
        there = self.objects.get(camera, self)
        if there is not self and not any(there is one for made in _made for one in made.permits):
            used("a permit object that no stage wrote")
        return original(self, camera)

    return read


def _faulty(original: Callable[..., Any]) -> Callable[..., Any]:
    from proviso.domain.errors import Fault

    def read(self: Any, method: str) -> Any:
        try:
            return original(self, method)
        except Fault as fault:
            used("a service of AWS that fails")
            soft(f"code: {type(fault).__name__} passed on")
            raise

    return read


def _killed(original: Callable[..., Any]) -> Callable[..., Any]:
    def act(self: Any, name: str) -> Any:
        try:
            return original(self, name)
        except BaseException:
            used("a function that is killed")
            raise

    return act


def _allowed(original: Callable[..., Any]) -> Callable[..., Any]:
    def allowed(self: Any, function: str, action: str) -> Any:
        found = original(self, function, action)
        where = ", ".join(sorted(found)) if found else "nothing"
        stopped(f"IAM: {function.removesuffix('Function').lower()} may {action} on {where}")
        used("the function's IAM role")
        return found

    return allowed


def _right(original: Callable[..., bool]) -> Callable[..., bool]:
    """A right of a compiled role that a test asked for by itself; the S3 check says for itself what it refuses."""

    def allow(self: Any, action: str, resource: str) -> bool:
        found = original(self, action, resource)
        if _noted and place_of(sys._getframe(1).f_code) is None:
            used("the function's IAM role")
            if not found:
                stopped(f"IAM: no right to {action}")
        return found

    return allow


def _refused_by_s3(original: Callable[..., None]) -> Callable[..., None]:
    """A request that went straight to the bucket, and what the check of signature, policy and rights said."""

    def init(self: Any, status: int, code: str, message: str) -> None:
        original(self, status, code, message)
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_name in ("denied", "_malformed"):
            frame = frame.f_back
        used("a request straight to the bucket")
        stopped(f"S3 check: {code} in {place_of(frame.f_code) or 'the test'}")

    return init


def _watch() -> list[Callable[[], None]]:
    """Put the watchers in place; each of what is returned takes one away again."""
    import psycopg

    from proviso.domain.errors import Fault
    from proviso.domain.reasons import Refused
    from proviso.local.rights import Rights
    from proviso.local.signed import S3Refusal
    from tests.fakes.cloud import Fake, FakeFacesQueue, FakeOutbox, FakePermits
    from tests.safeguards.deaths import Wire
    from tests.safeguards.house import House
    from tests.template.conftest import Template

    places: list[tuple[Any, str, Callable[..., Callable[..., Any]]]] = [
        (Refused, "__init__", _init(lambda refused: str(refused.reason.value))),
        (psycopg.Cursor, "execute", _execute),
        (psycopg.Connection, "commit", _commit),
        (type(pytest.raises(Exception)), "__exit__", _expected),
        (FakePermits, "read", _permit_read),
        (FakePermits, "write", _by_a_stage("permits", lambda permit: permit)),
        (FakeOutbox, "put", _by_a_stage("documents", lambda notice: notice.key)),
        (FakeFacesQueue, "send", _by_a_stage("messages", lambda message: message)),
        (Fake, "_read", _faulty),
        (Wire, "act", _killed),
        (Template, "allowed", _allowed),
        (Rights, "allow", _right),
        (S3Refusal, "__init__", _refused_by_s3),
        *((House, name, _method(name)) for name in ("match", "detect", "alert", "connector")),
    ]
    undo = [_around(owner, name, wrapped) for owner, name, wrapped in places]
    faults, setattr_ = Fault.__init__, House.__setattr__
    Fault.__init__ = _init(_fault_name)(faults)  # type: ignore[method-assign]
    House.__setattr__ = _skewed(setattr_)  # type: ignore[method-assign]

    def back() -> None:
        Fault.__init__ = faults  # type: ignore[method-assign]
        del House.__setattr__

    return [*undo, back]


# --- a test as an attempt ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """One test's attempt at one or more safeguards, as it goes from a worker to the table."""

    ids: tuple[str, ...]
    tried: str
    kind: str
    """attempt, control (the way that is meant to be open) or plainly (not prevented, and said)"""
    used: tuple[str, ...]
    stopped: str
    mistakes: str
    result: str

    @property
    def below(self) -> bool:
        return bool(self.used)

    @property
    def by(self) -> str:
        if self.result.startswith("skipped"):
            return self.result
        if self.kind == "plainly":
            return "nothing: not prevented, said plainly"
        if self.kind == "control":
            return "nothing: the control, a way that is open"
        if self.mistakes:
            return f"A MISTAKE OF THE TEST'S OWN: {self.mistakes}"
        return self.stopped or "as asserted: nothing was refused"


def ids_of(file_name: str, marked: tuple[str, ...]) -> tuple[str, ...]:
    """The safeguards that a test is about: from its file's name and from its markers."""
    named = re.match(r"test_(s\d\d)_", file_name)
    return tuple(sorted({*marked, *([named[1].upper()] if named else [])}))


def sentence_of(name: str) -> str:
    """`test_a_stop_waits[one-two]` as a sentence: `a stop waits [one-two]`."""
    bare, bracket, given = name.removeprefix("test_").partition("[")
    return bare.replace("_", " ") + (f" [{given.encode().decode('unicode_escape', 'replace')}" if bracket else "")


def kind_of(name: str, docstring: str | None) -> str:
    """Is it an attempt, a control, or something that is said plainly?"""
    if "said_plainly" in name:
        return "plainly"
    return "control" if (docstring or "").lstrip().startswith("The control") or "_the_control" in name else "attempt"


def attempt_of(item: Any, noted: Noted) -> Attempt:
    """What is known of a test when its body has run; the result is filled in from its report."""
    marks = list(item.iter_markers("safeguard"))
    below = [str(mark.kwargs["below"]) for mark in marks if "below" in mark.kwargs]
    return Attempt(
        ids=ids_of(item.path.name, tuple(one for mark in marks for one in mark.args)),
        tried=sentence_of(item.name),
        kind=kind_of(item.name, getattr(item.function, "__doc__", None)),
        used=tuple(dict.fromkeys([*below, *noted.used])),
        stopped=noted.stopped,
        mistakes="; ".join(noted.mistakes),
        result="",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """A test that is skipped, or whose fixtures fail, has its line too; and what fixtures make is no forgery."""
    item.user_properties.append(("attempt", json.dumps(vars(attempt_of(item, Noted())))))
    made, undo = Made(), _watch()
    _made.append(made)
    try:
        return (yield)
    finally:
        _made.remove(made)
        for back in reversed(undo):
            back()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: Any) -> Iterator[None]:
    """Note what happens in the body of the test."""
    noted = Noted()
    _noted.append(noted)
    try:
        return (yield)
    finally:
        _noted.remove(noted)
        item.user_properties[:] = [one for one in item.user_properties if one[0] != "attempt"]
        item.user_properties.append(("attempt", json.dumps(vars(attempt_of(item, noted)))))


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass
class Tried:
    """All attempts of a run."""

    attempts: list[Attempt] = field(default_factory=list)

    def lines(self, width: int) -> list[str]:
        """A line an attempt and safeguard, sorted; longer texts end in dots where they do not fit."""
        rows = [(one_id, one) for one in self.attempts for one_id in one.ids or ("???",)]
        rows.sort(key=lambda row: (row[0], row[1].kind, not row[1].below, row[1].tried))
        room = width - (3 + 2 + 5 + 2 + 2 + 2 + 7)
        tried, by = room * 11 // 20, room - room * 11 // 20
        head = f"{'id':3}  {'level':5}  {'what was tried':{tried}}  {'what stopped it':{by}}  result"
        return [
            head,
            "-" * width,
            *(
                f"{one_id:3}  {'below' if one.below else 'stage'}  {_fit(one.tried, tried)}"
                f"  {_fit(_short(one.by), by)}  {one.result.split(':')[0]}"
                for one_id, one in rows
            ),
        ]

    def told(self) -> list[str]:
        """The same without dots: all that was used and all that stopped it."""
        found = sorted((i, one.tried, one) for one in self.attempts for i in one.ids or ("???",))
        return [
            f"{i}\t{one.kind}\t{one.result}\t{tried}"
            f"\n\tused: {', '.join(one.used) or 'the stages'}\n\tstopped: {one.by}"
            for i, tried, one in found
        ]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Attempts by id, and how many of them below the API. Controls and what is said plainly are not counted, nor is
        what was skipped."""
        found: dict[str, tuple[int, int]] = {}
        for one in self.attempts:
            if one.kind == "attempt" and one.result == "passed":
                for i in one.ids:
                    tried, below = found.get(i, (0, 0))
                    found[i] = tried + 1, below + one.below
        return found

    def faults(self, *, whole: bool) -> list[str]:
        """Why this run is no evidence; empty when it is. `whole`: nothing was left out by choice."""
        found = [f"{one.tried}: failed" for one in self.attempts if one.result == "FAILED"]
        found += [f"{one.tried}: {one.by}" for one in self.attempts if one.mistakes and one.kind == "attempt"]
        found += [f"{one.tried}: names no safeguard" for one in self.attempts if not one.ids]
        counted = self.counts()
        for i in NEED_TWO if whole else ():
            tried, below = counted.get(i, (0, 0))
            if tried < 2:
                found.append(f"{i}: tried {tried} times, and it must be at least twice")
            if not below:
                found.append(f"{i}: not tried below the API")
        return found


def _short(by: str) -> str:
    """Where in the code, without the function's name."""
    return re.sub(r"( in \w+/\w+)\.\w+", r"\1", by)


def _fit(text: str, width: int) -> str:
    line = " ".join(text.split())
    return f"{line[: width - 1]}…" if len(line) > width else f"{line:{width}}"


class Table:
    """Collects the reports, from this process or from xdist's, and prints the table at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.tried = Tried()
        self.begun = time.monotonic()
        left_out = config.option.keyword or config.option.markexpr or config.option.lf or config.option.collectonly
        self.whole = not left_out and all(Path(arg).name == "safeguards" for arg in config.args)
        self.faults: list[str] = []

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not (report.when == "setup" and report.outcome != "passed"):
            return
        for name, told in report.user_properties:
            if name == "attempt":
                given = json.loads(str(told))
                self.tried.attempts.append(Attempt(**{**given, "ids": tuple(given["ids"]), "result": _result(report)}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Quiet: the table says it, and failures are shown as ever."""
        return ("passed", "", "") if report.when == "call" and report.passed else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self.faults = self.tried.faults(whole=self.whole)
        if self.faults and exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        width = max(120, shutil.get_terminal_size((120, 40)).columns)
        say = terminalreporter.write_line
        say("")
        for line in self.tried.lines(width):
            say(line)
        say("")
        for i, (tried, below) in sorted(self.tried.counts().items()):
            say(f"{i}  {tried:3} attempts, {below:3} of them below the API")
        WRITTEN_TO.parent.mkdir(exist_ok=True)
        WRITTEN_TO.write_text("\n".join(self.tried.told()) + "\n")
        say("")
        say(f"{len(self.tried.attempts)} tests in {time.monotonic() - self.begun:.0f} s; in full words: {WRITTEN_TO}")
        if not self.whole:
            say("only a part was run: whether each safeguard was tried twice is not asked")
        for fault in self.faults:
            say(f"FAULT  {fault}", red=True)


def _result(report: Any) -> str:
    if report.passed:
        return "passed"
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        return f"skipped: {str(reason).removeprefix('Skipped: ')}"
    return "FAILED"


def pytest_configure(config: pytest.Config) -> None:
    """The table is made where all reports arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(config), "safeguards-table")
