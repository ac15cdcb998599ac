"""The cloud ports in memory: for the stages' unit tests, which need no socket.

Each fake keeps its content in a plain attribute that a test may read and set. `faults["delete"] = StorageFault("x")`
makes that method raise ("*" all of them) until removed. Fakes that are given one `journal` write a line into it for
each change ("<port>.<method> <what>"), so that a test can hold the order of effects.
"""

import dataclasses
import hashlib
import itertools
import json
import re
import secrets
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from proviso.domain.audit import Head
from proviso.domain.camera import BURST_TYPE, FRAME_TYPE, RegisteredCamera, UploadGrant
from proviso.domain.canonical import canonical_bytes
from proviso.domain.contacts import Address, Channel, Contact, Members, Reach
from proviso.domain.errors import PermitUnreadable, StorageFault
from proviso.domain.frame import MAX_FRAME_BYTES, Counts, Jpeg, LedgerEntry, Outcome
from proviso.domain.messages import FacesMessage
from proviso.domain.notice import Kind, Notice, NoticeTexts, notice_key, receipt_key
from proviso.domain.permit import Permit
from proviso.domain.ports import Clock, NoticeClaim, StopRecord, StoredFrame
from proviso.domain.reasons import Reason, Refused
from proviso.domain.retention import QUEUES, Erasure, QueuesSeen
from proviso.domain.subjects import Sealed

DENIED = StorageFault("denied for the test")
NEVER = ("stale", "withheld", "nobody")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Fake:
    """What all fakes share: faults to order, and a journal of changes."""

    port = "fake"

    def __init__(self, journal: list[str] | None = None) -> None:
        self.faults: dict[str, Exception] = {}
        self.journal = journal if journal is not None else []

    def _read(self, method: str) -> None:
        if fault := self.faults.get(method, self.faults.get("*")):
            raise fault

    def _change(self, method: str, what: str) -> None:
        self._read(method)
        self.journal.append(f"{self.port}.{method} {what}")


class FakeFrames(Fake):
    """FrameStore. `objects`: key to (data, stored at)."""

    port = "frames"

    def __init__(self, journal: list[str] | None = None, clock: Clock = utc_now) -> None:
        super().__init__(journal)
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self._clock = clock

    def upload(self, key: str, data: bytes, stored_at: datetime | None = None) -> None:
        """What a camera does; not part of the port."""
        self.objects[key] = (data, stored_at or self._clock())

    def get(self, key: str) -> Jpeg | Refused | None:
        self._read("get")
        if key not in self.objects:
            return None
        data = self.objects[key][0]
        return Jpeg(data) if len(data) <= MAX_FRAME_BYTES else Refused(Reason.TOO_MANY_BYTES, f"{len(data)} bytes")

    def delete(self, key: str) -> None:
        self._change("delete", key)
        self.objects.pop(key, None)

    def stored_before(self, moment: datetime) -> Iterator[StoredFrame]:
        self._read("stored_before")
        for key, (data, stored_at) in sorted(self.objects.items()):
            if stored_at < moment:
                yield StoredFrame(key, stored_at, len(data))


class FakePermits(Fake):
    """PermitStore. `objects`: camera to permit, None standing for an object that says nothing."""

    port = "permits"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.objects: dict[str, Permit | None] = {}
        self.reads = 0

    def read(self, camera: str) -> Permit | None:
        self._read("read")
        self.reads += 1
        if camera not in self.objects:
            return None
        permit = self.objects[camera]
        if permit is None or permit.camera != camera:
            raise PermitUnreadable(f"the permit of camera {camera} cannot be read")
        return permit

    def write(self, permit: Permit) -> None:
        self._change("write", permit.camera)
        self.objects[permit.camera] = permit

    def delete(self, camera: str) -> None:
        self._change("delete", camera)
        self.objects.pop(camera, None)

    def cameras(self) -> list[str]:
        self._read("cameras")
        return sorted(self.objects)


class FakeChanges(Fake):
    """Changes. `marks` counts what was told; `moments` are when the token changes by itself."""

    port = "changes"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.marks = 0
        self.moments: list[datetime] = []

    def mark(self) -> None:
        self._change("mark", "candidates")
        self.marks += 1

    def again_at(self, moments: Sequence[datetime], now: datetime) -> None:
        self._change("again_at", "tests")
        self.moments = sorted({*self.moments, *moments})

    def token(self, now: datetime) -> str:
        self._read("token")
        return f"{self.marks}/{sum(moment <= now for moment in self.moments)}"


