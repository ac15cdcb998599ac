"""Migrations: once, in order, all or nothing; roles; the first authoriser; and the function that runs them."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.migrate.app import handler
from proviso.domain.audit import SYSTEM_CHAIN, first_fault
from proviso.domain.errors import ConfigurationFault, DatabaseAway, NewerSchema
from proviso.domain.people import Person, Role
from proviso.store.govern import PostgresGovernStore
from proviso.store.migrations import ROLES, Migration, migrate, shipped
from proviso.wiring import schema as wiring
from tests.contract.store_samples import connector
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)


@pytest.fixture
def empty_url(migrated_database: Database) -> Iterator[str]:
    """A database of its own beside the session's, without a schema."""
    with psycopg.connect(migrated_database.master_url, autocommit=True) as master:
        master.execute("CREATE DATABASE fresh")
        try:
            yield make_conninfo(migrated_database.master_url, dbname="fresh")
        finally:
            master.execute("DROP DATABASE fresh WITH (FORCE)")


def run(url: str, **changes: Any) -> list[str]:
    given: dict[str, Any] = {
        "first_authoriser": None,
        "role_passwords": None,
        "iam": False,
        "clock": lambda: datetime.now(UTC),
    }
    return migrate(url, **{**given, **changes})


def value(url: str, statement: str) -> Any:
    with psycopg.connect(url) as connection:
        found = connection.execute(statement.encode()).fetchone()
    return found[0] if found else None


def test_files_are_numbered_and_applied_once(empty_url: str) -> None:
    names = [migration.name for migration in shipped()]
    assert [name[:4] for name in names] == [f"{i:04d}" for i in range(1, len(names) + 1)]
    assert run(empty_url) == names
    assert run(empty_url) == []
    assert value(empty_url, "SELECT count(*) FROM schema_migration") == len(names)


def test_a_file_that_changed_is_refused(empty_url: str) -> None:
    run(empty_url)
    first, *rest = shipped()
    with pytest.raises(ConfigurationFault, match=r"0001_tables\.sql was changed"):
        run(empty_url, migrations=[Migration(first.name, first.text + "-- "), *rest])
    with pytest.raises(NewerSchema, match="newer version"):
        run(empty_url, migrations=rest)


def test_a_file_that_fails_leaves_nothing(empty_url: str) -> None:
    bad = Migration("0999_bad.sql", "CREATE TABLE left_over (x int); SELECT 1/0;")
    with pytest.raises(ConfigurationFault, match=r"0999_bad\.sql: division by zero"):
        run(empty_url, migrations=[*shipped(), bad])
    assert value(empty_url, "SELECT to_regclass('person') IS NULL AND to_regclass('left_over') IS NULL")


