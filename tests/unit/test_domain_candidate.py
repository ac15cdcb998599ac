"""Which faces raise which entries, and when a sighting joins (rule 7, S21)."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.candidate import (
    SUPPRESSING,
    CandidateState,
    Hit,
    OpenCandidate,
    candidate_id,
    correlation_id,
    evidence_key,
    joins,
    pair,
    short_reference,
)
from tests.samples import NOW

similarities = st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


@st.composite
def hits_of_faces(draw):
    """Per face its entries (each once), best first, as the store gives them."""
    faces = []
    for _ in range(draw(st.integers(0, 6))):
        entries = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
        found = [Hit(entry, draw(similarities)) for entry in entries]
        faces.append(sorted(found, key=lambda hit: (-hit.similarity, hit.entry_id)))
    return faces


@given(hits_of_faces())
def test_one_face_raises_at_most_its_best_entry_and_an_entry_one_candidate(hits):
    pairings = pair(hits)
    raised = [pairing.hit.entry_id for pairing in pairings]
    assert len(raised) == len(set(raised))
    assert [p.face_index for p in pairings] == sorted({p.face_index for p in pairings})
    for pairing in pairings:
        assert pairing.hit == hits[pairing.face_index][0]
        assert list(pairing.runners_up) == hits[pairing.face_index][1:]
    assert set(raised) == {found[0].entry_id for found in hits if found}


@given(hits_of_faces())
def test_of_two_faces_with_the_same_best_entry_the_more_similar_raises_it(hits):
    for pairing in pair(hits):
        rivals = [found[0].similarity for found in hits if found and found[0].entry_id == pairing.hit.entry_id]
        assert pairing.hit.similarity == max(rivals)


def test_nothing_found_raises_nothing():
    assert pair([]) == []
    assert pair([[], []]) == []


def open_candidate(state):
    return OpenCandidate("c", "e", state, NOW)


@pytest.mark.parametrize("state", CandidateState)
def test_only_an_undecided_or_confirmed_candidate_takes_sightings(state):
    assert joins(open_candidate(state), NOW, 120) is (state in (CandidateState.RAISED, CandidateState.CONFIRMED))
    assert set(SUPPRESSING) == {CandidateState.RAISED, CandidateState.CONFIRMED}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_window_slides_with_the_last_sighting_both_ways(sign):
    candidate = open_candidate(CandidateState.RAISED)
    assert joins(candidate, NOW + sign * timedelta(seconds=120), 120)
    assert not joins(candidate, NOW + sign * timedelta(seconds=120, microseconds=1), 120)


def test_without_a_candidate_there_is_nothing_to_join():
    assert not joins(None, NOW, 120)


def test_identifiers_follow_from_their_cause():
    first = candidate_id("d", "f", "e")
    assert first == candidate_id("d", "f", "e")
    assert UUID(first).version == 5
    others = {candidate_id("d2", "f", "e"), candidate_id("d", "f2", "e"), candidate_id("d", "f", "e2"), first}
    assert len(others) == 4
    assert correlation_id("f") == correlation_id("f") != correlation_id("g")
    assert evidence_key("d", first) == f"evidence/d/{first}.jpg"


@given(st.uuids())
def test_a_reference_can_be_read_out(identifier):
    reference = short_reference(str(identifier))
    assert len(reference) == 6
    assert set(reference) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
