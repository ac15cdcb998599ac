"""S14: on the real local cloud, 200 frames of somebody who is not listed pass; then everything that was written down
anywhere is searched for her: tables, files of the database, its log with a slow query and a failed one, buckets,
queues, dead letters, DynamoDB, the functions' logs, and what would have been sent. What is planted there is found.

Home Office minister, June 2026; Bridges. The person is in a photograph in the public domain, drawn into a hall in 200
ways. How it is searched is in scan.py: by the letter, by meaning and by sight.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from bench.vision_scenes import backdrop, to_jpeg
from proviso.cli.demo.photographs import astronaut
from proviso.cli.demo.run import DemoOptions, cloud_options, demo_policy
from proviso.cli.demo.scene import NORTH, SOUTH
from proviso.cli.demo.script import BURST_FRAMES, Demonstration
from proviso.domain.burst import FrameFace
from proviso.domain.camera import TYPES
from proviso.domain.errors import Fault
from proviso.domain.face import Template
from proviso.domain.frame import FrameKey, Jpeg, LedgerEntry, Outcome
from proviso.domain.messages import FacesMessage
from proviso.local.cloud import local_cloud
from proviso.local.postgres import role_urls
from proviso.store.connection import Connector
from proviso.store.halfvec import HalfVector
from proviso.vision.alignment import aligned_crop
from proviso.vision.locate import find_files
from proviso.vision.pack import load_manifest
from proviso.vision.pipeline import load_pipeline
from tests.e2e.conftest import ROOT, models_or_skip
from tests.safeguards.attempts import soft
from tests.safeguards.scan import Passed, Pieces, found_in
from tests.samples import faces_message

FRAMES = 200
BURSTS = 4
WIDTH, HEIGHT = 640, 480
AS_IN_AWS = ("log_min_messages = 'error'", "log_min_error_statement = 'panic'")
"""infra/database.yaml lets errors say their code and message; the embedded server keeps them out of its log."""
TROUBLE = (60, 120)
"""While these are on their way, the search fails."""
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(420),
    pytest.mark.safeguard(below="a slow query, a failing search, an edited permit, a dead letter, and all files"),
]


@dataclass
class Run:
    """What passed and what then lay where; the cloud is still up."""

    play: Demonstration
    data: Path
    pipeline: Any
    passed: Passed
    rows: list[LedgerEntry]
    in_queues: dict[str, bytes]
    said: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.play.cloud.client(service)

    def master(self) -> Any:
        return psycopg.connect(self.play.cloud.database_url, autocommit=True)

    @property
    def server_log(self) -> Path:
        return self.data / f"postgres-{os.getpid()}.log"

    def as_match(self) -> Connector:
        return Connector(lambda: role_urls(self.play.cloud.database_url, ["proviso_match"])["proviso_match"])


# --- what passes ------------------------------------------------------------------------------------------------------


def frame(number: int) -> bytes:
    """Somebody who is not listed, never twice in the same way: place, size, light, contrast, side, quality."""
    import cv2

    chance = np.random.default_rng(number)
    portrait = astronaut()
    scale = float(chance.uniform(80, 150)) / portrait.face_px
    pixels = portrait.pixels[:, ::-1] if number % 2 else portrait.pixels
    person: Any = cv2.resize(np.ascontiguousarray(pixels), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    seen = np.roll(ground(), int(chance.integers(0, WIDTH)), axis=1)
    height, width = person.shape[:2]
    x, y = int(chance.integers(0, WIDTH - width)), int(chance.integers(0, HEIGHT - height))
    seen[y : y + height, x : x + width] = person
    lit = cv2.convertScaleAbs(seen, alpha=float(chance.uniform(0.75, 1.1)), beta=float(chance.uniform(-10, 15)))
    return to_jpeg(lit, quality=int(70 + number % 25))


@cache
def ground() -> Any:
    return backdrop(WIDTH, HEIGHT)


def burst(number: int) -> list[bytes]:
    """The same person three times within a second: they have moved a little, and the camera's noise is another."""
    import cv2

    first: Any = cv2.imdecode(np.frombuffer(frame(number), np.uint8), cv2.IMREAD_COLOR)
    moved = [np.roll(first, 9 * step, axis=1) for step in range(BURST_FRAMES)]
    return [to_jpeg(cv2.convertScaleAbs(one, alpha=1 - 0.03 * step), quality=85) for step, one in enumerate(moved)]


