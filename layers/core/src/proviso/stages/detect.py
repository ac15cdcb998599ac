"""detect: is there a permit for this camera, now? Only then is a frame opened at all, and its faces found (S01).

There is no database here (rule 1). A frame that is refused is deleted unread; a frame without a usable face is deleted
after one look; all others become one message to match: boxes and landmarks, never pixels or templates. A burst is
handled as one frame whose faces are tracks; one of more frames than were authorised is refused, and no pixel of it is
decoded.

Most frames hold no face, and their outcome is the one write into the ledger: a look, which costs a fifth of a write,
tells what is decided already. Only what goes on to match is written there as received.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from proviso.domain.burst import FrameBox, Track, associate
from proviso.domain.candidate import correlation_id
from proviso.domain.errors import PipelineMismatch, TransientFault
from proviso.domain.face import Face, QualityGate
from proviso.domain.frame import Counts, FrameKey, Jpeg, LedgerEntry, Outcome, shown
from proviso.domain.messages import MAX_BYSTANDERS, MAX_FACES, MAX_SENT_FACES, FacesMessage
from proviso.domain.permit import Permit
from proviso.domain.ports import Clock, FacesQueue, FrameStore, Ledger, Pipeline
from proviso.domain.reasons import Reason, Refused
from proviso.domain.timing import Stopwatch


def detect(
    *,
    key: str,
    clock: Clock,
    stopwatch: Stopwatch,
    permit_for: Callable[[str], Permit | None],
    frames: FrameStore,
    ledger: Ledger,
    pipeline: Pipeline,
    queue: FacesQueue,
    abandon_after_s: int,
) -> LedgerEntry:
    """Take one frame as far as the faces queue, or to its final outcome. Returns its ledger row as it now stands.

    `permit_for` is read at most once per camera and invocation. Raises PermitUnreadable, PipelineMismatch and
    TransientFault: the frame stays unsearched and undeleted, is tried again, and sweep deletes it at its age limit.
    """
    now = clock()
    parsed = FrameKey.parse(key)
    camera = None if isinstance(parsed, Refused) else parsed.camera
    row = ledger.get(key) or LedgerEntry(key=key, outcome=Outcome.RECEIVED, received_at=now, camera=camera)
    if row.outcome is not Outcome.RECEIVED:
        return row  # a duplicate of something that is already decided
    if isinstance(parsed, Refused):
        outcome = Outcome.UNREADABLE if parsed.reason is Reason.WRONG_TYPE else Outcome.REFUSED
        return _finish(row, outcome, parsed, now, stopwatch, frames, ledger)

    with stopwatch.lap("permit"):
        permit = permit_for(parsed.camera)
    refused = Refused(Reason.NO_PERMIT, parsed.camera) if permit is None else permit.check(parsed, now)
    if permit is None or refused is not None:
        refused = refused or Refused(Reason.NO_PERMIT)
        outcome = Outcome.STALE if refused.reason is Reason.STALE else Outcome.REFUSED
        return _finish(row, outcome, refused, now, stopwatch, frames, ledger)
    row = replace(row, deployment_id=permit.deployment_id)
    if permit.pipeline != pipeline.digest:
        raise PipelineMismatch(f"the permit of {parsed.camera} names another pipeline than this process computes")

    with stopwatch.lap("read"):
        jpeg = frames.get(key)
    if jpeg is None:
        return _gone(row, now, parsed.captured_at, stopwatch, frames, ledger, abandon_after_s)
    seen = jpeg if isinstance(jpeg, Refused) else _look(jpeg, parsed, permit, pipeline, stopwatch)
    if isinstance(seen, Refused):
        outcome = Outcome.REFUSED if seen.reason is Reason.TOO_MANY_FRAMES else Outcome.UNREADABLE
        return _finish(row, outcome, seen, clock(), stopwatch, frames, ledger)
    tracks = associate(seen)
    usable = [usable for track in tracks if (usable := _usable(track, pipeline.search_gate))]
    counts = Counts(detected=len(tracks), refused=len(tracks) - len(usable))
    if not usable:
        detail = f"{counts.refused} refused by quality" if counts.refused else ""
        row = replace(row, counts=counts, detail=detail)
        return _finish(row, Outcome.NO_FACE, None, clock(), stopwatch, frames, ledger)

    written = ledger.received(key, camera, now)
    if written.outcome is not Outcome.RECEIVED:
        return written  # decided meanwhile by another call
    row = replace(row, received_at=written.received_at)
    queue.send(_message(row, parsed, permit, seen, counts, usable, stopwatch))
    return replace(row, counts=counts, stages=stopwatch.laps)


def _look(
    jpeg: Jpeg, key: FrameKey, permit: Permit, pipeline: Pipeline, stopwatch: Stopwatch
) -> list[list[Face]] | Refused:
    """The faces of each frame of the upload. A burst is refused whole when one of its frames is."""
    jpegs = pipeline.split(jpeg, permit.burst_frames) if key.is_burst else [jpeg]
    if isinstance(jpegs, Refused):
        return jpegs
    seen: list[list[Face]] = []
    for number, one in enumerate(jpegs, 1):
        with stopwatch.lap("decode"):
            image = pipeline.decode(one)
        if isinstance(image, Refused):
            return replace(image, detail=f"frame {number}: {image.detail}") if key.is_burst else image
        with stopwatch.lap("detect"):
            seen.append(pipeline.detect(image))
    return seen


def _usable(track: Track, gate: QualityGate) -> Track:
    """The faces of a track that may be searched. Only they are fused."""
    return tuple(one for one in track if gate.judge(one.face) is None)


def _message(
    row: LedgerEntry,
    key: FrameKey,
    permit: Permit,
    seen: list[list[Face]],
    counts: Counts,
    usable: list[Track],
    stopwatch: Stopwatch,
) -> FacesMessage:
    tracks = tuple(_largest(track, MAX_SENT_FACES // min(len(usable), MAX_FACES)) for track in usable[:MAX_FACES])
    sent = {id(one.face) for track in tracks for one in track}
    others = (FrameBox(n, face.box) for n, faces in enumerate(seen) for face in faces if id(face) not in sent)
    return FacesMessage(
        frame_key=row.key,
        camera=key.camera,
        captured_at=key.captured_at,
        deployment_id=permit.deployment_id,
        digest=permit.digest,
        pipeline=permit.pipeline,
        correlation_id=correlation_id(row.key),
        received_at=row.received_at,
        frame_age_limit_s=permit.frame_age_limit_s,
        frames=len(seen),
        tracks=tracks,
        bystanders=tuple(sorted(others, key=lambda one: -one.box.area)[:MAX_BYSTANDERS]),
        detected=counts.detected,
        refused=counts.refused,
        not_searched=len(usable) - len(tracks),
        stages=stopwatch.laps,
    )


def _largest(track: Track, most: int) -> Track:
    """The largest faces of a track, as many as may be sent, in the order of their frames."""
    kept = sorted(track, key=lambda one: -one.face.box.area)[:most]
    return tuple(sorted(kept, key=lambda one: one.frame))


def _gone(
    row: LedgerEntry,
    now: datetime,
    captured_at: datetime,
    stopwatch: Stopwatch,
    frames: FrameStore,
    ledger: Ledger,
    abandon_after_s: int,
) -> LedgerEntry:
    """The object is gone and nobody has said why. Match deletes a frame just before it writes the outcome, so a
    duplicate event may see this for a moment: wait for the outcome, and only then call it orphaned."""
    if now - captured_at <= timedelta(seconds=abandon_after_s):
        raise TransientFault(f"the frame {shown(row.key)} is gone and its outcome is not written yet")
    return _finish(row, Outcome.ORPHANED, None, now, stopwatch, frames, ledger)


def _finish(
    row: LedgerEntry,
    outcome: Outcome,
    refused: Refused | None,
    now: datetime,
    stopwatch: Stopwatch,
    frames: FrameStore,
    ledger: Ledger,
) -> LedgerEntry:
    """Set the one final outcome; only who sets it deletes the frame (rule 3)."""
    final = replace(
        row,
        outcome=outcome,
        reason=refused.reason if refused else row.reason,
        detail=refused.detail if refused else row.detail,
        finished_at=now,
        stages=stopwatch.laps,
    )
    if ledger.finish(final):
        frames.delete(row.key)
        return final
    return ledger.get(row.key) or final