class FakeCameras(Fake):
    """CameraRegistry. `items`: camera to what is registered."""

    port = "cameras"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.items: dict[str, RegisteredCamera] = {}

    def put(self, registered: RegisteredCamera) -> None:
        self._change("put", registered.camera)
        self.items[registered.camera] = registered

    def remove(self, camera: str) -> bool:
        self._change("remove", camera)
        return self.items.pop(camera, None) is not None

    def key_digest(self, camera: str) -> str | None:
        self._read("key_digest")
        found = self.items.get(camera)
        return found.key_digest if found else None

    def cameras(self) -> list[RegisteredCamera]:
        self._read("cameras")
        return [self.items[name] for name in sorted(self.items)]


class FakeGrants(Fake):
    """UploadGrants. `signed`: (camera, now, until, frames an upload) in order."""

    port = "grants"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.signed: list[tuple[str, datetime, datetime, int]] = []

    def sign(self, camera: str, now: datetime, expires_at: datetime, burst_frames: int) -> UploadGrant:
        self._change("sign", camera)
        self.signed.append((camera, now, expires_at, burst_frames))
        fields = {"Content-Type": FRAME_TYPE, "policy": "policy", "x-amz-signature": "signature"}
        burst = {**fields, "Content-Type": BURST_TYPE} if burst_frames > 1 else None
        return UploadGrant("https://frames", fields, f"{camera}/", expires_at, burst_frames, burst)


class FakeDue(Fake):
    """DueStore. `objects`: deployment to when, None standing for an unreadable object."""

    port = "due"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.objects: dict[str, datetime | None] = {}

    def put(self, deployment_id: str, due_at: datetime) -> None:
        self._change("put", deployment_id)
        self.objects[deployment_id] = due_at

    def due(self, now: datetime) -> list[str]:
        self._read("due")
        return sorted(name for name, due_at in self.objects.items() if due_at is None or due_at <= now)

    def delete(self, deployment_id: str) -> None:
        self._change("delete", deployment_id)
        self.objects.pop(deployment_id, None)


class FakeStops(Fake):
    """StopSpool. `objects`: id to record, None standing for an unreadable one."""

    port = "stops"

    def __init__(self, journal: list[str] | None = None, clock: Clock = utc_now) -> None:
        super().__init__(journal)
        self.objects: dict[str, StopRecord | None] = {}
        self._clock = clock

    def put(self, record: StopRecord) -> None:
        self._change("put", record.id)
        self.objects[record.id] = record

    def waiting(self) -> list[StopRecord]:
        self._read("waiting")
        unread = {name: StopRecord(name, self._clock(), "unreadable", None) for name in self.objects}
        return sorted(
            (record or unread[name] for name, record in self.objects.items()), key=lambda found: (found.at, found.id)
        )

    def delete(self, record_id: str) -> None:
        self._change("delete", record_id)
        self.objects.pop(record_id, None)


class FakePictures(Fake):
    """PictureStore. `objects`: key to JPEG bytes; `stored_at`: key to when, where that is of interest."""

    def __init__(self, journal: list[str] | None = None, port: str = "pictures", clock: Clock = utc_now) -> None:
        super().__init__(journal)
        self.port = port
        self.objects: dict[str, bytes] = {}
        self.stored_at: dict[str, datetime] = {}
        self._clock = clock

    def put(self, key: str, jpeg: Jpeg) -> None:
        self._change("put", key)
        self.objects[key] = jpeg.data
        self.stored_at[key] = self._clock()

    def get(self, key: str) -> Jpeg | None:
        self._read("get")
        return Jpeg(self.objects[key]) if key in self.objects else None

    def delete(self, key: str) -> None:
        self._change("delete", key)
        self.objects.pop(key, None)

    def keys(self, prefix: str, stored_before: datetime | None = None) -> list[str]:
        self._read("keys")
        return sorted(
            key
            for key in self.objects
            if key.startswith(prefix)
            and (stored_before is None or self.stored_at.get(key, self._clock()) < stored_before)
        )


