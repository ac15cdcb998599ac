"""match: align, embed, and search in one transaction whose first act is the gate (rules 2, 5 and 7).

The row is the gate. The permit object can only shut it earlier: a stop takes it away first, and while the database is
away or resuming it is the one thing that a stop can change at once (rule 9). Between the database's return and the stop
of the row, whatever was queued would else be searched (S04).

The order is the safeguard. Search; put the evidence under a deterministic key; commit the searched frame, the
candidates and the audit; put the notices; delete the frame; write the ledger. A redelivery that finds the committed
row does only what follows the commit. No candidate: nothing but counts is written, and the templates die with the
call (S14).

A burst is one upload like any other. Where its faces stood says only who may be one person; their templates decide, and
a face that is not like the others of its track is searched by itself. What is alike is fused into one probe.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from proviso.domain.audit import Act
from proviso.domain.burst import FrameFace, Track, best
from proviso.domain.candidate import (
    Candidate,
    CandidateState,
    Pairing,
    candidate_id,
    evidence_key,
    joins,
    pair,
)
from proviso.domain.errors import Fault, PipelineMismatch, TransientFault
from proviso.domain.face import Box, Template
from proviso.domain.frame import Counts, FrameKey, Image, Jpeg, LedgerEntry, Outcome
from proviso.domain.journey import Step, untold
from proviso.domain.messages import MAX_FACES, FacesMessage
from proviso.domain.notice import raised_notice
from proviso.domain.permit import CheckedPermit, ahead_of_clock, past_age
from proviso.domain.ports import (
    Clock,
    FrameStore,
    Ledger,
    Outbox,
    PermitStore,
    PictureStore,
    Pipeline,
    SearchStore,
    SearchWork,
)
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import Changes
from proviso.domain.timing import Stopwatch

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 2.0
CONNECT_LEAST_S, CONNECT_MOST_S = 4, 10
"""How long one attempt to connect may take. A cluster that resumes may hold a connection until it is there, and signing
in by token takes seconds of its own: an attempt goes on while there is time, but for a lost one another is begun."""


@dataclass(frozen=True, slots=True)
class MatchRoom:
    """What match needs for every frame of a batch."""

    clock: Clock
    wait: Callable[[float], None]
    frames: FrameStore
    permits: PermitStore
    evidence: PictureStore
    outbox: Outbox
    ledger: Ledger
    store: SearchStore
    changes: Changes
    pipeline: Pipeline
    software_build: str
    step: Step = untold


@dataclass(frozen=True, slots=True)
class Probe:
    """One person to be searched: the faces that were found alike, and the one template for them all."""

    faces: Track
    template: Template


class _Upload:
    """The frames of one upload, decoded when they are asked for. The last one is kept: a single frame is decoded once,
    and of a burst no more than one lies in memory."""

    def __init__(self, jpegs: Sequence[Jpeg], pipeline: Pipeline) -> None:
        self._jpegs = jpegs
        self._pipeline = pipeline
        self._last: tuple[int, Image] | None = None

    def image(self, frame: int) -> Image | Refused:
        if self._last is None or self._last[0] != frame:
            image = self._pipeline.decode(self._jpegs[frame])
            if isinstance(image, Refused):
                return image
            self._last = (frame, image)
        return self._last[1]


def match(*, message: FacesMessage, room: MatchRoom, stopwatch: Stopwatch, give_up_at: datetime) -> LedgerEntry:
    """Take one frame to its final outcome and return its ledger row.

    Transient faults are tried again in here until `give_up_at` (before the end of the invocation: the last attempt may
    connect for CONNECT_LEAST_S more), because a failed message comes back only after the visibility timeout. Raises the
    last fault then, and PipelineMismatch at once. A frame whose search is committed is searched, however old it gets
    over what is left to do.
    """
    pause, committed = _FIRST_WAIT_S, False
    while True:
        row = _row(message, room)
        if row.outcome is not Outcome.RECEIVED:
            return row
        try:
            if not committed:
                ended = _attempt(row, message, room, stopwatch, _may_connect_for(room, give_up_at))
                if ended is not None:
                    return ended
                committed = True
            return _after_commit(row, message, room, stopwatch)
        except TransientFault:
            left_s = (give_up_at - room.clock()).total_seconds()
            if left_s <= 0:
                raise
            room.wait(min(pause, left_s))
            pause = min(pause * 2, _LONGEST_WAIT_S)


def _may_connect_for(room: MatchRoom, give_up_at: datetime) -> float:
    left_s = (give_up_at - room.clock()).total_seconds()
    return min(CONNECT_MOST_S, CONNECT_LEAST_S + max(0.0, left_s))


def _attempt(
    row: LedgerEntry, message: FacesMessage, room: MatchRoom, stopwatch: Stopwatch, connect_s: float
) -> LedgerEntry | None:
    """As far as the commit: None when there is one, the final row when the frame ended otherwise."""
    if stale := past_age(message.captured_at, room.clock(), message.frame_age_limit_s):
        return _too_old(row, stale, message, room, stopwatch)
    if message.pipeline != room.pipeline.digest:
        raise PipelineMismatch(
            f"frame {message.frame_key} was prepared for another pipeline than this process computes"
        )
    with stopwatch.lap("connect"):
        room.store.connect(connect_s)  # first: waking the database can take longer than all the rest
    with stopwatch.lap("read again"):
        jpeg = room.frames.get(message.frame_key)
    if jpeg is None:
        return _without_frame(row, message, room, stopwatch)
    upload = jpeg if isinstance(jpeg, Refused) else _opened(jpeg, message, room)
    if isinstance(upload, Refused):
        return _finish(row, Outcome.UNREADABLE, upload, message, room, stopwatch)
    probes = _probes(upload, message, room, stopwatch)
    if isinstance(probes, Refused):
        return _finish(row, Outcome.UNREADABLE, probes, message, room, stopwatch)
    with stopwatch.lap("permit again"):
        taken_back = _taken_back(message, room)  # after the connect: a stop may have come while the database woke
    with stopwatch.lap("search"), room.store.work() as work:
        sighted = _search(work, message, room, upload, probes, taken_back)
    if isinstance(sighted, Refused):
        outcome = Outcome.STALE if sighted.reason is Reason.STALE else Outcome.REFUSED
        return _finish(row, outcome, sighted, message, room, stopwatch)
    for candidate in sighted:
        room.step("sighted again", candidate, message.correlation_id)
    return None


def _opened(jpeg: Jpeg, message: FacesMessage, room: MatchRoom) -> _Upload | Refused:
    """The upload's frames, as many as detect saw: an object that was put in its place since is another one."""
    key = FrameKey.parse(message.frame_key)
    if isinstance(key, Refused) or not key.is_burst:
        return _Upload([jpeg], room.pipeline)
    jpegs = room.pipeline.split(jpeg, message.frames)
    if isinstance(jpegs, Refused):
        return jpegs
    if len(jpegs) != message.frames:
        return Refused(Reason.NOT_A_BURST, f"{len(jpegs)} frames, where {message.frames} were looked at")
    return _Upload(jpegs, room.pipeline)


