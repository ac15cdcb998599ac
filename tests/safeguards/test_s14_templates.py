"""S14: a search that returns no candidate writes its template nowhere: not to disk, table, queue, log, trace or metric;
the frame is deleted; and any frame older than its age limit is deleted whatever became of its message.

Home Office minister, June 2026; Bridges. The test knows the template and looks for it, in every form in which it could
have been written, in everything that was written. That it would find one is shown with an enrolled template.
"""

import base64
import itertools
import json
import logging
import random
import struct
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from functions.match.app import handler
from proviso import wiring
from proviso.domain.errors import Fault
from proviso.domain.face import Template
from proviso.domain.frame import Counts, Outcome
from proviso.edge import telemetry
from proviso.store.search import PostgresSearchStore
from tests.doubles import FakePipeline
from tests.safeguards.house import House
from tests.samples import PIPELINE
from tests.unit.test_edge_batch import CONTEXT, NUMBERS, sqs

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


ENROLLED = ["table build_template", "table reference_template"]


def random_template(seed: int) -> Template:
    chance = random.Random(seed)
    numbers = [chance.gauss(0, 1) for _ in range(128)]
    length = sum(n * n for n in numbers) ** 0.5
    return Template(struct.pack("<128f", *(n / length for n in numbers)), 128, PIPELINE)


class RandomPipeline(FakePipeline):
    """Each person has a template of their own, unlike every other."""

    def templates(self, image, faces):
        people = [image.pixels[round((one.box.x - 100) / 120)] for one in faces]
        return [random_template(int(who)) for who in people]


def forms(template: Template) -> list[bytes]:
    """Any of these in a text or a file gives the template away; four numbers of it are enough."""
    numbers = template.floats()
    found: list[bytes] = []
    for start in range(0, 128, 4):
        part = numbers[start : start + 4]
        for code in ("<4f", ">4f", "<4e", ">4e", "<4d"):
            raw = struct.pack(code, *part)
            found += [raw, raw.hex().encode(), raw.hex().upper().encode(), repr(raw)[2:-1].encode()]
            found += [base64.b64encode(bytes(shift) + raw)[4:-4] for shift in (0, 1, 2)]
    # As text, two numbers in a row: a single one in half precision may stand in any template by chance.
    halves = struct.unpack("<128e", struct.pack("<128e", *numbers))
    writings = [
        [repr(n) for n in numbers],
        [f"{n:.6g}" for n in numbers],
        [str(np.float32(n)) for n in numbers],
        [repr(h) for h in halves],
        [str(np.float32(h)) for h in halves],
        [f"{h:.6g}" for h in halves],
    ]
    for written_as in writings:
        for one, other in itertools.pairwise(written_as):
            found += [f"{one}{between}{other}".encode() for between in (",", ", ", " ", "\n")]
    return sorted({form for form in found if len(form) >= 6})


def written(house: House) -> dict[str, bytes]:
    """Everything that could have been written, by where."""
    places: dict[str, bytes] = {}
    tables = house.sql(
        "master", "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    for table in (row["relname"] for row in tables):
        rows = house.sql("master", f"SELECT row_to_json(t)::text AS line, t::text AS plain FROM {table} t")
        places[f"table {table}"] = "\n".join(row["line"] + row["plain"] for row in rows).encode()
    bodies = house.sql("master", "SELECT body FROM audit_event")
    places["audit bodies"] = b"\n".join(bytes(row["body"]) for row in bodies)
    activity = house.sql("master", "SELECT query FROM pg_stat_activity WHERE query IS NOT NULL")
    places["the server's list of statements"] = "\n".join(row["query"] for row in activity).encode()
    data = Path(house.one("SELECT current_setting('data_directory')"))
    for log in data.parent.glob("*.log"):
        places["the server's log"] = log.read_bytes()
    for name, bucket in (
        ("frames", {k: d for k, (d, _) in house.frames.objects.items()}),
        ("evidence", house.evidence.objects),
    ):
        places[f"bucket {name}"] = b"\n".join(bucket.values())
    places["bucket outbox"] = "\n".join(house.outbox.objects.values()).encode()
    places["bucket permits"] = "\n".join(p.to_json() for p in house.permits.objects.values() if p).encode()
    places["queue"] = "\n".join(message.to_json() for message in house.queue.sent).encode()
    places["ledger"] = repr(house.ledger.rows).encode()
    places["notices"] = repr((house.notices.items, house.publisher.sent)).encode()
    return places


def given_away(template: Template, places: dict[str, bytes]) -> list[str]:
    known = forms(template)
    return [place for place, content in places.items() if any(form in content for form in known)]


@pytest.fixture
def running(house: House, monkeypatch) -> House:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"s14-{next(NUMBERS)}")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    for made in (telemetry.logger, telemetry.metrics):
        made.cache_clear()
    house.pipeline = RandomPipeline()
    list_id, house.entries = house.listed(3)
    house.active = house.running(list_id)
    monkeypatch.setattr(wiring, "match_invocation", lambda remaining, step, span: house.match)
    yield house
    for made in (telemetry.logger, telemetry.metrics):
        made.cache_clear()


def handle(house: House, message, capfd, caplog) -> tuple[dict, bytes]:
    """One message through the function's own handler; what it answered, and everything that it said."""
    capfd.readouterr()
    with caplog.at_level(logging.DEBUG):
        answer = handler(sqs(message.to_json()), CONTEXT)
    out, err = capfd.readouterr()
    return answer, (out + err + caplog.text + json.dumps(answer)).encode()


