"""Subjects: slips and the candidates they may mean, and what a record about a listed person holds (S30, S31)."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.candidate import short_reference
from proviso.domain.subjects import Answer, Listed, Sealed, candidates_of_slip, slip_of, subject_act
from tests.samples import NOW


@given(st.uuids())
def test_a_candidate_lies_in_the_range_of_its_own_slip_and_the_range_s_neighbours_do_not(candidate):
    low, high = candidates_of_slip(short_reference(str(candidate)))
    assert low <= str(candidate) <= high
    first, last = uuid.UUID(low).int, uuid.UUID(high).int
    assert short_reference(low) == short_reference(high) == short_reference(str(candidate))
    for neighbour in (first - 1, last + 1):
        if 0 <= neighbour < 1 << 128:
            assert short_reference(str(uuid.UUID(int=neighbour))) != short_reference(low)


@given(st.text(max_size=8))
def test_what_is_no_slip_is_none(text):
    slip = slip_of(text)
    if slip is None:
        with pytest.raises(ValueError):
            candidates_of_slip(text)
    else:
        assert candidates_of_slip(slip)[0] <= candidates_of_slip(slip)[1]


@pytest.mark.parametrize(("written", "slip"), [(" ab2cde ", "AB2CDE"), ("AB2CD", None), ("AB1CDE", None), ("", None)])
def test_a_slip_is_read_as_people_write_it(written, slip):
    assert slip_of(written) == slip


def test_a_record_holds_the_pseudonym_and_what_is_harmless():
    act = subject_act(NOW, "officer", "entry_added", Sealed("subject:1", "sealed text", "m"), {"watchlist": "list-1"})
    assert (act.chain, act.subject) == ("system", "subject:1")
    assert act.details == {"watchlist": "list-1", "sealed": "sealed text"}


def test_a_reference_number_is_not_shown_by_accident():
    listed = Listed("entry-1", "list-1", "R-7", "x", NOW, None, None)
    assert "R-7" not in repr(listed)
    assert not Answer().kept
