"""What stages ask for: the Protocols that the wings (vision, store, cloud) fulfil and that fakes fulfil in unit tests.

Each port has one contract test class (tests/contract) that runs against the real thing and, where there is one, the
fake. Times are UTC-aware. A method that returns `Refused` refuses; faults are raised (errors.py).

What they speak of is imported for the type checker alone: every function imports ports, and few need all the words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from proviso.domain.audit import Act, Head
    from proviso.domain.camera import RegisteredCamera, UploadGrant
    from proviso.domain.candidate import Candidate, Hit, OpenCandidate
    from proviso.domain.face import Box, Face, QualityGate, Template
    from proviso.domain.frame import Counts, EvidencePicture, Image, Jpeg, LedgerEntry
    from proviso.domain.messages import FacesMessage
    from proviso.domain.notice import Kind, Notice, NoticeTexts
    from proviso.domain.permit import CheckedPermit, Permit
    from proviso.domain.reasons import Refused
    from proviso.domain.retention import Erasure

Clock = Callable[[], datetime]


class Pipeline(Protocol):
    """The vision wing of one pack: pixels in, faces and templates out. Heavy parts load at first use."""

    @property
    def digest(self) -> str:
        """SHA-256 over all that moves similarities."""

    @property
    def dimension(self) -> int: ...

    @property
    def search_gate(self) -> QualityGate: ...

    @property
    def enrolment_gate(self) -> QualityGate: ...

    def decode(self, jpeg: Jpeg) -> Image | Refused:
        """Decode; EMPTY, WRONG_TYPE, TOO_MANY_BYTES, TOO_MANY_PIXELS, TRUNCATED or NOT_AN_IMAGE when it is none.
        The header is read before any pixel is, so that a small file cannot claim a huge picture."""

    def split(self, burst: Jpeg, most: int) -> list[Jpeg] | Refused:
        """The frames of a burst, two or more and at most `most`; no pixel is decoded. TOO_MANY_FRAMES, NOT_A_BURST or
        TRUNCATED when it is none, or a reason of `decode` for a frame whose header already tells."""

    def detect(self, image: Image) -> list[Face]:
        """All faces with quality, largest first, in pixels of the full frame."""

    def templates(self, image: Image, faces: Sequence[Face]) -> list[Template]:
        """One template a face, in their order, cropped and aligned from the full frame."""

    def alike(self, templates: Sequence[Template]) -> list[list[int]]:
        """Which of a track's templates may be fused: groups of their indices, each index in one. Within a group every
        two are as similar as one person's are within a second; so two people are never in one group."""

    def fuse(self, templates: Sequence[Template]) -> Template:
        """One template for several of one person: the normalised mean of the normalised. PipelineMismatch when they are
        of another pipeline than this one; ValueError when there is none, or when they cancel each other out."""

    def evidence(self, image: Image, candidate: Face, others: Sequence[Box]) -> EvidencePicture:
        """The picture a reviewer sees, made by inclusion (S15): only the candidate's box with margin keeps its pixels,
        `others` in it are filled flat, all else is reduced below recognition, metadata stripped."""


# --- cloud: AWS only -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame as a listing shows it."""

    key: str
    stored_at: datetime
    size: int


class FrameStore(Protocol):
    """The frames bucket. 404 is "gone" (None); 403 and everything else is StorageFault, never "gone" (rule 8)."""

    def get(self, key: str) -> Jpeg | Refused | None:
        """The frame, None when gone, or TOO_MANY_BYTES without having read it."""

    def delete(self, key: str) -> None:
        """Delete; deleting what is gone is no fault."""

    def stored_before(self, moment: datetime) -> Iterator[StoredFrame]:
        """Every frame stored before this moment."""


class PermitStore(Protocol):
    """permits/<camera>.json. Written by govern, read by detect and alert."""

    def read(self, camera: str) -> Permit | None:
        """None when there is none; PermitUnreadable when there is one that says nothing; StorageFault otherwise."""

    def write(self, permit: Permit) -> None: ...

    def delete(self, camera: str) -> None: ...

    def cameras(self) -> list[str]:
        """Every camera that has a permit object, readable or not: what a stop must delete."""


class CameraRegistry(Protocol):
    """One item a camera: the digest of its key (S35). Written by govern, read by grant."""

    def put(self, registered: RegisteredCamera) -> None:
        """Register a camera, or replace its key."""

    def remove(self, camera: str) -> bool:
        """Take its key away. False when there is no such camera."""

    def key_digest(self, camera: str) -> str | None:
        """The digest of the key that works now; None for an unknown camera."""

    def cameras(self) -> list[RegisteredCamera]:
        """Everything in it, by name."""


