"""Any single change, removal or exchange in the midst of a chain is found (S29); a cut-off end and a chain that was
written anew by its anchored heads.
"""

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
    Breach,
    Head,
    behind,
    chain_hash,
    deployment_act,
    first_fault,
    system_act,
    verify,
)
from tests.samples import NOW


def chain(length, name="d-1", who="somebody"):
    records, previous = [], GENESIS
    for sequence in range(1, length + 1):
        body = Act(name, NOW, who, "did", f"thing-{sequence}", details={"n": sequence}).body(sequence)
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


# --- many chains, and heads ------------------------------------------------------------------------------------------


def head_of(record, minutes=0):
    return Head(record.chain, record.sequence, record.hash, NOW + timedelta(minutes=minutes))


def fault(records, heads=(), **rest):
    """The one fault among these chains."""
    (found,) = [verdict.fault for verdict in verify(records, heads, **rest) if verdict.fault]
    return found


@st.composite
def worlds(draw):
    """Some chains, their records woven into one another, and heads that were anchored of some of their records."""
    chains = {f"d-{n}": chain(draw(st.integers(1, 6)), f"d-{n}") for n in range(draw(st.integers(1, 3)))}
    order = draw(st.permutations([name for name, records in chains.items() for _ in records]))
    rest = {name: iter(records) for name, records in chains.items()}
    records = [next(rest[name]) for name in order]
    heads = draw(st.lists(st.sampled_from(records), max_size=6).map(lambda some: [head_of(one) for one in some]))
    return records, heads + [head_of(own[-1]) for own in chains.values()]


@given(worlds())
def test_untouched_chains_hold_however_they_are_woven(world):
    records, heads = world
    verdicts = verify(iter(records), iter(heads))
    assert [verdict.fault for verdict in verdicts] == [None] * len(verdicts)
    assert sum(verdict.records for verdict in verdicts) == len(records)
    assert all(verdict.anchored.sequence == verdict.records for verdict in verdicts)


@given(worlds(), st.data())
def test_any_single_thing_that_is_done_to_them_is_found(world, data):
    records, heads = world
    place = data.draw(st.integers(0, len(records) - 1))
    victim = records[place]
    own = [index for index, record in enumerate(records) if record.chain == victim.chain]
    kinds = ["delete", "repeat", "change", "truncate", "remove the chain", "rewrite"]
    if len(own) > 1:
        kinds.append("swap")
    done = data.draw(st.sampled_from(kinds))
    if done == "delete":
        del records[place]
    elif done == "repeat":
        records.insert(data.draw(st.integers(0, len(records))), victim)
    elif done == "change":
        body = bytearray(victim.body)
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        records[place] = replace(victim, body=bytes(body))
    elif done == "truncate":
        records = [one for one in records if one.chain != victim.chain or one.sequence < victim.sequence]
    elif done == "remove the chain":
        records = [one for one in records if one.chain != victim.chain]
    elif done == "rewrite":
        anew = iter(chain(len(own), victim.chain, who="somebody else"))
        records = [next(anew) if one.chain == victim.chain else one for one in records]
    else:
        one, other = data.draw(st.lists(st.sampled_from(own), min_size=2, max_size=2, unique=True))
        records[one], records[other] = records[other], records[one]
    assert fault(records, heads).chain == victim.chain


def test_a_gap_is_told_from_a_record_that_stands_elsewhere():
    one, two, three, four = chain(4)
    assert fault([one, two, four]).sentence == "record 3 of d-1 is missing: after #2 comes #4"
    assert fault([one, four]).sentence == "records 2 to 3 of d-1 are missing: after #1 comes #4"
    assert fault([two]).sentence == "record 1 of d-1 is missing: at the beginning comes #2"
    found = fault([one, three, two, four])
    assert (found.breach, found.sequence) == (Breach.REORDERED, 2)
    assert fault([one, two, two, three]).breach is Breach.REORDERED


def test_records_that_exchanged_their_numbers_are_found():
    one, two, three = chain(3)
    swapped = [one, replace(three, sequence=2), replace(two, sequence=3)]
    assert fault(swapped).sentence == "d-1 #2 was written as #3: records were reordered"


def test_a_cut_off_end_is_found_by_its_head():
    records = chain(5)
    found = fault(records[:3], [head_of(records[1]), head_of(records[4])])
    assert found.sentence == "d-1 is cut off after #3: #5 of it was anchored at 2026-11-22 20:15:30 UTC"
    assert (found.breach, found.sequence) == (Breach.TRUNCATED, 4)