class FakeOutbox(Fake):
    """Outbox. `objects`: key to body (notices) or to outcome (receipts); the members are another fake's."""

    port = "outbox"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.objects: dict[str, str] = {}
        self.members_deleted: list[str] = []

    @property
    def notices(self) -> list[Notice]:
        """What was put, in key order; not part of the port."""
        found = sorted((key, body) for key, body in self.objects.items() if key.startswith("notices/"))
        return [Notice.from_json(key, body) for key, body in found]

    def put(self, notice: Notice) -> None:
        self._change("put", notice.key)
        self.objects.setdefault(notice.key, notice.to_json())

    def get(self, key: str) -> Notice | None:
        self._read("get")
        return Notice.from_json(key, self.objects[key]) if key in self.objects else None

    def has(self, candidate_id: str, kind: Kind) -> bool:
        self._read("has")
        return notice_key(candidate_id, kind) in self.objects

    def put_receipt(self, candidate_id: str, kind: Kind, outcome: str, at: datetime) -> None:
        self._change("put_receipt", f"{receipt_key(candidate_id, kind)} {outcome}")
        self.objects.setdefault(receipt_key(candidate_id, kind), outcome)

    def has_receipt(self, candidate_id: str, kind: Kind) -> bool:
        self._read("has_receipt")
        return receipt_key(candidate_id, kind) in self.objects

    def delete_candidate(self, candidate_id: str) -> None:
        self._change("delete_candidate", candidate_id)
        for key in self._keys(candidate_id):
            del self.objects[key]

    def count_candidate(self, candidate_id: str) -> int:
        self._read("count_candidate")
        return len(self._keys(candidate_id))

    def delete_members(self, deployment_id: str) -> None:
        self._change("delete_members", deployment_id)
        self.members_deleted.append(deployment_id)

    def count_all(self) -> dict[str, int]:
        self._read("count_all")
        return dict(Counter(key.split("/")[1] for key in self.objects))

    def _keys(self, candidate_id: str) -> list[str]:
        return [key for key in self.objects if key.split("/")[1] == candidate_id]


class FakeLedger(Fake):
    """Ledger. `rows`: key to entry."""

    port = "ledger"

    def __init__(self, journal: list[str] | None = None, clock: Clock = utc_now) -> None:
        super().__init__(journal)
        self.rows: dict[str, LedgerEntry] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def received(self, key: str, camera: str | None, at: datetime) -> LedgerEntry:
        self._change("received", key)
        return self.rows.setdefault(key, LedgerEntry(key=key, outcome=Outcome.RECEIVED, received_at=at, camera=camera))

    def finish(self, entry: LedgerEntry) -> bool:
        if entry.outcome is Outcome.RECEIVED:
            raise ValueError("received is not a final outcome")
        self._change("finish", f"{entry.key} {entry.outcome.value}")
        new = dataclasses.replace(entry, finished_at=entry.finished_at or self._clock())
        with self._lock:
            row = self.rows.get(entry.key)
            if row is not None and row.outcome is not Outcome.RECEIVED:
                return False
            if row is not None:
                new = dataclasses.replace(new, received_at=row.received_at, camera=row.camera or entry.camera)
            self.rows[entry.key] = new
        return True

    def get(self, key: str) -> LedgerEntry | None:
        self._read("get")
        return self.rows.get(key)

    def not_searched(self, hour: str) -> Iterator[LedgerEntry]:
        self._read("not_searched")
        for row in self.entries():
            ended = row.outcome not in (Outcome.RECEIVED, Outcome.SEARCHED) and row.finished_at is not None
            if ended and row.finished_at.astimezone(UTC).strftime("%Y-%m-%dT%H") == hour:
                yield dataclasses.replace(row, detail="", counts=Counts(), stages=(), deployment_id=None)

    def entries(self) -> list[LedgerEntry]:
        self._read("entries")
        return sorted(self.rows.values(), key=lambda row: (row.received_at, row.key))