def test_two_at_once_apply_once(empty_url: str) -> None:
    answers: list[list[str]] = []
    both = [threading.Thread(target=lambda: answers.append(run(empty_url))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert sorted(map(len, answers)) == [0, len(shipped())]


def test_the_first_authoriser_is_registered_once_and_recorded(empty_url: str) -> None:
    run(empty_url, first_authoriser="first")
    run(empty_url, first_authoriser="second")
    with PostgresGovernStore(connector(empty_url)).work() as work:
        assert work.people() == [Person("first", frozenset({Role.AUTHORISER}))]
        [record] = work.audit_records(SYSTEM_CHAIN)
        assert first_fault([record]) is None
    said = json.loads(record.body)
    assert (said["action"], said["subject"], said["actor"]) == ("person_registered", "first", "function:migrate")


def test_passwords_are_set_and_unknown_roles_are_not(empty_url: str) -> None:
    run(empty_url, role_passwords={"proviso_match": "it's a \\ password"})
    assert value(empty_url, "SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'proviso_match'")
    with pytest.raises(ConfigurationFault, match="unknown login roles: postgres"):
        run(empty_url, role_passwords={"postgres": "x"})
    assert len(ROLES) == 6


def test_sign_in_by_token_is_given_where_the_server_has_it(empty_url: str) -> None:
    with pytest.raises(ConfigurationFault, match="rds_iam"):
        run(empty_url, iam=True)
    with psycopg.connect(empty_url, autocommit=True) as master:
        master.execute("CREATE ROLE rds_iam")
        try:
            run(empty_url, iam=True)
            found = master.execute("SELECT count(*) FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole").fetchone()
            assert found == (6,)
        finally:
            master.execute("DROP ROLE rds_iam")


# --- the function ----------------------------------------------------------------------------------------------------


@pytest.fixture
def answers() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address as CloudFormation gives one, and what was put there."""
    got: list[dict[str, Any]] = []

    class Taker(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/answer", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def event(url: str, kind: str = "Create") -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "DatabaseSchema",
        "ResourceProperties": {"SchemaVersion": "4", "FirstAuthoriser": "first"},
    }


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_the_function_answers_what_it_did(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    url, got = answers
    asked: list[Any] = []

    def apply(properties: Any) -> list[str]:
        asked.append(properties)
        return ["0001_tables.sql"]

    monkeypatch.setattr(wiring, "migrate", apply)
    handler(event(url, kind), CONTEXT)
    assert asked == [{"SchemaVersion": "4", "FirstAuthoriser": "first"}]
    assert got == [
        {
            "Status": "SUCCESS",
            "Reason": "done",
            "PhysicalResourceId": "proviso-schema",
            "Data": {"Applied": "0001_tables.sql"},
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "DatabaseSchema",
        }
    ]


@pytest.mark.parametrize(
    ("fault", "said"),
    [(DatabaseAway("no answer"), "no answer"), (ValueError("password=secret"), "ValueError")],
)
def test_the_function_answers_when_it_failed_and_tells_no_secret(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str
) -> None:
    url, got = answers

    def fail(properties: Any) -> list[str]:
        raise fault

    monkeypatch.setattr(wiring, "migrate", fail)
    handler(event(url), CONTEXT)
    assert (got[0]["Status"], got[0]["Reason"]) == ("FAILED", said)


@pytest.mark.parametrize(
    ("before", "stops"), [({"Cluster": "one"}, True), ({"Cluster": "two"}, False), ({}, False), (None, False)]
)
def test_another_database_is_stopped_before_a_function_may_connect(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, before: Any, stops: bool
) -> None:
    url, got = answers
    done: list[str] = []
    monkeypatch.setattr(wiring, "migrate", lambda properties: done.append("migrated") or [])
    monkeypatch.setattr(wiring, "stop_restored", lambda: done.append("stopped") or 1)
    given = {**event(url, "Update"), "ResourceProperties": {"Cluster": "two"}}
    handler(given if before is None else {**given, "OldResourceProperties": before}, CONTEXT)
    assert done == ["migrated"] + ["stopped"] * stops
    assert got[0]["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ({"SchemaVersion": "5", "Cluster": "two"}, True),
        ({"SchemaVersion": "4", "Cluster": "two"}, False),
        ({"SchemaVersion": "5", "Cluster": "one"}, False),  # an older database restored by an older build
        ({"SchemaVersion": "x", "Cluster": "two"}, False),
        ({}, False),
    ],
)
def test_an_update_that_is_taken_back_leaves_the_newer_schema_and_stops_everything_in_it(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, before: dict[str, str], kept: bool
) -> None:
    url, got = answers
    stopped: list[int] = []

    def newer(properties: Any) -> list[str]:
        raise NewerSchema("migrated by a newer version")

    monkeypatch.setattr(wiring, "migrate", newer)
    monkeypatch.setattr(wiring, "keep_schema", lambda version: stopped.append(version) or 1)
    after = {"SchemaVersion": "4", "Cluster": "two"}
    handler({**event(url, "Update"), "ResourceProperties": after, "OldResourceProperties": before}, CONTEXT)
    assert got[0]["Status"] == ("SUCCESS" if kept else "FAILED")
    assert "newer" in got[0]["Reason"]
    assert stopped == [4] * kept


def test_a_migration_that_failed_is_taken_back_and_not_tried_again(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever build's code runs while the update is taken back. Nothing is newer, so nothing is stopped."""
    url, got = answers
    monkeypatch.setattr(wiring, "migrate", None)
    monkeypatch.setattr(wiring, "keep_schema", lambda version: None)
    given = {"ResourceProperties": {"SchemaVersion": "4"}, "OldResourceProperties": {"SchemaVersion": "5"}}
    handler({**event(url, "Update"), **given}, CONTEXT)
    assert (got[0]["Status"], got[0]["Reason"]) == ("SUCCESS", "done")


def test_where_not_everything_could_be_stopped_it_is_not_taken_back(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, got = answers
    for name, fault in {"migrate": NewerSchema("newer"), "keep_schema": DatabaseAway("no answer")}.items():
        monkeypatch.setattr(wiring, name, lambda *_, fault=fault: (_ for _ in ()).throw(fault))
    given = {"ResourceProperties": {"SchemaVersion": "4"}, "OldResourceProperties": {"SchemaVersion": "5"}}
    handler({**event(url, "Update"), **given}, CONTEXT)
    assert (got[0]["Status"], got[0]["Reason"]) == ("FAILED", "no answer")


def test_a_deletion_does_nothing_and_says_so(
    answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, got = answers
    monkeypatch.setattr(wiring, "migrate", None)
    handler(event(url, "Delete"), CONTEXT)
    assert got[0]["Status"] == "SUCCESS"


def test_only_an_address_of_cloudformation_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "migrate", lambda properties: [])
    with pytest.raises(ValueError, match="address"):
        handler(event("file:///etc/passwd"), CONTEXT)
