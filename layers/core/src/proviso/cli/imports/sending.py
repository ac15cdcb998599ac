"""Sends what a plan holds, a few pictures at a time, and knows of each what became of it.

Never more pictures are in memory than there are senders: a sender reads a file, sends it and forgets it before it takes
the next. Three kinds of trouble are kept apart: what is wrong with a picture or its entry is a result; what passes by
itself is tried again within a limit; and what would meet every picture alike (nobody signed in, the API gone) ends the
run with a sentence, after which the same command goes on.
"""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from proviso.cli.api import ApiFault, quoted
from proviso.cli.imports.journal import Journal, Settled
from proviso.cli.imports.plan import Picture, Plan, WantedEntry
from proviso.domain.reasons import SENTENCES, Reason

T = TypeVar("T")

UNREADABLE = "file_unreadable"
CHANGED = "file_changed"
REMOVED = "entry_removed"
DIFFERS = "entry_differs"
FAULT = "fault"

_LARGEST_FILE_BYTES = 64_000_000
_TRIES_OF_ONE = 3
_FAULTS_IN_A_ROW = 3
_LONGEST_PAUSE_S = 30.0
_LAST_S = 10.0


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    ALREADY = "already there"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """One picture's end. `judged`: its quality was measured, so that it belongs to the rate of failures to enrol."""

    picture: Picture
    outcome: Outcome
    reason: str = ""
    sentence: str = ""
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """How far it is."""

    total: int
    accepted: int = 0
    already: int = 0
    rejected: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.accepted + self.already + self.rejected + self.failed


@dataclass(frozen=True, slots=True)
class Sent:
    """All results in the plan's order. `ended` says why it could not go on; "" when it came to its end.
    `bare`: reference numbers of entries on the list that have no reference at all. `warnings`: (reference number,
    sentence) of what the server wants the officer to know of an entry."""

    results: tuple[Result, ...]
    total: int
    bare: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    ended: str = ""
    interrupted: bool = False