class FakeNotices(Fake):
    """AlertLedger. `items`: candidate to its item."""

    port = "notices"

    @dataclasses.dataclass
    class Item:
        revision: int
        settled: bool
        claimed_at: datetime
        outcomes: dict[Kind, str]
        told: dict[Kind, frozenset[str]] = dataclasses.field(default_factory=dict)

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.items: dict[str, FakeNotices.Item] = {}

    def claim(self, notice: Notice, now: datetime, lease_s: int) -> NoticeClaim:
        self._change("claim", notice.key)
        item = self.items.get(notice.candidate_id)
        if item is not None and item.revision > notice.revision:
            return NoticeClaim.SUPERSEDED
        held = item is not None and not item.settled and now - item.claimed_at <= timedelta(seconds=lease_s)
        if item is not None and item.revision == notice.revision:
            if held:
                return NoticeClaim.BUSY
            if item.settled:
                never = item.outcomes.get(notice.kind) == "not_tried"
                return NoticeClaim.NOT_TRIED if never else NoticeClaim.SENT
        elif notice.kind is Kind.WITHDRAWN:
            confirmed = item is not None and item.revision == 2
            if confirmed and held:
                return NoticeClaim.BUSY
            never = item is None or not confirmed
            if never or (item is not None and item.settled and item.outcomes[Kind.CONFIRMED] in NEVER):
                outcomes = (item.outcomes if item else {}) | {Kind.WITHDRAWN: "not_tried"}
                self.items[notice.candidate_id] = FakeNotices.Item(3, True, now, outcomes, item.told if item else {})
                return NoticeClaim.NOT_TRIED
        outcomes = item.outcomes if item else {}
        told = item.told if item else {}
        self.items[notice.candidate_id] = FakeNotices.Item(notice.revision, False, now, outcomes, told)
        return NoticeClaim.MINE

    def settle(self, notice: Notice, outcome: str, now: datetime) -> None:
        self._change("settle", f"{notice.key} {outcome}")
        item = self.items.setdefault(notice.candidate_id, FakeNotices.Item(notice.revision, True, now, {}))
        item.outcomes[notice.kind] = outcome
        if item.revision <= notice.revision:
            item.revision, item.settled = notice.revision, True

    def told(self, candidate_id: str, kind: Kind) -> frozenset[str]:
        self._read("told")
        item = self.items.get(candidate_id)
        return item.told.get(kind, frozenset()) if item else frozenset()

    def note_told(self, notice: Notice, subs: Sequence[str], now: datetime) -> None:
        self._change("note_told", f"{notice.key} {' '.join(subs)}")
        item = self.items.setdefault(notice.candidate_id, FakeNotices.Item(notice.revision, False, now, {}))
        item.told[notice.kind] = item.told.get(notice.kind, frozenset()) | set(subs)

    def has(self, candidate_id: str) -> bool:
        self._read("has")
        return candidate_id in self.items

    def delete(self, candidate_id: str) -> None:
        self._change("delete", candidate_id)
        self.items.pop(candidate_id, None)


class FakeFacesQueue(Fake):
    """FacesQueue. `sent`: messages in order. They go through their JSON, as they would."""

    port = "faces"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.sent: list[FacesMessage] = []

    def send(self, message: FacesMessage) -> None:
        self._change("send", message.frame_key)
        self.sent.append(FacesMessage.from_json(message.to_json()))


class FakePublisher(Fake):
    """Publisher. `sent`: (audience, notice, texts) in order; `to`: the accounts of each, in the same order."""

    port = "publisher"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.sent: list[tuple[str, Notice, NoticeTexts]] = []
        self.to: list[tuple[str, ...]] = []

    def publish(self, audience: str, notice: Notice, texts: NoticeTexts, to: Sequence[str]) -> None:
        self._change("publish", f"{audience} {notice.kind.value}")
        self.sent.append((audience, notice, texts))
        self.to.append(tuple(to))


class FakeContacts(Fake):
    """ContactBoard and ContactDesk. The three dictionaries by account or deployment; None for what says nothing."""

    port = "contacts"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.cards: dict[str, Contact | None] = {}
        self.named: dict[str, Members | None] = {}
        self.reaches: dict[str, Reach | None] = {}

    def put_contact(self, contact: Contact) -> None:
        self._change("put_contact", contact.sub)
        self.cards[contact.sub] = Contact.from_json(contact.sub, contact.to_json())

    def remove_contact(self, sub: str) -> None:
        self._change("remove_contact", sub)
        self.cards.pop(sub, None)

    def contact(self, sub: str) -> Contact | None:
        self._read("contact")
        if sub in self.cards and self.cards[sub] is None:
            raise ValueError("not a contact")
        return self.cards.get(sub)

    def contacts(self, subs: Sequence[str]) -> dict[str, Contact]:
        self._read("contacts")
        return {sub: found for sub in subs if (found := self.cards.get(sub)) is not None}

    def subs(self) -> list[str]:
        self._read("subs")
        return sorted(self.cards)

    def put_members(self, deployment_id: str, members: Members) -> None:
        self._change("put_members", deployment_id)
        self.named[deployment_id] = Members.from_json(members.to_json())

    def members(self, deployment_id: str) -> Members | None:
        self._read("members")
        if deployment_id in self.named and self.named[deployment_id] is None:
            raise ValueError("not a list of members")
        return self.named.get(deployment_id)

    def reach(self, sub: str) -> Reach | None:
        self._read("reach")
        return self.reaches.get(sub)

    def put_reach(self, sub: str, reach: Reach) -> None:
        self._change("put_reach", sub)
        self.reaches[sub] = Reach.from_json(reach.to_json())

    def remove_reach(self, sub: str) -> None:
        self._change("remove_reach", sub)
        self.reaches.pop(sub, None)

    def reached(self) -> list[str]:
        self._read("reached")
        return sorted(self.reaches)


