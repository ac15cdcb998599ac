"""retain answers two callers: sweep, which wakes it, and people over the HTTP API, who ask what is held."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.retain import app
from proviso.domain.errors import DatabaseAway, StorageFault
from proviso.domain.holdings import Holding
from proviso.domain.people import Role
from proviso.domain.reasons import Reason, Refused
from proviso.stages.holdings import Checked
from proviso.wiring import retention as wiring
from tests.samples import NOW, principal

EVENT = json.loads((Path(__file__).parents[2] / "events" / "govern-not-signed-in.json").read_text())
CONTEXT = SimpleNamespace(
    aws_request_id="r", function_name="retain", memory_limit_in_mb=512, invoked_function_arn="arn:retain"
)


def asked(sub="auditor", purpose="a test"):
    http = {**EVENT["requestContext"]["http"], "method": "GET", "path": "/retention"}
    context = {**EVENT["requestContext"], "http": http}
    if sub:
        context["authorizer"] = {"jwt": {"claims": {"sub": sub}, "scopes": []}}
    return {
        **EVENT,
        "rawPath": "/retention",
        "queryStringParameters": {"purpose": purpose},
        "requestContext": context,
    }


@pytest.fixture
def wired(monkeypatch):
    given = {}

    def check(who, purpose):
        given.update(sub=who.sub, purpose=purpose)
        line = Holding("frames", "frames past their age", "S25: no footage", 2, NOW - timedelta(hours=1), overdue=True)
        return Checked(NOW, (line,))

    monkeypatch.setattr(wiring, "retain_principal", lambda sub: principal(sub, Role.AUDITOR))
    monkeypatch.setattr(wiring, "check_retention", check)
    return given


def test_a_request_is_answered_with_what_is_held(wired):
    answer = app.handler(asked(), CONTEXT)
    body = json.loads(answer["body"])
    assert answer["statusCode"] == 200
    assert body["overdue"] == 1
    assert body["holdings"][0]["what"] == "frames past their age"
    assert wired == {"sub": "auditor", "purpose": "a test"}


def test_who_is_not_signed_in_is_told_nothing(wired):
    assert app.handler(asked(sub=""), CONTEXT)["statusCode"] == 401
    assert wired == {}


def test_a_refusal_and_a_database_that_sleeps_have_their_answers(wired, monkeypatch):
    monkeypatch.setattr(wiring, "retain_principal", lambda sub: Refused(Reason.ROLE_MISSING))
    assert app.handler(asked(), CONTEXT)["statusCode"] == 403

    def away(sub):
        raise DatabaseAway("asleep")

    monkeypatch.setattr(wiring, "retain_principal", away)
    assert app.handler(asked(), CONTEXT)["statusCode"] == 503


@pytest.fixture
def counted(monkeypatch):
    """What the function counts, by name; and one chain is late."""
    found = {}
    monkeypatch.setattr(app, "count", lambda name, value=1: found.update({name.value.name: value}))
    monkeypatch.setattr(app, "count_fault", lambda error: found.update({f"Fault.{type(error).__name__}": 1}))
    monkeypatch.setattr(wiring, "anchors_late", lambda: 1)
    return found


def test_whatever_else_comes_is_a_call_of_sweep(monkeypatch, counted):
    done = {"not_closed": (), "waiting": (), "closed": ("d-1",), "suspended": 0}
    monkeypatch.setattr(wiring, "retain", lambda step: done)
    assert app.handler({"reason": "due:d-1"}, CONTEXT)["closed"] == ["d-1"]
    assert counted == {"AnchorsLate": 1}


def test_what_the_alarms_go_by_is_counted(monkeypatch, counted):
    done = {"not_closed": ("d-1", "d-2"), "waiting": (), "closed": (), "suspended": 1}
    monkeypatch.setattr(wiring, "retain", lambda step: done)
    app.handler({"reason": "due:d-1"}, CONTEXT)
    assert counted == {"NotClosed": 2, "Suspended": 1, "AnchorsLate": 1}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (StorageFault("anchors"), {"Fault.StorageFault": 1, "AnchorsLate": 1}),
        (DatabaseAway("asleep"), {"Fault.DatabaseAway": 1}),  # who cannot read the database cannot say what is late
    ],
)
def test_a_run_that_fails_tells_as_well(monkeypatch, counted, fault, expected):
    def fails(step):
        raise fault

    monkeypatch.setattr(wiring, "retain", fails)
    with pytest.raises(type(fault)):
        app.handler({"reason": "due:d-1"}, CONTEXT)
    assert counted == expected