class Asked(Protocol):
    """As much of `Api` as is used here."""

    def get(self, path: str) -> Any: ...
    def post(self, path: str, body: Any = None) -> Any: ...
    def post_picture(self, path: str, jpeg: bytes) -> Any: ...


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an entry, or a file, is not sent."""

    reason: str
    sentence: str
    failed: bool = False


class _CannotGoOn(Exception):
    """What would meet every picture alike."""


class _Stopped(Exception):
    """The run ends; what was under way is left."""


@dataclass
class Sender:
    """One import into one list. `convert` makes a JPEG of a file's bytes (ValueError for none); `wait` pauses and is
    told to stop by `stop`; `watch` is called after each picture, by one thread at a time."""

    api: Asked
    watchlist: str
    plan: Plan
    journal: Journal
    convert: Callable[[bytes], bytes]
    watch: Callable[[Tally], None] = lambda tally: None
    notify: Callable[[str], None] = lambda sentence: None
    at_once: int = 2
    anew: bool = False
    patience_s: float = 120.0
    stop: threading.Event = field(default_factory=threading.Event)
    wait: Callable[[float], object] | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()  # results, the journal, the next picture
        self._making = threading.Lock()  # entries are made one at a time, or two senders would make one twice
        self._encoding = threading.Lock()  # a large picture takes most of its memory while it is encoded anew
        self._results: dict[int, Result] = {}
        self._entries: dict[str, str | Rejected] = {}
        self._listed: dict[str, Mapping[str, Any]] = {}
        self._warnings: dict[str, str] = {}
        self._pipeline = ""
        self._tally = Tally(len(self.plan.pictures))
        self._ends: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._row_of_faults = 0
        self._broken: BaseException | None = None
        self._pending: Iterator[tuple[int, Picture]] = iter(())

    def run(self) -> Sent:
        """Send everything that is not settled yet. ApiFault before the first picture is told in `ended` too."""
        ended, interrupted = "", False
        try:
            self._ask(self._read_list)
            self._settle_from_journal()
            self._pending = iter([(i, one) for i, one in enumerate(self.plan.pictures) if i not in self._results])
            self._send()
        except KeyboardInterrupt:
            ended, interrupted = "interrupted", True
        except (_CannotGoOn, ApiFault) as trouble:
            ended = str(trouble)
        finally:
            self.stop.set()
            self.journal.close()
        results = tuple(self._results[i] for i in sorted(self._results))
        warnings = tuple(sorted(self._warnings.items()))
        return Sent(results, len(self.plan.pictures), self._bare(results), warnings, ended, interrupted)

    # --- the list, and what is settled ---

    def _read_list(self) -> None:
        shown = self.api.get(f"/watchlists/{quoted(self.watchlist)}")
        self._pipeline = str(shown.get("pipeline", ""))
        self._listed = {str(one["reference_no"]): one for one in shown.get("list", [])}
        wanted = {picture.entry.reference_no for picture in self.plan.pictures}
        for number in wanted & self._listed.keys():
            if self._listed[number].get("waits_for_approval"):
                self._warnings[number] = "under 18: in no build before a second person has approved it"

    def _settle_from_journal(self) -> None:
        settled = {} if self.anew else self.journal.read()
        for index, picture in enumerate(self.plan.pictures):
            listed = self._listed.get(picture.entry.reference_no)
            if listed is None or isinstance(self._standing(picture.entry), Rejected):
                continue
            line = settled.get((str(listed["id"]), picture.digest, self._pipeline))
            # An entry without a reference has lost what the journal remembers, as after a database was put back.
            if line is None or (line.accepted and not listed.get("references")):
                continue
            outcome = Outcome.ALREADY if line.accepted else Outcome.REJECTED
            self._add(index, Result(picture, outcome, line.reason, line.sentence, line.judged))
        if self._results:
            self.watch(self._tally)

    def _standing(self, wanted: WantedEntry) -> str | Rejected | None:
        """The entry's id on the list; Rejected where that is not the entry that is wanted; None: it is to be made."""
        listed = self._listed.get(wanted.reference_no)
        if listed is None:
            return None
        if listed.get("removed_at"):
            return Rejected(REMOVED, "the entry was removed from the list, and its number stays taken")
        differs = [
            name
            for name in (("label", "category") if wanted.labelled else ("category",))
            if name in listed and str(listed[name]) != getattr(wanted, name)
        ]
        if differs:
            # Perhaps another person under the same number: a picture of theirs must not stand for this one.
            return Rejected(DIFFERS, f"the list has this number with another {' and another '.join(differs)}")
        return str(listed["id"])

    # --- senders ---

    def _send(self) -> None:
        # Not Thread.join: where Ctrl-C breaks into it, Python 3.11 takes the thread for ended.
        left = max(1, self.at_once)
        for _ in range(left):
            threading.Thread(target=self._work, daemon=True).start()
        try:
            while left:
                left -= self._one_ended(0.2)
        finally:
            # What is under way may end, so that the journal knows of it; what hangs is left, and asked again next time.
            self.stop.set()
            while left and self._one_ended(_LAST_S):
                left -= 1
        if self._broken is not None:
            raise self._broken

    def _one_ended(self, within_s: float) -> bool:
        try:
            self._ends.get(timeout=within_s)
        except queue.Empty:
            return False
        return True

    def _work(self) -> None:
        try:
            while not self.stop.is_set():
                with self._lock:
                    index, picture = next(self._pending, (-1, None))
                if picture is None:
                    return
                result, settled = self._one(picture)
                with self._lock:
                    if settled is not None:
                        self.journal.add(settled)
                    self._add(index, result)
                    self.watch(self._tally)
                    self._count_faults(result)
        except _Stopped:
            return
        except BaseException as error:  # noqa: BLE001 (the thread's end: told to the one who waits for it)
            self._broken = self._broken or error
            self.stop.set()
        finally:
            self._ends.put(None)

    def _add(self, index: int, result: Result) -> None:
        self._results[index] = result
        name = result.outcome.name.lower()
        counts = {one: getattr(self._tally, one) for one in ("accepted", "already", "rejected", "failed")}
        self._tally = Tally(self._tally.total, **{**counts, name: counts[name] + 1})

    def _count_faults(self, result: Result) -> None:
        self._row_of_faults = self._row_of_faults + 1 if result.outcome is Outcome.FAILED else 0
        if self._row_of_faults >= _FAULTS_IN_A_ROW:
            raise _CannotGoOn(f"{_FAULTS_IN_A_ROW} pictures in a row failed at the API: {result.sentence}")

    # --- one picture ---

    def _one(self, picture: Picture) -> tuple[Result, Settled | None]:
        wanted = picture.entry
        standing = self._entries.get(wanted.reference_no) or self._standing(wanted)
        if isinstance(standing, Rejected):
            return _rejected(picture, standing), None
        jpeg = self._jpeg(picture)  # before there is an entry: one whose files are no pictures is not made
        if isinstance(jpeg, Rejected):
            return _rejected(picture, jpeg), None
        entry = self._entry(wanted)
        if isinstance(entry, Rejected):
            return _rejected(picture, entry), None
        return self._upload(picture, entry, jpeg)

    def _jpeg(self, picture: Picture) -> bytes | Rejected:
        try:
            if picture.path.stat().st_size > _LARGEST_FILE_BYTES:
                return Rejected(Reason.TOO_MANY_BYTES.value, f"the file is larger than {_LARGEST_FILE_BYTES:,} bytes")
            read = picture.path.read_bytes()
        except OSError as error:
            return Rejected(UNREADABLE, f"the file cannot be read: {error.strerror}")
        if hashlib.sha256(read).hexdigest() != picture.digest:
            return Rejected(CHANGED, "the file is not the one that was checked; it changed meanwhile")
        try:
            with self._encoding:
                return self.convert(read)
        except ValueError as error:
            return Rejected(Reason.NOT_AN_IMAGE.value, f"the file {error}")

    def _entry(self, wanted: WantedEntry) -> str | Rejected:
        with self._making:
            known = self._entries.get(wanted.reference_no) or self._standing(wanted)
            if known is None:
                known = self._make(wanted)
            self._entries[wanted.reference_no] = known
            return known

    def _make(self, wanted: WantedEntry) -> str | Rejected:
        path = f"/watchlists/{quoted(self.watchlist)}/entries"
        try:
            made = self._ask(lambda: self.api.post(path, wanted.body()))
            if warnings := made.get("warnings"):
                self._warnings[wanted.reference_no] = "; ".join(map(str, warnings))
            return str(made["id"])
        except ApiFault as fault:
            if fault.reason == Reason.TAKEN.value:
                # Somebody else was quicker, or an answer of ours got lost on the way: what is there now decides.
                self._ask(self._read_list)
                return self._standing(wanted) or Rejected(fault.reason, str(fault))
            if fault.status == 404:
                raise _CannotGoOn(str(fault)) from fault
            return _of_fault(fault)

    def _upload(self, picture: Picture, entry: str, jpeg: bytes) -> tuple[Result, Settled | None]:
        path = f"/watchlists/{quoted(self.watchlist)}/entries/{quoted(entry)}/references"
        try:
            made = self._ask(lambda: self.api.post_picture(path, jpeg))
        except ApiFault as fault:
            if fault.status == 404:
                return _rejected(picture, Rejected(REMOVED, "the entry was removed from the list meanwhile")), None
            if fault.status not in (413, 422):
                return _rejected(picture, _of_fault(fault)), None
            judged = fault.status == 422
            reason = fault.reason or Reason.TOO_MANY_BYTES.value
            settled = Settled(entry, picture.digest, self._pipeline, False, reason, str(fault), judged)
            return Result(picture, Outcome.REJECTED, reason, str(fault), judged), settled
        outcome = Outcome.ALREADY if made.get("already") else Outcome.ACCEPTED
        pipeline = str(made.get("pipeline") or self._pipeline)
        return Result(picture, outcome, judged=True), Settled(entry, picture.digest, pipeline, True)

    # --- asking ---

    def _ask(self, call: Callable[[], T]) -> T:
        """Ask, and again what passes by itself. ApiFault for an answer; _CannotGoOn for what would meet all alike."""
        waited, pause, tries = 0.0, 1.0, 0
        while True:
            if self.stop.is_set():
                raise _Stopped
            tries += 1
            try:
                return call()
            except ApiFault as fault:
                everybody = fault.unreachable or fault.status == 429 or (fault.status == 503 and bool(fault.reason))
                if fault.status in (401, 403):
                    raise _CannotGoOn(str(fault)) from fault
                if not everybody and (fault.status < 500 or tries >= _TRIES_OF_ONE):
                    raise
                if everybody and waited + pause > self.patience_s:
                    raise _CannotGoOn(str(fault)) from fault
                self.notify(f"{fault}; trying again in {pause:g} s")
            (self.wait or self.stop.wait)(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE_S)

    def _bare(self, results: tuple[Result, ...]) -> tuple[str, ...]:
        """Who is on the list and is found by no search: said, so that somebody adds a picture or removes them."""
        there = {
            one.picture.entry.reference_no for one in results if one.outcome in (Outcome.ACCEPTED, Outcome.ALREADY)
        }
        tried = {one.picture.entry.reference_no for one in results} - there
        on_list = {number for number, entry in self._entries.items() if isinstance(entry, str)} | set(self._listed)
        gone = {number for number, one in self._listed.items() if one.get("references") or one.get("removed_at")}
        return tuple(sorted((tried & on_list) - gone))


def _rejected(picture: Picture, why: Rejected) -> Result:
    return Result(picture, Outcome.FAILED if why.failed else Outcome.REJECTED, why.reason, why.sentence)


def _of_fault(fault: ApiFault) -> Rejected:
    if fault.status >= 500 or not fault.status:
        return Rejected(fault.reason or FAULT, str(fault), failed=True)
    reason = fault.reason or Reason.INVALID.value
    return Rejected(reason, str(fault) or SENTENCES[Reason.INVALID])