class FakeSubscriptions(Fake):
    """Subscriptions, as SNS has them: `items` is (audience, channel, address) to [ARN, account of the filter, whether
    it is confirmed]. An e-mail waits until `confirm`; a telephone does not."""

    port = "subscriptions"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.items: dict[tuple[str, Channel, str], list[Any]] = {}
        self.asked: list[str] = []
        self._numbers = itertools.count(1)

    def confirm(self, address: str) -> None:
        """What a person does with the link in the mail; not part of the port."""
        for (_, _, one), item in self.items.items():
            if one == address:
                item[2] = True

    def listing(self) -> dict[tuple[str, Channel, str], str]:
        self._read("listing")
        return {key: arn if confirmed else "" for key, (arn, _, confirmed) in self.items.items()}

    def subscribe(self, audience: str, channel: Channel, address: Address, sub: str) -> str | None:
        self._change("subscribe", f"{audience} {channel.value} {sub}")
        self.asked.append(f"{audience} {channel.value} {sub}")
        key = (audience, channel, address.value.casefold())
        item = self.items.setdefault(key, [f"arn:{next(self._numbers)}", sub, channel is Channel.PHONE])
        return str(item[0]) if item[1] == sub else None

    def unsubscribe(self, arn: str) -> None:
        self._change("unsubscribe", arn)
        self.items = {key: item for key, item in self.items.items() if item[0] != arn or not item[2]}


class FakeSubjects(Fake):
    """SubjectKeys. `keys`: (list, entry) to key. What a fake key seals can be opened by nobody without that key either:
    the text is a name under which `sealed` holds the details, and is of no use once the key is gone."""

    port = "subjects"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.keys: dict[tuple[str, str], str] = {}
        self.sealed: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count(1)

    def make(self, watchlist_id: str, entry_id: str, at: datetime) -> None:
        self._change("make", entry_id)
        self.keys.setdefault((watchlist_id, entry_id), f"key {next(self._numbers)} {secrets.token_hex(8)}")

    def pseudonym(self, watchlist_id: str, entry_id: str) -> str | None:
        self._read("pseudonym")
        return self._named(watchlist_id, entry_id)

    def seal(self, watchlist_id: str, entry_id: str, details: Mapping[str, Any]) -> Sealed | None:
        self._read("seal")
        subject = self._named(watchlist_id, entry_id)
        if subject is None:
            return None
        said = canonical_bytes(dict(details)).decode()
        text = f"sealed-{next(self._numbers)}"
        self.sealed[text] = (self.keys[watchlist_id, entry_id], said)
        return Sealed(subject, text, self._hash(self.keys[watchlist_id, entry_id], said))

    def open(self, watchlist_id: str, entry_id: str, texts: Sequence[str]) -> list[dict[str, Any] | None]:
        self._read("open")
        key = self.keys.get((watchlist_id, entry_id))
        found = [self.sealed.get(text, ("", "")) for text in texts]
        return [json.loads(said) if key is not None and made_with == key else None for made_with, said in found]

    def destroy_list(self, watchlist_id: str) -> int:
        self._change("destroy_list", watchlist_id)
        gone = [key for key in self.keys if key[0] == watchlist_id]
        for key in gone:
            del self.keys[key]
        return len(gone)

    def count_list(self, watchlist_id: str) -> int:
        self._read("count_list")
        return sum(1 for key in self.keys if key[0] == watchlist_id)

    def _named(self, watchlist_id: str, entry_id: str) -> str | None:
        key = self.keys.get((watchlist_id, entry_id))
        return None if key is None else f"subject:{self._hash(key, entry_id)}"

    @staticmethod
    def _hash(key: str, what: str) -> str:
        return hashlib.sha256(f"{key}/{what}".encode()).hexdigest()[:32]


