"""Contracts of what retention asks of the cloud (S23): a look into the queues and how it is handed on, notices that are
forgotten, an outbox that is counted, erasures by their names. Each against the fake and against moto."""

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from proviso.cloud.anchors import S3Anchors
from proviso.cloud.notices import DynamoNotices
from proviso.cloud.outbox import S3Outbox
from proviso.cloud.permits import S3Due, S3QueueLook
from proviso.cloud.queues import SqsGauge
from proviso.domain.errors import StorageFault
from proviso.domain.notice import Kind
from proviso.domain.ports import NoticeClaim
from proviso.domain.retention import QUEUES, Erasure, QueuesSeen
from tests.contract.conftest import Cloud, failing
from tests.contract.samples import CANDIDATE, NOW, notice
from tests.fakes.cloud import FakeAnchors, FakeNotices, FakeOutbox, FakeQueueGauge, FakeQueueLook

BOTH = pytest.mark.parametrize("kind", ["fake", "aws"])
SEEN = QueuesSeen(NOW, tuple(sorted((name, number) for number, name in enumerate(QUEUES))))
_numbers = itertools.count(1)


class TestQueueGauge:
    def test_the_fake_counts_every_queue(self) -> None:
        fake = FakeQueueGauge()
        fake.holds = {"faces": 2}
        assert fake.counts() == {**dict.fromkeys(QUEUES, 0), "faces": 2}

    def test_counts_what_is_visible_in_flight_and_delayed(self, cloud: Cloud) -> None:
        client, urls = cloud.client("sqs"), {name: cloud.queue() for name in QUEUES}
        for delay in (0, 0, 60):
            client.send_message(QueueUrl=urls["faces"], MessageBody="x", DelaySeconds=delay)
        client.receive_message(QueueUrl=urls["faces"], MaxNumberOfMessages=1, VisibilityTimeout=60)
        assert SqsGauge(client, urls).counts() == {**dict.fromkeys(QUEUES, 0), "faces": 3}
        client.send_message(QueueUrl=urls["dead frames"], MessageBody="x")
        assert SqsGauge(client, urls).counts()["dead frames"] == 1

    def test_an_answer_without_a_count_is_a_fault(self, cloud: Cloud) -> None:
        client = cloud.client("sqs")
        with Stubber(client) as stub:
            stub.add_response("get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": "0"}})
            with pytest.raises(StorageFault, match="no count"):
                SqsGauge(client, {"faces": "https://sqs.eu-west-2.amazonaws.com/1/faces"}).counts()

    def test_a_queue_that_denies_is_a_fault(self) -> None:
        gauge = SqsGauge(failing("sqs", "AccessDenied", 403), {"faces": "https://sqs.eu-west-2.amazonaws.com/1/faces"})
        with pytest.raises(StorageFault, match="sqs:GetQueueAttributes"):
            gauge.counts()


@BOTH
class TestQueueLook:
    @pytest.fixture
    def look(self, kind: str, cloud: Cloud) -> Any:
        return FakeQueueLook() if kind == "fake" else S3QueueLook(cloud.client("s3"), cloud.bucket())

    def test_the_last_look_is_what_is_read(self, look: Any) -> None:
        assert look.last() is None
        look.put(SEEN)
        assert look.last() == SEEN
        later = QueuesSeen(NOW + timedelta(minutes=1), tuple((name, 0) for name in sorted(QUEUES)))
        look.put(later)
        assert look.last() == later


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[" * 60_000,
        b" " * 70_000,
        json.dumps({"version": 2, "at": NOW.isoformat(), "counts": {}}).encode(),
        json.dumps({"version": 1, "at": "2026-11-22T20:15:30", "counts": {}}).encode(),
        json.dumps({"version": 1, "at": NOW.isoformat(), "counts": {"faces": "0"}}).encode(),
        json.dumps({"version": 1, "at": NOW.isoformat(), "counts": {"faces": -1}}).encode(),
        json.dumps({"version": 1, "at": NOW.isoformat(), "counts": {"faces": False}}).encode(),
        json.dumps({"version": 1, "at": NOW.isoformat(), "counts": []}).encode(),
    ],
)
def test_what_cannot_be_understood_is_no_look(cloud: Cloud, body: bytes) -> None:
    bucket = cloud.bucket()
    cloud.client("s3").put_object(Bucket=bucket, Key="state/queues.json", Body=body)
    assert S3QueueLook(cloud.client("s3"), bucket).last() is None


