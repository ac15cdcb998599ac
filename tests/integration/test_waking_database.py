"""What each function does while the database wakes: 20 and 45 seconds, silent or refusing. Ten times as fast."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from functions.enrol.app import handler as enrol
from functions.govern.app import handler as govern
from functions.match.app import handler as match
from functions.migrate.app import handler as migrate
from functions.retain.app import handler as retain
from functions.review.app import handler as review
from proviso import wiring
from proviso.cli.api import Api
from proviso.domain.errors import DatabaseAway
from proviso.domain.frame import Outcome
from proviso.domain.messages import FacesMessage
from proviso.wiring import schema
from tests.doubles import people as frame_of
from tests.embedded_database import Database
from tests.joined import FastHouse, Functions, joined
from tests.samples import CAMERA

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration
SPEED = 10.0
WAYS = [(20, "refused"), (45, "silent")]  # all four in real time: bench/waking.py
Sleeping = Callable[..., AbstractContextManager[Functions]]


@pytest.fixture
def house(clean_database: Database) -> Iterator[FastHouse]:
    made = FastHouse(clean_database)
    made.register()
    yield made
    made.close()


@pytest.fixture
def asleep(house: FastHouse, monkeypatch: pytest.MonkeyPatch) -> Sleeping:
    return lambda seconds, way="silent", speed=SPEED: joined(
        house, monkeypatch, wakes_after_s=seconds, way=way, speed=speed
    )


@pytest.fixture
def rds_iam(clean_database: Database) -> Iterator[None]:
    """The role that Aurora has, by which migrate lets the login roles sign in with tokens."""
    with psycopg.connect(clean_database.master_url, autocommit=True) as master:
        master.execute("CREATE ROLE rds_iam NOLOGIN")
        yield
        master.execute("DROP ROLE rds_iam")


def batch(*messages: FacesMessage) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{n}", "body": one.to_json(), "attributes": {"ApproximateReceiveCount": "1"}}
            for n, one in enumerate(messages, 1)
        ]
    }


def failed(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


# --- match -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["silent", "refused"])
def test_match_waits_inside_its_call_for_20_seconds(house: FastHouse, asleep: Sleeping, way: str) -> None:
    """Both frames of the batch are searched in the one call, and in time."""
    list_id, _ = house.listed(1)
    house.running(list_id)
    with asleep(20, way) as functions:
        messages = [house.message(1), house.message(2)]
        assert failed(functions.call(match, batch(*messages), 30)) == []
        assert functions.took_s >= 20
    for message in messages:
        row = house.ledger.get(message.frame_key)
        assert row is not None
        assert row.outcome is Outcome.SEARCHED
        assert row.finished_at is not None
        assert row.finished_at - message.captured_at < timedelta(seconds=60)
    assert len(house.candidates) == 1


@pytest.mark.parametrize("way", ["silent", "refused"])
def test_match_reports_what_it_could_not_do_in_its_call(house: FastHouse, asleep: Sleeping, way: str) -> None:
    """45 s are more than a call has. Both messages come back, after the visibility timeout of three minutes; by then
    the frames are past their age limit, and end as stale: counted, deleted, and not searched late."""
    list_id, _ = house.listed(1)
    house.running(list_id)
    with asleep(45, way) as functions:
        messages = [house.message(1), house.message(2)]
        assert failed(functions.call(match, batch(*messages), 30)) == ["m1", "m2"]
        assert set(house.frames.objects) == {m.frame_key for m in messages}, "nothing is lost while it can be searched"
        house.sleep(46 - functions.took_s)
        house.skew += timedelta(seconds=181 - 46)
        assert failed(functions.call(match, batch(*messages), 30)) == []
    assert {house.ledger.get(m.frame_key).outcome for m in messages} == {Outcome.STALE}
    assert house.frames.objects == {}
    assert house.candidates == []
    assert house.one("SELECT count(*) FROM searched_frame") == 0


def test_another_delivery_finds_the_database_awake(house: FastHouse, asleep: Sleeping) -> None:
    """Frames that come while it wakes are searched as long as they are young enough."""
    list_id, _ = house.listed(1)
    house.running(list_id)
    with asleep(36) as functions:
        functions.call(match, batch(house.message(2)), 30)
        assert not functions.gate.awake
        later = house.message(1)
        assert failed(functions.call(match, batch(later), 30)) == []
    assert house.ledger.get(later.frame_key).outcome is Outcome.SEARCHED


def test_a_stop_while_it_wakes_holds_for_what_waits_in_match(house: FastHouse, asleep: Sleeping) -> None:
    """The permit went at once; the row is still active when the search's transaction begins (S04)."""
    list_id, _ = house.listed(1)
    running = house.running(list_id)
    with asleep(20) as functions:
        message = house.message(1)
        functions.gate.contacts.clear()
        answer = functions.ask(govern, "POST", f"/deployments/{running.id}/stop", "anybody")
        assert answer.body["database"] == "away: spooled"
        assert house.permits.objects == {}
        assert failed(functions.call(match, batch(message), 30)) == []
        row = house.ledger.get(message.frame_key)
        assert row.outcome is Outcome.REFUSED
        assert house.candidates == []
        functions.call(retain, {"reason": "stop"}, 300)
    assert house.deployment(running.id).state.value == "stopped"
    assert house.spool.waiting() == []