def _probes(upload: _Upload, message: FacesMessage, room: MatchRoom, stopwatch: Stopwatch) -> list[Probe] | Refused:
    """A probe for each track, and one more for each part of a track that is not like the rest.

    Only frames in which there is a face to be searched are decoded, one after the other.
    """
    templates: dict[tuple[int, int], Template] = {}  # by track, frame
    for frame in sorted({one.frame for track in message.tracks for one in track}):
        with stopwatch.lap("decode again"):
            image = upload.image(frame)
        if isinstance(image, Refused):
            return image
        here = [(n, one.face) for n, track in enumerate(message.tracks) for one in track if one.frame == frame]
        with stopwatch.lap("embed"):
            found = room.pipeline.templates(image, [face for _, face in here])
        templates |= {(track, frame): template for (track, _), template in zip(here, found, strict=True)}
    first: list[Probe] = []
    split_off: list[Probe] = []
    for number, track in enumerate(message.tracks):
        own = [templates[number, one.frame] for one in track]
        parts = [
            Probe(tuple(track[i] for i in group), room.pipeline.fuse([own[i] for i in group]))
            for group in room.pipeline.alike(own)
        ]
        first += parts[:1]
        split_off += parts[1:]
    return first + split_off


def _taken_back(message: FacesMessage, room: MatchRoom) -> Refused | None:
    permit = room.permits.read(message.camera)
    if permit is None or permit.deployment_id != message.deployment_id:
        return Refused(Reason.NOT_ACTIVE, "its permit was taken back")
    return None