class UploadGrants(Protocol):
    """Signs upload rights to the frames bucket (S35)."""

    def sign(self, camera: str, now: datetime, expires_at: datetime, burst_frames: int) -> UploadGrant:
        """A form for uploads under `<camera>/` that S3 takes until `expires_at` (whole seconds), with a JPEG's type and
        1 to MAX_FRAME_BYTES bytes; and where `burst_frames` is above 1, a second one of a burst's type."""


class DueStore(Protocol):
    """due/<deployment>.json: when retain has something to do next, so that sweep need not wake the database."""

    def put(self, deployment_id: str, due_at: datetime) -> None: ...

    def due(self, now: datetime) -> list[str]:
        """Deployments whose time has come. An unreadable object is due."""

    def delete(self, deployment_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class StopRecord:
    """A stop as spooled when the database was away: to be carried out and audited as soon as it is back."""

    id: str
    at: datetime
    actor: str
    deployment_id: str | None  # None: all


class StopSpool(Protocol):
    """stops/<id>.json (rule 9)."""

    def put(self, record: StopRecord) -> None: ...

    def waiting(self) -> list[StopRecord]: ...

    def delete(self, record_id: str) -> None: ...


class PictureStore(Protocol):
    """A bucket of pictures: evidence, or enrolment pictures."""

    def put(self, key: str, jpeg: Jpeg) -> None: ...

    def get(self, key: str) -> Jpeg | None: ...

    def delete(self, key: str) -> None: ...

    def keys(self, prefix: str, stored_before: datetime | None = None) -> list[str]:
        """The keys under a prefix, or of these those stored before a moment."""


class Outbox(Protocol):
    """The outbox bucket: notices out, receipts back (rule 6)."""

    def put(self, notice: Notice) -> None:
        """Put under the notice's deterministic key; putting it again changes nothing."""

    def get(self, key: str) -> Notice | None:
        """None when gone; ValueError when it is not a notice."""

    def has(self, candidate_id: str, kind: Kind) -> bool: ...

    def put_receipt(self, candidate_id: str, kind: Kind, outcome: str, at: datetime) -> None: ...

    def has_receipt(self, candidate_id: str, kind: Kind) -> bool: ...

    def delete_candidate(self, candidate_id: str) -> None: ...
    def count_candidate(self, candidate_id: str) -> int: ...
    def delete_members(self, deployment_id: str) -> None:
        """Delete the list of those who were told of a deployment's notices."""

    def count_all(self) -> dict[str, int]:
        """How many notices and receipts there are of each candidate that has any."""


class Ledger(Protocol):
    """One row a frame (rule 3)."""

    def received(self, key: str, camera: str | None, at: datetime) -> LedgerEntry:
        """Write RECEIVED if there is no row; return the row as it stands."""

    def finish(self, entry: LedgerEntry) -> bool:
        """Set a final outcome if none is set. True for the one caller that set it: only that one deletes the frame."""

    def get(self, key: str) -> LedgerEntry | None: ...

    def not_searched(self, hour: str) -> Iterator[LedgerEntry]:
        """Final rows of frames that were not searched, by the UTC hour in which they ended (like 2026-11-22T20). Of a
        row: key, camera, outcome, reason and times. An hour's rows are complete some minutes after its end."""

    def entries(self) -> list[LedgerEntry]:
        """All rows (a scan: for the demo and for people, not for functions)."""


class NoticeClaim(StrEnum):
    """What alert may do with a notice, decided by one conditional update."""

    MINE = "mine"  # send it now
    SENT = "sent"  # a duplicate: already done
    BUSY = "busy"  # another call claimed it moments ago: come back later
    SUPERSEDED = "superseded"  # a higher revision came first: drop it
    NOT_TRIED = "not_tried"  # a withdrawal of something that never went out


class NoticeLedger(Protocol):
    """One DynamoDB item a candidate, moved by conditional update (rule 6)."""

    def claim(self, notice: Notice, now: datetime, lease_s: int) -> NoticeClaim: ...

    def settle(self, notice: Notice, outcome: str, now: datetime) -> None:
        """Record what became of the claimed notice: sent, stale or withheld."""

    def has(self, candidate_id: str) -> bool: ...

    def delete(self, candidate_id: str) -> None:
        """Delete the candidate's item; deleting what is gone is no fault. Its notices must be gone before."""


class FacesQueue(Protocol):
    def send(self, message: FacesMessage) -> None: ...


class Publisher(Protocol):
    """SNS. alert alone has one."""

    def publish(self, audience: str, notice: Notice, texts: NoticeTexts, to: Sequence[str]) -> None:
        """audience: 'reviewers' or 'recipients'; `to`: accounts. StorageFault when SNS does not take it."""


class Anchors(Protocol):
    """The anchors bucket: what nobody can overwrite while its lock lasts (S29, S23)."""

    def put(self, heads: Sequence[Head], at: datetime) -> str:
        """Write these heads as anchored at this time, under a key of their own, which is given back. Nothing that is
        there is overwritten; putting the same again changes nothing."""

    def heads(self) -> Iterator[Head]:
        """Every head that was ever anchored, oldest first. StorageFault when an object cannot be understood."""

    def latest(self) -> list[Head]:
        """The heads of the last object only; empty when nothing was anchored yet. StorageFault as above."""

    def put_erasure(self, erasure: Erasure) -> None:
        """Write that something was erased; putting it again changes nothing, not even its time."""

    def erasures(self) -> Iterator[Erasure]:
        """Every erasure there ever was. StorageFault when one cannot be understood."""

    def erased_names(self) -> set[tuple[str, str]]:
        """(kind, id) of every erasure, from the objects' names alone. StorageFault when a name says nothing."""


class Waker(Protocol):
    """How sweep wakes retain."""

    def wake(self, reason: str) -> None: ...


# --- store: PostgreSQL only ------------------------------------------------------------------------------------------


class SearchWork(Protocol):
    """One transaction of match. Nothing is kept unless the block ends without an exception."""

    def was_searched(self, frame_key: str) -> bool:
        """Is there a committed row for this frame? Then only what follows the commit is left to do (rule 5)."""

    def gate(
        self,
        *,
        deployment_id: str,
        digest: str,
        camera: str,
        captured_at: datetime,
        now: datetime,
        pipeline: str,
        software_build: str,
    ) -> CheckedPermit | Refused:
        """Lock the deployment FOR SHARE and check all of rule 2. This is the permit; S01, S03, S04, S36 end here."""

    def search(self, permit: CheckedPermit, probes: Sequence[Template]) -> list[list[Hit]]:
        """One exact scan for all probes over unexpired, not removed references of the permit's build and pipeline;
        per probe the entries at or above the threshold (best reference an entry), most similar first.
        PipelineMismatch when a probe is of another pipeline."""

    def lock_entries(self, permit: CheckedPermit, entry_ids: Sequence[str]) -> dict[str, OpenCandidate]:
        """Advisory locks in sorted order; the latest suppressing candidate of each entry, if any (rule 7)."""

    def open(self, candidate: Candidate, runners_up: Sequence[Hit]) -> None:
        """Insert a raised candidate and its first sighting."""

    def join(self, open_candidate_id: str, frame_key: str, captured_at: datetime, similarity: float) -> None:
        """Add a sighting to an open candidate; its evidence stays as it was when first opened."""

    def record_searched(
        self, *, frame_key: str, permit: CheckedPermit, captured_at: datetime, now: datetime, counts: Counts
    ) -> None:
        """The searched frame's row: exact counts, no biometrics."""

    def audit(self, act: Act) -> None:
        """Append to the chain; last in the transaction, its head locked until the commit. AuditUnwritable."""


class SearchStore(Protocol):
    def connect(self, within_s: float) -> None:
        """Open the connection (waking the database) within so many seconds, if there is none. DatabaseAway."""

    def work(self) -> AbstractContextManager[SearchWork]: ...

    def candidates_of_frame(self, frame_key: str) -> list[tuple[Candidate, str]]:
        """Candidates opened by this frame with their message prefix: for resuming after the commit."""

    def counts_of_frame(self, frame_key: str) -> Counts:
        """The counts as they were committed with its search; zeros when there was none."""


class AnchorWork(Protocol):
    """Part of a transaction: the audit's heads, and the note of what was anchored of them."""

    def heads(self, chains: Sequence[str] | None = None) -> list[Head]:
        """The heads of these chains, or of all, as committed by now; by chain. One without a record has none."""

    def anchored(self) -> list[Head]:
        """What was last anchored of each chain, and when."""

    def mark_anchored(self, heads: Sequence[Head], at: datetime) -> None:
        """Remember that these heads are anchored. An older one never takes the place of a newer one."""