class FakeAnchors(Fake):
    """Anchors. `objects`: key to heads, `erased`: key to erasure; None stands for an object that says nothing."""

    port = "anchors"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.objects: dict[str, list[Head] | None] = {}
        self.erased: dict[str, Erasure | None] = {}

    def put(self, heads: Sequence[Head], at: datetime) -> str:
        self._change("put", " ".join(f"{head.chain}#{head.sequence}" for head in heads))
        anchored = [dataclasses.replace(head, at=at) for head in heads]
        key = f"heads/{at.astimezone(UTC).isoformat()} {sorted((h.chain, h.sequence, h.hash.hex()) for h in heads)}"
        self.objects.setdefault(key, anchored)
        return key

    def heads(self) -> Iterator[Head]:
        self._read("heads")
        for _, heads in sorted(self.objects.items()):
            if heads is None:
                raise StorageFault("an anchor cannot be understood")
            yield from heads

    def latest(self) -> list[Head]:
        self._read("latest")
        if not self.objects:
            return []
        heads = self.objects[max(self.objects)]
        if heads is None:
            raise StorageFault("an anchor cannot be understood")
        return list(heads)

    def put_erasure(self, erasure: Erasure) -> None:
        self._change("put_erasure", f"{erasure.kind} {erasure.id}")
        self.erased.setdefault(f"{erasure.kind}-{erasure.id}", erasure)

    def erasures(self) -> Iterator[Erasure]:
        self._read("erasures")
        for _, erasure in sorted(self.erased.items()):
            if erasure is None:
                raise StorageFault("an erasure cannot be understood")
            yield erasure

    def erased_names(self) -> set[tuple[str, str]]:
        self._read("erased_names")
        if None in self.erased.values():
            raise StorageFault("an erasure cannot be understood")
        return {(found.kind, found.id) for found in self.erased.values() if found is not None}


class FakeQueueGauge(Fake):
    """QueueGauge. `holds`: queue to how many messages; what is not named is empty."""

    port = "gauge"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.holds: dict[str, int] = {}

    def counts(self) -> dict[str, int]:
        self._read("counts")
        return dict.fromkeys(QUEUES, 0) | self.holds


class FakeQueueLook(Fake):
    """QueueLook. `seen`: the last look."""

    port = "look"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.seen: QueuesSeen | None = None

    def put(self, seen: QueuesSeen) -> None:
        self._change("put", "queues")
        self.seen = dataclasses.replace(seen, counts=tuple(sorted(seen.counts)))

    def last(self) -> QueuesSeen | None:
        self._read("last")
        return self.seen


class FakeWaker(Fake):
    """Waker. `reasons`: in order."""

    port = "waker"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.reasons: list[str] = []

    def wake(self, reason: str) -> None:
        self._change("wake", reason)
        self.reasons.append(reason)


class FakeRecords(Fake):
    """RecordShelf and RecordShelfReader. `objects`: key to bytes."""

    port = "records"

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__(journal)
        self.objects: dict[str, bytes] = {}

    def put_record(self, deployment_id: str, revision: int, body: bytes) -> bool:
        return self._put_once(f"records/{self._checked(deployment_id)}/{revision}.json", body)

    def put_groups(self, name: str, body: bytes) -> bool:
        return self._put_once(f"groups/{self._checked(name)}.json", body)

    def put_index(self, body: bytes) -> None:
        self._change("put_index", "index.json")
        self.objects["index.json"] = body

    def record(self, deployment_id: str, revision: int) -> bytes | None:
        self._read("record")
        return self.objects.get(f"records/{deployment_id}/{revision}.json") if self._named(deployment_id) else None

    def revisions(self, deployment_id: str) -> list[int]:
        self._read("revisions")
        prefix = f"records/{deployment_id}/"
        return sorted(
            int(key.removeprefix(prefix).removesuffix(".json")) for key in self.objects if key.startswith(prefix)
        )

    def groups(self, name: str) -> bytes | None:
        self._read("groups")
        return self.objects.get(f"groups/{name}.json") if self._named(name) else None

    def index(self) -> bytes | None:
        self._read("index")
        return self.objects.get("index.json")

    def _put_once(self, key: str, body: bytes) -> bool:
        self._change("put", key)
        return self.objects.setdefault(key, body) == body

    def _named(self, name: str) -> bool:
        return re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{0,79}", name) is not None

    def _checked(self, name: str) -> str:
        if not self._named(name):
            raise StorageFault("no name")
        return name