def test_a_chain_written_anew_is_found_by_its_first_head():
    heads = [head_of(record, record.sequence) for record in chain(6)[1::2]]
    found = fault(chain(6, who="somebody else"), heads)
    assert found.sentence.startswith("d-1 #2 was rewritten after it was anchored at 2026-11-22 20:17:30 UTC")
    assert found.breach is Breach.REWRITTEN
    assert first_fault(chain(6, who="somebody else")) is None  # without heads nobody could know


def test_an_end_that_was_cut_off_and_grew_again_is_found():
    records, grown = chain(3), chain(3)[:2]
    body = Act("d-1", NOW, "nobody", "did", "something else").body(3)
    grown.append(AuditRecord("d-1", 3, body, grown[-1].hash, chain_hash(grown[-1].hash, body)))
    assert fault(grown, [head_of(records[2])]).breach is Breach.REWRITTEN


def test_a_chain_that_is_not_there_at_all_is_found():
    found = fault(chain(2), [head_of(chain(3, "d-2")[2])])
    assert found.sentence == "d-2 is not there at all, and #3 of it was anchored at 2026-11-22 20:15:30 UTC"


def test_two_heads_that_contradict_one_another_cannot_both_be_true():
    records = chain(2)
    other = replace(head_of(records[1]), hash=b"\x07" * 32)
    assert fault(records, [head_of(records[1]), other]).breach is Breach.REWRITTEN


def test_the_databases_own_head_is_asked_too_but_anchors_nothing():
    records = chain(3)
    (verdict,) = verify(records, [replace(head_of(records[2]), at=None)])
    assert (verdict.fault, verdict.anchored) == (None, None)
    assert "is named by its head" in fault(records[:2], [replace(head_of(records[2]), at=None)]).sentence
    wrong = Head("d-1", 3, b"\x07" * 32)
    assert "not the one that the chain's head names" in fault(records, [wrong]).sentence


def test_heads_of_chains_that_were_not_asked_for_are_left_out():
    assert [v.chain for v in verify(chain(2), [head_of(chain(1, "d-2")[0])], only=["d-1"])] == ["d-1"]


def test_a_head_anchored_after_the_export_says_nothing_of_its_end_but_all_of_what_is_in_it():
    records = chain(5)
    late = head_of(records[4], minutes=5)
    (verdict,) = verify(records[:3], [late], as_of=NOW)
    assert (verdict.fault, verdict.later) == (None, 1)
    assert fault(records[:3], [late], as_of=NOW + timedelta(minutes=5)).breach is Breach.TRUNCATED
    forged = replace(head_of(records[1], minutes=5), hash=b"\x07" * 32)
    assert fault(records, [forged], as_of=NOW).breach is Breach.REWRITTEN


def test_each_broken_chain_is_named_and_the_others_hold():
    records = [*chain(2, "a"), *chain(3, "b")[1:], *chain(2, "c")[:1]]
    found = verify(records, [head_of(chain(2, "c")[1])])
    assert {verdict.chain: verdict.fault and verdict.fault.breach for verdict in found} == {
        "a": None,
        "b": Breach.MISSING,
        "c": Breach.TRUNCATED,
    }


def test_a_long_chain_is_read_one_record_at_a_time():
    alive = 0

    class Counted(AuditRecord):
        __slots__ = ()

        def __del__(self):
            nonlocal alive
            alive -= 1

    most = 0

    def stream():
        nonlocal alive, most
        previous = GENESIS
        for sequence in range(1, 3001):
            body = b'{"chain":"d-1","sequence":%d}' % sequence
            record = Counted("d-1", sequence, body, previous, chain_hash(previous, body))
            alive, previous = alive + 1, record.hash
            most = max(most, alive)
            yield record

    assert [verdict.records for verdict in verify(stream())] == [3000]
    assert most <= 3


def test_a_chain_is_behind_where_an_anchor_lies_beyond_its_end_or_says_another():
    anchored = [Head("a", 3, b"3" * 32), Head("b", 2, b"2" * 32), Head("c", 1, b"1" * 32), Head("d", 5, b"5" * 32)]
    current = [Head("a", 2, b"x" * 32), Head("b", 2, b"y" * 32), Head("d", 6, b"z" * 32)]
    assert behind(anchored, current) == ["a", "b", "c"]
    assert behind(anchored, anchored) == []
    assert behind([], current) == []