# --- who asks the API ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "way"), WAYS)
def test_a_start_goes_through_as_soon_as_it_is_awake(
    house: FastHouse, asleep: Sleeping, seconds: int, way: str
) -> None:
    """503 with Retry-After, and again, and then authorised → warming → active with its permits (S36)."""
    list_id, _ = house.listed(1)
    asked = house.requested(list_id)
    house.authorise(asked.id)
    with asleep(seconds, way) as functions:
        answer, tries = functions.ask_again(govern, "POST", f"/deployments/{asked.id}/start", "requester")
        assert answer.status == 200, answer.body
        assert answer.body["state"] == "active"
        assert {status for _, status in tries[:-1]} == {503}
        assert seconds <= tries[-1][0] < seconds + 15 + 5 + 5, "a connect's wait and a Retry-After later at most"
        assert set(house.permits.objects) == {CAMERA}


def test_a_stop_while_it_wakes_is_effective_at_once_and_spooled(house: FastHouse, asleep: Sleeping) -> None:
    list_id, _ = house.listed(1)
    running = house.running(list_id)
    with asleep(45) as functions:
        asked_before: list[int] = []
        take = house.permits.delete
        house.permits.delete = lambda camera: (asked_before.append(len(functions.gate.contacts)), take(camera))
        answer = functions.ask(govern, "POST", f"/deployments/{running.id}/stop", "anybody")
        assert (answer.status, answer.body["database"]) == (200, "away: spooled")
        assert asked_before[0] == 0, "the permit goes before anybody asks the database"
        assert functions.took_s < 29
        assert house.permits.objects == {}
        assert [record.deployment_id for record in house.spool.waiting()] == [running.id]
        functions.call(retain, {"reason": "stop"}, 300)
    assert house.deployment(running.id).state.value == "stopped"


@pytest.mark.parametrize(("seconds", "way"), WAYS)
@pytest.mark.parametrize("function", ["review", "enrol", "retention"])
def test_who_asks_is_told_when_to_come_again(
    house: FastHouse, asleep: Sleeping, function: str, seconds: int, way: str
) -> None:
    list_id, entries = house.listed(1)
    asked = {
        "review": (review, "GET", "/candidates", "reviewer", None),
        "enrol": (
            enrol,
            "POST",
            f"/watchlists/{list_id}/entries/{entries[0]}/references",
            "officer",
            frame_of(1, 2)[:8] + b" 1 ",
        ),
        "retention": (retain, "GET", "/retention?purpose=a+test", "auditor", None),
    }[function]
    with asleep(seconds, way) as functions:
        first = functions.ask(*asked)
        assert first.status == 503
        assert first.body["reason"] == "database_away"
        assert float(first.headers["Retry-After"]) > 0
        assert functions.took_s < 29
        answer, _ = functions.ask_again(*asked)
    assert answer.status in (200, 201, 400, 422), answer.body  # the picture may be refused: it was looked at
    assert functions.gate.awake