def _search(
    work: SearchWork,
    message: FacesMessage,
    room: MatchRoom,
    upload: _Upload,
    probes: Sequence[Probe],
    taken_back: Refused | None,
) -> list[str] | Refused:
    """Everything that is one transaction: gate, search, candidates, evidence, row, audit.

    Returns the candidates of other frames that this frame sighted again; none where it had been searched before.
    """
    if work.was_searched(message.frame_key):
        return []
    now = room.clock()
    permit = work.gate(
        deployment_id=message.deployment_id,
        digest=message.digest,
        camera=message.camera,
        captured_at=message.captured_at,
        now=now,
        pipeline=room.pipeline.digest,
        software_build=room.software_build,
    )
    if isinstance(permit, Refused):
        return permit
    if taken_back is not None:
        return taken_back
    # By the policy in the locked row: the message's own figures are only what detect was told.
    refused = ahead_of_clock(message.captured_at, now, permit.policy.clock_skew_s) or past_age(
        message.captured_at, now, permit.policy.frame_age_limit_s
    )
    if refused is not None:
        return refused
    if message.frames > permit.burst_frames:
        return Refused(Reason.TOO_MANY_FRAMES, f"{message.frames}, where {permit.burst_frames} were authorised")
    searched = probes[:MAX_FACES]
    pairings = pair(work.search(permit, [probe.template for probe in searched]))
    opened, sighted = _raise(work, permit, pairings, searched, message, room, upload, now)
    counts = Counts(
        detected=message.detected + len(probes) - len(message.tracks),
        refused=message.refused,
        searched=len(searched),
        not_searched=message.not_searched + len(probes) - len(searched),
        candidates=len(pairings),
    )
    work.record_searched(
        frame_key=message.frame_key, permit=permit, captured_at=message.captured_at, now=now, counts=counts
    )
    work.audit(
        Act(
            chain=permit.deployment_id,
            at=now,
            actor="function:match",
            action="frame_searched",
            subject=message.frame_key,
            purpose=permit.digest,
            details={
                "faces_detected": counts.detected,
                "faces_refused": counts.refused,
                "faces_searched": counts.searched,
                "faces_not_searched": counts.not_searched,
                "candidates_opened": [{"id": c.id, "evidence": c.evidence_digest} for c in opened],
                "sightings": len(sighted),
            },
        )
    )
    return sighted


def _raise(
    work: SearchWork,
    permit: CheckedPermit,
    pairings: Sequence[Pairing],
    probes: Sequence[Probe],
    message: FacesMessage,
    room: MatchRoom,
    upload: _Upload,
    now: datetime,
) -> tuple[list[Candidate], list[str]]:
    """Join each pairing to its entry's open candidate, or open one with its evidence (rule 7, S15, S21).

    Returns what was opened, and the ids of what was joined.
    """
    opened: list[Candidate] = []
    joined: list[str] = []
    if not pairings:
        return opened, joined
    open_now = work.lock_entries(permit, sorted(p.hit.entry_id for p in pairings))
    for pairing in pairings:
        current = open_now.get(pairing.hit.entry_id)
        if current is not None and joins(current, message.captured_at, permit.policy.same_entry_window_s):
            work.join(current.id, message.frame_key, message.captured_at, pairing.hit.similarity)
            joined.append(current.id)
            continue
        candidate = _candidate(permit, pairing, message, now)
        shown = best(probes[pairing.face_index].faces)
        image = upload.image(shown.frame)
        if isinstance(image, Refused):  # it was decoded a moment ago
            raise Fault(f"a frame of {message.frame_key} can no longer be decoded: {image.reason}")
        picture = room.pipeline.evidence(image, shown.face, _others(message, shown))
        digest = hashlib.sha256(picture.jpeg.data).hexdigest()
        candidate = replace(candidate, evidence_digest=digest, face=picture.face)
        room.evidence.put(candidate.evidence_key, picture.jpeg)
        work.open(candidate, pairing.runners_up)
        opened.append(candidate)
    return opened, joined


def _others(message: FacesMessage, shown: FrameFace) -> list[Box]:
    """Every other box of the frame that is shown. Those of the burst's other frames are left out: at their places
    others may have stood then, but now it may be the candidate's own face."""
    faces = [one.face.box for track in message.tracks for one in track if one.frame == shown.frame and one != shown]
    return faces + [one.box for one in message.bystanders if one.frame == shown.frame]


