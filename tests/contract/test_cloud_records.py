"""Contract of the records bucket (S32): against S3 (moto) and against the fake."""

from typing import Any

import pytest

from proviso.cloud.records import S3RecordShelf
from proviso.domain.errors import StorageFault
from tests.contract.conftest import Cloud, failing
from tests.fakes.cloud import FakeRecords

BOTH = pytest.mark.parametrize("kind", ["fake", "s3"])
ODD = ["", ".", "..", "../x", "a/b", "a\x00b", "-a", "a" * 81, "é", "a\n"]


@BOTH
class TestRecordShelf:
    @pytest.fixture
    def shelf(self, kind: str, cloud: Cloud) -> Any:
        return FakeRecords() if kind == "fake" else S3RecordShelf(cloud.client("s3"), cloud.bucket())

    def test_before_anything_is_published_there_is_nothing(self, shelf: Any) -> None:
        assert (shelf.index(), shelf.record("d-1", 1), shelf.groups("g-1"), shelf.revisions("d-1")) == (
            None,
            None,
            None,
            [],
        )

    def test_what_was_put_is_read_and_stays(self, shelf: Any) -> None:
        assert shelf.put_record("d-1", 1, b"one") is True
        assert shelf.put_record("d-1", 1, b"one") is True, "the same again changes nothing"
        assert shelf.put_record("d-1", 1, b"another") is False
        assert shelf.record("d-1", 1) == b"one"
        assert shelf.put_groups("g-1", b"g") is True
        assert shelf.put_groups("g-1", b"h") is False
        assert shelf.groups("g-1") == b"g"

    def test_the_index_alone_is_made_anew(self, shelf: Any) -> None:
        shelf.put_index(b"1")
        shelf.put_index(b"2")
        assert shelf.index() == b"2"

    def test_revisions_rise_by_number_and_are_of_this_deployment(self, shelf: Any) -> None:
        for revision in (10, 2, 1):
            shelf.put_record("d-1", revision, b"x")
        shelf.put_record("d-11", 3, b"x")
        assert shelf.revisions("d-1") == [1, 2, 10]

    @pytest.mark.parametrize("odd", ODD)
    def test_what_could_lead_elsewhere_is_no_name(self, shelf: Any, odd: str) -> None:
        shelf.put_index(b"1")
        assert (shelf.record(odd, 1), shelf.groups(odd), shelf.revisions(odd)) == (None, None, [])
        with pytest.raises(StorageFault):
            shelf.put_record(odd, 1, b"x")
        with pytest.raises(StorageFault):
            shelf.put_groups(odd, b"x")


def test_a_bucket_that_refuses_is_a_fault_and_not_an_absence() -> None:
    shelf = S3RecordShelf(failing("s3", "AccessDenied", 403), "b")
    for read in (shelf.index, lambda: shelf.record("d-1", 1), lambda: shelf.revisions("d-1")):
        with pytest.raises(StorageFault):
            read()
