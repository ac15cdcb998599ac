"""The API as an import meets it: a list in memory that refuses as the stages do, and can die, be away or count."""

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

from proviso.cli.api import ApiFault
from proviso.domain.reasons import SENTENCES, Reason


class Killed(BaseException):
    """The program ends here, as by a power cut."""


@dataclass
class EnrolmentApi:
    """A picture is a line: `good ...`, or `bad <reason>`. `die_at`: the call that kills the caller, counted from 1,
    `late`: only after the server has done it. `faults`: what the next calls are answered with instead, in turn."""

    pipeline: str = "p" * 64
    cap: int = 1000
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)  # by reference number
    references: dict[tuple[str, str, str], str] = field(default_factory=dict)  # (entry, digest, pipeline): id
    judged: list[str] = field(default_factory=list)  # what cost vision work
    refusals: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    faults: list[ApiFault] = field(default_factory=list)
    die_at: int = 0
    late: bool = False
    held: int = 0
    most_held: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def get(self, path: str) -> Any:
        return self._call(f"GET {path}", lambda: self._show(path))

    def post(self, path: str, body: Any = None) -> Any:
        return self._call(f"POST {path}", lambda: self._add(body))

    def post_picture(self, path: str, jpeg: bytes) -> Any:
        return self._call(f"PICTURE {path}", lambda: self._enrol(path.split("/")[-2], jpeg))

    def _call(self, what: str, act: Any) -> Any:
        with self._lock:
            self.calls.append(what)
            dies = len(self.calls) == self.die_at
            if dies and not self.late:
                raise Killed
            if self.faults:
                raise self.faults.pop(0)
            try:
                return act()
            finally:
                if dies:
                    raise Killed

    def _show(self, path: str) -> Any:
        if not path.endswith("/list-1"):
            raise _refused(Reason.NOT_FOUND, 404)
        counted = [
            {**entry, "references": sum(key[0] == entry["id"] for key in self.references)}
            for entry in self.entries.values()
        ]
        return {"id": "list-1", "pipeline": self.pipeline, "list": counted}

    def _add(self, body: dict[str, Any]) -> Any:
        number = body["reference_no"]
        if number in self.entries:
            raise _refused(Reason.TAKEN, 409)
        if len(self.entries) >= self.cap:
            raise _refused(Reason.POLICY_FORBIDS, 400)
        entry = {"id": f"e-{number}", "reference_no": number, "label": body["label"], "category": body["category"]}
        self.entries[number] = {**entry, "removed_at": None}
        return entry

    def _enrol(self, entry: str, jpeg: bytes) -> Any:
        known = {one["id"]: one for one in self.entries.values()}
        if entry not in known or known[entry]["removed_at"]:
            raise _refused(Reason.NOT_FOUND, 404)
        key = (entry, hashlib.sha256(jpeg).hexdigest(), self.pipeline)
        if key in self.references:
            return {"id": self.references[key], "quality": None, "already": True, "pipeline": self.pipeline}
        self.judged.append(jpeg.decode())
        if jpeg.startswith(b"bad "):
            reason = Reason(jpeg.decode().split()[1])
            self.refusals.append(reason.value)
            raise _refused(reason, 422)
        self.references[key] = f"r-{len(self.references) + 1}"
        return {"id": self.references[key], "quality": {}, "already": False, "pipeline": self.pipeline}


def _refused(reason: Reason, status: int) -> ApiFault:
    return ApiFault(SENTENCES[reason], status=status, reason=reason.value)