def _candidate(permit: CheckedPermit, pairing: Pairing, message: FacesMessage, now: datetime) -> Candidate:
    identifier = candidate_id(permit.deployment_id, message.frame_key, pairing.hit.entry_id)
    return Candidate(
        id=identifier,
        deployment_id=permit.deployment_id,
        entry_id=pairing.hit.entry_id,
        camera=permit.camera,
        place=permit.place,
        frame_key=message.frame_key,
        captured_at=message.captured_at,
        raised_at=now,
        decide_by=min(now + timedelta(seconds=permit.policy.decide_within_s), permit.ends_at),
        last_sighting_at=message.captured_at,
        state=CandidateState.RAISED,
        similarity=pairing.hit.similarity,
        threshold=permit.threshold,
        pipeline=permit.pipeline,
        policy=f"{permit.policy.name} {permit.policy.version}",
        calibrated=permit.calibrated,
        evidence_key=evidence_key(permit.deployment_id, identifier),
        evidence_digest="",
        correlation_id=message.correlation_id,
    )


def _without_frame(
    row: LedgerEntry, message: FacesMessage, room: MatchRoom, stopwatch: Stopwatch
) -> LedgerEntry | None:
    """No frame: either everything up to the deletion was done (there is a row), or somebody took it (rule 5)."""
    with room.store.work() as work:
        if work.was_searched(message.frame_key):
            return None
    return _finish(row, Outcome.ORPHANED, None, message, room, stopwatch)


def _too_old(
    row: LedgerEntry, stale: Refused, message: FacesMessage, room: MatchRoom, stopwatch: Stopwatch
) -> LedgerEntry | None:
    """Stale, without the database. But where the frame is gone, a call may have died between the deletion and the
    ledger: its message comes back long after the age limit, and the row knows that the frame was searched."""
    if room.frames.get(message.frame_key) is None:
        return _without_frame(row, message, room, stopwatch)
    return _finish(row, Outcome.STALE, stale, message, room, stopwatch)


def _after_commit(row: LedgerEntry, message: FacesMessage, room: MatchRoom, stopwatch: Stopwatch) -> LedgerEntry:
    """Notices, then the frame, then the ledger. Each may have been done before: doing it again changes nothing."""
    with stopwatch.lap("notices"):
        raised = room.store.candidates_of_frame(message.frame_key)
        for candidate, message_prefix in raised:
            if candidate.state is CandidateState.RAISED:  # not what froze with its own transaction (S26)
                room.outbox.put(raised_notice(candidate, message_prefix))
            room.step("raised", candidate.id, candidate.correlation_id)
        if raised:
            with suppress(TransientFault):  # open pages ask by themselves too, later
                room.changes.mark()
    with stopwatch.lap("delete"):
        room.frames.delete(message.frame_key)
    counts = room.store.counts_of_frame(message.frame_key)
    final = replace(
        row, outcome=Outcome.SEARCHED, counts=counts, finished_at=room.clock(), stages=stopwatch.laps, detail=""
    )
    return final if room.ledger.finish(final) else (room.ledger.get(message.frame_key) or final)


def _finish(
    row: LedgerEntry,
    outcome: Outcome,
    refused: Refused | None,
    message: FacesMessage,
    room: MatchRoom,
    stopwatch: Stopwatch,
) -> LedgerEntry:
    final = replace(
        row,
        outcome=outcome,
        reason=refused.reason if refused else None,
        detail=refused.detail if refused else "",
        counts=Counts(
            detected=message.detected,
            refused=message.refused,
            not_searched=message.detected - message.refused,
        ),
        finished_at=room.clock(),
        stages=stopwatch.laps,
    )
    if room.ledger.finish(final):
        room.frames.delete(message.frame_key)
        return final
    return room.ledger.get(message.frame_key) or final


def _row(message: FacesMessage, room: MatchRoom) -> LedgerEntry:
    # detect wrote it: a look costs a fifth of a write that is refused.
    found = room.ledger.get(message.frame_key)
    row = found or room.ledger.received(message.frame_key, message.camera, message.received_at)
    return replace(row, deployment_id=message.deployment_id)
