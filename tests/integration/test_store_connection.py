"""Connections that break, and what a fault tells: never a value (S14, S36)."""

import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from proviso.domain.errors import AuditUnwritable, DatabaseAway, Fault
from proviso.local.postgres import embedded_postgres
from proviso.store.connection import Connector, RuleBroken, Session
from proviso.store.govern import PostgresGovernStore
from proviso.store.halfvec import HalfVector
from proviso.store.search import PostgresSearchStore
from tests.contract.store_samples import House, act, connector, house, template, unit
from tests.embedded_database import Database

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


@pytest.fixture
def rooms(clean_database: Database) -> Iterator[House]:
    with house(clean_database) as made:
        yield made


def pid(store: PostgresGovernStore) -> Any:
    with store.work() as work:
        return work._session.value("SELECT pg_backend_pid()")


def kill(database: Database, backend: int) -> None:
    with psycopg.connect(database.master_url, autocommit=True) as master:
        master.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_the_connection_is_kept(rooms: House) -> None:
    store = rooms.govern()
    assert pid(store) == pid(store)


def test_a_connection_that_broke_between_transactions_is_opened_anew(rooms: House) -> None:
    """As after a freeze of the function, or when the server ended an idle one so that it can sleep."""
    store = rooms.govern()
    first = pid(store)
    kill(rooms.database, first)
    assert pid(store) != first


def test_the_server_ends_an_idle_connection(rooms: House) -> None:
    store = PostgresGovernStore(rooms.connect("govern", idle_session_s=0.1))
    first = pid(store)
    with psycopg.connect(rooms.database.master_url, autocommit=True) as master:
        for _ in range(200):
            alive = master.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [first]).fetchone()
            if not alive:
                break
            master.execute("SELECT pg_sleep(0.02)")
        assert not alive
    assert pid(store) != first


def test_a_connection_that_breaks_in_a_transaction_is_a_transient_fault(rooms: House) -> None:
    store = rooms.govern()
    backend = pid(store)

    def broken() -> None:
        with store.work() as work:
            kill(rooms.database, backend)
            work.people()

    with pytest.raises(DatabaseAway):
        broken()
    assert pid(store) != backend


def test_an_audit_that_meets_a_broken_connection_is_both(rooms: House) -> None:
    """S36: it is not recorded, so it did not happen; and it may be tried again."""
    store = rooms.govern()
    backend = pid(store)

    def broken() -> None:
        with store.work() as work:
            kill(rooms.database, backend)
            work.audit(act("chain-1"))

    with pytest.raises(AuditUnwritable) as caught:
        broken()
    assert isinstance(caught.value, DatabaseAway)


def test_a_statement_that_takes_too_long_is_ended(rooms: House) -> None:
    slow = rooms.connect("govern", statement_timeout_s=0.1)
    with pytest.raises(DatabaseAway, match="57014"), slow.transaction() as session:
        session.value("SELECT pg_sleep(5)::text")


def test_a_lock_that_is_not_given_is_not_waited_for_long(rooms: House) -> None:
    quick = rooms.connect("govern", lock_timeout_s=0.1)
    with rooms.connect("govern").transaction() as other:
        other.value("SELECT pg_advisory_xact_lock(1)::text")
        with pytest.raises(DatabaseAway, match="55P03"), quick.transaction() as session:
            session.value("SELECT pg_advisory_xact_lock(1)::text")


def test_one_transaction_at_a_time(rooms: House) -> None:
    store = rooms.govern()
    with store.work(), pytest.raises(RuntimeError, match="already"), store.work():
        pass


def test_a_transaction_that_failed_cannot_be_committed_by_going_on(rooms: House) -> None:
    def goes_on(session: Session) -> None:
        with pytest.raises(Fault):
            session.value("SELECT no_such_function()")

    with pytest.raises(Fault, match="rolled back"), rooms.connect("govern").transaction() as session:
        goes_on(session)


def test_a_stopped_server_is_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    data: Path = tmp_path_factory.mktemp("short") / "data"
    with ExitStack() as running:
        url = running.enter_context(embedded_postgres(data))
        store = PostgresSearchStore(connector(url))
        store.connect()
        running.close()
        with pytest.raises(DatabaseAway), store.work():
            pass
        with pytest.raises(DatabaseAway):
            store.connect()
        with pytest.raises(DatabaseAway):
            PostgresSearchStore(Connector(lambda: url, connect_timeout_s=2)).connect()


# --- what a fault tells ----------------------------------------------------------------------------------------------


def everything_said(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """Its text, its causes and contexts, their texts: all that a log or a tracing tool could show."""
    said, seen = [], set()
    waiting: list[BaseException | None] = [caught.value]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        assert not isinstance(one, psycopg.Error), "the server's own error hangs on it"
        said += [str(one), repr(one), str(one.args), *traceback.format_exception(one)]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(said)


def test_a_fault_tells_no_value_of_a_row(rooms: House) -> None:
    """PostgreSQL's DETAIL shows the failing row; none of it goes on."""
    hidden = str(uuid4())  # not in this file's text, which a traceback may show
    rooms.people()
    watchlist = rooms.watchlist()
    with pytest.raises(RuleBroken) as caught:
        rooms.entry(watchlist.id, label=hidden, reason=" ")
    assert hidden not in everything_said(caught)
    entry = rooms.entry(watchlist.id, label=hidden, reference_no=hidden)
    for same in ({"id": entry.id}, {"reference_no": hidden}):
        with pytest.raises(RuleBroken) as caught:
            rooms.entry(watchlist.id, **{"label": hidden, **same})
        assert caught.value.duplicate
        assert hidden not in everything_said(caught)


def test_a_fault_tells_no_number_of_a_template(rooms: House) -> None:
    """S14."""
    rooms.people()
    entry = rooms.entry(rooms.watchlist().id)
    face = unit(np.random.default_rng(1))[0]
    probe = template(face)
    shown = {f"{float(number):.4f}"[:6].lstrip("-") for number in np.concatenate([face, face.astype(np.float16)])}
    with pytest.raises(Fault) as caught, rooms.connect("enrol").transaction() as session:
        session.change(
            "INSERT INTO reference_template VALUES ('r', %(list)s, 'p', %(t)s::halfvec)",
            {"list": entry.watchlist_id, "t": HalfVector(probe)},
        )
    said = everything_said(caught)
    assert not {number for number in shown if number in said}
    with pytest.raises(Fault) as caught, rooms.connect("enrol").transaction() as session:
        session.value("SELECT %(t)s::text::integer", {"t": "[" + ",".join(map(str, face)) + "]"})
    assert not {number for number in shown if number in everything_said(caught)}
    assert repr(HalfVector(probe)) == "<HalfVector>"


def test_a_template_of_another_size_is_refused() -> None:
    from proviso.domain.face import Template

    with pytest.raises(Fault, match="128"):
        HalfVector(Template(b"\0" * 8, 2, "p"))


def test_nothing_is_bound_but_on_the_server(rooms: House) -> None:
    """A value that looks like SQL stays a value."""
    with rooms.govern().work() as work:
        assert work.person("x' OR '1'='1") is None
        assert work.audit_records("'; DROP TABLE person; --") == []
        assert work.people() == []
