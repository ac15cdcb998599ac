"""S22: outcomes of confirmed candidates are not offered yet, and nothing pretends that they are.

Met records. So no route takes one, no table holds one, and above all none is made up: a candidate that was confirmed
stays confirmed, and nobody is said to have been engaged.
"""

import pytest

from functions.review.app import handler
from tests.safeguards.house import House
from tests.template.conftest import Template
from tests.unit.test_edge_batch import CONTEXT
from tests.unit.test_edge_http import event

pytest_plugins = ["tests.databases"]
pytestmark = pytest.mark.integration


def test_no_route_takes_an_outcome(compiled: Template):
    routes = [
        given["Properties"]["Path"]
        for function in compiled.raw["Resources"].values()
        for given in (function.get("Properties", {}).get("Events") or {}).values()
        if given["Type"] == "HttpApi"
    ]
    assert "/candidates/{candidate}/decision" in routes  # this is where they stand
    assert [path for path in routes if "outcome" in path] == []


def test_the_function_answers_that_there_is_no_such_thing(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "s22")
    answer = handler(event("POST", "/candidates/x/outcome", body='{"outcome":"right"}'), CONTEXT)
    assert answer["statusCode"] == 404


def test_no_outcome_is_made_up(house: House):
    list_id, _ = house.listed(3)
    house.running(list_id)
    house.see(3)
    house.decide(house.candidates[0]["id"])
    house.retain()
    assert house.candidates[0]["state"] == "confirmed"
    assert house.one("SELECT count(*) FROM audit_event WHERE body LIKE '%%outcome%%'::bytea") == 0
    tables = house.sql("master", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    assert [row["table_name"] for row in tables if "outcome" in row["table_name"]] == []
