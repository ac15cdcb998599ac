"""Doubles for the two wings that need heavy parts: a pipeline that reads its faces from a line of text, and stores in
memory that keep nothing of a transaction which fails. They hold no rules: rules that are SQL are tested on SQL.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from types import SimpleNamespace

from proviso.domain.audit import Act, Head
from proviso.domain.candidate import Candidate, Hit, OpenCandidate
from proviso.domain.conditions import Conditions
from proviso.domain.contacts import Kept
from proviso.domain.deployment import LIVE, OVER, Deployment, DeploymentState
from proviso.domain.errors import PipelineMismatch
from proviso.domain.face import Box, Face, QualityGate, Template
from proviso.domain.frame import Counts, EvidencePicture, Image, Jpeg
from proviso.domain.monitoring import Suspension
from proviso.domain.people import Member, Person, Role
from proviso.domain.permit import CheckedPermit
from proviso.domain.reasons import Reason, Refused
from proviso.domain.record import Published, Why
from proviso.domain.record_ports import Batch
from proviso.domain.retention import ListStanding, StoreCount, over_since
from tests.samples import GATE, PIPELINE, axis, conditions, face


class FakePipeline:
    """A picture is a line like `people 3 7 ~9`: a face a number, a tilde for one that no gate lets through.

    A face's template is the axis of its number. Anything else is not an image. A burst is such lines one under the
    other; a face stands at the place of its number's position in the line.
    """

    dimension = 128

    def __init__(self, digest: str = PIPELINE) -> None:
        self.digest = digest
        self.search_gate: QualityGate = GATE
        self.enrolment_gate: QualityGate = GATE
        self.evidence_asked: list[tuple[Face, list[Box]]] = []
        self.opened: list[str] = []

    def decode(self, jpeg: Jpeg) -> Image | Refused:
        self.opened.append("decode")
        if not jpeg.data.startswith(b"people"):
            return Refused(Reason.NOT_AN_IMAGE)
        return Image(jpeg.data.decode().split()[1:], 1280, 720)

    def split(self, burst: Jpeg, most: int) -> list[Jpeg] | Refused:
        self.opened.append("split")
        lines = burst.data.split(b"\n")
        if len(lines) > most:
            return Refused(Reason.TOO_MANY_FRAMES, f"more than {most}")
        return [Jpeg(line) for line in lines] if len(lines) > 1 else Refused(Reason.NOT_A_BURST, "one frame only")

    def alike(self, templates: Sequence[Template]) -> list[list[int]]:
        self._own(templates)
        groups: list[list[int]] = []
        for index, one in enumerate(templates):
            joined = (g for g in groups if all(_cosine(one, templates[other]) >= 0.5 for other in g))
            group = next(joined, None)
            groups.append([index]) if group is None else group.append(index)
        return groups

    def fuse(self, templates: Sequence[Template]) -> Template:
        self._own(templates)
        total = [sum(values) for values in zip(*(_unit(one) for one in templates), strict=True)]
        length = math.sqrt(sum(value * value for value in total))
        if length < 1e-6:
            raise ValueError("nothing to fuse, or what cancels out")
        packed = struct.pack(f"<{self.dimension}f", *(value / length for value in total))
        return templates[0] if len(templates) == 1 else Template(packed, self.dimension, self.digest)

    def _own(self, templates: Sequence[Template]) -> None:
        if any(one.pipeline != self.digest for one in templates):
            raise PipelineMismatch("of another pipeline")

    def detect(self, image: Image) -> list[Face]:
        return [face(100.0 + 120 * i, sharpness=1.0 if "~" in who else 210.0) for i, who in enumerate(image.pixels)]

    def templates(self, image: Image, faces: Sequence[Face]) -> list[Template]:
        people = [image.pixels[round((one.box.x - 100) / 120)] for one in faces]
        return [axis(int(who.strip("~")), self.digest) for who in people]

    def evidence(self, image: Image, candidate: Face, others: Sequence[Box]) -> EvidencePicture:
        self.evidence_asked.append((candidate, list(others)))
        jpeg = Jpeg(b"evidence of %d" % candidate.box.x)
        return EvidencePicture(jpeg, candidate.box.region(0, 0, image.width, image.height))


def people(*who: object) -> bytes:
    """The frame that FakePipeline reads."""
    return f"people {' '.join(map(str, who))}".encode()


def burst(*frames: Sequence[object]) -> bytes:
    """The burst that FakePipeline reads: who is in each of its frames."""
    return b"\n".join(people(*who) for who in frames)


def _unit(template: Template) -> list[float]:
    length = math.sqrt(sum(value * value for value in template.floats()))
    return [value / length for value in template.floats()]


def _cosine(one: Template, other: Template) -> float:
    return sum(a * b for a, b in zip(_unit(one), _unit(other), strict=True))


@dataclass
class Memory:
    """What a store in memory shares: faults by method name, and a journal."""

    journal: list[str] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)

    def _do(self, name: str, what: str = "") -> None:
        if fault := self.faults.get(name):
            raise fault
        self.journal.append(f"store.{name} {what}".strip())


@dataclass
class MemorySearchStore(Memory):
    """SearchStore: the gate answers `permit`, the search `hits`."""

    permit: CheckedPermit | Refused = field(default_factory=lambda: Refused(Reason.NOT_ACTIVE))
    hits: list[list[Hit]] = field(default_factory=list)
    open_now: dict[str, OpenCandidate] = field(default_factory=dict)
    searched: dict[str, object] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    sightings: list[tuple[str, str]] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)  # how long each might take

    def connect(self, within_s: float) -> None:
        self.connects.append(within_s)
        self._do("connect")

    @contextmanager
    def work(self) -> Iterator["MemorySearchStore"]:
        self._do("begin")
        kept = (dict(self.searched), list(self.candidates), list(self.sightings), list(self.acts))
        try:
            yield self
            self._do("commit")
        except BaseException:
            self.searched, self.candidates, self.sightings, self.acts = kept
            self.journal.append("store.rollback")
            raise

    def was_searched(self, frame_key: str) -> bool:
        return frame_key in self.searched

    def gate(self, **asked) -> CheckedPermit | Refused:
        self._do("gate")
        self.asked = asked
        return self.permit

    def search(self, permit: CheckedPermit, probes: Sequence[Template]) -> list[list[Hit]]:
        self._do("search")
        return self.hits

    def lock_entries(self, permit: CheckedPermit, entry_ids: Sequence[str]) -> dict[str, OpenCandidate]:
        self._do("lock_entries", ",".join(entry_ids))
        return {entry: found for entry, found in self.open_now.items() if entry in entry_ids}

    def open(self, candidate: Candidate, runners_up: Sequence[Hit]) -> None:
        self._do("open", candidate.entry_id)
        self.candidates.append(candidate)
        self.sightings.append((candidate.id, candidate.frame_key))

    def join(self, open_candidate_id: str, frame_key: str, captured_at: datetime, similarity: float) -> None:
        self._do("join", open_candidate_id)
        self.sightings.append((open_candidate_id, frame_key))

    def record_searched(self, *, frame_key: str, **rest) -> None:
        self._do("record_searched")
        self.searched[frame_key] = rest

    def audit(self, act: Act) -> None:
        self._do("audit", act.action)
        self.acts.append(act)

    def candidates_of_frame(self, frame_key: str) -> list[tuple[Candidate, str]]:
        self._do("candidates_of_frame")
        return [(found, "DEMONSTRATION") for found in self.candidates if found.frame_key == frame_key]

    def counts_of_frame(self, frame_key: str) -> Counts:
        return self.searched[frame_key]["counts"] if frame_key in self.searched else Counts()


@dataclass
class MemoryDeployments(Memory):
    """As much of GovernStore and RetainStore as deployments need. `faults` may name any method."""

    rows: dict[str, Deployment] = field(default_factory=dict)
    references: int = 1
    candidate_ids: list[str] = field(default_factory=list)
    left_counts: list[StoreCount] = field(default_factory=list)
    certificates: dict[str, object] = field(default_factory=dict)
    searched_keys: set[str] = field(default_factory=set)
    folds: list[tuple[str, int]] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    old_evidence: dict[str, list[str]] = field(default_factory=dict)
    lists: dict[str, ListStanding] = field(default_factory=dict)
    backups: dict[str, datetime] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    named: list[Member] = field(default_factory=list)
    roles: dict[str, frozenset[Role]] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    marked: dict[str, Head] = field(default_factory=dict)
    unanswered: dict[str, list[str]] = field(default_factory=dict)
    outcome_due: datetime | None = None
    groups: dict[str, int] = field(default_factory=dict)
    groups_due: datetime | None = None
    suspensions_waiting: list[Suspension] = field(default_factory=list)

    @contextmanager
    def work(self) -> Iterator["MemoryDeployments"]:
        self._do("begin")
        kept = (dict(self.rows), list(self.acts), dict(self.certificates), dict(self.lists), set(self.removed))
        try:
            yield self
            self._do("commit")
        except BaseException:
            self.rows, self.acts, self.certificates, self.lists, self.removed = kept
            self.journal.append("store.rollback")
            raise

    def audit(self, act: Act) -> None:
        self._do("audit", act.action)
        self.acts.append(act)

    def heads(self, chains: Sequence[str] | None = None) -> list[Head]:
        """A chain's head is as long as it has acts, and its hash says no more than that."""
        self._do("heads")
        counts = Counter(act.chain for act in self.acts)
        return [
            Head(chain, count, sha256(f"{chain} {count}".encode()).digest())
            for chain, count in sorted(counts.items())
            if chains is None or chain in chains
        ]

    def anchored(self) -> list[Head]:
        self._do("anchored")
        return [self.marked[chain] for chain in sorted(self.marked)]

    def mark_anchored(self, heads: Sequence[Head], at: datetime) -> None:
        self._do("mark_anchored", " ".join(f"{head.chain}#{head.sequence}" for head in heads))
        self.marked |= {head.chain: replace(head, at=at) for head in heads}

    def deployment(self, deployment_id: str, *, lock: bool = False) -> Deployment | None:
        self._do("deployment")
        return self.rows.get(deployment_id)

    def build(self, build_id: str) -> SimpleNamespace:
        return SimpleNamespace(built_at=self.rows[next(iter(self.rows))].requested_at)

    def unknown_migrations(self) -> list[str]:
        return []

    def conditions(self, found: Deployment) -> Conditions:
        return conditions(built_at=found.requested_at)

    def trial_at(self, pipeline: str, place: str) -> None:
        return None

    def calibration_for(self, pipeline: str) -> None:
        return None

    def members(self, deployment_id: str) -> list[Member]:
        return [one for one in self.named if one.deployment_id == deployment_id]

    def people(self) -> list[Person]:
        return [Person(sub, roles) for sub, roles in self.roles.items()]

    def contact(self, sub: str) -> Kept | None:
        return self.kept.get(sub)

    def contacts(self) -> list[Kept]:
        return [self.kept[sub] for sub in sorted(self.kept)]

    def set_contact(self, kept: Kept) -> None:
        self._do("set_contact", kept.contact.sub)
        self.kept[kept.contact.sub] = kept

    def remove_contact(self, sub: str, at: datetime) -> bool:
        self._do("remove_contact", sub)
        return self.kept.pop(sub, None) is not None

    def person(self, sub: str) -> Person | None:
        return Person(sub, self.roles[sub]) if sub in self.roles else None

    def deployments_naming(self, sub: str) -> list[str]:
        return sorted({one.deployment_id for one in self.named if one.sub == sub})

    def begin_warming(self, deployment_id: str, at: datetime) -> Refused | None:
        self._do("begin_warming")
        self.rows[deployment_id] = replace(self.rows[deployment_id], state=DeploymentState.WARMING)
        return None

    def warm(self, build_id: str) -> int:
        self._do("warm")
        return self.references

    def activate(self, deployment_id: str, at: datetime) -> Refused | None:
        self._do("activate")
        if self.rows[deployment_id].state is not DeploymentState.WARMING:
            return Refused(Reason.WRONG_STATE, self.rows[deployment_id].state)
        self.rows[deployment_id] = replace(self.rows[deployment_id], state=DeploymentState.ACTIVE, started_at=at)
        return None

    def _finish(self, ids: list[str], state: DeploymentState, by: str, at: datetime) -> list[Deployment]:
        for one in ids:
            self.rows[one] = replace(self.rows[one], state=state, finished_by=by, finished_at=at)
        return [self.rows[one] for one in ids]

    def stop(self, deployment_id: str | None, by: str, at: datetime) -> list[Deployment]:
        self._do("stop", deployment_id or "all")
        live = [key for key, row in self.rows.items() if row.state in LIVE]
        return self._finish([k for k in live if deployment_id in (None, k)], DeploymentState.STOPPED, by, at)

    def carry_out_stop(self, record, now: datetime) -> list[Deployment]:
        return self.stop(record.deployment_id, record.actor, now)

    def end_due(self, now: datetime) -> list[Deployment]:
        self._do("end_due")
        due = [key for key, row in self.rows.items() if row.state == "active" and row.ends_at <= now]
        return self._finish(due, DeploymentState.ENDED, "the end", now)

    def expire_candidates(self, now: datetime) -> list[str]:
        self._do("expire_candidates")
        return []

    def to_look_at(self) -> list[str]:
        self._do("to_look_at")
        return [key for key, row in self.rows.items() if row.state == "active"]

    def look_at(self, deployment_id: str) -> None:
        self._do("look_at")

    def to_stop(self) -> list[str]:
        return []

    def stop_suspended(self, deployment_id: str) -> None:
        self._do("stop_suspended")

    def unaudited_suspensions(self) -> list[Suspension]:
        return list(self.suspensions_waiting)

    def suspension_audited(self, suspension_id: str, at: datetime) -> bool:
        before = len(self.suspensions_waiting)
        self.suspensions_waiting = [one for one in self.suspensions_waiting if one.id != suspension_id]
        return len(self.suspensions_waiting) < before

    def suspensions_of(self, deployment_id: str) -> list[str]:
        return []

    def suspended(self, deployment_id: str) -> Refused | None:
        return None

    def close_outcomes(self, now: datetime) -> dict[str, list[str]]:
        self._do("close_outcomes")
        closed, self.unanswered = self.unanswered, {}
        return closed

    def next_outcome(self) -> datetime | None:
        return self.outcome_due

    def records_due(self) -> list[tuple[str, Why]]:
        """Nothing is published here; tests/unit/test_stage_report.py has a store that does."""
        self._do("records_due")
        return []

    def records_waiting(self) -> list[Published]:
        return []

    def batches(self, *, waiting: bool) -> list[Batch]:
        return []

    def unbatched(self) -> list[bytes]:
        return []

    def empty_reasons(self) -> int:
        self._do("empty_reasons")
        return 0

    def count_groups(self) -> dict[str, int]:
        self._do("count_groups")
        counted, self.groups = self.groups, {}
        return counted

    def next_groups(self, now: datetime) -> datetime | None:
        return self.groups_due

    def unput_notices(self, now: datetime) -> list:
        self._do("unput_notices")
        return []

    def folded_until(self) -> str | None:
        return self.folds[-1][0] if self.folds else None

    def fold(self, hours: Sequence[str], frames: int, at: datetime) -> bool:
        if self.folds and self.folds[-1][0] >= hours[0]:
            return False
        self.folds.append((hours[-1], frames))
        return True

    def searched(self, frame_keys: Sequence[str]) -> set[str]:
        self._do("searched")
        return self.searched_keys & set(frame_keys)

    def without_row(self, evidence_keys: Sequence[str]) -> list[str]:
        self._do("without_row")
        return [key for key in evidence_keys if not any(one in key for one in self.candidate_ids)]

    def pair_pictures(self) -> dict[str, datetime]:
        return {}

    def to_close(self, now: datetime) -> list[str]:
        return [key for key, row in self.rows.items() if row.state in OVER and over_since(row) <= now]

    def candidates_of(self, deployment_id: str) -> list[str]:
        return self.candidate_ids

    def erase(self, deployment_id: str) -> str | None:
        self._do("erase", deployment_id)
        watchlist_id = self.rows[deployment_id].watchlist_id
        if watchlist_id in self.lists:
            standing = self.lists[watchlist_id]
            self.lists[watchlist_id] = replace(standing, used=False, erased_at=standing.created_at)
        return watchlist_id

    def left(self, deployment_id: str) -> list[StoreCount]:
        return self.left_counts

    def close(self, certificate, by: str) -> None:
        self._do("close", certificate.deployment_id)
        row = self.rows[certificate.deployment_id]
        self.rows[row.id] = replace(row, state=DeploymentState.CLOSED, closed_at=certificate.verified_at)
        self.certificates[row.id] = certificate

    def pointers(self, deployment_id: str) -> list[str]:
        return self.held

    def certificate(self, deployment_id: str):
        return self.certificates.get(deployment_id)

    def backups_due(self, now: datetime) -> list[str]:
        return [
            key for key, one in self.certificates.items() if key not in self.backups and one.backups_expire_at <= now
        ]

    def certify_backups(self, deployment_id: str, at: datetime) -> bool:
        if deployment_id not in self.backups_due(at):
            return False
        self.backups[deployment_id] = at
        self.certificates[deployment_id] = replace(self.certificates[deployment_id], backups_expired_at=at)
        return True

    def hold_ends(self, deployment_id: str) -> datetime | None:
        return None

    def evidence_due(self, now: datetime) -> dict[str, list[str]]:
        self._do("evidence_due")
        return self.old_evidence

    def free_evidence(self, candidate_ids: Sequence[str]) -> list[str]:
        self._do("free_evidence", ",".join(candidate_ids))
        return [
            f"evidence/{key}/{one}.jpg" for key, ids in self.old_evidence.items() for one in candidate_ids if one in ids
        ]

    def correlations(self, candidate_ids: Sequence[str]) -> dict[str, str]:
        return {one: f"frame-of-{one}" for one in candidate_ids}

    def list_standing(self, watchlist_id: str) -> ListStanding | None:
        return self.lists.get(watchlist_id)

    def lists_due(self, made_by: datetime) -> list[str]:
        found = [one for one in self.lists.values() if one.erased_at is None and not one.used]
        return [one.id for one in found if one.delete_requested_at or one.created_at <= made_by]

    def erase_list(self, watchlist_id: str, *, replay: bool = False) -> bool:
        self._do("erase_list", watchlist_id)
        standing = self.lists[watchlist_id]
        if standing.used and not replay:
            return False
        self.lists[watchlist_id] = replace(standing, erased_at=standing.erased_at or standing.created_at)
        return True

    def list_left(self, watchlist_id: str) -> list[StoreCount]:
        return self.left_counts

    def contradicted(self, erased: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """A list that it does not know cannot contradict; every entry that is not removed does."""
        return sorted(one for one in erased - self.erased() if one[0] == "entry" or one[1] in self.lists)

    def erased(self) -> set[tuple[str, str]]:
        lists = {("list", one.id) for one in self.lists.values() if one.erased_at is not None}
        return lists | {("entry", one) for one in self.removed}

    def stop_users(self, watchlist_id: str, by: str, now: datetime) -> list[Deployment]:
        on_it = [key for key, row in self.rows.items() if row.watchlist_id == watchlist_id and row.state in LIVE]
        return self._finish(on_it, DeploymentState.STOPPED, by, now)

    def users(self, watchlist_id: str) -> list[str]:
        return [key for key, row in self.rows.items() if row.watchlist_id == watchlist_id and row.state in OVER]

    def remove_again(self, entry_id: str, at: datetime) -> str:
        self._do("remove_again", entry_id)
        self.removed.add(entry_id)
        return "list-1"
