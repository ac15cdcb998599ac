"""Any single change, removal or exchange in the midst of a chain is found (S29). A cut-off end is not: heads are."""

import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.audit import (
    GENESIS,
    SYSTEM_CHAIN,
    Act,
    AuditRecord,
    chain_hash,
    deployment_act,
    first_fault,
    system_act,
)
from tests.samples import NOW


def chain(length, name="d-1"):
    records, previous = [], GENESIS
    for sequence in range(1, length + 1):
        body = Act(name, NOW, "somebody", "did", f"thing-{sequence}", details={"n": sequence}).body(sequence)
        records.append(AuditRecord(name, sequence, body, previous, chain_hash(previous, body)))
        previous = records[-1].hash
    return records


lengths = st.integers(1, 8)


@given(st.integers(0, 8))
def test_an_untouched_chain_holds(length):
    assert first_fault(chain(length)) is None


@given(lengths, st.data())
def test_any_single_changed_byte_is_found(length, data):
    records = chain(length)
    place = data.draw(st.integers(0, length - 1))
    field = data.draw(st.sampled_from(["body", "previous", "hash"]))
    value = bytearray(getattr(records[place], field))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    records[place] = replace(records[place], **{field: bytes(value)})
    assert first_fault(records)


@given(lengths, st.data())
def test_a_changed_number_or_chain_name_is_found(length, data):
    records = chain(length)
    place = data.draw(st.integers(0, length - 1))
    changed = data.draw(st.sampled_from([{"sequence": 99}, {"chain": "d-2"}]))
    records[place] = replace(records[place], **changed)
    assert first_fault(records)


@given(st.integers(2, 8), st.data())
def test_a_removal_in_the_midst_is_found(length, data):
    records = chain(length)
    del records[data.draw(st.integers(0, length - 2))]
    assert first_fault(records)


@given(st.integers(2, 8), st.data())
def test_an_exchange_is_found(length, data):
    records = chain(length)
    one, other = data.draw(st.lists(st.integers(0, length - 1), min_size=2, max_size=2, unique=True))
    records[one], records[other] = records[other], records[one]
    assert first_fault(records)


@given(st.integers(1, 8), st.data())
def test_a_record_put_in_or_repeated_is_found(length, data):
    records = chain(length)
    place = data.draw(st.integers(0, length - 1))
    records.insert(place, records[place])
    assert first_fault(records)


def test_a_rewritten_record_needs_all_after_it_rewritten():
    records = chain(3)
    body = Act("d-1", NOW, "nobody", "did", "thing-2").body(2)
    records[1] = replace(records[1], body=body, hash=chain_hash(records[1].previous, body))
    assert "d-1 #3 does not follow" in first_fault(records)


def test_two_whole_chains_cannot_change_their_names():
    renamed = [replace(record, chain="d-2") for record in chain(3, "d-1")]
    assert "exchanged" in first_fault(renamed)


def test_a_body_that_names_no_place_is_a_fault():
    for body in (b"\xff", b"[]", b"{}", b"5"):
        assert first_fault([AuditRecord("d-1", 1, body, GENESIS, chain_hash(GENESIS, body))])


def test_a_cut_off_end_is_not_found_without_its_head():
    """Said plainly: this is what anchored heads are for."""
    assert first_fault(chain(5)[:3]) is None


def test_acts_go_into_their_chains():
    assert system_act(NOW, "a", "b", "c", {}).chain == SYSTEM_CHAIN
    assert deployment_act("d-1", NOW, "a", "b", {}).chain == "d-1"
    body = json.loads(Act("c", NOW.astimezone(timezone(timedelta(hours=1))), "a", "b", "s").body(7))
    assert body["at"] == "2026-11-22T20:15:30.250000Z"
    assert body["sequence"] == 7


def test_floats_have_no_place_in_an_act():
    with pytest.raises(TypeError):
        Act("c", NOW, "a", "b", "s", details={"similarity": 0.7}).body(1)
