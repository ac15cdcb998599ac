"""Contract of the anchors bucket (S29, S23): against S3 (moto, with an object lock) and against the fake."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from proviso.cloud.anchors import S3Anchors
from proviso.domain.audit import Head
from proviso.domain.errors import StorageFault
from proviso.domain.retention import Erasure
from tests.contract.conftest import REGION, Cloud, failing
from tests.contract.samples import NOW
from tests.fakes.cloud import FakeAnchors

BOTH = pytest.mark.parametrize("kind", ["fake", "s3"])
FIRST = [Head("d-1", 3, b"\x01" * 32), Head("system", 12, b"\x02" * 32)]
SECOND = [Head("system", 14, b"\x03" * 32)]
LATER = NOW + timedelta(minutes=10)
ERASURE = Erasure("list", "list-1", NOW, "d-1")


def locked(cloud: Cloud) -> str:
    """A bucket like the template's: each object is locked for a while by default."""
    name = f"proviso-test-anchors-{len(cloud.client('s3').list_buckets()['Buckets'])}"
    cloud.client("s3").create_bucket(
        Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    cloud.client("s3").put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    return name


@BOTH
class TestAnchors:
    @pytest.fixture
    def anchors(self, kind: str, cloud: Cloud) -> tuple[Any, Callable[[str], Any]]:
        if kind == "fake":
            fake = FakeAnchors()

            def spoil(folder: str) -> None:
                (fake.objects if folder == "heads" else fake.erased).__setitem__("x", None)  # type: ignore[attr-defined]

            return fake, spoil
        bucket = locked(cloud)
        store = S3Anchors(cloud.client("s3"), bucket, page=2)
        return store, lambda folder: cloud.client("s3").put_object(Bucket=bucket, Key=f"{folder}/x.json", Body=b"{}")

    def test_gives_back_what_was_anchored_with_its_time_oldest_first(self, anchors: tuple[Any, Any]) -> None:
        store, _ = anchors
        assert list(store.heads()) == []
        store.put(SECOND, LATER)
        store.put(FIRST, NOW)
        assert list(store.heads()) == [
            *(replace(head, at=NOW) for head in FIRST),
            *(replace(head, at=LATER) for head in SECOND),
        ]

    def test_putting_the_same_again_changes_nothing_and_others_at_that_time_are_kept(
        self, anchors: tuple[Any, Any]
    ) -> None:
        store, _ = anchors
        assert store.put(FIRST, NOW) == store.put(FIRST, NOW)
        assert store.put(SECOND, NOW) != store.put(FIRST, NOW)
        assert len(list(store.heads())) == 3

    def test_the_latest_are_those_of_the_last_object(self, anchors: tuple[Any, Any]) -> None:
        store, _ = anchors
        assert store.latest() == []
        store.put(SECOND, LATER)
        store.put(FIRST, NOW)
        assert store.latest() == [replace(head, at=LATER) for head in SECOND]
        store.put(FIRST, LATER + timedelta(days=40))
        assert store.latest() == [replace(head, at=LATER + timedelta(days=40)) for head in FIRST]

    def test_what_cannot_be_understood_is_not_passed_over(self, anchors: tuple[Any, Any]) -> None:
        store, spoil = anchors
        store.put(FIRST, NOW)
        store.put_erasure(ERASURE)
        for folder, read in (("heads", store.heads), ("erasures", store.erasures)):
            spoil(folder)
            with pytest.raises(StorageFault):
                list(read())

    def test_an_erasure_is_kept_as_it_was_first_written(self, anchors: tuple[Any, Any]) -> None:
        store, _ = anchors
        entry = Erasure("entry", "entry-1", LATER)
        store.put_erasure(ERASURE)
        store.put_erasure(entry)
        store.put_erasure(replace(ERASURE, at=LATER, deployment_id=None))
        assert sorted(store.erasures(), key=lambda one: one.kind) == [entry, ERASURE]
        assert list(store.heads()) == []


def test_an_anchor_is_named_by_its_time_locked_and_never_overwritten(cloud: Cloud) -> None:
    bucket, s3 = locked(cloud), cloud.client("s3")
    store = S3Anchors(s3, bucket)
    key = store.put(FIRST, NOW)
    assert key.startswith("heads/2026-11-22/201530.250Z_")
    assert s3.get_object(Bucket=bucket, Key=key)["ObjectLockMode"] == "GOVERNANCE"
    store.put(FIRST, NOW)
    assert len(s3.list_object_versions(Bucket=bucket, Prefix="heads/")["Versions"]) == 1


def test_a_bucket_that_denies_is_a_fault(cloud: Cloud) -> None:
    store = S3Anchors(failing("s3", "AccessDenied", 403), "anchors")
    for call in (lambda: store.put(FIRST, NOW), lambda: list(store.heads()), lambda: store.put_erasure(ERASURE)):
        with pytest.raises(StorageFault):
            call()