def test_a_look_that_cannot_be_read_is_a_fault_and_no_absence() -> None:
    with pytest.raises(StorageFault):
        S3QueueLook(failing("s3", "AccessDenied", 403), "bin").last()
    with pytest.raises(StorageFault):
        S3QueueLook(failing("s3", "AccessDenied", 403), "bin").put(SEEN)


def test_the_look_is_nothing_that_is_due(cloud: Cloud) -> None:
    bucket = cloud.bucket()
    S3QueueLook(cloud.client("s3"), bucket).put(SEEN)
    assert S3Due(cloud.client("s3"), bucket).due(NOW) == []


@BOTH
class TestForgettingNotices:
    @pytest.fixture
    def notices(self, kind: str, cloud: Cloud) -> Any:
        return FakeNotices() if kind == "fake" else DynamoNotices(cloud.client("dynamodb"), cloud.notices_table())

    def test_an_item_is_known_until_it_is_deleted(self, notices: Any) -> None:
        candidate = f"candidate-{next(_numbers)}"
        assert not notices.has(candidate)
        notices.claim(notice(Kind.RAISED, candidate), NOW, 60)
        notices.claim(notice(Kind.RAISED, "other"), NOW, 60)
        assert notices.has(candidate)
        notices.delete(candidate)
        notices.delete(candidate)
        assert not notices.has(candidate)
        assert notices.has("other")

    def test_what_is_forgotten_can_be_claimed_anew(self, notices: Any) -> None:
        """Hence its notices go first: without a notice nobody claims."""
        raised = notice(Kind.RAISED, f"candidate-{next(_numbers)}")
        notices.claim(raised, NOW, 60)
        notices.settle(raised, "sent", NOW)
        notices.delete(raised.candidate_id)
        assert notices.claim(raised, NOW, 60) is NoticeClaim.MINE


@pytest.mark.parametrize("call", [lambda port: port.has(CANDIDATE), lambda port: port.delete(CANDIDATE)])
def test_a_table_that_denies_is_a_fault(call: Callable[[Any], Any]) -> None:
    with pytest.raises(StorageFault, match=r"dynamodb:.* bin.*AccessDenied"):
        call(DynamoNotices(failing("dynamodb", "AccessDeniedException", 400), "bin"))


@BOTH
class TestCountingTheOutbox:
    @pytest.fixture
    def outbox(self, kind: str, cloud: Cloud) -> Any:
        return FakeOutbox() if kind == "fake" else S3Outbox(cloud.client("s3"), cloud.bucket(), page=2)

    def test_counts_notices_and_receipts_by_candidate(self, outbox: Any) -> None:
        assert outbox.count_all() == {}
        for candidate in ("c-1", "c-2"):
            outbox.put(notice(Kind.RAISED, candidate))
        outbox.put(notice(Kind.CONFIRMED, "c-1"))
        outbox.put_receipt("c-1", Kind.RAISED, "sent", NOW)
        outbox.put_receipt("c-3", Kind.RAISED, "sent", NOW)
        assert outbox.count_all() == {"c-1": 3, "c-2": 1, "c-3": 1}
        outbox.delete_candidate("c-1")
        assert outbox.count_all() == {"c-2": 1, "c-3": 1}


@BOTH
class TestErasuresByName:
    @pytest.fixture
    def anchors(self, kind: str, cloud: Cloud) -> tuple[Any, Callable[[], Any]]:
        if kind == "fake":
            fake = FakeAnchors()
            return fake, lambda: fake.erased.__setitem__("x", None)
        bucket = cloud.bucket()
        store = S3Anchors(cloud.client("s3"), bucket, page=1)
        return store, lambda: cloud.client("s3").put_object(Bucket=bucket, Key="erasures/x.json", Body=b"{}")

    def test_kind_and_id_are_in_the_name(self, anchors: tuple[Any, Any]) -> None:
        store, _ = anchors
        assert store.erased_names() == set()
        store.put_erasure(Erasure("list", "0d2f7c1a-6a3e-4f5b-9c8d-7e6f5a4b3c2d", NOW, "d-1"))
        store.put_erasure(Erasure("entry", "entry-1", NOW))
        store.put_erasure(Erasure("candidate_evidence", "c-1", NOW))
        assert store.erased_names() == {
            ("list", "0d2f7c1a-6a3e-4f5b-9c8d-7e6f5a4b3c2d"),
            ("entry", "entry-1"),
            ("candidate_evidence", "c-1"),
        }

    def test_a_name_that_says_nothing_is_a_fault(self, anchors: tuple[Any, Any]) -> None:
        store, spoil = anchors
        spoil()
        with pytest.raises(StorageFault):
            store.erased_names()