def probes_of(pipeline: Any, jpeg: bytes) -> Iterator[tuple[Template, Any]]:
    """(template, aligned crop) of each face, as match computes them: from the boxes and landmarks that detect sent."""
    image = pipeline.decode(Jpeg(jpeg))
    usable = [face for face in pipeline.detect(image) if pipeline.search_gate.judge(face) is None]
    sent = FacesMessage.from_json(faces_message(tracks=tuple((FrameFace(0, face),) for face in usable)).to_json())
    faces = [one.face for track in sent.tracks for one in track]
    for face, template in zip(faces, pipeline.templates(image, faces), strict=True):
        yield template, aligned_crop(image.pixels, face.landmarks)


@contextmanager
def search_fails(run: Any) -> Iterator[None]:
    """match's statement fails, with the template bound, on the way of real frames."""
    with psycopg.connect(run.database_url, autocommit=True) as master:
        master.execute("ALTER TABLE build_template RENAME COLUMN template TO hidden")
        try:
            yield
        finally:
            master.execute("ALTER TABLE build_template RENAME COLUMN hidden TO template")


class Peek(threading.Thread):
    """Every message that is in a queue at some moment, without receiving it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, dict[str, bytes]] = {}
        self.over = threading.Event()

    def run(self) -> None:
        from moto.backends import get_backend

        while not self.over.wait(0.05):
            for region in list(get_backend("sqs").values()):
                for backend in list(region.values()):
                    for name, queue in list(getattr(backend, "queues", {}).items()):
                        for message in list(queue._messages):
                            self.seen.setdefault(name, {})[message.id] = message.body.encode()

    @property
    def places(self) -> dict[str, bytes]:
        return {f"queue {name}, on the way": b"\n".join(bodies.values()) for name, bodies in self.seen.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    models, folder = models_or_skip("mobilefacenet"), tmp_path_factory.mktemp("scan")
    manifest = load_manifest("mobilefacenet")
    pipeline = load_pipeline(
        "mobilefacenet", folders=[file.parent for file in find_files(manifest, [models.folder]).values()]
    )
    options = DemoOptions(ROOT, folder / "data", folder / "out", models)
    with ExitStack() as running:
        wanted = cloud_options(options)
        environment = {name: value for name, value in wanted.environment.items() if name != "DATABASE_URL"}
        cloud = running.enter_context(local_cloud(replace(wanted, environment=environment)))
        # As somebody would who looks for what is slow: every statement of match goes to the server's log.
        with psycopg.connect(cloud.database_url, autocommit=True) as master:
            for setting in ("log_min_duration_statement = 0", *AS_IN_AWS):
                master.execute(f"ALTER ROLE proviso_match SET {setting}".encode())
        play = Demonstration(cloud, demo_policy(), manifest.demo_threshold, options.out)
        play.prepare()
        for queue in ("FramesQueue", "FacesQueue"):
            cloud.client("sqs").set_queue_attributes(
                QueueUrl=cloud.physical(queue), Attributes={"VisibilityTimeout": "1"}
            )
        peek = Peek()
        peek.start()
        camera, bucket = cloud.client("s3"), cloud.physical("FramesBucket")
        keys, found = [], []
        for number in range(FRAMES):
            jpeg = frame(number)
            found += probes_of(pipeline, jpeg)
            with search_fails(cloud) if number in TROUBLE else nullcontext():
                keys.append(put(camera, bucket, number, jpeg))
                time.sleep(1.0 if number in TROUBLE else 0)
        for number in range(BURSTS):
            frames = burst(FRAMES + number)
            seen = [each for jpeg in frames for each in probes_of(pipeline, jpeg)]
            fused = pipeline.fuse([template for template, _ in seen])
            found += [*seen, *((fused, crop) for _, crop in seen[:1])]
            keys.append(put(camera, bucket, FRAMES + number, b"".join(frames), "mjpeg"))
        rows = outcomes(play, keys)
        dead_letter(play)
        peek.over.set()
        peek.join(5)
        passed = Passed([template for template, _ in found], [crop for _, crop in found])
        made = Run(play, options.data, pipeline, passed, rows, peek.places)
        slow_and_failed(made)
        made.places = places(made)
        yield made


def put(s3: Any, bucket: str, number: int, data: bytes, kind: str = "jpg") -> str:
    """As a camera does: under its own prefix."""
    now = datetime.now(UTC)
    moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
    key = str(FrameKey((NORTH, SOUTH)[number % 2], moment, number, kind))
    s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType=TYPES[kind])
    return key


def outcomes(play: Demonstration, keys: list[str]) -> list[LedgerEntry]:
    def final() -> dict[str, LedgerEntry] | None:
        rows = play.ledger()
        return rows if all(k in rows and rows[k].outcome is not Outcome.RECEIVED for k in keys) else None

    rows = play.until(final, 90.0, "the frames' outcomes")
    return [rows[key] for key in keys]


def dead_letter(play: Demonstration) -> None:
    """An event that detect cannot end: the camera's permit says nothing. It comes back until it is a dead letter."""
    s3, sqs, permits = play.cloud.client("s3"), play.cloud.client("sqs"), play.cloud.physical("PermitsBucket")
    key = f"permits/{SOUTH}.json"
    before = s3.get_object(Bucket=permits, Key=key)["Body"].read()
    s3.put_object(Bucket=permits, Key=key, Body=b'{"edited":')
    frame = str(FrameKey(SOUTH, datetime.now(UTC).replace(microsecond=0), 9999))
    stored = {"bucket": {"name": play.cloud.physical("FramesBucket")}, "object": {"key": frame, "size": 1}}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "eu-west-2", "s3": stored}
    event = {"Records": [{**record, "eventTime": "2026-11-22T20:00:00.000Z"}]}
    sqs.send_message(QueueUrl=play.cloud.physical("FramesQueue"), MessageBody=json.dumps(event))

    def dead() -> bool | None:
        asked = {"QueueUrl": play.cloud.physical("FramesDeadLetterQueue")}
        there = sqs.get_queue_attributes(**asked, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        return int(there["ApproximateNumberOfMessages"]) > 0 or None

    play.until(dead, 30.0, "the dead letter")
    s3.put_object(Bucket=permits, Key=key, Body=before)


def slow_and_failed(run: Run) -> None:
    """As match's role: a search that takes long, and statements that fail with a template bound, as AWS would log it;
    and some that repeat what they were given, with the settings of the embedded server."""
    probe = run.passed.templates[0]
    short = HalfVector(probe)
    short.wire = short.wire[:-6]
    bound = {"probe": HalfVector(probe), "short": short, "words": json.dumps(probe.floats()), "bytes": probe.packed}
    slow = "SELECT pg_sleep(0.3)::text, count(*) FROM build_template WHERE template <#> %(probe)s::halfvec < 2"
    connector = run.as_match()
    with connector.transaction() as session:
        assert session.rows(slow, bound)
    fails(run, connector, "another dimension", "SELECT %(probe)s::halfvec <#> '[1,2,3]'::halfvec", bound)
    fails(run, connector, "bytes that are cut off", "SELECT %(short)s::halfvec <#> %(probe)s::halfvec", bound)
    with run.master() as master:
        master.execute("ALTER ROLE proviso_match RESET log_min_messages")
    connector.close()
    fails(run, connector, "text that is no number", "SELECT (%(words)s::text)::int", bound)
    fails(run, connector, "a template that is no number", "SELECT %(probe)s::halfvec::text::int", bound)
    fails(run, connector, "bytes that are no text", "SELECT convert_from(%(bytes)s::bytea || '\\xff', 'UTF8')", bound)
    connector.close()


def fails(run: Run, connector: Connector, name: str, statement: str, bound: dict[str, Any]) -> None:
    """Keeps all that the fault says, its causes included."""
    with pytest.raises(Fault) as raised, connector.transaction() as session:
        session.rows(statement, bound)  # type: ignore[arg-type]
    chain: list[str] = []
    error: BaseException | None = raised.value
    while error is not None:
        chain += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    run.said[f"the fault of {name}"] = "\n".join(chain).encode()


# --- what was written down --------------------------------------------------------------------------------------------


def places(run: Run) -> dict[str, bytes]:
    """Everything that was written, by where."""
    return {
        **run.said,
        **run.in_queues,
        **tables(run),
        **buckets(run),
        **queues(run),
        **items(run),
        **files(run),
        "what would have been sent": repr(run.play.cloud.inbox()).encode(),
    }


def tables(run: Run) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with run.master() as master:
        listed = master.execute(
            "SELECT format('%I.%I', n.nspname, c.relname),"
            " array_agg(a.attname) FILTER (WHERE a.atttypid = 'bytea'::regtype)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind IN ('r', 'm', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema') GROUP BY 1"
        ).fetchall()
        for name, raw in listed:
            rows = master.execute(f"SELECT t::text FROM {name} t".encode()).fetchall()
            found[f"table {name}"] = "\n".join(row[0] for row in rows).encode()
            for column in raw or []:
                given = master.execute(f'SELECT "{column}" FROM {name}'.encode()).fetchall()
                found[f"table {name}, {column}"] = b"\n".join(bytes(row[0]) for row in given if row[0] is not None)
        for name, query in {
            "comments": "SELECT description FROM pg_description WHERE objoid >= 16384",
            "the server's list of statements": "SELECT query FROM pg_stat_activity WHERE query IS NOT NULL",
            "the server's statistics": "SELECT s::text FROM pg_stats s WHERE schemaname = 'public'",
        }.items():
            found[name] = "\n".join(row[0] for row in master.execute(query.encode()).fetchall()).encode()
    return found


def buckets(run: Run) -> dict[str, bytes]:
    s3, found = run.client("s3"), {}
    for bucket in (one["Name"] for one in s3.list_buckets()["Buckets"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in page.get("Versions", []):
                given = {"Bucket": bucket, "Key": one["Key"]}
                if one.get("VersionId") not in (None, "null"):
                    given["VersionId"] = one["VersionId"]
                answer = s3.get_object(**given)
                told = json.dumps([one["Key"], answer.get("Metadata")]).encode()
                found[f"bucket {bucket}, {one['Key']}"] = answer["Body"].read() + b"\n" + told
    return found


def queues(run: Run) -> dict[str, bytes]:
    """By receiving, dead letters too; each stays where it is."""
    sqs, found = run.client("sqs"), {}
    for url in sqs.list_queues().get("QueueUrls", []):
        bodies: dict[str, bytes] = {}
        while True:
            asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "WaitTimeSeconds": 0}
            got = sqs.receive_message(**asked, AttributeNames=["All"], MessageAttributeNames=["All"]).get(
                "Messages", []
            )
            fresh = {one["MessageId"]: json.dumps(one).encode() for one in got if one["MessageId"] not in bodies}
            if not fresh:
                break
            bodies |= fresh
        found[f"queue {url.rsplit('/', 1)[-1]}"] = b"\n".join(bodies.values())
    return found


def items(run: Run) -> dict[str, bytes]:
    dynamo, found = run.client("dynamodb"), {}
    for table in dynamo.list_tables()["TableNames"]:
        pages = dynamo.get_paginator("scan").paginate(TableName=table)
        rows = [item for page in pages for item in page["Items"]]
        raw = [bytes(value["B"]) for item in rows for value in item.values() if "B" in value]
        found[f"table {table} of DynamoDB"] = b"\n".join([json.dumps(rows, default=str).encode(), *raw])
    return found


def files(run: Run) -> dict[str, bytes]:
    """The functions' logs, the server's, and whatever else lies about; the database's own files are looked at apart."""
    database = run.server_log.with_suffix("")
    found = {}
    for path in sorted(run.data.rglob("*")):
        if path.is_file() and database not in path.parents:
            name = "the server's log" if path == run.server_log else f"file {path.relative_to(run.data)}"
            found[name] = path.read_bytes()
    return found


# --- the tests --------------------------------------------------------------------------------------------------------


def test_two_hundred_frames_and_some_bursts_without_a_candidate_leave_nothing_anywhere(run: Run):
    searched = [row for row in run.rows if row.outcome is Outcome.SEARCHED]
    assert len(searched) >= 0.9 * FRAMES
    assert sum(row.counts.searched for row in searched) >= 0.9 * FRAMES
    assert sum(row.counts.candidates for row in searched) == 0
    assert [row.counts.searched for row in searched if row.key.endswith(".mjpeg")] == [1] * BURSTS  # fused to one
    assert run.play.frames_left() == []
    assert len({template.packed for template in run.passed.templates}) >= FRAMES
    assert sum(map(len, run.places.values())) > 1_000_000
    assert found_in(run.places, run.passed, run.pipeline) == []
    read = f"{len(run.places)} places, {sum(map(len, run.places.values())) // 1000:,} kB"
    soft(f"code: {len(searched)} searched, nothing in {read}")


def test_the_servers_log_has_the_slow_search_and_not_what_was_bound(run: Run):
    """Somebody switched slow statements on for match's role: each search is in the log, with `$1` in its place."""
    log = run.places["the server's log"]
    assert log.count(b"WITH hit AS MATERIALIZED") >= 0.9 * FRAMES
    assert b"pg_sleep(0.3)" in log
    assert b"$1" in log
    assert b"DETAIL" not in log
    assert found_in({"the server's log": log}, run.passed, run.pipeline) == []
    soft(f"database: parameters are not logged ({log.count(b'duration:')} slow statements are)")


def test_errors_that_repeat_what_they_were_given_are_not_passed_on(run: Run):
    """The server answers `invalid input syntax: [0.01, ...`; neither its log nor any fault of ours says that."""
    assert len(run.said) == 5
    assert all(run.said.values())
    assert found_in(run.said, run.passed, run.pipeline) == []
    log = run.places["the server's log"]
    assert b"different halfvec dimensions" in log  # those that repeat nothing were logged, as in AWS
    assert b"invalid input syntax" not in log
    soft("code: store/connection.translate; database: no statement and no parameter is logged")


def test_a_search_that_failed_on_its_way_came_back_and_left_nothing(run: Run):
    failed = run.places["file logs/MatchFunction.log"].count(b"message failed and will come back")
    assert failed >= 1
    assert all(row.outcome is not Outcome.RECEIVED for row in run.rows)
    soft(f"code: {failed} failures logged by name alone")


def test_the_dead_letter_is_a_reference(run: Run):
    (name,) = [name for name in run.places if "FramesDeadLetter" in name and "on the way" not in name]
    assert b"_009999.jpg" in run.places[name]
    assert len(run.places[name]) < 5_000
    assert any("faces" in name.lower() and "on the way" in name for name in run.places), "faces messages were seen too"


def test_no_file_of_the_database_holds_a_piece(run: Run):
    """Rows that are gone, its journal, its temporary files: as bytes on the disk."""
    with run.master() as master:
        folder = Path(master.execute("SELECT current_setting('data_directory')").fetchone()[0])
        known = master.execute("SELECT template::text FROM build_template").fetchone()[0]
        master.execute("CHECKPOINT")
    pieces = halves(np.array([template.floats() for template in run.passed.templates]))
    enrolled = halves(np.array([json.loads(known)]))
    there = [path for part in ("base", "pg_wal") for path in sorted((folder / part).rglob("*")) if path.is_file()]
    contents = {path: path.read_bytes() for path in there}
    assert [path for path, content in contents.items() if enrolled.inside(content, 2)], (
        "the control: the enrolled one is"
    )
    assert [path.name for path, content in contents.items() if pieces.inside(content, 2)] == []
    soft(f"code: nothing in {len(there)} files, {sum(map(len, contents.values())) >> 20} MB")


def halves(templates: Any) -> Pieces:
    """Eight numbers in a row, as halves or floats, in either order of bytes."""
    rows = [part for one in templates for part in np.reshape(one, (-1, 8))]
    return Pieces(part.astype(kind).tobytes() for part in rows for kind in ("<f2", ">f2", "<f4", ">f4"))


def test_what_is_planted_is_found(run: Run):
    """The control: one template or picture in each kind of place, each in another writing."""
    import cv2

    template, crop = run.passed.templates[7], run.passed.crops[7]
    half = np.array(template.floats(), "<f2")
    s3, sqs, dynamo = run.client("s3"), run.client("sqs"), run.client("dynamodb")
    jpeg, png = (cv2.imencode(kind, crop)[1].tobytes() for kind in (".jpg", ".png"))
    with run.master() as master:
        numbers = ", ".join(f"{n:.3f}" for n in template.floats())
        master.execute(f"COMMENT ON TABLE candidate IS 'seen: {numbers}'".encode())
        master.execute("SET log_min_duration_statement = 0; SET log_min_messages = 'log'")
        master.execute(f"SELECT length('{half.tobytes().hex()}')".encode())
        master.execute("CREATE TABLE planted (crop bytea)")
        master.execute("INSERT INTO planted VALUES (%s)", (np.ascontiguousarray(crop).tobytes(),))
    evidence, permits = run.play.cloud.physical("EvidenceBucket"), run.play.cloud.physical("PermitsBucket")
    s3.put_object(Bucket=evidence, Key="planted/crop.jpg", Body=jpeg)
    s3.put_object(Bucket=permits, Key="planted/template.bin", Body=b"x" + half.astype(">f4").tobytes())
    dead = run.play.cloud.physical("NoticesDeadLetterQueue")
    sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"p": base64.b64encode(png).decode()}))
    ledger = run.play.cloud.physical("LedgerTable")
    (name,) = [key["AttributeName"] for key in dynamo.describe_table(TableName=ledger)["Table"]["KeySchema"]]
    dynamo.put_item(TableName=ledger, Item={name: {"S": "planted"}, "t": {"B": half.tobytes()}})
    with (run.data / "logs" / "MatchFunction.log").open("ab") as log:
        log.write(b'{"probe":"' + base64.b64encode(template.packed) + b'"}\n')
    with (run.data / "logs" / "DetectFunction.log").open("ab") as log:
        log.write(repr(template.packed).encode() + b"\n")
    now = places(run)
    there = {place for place in now if now[place] != run.places.get(place)}
    found = found_in({place: now[place] for place in there}, run.passed, run.pipeline)
    for place, what in {
        "comments": "numbers like a template",
        "the server's log (hex)": "a piece",
        "table public.planted, crop": "a piece",
        f"bucket {evidence}, planted/crop.jpg": "a picture of the person",
        f"bucket {permits}, planted/template.bin": "numbers like a template",
        f"queue {dead.rsplit('/', 1)[-1]} (base64)": "a picture of the person",
        f"table {ledger} of DynamoDB": "a piece",
        "file logs/MatchFunction.log (base64)": "a piece",
        "file logs/DetectFunction.log (escapes)": "a piece",
    }.items():
        assert any(one.startswith(f"{place}:") and what in one for one in found), (place, what, found)