def test_the_cli_waits_and_says_so(house: FastHouse, asleep: Sleeping) -> None:
    """The client of the acting commands, on the handler's own answers."""
    import urllib.error
    from email.message import Message
    from io import BytesIO

    said: list[str] = []
    with asleep(45) as functions:
        api = Api("https://api.example", "token", sleep=house.sleep, notify=said.append)

        def once(method: str, path: str, body: bytes | None, kind: str) -> bytes:
            answer = functions.ask(govern, method, path, "officer")
            if answer.status < 400:
                return json.dumps(answer.body).encode()
            headers = Message()
            for name, value in answer.headers.items():
                headers[name] = str(value)
            raise urllib.error.HTTPError(path, answer.status, "", headers, BytesIO(json.dumps(answer.body).encode()))

        api._once = once  # type: ignore[method-assign]
        assert "watchlists" in api.get("/watchlists")
    assert said
    assert set(said) == {"the database is away or waking; trying again in 5 s"}


def test_a_database_that_is_away_is_in_the_log_and_counted(
    house: FastHouse, asleep: Sleeping, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong certificate or a shut network looks to those who ask like a database that wakes for ever."""
    with asleep(45, "refused") as functions:
        functions.ask(govern, "GET", "/watchlists", "officer")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert any(line.get("message") == "the database is away" and line["detail"] for line in lines)
    assert any("Fault.DatabaseAway" in line for line in lines)


# --- retain, migrate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "way"), WAYS)
def test_retain_waits_until_it_is_awake(house: FastHouse, asleep: Sleeping, seconds: int, way: str) -> None:
    """Else each time that sweep wakes a sleeping database would be an alarm, and what is due a minute later."""
    with asleep(seconds, way) as functions:
        done = functions.call(retain, {"reason": "due:x"}, 300)
        assert seconds <= functions.took_s < seconds + 20
    assert done["not_closed"] == []


def test_retain_gives_up_long_before_its_time_is_over(house: FastHouse, asleep: Sleeping) -> None:
    with asleep(100_000, "refused", 50.0) as functions:
        with pytest.raises(DatabaseAway):
            functions.call(retain, {"reason": "due:x"}, 300)
        assert functions.took_s < 250


@pytest.mark.parametrize(("seconds", "way"), WAYS)
def test_a_deployment_waits_for_a_database_that_sleeps(asleep: Sleeping, rds_iam: None, seconds: int, way: str) -> None:
    with asleep(seconds, way) as functions:
        event = {"RequestType": "Update", "ResourceProperties": {"FirstAuthoriser": ""}}
        answer = functions.call(migrate, event, 300)
    assert (answer["Status"], answer["Reason"]) == ("SUCCESS", "done")


@pytest.mark.parametrize(
    ("act", "done"),
    [
        (lambda: schema.migrate({}), []),
        (schema.stop_restored, 1),
        (lambda: schema.keep_schema(1), 1),
    ],
    ids=["migrate", "stop_restored", "keep_schema"],
)
def test_a_sign_in_that_is_refused_at_first_fails_no_deployment(
    house: FastHouse,
    asleep: Sleeping,
    rds_iam: None,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[], Any],
    done: Any,
) -> None:
    """As while a right that was given a moment ago is not known everywhere yet. Each of them signs in by itself."""
    house.running(house.listed(1)[0])
    with asleep(0) as functions:
        gate = functions.gate
        urls = chain([gate.url("unknown")] * 3, repeat(gate.url("postgres")))
        monkeypatch.setattr(wiring, "_conninfo", lambda read: lambda: next(urls))
        assert act() == done
        assert len(gate.contacts) == 4


def test_cloudformation_gets_an_answer_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer answers, and what comes after it changes nothing."""
    import threading

    from functions.migrate import app

    monkeypatch.setattr(app, "_TO_ANSWER_S", 0.0)
    given: list[dict[str, Any]] = []
    told = threading.Event()
    monkeypatch.setattr(app, "_put", lambda url, answer: (given.append(answer), told.set()))
    monkeypatch.setattr(app.wiring, "migrate", lambda properties: ["late"] if told.wait(10) else [])
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 50)
    answer = app.handler({"RequestType": "Create", "ResponseURL": "https://answer.example"}, context)
    assert (answer["Status"], given) == ("FAILED", [answer])
