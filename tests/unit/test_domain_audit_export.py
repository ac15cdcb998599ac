"""The export of the audit: what is read is what was written, and whatever else there is, is named by its line."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proviso.domain.audit import AuditRecord, Head, verify
from proviso.domain.audit_export import ExportHeader, Unreadable, heads_json, heads_of, lines, read
from tests.samples import NOW
from tests.unit.test_domain_audit import chain

HEADER = ExportHeader(NOW)
HASHES = st.binary(min_size=32, max_size=32)
RECORDS = st.builds(
    AuditRecord, st.text(min_size=1, max_size=9), st.integers(1, 2**63), st.binary(max_size=40), HASHES, HASHES
)
AT = datetime(2026, 11, 22, tzinfo=UTC)


def taken_in(text):
    header, records = read(iter(text))
    return header, list(records)


@given(st.lists(RECORDS, max_size=5), st.none() | st.lists(st.text(min_size=1), max_size=3).map(tuple))
def test_what_is_read_is_what_was_written(records, chains):
    written = list(lines(replace(HEADER, chains=chains), records))
    assert all(line.endswith("\n") and line.count("\n") == 1 and line.isascii() for line in written)
    assert taken_in(written) == (replace(HEADER, chains=chains), records)


def test_a_whole_export_verifies():
    _, records = read(lines(HEADER, [*chain(3), *chain(2, "system")]))
    assert [verdict.fault for verdict in verify(records)] == [None, None]


def test_a_body_keeps_its_exact_text():
    """Parsed and written again it would hash to something else."""
    body = b'{"sequence": 1,  "chain":"d-1"}'
    record = replace(chain(1)[0], body=body)
    assert taken_in(list(lines(HEADER, [record])))[1] == [record]


WHOLE = list(lines(HEADER, chain(2)))
SECOND = json.loads(WHOLE[1])


def line(**changed):
    return json.dumps({**SECOND, **changed}) + "\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ([], "line 1: it is empty"),
        (["{}\n"], "line 1: this is not an export"),
        (['{"format":"proviso-audit","version":2}\n'], "line 1: version 2 is not known"),
        (['{"format":"proviso-audit","version":1,"at":"yesterday"}\n'], "line 1: at is not a time"),
        (['{"format":"proviso-audit","version":1,"at":"2026-11-22T00:00:00"}\n'], "line 1: at is a time without"),
        (['{"format":"proviso-audit","version":1,"at":"2026-11-22T00:00:00Z","chains":[1]}\n'], "line 1: chains"),
        ([WHOLE[0], "\n", *WHOLE[1:]], "line 2: it is empty"),
        ([WHOLE[0], "{\n"], "line 2: it is not JSON"),
        ([WHOLE[0], "[" * 100_000 + "\n"], "line 2: it is nested too deeply"),
        ([WHOLE[0], '{"a":1,"a":2}\n'], "line 2: it says something twice"),
        ([WHOLE[0], "5\n"], "line 2: a record has"),
        ([WHOLE[0], line(at="now")], "line 2: a record has"),
        ([WHOLE[0], line(chain="")], "line 2: chain"),
        ([WHOLE[0], line(sequence="1")], "line 2: sequence"),
        ([WHOLE[0], line(sequence=True)], "line 2: sequence"),
        ([WHOLE[0], line(sequence=0)], "line 2: sequence"),
        ([WHOLE[0], line(body={})], "line 2: body"),
        ([WHOLE[0], line(body="\ud900")], "line 2: body"),
        ([WHOLE[0], line(hash="00")], "line 2: hash"),
        ([WHOLE[0], line(hash=SECOND["hash"].upper() + "")], "line 2: hash"),
        ([WHOLE[0], WHOLE[1], line(previous=None)], "line 3: previous"),
        ([WHOLE[0], "x" * (4 * 1024 * 1024 + 1)], "line 2: it is too long"),
        (WHOLE[:-1], "the file ends after line 3"),
        (WHOLE[:1], "the file ends after line 1"),
        ([*WHOLE[:2], WHOLE[-1]], "line 3: the last line says 2 records, and there are 1"),
        ([*WHOLE, WHOLE[1]], "line 5: there is something after the last line"),
        ([*WHOLE[:-1], '{"end":true,"records":2,"more":1}\n'], "line 4: the last line is not as it should be"),
    ],
)
def test_whatever_is_wrong_is_named_by_its_line(text, sentence):
    with pytest.raises(Unreadable, match=sentence):
        taken_in(text)


def test_anchored_heads_are_read_as_they_were_written():
    heads = [Head("d-1", 3, b"\x01" * 32), Head("system", 9, b"\x02" * 32)]
    assert heads_of(heads_json(heads, AT)) == [replace(head, at=AT) for head in heads]
    assert heads_of(heads_json([], AT).encode()) == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "not JSON"),
        (b"\xff\xfe\x00x", "not JSON|UTF-8"),
        ("[]", "not a file of anchored heads"),
        ('{"version":2,"at":"2026-11-22T00:00:00Z","heads":[]}', "not a file of anchored heads"),
        ('{"version":1,"at":null,"heads":[]}', "at is not a time"),
        ('{"version":1,"at":"2026-11-22T00:00:00Z","heads":[5]}', "a head is not an object"),
        ('{"version":1,"at":"2026-11-22T00:00:00Z","heads":[{"chain":"a","sequence":"1"}]}', "no chain or no sequence"),
        ('{"version":1,"at":"2026-11-22T00:00:00Z","heads":[{"chain":"a","sequence":0}]}', "not a number from 1"),
        ('{"version":1,"at":"2026-11-22T00:00:00Z","heads":[{"chain":"a","sequence":1,"hash":"z"}]}', "hash"),
    ],
)
def test_a_file_that_holds_no_heads_is_told(body, sentence):
    with pytest.raises(ValueError, match=sentence):
        heads_of(body)
