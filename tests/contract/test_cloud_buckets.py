"""Contracts of the ports that are buckets: each case runs against S3 (moto) and against the fake."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from proviso.cloud.changes import S3Changes
from proviso.cloud.frames import S3Frames
from proviso.cloud.outbox import S3Outbox
from proviso.cloud.permits import S3Due, S3Permits, S3Stops
from proviso.cloud.pictures import S3Pictures
from proviso.domain.errors import PermitUnreadable
from proviso.domain.frame import MAX_FRAME_BYTES, Jpeg
from proviso.domain.notice import Kind, notice_key, receipt_key
from proviso.domain.ports import StopRecord, StoredFrame
from proviso.domain.reasons import Reason, Refused
from tests.contract.conftest import Cloud
from tests.contract.samples import CANDIDATE, DEPLOYMENT, FRAME, NOW, notice, permit
from tests.fakes.cloud import FakeChanges, FakeDue, FakeFrames, FakeOutbox, FakePermits, FakePictures, FakeStops

BOTH = pytest.mark.parametrize("kind", ["fake", "s3"])
Put = Callable[[str, bytes], Any]


def put_to(cloud: Cloud, bucket: str) -> Put:
    return lambda key, body: cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def text_of(cloud: Cloud, bucket: str, key: str) -> str:
    return str(cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())


@BOTH
class TestFrameStore:
    @pytest.fixture
    def frames(self, kind: str, cloud: Cloud) -> tuple[Any, Put]:
        if kind == "fake":
            fake = FakeFrames()
            return fake, fake.upload
        bucket = cloud.bucket()
        return S3Frames(cloud.client("s3"), bucket, page=3), put_to(cloud, bucket)

    def test_gives_what_was_uploaded_and_none_when_gone(self, frames: tuple[Any, Put]) -> None:
        store, upload = frames
        upload(FRAME, b"\xff\xd8 picture")
        found = store.get(FRAME)
        assert isinstance(found, Jpeg)
        assert found.data == b"\xff\xd8 picture"
        store.delete(FRAME)
        assert store.get(FRAME) is None

    def test_an_empty_object_is_a_frame_and_not_gone(self, frames: tuple[Any, Put]) -> None:
        store, upload = frames
        upload(FRAME, b"")
        assert len(store.get(FRAME)) == 0

    def test_deleting_what_is_gone_is_no_fault(self, frames: tuple[Any, Put]) -> None:
        store, _ = frames
        store.delete("gate-1/never there +%.jpg")

    def test_too_many_bytes_are_refused_and_the_limit_itself_is_not(self, frames: tuple[Any, Put]) -> None:
        store, upload = frames
        upload(FRAME, bytes(MAX_FRAME_BYTES))
        assert len(store.get(FRAME)) == MAX_FRAME_BYTES
        upload(FRAME, bytes(MAX_FRAME_BYTES + 1))
        found = store.get(FRAME)
        assert isinstance(found, Refused)
        assert found.reason is Reason.TOO_MANY_BYTES
        assert str(MAX_FRAME_BYTES + 1) in found.detail

    @pytest.mark.parametrize("key", ["gate 1/a+b%3A.jpg", "ä/ö.jpg", "x", "a//b.jpg"])
    def test_odd_names_are_only_names(self, frames: tuple[Any, Put], key: str) -> None:
        store, upload = frames
        upload(key, b"1")
        assert store.get(key).data == b"1"
        store.delete(key)
        assert store.get(key) is None

    def test_lists_all_frames_stored_before(self, frames: tuple[Any, Put]) -> None:
        store, upload = frames
        keys = [f"gate-1/2026-11-22/20153{number}.000Z_00000{number}.jpg" for number in range(8)]
        for key in keys:
            upload(key, b"12")
        later = datetime.now(UTC) + timedelta(seconds=5)
        found = list(store.stored_before(later))
        assert [(item.key, item.size) for item in found] == [(key, 2) for key in keys]
        assert all(isinstance(item, StoredFrame) and item.stored_at.tzinfo for item in found)
        assert list(store.stored_before(later - timedelta(minutes=1))) == []

    def test_frames_may_be_deleted_while_they_are_listed(self, frames: tuple[Any, Put]) -> None:
        store, upload = frames
        for number in range(8):
            upload(f"gate-1/{number}.jpg", b"1")
        later = datetime.now(UTC) + timedelta(seconds=5)
        for item in store.stored_before(later):
            store.delete(item.key)
        assert list(store.stored_before(later)) == []


class TestFrameStoreOnS3:
    def test_lists_more_than_one_full_page(self, cloud: Cloud) -> None:
        bucket = cloud.bucket()
        put = put_to(cloud, bucket)
        for number in range(1005):
            put(f"gate-1/{number:05d}.jpg", b"")
        later = datetime.now(UTC) + timedelta(seconds=5)
        assert len(list(S3Frames(cloud.client("s3"), bucket).stored_before(later))) == 1005
        assert len(list(S3Frames(cloud.client("s3"), bucket, page=100).stored_before(later))) == 1005

    def test_a_body_that_is_too_long_is_not_read(self, cloud: Cloud) -> None:
        class Unread:
            closed = False

            def read(self, *_: Any) -> bytes:
                raise AssertionError("the body was read")

            def close(self) -> None:
                self.closed = True

        raw, size, client = Unread(), MAX_FRAME_BYTES + 1, cloud.client("s3")
        with Stubber(client) as stub:
            stub.add_response("get_object", {"ContentLength": size, "Body": StreamingBody(raw, size)})
            found = S3Frames(client, "frames").get(FRAME)
        assert isinstance(found, Refused)
        assert found.reason is Reason.TOO_MANY_BYTES
        assert raw.closed


@BOTH
class TestPermitStore:
    @pytest.fixture
    def permits(self, kind: str, cloud: Cloud) -> tuple[Any, Callable[[str], Any]]:
        if kind == "fake":
            fake = FakePermits()
            return fake, lambda camera: fake.objects.__setitem__(camera, None)
        bucket = cloud.bucket()
        put = put_to(cloud, bucket)
        store = S3Permits(cloud.client("s3"), bucket, page=2)
        return store, lambda camera: put(f"permits/{camera}.json", b"{}")

    def test_reads_what_was_written_and_the_last_one_counts(self, permits: tuple[Any, Any]) -> None:
        store, _ = permits
        assert store.read("gate-1") is None
        store.write(permit())
        store.write(permit())
        assert store.read("gate-1") == permit()
        store.delete("gate-1")
        store.delete("gate-1")
        assert store.read("gate-1") is None

    def test_an_unreadable_permit_is_neither_a_permit_nor_gone(self, permits: tuple[Any, Any]) -> None:
        store, spoil = permits
        spoil("gate-1")
        with pytest.raises(PermitUnreadable):
            store.read("gate-1")

    def test_a_stop_sees_every_camera_with_a_permit_object(self, permits: tuple[Any, Any]) -> None:
        store, spoil = permits
        for number in range(5):
            store.write(permit(f"gate-{number}"))
        spoil("hall")
        assert sorted(store.cameras()) == ["gate-0", "gate-1", "gate-2", "gate-3", "gate-4", "hall"]
        for camera in store.cameras():
            store.delete(camera)
        assert store.cameras() == []


class TestPermitStoreOnS3:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xff\xfe",
            b"null",
            b"[]",
            b"[" * 60_000,
            b" " * 70_000,
            permit("hall").to_json().encode(),
            permit().to_json().replace("300", "Infinity").encode(),
            permit().to_json().replace('"version": 1', '"version": 2').encode(),
        ],
        ids=["empty", "bytes", "null", "list", "nested", "long", "other camera", "infinite", "version"],
    )
    def test_whatever_says_nothing_is_unreadable(self, cloud: Cloud, body: bytes) -> None:
        bucket = cloud.bucket()
        put_to(cloud, bucket)("permits/gate-1.json", body)
        with pytest.raises(PermitUnreadable):
            S3Permits(cloud.client("s3"), bucket).read("gate-1")

    def test_is_not_kept_by_caches_and_leaves_other_folders_alone(self, cloud: Cloud) -> None:
        bucket = cloud.bucket()
        store = S3Permits(cloud.client("s3"), bucket)
        store.write(permit())
        put_to(cloud, bucket)("due/gate-9.json", b"{}")
        head = cloud.client("s3").head_object(Bucket=bucket, Key="permits/gate-1.json")
        assert (head["ContentType"], head["CacheControl"]) == ("application/json", "no-store")
        assert store.cameras() == ["gate-1"]


@BOTH
class TestDueStore:
    @pytest.fixture
    def due(self, kind: str, cloud: Cloud) -> tuple[Any, Callable[[str], Any]]:
        if kind == "fake":
            fake = FakeDue()
            return fake, lambda name: fake.objects.__setitem__(name, None)
        bucket = cloud.bucket()
        put = put_to(cloud, bucket)
        return S3Due(cloud.client("s3"), bucket, page=1), lambda name: put(f"due/{name}.json", b'{"due_at": "soon"}')

    def test_tells_what_is_due_from_its_moment_on(self, due: tuple[Any, Any]) -> None:
        store, _ = due
        store.put("a", NOW)
        store.put("b", NOW + timedelta(seconds=1))
        assert store.due(NOW - timedelta(microseconds=1)) == []
        assert store.due(NOW) == ["a"]
        assert store.due(NOW + timedelta(hours=1)) == ["a", "b"]

    def test_the_last_time_put_counts(self, due: tuple[Any, Any]) -> None:
        store, _ = due
        store.put("a", NOW + timedelta(hours=1))
        store.put("a", NOW)
        assert store.due(NOW) == ["a"]
        store.delete("a")
        store.delete("a")
        assert store.due(NOW) == []

    def test_an_unreadable_object_is_due(self, due: tuple[Any, Any]) -> None:
        store, spoil = due
        spoil("a")
        assert store.due(NOW - timedelta(days=365)) == ["a"]


@BOTH
class TestStopSpool:
    @pytest.fixture
    def stops(self, kind: str, cloud: Cloud) -> tuple[Any, Callable[[str], Any]]:
        if kind == "fake":
            fake = FakeStops()
            return fake, lambda name: fake.objects.__setitem__(name, None)
        bucket = cloud.bucket()
        put = put_to(cloud, bucket)
        return S3Stops(cloud.client("s3"), bucket, page=2), lambda name: put(f"stops/{name}.json", b"{")

    def test_keeps_stops_oldest_first_until_deleted(self, stops: tuple[Any, Any]) -> None:
        store, _ = stops
        records = [StopRecord(f"{9 - n}", NOW + timedelta(seconds=n), "person-1", DEPLOYMENT) for n in range(4)]
        everything = StopRecord("all", NOW - timedelta(seconds=1), "person-2", None)
        for record in (*records, everything, records[0]):
            store.put(record)
        assert store.waiting() == [everything, *records]
        store.delete("all")
        store.delete("all")
        assert store.waiting() == records

    def test_a_stop_that_cannot_be_read_stops_all(self, stops: tuple[Any, Any]) -> None:
        store, spoil = stops
        spoil("x")
        (found,) = store.waiting()
        assert (found.id, found.deployment_id, found.actor) == ("x", None, "unreadable")
        store.delete("x")
        assert store.waiting() == []


@BOTH
class TestPictureStore:
    @pytest.fixture
    def pictures(self, kind: str, cloud: Cloud) -> Any:
        return FakePictures() if kind == "fake" else S3Pictures(cloud.client("s3"), cloud.bucket(), page=2)

    def test_put_get_delete_any_number_of_times(self, pictures: Any) -> None:
        for data in (b"1", b"22", b"22"):
            pictures.put("evidence/d/c.jpg", Jpeg(data))
        assert pictures.get("evidence/d/c.jpg").data == b"22"
        for _ in range(2):
            pictures.delete("evidence/d/c.jpg")
        assert pictures.get("evidence/d/c.jpg") is None

    def test_lists_by_prefix(self, pictures: Any) -> None:
        for name in ("a/1.jpg", "a/2.jpg", "a/3.jpg", "ab/1.jpg"):
            pictures.put(f"evidence/{name}", Jpeg(b"1"))
        assert pictures.keys("evidence/a/") == ["evidence/a/1.jpg", "evidence/a/2.jpg", "evidence/a/3.jpg"]
        assert pictures.keys("enrolment/") == []

    def test_lists_what_was_stored_before(self, pictures: Any) -> None:
        for name in ("1", "2", "3"):
            pictures.put(f"evidence/{name}.jpg", Jpeg(b"1"))
        later = datetime.now(UTC) + timedelta(seconds=5)
        assert len(pictures.keys("evidence/", stored_before=later)) == 3
        assert pictures.keys("evidence/", stored_before=later - timedelta(minutes=1)) == []


@BOTH
class TestOutbox:
    @pytest.fixture
    def outbox(self, kind: str, cloud: Cloud) -> Any:
        return FakeOutbox() if kind == "fake" else S3Outbox(cloud.client("s3"), cloud.bucket(), page=1)

    @pytest.fixture
    def spoil(self, kind: str, cloud: Cloud, outbox: Any) -> Callable[[str, str], Any]:
        if kind == "fake":
            return lambda key, body: outbox.objects.__setitem__(key, body)
        return lambda key, body: put_to(cloud, outbox._bucket)(key, body.encode())

    @pytest.fixture
    def receipt(self, kind: str, cloud: Cloud, outbox: Any) -> Callable[[Kind], str]:
        """The text of a receipt."""
        if kind == "fake":
            return lambda which: f'"{outbox.objects[receipt_key(CANDIDATE, which)]}"'
        return lambda which: text_of(cloud, outbox._bucket, receipt_key(CANDIDATE, which))

    def test_a_notice_put_again_changes_nothing(self, outbox: Any) -> None:
        outbox.put(notice())
        outbox.put(notice(place="Elsewhere"))
        assert outbox.get(notice().key) == notice()
        assert outbox.count_candidate(CANDIDATE) == 1

    def test_knows_each_kind_apart(self, outbox: Any) -> None:
        outbox.put(notice(Kind.CONFIRMED))
        has = {kind: outbox.has(CANDIDATE, kind) for kind in Kind}
        assert has == {kind: kind is Kind.CONFIRMED for kind in Kind}
        assert outbox.get(notice_key(CANDIDATE, Kind.RAISED)) is None

    def test_receipts(self, outbox: Any) -> None:
        assert not outbox.has_receipt(CANDIDATE, Kind.RAISED)
        for _ in range(2):
            outbox.put_receipt(CANDIDATE, Kind.RAISED, "sent", NOW)
        assert outbox.has_receipt(CANDIDATE, Kind.RAISED)
        assert not outbox.has(CANDIDATE, Kind.RAISED)
        assert outbox.count_candidate(CANDIDATE) == 1

    def test_the_first_receipt_stays(self, outbox: Any, receipt: Any) -> None:
        for outcome in ("sent", "duplicate"):
            outbox.put_receipt(CANDIDATE, Kind.RAISED, outcome, NOW)
        assert '"sent"' in receipt(Kind.RAISED)

    def test_deletes_all_of_one_candidate_only(self, outbox: Any) -> None:
        other = CANDIDATE[:-1] + "0"
        for kind in Kind:
            outbox.put(notice(kind))
            outbox.put_receipt(CANDIDATE, kind, "sent", NOW)
        outbox.put(notice(candidate=other))
        assert outbox.count_candidate(CANDIDATE) == 2 * len(Kind)
        for _ in range(2):
            outbox.delete_candidate(CANDIDATE)
        assert (outbox.count_candidate(CANDIDATE), outbox.count_candidate(other)) == (0, 1)

    @pytest.mark.parametrize("body", ["", "null", "[]", "{}", notice(Kind.RAISED).to_json()])
    def test_what_is_no_notice_of_this_key_is_a_value_error(self, outbox: Any, spoil: Any, body: str) -> None:
        key = notice_key(CANDIDATE, Kind.CONFIRMED)
        spoil(key, body)
        with pytest.raises(ValueError):
            outbox.get(key)


class TestOutboxOnS3:
    def test_a_second_put_sends_no_second_event(self, cloud: Cloud) -> None:
        bucket, queue = cloud.bucket(), cloud.queue()
        arn = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        cloud.client("s3").put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": arn["QueueArn"], "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        cloud.client("sqs").purge_queue(QueueUrl=queue)
        for _ in range(3):
            S3Outbox(cloud.client("s3"), bucket).put(notice())
        received = cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        assert len(received) == 1


@BOTH
class TestChanges:
    @pytest.fixture
    def changes(self, kind: str, cloud: Cloud) -> Any:
        marks = iter(range(100))
        return (
            FakeChanges() if kind == "fake" else S3Changes(cloud.client("s3"), cloud.bucket(), lambda: f"{next(marks)}")
        )

    def test_the_token_stays_until_something_changes(self, changes: Any) -> None:
        before = changes.token(NOW)
        assert changes.token(NOW + timedelta(days=1)) == before
        changes.mark()
        after = changes.token(NOW)
        assert after != before
        assert changes.token(NOW) == after
        changes.mark()
        assert changes.token(NOW) != after

    def test_it_changes_by_itself_at_a_moment_that_was_told(self, changes: Any) -> None:
        soon, later = NOW + timedelta(seconds=20), NOW + timedelta(seconds=50)
        before = changes.token(NOW)
        changes.again_at([later], NOW)
        changes.again_at([soon], NOW)
        assert changes.token(NOW) == before
        seen = [changes.token(moment) for moment in (soon - timedelta(seconds=1), soon, later)]
        assert seen[0] == before
        assert len(set(seen)) == 3


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"moments": 7}', b'{"moments": ["2026-01-01T00:00:00"]}', b"\xff"])
def test_moments_that_cannot_be_understood_are_none(cloud: Cloud, body: bytes) -> None:
    bucket = cloud.bucket()
    changes = S3Changes(cloud.client("s3"), bucket, lambda: "m")
    before = changes.token(NOW)
    put_to(cloud, bucket)("state/tests.json", body)
    assert changes.token(NOW) == before