def test_the_scan_finds_a_template_where_there_is_one(running: House):
    """The control: the enrolled one lies in its two tables, and in no other place."""
    assert sorted(given_away(random_template(3), written(running))) == ENROLLED
    for form in (
        random_template(3).packed.hex(),
        json.dumps(random_template(3).floats()),
        str(random_template(3).packed),
    ):
        assert given_away(random_template(3), {"x": form.encode()}) == ["x"]


def test_without_a_candidate_nothing_is_kept_but_counts(running: House, capfd, caplog):
    message = running.message(77)
    answer, said = handle(running, message, capfd, caplog)
    assert answer == {"batchItemFailures": []}
    assert running.ledger.rows[message.frame_key].counts == Counts(detected=1, searched=1)
    running.queue.sent.append(message)
    places = written(running) | {"what the function said": said}
    assert b'"faces_searched":1' in said.replace(b" ", b"")  # it did say something
    assert given_away(random_template(77), places) == []
    assert running.frames.objects == {}
    assert running.evidence.objects == {}
    assert running.candidates == []
    assert running.one("SELECT count(*) FROM searched_frame") == 1


def test_nor_is_the_probe_kept_when_there_is_a_candidate(running: House, capfd, caplog):
    """The other face of the frame is no candidate; and of the one that is, the reference alone is kept."""
    message = running.message(3, 78)
    _, said = handle(running, message, capfd, caplog)
    assert len(running.candidates) == 1
    places = written(running) | {"what the function said": said}
    assert given_away(random_template(78), places) == []
    assert sorted(given_away(random_template(3), places)) == ENROLLED


def breaks_the_frame_table(house: House) -> str:
    house.sql("master", "ALTER TABLE searched_frame ADD CONSTRAINT broken CHECK (false) NOT VALID")
    return "ALTER TABLE searched_frame DROP CONSTRAINT broken"


def breaks_the_search(house: House) -> str:
    house.sql("master", "ALTER TABLE build_template RENAME COLUMN template TO hidden")
    return "ALTER TABLE build_template RENAME COLUMN hidden TO template"


def breaks_the_rights(house: House) -> str:
    house.sql("master", "REVOKE SELECT ON build_template FROM proviso_match")
    return "GRANT SELECT ON build_template TO proviso_match"


def breaks_the_type(house: House) -> str:
    """The server answers about the very value that it was given."""
    house.sql(
        "master",
        "ALTER TABLE build_template RENAME COLUMN template TO hidden;"
        " ALTER TABLE build_template ADD COLUMN template halfvec(3) NOT NULL DEFAULT '[1,0,0]'",
    )
    return (
        "ALTER TABLE build_template DROP COLUMN template; ALTER TABLE build_template RENAME COLUMN hidden TO template"
    )


BREAKS = [breaks_the_frame_table, breaks_the_search, breaks_the_rights, breaks_the_type]


@pytest.mark.parametrize("breaks", BREAKS)
def test_a_search_that_fails_midway_gives_nothing_away(running: House, breaks, capfd, caplog):
    """Errors of the database love to repeat what they were given: rows, parameters, statements."""
    message = running.message(3, 79)
    mend = breaks(running)
    try:
        answer, said = handle(running, message, capfd, caplog)
        with pytest.raises(Fault) as fault:
            running.match(message)
    finally:
        running.sql("master", mend)
    assert answer["batchItemFailures"]
    chain, error = [], fault.value
    while error is not None:
        chain += [str(error), repr(error), repr(error.__dict__)]
        error = error.__cause__ or error.__context__
    running.queue.sent.append(message)
    places = written(running) | {"what the function said": said, "the exception": "\n".join(chain).encode()}
    assert given_away(random_template(79), places) == []
    assert sorted(given_away(random_template(3), places)) == ENROLLED
    assert running.candidates == []
    assert running.one("SELECT count(*) FROM searched_frame") == 0


def test_a_search_that_is_cancelled_gives_nothing_away(running: House, capfd, caplog):
    store = PostgresSearchStore(running.connector("match", statement_timeout_s=0.3))
    message = running.message(79)
    with psycopg.connect(running.database.master_url) as blocker:
        blocker.execute("LOCK TABLE build_template IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Fault) as fault:
            running.match(message, store=store)
    places = written(running) | {"the exception": (str(fault.value) + repr(fault.value)).encode()}
    assert given_away(random_template(79), places) == []


@pytest.mark.safeguard("S25")
def test_a_frame_past_its_age_is_deleted_whatever_became_of_its_message(running: House):
    kept = {
        "never seen": running.frame(3),
        "in the queue": running.message(3).frame_key,
        "nobody's": "some/other/object.bin",
    }
    running.frames.upload(kept["nobody's"], b"x", running.now())
    running.skew = timedelta(seconds=119)
    running.sweep()
    assert set(running.frames.objects) == set(kept.values())
    running.skew = timedelta(seconds=121)
    running.sweep()
    assert running.frames.objects == {}
    assert {running.ledger.rows[key].outcome for key in kept.values()} <= {Outcome.STALE, Outcome.UNPROCESSED}


def test_no_role_but_matchs_reads_a_template(running: House):
    for role in ("enrol", "govern", "review", "retain", "report"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            running.sql(role, "SELECT template FROM reference_template")
