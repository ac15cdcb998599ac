"""Contract of the subjects' keys (S30): each case runs against moto and against the fake. What is particular to the
real thing, its cryptography, comes after."""

import base64
import os
from typing import Any

import pytest

from proviso.cloud.subjects import DynamoSubjects, pseudonym, seal, unseal
from tests.contract.conftest import Cloud, OneAtATime
from tests.contract.samples import NOW
from tests.fakes.cloud import FakeSubjects

DETAILS = {"entry": "entry-1", "reference_no": "R-7", "category": "x"}


@pytest.mark.parametrize("kind", ["fake", "dynamodb"])
class TestSubjectKeys:
    @pytest.fixture
    def subjects(self, kind: str, cloud: Cloud) -> Any:
        if kind == "fake":
            return FakeSubjects()
        return DynamoSubjects(OneAtATime(cloud.client("dynamodb")), cloud.subjects_table(), os.urandom, page=2)

    def test_without_a_key_there_is_no_name_and_nothing_is_sealed_or_opened(self, subjects: Any) -> None:
        assert subjects.pseudonym("list-1", "entry-1") is None
        assert subjects.seal("list-1", "entry-1", DETAILS) is None
        assert subjects.open("list-1", "entry-1", ["x", ""]) == [None, None]
        assert subjects.count_list("list-1") == 0

    def test_a_name_stays_the_same_and_tells_nothing(self, subjects: Any) -> None:
        subjects.make("list-1", "entry-1", NOW)
        name = subjects.pseudonym("list-1", "entry-1")
        assert name == subjects.pseudonym("list-1", "entry-1")
        assert name.startswith("subject:")
        assert len(name) == len("subject:") + 32
        assert "entry-1" not in name

    def test_making_again_changes_nothing(self, subjects: Any) -> None:
        subjects.make("list-1", "entry-1", NOW)
        name = subjects.pseudonym("list-1", "entry-1")
        subjects.make("list-1", "entry-1", NOW)
        assert subjects.pseudonym("list-1", "entry-1") == name
        assert subjects.count_list("list-1") == 1

    def test_two_subjects_have_two_names_on_one_list_and_on_two(self, subjects: Any) -> None:
        places = [("list-1", "entry-1"), ("list-1", "entry-2"), ("list-2", "entry-1")]
        for place in places:
            subjects.make(*place, NOW)
        assert len({subjects.pseudonym(*place) for place in places}) == 3

    def test_what_is_sealed_is_opened_by_its_own_key_alone(self, subjects: Any) -> None:
        subjects.make("list-1", "entry-1", NOW)
        subjects.make("list-1", "entry-2", NOW)
        sealed = subjects.seal("list-1", "entry-1", DETAILS)
        assert sealed.subject == subjects.pseudonym("list-1", "entry-1")
        assert "R-7" not in sealed.text
        assert subjects.open("list-1", "entry-1", [sealed.text, "other", sealed.text]) == [DETAILS, None, DETAILS]
        assert subjects.open("list-1", "entry-2", [sealed.text]) == [None]

    def test_equal_details_have_one_mark_for_one_subject_and_never_one_text(self, subjects: Any) -> None:
        for entry in ("entry-1", "entry-2"):
            subjects.make("list-1", entry, NOW)
        first, again = (subjects.seal("list-1", "entry-1", {"image": "a"}) for _ in range(2))
        other = subjects.seal("list-1", "entry-1", {"image": "b"})
        somebody = subjects.seal("list-1", "entry-2", {"image": "a"})
        assert first.mark == again.mark
        assert first.text != again.text
        assert len({first.mark, other.mark, somebody.mark}) == 3

    def test_a_list_s_keys_are_counted_and_destroyed_and_those_of_others_are_not(self, subjects: Any) -> None:
        for number in range(5):
            subjects.make("list-1", f"entry-{number}", NOW)
        subjects.make("list-2", "entry-0", NOW)
        sealed = subjects.seal("list-1", "entry-0", DETAILS)
        assert subjects.count_list("list-1") == 5
        assert subjects.destroy_list("list-1") == 5
        assert (subjects.count_list("list-1"), subjects.count_list("list-2")) == (0, 1)
        assert subjects.open("list-1", "entry-0", [sealed.text]) == [None]
        assert subjects.pseudonym("list-1", "entry-0") is None
        assert subjects.destroy_list("list-1") == 0

    def test_a_key_made_anew_after_its_destruction_is_another_one(self, subjects: Any) -> None:
        subjects.make("list-1", "entry-1", NOW)
        before, sealed = subjects.pseudonym("list-1", "entry-1"), subjects.seal("list-1", "entry-1", DETAILS)
        subjects.destroy_list("list-1")
        subjects.make("list-1", "entry-1", NOW)
        assert subjects.pseudonym("list-1", "entry-1") != before
        assert subjects.open("list-1", "entry-1", [sealed.text]) == [None]


KEY, NONCE = bytes(range(32)), bytes(12)


def test_the_pseudonym_is_known_and_changes_with_key_and_entry() -> None:
    """A value that stands in audits already written may never come out otherwise."""
    assert pseudonym(KEY, "entry-1") == "subject:b1f8f5cd2338cb633bd1ad3e30e3aeea"
    assert len({pseudonym(KEY, "entry-1"), pseudonym(KEY, "entry-2"), pseudonym(bytes(32), "entry-1")}) == 3


@pytest.mark.parametrize("place", [0, 5, 20, 60, -1])
def test_what_is_changed_opens_no_more(place: int) -> None:
    text = seal(KEY, "entry-1", DETAILS, NONCE).text
    raw = bytearray(base64.urlsafe_b64decode(text[2:]))
    raw[place] ^= 1
    assert unseal(KEY, "entry-1", text) == DETAILS
    assert unseal(KEY, "entry-1", "1." + base64.urlsafe_b64encode(bytes(raw)).decode()) is None


@pytest.mark.parametrize("text", ["", "1.", "1.AAAA", "2." + "A" * 64, "sealed", "1.é", "1.====", "\0"])
def test_what_is_no_sealed_text_opens_as_nothing(text: str) -> None:
    assert unseal(KEY, "entry-1", text) is None


def test_details_of_other_lengths_look_alike() -> None:
    short, long = (seal(KEY, "entry-1", {"n": "x" * n}, NONCE).text for n in (1, 60))
    assert len(short) == len(long)


def test_the_key_comes_from_the_randomness_that_was_given(cloud: Cloud) -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    subjects = DynamoSubjects(cloud.client("dynamodb"), cloud.subjects_table(), random)
    subjects.make("list-1", "entry-1", NOW)
    subjects.seal("list-1", "entry-1", {})
    assert asked == [32, 12]
    assert subjects.pseudonym("list-1", "entry-1") == pseudonym(bytes(32), "entry-1")
