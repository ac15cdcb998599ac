"""What each function does while the database wakes, in real time: 20 and 45 seconds, silent or refusing.

    python -m bench.waking [--seconds 20 45] [--ways silent refused]

The functions' handlers, wiring and waits are the real ones, the database is the embedded PostgreSQL behind a gate that
opens late (tests/waking.py), and AWS is the tests' fakes. Prints one row a function, and how long the server keeps an
idle connection, which is what lets the cluster sleep. Takes about ten minutes.
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from functions.govern.app import handler as govern
from functions.match.app import handler as match
from functions.migrate.app import handler as migrate
from functions.retain.app import handler as retain
from functions.review.app import handler as review
from proviso.local.postgres import embedded_postgres
from proviso.store.connection import Connector
from proviso.store.migrations import migrate as make_schema
from tests.embedded_database import Database
from tests.joined import FastHouse, Functions, joined
from tests.waking import Way


def _match(house: FastHouse, functions: Functions) -> str:
    messages = [house.message(1), house.message(2)]
    records = [
        {"messageId": str(n), "body": one.to_json(), "attributes": {"ApproximateReceiveCount": "1"}}
        for n, one in enumerate(messages)
    ]
    answer = functions.call(match, {"Records": records}, 30)
    rows = [house.ledger.get(one.frame_key) for one in messages]
    outcomes = ", ".join(row.outcome.value if row else "no row" for row in rows)
    return f"{functions.took_s:5.1f} s in one call; comes back: {len(answer['batchItemFailures'])} of 2; {outcomes}"


def _asked(handler: Any, method: str, path: str, sub: str) -> Callable[[FastHouse, Functions], str]:
    def run(house: FastHouse, functions: Functions) -> str:
        running = next(iter(house.sql("master", "SELECT id FROM deployment ORDER BY requested_at DESC LIMIT 1")))["id"]
        answer, tries = functions.ask_again(handler, method, path.format(running), sub)
        times = ", ".join(f"{status} at {since:.1f} s" for since, status in tries)
        return f"{times}{' ' + answer.body['database'] if 'database' in answer.body else ''}"

    return run


def _called(handler: Any, event: dict[str, Any]) -> Callable[[FastHouse, Functions], str]:
    def run(house: FastHouse, functions: Functions) -> str:
        answer = functions.call(handler, event, 300)
        return f"{functions.took_s:5.1f} s in one call {answer.get('Status', 'done')}"

    return run


def _scenes() -> dict[str, Callable[[FastHouse, Functions], str]]:
    return {
        "match": _match,
        "govern: start": _asked(govern, "POST", "/deployments/{}/start", "requester"),
        "govern: stop": _asked(govern, "POST", "/deployments/{}/stop", "anybody"),
        "review: list": _asked(review, "GET", "/candidates", "reviewer"),
        "retain": _called(retain, {"reason": "bench"}),
        "migrate": _called(migrate, {"RequestType": "Update", "ResourceProperties": {}}),
    }


def _prepared(database: Database, scene: str) -> FastHouse:
    database.empty()
    house = FastHouse(database)
    house.register()
    list_id, _ = house.listed(1)
    if scene == "govern: start":
        house.authorise(house.requested(list_id).id)
    else:
        house.running(list_id)
    return house


def _idle(database: Database) -> str:
    connector = Connector(lambda: database.url("review"), application_name="idle")
    connector.connect()
    began = time.monotonic()
    with psycopg.connect(database.master_url, autocommit=True) as master:
        while master.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'idle'").fetchone():
            time.sleep(0.2)
        ended = time.monotonic() - began
    with connector.transaction() as session:
        session.value("SELECT 1")
    return f"an idle connection was ended by the server after {ended:.1f} s; the next call connected anew"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--seconds", type=float, nargs="+", default=[20, 45])
    asked.add_argument("--ways", nargs="+", default=["silent", "refused"], choices=["silent", "refused"])
    given = asked.parse_args()
    ways: list[Way] = given.ways
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder) / "data") as url:
        make_schema(url, first_authoriser=None, role_passwords=None, iam=False, clock=lambda: datetime.now(UTC))
        database = Database(url)
        with psycopg.connect(url, autocommit=True) as master:
            master.execute("CREATE ROLE rds_iam NOLOGIN")
        for seconds in given.seconds:
            for way in ways:
                for name, scene in _scenes().items():
                    house = _prepared(database, name)
                    with (
                        pytest.MonkeyPatch.context() as patch,
                        joined(house, patch, wakes_after_s=seconds, way=way) as functions,
                    ):
                        said = io.StringIO()  # the functions' own log
                        with contextlib.redirect_stdout(said):
                            found = scene(house, functions)
                        print(f"{seconds:3.0f} s {way:8} {name:14} {found}", flush=True)
                    house.close()
        print(_idle(database), flush=True)


if __name__ == "__main__":
    main()
